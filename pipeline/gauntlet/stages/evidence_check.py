"""This module provides the check of evidence: a promotion stands on it only if all that it speaks of is so today.

Nothing here starts Spark. Tables are held to the files that the evidence names, and to the number of their rows; that a
table's log still names these files for that version is Delta's to keep.
"""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from gauntlet.adapters.artefact_copies import copied_artefact, require_same_artefact
from gauntlet.adapters.target import Target
from gauntlet.core.champion_history import ChampionHistory
from gauntlet.core.errors import EvidenceError
from gauntlet.core.evidence import (
    Evidence,
    TableEvidence,
    require_complete,
    require_fresh,
    require_same_digests,
)
from gauntlet.core.problem import Problem
from gauntlet.stages.champion_change import table_of, table_reference
from gauntlet.stages.champions import Champions, named
from gauntlet.stages.problem_marks import problem_digest, suites_of

if TYPE_CHECKING:
    from gauntlet.stages.judge import Gates


@dataclass(frozen=True)
class Conditions:
    """What evidence must agree with.

    Attributes:
        problem: Today's problem.
        target: Where its tables and models are.
        gates: Names the gates that must have spoken.
        problem_folder: The folder of the problem file, where its suites lie; None for the packaged problem.
    """

    problem: Problem
    target: Target
    gates: Gates
    problem_folder: Path | None = None


def verified(champions: Champions, conditions: Conditions, *, mark: str, history: ChampionHistory) -> Evidence:
    """Return the evidence of a SHA-256, once everything that it speaks of was held against what is there now.

    That is: its bytes, signature and form; its age; the problem and its suites; the gates, each of which must have
    spoken and none said no; the champion that was compared with, by registry and ledger; the files and the rows of the
    tables; and the files of the model.

    Args:
        champions: Where the champion is written down.
        conditions: What the evidence must agree with.
        mark: The SHA-256.
        history: The history of champions.

    Raises:
        EvidenceError: If something differs; the message says what.
        RefusedError: If the alias was moved by hand.
        RequirementError: If registry, store or keys could not be asked.
    """
    evidence = champions.evidence.proven(mark)
    require_fresh(evidence, now=datetime.now(UTC), hours=conditions.problem.promotion.evidence_hours)
    _require_problem(evidence, conditions)
    _require_verdicts(evidence, conditions)
    _require_incumbent(champions, evidence, history=history)
    _require_stored(evidence, conditions.target)
    return evidence


def as_stored(champions: Champions, conditions: Conditions, *, mark: str) -> Evidence:
    """Return the evidence of a SHA-256, once what it speaks of was found as it was judged, promoted or refused.

    Neither its age nor the champion of today counts: evidence of long ago can still be true.

    Args:
        champions: Where evidence is kept.
        conditions: What the evidence must agree with.
        mark: The SHA-256.

    Raises:
        EvidenceError: If something differs; the message says what.
        RequirementError: If store or keys could not be asked.
    """
    evidence = champions.evidence.proven(mark)
    _require_problem(evidence, conditions)
    _require_stored(evidence, conditions.target)
    return evidence


def require_table(table: TableEvidence, target: Target) -> None:
    """Make sure that a table version's files and the number of its rows are those of the evidence.

    Args:
        table: What the evidence says.
        target: Where the table is.

    Raises:
        EvidenceError: If not; the message names the table, and the first file that is missing or has changed.
    """
    what = f"table {table.full_name} version {table.version}"
    if table.full_name != target.names.table(table.name):
        raise EvidenceError(f"{what}: the table {table.name} is called {target.names.table(table.name)} on this target")
    tables, reference = target.tables, table_reference(table)
    try:
        require_same_digests(table.files, tables.digests_of(reference, table.files), what=what)
        rows = tables.rows_of(reference, table.files)
    except OSError as error:
        raise EvidenceError(f"{what}: {error.filename} cannot be read ({error.strerror or error})") from error
    if rows != table.rows:
        raise EvidenceError(f"{what}: its files hold {rows} rows, the evidence says {table.rows}")


def _require_problem(evidence: Evidence, conditions: Conditions) -> None:
    problem = conditions.problem
    if evidence.target != conditions.target.name:
        raise EvidenceError(f"the evidence was made on target {evidence.target}, not on {conditions.target.name}")
    if (evidence.problem, evidence.problem_digest) != (problem.name, problem_digest(problem)):
        raise EvidenceError(
            f"the problem {problem.name} is not as it was judged (problem {evidence.problem}, digest "
            f"{evidence.problem_digest[:12]}); give the same --problem and --set, or judge the candidate again"
        )
    suites = suites_of(problem, problem_folder=conditions.problem_folder)
    require_same_digests(
        evidence.suite_digests, {table: suite.digest for table, suite in suites.items()}, what="expectation suites"
    )
    if table_of(evidence, "split").fingerprint != evidence.split_fingerprint:
        raise EvidenceError("the evidence's split is not its table split; judge the candidate again")


def _require_verdicts(evidence: Evidence, conditions: Conditions) -> None:
    suites = suites_of(conditions.problem, problem_folder=conditions.problem_folder)
    require_complete(evidence, expected=conditions.gates.names(conditions.problem, suites=suites))


def _require_incumbent(champions: Champions, evidence: Evidence, *, history: ChampionHistory) -> None:
    """Make sure that the champion that was compared with still is champion, by the ledger and by the registry.

    Entries that were withdrawn since changed nothing; neither did the open claim of an earlier try with this evidence.
    """
    judged = evidence.incumbent
    if history.last_sequence < judged.sequence:
        raise EvidenceError(
            f"{champions.model}: the evidence speaks of sequence {judged.sequence} of the ledger, whose last is "
            f"{history.last_sequence}; the ledger was replaced by another: restore it, or judge the candidate again"
        )
    champion = history.champion
    version, since = (None, 0) if champion is None else (champion.version, champion.sequence)
    if version != judged.version or since > judged.sequence:
        raise EvidenceError(
            f"{champions.model}: the candidate was compared with {named(judged.version)} (sequence {judged.sequence}), "
            f"but by the ledger {named(version)} is champion now (sequence {since}); judge the candidate again"
        )
    champions.require_alias(history)


def _require_stored(evidence: Evidence, target: Target) -> None:
    """Make sure that the tables' files and the artefact's are those of the evidence."""
    for table in evidence.tables:
        require_table(table, target)
    artefact = evidence.artefact
    with tempfile.TemporaryDirectory(prefix="gauntlet-model-") as folder:
        copied = copied_artefact(target.tracking, artefact.model_uri, folder=Path(folder))
        require_same_artefact(artefact.files, copied, what=f"the artefact {artefact.model_uri}")
