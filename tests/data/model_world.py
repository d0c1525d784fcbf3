"""A small made world for the tests of models: tables, forests, boosters and a frozen choice, without other stages."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import xgboost

from gauntlet.adapters.registry import Registry
from gauntlet.adapters.target import LocalTarget
from gauntlet.core.encoding import encode, learn_encoding
from gauntlet.core.problem import Problem
from gauntlet.core.problem_file import load_problem
from gauntlet.core.results import (
    BaselineResult,
    CheckOutcome,
    DataSource,
    ExpectationsResult,
    IngestResult,
    ModelRecord,
    ScoreResult,
    SelectResult,
    SplitResult,
    SuiteOutcome,
    SweepResult,
    TableRef,
)
from gauntlet.core.scores import auc
from gauntlet.core.state import State
from gauntlet.gates.promotion import judge
from gauntlet.stages.baseline import baseline
from gauntlet.stages.context import StageContext
from gauntlet.stages.promote import promote
from gauntlet.stages.score import score
from gauntlet.stages.select import select
from gauntlet.stages.training_rows import Rows, read_split
from gauntlet.stages.versions import open_registry

ROWS = 700
OVERRIDES = {"baseline.trees": 3, "baseline.reference_trees": 4}


def made_rows(problem: Problem, *, rows: int = ROWS, seed: int = 8) -> pd.DataFrame:
    """Return curated rows with a label that three of the features tell something about, and their split."""
    generator = np.random.default_rng(seed)
    names = [column.name for column in problem.features]
    frame = pd.DataFrame(generator.normal(10, 3, (rows, len(names))), columns=names)
    pull = frame["alcohol"] + 0.5 * frame["pH"] - 0.7 * frame["density"] + generator.normal(0, 2, rows)
    frame["label"] = (pull > np.quantile(pull, 0.7)).astype(int)
    frame["row_id"] = [f"row{number:04d}" for number in range(rows)]
    frame["synthetic"] = True
    frame["row_order"] = range(rows)
    frame["split"] = np.array(["train", "train", "train", "validation", "test"])[np.arange(rows) % 5]
    return frame


def fit_booster(context: StageContext, train: Rows, selection: Rows, *, rounds: int, seed: int) -> ModelRecord:
    """Return a booster fitted on some rows, written into the context's folder."""
    encoding = learn_encoding(train.features, context.problem.features)
    parameters = {"objective": "binary:logistic", "max_depth": 3, "nthread": 1, "seed": seed, "subsample": 0.8}
    matrix = xgboost.DMatrix(encode(train.features, encoding), train.label)
    booster = xgboost.train(parameters, matrix, num_boost_round=rounds)
    model_path, encoding_path = context.folder / "model.ubj", context.folder / "encoding.json"
    booster.save_model(model_path)
    encoding_path.write_text(encoding.model_dump_json(), encoding="utf-8")
    predicted = booster.inplace_predict(encode(selection.features, encoding))
    return ModelRecord(
        name="sweep",
        family="booster",
        file=context.state.file_ref(model_path),
        encoding=context.state.file_ref(encoding_path),
        parameters={"seed": seed},
        auc_selection=auc(predicted, selection.label),
        importances={},
    )


@dataclass(frozen=True)
class Choice:
    """A frozen choice, and what it was made from."""

    baseline: BaselineResult
    select: SelectResult


@dataclass(frozen=True)
class World:
    """Tables, and models to choose from, in a state folder; copies of it share nothing but Spark."""

    root: Path
    problem: Problem
    ingest: IngestResult
    split: SplitResult
    expectations: ExpectationsResult
    weak: Choice
    strong: Choice

    @classmethod
    def make(cls, root: Path, spark: Any) -> World:
        """Make the world."""
        problem = load_problem(overrides=OVERRIDES)
        context = make_context(root, problem, "ingest")
        frame = spark.createDataFrame(made_rows(problem)).repartition(2)
        split_table = context.target.tables.write("split", frame)
        curated = context.target.tables.write("curated", frame.drop("row_order", "split"))
        ingest, split = ingest_result(curated), split_result(split_table)
        forests = baseline(make_context(root, problem, "baseline"), split=split)
        choices = [
            freeze(make_context(root, problem, "select", key), split, forests, rounds=rounds, seed=seed)
            for key, rounds, seed in (("weak", 2, 1), ("strong", 12, 2))
        ]
        return cls(root, problem, ingest, split, expectations_result(len(made_rows(problem))), *choices)

    def copied(self, root: Path) -> World:
        """Return a copy in a folder of its own."""
        shutil.copytree(self.root, root)
        return World(**{**vars(self), "root": root})

    def context(self, stage: str, key: str = "k") -> StageContext:
        """Return the context of a stage."""
        return make_context(self.root, self.problem, stage, key)

    @property
    def registry(self) -> Registry:
        """The registry."""
        return open_registry(self.context("look"))

    def versions(self) -> dict[int, dict[str, str]]:
        """Return the tags of all versions, by number."""
        registry = self.registry
        found = registry.tracking.client.search_model_versions(f"name='{registry.name}'")
        return {int(version.version): dict(version.tags) for version in found}

    def test_rows(self) -> pd.DataFrame:
        """Return the test rows' features and label, past the door."""
        frame = made_rows(self.problem)
        return frame[frame["split"] == "test"].reset_index(drop=True)

    def promote(self, choice: Choice, key: str = "promote", **changes: Any) -> Any:
        """Run the stage that promotes."""
        given = {
            "ingest": self.ingest,
            "expectations": self.expectations,
            "split": self.split,
            "baseline": choice.baseline,
            "select": choice.select,
            "judge": judge,
        }
        return promote(self.context("promote", key), **{**given, **changes})

    def score(self, choice: Choice, promoted: Any, key: str = "score") -> ScoreResult:
        """Run the stage that scores."""
        return score(self.context("score", key), ingest=self.ingest, promote=promoted, select=choice.select)


@cache
def _world_of(spark: Any, root: Path) -> World:
    return World.make(root / "models_state", spark)


def shared_world(factory: pytest.TempPathFactory, spark: Any) -> World:
    """Return the world that all test modules copy from; it is made once in a test run."""
    return _world_of(spark, factory.getbasetemp())


def make_context(root: Path, problem: Problem, stage: str, key: str = "k") -> StageContext:
    """Return the context of a stage in a state folder."""
    state, whole_key = State(root), key.ljust(64, "0")
    folder = state.stage_folder(stage, whole_key)
    folder.mkdir(parents=True, exist_ok=True)
    target = LocalTarget(problem=problem, state=state, workers=2)
    return StageContext(problem=problem, target=target, state=state, folder=folder, key=whole_key)


def freeze(context: StageContext, split: SplitResult, forests: BaselineResult, *, rounds: int, seed: int) -> Choice:
    """Choose among the forests and a new booster, and freeze the choice as the engine does."""
    train, selection = read_split(context, split, "train"), read_split(context, split, split.selection)
    booster = fit_booster(context, train, selection, rounds=rounds, seed=seed)
    result = select(context, split=split, baseline=forests, sweep=SweepResult.model_construct(model=booster))
    context.state.save_result("select", context.key, result, parts={})
    return Choice(forests, result)


def ingest_result(table: TableRef) -> IngestResult:
    """Return the result of an ingest of one table."""
    source = DataSource(origin="synthetic", description="made rows", synthetic=True, files={})
    return IngestResult(
        source=source,
        raw=table,
        curated=table,
        quarantine=None,
        rows=table.rows,
        bad_rows=0,
        duplicate_rows=0,
        positives=0,
    )


def split_result(table: TableRef, *, notebook: bool = False) -> SplitResult:
    """Return the result of a split."""
    return SplitResult(
        synthetic=True,
        protocol="notebook" if notebook else "honest",
        table=table,
        selection="test" if notebook else "validation",
        rows={"train": 420, "validation": 140, "test": 140},
        positives={},
        groups=0,
        near_pairs=0,
        repeats_across=0,
        near_repeats_across=0,
    )


def expectations_result(rows: int, *, success: bool = True) -> ExpectationsResult:
    """Return the result of checking both tables."""
    return ExpectationsResult(
        suites=tuple(
            SuiteOutcome(
                suite=table,
                suite_digest="d",
                table=table,
                rows=rows,
                checks=(CheckOutcome(id=f"{table}::c::rule", rule="rule", column="c", success=success),),
            )
            for table in ("raw", "curated")
        )
    )
