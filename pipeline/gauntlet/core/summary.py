"""This module provides the summary of a run: the documented JSON, and one line a stage for people.

The keys of the document are stable; new ones may come. ``null`` stands where a run did not come so far or refused.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from gauntlet.core import results as r
from gauntlet.core.problem import Problem
from gauntlet.core.refusals import reasons


def warnings_and_notes(verdicts: Iterable[r.VerdictRecord]) -> dict[str, list[dict[str, Any]]]:
    """Return the verdicts that do not block but are no PASS, as the JSON keys ``warnings`` and ``notes``."""
    given = tuple(verdicts)
    return {
        "warnings": [{"gate": v.gate, "sentence": v.sentence} for v in given if v.status == "WARN"],
        "notes": [
            {"gate": v.gate, "sentence": v.sentence, "rows_needed": v.rows_needed} for v in given if v.status == "NOTE"
        ],
    }


def gate_counts(verdicts: Iterable[r.VerdictRecord]) -> str:
    """Return how many gates pass, and how many warn, make a note or are waived, for people."""
    given = tuple(verdicts)
    counts = {level: sum(verdict.status == level for verdict in given) for level in ("PASS", "WARN", "NOTE")}
    parts = [f"{counts['PASS']} of {len(given)} gates pass"]
    parts += [f"{counts[level]} {level}" for level in ("WARN", "NOTE") if counts[level]]
    if waived := sum(verdict.waiver is not None for verdict in given):
        parts.append(f"{waived} waived")
    return ", ".join(parts)


def summary(problem: Problem, results: Mapping[str, r.StageResult]) -> dict[str, Any]:
    """Return what a run found, as plain JSON.

    Args:
        problem: The problem.
        results: The stages' results, by name; those not reached are missing.
    """
    found = {
        "problem": problem.name,
        "protocol": problem.split.protocol,
        "seed": problem.seed,
        "data": _data(results.get("ingest")),
        "expectations": _expectations(results.get("expectations")),
        "split": _split(results.get("split")),
        "baseline": _baseline(results.get("baseline"), results.get("judge")),
        "sweep": _sweep(results.get("sweep")),
        "selection": _selection(results.get("select")),
        "verdicts": _verdicts(results.get("judge")),
        "evidence": _evidence(results.get("judge")),
        "champion": _champion(results.get("promote"), results.get("judge"), results.get("select")),
        "score": _score(results.get("score")),
    }
    judged = results.get("judge")
    found |= (
        warnings_and_notes(judged.verdicts) if isinstance(judged, r.JudgeResult) else {"warnings": None, "notes": None}
    )
    refusals = [result.refusal for result in results.values() if result.refusal is not None]
    found["refusal"] = refusals[0] if refusals else None
    found["reasons"] = [
        {"source": reason.source, "sentence": reason.sentence, "answer": reason.answer} for reason in reasons(results)
    ]
    return found


def _data(ingest: r.StageResult | None) -> dict[str, Any] | None:
    if not isinstance(ingest, r.IngestResult):
        return None
    return {
        "source": ingest.source.description,
        "origin": ingest.source.origin,
        "synthetic": ingest.source.synthetic,
        "files": ingest.source.files,
        "refused_origins": list(ingest.source.refused),
        "rows": ingest.rows,
        "bad_rows": ingest.bad_rows,
        "duplicate_rows": ingest.duplicate_rows,
        "positives": ingest.positives,
    }


def _expectations(result: r.StageResult | None) -> dict[str, Any] | None:
    if not isinstance(result, r.ExpectationsResult):
        return None
    checks = [check for suite in result.suites for check in suite.checks]
    return {
        "checks": len(checks),
        "failed": [check.id for check in checks if check.blocks],
        "warned": [check.id for check in checks if not check.success and not check.blocks],
    }


def _split(result: r.StageResult | None) -> dict[str, Any] | None:
    if not isinstance(result, r.SplitResult):
        return None
    return result.model_dump(
        mode="json",
        include={"rows", "positives", "groups", "near_pairs", "repeats_across", "near_repeats_across", "selection"},
    )


def _baseline(baseline: r.StageResult | None, judge: r.StageResult | None) -> dict[str, Any] | None:
    if not isinstance(baseline, r.BaselineResult):
        return None
    test = judge.scores.auc if isinstance(judge, r.JudgeResult) else {}
    return {
        "auc": test.get(baseline.forest.name),
        "auc_reference": test.get(baseline.reference.name),
        "auc_validation": baseline.forest.auc_selection,
        "auc_reference_validation": baseline.reference.auc_selection,
    }


def _sweep(result: r.StageResult | None) -> dict[str, Any] | None:
    if not isinstance(result, r.SweepResult):
        return None
    return {
        "trials": result.trials,
        "failed": result.failed,
        "best_trial": result.best_trial,
        "best_auc_validation": result.best_auc,
        "best_parameters": result.model.parameters,
        "digest": result.trials_digest,
    }


def _selection(result: r.StageResult | None) -> dict[str, Any] | None:
    if not isinstance(result, r.SelectResult):
        return None
    return {
        "chosen": result.chosen.name,
        "threshold": result.threshold,
        "cost": result.cost,
        "digest": result.selection_digest,
    }


def _verdicts(result: r.StageResult | None) -> list[dict[str, Any]] | None:
    if not isinstance(result, r.JudgeResult):
        return None
    return [verdict.model_dump(mode="json") for verdict in result.verdicts]


def _evidence(result: r.StageResult | None) -> dict[str, Any] | None:
    if not isinstance(result, r.JudgeResult):
        return None
    return {"sha256": result.evidence_digest, "file": result.evidence.path}


def _champion(
    promote: r.StageResult | None, judge: r.StageResult | None, select: r.StageResult | None
) -> dict[str, Any] | None:
    if not isinstance(promote, r.PromoteResult) or promote.champion is None:
        return None
    scores = judge.scores.auc if isinstance(judge, r.JudgeResult) else {}
    chosen = select.chosen.name if isinstance(select, r.SelectResult) else ""
    return {
        "model": promote.champion.name,
        "version": promote.champion.version,
        "previous_version": promote.previous.version if promote.previous else None,
        "bootstrap": promote.bootstrap,
        "sequence": promote.sequence,
        "chosen": chosen,
        "auc_test": scores.get(chosen),
        "auc_readback": promote.auc_readback,
    }


def _score(result: r.StageResult | None) -> dict[str, Any] | None:
    if not isinstance(result, r.ScoreResult) or result.table is None or result.model is None:
        return None
    return {
        "rows": result.rows,
        "new_rows": result.new_rows,
        "predictor": result.predictor,
        "table": result.table.full_name,
        "table_version": result.table.version,
        "model_version": result.model.version,
        "threshold": result.threshold,
        "positives": result.positives,
    }


def sentence(result: r.StageResult) -> str:  # noqa: PLR0911, PLR0912 - one line a kind of result reads best in one place
    """Return one line for people about what a stage found."""
    match result:
        case r.IngestResult():
            marked = " (SYNTHETIC)" if result.source.synthetic else ""
            return f"{result.rows:,} rows{marked} from {result.source.description}; {result.duplicate_rows:,} repeats"
        case r.ExpectationsResult():
            checks = [check for suite in result.suites for check in suite.checks]
            return f"{sum(check.success for check in checks)} of {len(checks)} expectations hold"
        case r.ExploreResult():
            return f"{len(result.figures)} figures"
        case r.SplitResult():
            sizes = " / ".join(f"{name} {rows:,}" for name, rows in result.rows.items())
            return f"{sizes}; {result.repeats_across:,} repeats across splits"
        case r.BaselineResult():
            forest, large = result.forest, result.reference
            return f"forest AUC {forest.auc_selection:.4f}, large forest {large.auc_selection:.4f}"
        case r.RegisterResult():
            return f"{result.model.name} version {result.model.version} is the baseline"
        case r.SweepResult():
            return f"{result.trials} trials, best AUC {result.best_auc:.4f} (trial {result.best_trial})"
        case r.SelectResult():
            return f"{result.chosen.name} at threshold {result.threshold:.4f}"
        case r.PackageResult():
            return f"{len(result.files)} files at {result.model_uri}"
        case r.JudgeResult():
            return gate_counts(result.verdicts)
        case r.PromoteResult() if result.champion is not None:
            return f"{result.champion.name} version {result.champion.version} is champion"
        case r.ScoreResult() if result.table is not None:
            kept = 0 if result.new_rows is None else result.rows - result.new_rows
            before = f" ({kept:,} of them before)" if kept else ""
            return f"{result.rows:,} rows scored{before} into {result.table.full_name}"
        case _:
            return ""
