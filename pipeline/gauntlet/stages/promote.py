"""This module provides the promotion: the test split is opened for the frozen choice, judged, and the alias moved.

Whatever kills it between two steps, a second try finds what the first made (by the stage's key on the version) and goes
on; the champion that was there before is remembered on the new version before the alias moves.
"""

from __future__ import annotations

from mlflow.entities import Run

from gauntlet.adapters.model_files import load_fitted, model_digest
from gauntlet.adapters.registry import CHAMPION, REPLACED_BY_TAG, REPLACES_TAG, SELECTION_TAG, STATUS_TAG, Registry
from gauntlet.core import scores
from gauntlet.core.errors import DataError, RefusedError
from gauntlet.core.results import (
    BaselineResult,
    ExpectationsResult,
    IngestResult,
    ModelVersion,
    PromoteResult,
    SelectResult,
    SplitResult,
    TestScores,
)
from gauntlet.core.verdict import Verdict, refusal_of
from gauntlet.stages.candidate import Candidate, Judge
from gauntlet.stages.context import StageContext
from gauntlet.stages.standing import (
    ARCHIVED,
    CANDIDATE,
    CHAMPION_PROVEN,
    REFUSED,
    Standing,
    incumbent_of,
    standing_of,
    withdraw,
)
from gauntlet.stages.tags import source_tags, split_tags
from gauntlet.stages.training_rows import open_test_split
from gauntlet.stages.versions import TOLERANCE, Release, open_registry, readback, registered_version


def promote(  # noqa: PLR0913 - one argument a stage that it needs
    context: StageContext,
    *,
    ingest: IngestResult,
    expectations: ExpectationsResult,
    split: SplitResult,
    baseline: BaselineResult,
    select: SelectResult,
    judge: Judge,
) -> PromoteResult:
    """Judge the chosen model on the test split, and make it champion if every verdict is PASS.

    Args:
        context: The stage's context.
        ingest: The tables.
        expectations: What the suites said of them.
        split: How rows were divided.
        baseline: The forests.
        select: The frozen choice.
        judge: The gates, as one function: a candidate in, the verdicts out.

    Raises:
        RefusedError: If the new champion does not come back from the registry as it went in; the alias is put back.
        RequirementError: If the registry could not be asked.
    """
    registry = open_registry(context)
    mark = model_digest(select.chosen, threshold=select.threshold)
    standing = standing_of(registry, key=context.key, model_digest=mark)
    rows = open_test_split(
        context, split, selection_digest=select.selection_digest, reason="judge the chosen model for promotion"
    )
    candidate = Candidate(
        problem=context.problem,
        ingest=ingest,
        expectations=expectations,
        split=split,
        select=select,
        rows=rows,
        probability={
            record.name: load_fitted(record, state=context.state).probability(rows.features)
            for record in select.candidates
        },
        baseline=baseline.forest.name,
        model_digest=mark,
        incumbent=incumbent_of(registry, standing, rows),
    )
    verdicts = tuple(judge(candidate))
    found = _test_scores(candidate)
    refusal = refusal_of(verdicts)
    if refusal is not None:
        withdraw(registry, standing)
        _log_alone(context, ingest, found, verdicts)
        champion, previous, auc_readback = None, registry.version_of(CHAMPION), None
    else:
        champion, auc_readback = _crowned(context, candidate, standing, found, verdicts)
        previous = standing.before
    return PromoteResult(
        refusal=refusal,
        scores=found,
        verdicts=tuple(verdict.record() for verdict in verdicts),
        champion=champion,
        previous=previous,
        bootstrap=candidate.incumbent.bootstrap,
        auc_readback=auc_readback,
    )


def still_champion(context: StageContext, result: PromoteResult) -> str | None:
    """Return why an earlier result does not hold any more; None if it does.

    Raises:
        RequirementError: If the registry could not be asked.
    """
    found = open_registry(context).version_of(CHAMPION)
    if result.champion is not None:
        if found is None:
            return f"the registry has no {CHAMPION} any more"
        return None if found == result.champion else f"version {found.version} is {CHAMPION} now"
    if any(verdict.status == "CONFIG_ERROR" for verdict in result.verdicts):
        return "a gate could not be evaluated the last time"
    # A refusal holds against the champion that the candidate was compared with, and no other.
    return None if found == result.previous else f"the {CHAMPION} is another one now"


def _test_scores(candidate: Candidate) -> TestScores:
    given = dict(candidate.probability)
    if candidate.incumbent.probability is not None:
        given[CHAMPION] = candidate.incumbent.probability
    label = candidate.rows.label
    drawn = dict.fromkeys((candidate.baseline, candidate.chosen))
    found: dict[str, float] = {}
    roc: dict[str, scores.Curve] = {}
    precision_recall: dict[str, scores.Curve] = {}
    for name, probability in given.items():
        try:
            found[name] = scores.auc(probability, label)
        except DataError:  # what cannot be judged has no score; its gate says why
            continue
        if name in drawn:
            roc[name] = scores.roc_curve(probability, label)
            precision_recall[name] = scores.precision_recall_curve(probability, label)
    return TestScores(auc=found, roc=roc, precision_recall=precision_recall)


def _crowned(
    context: StageContext,
    candidate: Candidate,
    standing: Standing,
    found: TestScores,
    verdicts: tuple[Verdict, ...],
) -> tuple[ModelVersion, float]:
    """Make the candidate champion, and return its version and its AUC as read back by alias."""
    registry = open_registry(context)
    if standing.is_candidate and standing.current is not None:
        version = standing.current
        _log_alone(context, candidate.ingest, found, verdicts)
    else:
        version = registered_version(
            context,
            "promote",
            Release(
                record=candidate.select.chosen,
                example=candidate.rows.features,
                tags=_tags(candidate),
                threshold=candidate.select.threshold,
            ),
            log=lambda run: _log(context, run, found, verdicts),
        )
        if version != standing.current:
            replaces = "" if standing.before is None else str(standing.before.version)
            registry.tag(version, {REPLACES_TAG: replaces, STATUS_TAG: CANDIDATE, REPLACED_BY_TAG: None})
            registry.move_alias(CHAMPION, version, expected=standing.current)
    auc_readback = _proven(registry, version, candidate, standing)
    registry.tag(version, {STATUS_TAG: CHAMPION_PROVEN})
    for old in (standing.current, standing.before):
        if old is not None and old != version:
            registry.tag(old, {STATUS_TAG: ARCHIVED, REPLACED_BY_TAG: str(version.version)})
    return version, auc_readback


def _proven(registry: Registry, version: ModelVersion, candidate: Candidate, standing: Standing) -> float:
    """Return the champion's AUC as read back through the registry; put the alias back if it is not the candidate's."""
    expected = scores.auc(candidate.probability[candidate.chosen], candidate.rows.label)
    try:
        named, measured = readback(registry, CHAMPION, rows=candidate.rows)
        fault = None
        if named != version or not abs(measured - expected) <= TOLERANCE:
            fault = f"version {named.version} with AUC {measured!r} came back"
    except Exception as error:  # whatever goes wrong, the former champion must come back
        fault = f"it cannot be loaded ({type(error).__name__}: {' '.join(str(error).split())[:300]})"
        measured = float("nan")
    if fault is None:
        return measured
    before = standing.before
    if standing.is_candidate:
        kept = "it was champion already, and still is: nothing was changed"
    else:
        registry.restore_alias(CHAMPION, before, expected=version)
        registry.tag(version, {STATUS_TAG: REFUSED})
        kept = f"version {before.version} is champion as before" if before else "there is no champion, as before"
    raise RefusedError(
        f"{version.name}: version {version.version} with AUC {expected!r} was to be champion, but {fault}; {kept}"
    )


def _tags(candidate: Candidate) -> dict[str, str]:
    return {
        SELECTION_TAG: candidate.select.selection_digest,
        **split_tags(candidate.split),
        **source_tags(candidate.ingest),
    }


def _log_alone(context: StageContext, ingest: IngestResult, found: TestScores, verdicts: tuple[Verdict, ...]) -> None:
    """Log into a run of its own, where no version is made."""
    with context.target.tracking.stage_run("promote", key=context.key, tags=source_tags(ingest)) as run:
        _log(context, run, found, verdicts)


def _log(context: StageContext, run: Run, found: TestScores, verdicts: tuple[Verdict, ...]) -> None:
    client, run_id = context.target.tracking.client, str(run.info.run_id)
    for name, value in found.auc.items():
        client.log_metric(run_id, f"auc_test.{name}", value)
    document = {"verdicts": [verdict.record().model_dump(mode="json") for verdict in verdicts]}
    client.log_dict(run_id, document, "verdicts.json")
