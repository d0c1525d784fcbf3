"""Tests of the drafts of problem files and suites."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from pyarrow import parquet

from gauntlet.adapters import drafted_files
from gauntlet.adapters.problem_draft import Draft, draft_problem
from gauntlet.adapters.suite_draft import SUITE_TABLES
from gauntlet.adapters.suite_files import find_suite, load_suite
from gauntlet.adapters.table_sketch import plain_names, read_columns, sketch_table
from gauntlet.core.errors import GauntletError, InputError
from gauntlet.core.origins import FolderOrigin
from gauntlet.core.problem import Problem
from gauntlet.core.problem_file import load_problem
from gauntlet.core.state import write_atomically
from tests.churn import make_churn

pytestmark = pytest.mark.unit


@pytest.fixture
def table(tmp_path: Path) -> Path:
    path = tmp_path / "Churn 2023.csv"
    make_churn().to_csv(path, index=False)
    return path


@pytest.fixture
def draft(table: Path) -> Draft:
    return draft_problem(table, label="churned", output=table.parent / "mine" / "churn.toml")


@pytest.fixture
def problem(draft: Draft) -> Problem:
    return load_problem(draft.problem)


def write(path: Path, text: str | bytes) -> Path:
    path.write_bytes(text if isinstance(text, bytes) else text.encode("utf-8"))
    return path


def labels(values: list[object], folder: Path) -> Path:
    """Write a table with a label column of these values, repeated."""
    path = folder / "table.csv"
    pd.DataFrame({"x": np.arange(60) / 4, "target": (values * 60)[:60]}).to_csv(path, index=False)
    return path


def rule_of(path: Path, positive: str | None = None) -> str:
    made = draft_problem(path, label="target", positive=positive, output=path.parent / "out.toml")
    return load_problem(made.problem).label.rule


def test_infers_kinds(problem: Problem) -> None:
    assert {column.name: column.kind for column in problem.columns} == {
        "customer_id": "text",
        "Plan": "text",
        "monthly_spend": "number",
        "auto_pay": "boolean",
        "column_2023_calls": "integer",
        "groe": "integer",
        "churned": "text",
    }


def test_infers_what_may_be_missing(problem: Problem) -> None:
    assert {c.name for c in problem.columns if c.nullable} == {"monthly_spend", "column_2023_calls"}


def test_infers_the_decimal_step(problem: Problem) -> None:
    assert {c.name: c.resolution for c in problem.columns if c.resolution} == {"monthly_spend": 0.01}


def test_whole_numbers_have_no_step_however_they_are_written(tmp_path: Path) -> None:
    answers = [1.0, 0.0, None, 1.0] * 10
    frame = pd.DataFrame({"answer": answers, "weight": [1.5, 2.0, 3.0, 4.0] * 10, "target": [0, 1] * 20})
    frame.to_csv(tmp_path / "table.csv", index=False)
    draft_problem(tmp_path / "table.csv", label="target", output=tmp_path / "p.toml")
    steps = {column.name: column.resolution for column in load_problem(tmp_path / "p.toml").features}
    assert steps == {"answer": None, "weight": 0.1}


def test_keeps_identifiers_away_from_models(draft: Draft, problem: Problem) -> None:
    assert [column.name for column in problem.columns if column.role == "ignored"] == ["customer_id"]
    assert "# identifier: 400 different texts in 400 rows" in draft.problem.read_text(encoding="utf-8")
    (decision,) = [column for column in draft.columns if column.column == "customer id"]
    assert (decision.role, decision.read_as) == ("ignored", "text")
    assert decision.why.startswith("identifier: ")


def test_says_of_each_column_how_it_is_read_and_what_it_is_for(draft: Draft) -> None:
    said = {column.column: (column.read_as, column.role, column.why) for column in draft.columns}
    assert said["monthly spend (€)"] == ("number, 45 missing", "feature", "")
    assert said["auto pay"] == ("yes or no", "feature", "")
    assert said["2023 calls"] == ("whole number, 37 missing", "feature", "")
    assert said["churned"] == ("text", "label", 'churned == "yes"')


def test_names_that_tables_cannot_have_keep_their_source_name(problem: Problem) -> None:
    renamed = {column.name: column.source_name for column in problem.columns if column.source_name}
    assert renamed == {"monthly_spend": "monthly spend (€)", "column_2023_calls": "2023 calls", "groe": "größe"}


def test_finds_the_file_where_it_lies(problem: Problem, table: Path) -> None:
    (origin,) = problem.origins
    assert isinstance(origin, FolderOrigin)
    assert origin.path == str(table.parent)
    assert [(source.file, source.format, source.delimiter) for source in problem.sources] == [
        ("Churn 2023.csv", "csv", ",")
    ]
    assert problem.name == "churn_2023"


def test_the_rare_yes_is_the_positive_class(problem: Problem, draft: Draft) -> None:
    assert problem.label.rule == 'churned == "yes"'
    assert problem.label.value == "yes"
    assert any("20 of 400 rows (5.0%)" in note for note in draft.notes)


def test_leaves_the_costs_open(problem: Problem, draft: Draft) -> None:
    assert problem.costs is None
    assert "# [costs]" in draft.problem.read_text(encoding="utf-8")
    assert "Costs are not set: decisions are reported, not judged; set [costs] to have them judged." in (
        draft.forecast.sentences()
    )


def test_searches_shallow_sampled_trees_as_often_as_the_default_problem(problem: Problem) -> None:
    default = load_problem()
    assert problem.sweep.model_copy(update={"space": default.sweep.space}) == default.sweep
    assert problem.sweep.space["max_depth"].values == (1, 8)
    assert {"subsample", "colsample_bytree"} <= set(problem.sweep.space)
    assert problem.baseline == default.baseline
    assert problem.split.fractions == default.split.fractions
    assert set(problem.names) == {"local", "remote", "databricks"}


def test_writes_three_suites_that_can_be_loaded(draft: Draft, problem: Problem) -> None:
    folder = draft.problem.parent
    for kind, path in zip(SUITE_TABLES, draft.suites, strict=True):
        name = getattr(problem.suites, kind)
        assert find_suite(name, problem_folder=folder) == path
        suite = load_suite(path)
        assert suite.name == name
        assert len(suite.expectations) >= 5


def test_a_suite_that_asks_for_nothing_known_would_not_load(draft: Draft) -> None:
    raw = draft.suites[0]
    raw.write_text(raw.read_text(encoding="utf-8").replace("_to_be_between", "_to_be_amid"), encoding="utf-8")
    with pytest.raises(GauntletError, match="amid"):
        load_suite(raw)


def test_suites_name_the_columns_of_their_tables(draft: Draft, problem: Problem) -> None:
    added = {"row_id"}
    features = {column.name for column in problem.features}
    expected = {"raw": features | {problem.label.column} | added, "curated": features | {"label"} | added}
    for kind, path in zip(SUITE_TABLES[:2], draft.suites[:2], strict=True):
        entries = json.loads(path.read_text(encoding="utf-8"))["expectations"]
        assert {e["kwargs"]["column"] for e in entries if "column" in e["kwargs"]} == expected[kind]


def test_the_drafted_ranges_hold_for_the_table_and_refuse_what_is_far_off(draft: Draft, table: Path) -> None:
    entries = json.loads(draft.suites[0].read_text(encoding="utf-8"))["expectations"]
    ranges = {e["kwargs"]["column"]: e["kwargs"] for e in entries if e["type"] == "expect_column_values_to_be_between"}
    spend = pd.read_csv(table)["monthly spend (€)"].dropna()
    bounds = ranges["monthly_spend"]
    assert spend.between(bounds["min_value"], bounds["max_value"]).mean() > bounds["mostly"] + 0.05
    assert (spend * 10).between(bounds["min_value"], bounds["max_value"]).mean() < bounds["mostly"] - 0.05
    least = [e["kwargs"] for e in entries if e["type"] == "expect_column_min_to_be_between"]
    assert {"column": "monthly_spend", "min_value": 0} in least
    texts = {e["kwargs"]["column"]: e["kwargs"]["value_set"] for e in entries if "value_set" in e["kwargs"]}
    assert texts["Plan"] == ["basic", "plus", 'pro "max"']


def test_a_column_with_missing_values_may_have_some_but_not_all(draft: Draft) -> None:
    entries = json.loads(draft.suites[0].read_text(encoding="utf-8"))["expectations"]
    present = {
        e["kwargs"]["column"]: e["kwargs"].get("mostly")
        for e in entries
        if e["type"] == "expect_column_values_to_not_be_null"
    }
    assert present["auto_pay"] is None
    assert 0.5 < present["monthly_spend"] < 0.9


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_finds_the_delimiter(tmp_path: Path, delimiter: str) -> None:
    path = tmp_path / "table.csv"
    make_churn().to_csv(path, index=False, sep=delimiter)
    problem = load_problem(draft_problem(path, label="churned", output=tmp_path / "p.toml").problem)
    assert problem.sources[0].delimiter == delimiter
    assert len(problem.columns) == 7


def test_decimal_commas_do_not_pass_for_delimiters(tmp_path: Path) -> None:
    rows = "".join(f"{i},5;{i % 7},25;{'yes' if i % 3 else 'no'}\n" for i in range(30))
    sketch = sketch_table(write(tmp_path / "t.csv", "a;b;target\n" + rows))
    assert sketch.delimiter == ";"
    assert [column.kind for column in sketch.columns] == ["number", "number", "text"]
    assert sketch.column("a").values[1] == 1.5


def test_reads_parquet(tmp_path: Path) -> None:
    frame = make_churn().assign(joined=pd.Timestamp("2024-05-01"), short=np.float32(0.1))
    path = tmp_path / "churn.parquet"
    frame.to_parquet(path)
    draft = draft_problem(path, label="churned", output=tmp_path / "p.toml")
    problem = load_problem(draft.problem)
    assert problem.sources[0].format == "parquet"
    assert [c.kind for c in problem.columns] == [
        *("text", "text", "number", "boolean", "integer", "integer", "text", "date", "number")
    ]
    assert problem.column("column_2023_calls").nullable
    assert problem.column("joined").role == "ignored"
    assert problem.column("short").resolution == 0.1


def test_refuses_parquet_columns_that_no_table_here_takes(tmp_path: Path) -> None:
    path = tmp_path / "t.parquet"
    parquet.write_table(pa.table({"x": [1.0, 2.0], "tags": [["a"], ["b"]], "target": [0, 1]}), path)
    with pytest.raises(InputError, match=r"'tags' is of type list"):
        draft_problem(path, label="target", output=tmp_path / "p.toml")


@pytest.mark.parametrize(
    ("values", "rule"),
    [
        ([0, 1, 0], "target == 1"),
        (["False", "True"], "target"),
        (["bad", "good", "good"], 'target == "bad"'),
        ([1, 2], "target == 2"),
        (["N", "Y"], 'target == "Y"'),
    ],
)
def test_two_values_make_a_rule(tmp_path: Path, values: list[object], rule: str) -> None:
    assert rule_of(labels(values, tmp_path)) == rule


@pytest.mark.parametrize(
    ("values", "positive", "rule"),
    [
        ([4, 5, 6, 7], ">= 7", "target >= 7"),
        ([4, 5, 6, 7], "5", "target == 5"),
        ([0.25, 1.5, 2.25], ">1.5", "target > 1.5"),
        (["a", "b", "c"], "c", 'target == "c"'),
        (["a", "b", "c"], "!= 'a'", 'target != "a"'),
        (["True", "False"], "false", "target == false"),
        (['say "no"', "b", "c"], 'say "no"', 'target == "say "no""'),
        (["two\nlines", "b", "c"], "two\nlines", 'target == "two\nlines"'),
    ],
)
def test_the_positive_class_may_be_chosen(tmp_path: Path, values: list[object], positive: str, rule: str) -> None:
    path = labels(values, tmp_path)
    assert rule_of(path, positive) == rule


def test_a_value_with_quotes_survives_the_file(tmp_path: Path) -> None:
    path = labels(['say "no"\\', "b", "c"], tmp_path)
    made = draft_problem(path, label="target", positive='say "no"\\', output=tmp_path / "out.toml")
    assert load_problem(made.problem).label.value == 'say "no"\\'


def test_says_when_the_positive_class_was_a_guess(tmp_path: Path) -> None:
    made = draft_problem(labels(["left", "right"], tmp_path), label="target", output=tmp_path / "out.toml")
    assert any("guess" in note for note in made.notes)


@pytest.mark.parametrize(
    ("values", "positive", "message"),
    [
        (["a", "b", "c"], None, "multi-class and regression labels are not supported"),
        ([0.5, 1.5, 2.5], None, "multi-class and regression labels are not supported"),
        ([1, 1], None, "two classes are needed"),
        (["a", "b"], "c", "holds for no row"),
        ([1, 2, 3], ">= 1", "holds for every row"),
        ([1, 2, 3], "many", "holds numbers"),
        ([1, 2, 3], "nan", "holds numbers"),
        (["a", "b"], ">= a", "== and != only"),
        ([1, 2, 3], ">=", "give a value"),
        (["True", "False"], "maybe", "true and false"),
    ],
)
def test_refuses_labels_that_are_not_two_classes(
    tmp_path: Path, values: list[object], positive: str | None, message: str
) -> None:
    path = labels(values, tmp_path)
    with pytest.raises(InputError, match=message):
        draft_problem(path, label="target", positive=positive, output=tmp_path / "out.toml")
    assert not (tmp_path / "out.toml").exists()


def test_names_the_columns_when_the_label_is_none_of_them(table: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"no column 'churn'.*'churned'"):
        draft_problem(table, label="churn", output=tmp_path / "p.toml")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "empty"),
        (b"a,target\n", "no rows"),
        (b"a,target\n\x00\x01\x00\x00\x02\x00,0\n", "no text"),
        (gzip.compress(b"a,target\n1,0\n", mtime=0)[:-9], "the gzip file is damaged or cut off"),
        (b"<!DOCTYPE html><html></html>", "HTML"),
        (b"a target\n1 0\n", "one column only"),
        (b"a,a,target\n1,2,0\n", "more than once"),
        (b",\n1,2\n", "the header names no column"),
        (b"1,2,0\n3,4,1\n", "numbers only"),
        (b"a,target\n1,0\n2,1,9\n", "row 2: the row has not 2 fields: '2,1,9'"),
        (b"PAR1 is not enough", "arquet"),
    ],
)
def test_refuses_what_is_no_table(tmp_path: Path, content: bytes, message: str) -> None:
    path = write(tmp_path / "table.csv", content)
    with pytest.raises(InputError, match=message) as caught:
        draft_problem(path, label="target", output=tmp_path / "p.toml")
    assert "\n" not in str(caught.value)
    assert sorted(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("index", [False, True])
def test_takes_the_numbers_that_pandas_gives_to_nameless_columns(tmp_path: Path, index: bool) -> None:
    path = tmp_path / "table.csv"
    pd.DataFrame([[5, 1, 0], [7, 2, 1]] * 20).to_csv(path, index=index)
    draft_problem(path, label="2", output=tmp_path / "p.toml")
    problem = load_problem(tmp_path / "p.toml")
    assert [column.source_name for column in problem.features] == ["0", "1"]


def test_two_numbers_in_the_first_line_are_a_row(tmp_path: Path) -> None:
    path = write(tmp_path / "table.csv", b"0,1\n5,0\n7,1\n")
    with pytest.raises(InputError, match="numbers only"):
        draft_problem(path, label="1", output=tmp_path / "p.toml")


def test_refuses_a_missing_file_and_an_empty_folder(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="No such file"):
        draft_problem(tmp_path / "none.csv", label="target", output=tmp_path / "p.toml")
    with pytest.raises(InputError, match="without Parquet files"):
        draft_problem(tmp_path, label="target", output=tmp_path / "p.toml")


def test_a_second_draft_of_the_same_table_changes_nothing(draft: Draft, table: Path) -> None:
    before = {path: path.read_bytes() for path in (draft.problem, *draft.suites)}
    again = draft_problem(table, label="churned", output=draft.problem)
    assert not any(file.changes or file.kept or file.diff for file in again.files)
    assert {path: path.read_bytes() for path in before} == before


def test_what_nobody_edited_is_drafted_anew(draft: Draft, table: Path) -> None:
    make_churn().assign(visits=[3, 1, 4, 1, 5] * 80).to_csv(table, index=False)
    again = draft_problem(table, label="churned", output=draft.problem)
    assert [file.changes for file in again.files] == [True, True, True, False]
    assert '+name = "visits"' in again.files[0].diff.splitlines()
    assert "visits" in {column.name for column in load_problem(draft.problem).columns}
    assert "visits" in draft.suites[0].read_text(encoding="utf-8")


def test_an_edited_problem_file_stays_and_the_suites_follow_it(draft: Draft, table: Path) -> None:
    text = draft.problem.read_text(encoding="utf-8")
    edited = text.replace('name = "Plan"\n', 'name = "Plan"\nrole = "ignored"\n').replace("seed = 1 ", "seed = 2 ")
    draft.problem.write_text(edited, encoding="utf-8")
    again = draft_problem(table, label="churned", output=draft.problem)
    assert draft.problem.read_text(encoding="utf-8") == edited
    problem_file, raw, curated, predictions = again.files
    assert (problem_file.changes, problem_file.kept) == (False, ("the whole file, which was edited",))
    assert '-role = "ignored"' in problem_file.diff.splitlines()
    assert (raw.changes, curated.changes, predictions.changes) == (True, True, False)
    assert '"column": "Plan"' not in raw.after + curated.after
    assert {c.role for c in again.columns if c.column == "Plan"} == {"ignored"}


def test_a_file_that_is_no_problem_is_never_replaced(table: Path, tmp_path: Path) -> None:
    path = write(tmp_path / "churn.toml", "mine")
    with pytest.raises(InputError, match=r"churn\.toml: not TOML"):
        draft_problem(table, label="churned", output=path)
    assert path.read_text(encoding="utf-8") == "mine"
    assert not (tmp_path / "suites").exists()


def test_a_file_that_is_no_suite_is_never_replaced(table: Path, tmp_path: Path) -> None:
    path = tmp_path / "suites" / "churn_2023" / "curated.json"
    path.parent.mkdir(parents=True)
    write(path, "mine")
    with pytest.raises(InputError, match=r"curated\.json: not JSON"):
        draft_problem(table, label="churned", output=tmp_path / "churn.toml")
    assert [file for file in tmp_path.rglob("*") if file.is_file()] == [table, path]
    assert path.read_text(encoding="utf-8") == "mine"


def test_leaves_nothing_when_a_file_cannot_be_written(
    table: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def failing(path: Path, text: str) -> None:
        if path.name == "curated.json":
            raise OSError(28, "No space left on device")
        write_atomically(path, text)

    monkeypatch.setattr(drafted_files, "write_atomically", failing)
    with pytest.raises(InputError, match="cannot be written"):
        draft_problem(table, label="churned", output=tmp_path / "churn.toml")
    assert [file for file in tmp_path.rglob("*") if file.is_file()] == [table]


def test_refuses_a_name_that_tables_cannot_have(table: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="--name"):
        draft_problem(table, label="churned", name="2 b", output=tmp_path / "p.toml")


def test_where_no_feature_would_be_left_the_columns_stay_features(tmp_path: Path) -> None:
    rows = "".join(f"key-{i},{i % 2},\n" for i in range(40))
    path = write(tmp_path / "t.csv", "key,target,empty\n" + rows)
    draft = draft_problem(path, label="target", output=tmp_path / "p.toml")
    key, _, empty = draft.columns
    assert (key.role, empty.role) == ("feature", "ignored")
    assert key.why.startswith("identifier: ")


def test_refuses_a_table_without_a_value_beside_the_label(tmp_path: Path) -> None:
    path = write(tmp_path / "t.csv", "empty,target\n" + ",0\n,1\n" * 20)
    with pytest.raises(InputError, match="no column beside the label 'target' has a value"):
        draft_problem(path, label="target", output=tmp_path / "p.toml")


def test_a_column_of_one_value_is_ignored_and_one_that_may_be_missing_is_not(tmp_path: Path) -> None:
    rows = "".join(f"{i},7,{'' if i % 3 else 5},{i % 2}\n" for i in range(40))
    path = write(tmp_path / "t.csv", "x,same,sometimes,target\n" + rows)
    draft = draft_problem(path, label="target", output=tmp_path / "p.toml")
    assert [(column.column, column.role, column.why) for column in draft.columns[1:3]] == [
        ("same", "ignored", "constant: all 40 rows hold 7"),
        ("sometimes", "feature", "one value only"),
    ]
    assert 'role = "ignored" # delete this line to give the column to models' in draft.problem.read_text("utf-8")


def leaking(folder: Path, **columns: object) -> Path:
    """Write a table of 400 rows with a label, two weak features, and more columns made of the label."""
    generator = np.random.Generator(np.random.PCG64(2))
    label = (generator.random(400) < 0.4).astype(int)
    noise = generator.normal(size=400).round(6)
    frame = pd.DataFrame({"x": (generator.normal(size=400) + label).round(2), "y": generator.choice(["a", "b"], 400)})
    made = {name: make(label, noise) for name, make in columns.items() if callable(make)}
    path = folder / "leaking.csv"
    frame.assign(**made, target=label).to_csv(path, index=False)
    return path


@pytest.mark.parametrize(
    ("columns", "ignored"),
    [
        ({"copy": lambda label, _noise: label * 3 + 1}, {"copy"}),
        ({"words": lambda label, _noise: np.where(label == 1, "won", "lost")}, {"words"}),
        (
            {"first": lambda _label, noise: noise, "second": lambda label, noise: noise + label / 2},
            {"first", "second"},
        ),
    ],
    ids=["copy", "text", "split over two columns"],
)
def test_what_gives_the_label_away_is_ignored_with_the_key_that_brings_it_back(
    tmp_path: Path, columns: dict[str, object], ignored: set[str]
) -> None:
    draft = draft_problem(leaking(tmp_path, **columns), label="target", output=tmp_path / "p.toml")
    found = {column.column: column.why for column in draft.columns if column.role == "ignored"}
    assert found.keys() == ignored
    assert all(why.startswith("leak: ") and "write known_before = true" in why for why in found.values())
    text = draft.problem.read_text(encoding="utf-8")
    name = min(ignored)
    before, after = text.split(f'name = "{name}"\n')
    answered = after.replace(
        'role = "ignored" # delete this line to give the column to models', "known_before = true", 1
    )
    draft.problem.write_text(f'{before}name = "{name}"\n{answered}', encoding="utf-8")
    assert load_problem(draft.problem).column(name).known_before


def test_weak_and_good_features_are_no_leaks(tmp_path: Path) -> None:
    path = leaking(tmp_path, good=lambda label, noise: (label * 2 + noise).round(2))
    draft = draft_problem(path, label="target", output=tmp_path / "p.toml")
    assert {column.role for column in draft.columns} == {"feature", "label"}


def test_a_column_of_dates_is_proposed_for_the_split_by_time(tmp_path: Path) -> None:
    generator = np.random.Generator(np.random.PCG64(5))
    days = pd.date_range("2024-01-01", periods=200).strftime("%Y-%m-%d")
    frame = pd.DataFrame({"x": generator.integers(0, 9, 200), "sold": days, "target": generator.integers(0, 2, 200)})
    path = tmp_path / "t.csv"
    frame.to_csv(path, index=False)
    draft = draft_problem(path, label="target", output=tmp_path / "p.toml")
    assert any('set split.time = "sold"' in note for note in draft.notes)
    text = draft.problem.read_text(encoding="utf-8")
    assert load_problem(draft.problem).split.time is None
    draft.problem.write_text(text.replace('# time = "sold"', 'time = "sold"'), encoding="utf-8")
    assert load_problem(draft.problem).split.time == "sold"


def coarse(rows: int, generator: np.random.Generator) -> pd.DataFrame:
    frame = pd.DataFrame({name: generator.integers(0, 4, rows) for name in ("a", "b", "c")})
    risk = 1 / (1 + np.exp(3 - frame.sum(axis=1) * 0.6))
    return frame.assign(target=(generator.random(rows) < risk).astype(int))


@pytest.mark.parametrize("copied", [False, True])
def test_repeats_by_chance_are_divided_freely_and_copies_are_not(tmp_path: Path, *, copied: bool) -> None:
    generator = np.random.Generator(np.random.PCG64(6))
    frame = coarse(600, generator)
    if copied:
        wide = pd.DataFrame({f"x{n}": generator.normal(size=300) for n in range(3)}).assign(
            target=frame["target"][:300]
        )
        frame = pd.concat([wide, wide])
    path = tmp_path / "t.csv"
    frame.to_csv(path, index=False)
    draft = draft_problem(path, label="target", output=tmp_path / "p.toml")
    assert load_problem(draft.problem).split.repeats == ("together" if copied else "by chance")
    assert any("rows are divided freely" in note for note in draft.notes) != copied


def test_identifiers_are_told_from_measurements(tmp_path: Path) -> None:
    generator = np.random.Generator(np.random.PCG64(4))
    frame = pd.DataFrame(
        {
            "PassengerId": np.arange(1, 601),
            "MonthlyRate": generator.integers(2_000, 27_000, 600),
            "ticket": [f"T{number}" for number in generator.permutation(600)],
            "note": [f"called about item {n} and then left it" for n in generator.permutation(600)],
            "target": generator.integers(0, 2, 600),
        }
    )
    path = tmp_path / "t.csv"
    frame.to_csv(path, index=False)
    draft = draft_problem(path, label="target", output=tmp_path / "p.toml")
    assert {column.column: column.why.split(":")[0] for column in draft.columns if column.role == "ignored"} == {
        "PassengerId": "identifier",
        "ticket": "identifier",
        "note": "free text",
    }


def test_rows_without_a_label_are_allowed_for_and_said(tmp_path: Path) -> None:
    rows = "".join(f"{i},{'' if i < 3 else i % 2}\n" for i in range(40))
    draft = draft_problem(write(tmp_path / "t.csv", "x,target\n" + rows), label="target", output=tmp_path / "p.toml")
    assert load_problem(draft.problem).max_bad_rows == 3
    assert any("3 rows have no label and are set aside" in note for note in draft.notes)


def test_plain_names_are_identifiers_and_all_different() -> None:
    odd = ["a b", "a-b", "A b", "2nd", "label", "価格", "naïve", "_x_"]
    assert plain_names(odd) == ["a_b", "a_b_2", "A_b_3", "column_2nd", "label_value", "column_6", "naive", "x"]


def test_a_label_column_called_label_is_found(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    pd.DataFrame({"x": range(30), "label": [0, 1, 1] * 10}).to_csv(path, index=False)
    problem = load_problem(draft_problem(path, label="label", output=tmp_path / "p.toml").problem)
    assert problem.label.rule == "label_value == 1"
    assert problem.column("label_value").source_name == "label"


def test_codes_keep_their_zeros(tmp_path: Path) -> None:
    path = write(tmp_path / "t.csv", "zip,target\n" + "01234,0\n99999,1\n" * 20)
    assert sketch_table(path).column("zip").kind == "text"


def test_says_which_value_makes_a_column_text(tmp_path: Path) -> None:
    rows = "".join(f"{'a few' if i == 7 else i / 2},{i % 2}\n" for i in range(50))
    sketch = sketch_table(write(tmp_path / "t.csv", "x,target\n" + rows))
    assert "'a few'" in sketch.column("x").remark


ODD_FILES: tuple[tuple[str, bytes, dict[str, Any]], ...] = (
    ("_a: [1]%.csv", b",x,target\n0,1,a\n1,2,b\n", {"ignore_unnamed": True}),
    ("latin.csv", "größe,target\n1,a\n2,ü\n".encode("latin-1"), {"encoding": "latin-1"}),
    ("windows.csv", "x,target\n1,“a”\n2,b\n".encode("cp1252"), {"encoding": "cp1252"}),
    ("wide.csv", "x,target\n1,ä\n2,b\n".encode("utf-16"), {"encoding": "utf-16"}),
    ("wide2.csv", "x,target\n1,a\n2,b\n".encode("utf-16-be"), {"encoding": "utf-16-be"}),
    (".x.csv.gz", gzip.compress(b"x;target\n1;a\n2;b\n", mtime=0), {"compression": "gzip", "delimiter": ";"}),
    ("names.csv", b"X,x,a b,a_b,_metadata,target\n1,2,3,4,5,a\n2,3,4,5,6,b\n", {}),
    ("breaks.csv", b'"x\ny",target\n"1","a\nb"\n2,"c\nd"\n', {}),
    ("long.csv", f"{'x' * 3000},target\n1,{'a' * 200_000}\n2,b\n".encode(), {}),
)


@pytest.mark.parametrize(("name", "content", "keys"), ODD_FILES, ids=[name for name, _, _ in ODD_FILES])
def test_drafts_a_problem_that_reads_the_file_as_the_sketch_did(
    tmp_path: Path, name: str, content: bytes, keys: dict[str, Any]
) -> None:
    path = write(tmp_path / name, content)
    made = draft_problem(path, label="target", name="odd", output=tmp_path / "out" / "odd.toml")
    problem = load_problem(made.problem)
    assert {key: getattr(problem.sources[0], key) for key in keys} == keys
    sketch = sketch_table(path, label="target")
    read = read_columns(path, source=problem.sources[0], columns=problem.columns)
    assert list(read) == [column.name for column in sketch.columns]
    for column in sketch.columns:
        pd.testing.assert_series_equal(read[column.name], column.values, check_names=False)


def test_reads_a_workbook(tmp_path: Path) -> None:
    make_churn().to_excel(tmp_path / "churn.xlsx", index=False)
    problem = load_problem(draft_problem(tmp_path / "churn.xlsx", label="churned", output=tmp_path / "p.toml").problem)
    assert problem.sources[0].format == "xlsx"
    assert problem.column("monthly_spend").kind == "number"


def test_drafts_the_parts_of_a_date_and_says_what_was_converted(tmp_path: Path) -> None:
    rows = "".join(f"{n % 28 + 1}.{n % 12 + 1}.2024,{'?' if n == 5 else n % 7},{'ab'[n % 2]}\n" for n in range(60))
    made = draft_problem(write(tmp_path / "t.csv", "Tag,x,target\n" + rows), label="target", output=tmp_path / "p.toml")
    problem = load_problem(made.problem)
    assert {c.name: (c.kind, c.role, c.part) for c in problem.columns} == {
        "Tag": ("date", "ignored", None),
        "Tag_month": ("integer", "feature", "month"),
        "Tag_day": ("integer", "feature", "day"),
        "Tag_weekday": ("integer", "feature", "weekday"),
        "x": ("integer", "feature", None),
        "target": ("text", "feature", None),
    }
    assert problem.column("Tag_day").dates == ("%d.%m.%Y",)
    assert problem.column("x").missing == ("?",)
    assert "Column 'x': '?' taken as missing, 1 cell." in made.notes
    assert "Column 'Tag': read as %d.%m.%Y, 60 cells." in made.notes
    text = made.problem.read_text(encoding="utf-8")
    assert '\n# time = "Tag" #' in text
    by_time = made.problem.with_name("by_time.toml")
    by_time.write_text(text.replace('# time = "Tag"', 'time = "Tag"'), encoding="utf-8")
    assert load_problem(by_time).split.time == "Tag"


def test_a_file_that_changes_while_it_is_read_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = labels([0, 1], tmp_path)
    digests = iter("ab")
    monkeypatch.setattr("gauntlet.adapters.table_sketch.digest_of", lambda _: next(digests))
    with pytest.raises(InputError, match="changed while it was read"):
        sketch_table(path)


def test_rows_without_a_label_are_counted(tmp_path: Path) -> None:
    path = labels([0, 1, None], tmp_path)
    made = draft_problem(path, label="target", output=tmp_path / "p.toml")
    assert any("20 rows have no label" in note for note in made.notes)
    assert not load_problem(made.problem).column("target").nullable


def test_coarse_measurements_do_not_chain_the_whole_table(tmp_path: Path) -> None:
    generator = np.random.Generator(np.random.PCG64(1))
    coarse = pd.DataFrame(np.round(generator.uniform(0, 0.9, (300, 2)), 1), columns=["a", "b"])
    for name, frame, near in (("coarse", coarse, False), ("fine", coarse * 123.456, True)):
        path = tmp_path / f"{name}.csv"
        frame.round(2).assign(target=[0, 1] * 150).to_csv(path, index=False)
        problem = load_problem(draft_problem(path, label="target", output=tmp_path / f"{name}.toml").problem)
        assert problem.split.near_repeats is near


def test_comments_cannot_be_broken_by_values(tmp_path: Path) -> None:
    path = tmp_path / "t.parquet"
    texts = ["one\nname = 1", 'two"\x7f', "three\t# \x00", "four"]
    frame = pd.DataFrame({"x\ny": texts * 10, "z": range(40), "target": [0, 1] * 20})
    frame.to_parquet(path)
    problem = load_problem(draft_problem(path, label="target", output=tmp_path / "p.toml").problem)
    assert [column.name for column in problem.columns] == ["x_y", "z", "target"]
    assert problem.title == "t: which rows are target 1?"
