"""Suites as files: how they are found, read, named, and refused."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from gauntlet.adapters import suite_files
from gauntlet.adapters.suite_files import (
    Expectation,
    find_suite,
    import_great_expectations,
    load_suite,
    packaged_suites,
)
from gauntlet.adapters.suite_sentences import observed_sentence, raised_reason
from gauntlet.core.errors import ProblemFileError
from gauntlet.core.problem import Problem
from gauntlet.core.results import CheckOutcome, SuiteOutcome
from gauntlet.stages.expectations import refusal_sentence
from gauntlet.stages.problem_marks import not_asked_sentences, suites_of

pytestmark = pytest.mark.unit

BETWEEN = {"type": "expect_column_values_to_be_between", "kwargs": {"column": "x", "min_value": 1}}


def write(path: Path, content: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
    return path


def suite(*expectations: dict[str, Any]) -> dict[str, Any]:
    return {"name": "mine", "expectations": list(expectations)}


def entry(kind: str, **kwargs: Any) -> dict[str, Any]:
    return {"type": kind, "kwargs": kwargs}


def test_finds_the_suites_folder_first_then_expectations_then_the_packaged(tmp_path: Path) -> None:
    name = "wine_quality/raw"
    packaged = packaged_suites() / f"{name}.json"
    assert find_suite(name, problem_folder=None) == packaged
    assert find_suite(name, problem_folder=tmp_path) == packaged
    beside = write(tmp_path / "expectations" / f"{name}.json", suite(BETWEEN))
    assert find_suite(name, problem_folder=tmp_path) == beside
    first = write(tmp_path / "suites" / f"{name}.json", suite(BETWEEN))
    assert find_suite(name, problem_folder=tmp_path) == first


def test_a_wheel_carries_its_own_suites(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert packaged_suites().is_dir()
    monkeypatch.setattr(suite_files.resources, "files", lambda _: tmp_path)
    (tmp_path / "suites").mkdir()
    assert packaged_suites() == tmp_path / "suites"


def test_a_suite_that_is_nowhere_names_the_places(tmp_path: Path) -> None:
    with pytest.raises(ProblemFileError) as caught:
        find_suite("none", problem_folder=tmp_path)
    message = str(caught.value)
    assert "there is no suite 'none'" in message
    for folder in (tmp_path / "suites", tmp_path / "expectations", packaged_suites()):
        assert str(folder / "none.json") in message


@pytest.mark.parametrize("name", ["", "/etc/passwd", "../secret"])
def test_refuses_a_name_that_leaves_the_folders(name: str, tmp_path: Path) -> None:
    with pytest.raises(ProblemFileError, match="is no suite's name"):
        find_suite(name, problem_folder=tmp_path)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "not JSON: "),
        ('{"name": "mine", "expectations": NaN}', "NaN is no JSON number"),
        ([], "not a suite; expected an object with name and expectations"),
        ({"expectations": [BETWEEN]}, "name: expected a text"),
        ({"name": "mine"}, "expectations: expected a list"),
        (suite(), "expectations: a suite without expectations checks nothing"),
        ({**suite(BETWEEN), "rules": 1}, "rules: unknown key; known are name, expectations"),
        (suite(BETWEEN, 1), "expectations[2]: expected an object with type and kwargs"),  # type: ignore[arg-type]
        (suite({"expectation_type": "x", **BETWEEN}), "expectations[1]: expectation_type: unknown key"),
        (suite({"kwargs": {}}), "expectations[1]: type: expected the name of an expectation"),
        (suite({**BETWEEN, "kwargs": []}), "expectations[1]: kwargs: expected an object"),
        (suite({**BETWEEN, "meta": "why"}), "expectations[1]: meta: expected an object"),
        (suite({**BETWEEN, "severity": "fatal"}), "severity: expected one of critical, warning, info, not 'fatal'"),
        (
            suite(entry("expect_column_values_to_be_betwen", column="x", min_value=1)),
            "is no expectation of Great Expectations; did you mean 'expect_column_values_to_be_between'?",
        ),
        (suite(entry("expect_column_values_to_be_between", min_value=1)), "between: kwargs.column: missing"),
        (
            suite(entry("expect_column_values_to_be_between", column="x", min_value=1, minimum=1)),
            "between: kwargs.minimum: unknown argument",
        ),
        (
            suite(entry("expect_column_values_to_be_between", column="x", min_value="much")),
            "between: kwargs.min_value: value is not a valid",
        ),
        (
            suite(entry("expect_column_values_to_be_between", column="x")),
            "kwargs: give min_value or max_value; without both everything passes",
        ),
        (
            suite(entry("expect_column_mean_to_be_between", column="x")),
            "kwargs: give min_value or max_value; without both everything passes",
        ),
        (
            suite(entry("expect_column_values_to_be_between", column="x", min_value=1, max_value=None)),
            "kwargs.max_value: null says nothing",
        ),
        (
            suite(entry("expect_column_values_to_be_between", column="x", min_value={"$PARAMETER": "low"})),
            "kwargs.min_value: a parameter has no value here",
        ),
        (
            suite(entry("expect_column_values_to_not_be_null", column="x", mostly=0)),
            "kwargs.mostly: 0 lets everything pass",
        ),
        (suite(entry("expect_column_values_to_be_in_set", column="x", value_set=[])), "kwargs.value_set: empty"),
        (suite(entry("expect_column_values_to_not_be_null", column="")), "kwargs.column: empty"),
        (
            suite(
                entry(
                    "expect_column_values_to_not_be_null", column="x", row_condition="y > 1", condition_parser="spark"
                )
            ),
            "kwargs.row_condition: not taken: a check of some rows only passes when no row meets the condition",
        ),
        (
            suite(entry("expect_column_values_to_not_be_null", column="x", result_format="COMPLETE")),
            "kwargs.result_format: not taken",
        ),
        (
            suite(entry("expect_column_values_to_not_be_null", column="x", catch_exceptions=False)),
            "kwargs.catch_exceptions: not taken",
        ),
    ],
)
def test_each_mistake_is_one_sentence_with_file_and_place(content: Any, message: str, tmp_path: Path) -> None:
    path = write(tmp_path / "mine.json", content)
    with pytest.raises(ProblemFileError) as caught:
        load_suite(path)
    lines = str(caught.value).splitlines()
    assert any(message in line for line in lines), lines
    assert all(line.startswith(f"{path}: ") for line in lines)


SQL_READERS = [
    entry("unexpected_rows_expectation", unexpected_rows_query="SELECT * FROM text.`/etc/passwd`"),
    entry(
        "expect_query_results_to_match_comparison",
        base_query="SELECT java_method('java.lang.System', 'getenv', 'HOME')",
        comparison_data_source_name="other",
        comparison_query="SELECT 1",
    ),
]


@pytest.mark.parametrize("reader", SQL_READERS, ids=lambda reader: reader["type"])
def test_sql_in_a_suite_is_refused_unless_the_problem_allows_it(reader: Any, tmp_path: Path) -> None:
    path = write(tmp_path / "mine.json", suite(BETWEEN, reader))
    with pytest.raises(ProblemFileError, match=r"expectations\[2\]: .*not taken: its SQL can read any file"):
        load_suite(path)
    assert len(load_suite(path, free_sql=True).expectations) == 2


def test_no_other_expectation_takes_a_query() -> None:
    """A new one of Great Expectations' must not slip through under another name."""
    import_great_expectations()
    from great_expectations.expectations import registry  # noqa: PLC0415 - takes seconds to import

    kinds = registry.list_registered_expectation_implementations()
    taking = {k for k in kinds if any("query" in f or "sql" in f for f in registry.get_expectation_impl(k).__fields__)}
    assert taking == {reader["type"] for reader in SQL_READERS}


def test_all_mistakes_are_named_at_once(tmp_path: Path) -> None:
    path = write(tmp_path / "mine.json", suite(entry("expect_nothing"), BETWEEN, entry("expect_too")))
    with pytest.raises(ProblemFileError) as caught:
        load_suite(path)
    assert [line.split(": ")[1] for line in str(caught.value).splitlines()] == ["expectations[1]", "expectations[3]"]


def test_refuses_a_file_that_cannot_be_read_or_is_not_utf8(tmp_path: Path) -> None:
    with pytest.raises(ProblemFileError, match="cannot be read"):
        load_suite(tmp_path / "none.json")
    path = tmp_path / "utf16.json"
    path.write_bytes(json.dumps(suite(BETWEEN)).encode("utf-16"))
    with pytest.raises(ProblemFileError, match="not UTF-8 text at byte 0"):
        load_suite(path)


def test_names_are_column_and_rule_and_a_repeated_rule_is_numbered(tmp_path: Path) -> None:
    path = write(
        tmp_path / "mine.json",
        suite(
            BETWEEN,
            entry("expect_column_values_to_be_between", column="x", max_value=9),
            entry("expect_column_values_to_be_between", column="y", max_value=9),
            entry("expect_column_values_to_not_be_null", column="x"),
            entry("expect_column_values_to_be_null", column="z"),
            entry("expect_column_values_to_be_in_set", column="x", value_set=[1]),
            entry("expect_column_values_to_match_regex", column="x", regex="a"),
            entry("expect_column_mean_to_be_between", column="x", max_value=9),
            entry("expect_column_pair_values_a_to_be_greater_than_b", column_A="x", column_B="y"),
            entry("expect_compound_columns_to_be_unique", column_list=["x", "y"]),
            entry("expect_column_to_exist", column="x"),
            entry("expect_table_row_count_to_be_between", min_value=1),
            entry("expect_table_columns_to_match_set", column_set=["x"]),
            entry("expect_table_columns_to_match_ordered_list", column_list=["x"]),
        ),
    )
    loaded = load_suite(path)
    assert [expectation.name for expectation in loaded.expectations] == [
        "x::between",
        "x::between_2",
        "y::between",
        "x::not_null",
        "z::null",
        "x::in_set",
        "x::match_regex",
        "x::mean_between",
        "x+y::pair_values_a_greater_than_b",
        "x+y::compound_columns_unique",
        "x::exist",
        "table::row_count_between",
        "table::columns_match",
        "table::columns_match_ordered_list",
    ]
    assert [expectation.columns for expectation in loaded.expectations[-6:]] == [("x", "y"), ("x", "y"), (), (), (), ()]
    assert [expectation.column for expectation in loaded.expectations[-6:-2]] == ["x+y", "x+y", "x", None]


def test_the_digest_is_of_the_content_not_of_its_layout(tmp_path: Path) -> None:
    content = suite(BETWEEN)
    plain = load_suite(write(tmp_path / "plain.json", json.dumps(content)))
    laid_out = load_suite(write(tmp_path / "laid_out.json", json.dumps(content, indent=3, sort_keys=True)))
    other = load_suite(write(tmp_path / "other.json", suite({**BETWEEN, "meta": {"why": "because"}})))
    assert plain.digest == laid_out.digest
    assert plain.digest != other.digest


def table_columns(problem: Problem) -> dict[str, set[str]]:
    kept = {"row_id", "source", "source_row", "synthetic"}
    features = {column.name for column in problem.features}
    return {
        problem.suites.raw: {column.name for column in problem.columns} | kept,
        problem.suites.curated: features | {"label"} | kept,
        problem.suites.predictions: {
            *("row_id", "probability", "decision", "threshold"),
            *("model_name", "model_version", "run_id", "scored_at", "synthetic"),
        },
    }


def test_the_packaged_suites_ask_only_for_columns_that_the_tables_have(wine_problem: Problem) -> None:
    for name, columns in table_columns(wine_problem).items():
        loaded = load_suite(find_suite(name, problem_folder=None))
        assert loaded.name == name
        named = {column for expectation in loaded.expectations for column in expectation.columns}
        assert named <= columns
        promised = [e.kwargs["column_set"] for e in loaded.expectations if "column_set" in e.kwargs]
        assert [set(column_set) for column_set in promised] == [columns]


def test_every_packaged_suite_is_used_and_every_expectation_says_why(wine_problem: Problem) -> None:
    files = sorted(packaged_suites().rglob("*.json"))
    assert {path.relative_to(packaged_suites()).with_suffix("").as_posix() for path in files} == set(
        table_columns(wine_problem)
    )
    for path in files:
        for expectation in json.loads(path.read_text(encoding="utf-8"))["expectations"]:
            assert expectation["meta"]["why"].endswith("."), expectation


def test_the_module_costs_no_import_of_great_expectations() -> None:
    code = "import sys, gauntlet.adapters.suites; print(sorted({'great_expectations', 'pyspark'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize(
    ("kind", "kwargs", "result", "sentence"),
    [
        (
            "expect_column_values_to_be_between",
            {"column": "x", "min_value": 8, "max_value": 15},
            {"element_count": 6497, "unexpected_count": 3, "partial_unexpected_list": [93.1, 93.1, 5.0]},
            "3 of 6497 rows outside 8…15, e.g. 93.1, 5",
        ),
        (
            "expect_column_values_to_be_between",
            {"column": "x", "max_value": 15, "mostly": 0.99},
            {"element_count": 10, "unexpected_count": 3, "partial_unexpected_list": [16]},
            "3 of 10 rows above 15, e.g. 16 (at least 99 % must hold)",
        ),
        (
            "expect_column_values_to_not_be_null",
            {"column": "x"},
            {"element_count": 10, "unexpected_count": 1, "partial_unexpected_list": [None]},
            "1 of 10 rows without a value",
        ),
        (
            "expect_column_values_to_be_in_set",
            {"column": "x", "value_set": ["a", 1]},
            {"element_count": 10, "unexpected_count": 1, "partial_unexpected_list": ["b"]},
            "1 of 10 rows not in {'a', 1}, e.g. 'b'",
        ),
        (
            "expect_column_values_to_match_regex",
            {"column": "x", "regex": "a"},
            {"element_count": 10, "unexpected_count": 1, "partial_unexpected_list": ["b"]},
            "1 of 10 rows otherwise than expected, e.g. 'b'",
        ),
        (
            "expect_table_row_count_to_be_between",
            {"min_value": 100},
            {"observed_value": 5},
            "observed 5, expected at least 100",
        ),
        (
            "expect_column_values_to_be_of_type",
            {"column": "x", "type_": "DoubleType"},
            {"observed_value": "LongType"},
            "observed 'LongType', expected 'DoubleType'",
        ),
        (
            "expect_table_columns_to_match_set",
            {"column_set": ["a"]},
            {"observed_value": ["b"], "details": {"mismatched": {"missing": ["a"], "unexpected": ["b", "c"]}}},
            "missing: a; not expected: b, c",
        ),
        ("expect_column_to_exist", {"column": "x"}, {}, "does not hold"),
    ],
)
def test_what_was_seen_is_said_in_a_few_words(
    kind: str, kwargs: dict[str, Any], result: dict[str, Any], sentence: str
) -> None:
    assert observed_sentence(Expectation(name="x::y", type=kind, kwargs=kwargs), result) == sentence


def test_an_exception_is_a_reason_in_either_of_its_forms() -> None:
    raised = {"raised_exception": True, "exception_message": "No such thing.\nat line 1"}
    assert raised_reason({"raised_exception": False}) is None
    assert raised_reason(None) is None
    assert raised_reason(raised) == "could not be evaluated: No such thing."
    assert raised_reason({"('a metric',)": raised}) == "could not be evaluated: No such thing."


def test_a_column_that_is_ignored_or_gone_is_not_asked_about(tmp_path: Path, wine_problem: Problem) -> None:
    columns = [
        column.model_copy(update={"role": "ignored"}) if column.name == "pH" else column
        for column in wine_problem.columns
        if column.name != "density"
    ]
    problem = wine_problem.model_copy(update={"columns": tuple(columns)})
    whole, asked = suites_of(wine_problem, problem_folder=None), suites_of(problem, problem_folder=None)
    for table in ("raw", "curated"):
        gone = {e.name for e in whole[table].expectations} - {e.name for e in asked[table].expectations}
        assert gone == {e.name for e in whole[table].expectations if e.column in ("pH", "density")} != set()
        assert {e.name for e in asked[table].not_asked} == gone
        assert asked[table].digest == whole[table].digest
    assert asked["predictions"] == whole["predictions"]
    assert not_asked_sentences(wine_problem, whole) == ()
    raw, _ = not_asked_sentences(problem, asked)
    assert raw == "4 expectations of raw are not asked, about density (no such column), pH (ignored)"


def test_a_column_that_the_split_goes_by_is_asked_about_whatever_its_role(wine_problem: Problem) -> None:
    columns = tuple(
        column.model_copy(update={"role": "ignored"}) if column.name == "pH" else column
        for column in wine_problem.columns
    )
    split = wine_problem.split.model_copy(update={"groups": ("pH",)})
    problem = wine_problem.model_copy(update={"columns": columns, "split": split})
    assert suites_of(problem, problem_folder=None) == suites_of(wine_problem, problem_folder=None)


def test_severity_is_critical_unless_the_suite_says_otherwise(tmp_path: Path) -> None:
    path = write(tmp_path / "mine.json", suite(BETWEEN, {**BETWEEN, "severity": "warning"}))
    assert [expectation.severity for expectation in load_suite(path).expectations] == ["critical", "warning"]


def outcome(*successes: bool) -> SuiteOutcome:
    checks = tuple(
        CheckOutcome(id=f"raw::x{i}::between", rule="between", column=f"x{i}", success=success, observed="seen")
        for i, success in enumerate(successes)
    )
    return SuiteOutcome(suite="mine", suite_digest="0", table="raw", rows=1, checks=checks)


def test_the_refusal_names_what_failed_and_nothing_checked_is_refused_too() -> None:
    assert refusal_sentence([outcome(True), outcome(True, True)]) is None
    assert refusal_sentence([outcome(True, False), outcome(True)]) == (
        "1 of 3 expectations failed: raw::x1::between (seen)"
    )
    many = refusal_sentence([outcome(*[False] * 7)])
    assert many is not None
    assert many.startswith("7 of 7 expectations failed: raw::x0::between (seen); ")
    assert many.endswith("raw::x4::between (seen); and 2 more")
    milder = outcome(False, True).checks[0].model_copy(update={"severity": "warning"})
    assert refusal_sentence([outcome(True).model_copy(update={"checks": (milder,)})]) is None
    assert refusal_sentence([outcome(True), outcome()]) == "nothing was checked by mine"
    assert refusal_sentence([]) == "nothing was checked by any suite"
