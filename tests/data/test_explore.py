"""The stage that looks at the data: figures, first rows, missing values, repeats."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pandas as pd
import pytest

from gauntlet.adapters.tracking import Tracking
from gauntlet.core.problem import Problem
from gauntlet.core.results import DataSource, ExpectationsResult, ExploreResult, IngestResult, TableRef
from gauntlet.core.state import State
from gauntlet.stages import explore as explore_stage
from gauntlet.stages.context import StageContext
from gauntlet.stages.explore import explore

pytestmark = pytest.mark.data

KEY = "k" * 64
CHECKED = ExpectationsResult(suites=())
NAMES = {"schema": "churn", "experiment": "churn", "model": "churn", "endpoint": "churn"}
PROBLEM = {
    "name": "churn",
    "title": "Who leaves?",
    "origins": [{"kind": "folder", "path": "."}],
    "sources": [{"name": "north", "file": "n.csv"}, {"name": "south", "file": "s.csv"}],
    "columns": [
        {"name": "age", "kind": "integer", "unit": "years", "nullable": True},
        {"name": "income", "unit": "€", "nullable": True},
        {"name": "empty", "nullable": True},
        {"name": "plan", "kind": "text", "nullable": True},
        {"name": "loyal", "kind": "boolean", "nullable": True},
        {"name": "left", "kind": "text"},
    ],
    "label": {"rule": 'left == "yes"', "positive": "leavers"},
    "sweep": {"space": {"learning_rate": {"distribution": "uniform", "low": 0.1, "high": 0.3}}},
    "suites": {"raw": "r", "curated": "c", "predictions": "p"},
    "names": {"local": NAMES, "remote": NAMES},
}
SCHEMA = (
    "row_id string, source string, source_row bigint, age bigint, income double, empty double, plan string, "
    "loyal boolean, left string"
)


def customers() -> list[tuple[Any, ...]]:
    """Make 120 rows of two sources: missing values of each kind, odd texts, three rows that repeat others exactly."""
    draw = np.random.Generator(np.random.PCG64(5))
    plans = ["basic", "$x_{$ <b>", "日本", "a" * 60, None, *[f"plan {i}" for i in range(14)]]
    rows = []
    for i in range(117):
        age = None if i % 11 == 0 else int(draw.integers(18, 90))
        income = float("nan") if i % 13 == 0 else float(draw.lognormal(10, 1))
        loyal = None if i % 17 == 0 else bool(draw.integers(0, 2))
        rows.append((age, income, None, plans[i % len(plans)], loyal, "yes" if i % 4 == 0 else "no"))
    rows += [rows[0], rows[1], rows[1]]
    place = {"north": 0, "south": 0}
    complete = []
    for i, row in enumerate(rows):
        source = "north" if i < 60 else "south"
        complete.append((f"id{i:04d}", source, place[source], *row))
        place[source] += 1
    return complete


@dataclass
class TablesInMemory:
    """A stand-in for a target's tables: frames by name."""

    frames: dict[str, Any] = field(default_factory=dict)

    def read(self, table: TableRef) -> Any:
        return self.frames[table.name]


@dataclass
class Target:
    """A stand-in for a target: tables in memory, MLflow as it is."""

    tables: TablesInMemory
    tracking: Tracking


@dataclass
class World:
    """One problem, one state folder, and its stage run over any rows."""

    spark: Any
    context: StageContext

    def explore(self, rows: list[tuple[Any, ...]]) -> ExploreResult:
        raw = self.spark.createDataFrame(rows, SCHEMA)
        curated = raw.selectExpr("row_id", "cast(left = 'yes' as int) as label")
        self.context.target.tables.frames.update(raw=raw, curated=curated)  # type: ignore[attr-defined] # the stand-in
        refs = {
            name: TableRef(name=name, full_name=name, format="delta", version=0, rows=len(rows), fingerprint="")
            for name in ("raw", "curated")
        }
        source = DataSource(origin="folder", description="made rows", synthetic=False, files={})
        ingest = IngestResult(
            source=source, quarantine=None, rows=len(rows), bad_rows=0, duplicate_rows=3, positives=30, **refs
        )
        return explore(self.context, ingest=ingest, expectations=CHECKED)

    def texts(self, result: ExploreResult) -> dict[str, str]:
        return {f.name: self.context.state.path(f.file).read_text(encoding="utf-8") for f in result.figures}


@pytest.fixture(scope="module")
def world(spark: Any, make_target: Any, tmp_path_factory: pytest.TempPathFactory) -> World:
    problem = Problem.model_validate(PROBLEM)
    state = State(tmp_path_factory.mktemp("explore"))
    folder = state.stage_folder("explore", KEY)
    folder.mkdir(parents=True)
    target: Any = Target(TablesInMemory(), make_target(problem, state).tracking)
    return World(spark, StageContext(problem=problem, target=target, state=state, folder=folder, key=KEY))


@pytest.fixture
def explored(world: World) -> ExploreResult:
    """The result for the made rows; the tests run in any order and each changes the folder, so it is made anew."""
    return world.explore(customers())


def test_draws_every_figure_of_a_table_of_all_kinds(world: World, explored: ExploreResult) -> None:
    drawn = world.texts(explored)
    assert list(drawn) == ["label", "boxes", "levels", "correlation", "missing", "repeats"]
    for text in drawn.values():
        assert ElementTree.fromstring(text).tag.endswith("svg")  # noqa: S314 - our own file
    assert "日本" in drawn["levels"]
    assert "$x_{$ &lt;b&gt;" in drawn["levels"]
    assert "<b>" not in drawn["levels"]
    assert "no values" in drawn["boxes"]
    assert "leavers" in drawn["label"]


def test_counts_missing_values_and_repeats_of_the_whole_table(world: World, explored: ExploreResult) -> None:
    rows = pd.DataFrame(customers(), columns=[part.split()[0] for part in SCHEMA.split(", ")])
    assert explored.null_counts == {name: int(rows[name].isna().sum()) for name in explored.null_counts}
    assert explored.null_counts["income"] > 0
    assert "5.0% (3)" in world.texts(explored)["repeats"]
    assert "0.0% (0)" in world.texts(explored)["repeats"]


def test_same_rows_in_another_order_give_the_same_bytes_and_one_run(world: World, explored: ExploreResult) -> None:
    (world.context.folder / "figures" / "left_by_a_killed_try.svg").write_text("<svg/>", encoding="utf-8")
    again = world.explore(customers()[::-1])

    assert [figure.file for figure in explored.figures] == [figure.file for figure in again.figures]
    assert [row["plan"] for row in again.head] == [row[6] for row in customers()[:10]], "the order of the files"
    assert again.head[0]["income"] is None
    json.dumps(again.model_dump(mode="json"), allow_nan=False)
    tracking = world.context.target.tracking
    runs = tracking.client.search_runs([tracking.experiment_id])
    assert [run.info.run_id for run in runs] == [again.run_id]
    logged = {Path(item.path).name for item in tracking.client.list_artifacts(again.run_id, "figures")}
    assert logged == {f"{figure.name}.svg" for figure in again.figures}


def test_a_changed_value_changes_its_figure_only(world: World, explored: ExploreResult) -> None:
    rows = customers()
    rows[5] = (*rows[5][:4], 9e6, *rows[5][5:])
    changed = world.explore(rows)

    before, after = ({f.name: f.file.sha256 for f in result.figures} for result in (explored, changed))
    assert before["boxes"] != after["boxes"]
    assert before["label"] == after["label"]


def test_draws_a_bounded_part_of_a_long_table_and_says_so(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(explore_stage, "DRAWN_ROWS", 40)
    first, second = world.explore(customers()), world.explore(customers()[::-1])

    assert "drawn from 40 of 120 rows" in world.texts(first)["boxes"]
    assert "40 of 120 rows" in first.not_checked[0]
    assert [figure.file for figure in first.figures] == [figure.file for figure in second.figures]
    assert first.null_counts["income"] == 10, "counts are of the whole table, not of the part drawn"
