"""Tests of drafted suites: the next delivery of the same source meets them, and one that went wrong does not."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pandas as pd
import pytest

from gauntlet.adapters.label_draft import draft_label
from gauntlet.adapters.suite_draft import draft_suites, is_drafted
from gauntlet.adapters.table_sketch import TableSketch, sketch_table
from tests.made_deliveries import COLUMNS, delivery

pytestmark = pytest.mark.unit

Sketch = Callable[[pd.DataFrame], TableSketch]


@pytest.fixture
def sketch(tmp_path: Any) -> Sketch:
    def sketched(frame: pd.DataFrame) -> TableSketch:
        path = tmp_path / "table.parquet"
        frame.to_parquet(path)
        return sketch_table(path)

    return sketched


def raw_entries(table: TableSketch) -> list[dict[str, Any]]:
    label = draft_label(table.column("target"), positive=None, path=table.path)
    return list(draft_suites(table, label=label, name="made")["raw"]["expectations"])


def broken(entries: list[dict[str, Any]], frame: pd.DataFrame) -> set[str]:
    """Return the columns whose drafted expectations a table does not meet, by Great Expectations' rules."""
    return {e["kwargs"]["column"] for e in entries if e["kwargs"].get("column") in frame and not _holds(e, frame)}


def _holds(entry: Mapping[str, Any], frame: pd.DataFrame) -> bool:
    kwargs = entry["kwargs"]
    values, mostly = frame[kwargs["column"]], kwargs.get("mostly", 1)
    present = values.dropna()
    match entry["type"]:
        case "expect_column_values_to_not_be_null":
            return bool(values.notna().mean() >= mostly)
        case "expect_column_values_to_be_between":
            return bool(present.between(kwargs["min_value"], kwargs["max_value"]).mean() >= mostly)
        case "expect_column_min_to_be_between":
            return bool(present.min() >= kwargs["min_value"])
        case "expect_column_values_to_be_in_set":
            return bool(present.isin(kwargs["value_set"]).mean() >= mostly)
    raise AssertionError(f"no rule for {entry['type']}")


@pytest.mark.parametrize("family", ["lognormal", "pareto"])
@pytest.mark.parametrize("rows", [300, 1000, 5000])
def test_the_next_delivery_of_ten_heavy_tailed_columns_passes(sketch: Sketch, family: str, rows: int) -> None:
    generator = np.random.Generator(np.random.PCG64([rows, len(family)]))
    failed = 0
    # A draft takes much longer than holding a delivery against it.
    for _ in range(20 if rows < 5000 else 10):
        entries = raw_entries(sketch(delivery(family, rows, generator)))
        failed += sum(bool(broken(entries, delivery(family, rows, generator))) for _ in range(3))
    assert failed <= 1


@pytest.mark.parametrize("family", ["lognormal", "pareto"])
@pytest.mark.parametrize("rows", [300, 5000])
@pytest.mark.parametrize("factor", [10, 1000, 0.1, 0.001])
def test_a_column_in_another_unit_is_seen(sketch: Sketch, family: str, rows: int, factor: float) -> None:
    generator = np.random.Generator(np.random.PCG64(3))
    entries = raw_entries(sketch(delivery(family, rows, generator)))
    frame = delivery(family, rows, generator)
    frame[COLUMNS[3]] *= factor
    assert broken(entries, frame) == {COLUMNS[3]}


@pytest.mark.parametrize("missing", [0.0, 0.05, 0.2])
def test_a_fifth_of_nulls_more_is_seen_and_as_many_as_before_are_not(sketch: Sketch, missing: float) -> None:
    generator = np.random.Generator(np.random.PCG64(4))

    def with_nulls(share: float) -> pd.DataFrame:
        frame = delivery("lognormal", 1000, generator)
        frame.loc[generator.random(1000) < missing + share * (1 - missing), COLUMNS[0]] = np.nan
        return frame

    entries = raw_entries(sketch(with_nulls(0)))
    assert broken(entries, with_nulls(0)) == set()
    assert broken(entries, with_nulls(0.2)) == {COLUMNS[0]}


@pytest.mark.parametrize("scale", [1e-320, 1e-300, 1e-30, 1e30, 1e37])
def test_ranges_hold_numbers_of_any_size(sketch: Sketch, scale: float) -> None:
    values = np.random.Generator(np.random.PCG64(3)).normal(size=500) * scale
    frame = pd.DataFrame({"size": values, "target": np.arange(500) % 2})
    entries = raw_entries(sketch(frame))
    assert not broken(entries, frame)
    between = next(e["kwargs"] for e in entries if e["kwargs"].get("column") == "size" and "max_value" in e["kwargs"])
    assert between["min_value"] == pytest.approx(np.quantile(values, 0.025), rel=0.01)
    assert between["max_value"] == pytest.approx(np.quantile(values, 0.975), rel=0.01)


def test_a_set_of_texts_allows_a_rare_new_one_and_sees_another_spelling(sketch: Sketch) -> None:
    generator = np.random.Generator(np.random.PCG64(5))

    def with_texts() -> pd.DataFrame:
        frame = delivery("lognormal", 500, generator)
        return frame.assign(plan=generator.choice(["basic", "plus", "pro"], 500, p=[0.6, 0.399, 0.001]))

    entries = raw_entries(sketch(with_texts()))
    frame = with_texts()
    frame.loc[3, "plan"] = "trial"
    assert broken(entries, frame) == set()
    assert broken(entries, frame.assign(plan=frame["plan"].str.upper())) == {"plan"}


def test_a_new_class_of_the_label_is_seen_in_one_row(sketch: Sketch) -> None:
    generator = np.random.Generator(np.random.PCG64(6))
    frame = delivery("lognormal", 300, generator)
    frame["target"] = np.where(frame["target"] == 1, "yes", "no")
    entries = raw_entries(sketch(frame))
    frame.loc[0, "target"] = "maybe"
    assert broken(entries, frame) == {"target"}


def test_what_cannot_be_negative_keeps_the_bound_0(sketch: Sketch) -> None:
    generator = np.random.Generator(np.random.PCG64(7))
    frame = delivery("lognormal", 400, generator).assign(
        count=generator.poisson(2, 400),
        balance=generator.normal(0, 1, 400),
        score=np.abs(generator.normal(2, 0.8, 400)),
    )
    least = {
        e["kwargs"]["column"]: e["kwargs"]["min_value"]
        for e in raw_entries(sketch(frame))
        if e["type"] == "expect_column_min_to_be_between"
    }
    assert {*COLUMNS, "count"} <= least.keys()
    assert set(least.values()) == {0}
    assert "balance" not in least


def test_no_exact_set_of_columns_is_drafted_for_the_tables_of_the_problem(sketch: Sketch) -> None:
    table = sketch(delivery("lognormal", 100, np.random.Generator(np.random.PCG64(8))))
    label = draft_label(table.column("target"), positive=None, path=table.path)
    suites = draft_suites(table, label=label, name="made")
    kinds = {name: {entry["type"] for entry in suite["expectations"]} for name, suite in suites.items()}
    assert "expect_table_columns_to_match_set" not in kinds["raw"] | kinds["curated"]


def test_what_follows_from_the_data_is_a_marked_warning_and_what_holds_of_any_table_is_neither(sketch: Sketch) -> None:
    table = sketch(delivery("lognormal", 100, np.random.Generator(np.random.PCG64(9))))
    label = draft_label(table.column("target"), positive=None, path=table.path)
    suites = draft_suites(table, label=label, name="made")
    for entry in (entry for suite in suites.values() for entry in suite["expectations"]):
        assert is_drafted(entry) == (entry.get("severity") == "warning") == ("drafted" in entry["meta"])
    fixed = {e["kwargs"].get("column") for s in suites.values() for e in s["expectations"] if not is_drafted(e)}
    assert fixed == {None, "row_id", "label", "probability", "decision", "model_version"}
    edited = dict(suites["raw"]["expectations"][-1], severity="critical")
    assert not is_drafted(edited)
