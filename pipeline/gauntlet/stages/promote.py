"""This module provides the promotion: a model becomes champion on verified evidence, and on nothing else.

Evidence promotes once. A second try with the same evidence goes on where a killed one was, or finds all done.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING

from gauntlet.adapters.artefact_copies import require_same_artefact
from gauntlet.adapters.registry import ARTEFACT_TAG, CHAMPION, EVIDENCE_TAG, SELECTION_TAG, STATUS_TAG
from gauntlet.adapters.tracking import STAGE_TAG
from gauntlet.core.champion_history import ChampionHistory
from gauntlet.core.errors import EvidenceError, InputError, RefusedError
from gauntlet.core.evidence import Evidence, require_fresh, require_no_refusal
from gauntlet.core.promotions import Promotion
from gauntlet.core.results import (
    IngestResult,
    JudgeResult,
    ModelVersion,
    PackageResult,
    PromoteResult,
    SelectResult,
    SplitResult,
)
from gauntlet.core.scores import auc
from gauntlet.core.state import State
from gauntlet.stages.champion_change import (
    Change,
    Measure,
    make_champion,
    no_measure,
    read_back,
    recovered,
    table_of,
)
from gauntlet.stages.champions import Champions, judged_tags, named, number_of, open_champions
from gauntlet.stages.context import StageContext
from gauntlet.stages.evidence_check import Conditions, verified
from gauntlet.stages.tags import ROWS_TAG, SYNTHETIC_TAG
from gauntlet.stages.training_rows import Rows, open_test_split
from gauntlet.stages.versions import TOLERANCE, answers

if TYPE_CHECKING:
    from mlflow.pyfunc import PyFuncModel

    from gauntlet.stages.judge import Gates


@dataclass(frozen=True)
class Promoted:
    """What a promotion ends with.

    Attributes:
        entry: The ledger's entry that made the champion.
        history: The history before the promotion.
        measured: What was measured on the champion as it was read back; None if nothing was.
    """

    entry: Promotion
    history: ChampionHistory
    measured: float | None

    def result(self, champions: Champions) -> PromoteResult:
        """Return the promotion as a stage's result."""
        former = [entry for entry in self.history.entries if entry.version == self.entry.previous_version]
        return PromoteResult(
            champion=champions.version(self.entry),
            previous=champions.version(former[-1]) if former else None,
            bootstrap=self.entry.previous_version is None,
            sequence=self.entry.sequence,
            auc_readback=self.measured,
        )


def promote(  # noqa: PLR0913 - one argument a stage that it needs
    context: StageContext,
    *,
    ingest: IngestResult,
    split: SplitResult,
    select: SelectResult,
    package: PackageResult,
    judge: JudgeResult,
    gates: Gates,
) -> PromoteResult:
    """Make the judged model champion, and read it back on the test rows too.

    Args:
        context: The stage's context.
        ingest: The tables.
        split: How rows were divided.
        select: The frozen choice.
        package: The artefact.
        judge: The judgement, with its evidence.
        gates: The gates, whose names the evidence must hold.

    Raises:
        RefusedError: If the evidence does not hold, another process was faster, or the new champion does not come back
            from the registry as it was judged; the former champion is champion as before.
        RequirementError: If the registry or the ledger could not be asked.
    """
    champions = open_champions(context.target, context.state)
    if judge.refusal is not None:
        recovered(champions)
        return PromoteResult(
            refusal=judge.refusal,
            champion=None,
            previous=champions.registry.version_of(CHAMPION),
            bootstrap=judge.bootstrap,
            sequence=None,
            auc_readback=None,
        )
    conditions = Conditions(context.problem, context.target, gates, context.problem_folder)
    mark = judge.evidence_digest
    with _undone_if_refused(champions):
        evidence = champions.evidence.proven(mark)
        _require_same_run(evidence, ingest=ingest, split=split, select=select, package=package)
        rows = open_test_split(
            context, split, selection_digest=select.selection_digest, reason="read the new champion back"
        )
        measure = partial(_auc_as_judged, evidence=evidence, rows=rows)
        return _promoted(champions, conditions, mark=mark, measure=measure).result(champions)


def promote_on_evidence(conditions: Conditions, *, state: State, evidence: str | None = None) -> PromoteResult:
    """Make a model champion that was judged before, here or elsewhere; without Spark.

    Args:
        conditions: What the evidence must agree with.
        state: The state folder, which holds evidence and keys.
        evidence: The evidence, as a path or a SHA-256; None for the one that was written last, if no other model could
            be promoted as well.

    Raises:
        InputError: If there is no evidence, or it is not clear which is meant.
        RefusedError: As ``promote``.
        RequirementError: As ``promote``.
    """
    champions = open_champions(conditions.target, state)
    with _undone_if_refused(champions):
        mark = champions.evidence.resolved(evidence)
        if evidence is None:
            _require_no_other(champions, conditions, newest=mark)
        return _promoted(champions, conditions, mark=mark).result(champions)


def _require_no_other(champions: Champions, conditions: Conditions, *, newest: str) -> None:
    """Make sure that nobody has to guess which model the newest evidence stands for.

    Raises:
        InputError: If evidence of another model is fresh, says yes and was compared with today's champion.
    """
    history, now = champions.history(), datetime.now(UTC)
    found: dict[str, str] = {}  # by artefact: the same model judged twice is one
    for mark in champions.evidence.marks():
        try:
            evidence = champions.evidence.proven(mark)
            require_fresh(evidence, now=now, hours=conditions.problem.promotion.evidence_hours)
            require_no_refusal(evidence)
        except EvidenceError:
            continue
        of_today = evidence.incumbent.version == number_of(history.champion)
        if evidence.problem == conditions.problem.name and of_today and history.made_by(mark) is None:
            found.setdefault(evidence.artefact.digest, mark)
    if len(found) > 1 and newest in found.values():
        listed = ", ".join(mark[:12] for mark in found.values())
        raise InputError(
            f"{champions.model}: {len(found)} models could be promoted ({listed}); name the one that is meant, such as "
            f"`gauntlet promote {newest[:12]}` (`gauntlet evidence show {newest[:12]}` shows it)"
        )


def still_champion(context: StageContext, result: PromoteResult) -> str | None:
    """Return why an earlier result does not hold any more; None if it does.

    Raises:
        RefusedError: If the ledger was changed by hand, or no trusted promoter signed it.
        RequirementError: If the registry or the ledger could not be asked.
    """
    champions = open_champions(context.target, context.state)
    found = champions.registry.version_of(CHAMPION)
    if result.champion is None:
        # A refusal holds against the champion that the candidate was compared with, and no other.
        return None if found == result.previous else f"the {CHAMPION} is another one now"
    if found is None:
        return f"the registry has no {CHAMPION} any more"
    if found != result.champion:
        return f"version {found.version} is {CHAMPION} now"
    last = number_of(champions.history().champion)
    return None if last == found.version else f"by the ledger {named(last)} is {CHAMPION}"


@contextmanager
def _undone_if_refused(champions: Champions) -> Iterator[None]:
    """Undo the claim of a killed try when this one is refused: the alias may name what must not be champion now."""
    try:
        yield
    except RefusedError:
        recovered(champions)
        raise


def _promoted(champions: Champions, conditions: Conditions, *, mark: str, measure: Measure = no_measure) -> Promoted:
    history = recovered(champions, key=mark)
    if history.made_by(mark) is not None:
        return _promoted_before(champions, history, mark=mark, measure=measure)
    evidence = verified(champions, conditions, mark=mark, history=history)
    champion = history.champion
    if champion is not None and _decides_alike(champions, champion, evidence):
        return Promoted(champion, history, _still_there(champions, history, champion, measure=measure))
    version = _version_of(champions, history, evidence, mark=mark)
    change = Change(kind="promote", version=version, evidence=evidence, mark=mark, key=mark)
    entry, measured = make_champion(champions, change, history=history, measure=measure)
    return Promoted(entry, history, measured)


def _promoted_before(champions: Champions, history: ChampionHistory, *, mark: str, measure: Measure) -> Promoted:
    """Return what evidence made that was used before, if it still is champion."""
    used, champion = history.made_by(mark), history.champion
    if used is None or champion is None or champion.evidence != mark:
        raise EvidenceError(
            f"{champions.model}: the evidence {mark[:12]} made version {number_of(used)} champion before, and "
            f"{named(number_of(champion))} has followed since; evidence promotes once: judge the candidate again with "
            "--from judge"
        )
    return Promoted(champion, history, _still_there(champions, history, champion, measure=measure))


def _still_there(
    champions: Champions, history: ChampionHistory, champion: Promotion, *, measure: Measure
) -> float | None:
    """Return what was measured on a version that is champion already."""
    champions.require_alias(history)
    try:
        evidence = champions.evidence_of(champion)
        return read_back(champions, champions.version(champion), evidence, measure=measure)
    except RefusedError as error:
        raise RefusedError(f"{error}; it was {CHAMPION} already, and still is: nothing was changed") from error


def _decides_alike(champions: Champions, champion: Promotion, evidence: Evidence) -> bool:
    """Say whether the champion is the judged model itself: same fitted parts, same encoding, same threshold."""
    try:
        known = champions.evidence_of(champion)
    except EvidenceError:  # then the judged model becomes a version of its own, with evidence that can be shown
        return False
    return known.artefact.model_digest == evidence.artefact.model_digest


def _version_of(champions: Champions, history: ChampionHistory, evidence: Evidence, *, mark: str) -> ModelVersion:
    """Return the version that holds the judged files; it is registered if there is none yet."""
    registry, artefact, claim = champions.registry, evidence.artefact, history.open_claim
    found = registry.find_tagged({ARTEFACT_TAG: artefact.digest}) if claim is None else champions.version(claim)
    if found is None:
        logged = registry.tracking.client.get_logged_model(artefact.model_uri.rpartition("/")[2])
        found = registry.create(model_uri=artefact.model_uri, tags=_tags(evidence, mark, logged=logged.tags))
    with registry.artefact(found) as folder:
        require_same_artefact(artefact.files, folder, what=f"{found.name} version {found.version}")
    return found


def _tags(evidence: Evidence, mark: str, *, logged: Mapping[str, str]) -> dict[str, str]:
    """Return the tags of a new version: those of the logged model, and over them what the evidence vouches for."""
    return {
        **{name: value for name, value in logged.items() if name.startswith("gauntlet.")},
        STAGE_TAG: "promote",
        STATUS_TAG: "candidate",
        EVIDENCE_TAG: mark,
        SELECTION_TAG: evidence.selection_digest,
        ROWS_TAG: evidence.split_fingerprint,
        SYNTHETIC_TAG: str(evidence.synthetic).lower(),
        "gauntlet.protocol": evidence.protocol,
        "gauntlet.problem": evidence.problem,
        "gauntlet.model": evidence.chosen,
        **judged_tags(evidence),
    }


def _require_same_run(
    evidence: Evidence, *, ingest: IngestResult, split: SplitResult, select: SelectResult, package: PackageResult
) -> None:
    """Make sure that evidence speaks of what the stages before left."""
    pairs = {
        "curated rows": (table_of(evidence, "curated").fingerprint, ingest.curated.fingerprint),
        "split": (evidence.split_fingerprint, split.table.fingerprint),
        "choice": (evidence.selection_digest, select.selection_digest),
        "threshold": (evidence.threshold, select.threshold),
        "artefact": (evidence.artefact.model_uri, package.model_uri),
        "artefact's files": (evidence.artefact.files, package.files),
    }
    others = [what for what, (judged, left) in pairs.items() if judged != left]
    if others:
        raise EvidenceError(
            f"the evidence is of another {', '.join(others)} than this run has; run again with --from judge"
        )


def _auc_as_judged(model: PyFuncModel, *, evidence: Evidence, rows: Rows) -> float:
    """Return a model's AUC on the test rows, if it is the one that it was judged by."""
    name = f"auc_test.{evidence.chosen}"
    judged = next((metric.value for metric in evidence.metrics if metric.name == name), None)
    measured = auc(answers(model.predict(rows.features), rows=rows), rows.label)
    if judged is None or not abs(measured - judged) <= TOLERANCE:
        raise EvidenceError(f"its AUC on the test rows is {measured!r}, and {judged!r} was judged")
    return measured
