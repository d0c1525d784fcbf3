"""This module provides the choice: the best model and its threshold, frozen before the test split is opened."""

from __future__ import annotations

from collections.abc import Mapping

from gauntlet.adapters.model_files import load_fitted, model_digest
from gauntlet.core import scores
from gauntlet.core.canonical import digest
from gauntlet.core.errors import RefusedError
from gauntlet.core.problem import Costs
from gauntlet.core.results import BaselineResult, ModelRecord, SelectResult, SplitResult, SweepResult
from gauntlet.stages.context import StageContext
from gauntlet.stages.recipe import choose
from gauntlet.stages.tags import split_tags
from gauntlet.stages.training_rows import Rows, read_split

# How far a recorded AUC may lie from what the model's file shows: other sums, never another model.
_TOLERANCE = 1e-6


def select(context: StageContext, *, split: SplitResult, baseline: BaselineResult, sweep: SweepResult) -> SelectResult:
    """Choose the best of the forests and the sweep's winner on the selection split, and the cheapest threshold.

    Of equally good models the simpler is taken. The test split stays closed.

    Raises:
        RefusedError: If a model's file does not show the AUC that was recorded for it.
    """
    rows = read_split(context, split, split.selection)
    costs = scores.costs_in_force(context.problem.costs, positive_share=split.positives["train"] / split.rows["train"])
    candidates = (baseline.forest, baseline.reference, sweep.model)  # the simpler first
    probability = {
        record.name: load_fitted(record, state=context.state).probability(rows.features) for record in candidates
    }
    choice = choose(probability, rows.label, costs=costs)
    for record in candidates:
        _require_as_recorded(record, choice.auc[record.name])
    chosen = next(record for record in candidates if record.name == choice.name)
    result = SelectResult(
        candidates=candidates,
        chosen=chosen,
        threshold=choice.best.threshold,
        costs=costs,
        cost=choice.best.cost,
        accept_all_cost=scores.accept_all_cost(rows.label, costs),
        reject_all_cost=scores.reject_all_cost(rows.label, costs),
        curve=scores.cost_curve(probability[chosen.name], rows.label, costs),
        selection_digest="",
    )
    result = result.model_copy(update={"selection_digest": _selection_digest(split, result, choice.auc, costs)})
    _log(context, split, result, rows)
    return result


def _require_as_recorded(record: ModelRecord, measured: float) -> None:
    if not abs(measured - record.auc_selection) <= _TOLERANCE:
        raise RefusedError(
            f"select: {record.name} is recorded with AUC {record.auc_selection!r}, but its file shows {measured!r} on "
            "the same rows; its record or its file was changed, so run again from the stage that made it"
        )


def _selection_digest(split: SplitResult, choice: SelectResult, measured: Mapping[str, float], costs: Costs) -> str:
    return digest(
        {
            "rows": split.table.fingerprint,
            "protocol": split.protocol,
            "selection": split.selection,
            "candidates": [[record.name, model_digest(record), measured[record.name]] for record in choice.candidates],
            "chosen": choice.chosen.name,
            "threshold": choice.threshold,
            "costs": costs.model_dump(mode="json"),
        }
    )


def _log(context: StageContext, split: SplitResult, result: SelectResult, rows: Rows) -> None:
    with context.target.tracking.stage_run("select", key=context.key, tags=split_tags(split)) as run:
        client, run_id = context.target.tracking.client, str(run.info.run_id)
        client.log_param(run_id, "chosen", result.chosen.name)
        client.log_param(run_id, "selection_digest", result.selection_digest)
        client.log_metric(run_id, "rows", len(rows.label))
        client.log_metric(run_id, "auc_selection", result.chosen.auc_selection)
        client.log_metric(run_id, "threshold", result.threshold)
        client.log_metric(run_id, "cost", result.cost)
