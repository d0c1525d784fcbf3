"""This module provides the stage that checks the raw and the curated table against their suites."""

from __future__ import annotations

from collections.abc import Sequence

from gauntlet.adapters.suites import check_table
from gauntlet.core.results import ExpectationsResult, IngestResult, SuiteOutcome
from gauntlet.stages.context import StageContext
from gauntlet.stages.problem_marks import not_asked_sentences, suites_of
from gauntlet.stages.tags import source_tags

_NAMED_IN_REFUSAL = 5


def expectations(context: StageContext, *, ingest: IngestResult) -> ExpectationsResult:
    """Check the raw and the curated table; the result refuses if a critical expectation does not hold.

    Raises:
        ProblemFileError: If a suite cannot be found, is not a suite, or asks for nothing.
    """
    # All suites are read before Spark has work: a mistake in one must not cost the checks of another.
    suites = suites_of(context.problem, problem_folder=context.problem_folder)
    plan = [
        (table, reference, suites[table]) for table, reference in (("raw", ingest.raw), ("curated", ingest.curated))
    ]
    outcomes: list[SuiteOutcome] = []
    with context.progress.task("checking expectations", total=len(plan)) as task:
        for table, reference, suite in plan:
            frame = context.target.tables.read(reference)
            outcomes.append(check_table(frame, suite, table=table))
            task.advance(note=table)
    _log(context, ingest, outcomes)
    return ExpectationsResult(
        suites=tuple(outcomes),
        refusal=refusal_sentence(outcomes),
        not_checked=not_asked_sentences(context.problem, suites),
    )


def refusal_sentence(outcomes: Sequence[SuiteOutcome]) -> str | None:
    """Return which critical expectations do not hold, with what was seen; None if all do."""
    checks = [check for outcome in outcomes for check in outcome.checks]
    failed = [check for check in checks if check.blocks]
    empty = [outcome.suite for outcome in outcomes if not outcome.checks]
    if empty or not checks:
        return f"nothing was checked by {', '.join(empty) or 'any suite'}"
    if not failed:
        return None
    named = "; ".join(f"{check.id} ({check.observed})" for check in failed[:_NAMED_IN_REFUSAL])
    more = len(failed) - _NAMED_IN_REFUSAL
    return f"{len(failed)} of {len(checks)} expectations failed: {named}" + (f"; and {more} more" if more > 0 else "")


def _log(context: StageContext, ingest: IngestResult, outcomes: Sequence[SuiteOutcome]) -> None:
    checks = [check for outcome in outcomes for check in outcome.checks]
    with context.target.tracking.stage_run("expectations", key=context.key, tags=source_tags(ingest)) as run:
        client, run_id = context.target.tracking.client, run.info.run_id
        client.log_metric(run_id, "checks", len(checks))
        client.log_metric(run_id, "failed", sum(check.blocks for check in checks))
        client.log_metric(run_id, "warned", sum(not check.success and not check.blocks for check in checks))
        document = {"suites": [outcome.model_dump(mode="json") for outcome in outcomes]}
        client.log_dict(run_id, document, "expectations.json")
