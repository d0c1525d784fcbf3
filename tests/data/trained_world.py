"""Made rows that were divided, and the models that the stages fitted to them: what refits are compared with."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import gauntlet
from gauntlet.adapters.model_files import load_fitted
from gauntlet.adapters.target import Target
from gauntlet.core.problem import Problem
from gauntlet.core.problem_file import load_problem
from gauntlet.core.results import ModelRecord, SplitResult
from gauntlet.core.state import State
from gauntlet.stages.baseline import baseline
from gauntlet.stages.candidate import Candidate, JudgedModel, Splits
from gauntlet.stages.context import StageContext
from gauntlet.stages.split import split_names
from gauntlet.stages.sweep import sweep
from gauntlet.stages.trainer import RoadTrainer

ROWS = 900
OVERRIDES = {
    "sweep.trials": 8,
    "sweep.lag": 4,
    "sweep.max_rounds": 30,
    "baseline.trees": 6,
    "baseline.reference_trees": 9,
    "gates.reproducibility.workers": (1, 3),
    "gates.reproducibility.trials": 4,
    "gates.reproducibility.seeds": 2,
    # Small forests on a few hundred rows hang on their seeds; a large one on thousands does not.
    "gates.reproducibility.maximum_seed_spread": 0.15,
}


def made_rows(problem: Problem, *, seed: int = 4) -> pd.DataFrame:
    """Return rows of which three features tell something about the label, in no order."""
    generator = np.random.default_rng(seed)
    names = [column.name for column in problem.features]
    frame = pd.DataFrame(generator.normal(10, 3, (ROWS, len(names))), columns=names)
    pull = frame["alcohol"] + 0.5 * frame["pH"] - 0.7 * frame["density"] + generator.normal(0, 2, ROWS)
    frame["label"] = (pull > np.quantile(pull, 0.7)).astype(int)
    frame["row_id"] = [f"row{number:04d}" for number in generator.permutation(ROWS)]
    frame["group_id"] = frame["row_id"]
    return frame


MakeTarget = Callable[[Problem, State], Target]


@dataclass(frozen=True)
class TrainedWorld:
    """A state folder with models by name: ``sweep``, ``forest`` and ``reference_forest``."""

    root: Path
    problem: Problem
    splits: Splits
    split: SplitResult
    records: dict[str, ModelRecord]
    target: MakeTarget

    @classmethod
    def make(cls, root: Path, spark: Any, target: MakeTarget) -> TrainedWorld:
        """Make the world."""
        problem = load_problem(overrides=OVERRIDES)
        frame = made_rows(problem)
        context = make_context(root, problem, "split", target)
        frame["split"] = split_names(frame, context)
        frame["row_order"] = frame["row_id"].rank(method="first").astype(int) - 1
        table = context.target.tables.write("split", spark.createDataFrame(frame))
        counts = frame["split"].value_counts()
        split = SplitResult(
            synthetic=True,
            protocol="honest",
            table=table,
            selection="validation",
            rows={name: int(counts[name]) for name in ("train", "validation", "test")},
            positives={},
            groups=ROWS,
            near_pairs=0,
            repeats_across=0,
            near_repeats_across=0,
        )
        forests = baseline(make_context(root, problem, "baseline", target), split=split)
        booster = sweep(make_context(root, problem, "sweep", target), split=split).model
        ordered = frame.sort_values("row_order", ignore_index=True).drop(columns="row_order")
        features = tuple(column.name for column in problem.features)
        splits = Splits(ordered, features, "honest", "validation", lambda: context.target.tables.read(table))
        records = {record.name: record for record in (forests.forest, forests.reference, booster)}
        return cls(root, problem, splits, split, records, target)

    def context(self, stage: str, problem: Problem | None = None) -> StageContext:
        """Return the context of a stage, of the world's problem unless another is given."""
        return make_context(self.root, problem or self.problem, stage, self.target)

    def trainer(self, name: str, **changes: Any) -> RoadTrainer:
        """Return the trainer of a model; named parts replace its own."""
        parts = {"context": self.context("judge"), "split": self.split}
        return RoadTrainer(**{**parts, "record": self.records[name], **changes})

    def candidate(self, chosen: str, workspace: Path) -> Candidate:
        """Return the candidate with one of the models chosen."""
        trainer = self.trainer(chosen)
        models = {
            name: JudgedModel(name, record.file.sha256, load_fitted(record, state=trainer.context.state))
            for name, record in self.records.items()
        }
        return Candidate(
            problem=self.problem,
            chosen=chosen,
            baseline="forest",
            models=models,
            splits=self.splits,
            threshold=None,
            tables={},
            suites={},
            incumbent=None,
            trainer=trainer,
            artefact=None,
            code=tuple(sorted(Path(gauntlet.__file__).parent.rglob("*.py"))),
            test_ledger=None,
            spark=trainer.context.target.spark,
            workspace=workspace,
        )


def make_context(root: Path, problem: Problem, stage: str, target: MakeTarget) -> StageContext:
    """Return the context of a stage in a state folder."""
    state, key = State(root), "k".ljust(64, "0")
    folder = state.stage_folder(stage, key)
    folder.mkdir(parents=True, exist_ok=True)
    return StageContext(problem=problem, target=target(problem, state), state=state, folder=folder, key=key)


@cache
def _world_of(spark: Any, target: MakeTarget, root: Path) -> TrainedWorld:
    return TrainedWorld.make(root / "trained_state", spark, target)


def shared_world(factory: pytest.TempPathFactory, spark: Any, target: MakeTarget) -> TrainedWorld:
    """Return the world that all test modules read; it is made once in a test run."""
    return _world_of(spark, target, factory.getbasetemp())
