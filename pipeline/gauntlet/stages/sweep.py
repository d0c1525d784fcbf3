"""This module provides the sweep: the search for the best boosted trees, the same for any number of workers."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import xgboost

from gauntlet.adapters.objective import BoostedTreesObjective, area_under_curve, booster_parameters
from gauntlet.adapters.sweep_engine import Search, run_sweep
from gauntlet.adapters.tpe import fit_seed
from gauntlet.adapters.trial_runs import TrialRuns
from gauntlet.core.encoding import Encoding, learn_encoding
from gauntlet.core.errors import DataError
from gauntlet.core.results import ModelRecord, SplitResult, SweepResult
from gauntlet.core.seeding import Seeds
from gauntlet.core.state import write_atomically
from gauntlet.core.trials import Trial, TrialResult, best_trial, trials_digest
from gauntlet.stages.context import StageContext
from gauntlet.stages.recipe import BOOSTER, boosted_objective
from gauntlet.stages.tags import split_tags
from gauntlet.stages.training_rows import read_split

if TYPE_CHECKING:
    from xgboost import Booster


def sweep(context: StageContext, *, split: SplitResult) -> SweepResult:
    """Search for the best boosted trees, record every trial, and fit the winner again.

    Finished trials are journalled in the stage's folder, so that a killed sweep goes on where it was.

    Raises:
        DataError: If too many trials fail, or the winner cannot be fitted again to the same AUC.
    """
    encoding, objective = learn(context, split)
    encoding_path = context.folder / "encoding.json"
    write_atomically(encoding_path, encoding.model_dump_json(indent=1))
    journal = context.folder / "trials.jsonl"
    with context.target.tracking.stage_run("sweep", key=context.key, tags=split_tags(split)) as run:
        results = _run_recorded(context, objective, journal, run_id=run.info.run_id)
        winner = best_trial(results)
        model_path, booster, auc = _fit_again(context, objective, winner)
        result = SweepResult(
            trials=len(results),
            failed=sum(r.failure is not None for r in results),
            best_trial=winner.index,
            best_auc=_auc(winner),
            trials_digest=trials_digest(results),
            journal=context.state.file_ref(journal),
            model=ModelRecord(
                name=BOOSTER,
                family="booster",
                file=context.state.file_ref(model_path),
                encoding=context.state.file_ref(encoding_path),
                parameters=_parameters(context.seeds, winner, rounds=booster.num_boosted_rounds()),
                auc_selection=auc,
                importances=importances(booster, encoding),
            ),
            run_id=run.info.run_id,
        )
        _log(context, result, selection=split.selection)
    return result


def learn(context: StageContext, split: SplitResult) -> tuple[Encoding, BoostedTreesObjective]:
    """Return the encoding learnt on the training rows, and the objective on the encoded rows."""
    train = read_split(context, split, "train")
    selection = read_split(context, split, split.selection)
    encoding = learn_encoding(train.features, context.problem.features)
    trees: Literal["best", "all"] = "all" if split.protocol == "notebook" else "best"
    return encoding, boosted_objective(train, selection, encoding=encoding, problem=context.problem, trees=trees)


def _run_recorded(
    context: StageContext, objective: BoostedTreesObjective, journal: Path, *, run_id: str
) -> tuple[TrialResult, ...]:
    """Run the trials, show each as it is finished, and leave a child run of each in MLflow."""
    rule = context.problem.sweep
    best = -np.inf
    with (
        TrialRuns(context.target.tracking, parent_run_id=run_id, stage="sweep", key=context.key) as runs,
        context.progress.task("sweep", total=rule.trials) as task,
    ):

        def show_and_record(result: TrialResult) -> None:
            nonlocal best
            best = max(best, -np.inf if result.auc is None else result.auc)
            runs.add(result)
            task.advance(note=f"best AUC {best:.4f}" if np.isfinite(best) else "no trial succeeded yet")

        search = Search(objective=objective, rule=rule, seeds=context.seeds, journal_path=journal)
        return run_sweep(
            context.target.spark(), search=search, workers=context.target.workers, on_result=show_and_record
        )


def _fit_again(
    context: StageContext, objective: BoostedTreesObjective, winner: TrialResult
) -> tuple[Path, Booster, float]:
    """Fit the winner in this process, hold it against the trial, and save it; return its file, itself and its AUC.

    The AUC is that of the calibrated model as it is read from its file: sums of scaled 32-bit numbers may order rows
    differently in the last place.
    """
    prepared = objective.prepare()
    path = context.folder / "model.ubj"
    # The winner kept its limit; how long this process takes is of no matter.
    fitted = replace(objective, limit_seconds=None).fit(_trial(context.seeds, winner), prepared)
    again = area_under_curve(fitted.uncalibrated, prepared.rows, trees=fitted.trees)
    if again != winner.auc:
        raise DataError(
            f"sweep: trial {winner.index} gave AUC {winner.auc!r}, and fitted again {again!r}: it is not reproducible; "
            "see that all workers have this machine's versions of xgboost and numpy, then run again with --fresh"
        )
    fitted.model.save_model(path)
    booster = xgboost.Booster(model_file=path)
    return path, booster, area_under_curve(booster, prepared.rows, trees=fitted.trees)


def _trial(seeds: Seeds, result: TrialResult) -> Trial:
    return Trial(index=result.index, seed=fit_seed(seeds, result.index), params=result.params)


def _parameters(seeds: Seeds, winner: TrialResult, *, rounds: int) -> dict[str, float | int | str]:
    return {**booster_parameters(_trial(seeds, winner)), "rounds": rounds}


def _auc(winner: TrialResult) -> float:
    if winner.auc is None:  # best_trial never returns such a one
        raise DataError("sweep: no trial succeeded, so there is no model to choose")
    return winner.auc


def importances(booster: Booster, encoding: Encoding) -> dict[str, float]:
    """Return what each feature gains the booster, as shares that add up to 1.

    The total gain is taken, not the mean one, because the columns that one text feature became are added up.
    """
    gains: dict[str, Any] = booster.get_score(importance_type="total_gain")
    return encoding.shares([float(gains.get(f"f{index}", 0.0)) for index in range(len(encoding.matrix_columns))])


def _log(context: StageContext, result: SweepResult, *, selection: str) -> None:
    import mlflow  # noqa: PLC0415 - the run is open, so it is imported already

    rule = context.problem.sweep
    with context.target.tracking.fluent():
        mlflow.log_params({"trials": rule.trials, "lag": rule.lag, "selection": selection, "winner": result.best_trial})
        mlflow.log_metrics({"best_auc": result.best_auc, "failed_trials": result.failed})
        mlflow.set_tag("gauntlet.trials_digest", result.trials_digest)
        mlflow.log_artifact(str(context.state.path(result.journal)))
        mlflow.log_artifact(str(context.state.path(result.model.encoding)))
