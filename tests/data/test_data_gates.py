"""The gates on the data on Spark: each expectation of each suite is a gate, and each has a saboteur that it catches."""

from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from gauntlet.adapters import suites as checking
from gauntlet.adapters.checked_tables import CheckedTable, SparkTable
from gauntlet.adapters.suite_files import Suite, load_suite
from gauntlet.core.problem_file import load_problem
from gauntlet.core.verdict import Status
from gauntlet.gates.data import GATES
from gauntlet.gates.data_saboteurs import SABOTEURS
from gauntlet.gates.expectations import expectation_gates, expectation_saboteurs
from gauntlet.stages.candidate import Candidate
from gauntlet.stages.candidate_parts import suites_of
from tests.data.test_suites import write_suite
from tests.data.wine_rows import ROWS, curated_rows, prediction_rows, raw_rows
from tests.made_candidate import champion_of, made_candidate

pytestmark = pytest.mark.data

SUITES: Mapping[str, Suite] = suites_of(load_problem(), problem_folder=None)


def _given(table: CheckedTable) -> Callable[[], CheckedTable]:
    return lambda: table


@pytest.fixture(scope="module")
def sound(spark: Any, tmp_path_factory: pytest.TempPathFactory) -> Candidate:
    """Return a candidate whose tables are on Spark and meet the packaged suites."""
    frames = {"raw": raw_rows(spark), "curated": curated_rows(spark), "predictions": prediction_rows(spark)}
    frames["raw"] = frames["raw"].withColumn("quality", frames["raw"]["quality"].cast("bigint"))
    tables = {name: _given(SparkTable(name, frame)) for name, frame in frames.items()}
    return made_candidate(tmp_path_factory.mktemp("candidate"), suites=SUITES, tables=tables)


def test_every_expectation_passes_and_one_pass_of_each_table_answers_everything(
    sound: Candidate, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    scanned = checking.scanned

    def noted(frame: Any, expectations: Any, *, counted: Any) -> Any:
        asked.append(next(name for name, given in sound.tables.items() if given().frame is frame))  # type: ignore[attr-defined]
        return scanned(frame, expectations, counted=counted)

    monkeypatch.setattr(checking, "scanned", noted)
    fresh = {name: _given(SparkTable(name, given().frame, SUITES[name])) for name, given in sound.tables.items()}  # type: ignore[attr-defined]
    counts = {name: (table().rows, dict(table().values)) for name, table in fresh.items()}
    assert counts == {name: (given().rows, dict(given().values)) for name, given in sound.tables.items()}
    verdicts = [gate(sound.changed(tables=fresh)) for gate in expectation_gates(SUITES)]
    assert Counter(verdict.status for verdict in verdicts) == {Status.PASS: 75}
    assert {(verdict.measured, verdict.rows) for verdict in verdicts} == {(1, ROWS)}
    assert asked == ["raw", "curated", "predictions"]


@pytest.fixture(scope="module")
def saboteurs() -> dict[str, Any]:
    """Return the saboteurs of the packaged suites, which share their broken tables."""
    return {saboteur.gate: saboteur for saboteur in expectation_saboteurs(SUITES)}


@pytest.mark.parametrize("gate", expectation_gates(SUITES), ids=lambda gate: gate.name)
def test_every_expectation_catches_its_saboteur(sound: Candidate, saboteurs: dict[str, Any], gate: Any) -> None:
    broken = saboteurs[gate.name](sound)
    verdict = gate(broken)
    assert verdict.status is Status.FAIL, verdict.sentence
    # What is broken is the table; of its suite the expectations of one kind are left as they were.
    table = gate.name.removeprefix("data/").split("::")[0]
    assert all(expectation in SUITES[table].expectations for expectation in broken.suites[table].expectations)


OTHERS: tuple[tuple[str, dict[str, Any]], ...] = (
    ("expect_column_values_to_be_between", {"column": "alcohol", "min_value": 5}),
    ("expect_column_values_to_be_between", {"column": "alcohol", "max_value": 20, "mostly": 0.5}),
    ("expect_column_values_to_be_between", {"column": "label", "min_value": 0, "max_value": 1}),
    ("expect_column_values_to_not_be_null", {"column": "alcohol", "mostly": 0.5}),
    ("expect_column_values_to_be_unique", {"column": "row_id", "mostly": 0.9}),
    ("expect_compound_columns_to_be_unique", {"column_list": ["source", "source_row"]}),
    ("expect_column_values_to_be_in_set", {"column": "source", "value_set": ["red", "white"]}),
    ("expect_column_values_to_be_in_set", {"column": "synthetic", "value_set": [False]}),
    ("expect_column_values_to_not_be_in_set", {"column": "source", "value_set": ["rose"]}),
    ("expect_column_values_to_be_in_type_list", {"column": "source", "type_list": ["StringType", "IntegerType"]}),
    ("expect_column_values_to_be_in_type_list", {"column": "pH", "type_list": ["DoubleType", "FloatType"]}),
    ("expect_column_values_to_match_regex", {"column": "source", "regex": "red|white"}),
    ("expect_column_value_lengths_to_be_between", {"column": "source", "min_value": 3, "max_value": 5}),
    ("expect_column_min_to_be_between", {"column": "alcohol", "min_value": 5, "max_value": 20}),
    ("expect_column_max_to_be_between", {"column": "pH", "max_value": 5}),
    ("expect_column_mean_to_be_between", {"column": "pH", "min_value": 2.5, "max_value": 4}),
    ("expect_column_median_to_be_between", {"column": "density", "min_value": 0.9, "max_value": 1.1}),
    ("expect_column_stdev_to_be_between", {"column": "pH", "max_value": 1}),
    ("expect_column_unique_value_count_to_be_between", {"column": "label", "min_value": 2, "max_value": 2}),
    ("expect_column_to_exist", {"column": "pH"}),
    ("expect_table_column_count_to_equal", {"value": 17}),
    ("expect_table_row_count_to_equal", {"value": ROWS}),
    ("expect_table_row_count_to_be_between", {"max_value": 500}),
    ("expect_column_pair_values_a_to_be_greater_than_b", {"column_A": "alcohol", "column_B": "pH"}),
)


def test_expectations_of_any_type_have_a_saboteur_that_they_catch(sound: Candidate, tmp_path: Any) -> None:
    suite = load_suite(write_suite(tmp_path / "others.json", *OTHERS))
    candidate, suites = sound.changed(suites={"curated": suite}), {"curated": suite}
    gates = {gate.name: gate for gate in expectation_gates(suites)}
    passed = [gate(candidate) for gate in gates.values()]
    assert {verdict.status for verdict in passed} == {Status.PASS}, passed
    saboteurs = expectation_saboteurs(suites)
    assert len(saboteurs) == len({saboteur.name for saboteur in saboteurs}) == len(OTHERS)
    said = {saboteur.gate: gates[saboteur.gate](saboteur(candidate)) for saboteur in saboteurs}
    assert {name: v.sentence for name, v in said.items() if v.status is Status.PASS} == {}
    # A suite that asks of one column twice is broken twice: no break hides the other.
    assert said["data/curated::alcohol::between"].status is Status.FAIL
    assert "below 5" in said["data/curated::alcohol::between"].sentence
    assert "above 20" in said["data/curated::alcohol::between_2"].sentence


def test_saboteurs_of_one_kind_share_a_broken_table(sound: Candidate, saboteurs: dict[str, Any]) -> None:
    names = [f"data/raw::{column}::between" for column in ("alcohol", "pH", "density")]
    broken = [saboteurs[name](sound).tables["raw"]() for name in names]
    assert broken[0] is broken[1] is broken[2]
    assert len({saboteur.function for saboteur in saboteurs.values()}) < 25
    assert sound.tables["raw"]().rows == ROWS


@pytest.mark.parametrize("gate", GATES, ids=lambda gate: gate.name)
def test_a_candidate_on_spark_passes_and_every_saboteur_is_caught(sound: Candidate, gate: Any) -> None:
    candidate = sound.changed(incumbent=champion_of(sound, curated_rows=ROWS))
    assert gate(candidate).status is Status.PASS, gate(candidate).sentence
    mine = [saboteur for saboteur in SABOTEURS if saboteur.gate == gate.name]
    assert mine
    for saboteur in mine:
        for start in (candidate, sound):
            verdict = gate(saboteur(start))
            assert verdict.status in (Status.FAIL, Status.CONFIG_ERROR), (saboteur.name, verdict.sentence)


def test_what_spark_calls_another_type_is_named(sound: Candidate) -> None:
    table = sound.tables["raw"]()
    assert isinstance(table, SparkTable)
    frame = table.frame.withColumn("is_red", table.frame["is_red"].cast("string")).drop("pH")
    gate = next(gate for gate in GATES if gate.name == "data::schema_as_promised")
    verdict = gate(sound.changed(tables={**sound.tables, "raw": _given(SparkTable("raw", frame))}))
    assert verdict.status is Status.FAIL
    assert "raw.pH is missing; raw.is_red is string, not boolean" in verdict.sentence
