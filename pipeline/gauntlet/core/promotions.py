"""This module provides promotions: the entries of the promotion ledger, and the walk over them that finds faults.

A model's entries are numbered 1, 2, 3 … without a gap. An entry is claimed before the alias moves and then done, or
withdrawn; withdrawn entries keep their number. The next entry can be claimed only when the last one has ended. An entry
that has ended carries its promoter's signature, over the entry and, by its chain, over all entries before it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Annotated, Any, Literal

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from pydantic import Field

from gauntlet.core.canonical import canonical_json, digest
from gauntlet.core.envelope import require_signature, signed
from gauntlet.core.errors import EvidenceError
from gauntlet.core.results import Record, TableRef

PromotionKind = Literal["promote", "rollback"]

_Number = Annotated[int, Field(ge=1)]
_Text = Annotated[str, Field(min_length=1)]
_Sha256 = Annotated[str, Field(pattern="^[0-9a-f]{64}$")]

# What may change while an entry is open; all else is fixed by its own chain.
_CHANGING = frozenset({"claimant", "settled", "status", "reason", "signature"})
_SIGNED_TYPE = "application/vnd.gauntlet.promotion+json"
# What differs between two tries of one attempt.
_OF_ONE_TRY = _CHANGING | {"sequence", "previous_sequence", "claimed", "chain"}


class Promotion(Record):
    """One entry of the ledger: a version that is to be made champion, was made champion, or was not in the end.

    Attributes:
        sequence: Its number among the model's entries, from 1.
        model: The model's full name in the registry.
        kind: ``promote`` for a new champion, ``rollback`` for a former one.
        version: The version in the registry.
        run_id: The MLflow run that the version belongs to.
        previous_version: The champion that it replaces; None if there is none.
        previous_sequence: The number of the entry before; 0 for the first.
        evidence: The SHA-256 of the evidence's envelope.
        artefact_digest: The digest of the model's artefact.
        rows: The curated rows; the next run's row-count gate compares with them.
        split_table: The table of splits that the version was judged on; None if it is not known.
        claimed: When it was claimed, in ISO's form.
        settled: When it ended, done or withdrawn; None while it is open.
        status: How it stands.
        reason: Why it was withdrawn; empty if it was not.
        claimant: The process that holds the claim, or held it last.
        key: The key of the stage that claimed it; a second try of the same attempt has the same.
        chain: The SHA-256 over the entry before, as it ended, and what is fixed of this one.
        signature: The promoter's, over the entry as it ended; empty while it is open, and in the entries of versions
            that did not sign.
    """

    sequence: _Number
    model: _Text
    kind: PromotionKind
    version: _Number
    run_id: str
    previous_version: _Number | None
    previous_sequence: int
    evidence: _Sha256
    artefact_digest: _Text
    rows: _Number
    split_table: TableRef | None
    claimed: _Text
    settled: str | None
    status: Literal["claimed", "done", "withdrawn"]
    reason: str = ""
    claimant: _Text
    key: _Text
    chain: str
    signature: str = ""

    def document(self) -> dict[str, Any]:
        """Return the entry as JSON holds it: without a signature that it does not have, as older versions wrote it."""
        return self.model_dump(mode="json", exclude=None if self.signature else {"signature"})

    def seal(self) -> str:
        """Return the digest of the whole entry as it stands, its signature apart."""
        return digest(self._unsigned())

    def signed_by(self, key: Ed25519PrivateKey) -> Promotion:
        """Return the entry with a signature over it as it stands."""
        body = canonical_json(self._unsigned()).encode()
        return self.model_copy(update={"signature": signed(body, key, payload_type=_SIGNED_TYPE)})

    def signature_fault(self, trusted: Collection[Ed25519PublicKey]) -> str | None:
        """Return why the signature of an entry that has ended is none of a trusted key; None if it is one."""
        if not self.signature:
            return f"sequence {self.sequence} is {self.status}, and nobody signed it"
        try:
            body = canonical_json(self._unsigned()).encode()
            require_signature(self.signature, body, payload_type=_SIGNED_TYPE, trusted=trusted)
        except EvidenceError as error:
            return f"sequence {self.sequence}: {error}"
        return None

    def _unsigned(self) -> dict[str, Any]:
        return self.model_dump(mode="json", exclude={"signature"})

    def chained(self, *, after: Promotion | None) -> Promotion:
        """Return the entry with the chain that it must have after another one; None if it is the first."""
        return self.model_copy(update={"chain": _chain(self, after)})

    def follows(self, previous: Promotion | None) -> bool:
        """Say whether the entry's chain is the one that it must have after another one; None if it is the first.

        The chain covers how the entry before ended, so that changing that by hand is found as well.
        """
        return self.chain == _chain(self, previous)

    def is_attempt_of(self, other: Promotion) -> bool:
        """Say whether two entries are tries of the same attempt: they differ in nothing but when and who."""
        return _attempt(self) == _attempt(other)


def champion_of(entries: Iterable[Promotion]) -> Promotion | None:
    """Return the last entry that is done: the one that made the champion; None if there is none."""
    done = [entry for entry in entries if entry.status == "done"]
    return done[-1] if done else None


def is_unsigned(entries: Iterable[Promotion]) -> bool:
    """Say whether entries have ended and none of them is signed, as versions wrote them that did not sign."""
    ended = [entry for entry in entries if entry.status != "claimed"]
    return bool(ended) and not any(entry.signature for entry in ended)


def misfit_of(entry: Promotion, *, champion: Promotion | None, former: Collection[int]) -> str | None:
    """Return why an entry does not fit the champions before it, as a sentence; None if it fits.

    Args:
        entry: The entry.
        champion: The last done entry before it; None if there is none.
        former: The versions that were champion before it.
    """
    current = None if champion is None else champion.version
    if entry.previous_version != current:
        replaced, found = _named(entry.previous_version), _named(current)
        return f"sequence {entry.sequence} is to replace {replaced}, but the champion before it is {found}"
    if entry.kind == "rollback" and (entry.version == current or entry.version not in former):
        return f"sequence {entry.sequence} rolls back to version {entry.version}, which is no former champion"
    return None


def faults_of(entries: Iterable[Promotion]) -> tuple[str, ...]:
    """Return what is wrong with a model's entries, one sentence each; none if all is as the ledger writes it.

    A last entry that was changed or removed cannot be seen from the entries alone; the ledger itself looks for that.

    Args:
        entries: All entries of one model, in the order of their numbers.
    """
    faults: list[str] = []
    previous: Promotion | None = None
    champion: Promotion | None = None
    former: set[int] = set()
    used: dict[str, int] = {}
    for entry in entries:
        faults += _misplaced(entry, previous)
        faults += _badly_ended(entry)
        if entry.kind == "promote" and entry.status == "done":
            first = used.setdefault(entry.evidence, entry.sequence)
            if first != entry.sequence:
                faults.append(f"sequence {entry.sequence} promotes on the evidence of sequence {first} once more")
        misfit = misfit_of(entry, champion=champion, former=former)
        if misfit is not None:
            faults.append(misfit)
        if entry.status == "done":
            champion = entry
            former.add(entry.version)
        previous = entry
    return tuple(faults)


def _misplaced(entry: Promotion, previous: Promotion | None) -> list[str]:
    number, before = entry.sequence, 0 if previous is None else previous.sequence
    faults: list[str] = []
    if number != before + 1:
        where = f"after sequence {before}" if before else "at the beginning"
        faults.append(f"sequence {before + 1} is missing: {where} comes sequence {number}")
    elif not entry.follows(previous):
        faults.append(f"sequence {number} does not fit its chain: it, or the entry before it, was changed or removed")
    if entry.previous_sequence != number - 1:
        faults.append(f"sequence {number} says that it comes after sequence {entry.previous_sequence}")
    if previous is not None and previous.model != entry.model:
        faults.append(f"sequence {number} belongs to {entry.model}, the one before it to {previous.model}")
    if previous is not None and previous.status == "claimed":
        more = "; both are open claims" if entry.status == "claimed" else ""
        faults.append(f"sequence {before} had not ended when sequence {number} was claimed{more}")
    return faults


def _badly_ended(entry: Promotion) -> list[str]:
    number, status = entry.sequence, entry.status
    faults: list[str] = []
    if status == "claimed" and entry.settled is not None:
        faults.append(f"sequence {number} is an open claim, but has a time at which it ended")
    if status != "claimed" and not entry.settled:
        faults.append(f"sequence {number} is {status}, but has no time at which it ended")
    if (status == "withdrawn") != bool(entry.reason):
        faults.append(f"sequence {number} is {status} {'with' if entry.reason else 'without'} a reason for withdrawal")
    return faults


def _chain(entry: Promotion, previous: Promotion | None) -> str:
    fixed = entry.model_dump(mode="json", exclude={*_CHANGING, "chain"})
    return digest([None if previous is None else previous.seal(), fixed])


def _attempt(entry: Promotion) -> dict[str, Any]:
    return entry.model_dump(exclude=set(_OF_ONE_TRY))


def _named(version: int | None) -> str:
    return "no version" if version is None else f"version {version}"
