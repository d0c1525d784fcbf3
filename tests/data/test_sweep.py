"""The sweep as a stage: on made rows, with its runs in MLflow."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy.special import logit
from sklearn.metrics import roc_auc_score
from xgboost import Booster

from gauntlet.adapters.sweep_engine import Search, run_sweep
from gauntlet.adapters.target import Target
from gauntlet.adapters.tracking import STAGE_KEY_TAG
from gauntlet.core.encoding import Encoding, encode
from gauntlet.core.errors import DataError
from gauntlet.core.problem import Problem, SplitName
from gauntlet.core.results import SplitResult, SweepResult
from gauntlet.core.state import State
from gauntlet.core.statistics.calibration import platt_scaling
from gauntlet.core.trials import read_journal, trials_digest
from gauntlet.stages import sweep as stage
from gauntlet.stages.context import StageContext
from gauntlet.stages.training_rows import read_split

pytestmark = pytest.mark.data

TRIALS = 6
Contexts = Callable[..., StageContext]


def made_rows(problem: Problem) -> pd.DataFrame:
    """Return rows as the split leaves them: two features explain the label in part."""
    generator = np.random.Generator(np.random.PCG64(5))
    rows = 600
    frame = pd.DataFrame(
        {c.name: generator.normal(size=rows) for c in problem.features if c.kind != "boolean"}
        | {c.name: generator.random(rows) < 0.3 for c in problem.features if c.kind == "boolean"}
    )
    signal = frame["alcohol"] - frame["density"] + generator.normal(size=rows)
    frame["label"] = (signal > 1.0).astype(np.int32)
    frame["split"] = np.repeat(["train", "validation", "test"], [360, 120, 120])
    frame["row_id"] = [f"row-{index:04d}" for index in range(rows)]
    frame["group_id"] = frame["row_id"]
    frame["row_order"] = np.arange(rows)
    return frame.iloc[generator.permutation(rows)]  # the table's own order must not matter


@pytest.fixture(scope="module")
def target(
    make_target: Callable[..., Target], wine_problem: Problem, tmp_path_factory: pytest.TempPathFactory
) -> Target:
    """One state folder for all tests here: MLflow takes seconds to make a new database."""
    return make_target(wine_problem, State(tmp_path_factory.mktemp("sweep")))


@pytest.fixture(scope="module")
def split(spark: Any, target: Target, wine_problem: Problem) -> SplitResult:
    rows = made_rows(wine_problem)
    table = target.tables.write("split", spark.createDataFrame(rows))
    names: tuple[SplitName, ...] = ("train", "validation", "test")
    return SplitResult(
        synthetic=False,
        protocol="honest",
        table=table,
        selection="validation",
        rows={name: int((rows["split"] == name).sum()) for name in names},
        positives={name: int(rows["label"][rows["split"] == name].sum()) for name in names},
        groups=len(rows),
        near_pairs=0,
        repeats_across=0,
        near_repeats_across=0,
    )


@pytest.fixture(scope="module")
def context_of(target: Target, wine_problem: Problem) -> Contexts:
    def make(key: str, **options: Any) -> StageContext:
        folder = target.state.stage_folder("sweep", key)
        folder.mkdir(parents=True, exist_ok=True)
        return StageContext(problem=wine_problem, target=target, state=target.state, folder=folder, key=key, **options)

    return make


@pytest.fixture(scope="module")
def done(context_of: Contexts, split: SplitResult) -> tuple[StageContext, SweepResult]:
    context = context_of("done" * 16)
    return context, stage.sweep(context, split=split)


def runs_of(context: StageContext) -> list[Any]:
    tracking = context.target.tracking
    ours = f"tags.`{STAGE_KEY_TAG}` = '{context.key}'"
    return list(tracking.client.search_runs([tracking.experiment_id], filter_string=ours))


def children(context: StageContext) -> list[Any]:
    found = [run for run in runs_of(context) if "mlflow.parentRunId" in run.data.tags]
    return sorted(found, key=lambda run: int(run.data.tags["gauntlet.trial"]))


def test_every_trial_is_a_child_run_with_what_it_tried_and_found(done: tuple[StageContext, SweepResult]) -> None:
    context, result = done
    found = children(context)
    journal = read_journal(context.state.path(result.journal))
    assert [int(run.data.tags["gauntlet.trial"]) for run in found] == list(range(TRIALS)) == [r.index for r in journal]
    for run, trial in zip(found, journal, strict=True):
        assert run.data.tags["mlflow.parentRunId"] == result.run_id
        assert run.data.params == {name: repr(value) for name, value in trial.params.items()}
        assert run.data.metrics["auc"] == trial.auc
        assert run.data.metrics["best_iteration"] == trial.best_iteration
        assert run.info.status == "FINISHED"
        assert run.info.end_time - run.info.start_time == round(trial.seconds * 1000)
    assert len(runs_of(context)) == TRIALS + 1


def test_the_saved_model_is_the_winner(done: tuple[StageContext, SweepResult], split: SplitResult) -> None:
    context, result = done
    rows = read_split(context, split, "validation")
    encoding = Encoding.model_validate_json(context.state.path(result.model.encoding).read_text(encoding="utf-8"))
    booster = Booster(model_file=context.state.path(result.model.file))
    predicted = booster.inplace_predict(encode(rows.features, encoding))
    assert roc_auc_score(rows.label, predicted) == result.model.auc_selection
    assert result.model.auc_selection == pytest.approx(
        result.best_auc, abs=1e-5
    )  # calibrated: the order may change last
    found = platt_scaling(logit(predicted), rows.label)
    assert found is not None
    assert (found.slope, found.intercept) == (pytest.approx(1, abs=1e-3), pytest.approx(0, abs=1e-3))
    winner = read_journal(context.state.path(result.journal))[result.best_trial]
    assert (winner.auc, winner.best_iteration) == (result.best_auc, booster.num_boosted_rounds() - 1)
    assert winner.params.items() <= result.model.parameters.items()


def test_importances_are_shares_of_the_features(done: tuple[StageContext, SweepResult], wine_problem: Problem) -> None:
    shares = done[1].model.importances
    assert list(shares) == [column.name for column in wine_problem.features]
    assert sum(shares.values()) == pytest.approx(1)
    assert sorted(shares, key=lambda name: shares[name])[-2:] in (["alcohol", "density"], ["density", "alcohol"])


def test_the_stage_gives_what_a_serial_sweep_gives(
    done: tuple[StageContext, SweepResult], split: SplitResult, tmp_path: Any
) -> None:
    context, result = done
    _, objective = stage.learn(context, split)
    search = Search(
        objective=objective, rule=context.problem.sweep, seeds=context.seeds, journal_path=tmp_path / "serial.jsonl"
    )
    assert trials_digest(run_sweep(None, search=search)) == result.trials_digest


class InterruptedProgress:
    """A user who presses Ctrl+C when the third trial is finished."""

    def __init__(self) -> None:
        self.advanced = 0
        self.notes: list[str] = []

    @contextmanager
    def task(self, description: str, *, total: int) -> Iterator[InterruptedProgress]:
        yield self

    def advance(self, steps: int = 1, *, note: str = "") -> None:
        self.advanced += steps
        self.notes.append(note)
        if self.advanced == 3:
            raise KeyboardInterrupt


def test_a_sweep_broken_off_and_resumed_leaves_one_parent_and_all_children(
    context_of: Contexts, split: SplitResult, done: tuple[StageContext, SweepResult]
) -> None:
    progress = InterruptedProgress()
    context = context_of("broken" * 10, progress=progress)
    with pytest.raises(KeyboardInterrupt):
        stage.sweep(context, split=split)
    assert "best AUC 0." in progress.notes[0]
    first_tries = {run.info.run_id for run in runs_of(context)}
    kept = (context.folder / "trials.jsonl").read_bytes()
    result = stage.sweep(context_of(context.key), split=split)
    assert (context.folder / "trials.jsonl").read_bytes().startswith(kept)
    assert len(kept.splitlines()) > 3
    assert result.trials_digest == done[1].trials_digest
    assert result.model.file.sha256 == done[1].model.file.sha256
    assert [int(run.data.tags["gauntlet.trial"]) for run in children(context)] == list(range(TRIALS))
    assert {run.data.tags["mlflow.parentRunId"] for run in children(context)} == {result.run_id}
    runs = {run.info.run_id for run in runs_of(context)}
    assert len(runs) == TRIALS + 1
    assert first_tries
    assert not first_tries & runs


def test_a_winner_that_cannot_be_fitted_again_is_refused(
    context_of: Contexts, split: SplitResult, done: tuple[StageContext, SweepResult]
) -> None:
    context = context_of("tampered" * 8)
    lines = done[0].state.path(done[1].journal).read_text(encoding="utf-8").splitlines()
    winner = next(n for n, line in enumerate(lines) if n and json.loads(line)["index"] == done[1].best_trial)
    trial = json.loads(lines[winner])
    lines[winner] = json.dumps(trial | {"auc": trial["auc"] + 1e-9})
    (context.folder / "trials.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    with pytest.raises(DataError, match="not reproducible"):
        stage.sweep(context, split=split)
    parents = [run for run in runs_of(context) if "mlflow.parentRunId" not in run.data.tags]
    assert [run.info.status for run in parents] == ["FAILED"]


def test_the_notebook_protocol_judges_and_keeps_all_trees_on_test(context_of: Contexts, split: SplitResult) -> None:
    context = context_of("notebook" * 8)
    short = context.problem.sweep.model_copy(update={"trials": 2, "early_stopping_rounds": 5})
    context = dataclasses.replace(context, problem=context.problem.model_copy(update={"sweep": short}))
    notebook = split.model_copy(update={"protocol": "notebook", "selection": "test"})
    result = stage.sweep(context, split=notebook)
    booster = Booster(model_file=context.state.path(result.model.file))
    winner = read_journal(context.state.path(result.journal))[result.best_trial]
    assert winner.best_iteration is not None
    assert booster.num_boosted_rounds() > winner.best_iteration + 1
    encoding = Encoding.model_validate_json(context.state.path(result.model.encoding).read_text(encoding="utf-8"))
    rows = read_split(context, notebook, "test")
    assert roc_auc_score(rows.label, booster.inplace_predict(encode(rows.features, encoding))) == result.best_auc
