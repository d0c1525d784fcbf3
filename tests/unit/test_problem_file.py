"""A mistake in a problem file is one message with file, key and what was expected."""

import math
from pathlib import Path

import pytest

from gauntlet.core.errors import ProblemFileError
from gauntlet.core.problem_file import default_problem_path, load_problem

pytestmark = pytest.mark.unit


def test_the_packaged_problem_is_the_tutorials():
    problem = load_problem()
    assert [source.name for source in problem.sources] == ["red", "white"]
    assert len(problem.features) == 12
    assert "quality" not in {column.name for column in problem.features}
    assert (problem.label.column, problem.label.operator, problem.label.value) == ("quality", ">=", 7.0)
    assert problem.sweep.trials == 96
    assert problem.max_bad_rows == 0


DEPTH = {"distribution": "quniform", "low": 2, "high": 9, "step": 1}
RATE = {"distribution": "loguniform", "low": -3, "high": 0}


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        ({"sweep.trials": -4}, r"sweep\.trials: input should be greater than or equal to 1, not -4"),
        ({"sweep.budget": 4}, r"sweep\.budget: unknown key"),
        ({"bogus": 3}, r"bogus: unknown key"),
        ({"split.fractions.test": 0.5}, r"split\.fractions: train, validation and test must add up to 1, not 1\.3"),
        ({"sweep.space.max_depth.low": 200}, r"sweep\.space\.max_depth: low \(200\) must be less than high \(100\)"),
        ({"sweep.space": {}}, r"sweep\.space: "),
        ({"sweep.space.max_deep": DEPTH}, r"sweep\.space: XGBoost's trees have no parameter 'max_deep' .*max_depth"),
        ({"sweep.space.eta": RATE}, r"sweep\.space: learning_rate and eta are one parameter"),
        ({"sweep.space.max_bin": RATE}, r"sweep\.space: max_bin is a whole number; .*quniform"),
        ({"sweep.space.seed": DEPTH}, r"sweep\.space: XGBoost's trees have no parameter 'seed'"),
        ({"sweep.trial_seconds": 0}, r"sweep\.trial_seconds: "),
        ({"sweep.space.eta.high": math.inf}, r"sweep\.space\.eta\.high: input should be a finite number, not inf"),
        ({"sweep.space.max_depth.low": math.nan}, r"sweep\.space\.max_depth\.low: input should be a finite number"),
        ({"sweep.space.max_depth.step": math.inf}, r"sweep\.space\.max_depth\.step: input should be a finite number"),
        ({"sweep.space.max_depth.step": 0}, r"sweep\.space\.max_depth\.step: input should be greater than 0"),
        (
            {"sweep.space.max_depth.step": 97},
            r"sweep\.space\.max_depth: step \(97\) is larger than the range .*4 to 100",
        ),
        ({"sweep.space.learning_rate.step": 0.1}, r"sweep\.space\.learning_rate: loguniform takes no step"),
        (
            {"sweep.space": {"learning_rate": {"distribution": "loguniform", "low": 0.01, "high": 0.3}}},
            r"sweep\.space\.learning_rate: the bounds of loguniform are natural logarithms, so low = 0\.01 and "
            r"high = 0\.3 mean values from 1\.01 to 1\.35; .*write low = -4\.605, high = -1\.204",
        ),
        (
            {"sweep.space": {"reg_alpha": {"distribution": "loguniform", "low": 1, "high": 100}}},
            r"sweep\.space\.reg_alpha: .*mean values above 1e\+06; .*write low = 0\.000, high = 4\.605",
        ),
        (
            {"sweep.space": {"eta": {"distribution": "loguniform", "low": -3, "high": 0.5}}},
            r"sweep\.space: eta is at most 1, but high = 0\.5 is a natural logarithm and means 1\.649",
        ),
        (
            {"sweep.space": {"subsample": {"distribution": "uniform", "low": 0.5, "high": 2}}},
            r"sweep\.space: subsample is at most 1, but its high is 2",
        ),
        (
            {"sweep.space": {"gamma": {"distribution": "uniform", "low": -1, "high": 2}}},
            r"sweep\.space: gamma is never negative, but its low is -1",
        ),
        ({"label.rule": "quality >= seven"}, r"label\.rule compares the integer column 'quality' with 'seven'"),
        ({"label.rule": "taste >= 7"}, r"label\.rule reads 'taste', which is not among the columns"),
        ({"label.rule": ">= 7"}, r"label\.rule: expected"),
        ({"split.protocol": "optimistic"}, r"split\.protocol: input should be 'honest' or 'notebook'"),
        ({"costs": {"false_positive": 0, "false_negative": 0}}, r"costs: at least one of the costs"),
        ({"costs": {"false_positive": math.inf}}, r"costs\.false_positive: input should be a finite number, not inf"),
        ({"max_bad_rows": "many"}, r"max_bad_rows: .*not 'many'"),
        ({"seed": -1}, r"seed: "),
        ({"names.local.model": "two words"}, r"names\.local\.model: letters, digits and underscores only"),
        ({"columns": [{"name": "a"}, {"name": "a"}]}, r"columns: named twice: a"),
        ({"columns": [{"name": "label"}, {"name": "b"}]}, r"columns\[1\]\.name: 'label' is a name that Gauntlet uses"),
        ({"origins": []}, r"origins: "),
    ],
)
def test_names_file_key_and_expectation(overrides, message):
    with pytest.raises(ProblemFileError, match=message) as caught:
        load_problem(overrides=overrides)
    assert str(caught.value).startswith(str(default_problem_path()))


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("name", "wine\n"),
        ("names.local.catalog", "main\n"),
        ("names.local.schema", "wine\n"),
        ("names.local.volume", "files\n"),
        ("names.local.model", "churn\n"),
        ("columns", [{"name": "a\n"}]),
        ("origins", [{"kind": "archive", "url": "https://x/a.zip", "sha256": "0" * 64 + "\n"}]),
    ],
)
def test_a_name_is_matched_whole(key: str, value: object) -> None:
    with pytest.raises(ProblemFileError, match=key):
        load_problem(overrides={key: value})


@pytest.mark.parametrize(("low", "high"), [(0, 3), (1, 3), (-10, 10), (0.5, 4)])
def test_natural_logarithms_pass_for_what_they_are(low, high):
    space = {"min_child_weight": {"distribution": "loguniform", "low": low, "high": high}}
    assert load_problem(overrides={"sweep.space": space}).sweep.space["min_child_weight"].high == high


def test_reports_every_mistake_at_once():
    with pytest.raises(ProblemFileError) as caught:
        load_problem(overrides={"bogus": 1, "sweep.trials": 0, "seed": -1})
    assert len(str(caught.value).splitlines()) == 3


def test_a_missing_key_is_named(tmp_path):
    path = tmp_path / "problem.toml"
    text = default_problem_path().read_text(encoding="utf-8").replace('title = "', 'topic = "', 1)
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ProblemFileError, match="title: missing"):
        load_problem(path)


def test_a_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(ProblemFileError, match=r"none\.toml: cannot be read"):
        load_problem(tmp_path / "none.toml")


@pytest.mark.parametrize(
    ("content", "message"),
    [(b"name = ", "not TOML"), ("name = 'x'".encode("utf-16"), "not UTF-8"), (b"", "missing")],
)
def test_a_file_that_is_no_problem_is_explained(tmp_path: Path, content, message):
    path = tmp_path / "problem.toml"
    path.write_bytes(content)
    with pytest.raises(ProblemFileError, match=message):
        load_problem(path)


def test_constants_must_be_given_by_every_source():
    sources = [{"name": "a", "file": "a.csv", "constants": {"is_red": True}}, {"name": "b", "file": "b.csv"}]
    with pytest.raises(ProblemFileError, match="sources: 'b' gives no constant for is_red"):
        load_problem(overrides={"sources": sources})


def test_registered_names_have_three_levels():
    names = load_problem().names["databricks"]
    assert names.registered_model == "main.wine_quality.wine_classifier"
    assert names.table("raw") == "main.wine_quality.raw"
