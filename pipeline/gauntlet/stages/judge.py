"""This module provides the judgement: the test split is opened for the frozen choice, and every gate is asked.

Nothing is promoted here. The signed evidence says what was judged and what every gate said, of a refusal too.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Protocol

from gauntlet.adapters.registry import CHAMPION, EVIDENCE_TAG
from gauntlet.adapters.suite_files import Suite
from gauntlet.core import scores
from gauntlet.core.errors import DataError
from gauntlet.core.problem import Problem
from gauntlet.core.progress import Progress
from gauntlet.core.results import (
    BaselineResult,
    IngestResult,
    JudgeResult,
    PackageResult,
    SelectResult,
    SplitResult,
    TestScores,
)
from gauntlet.core.verdict import Verdict, refusal_of
from gauntlet.core.waivers import waived
from gauntlet.stages.bundle import sealed_evidence
from gauntlet.stages.candidate import Candidate, JudgedModel, names_of
from gauntlet.stages.candidate_parts import Made, collected
from gauntlet.stages.champion_change import recovered
from gauntlet.stages.champions import open_champions
from gauntlet.stages.context import StageContext
from gauntlet.stages.tags import source_tags
from gauntlet.stages.versions import open_registry


class Gates(Protocol):
    """The gates, as far as a stage knows them: the layer above puts them in."""

    def verdicts(self, candidate: Candidate, *, progress: Progress) -> tuple[Verdict, ...]:
        """Return the verdict of every gate, computed anew."""

    def names(self, problem: Problem, *, suites: Mapping[str, Suite]) -> tuple[str, ...]:
        """Return the names of all gates that a problem must pass."""


def judge(  # noqa: PLR0913 - one argument a stage that it needs
    context: StageContext,
    *,
    ingest: IngestResult,
    split: SplitResult,
    baseline: BaselineResult,
    select: SelectResult,
    package: PackageResult,
    gates: Gates,
) -> JudgeResult:
    """Ask every gate about the packaged model, and write the signed evidence.

    Args:
        context: The stage's context.
        ingest: The tables.
        split: How rows were divided.
        baseline: The forests.
        select: The frozen choice.
        package: The artefact.
        gates: The gates.

    Raises:
        RefusedError: If the test split does not open for the choice.
        RequirementError: If the registry or the ledger could not be asked, or there is no key to sign with.
    """
    # A try that was killed between moving the alias and reading it back left an unproven champion: put it right first.
    recovered(open_champions(context.target, context.state))
    made = Made(ingest=ingest, split=split, baseline=baseline, select=select, package=package)
    candidate = collected(context, made, reason="judge the chosen model")
    today = datetime.now(UTC).date()
    verdicts = waived(gates.verdicts(candidate, progress=context.progress), context.problem.waivers, today=today)
    found = scores_on_test(candidate)
    names = gates.names(context.problem, suites=candidate.suites)
    sealed = sealed_evidence(context, made, candidate, gates=names, verdicts=verdicts, found=found)
    _log(context, ingest, found, verdicts)
    incumbent = candidate.incumbent
    return JudgeResult(
        refusal=refusal_of(verdicts),
        scores=found,
        verdicts=tuple(verdict.record() for verdict in verdicts),
        bootstrap=incumbent is not None and incumbent.bootstrap,
        incumbent=None if incumbent is None else incumbent.version,
        evidence=sealed.file,
        evidence_digest=sealed.digest,
    )


def still_judged(context: StageContext, result: JudgeResult) -> str | None:
    """Return why an earlier result does not hold any more; None if it does.

    Raises:
        RequirementError: If the registry could not be asked.
    """
    if any(verdict.status == "CONFIG_ERROR" for verdict in result.verdicts):
        return "a gate could not be evaluated the last time"
    registry = open_registry(context)
    found = registry.version_of(CHAMPION)
    if found is not None and registry.tags(found).get(EVIDENCE_TAG) == result.evidence_digest:
        return None
    # A verdict holds against the champion that the candidate was compared with, and no other.
    return None if found == result.incumbent else f"the {CHAMPION} is another one now"


def scores_on_test(candidate: Candidate) -> TestScores:
    """Return what every model shows on the test split; what cannot be judged has no score, its gate says why."""
    label = candidate.splits.rows("test").label
    drawn = {candidate.baseline, candidate.chosen}
    found: dict[str, float] = {}
    roc: dict[str, scores.Curve] = {}
    precision_recall: dict[str, scores.Curve] = {}
    for name, model in _compared(candidate).items():
        try:
            probability = candidate.answers(model)
            found[name] = scores.auc(probability, label)
        except DataError:
            continue
        if name in drawn:
            roc[name] = scores.roc_curve(probability, label)
            precision_recall[name] = scores.precision_recall_curve(probability, label)
    return TestScores(auc=found, roc=roc, precision_recall=precision_recall)


def _compared(candidate: Candidate) -> dict[str, JudgedModel]:
    models = {name: candidate.models[name] for name in names_of(candidate)}
    if candidate.incumbent is not None and candidate.incumbent.model is not None:
        models[CHAMPION] = candidate.incumbent.model
    return models


def _log(context: StageContext, ingest: IngestResult, found: TestScores, verdicts: Sequence[Verdict]) -> None:
    with context.target.tracking.stage_run("judge", key=context.key, tags=source_tags(ingest)) as run:
        client, run_id = context.target.tracking.client, str(run.info.run_id)
        for name, value in found.auc.items():
            client.log_metric(run_id, f"auc_test.{name}", value)
        document = {"verdicts": [verdict.record().model_dump(mode="json") for verdict in verdicts]}
        client.log_dict(run_id, document, "verdicts.json")
