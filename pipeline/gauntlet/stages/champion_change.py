"""This module provides the change of champion, the one procedure of `run`, `promote` and `rollback`.

A number of the ledger is claimed, the alias moved, the version read back by the alias, the tags set, and the claim
settled; or the alias is put back and the claim withdrawn. The alias, which has no compare-and-swap on any target, moves
only under an open claim of the process that moves it. Exactly one of several processes gets a claim, by the atomic
primitive of the ledger's target:

- ``local``: a primary key in a SQLite file of the state folder.
- ``remote``: the name of an experiment, which is a unique key of the MLflow server's database.
- ``databricks``: the name of an experiment, which is a path in the workspace's tree. The workspace promises that of all
  that create one, one does. A Delta table in Unity Catalog would be as good and reach over all workspaces of a
  metastore, but an INSERT alone decides nothing there (two appends both succeed), and each promotion would need Spark.
  So a model is promoted from one workspace: what another one does to the alias counts as moved by hand, and is refused.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from gauntlet.adapters.artefact_copies import VerifiedCopy
from gauntlet.adapters.registry import CHAMPION, EVIDENCE_TAG
from gauntlet.core.champion_history import ChampionHistory
from gauntlet.core.errors import EvidenceError, GauntletError, RefusedError, RequirementError
from gauntlet.core.evidence import Evidence, ProbeEvidence, TableEvidence
from gauntlet.core.promotions import Promotion, PromotionKind
from gauntlet.core.results import ModelVersion, TableRef
from gauntlet.stages.champions import Champions, judged_tags, named, number_of

if TYPE_CHECKING:
    from mlflow.pyfunc import PyFuncModel

# A further look at the champion as it was read back; what it gives is handed on, what it raises puts the alias back.
Measure = Callable[["PyFuncModel"], float | None]


def no_measure(_model: PyFuncModel) -> None:
    """Measure nothing beyond what the evidence holds."""


@dataclass(frozen=True)
class Change:
    """What is to be champion.

    Attributes:
        kind: Whether it is a new champion or a former one.
        version: The version.
        evidence: What it stands on.
        mark: The SHA-256 of the evidence's envelope.
        key: The key of the attempt; a second try has the same.
    """

    kind: PromotionKind
    version: ModelVersion
    evidence: Evidence
    mark: str
    key: str


def make_champion(
    champions: Champions, change: Change, *, history: ChampionHistory, measure: Measure = no_measure
) -> tuple[Promotion, float | None]:
    """Make a version champion, and return the ledger's entry and what was measured on the way.

    Args:
        champions: Where it is written down.
        change: What is to be champion, verified.
        history: The history that it was verified against.
        measure: A further look at the version as it was read back.

    Raises:
        RefusedError: If another process was faster, or the version does not come back from the registry as it was
            judged; the former champion is champion as before.
        RequirementError: If the registry or the ledger could not be asked or written.
    """
    claim = _claimed(champions, change, history)
    try:
        # The engine knows its own promotion by the evidence's tag, also after a kill between here and the last step.
        champions.registry.tag(change.version, {EVIDENCE_TAG: change.mark, **judged_tags(change.evidence)})
        if number_of(champions.registry.version_of(CHAMPION)) != claim.version:
            former = history.champion
            expected = None if former is None else champions.version(former)
            champions.registry.move_alias(CHAMPION, change.version, expected=expected)
        measured = read_back(champions, change.version, change.evidence, measure=measure)
        champions.mark(history.settled(claim), claim.version, claim.previous_version)
        return champions.ledger.settle(claim), measured
    except Exception as error:  # whatever goes wrong, the former champion must come back
        raise _undone(champions, claim, error) from error


def recovered(champions: Champions, *, key: str | None = None) -> ChampionHistory:
    """Return the history, after a claim whose process is gone was undone: its alias put back, the claim withdrawn.

    Args:
        champions: Where it is written down.
        key: The key of an attempt whose own claim is left open, so that it can go on with it.

    Raises:
        RefusedError: If the claim's process is still at work, the alias was moved by hand, or the ledger was changed.
        RequirementError: If the registry or the ledger could not be asked or written.
    """
    history = champions.history()
    claim = history.open_claim
    if claim is None or claim.key == key:
        return history
    _put_back(champions, champions.ledger.take_over(claim), reason="its process was gone before it had ended")
    return champions.history()


def read_back(
    champions: Champions, version: ModelVersion, evidence: Evidence, *, measure: Measure = no_measure
) -> float | None:
    """Make sure that the alias gives back the judged model, as anybody gets it, and return what was measured on it.

    Args:
        champions: Where it is written down.
        version: The version that the alias must name.
        evidence: What its files and its answers must be.
        measure: A further look at it.

    Raises:
        RefusedError: If it gives another version, other files or other answers, or cannot be loaded.
    """
    registry = champions.registry
    where = f"{version.name}: version {version.version}"
    try:
        found = registry.version_of(CHAMPION)
        if found is None or found.version != version.version:
            raise RefusedError(f"the alias {CHAMPION} gives {named(number_of(found))}")
        with registry.artefact(found) as folder:
            model = VerifiedCopy.of(folder, files=evidence.artefact.files, what="its artefact").load()
        _require_answers(model, evidence.probe)
        return measure(model)
    except GauntletError as error:
        raise RefusedError(f"{where} was to come back by the alias {CHAMPION}, but {error}") from error
    except Exception as error:
        reason = " ".join(str(error).split())[:300]
        raise RefusedError(f"{where} cannot be loaded and asked ({type(error).__name__}: {reason})") from error


def _claimed(champions: Champions, change: Change, history: ChampionHistory) -> Promotion:
    evidence = change.evidence
    return champions.ledger.claim(
        champions.model,
        expected=history.last_sequence,
        kind=change.kind,
        version=change.version.version,
        run_id=change.version.run_id,
        previous_version=number_of(history.champion),
        evidence=change.mark,
        artefact_digest=evidence.artefact.digest,
        rows=table_of(evidence, "curated").rows,
        split_table=table_reference(table_of(evidence, "split")),
        key=change.key,
    )


def table_of(evidence: Evidence, name: str) -> TableEvidence:
    """Return what evidence says of a table.

    Args:
        evidence: The evidence.
        name: The table's short name.

    Raises:
        EvidenceError: If it says nothing of it.
    """
    for table in evidence.tables:
        if table.name == name:
            return table
    raise EvidenceError(f"the evidence names no table {name}; judge the candidate again")


def table_reference(table: TableEvidence) -> TableRef:
    """Return the reference of the table version that evidence speaks of."""
    return TableRef.model_validate(table.model_dump(exclude={"files"}))


def _require_answers(model: PyFuncModel, probe: ProbeEvidence) -> None:
    """Make sure that a model gives the probe's probabilities, bit for bit."""
    signature: Any = model.metadata.signature
    texts = {column.name for column in signature.inputs if str(column.type) == "DataType.string"}
    frame = pd.DataFrame(list(probe.rows), columns=list(probe.columns), dtype=object)
    frame = frame.astype({name: np.float64 for name in frame.columns if name not in texts})
    found = np.asarray(model.predict(frame), dtype=np.float64)
    expected = np.asarray(probe.probability, dtype=np.float64)
    if found.shape != expected.shape or found.tobytes() != expected.tobytes():
        count = int(np.sum(found != expected)) if found.shape == expected.shape else len(expected)
        raise EvidenceError(
            f"it answers {count} of the evidence's {len(expected)} probe rows otherwise than was judged"
        )


def _undone(champions: Champions, claim: Promotion, error: Exception) -> Exception:
    """Put the former champion back after an error, and return the error that says so."""
    reason = f"{type(error).__name__}: {' '.join(str(error).split())[:300]}"
    said = str(error) if isinstance(error, GauntletError) else f"{claim.model}: {reason}"
    if _is_lost(champions, claim):
        return error
    try:
        _put_back(champions, claim, reason=reason)
    except GauntletError as second:
        return RequirementError(
            f"{said}; and the alias {CHAMPION} could not be put back ({second}): sequence {claim.sequence} of "
            f"{claim.model} stays claimed until it is; run again"
        )
    former = claim.previous_version
    kept = f"version {former} is {CHAMPION} as before" if former is not None else f"there is no {CHAMPION}, as before"
    kind = type(error) if isinstance(error, GauntletError) else RequirementError
    return kind(f"{said}; {kept}")


def _is_lost(champions: Champions, claim: Promotion) -> bool:
    """Say whether a claim is not ours any more: then whoever took it over has put the alias back."""
    try:
        last = champions.ledger.entries(champions.model)[-1:]
    except GauntletError:
        return False
    return last != (claim,)


def _put_back(champions: Champions, claim: Promotion, *, reason: str) -> None:
    """Let the alias and the tags be as they were before an own claim, then withdraw it."""
    history = champions.history()
    former = history.champion
    champions.require_alias(history)
    found = champions.registry.version_of(CHAMPION)
    if found is not None and (former is None or former.version != found.version):
        before = None if former is None else champions.version(former)
        champions.registry.restore_alias(CHAMPION, before, expected=found)
    champions.mark(history, claim.version, claim.previous_version)
    champions.ledger.withdraw(claim, reason=reason)
