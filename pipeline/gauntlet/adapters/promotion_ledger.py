"""This module provides the promotion ledger, which alone says which version was made champion.

An entry's number is the compare-and-swap that no registry of MLflow has: of all processes that claim the number after
the last one they saw, one transaction and a unique key of a database let exactly one have it. A promotion claims its
number, moves the alias, reads it back, and settles the entry; or it puts the alias back and withdraws the entry.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from gauntlet.adapters.claimants import claimant_of, this_process
from gauntlet.adapters.ledger_file import LedgerFile
from gauntlet.adapters.ledger_store import LedgerStore, LedgerView
from gauntlet.adapters.signing_keys import SigningKeys
from gauntlet.core.errors import RefusedError
from gauntlet.core.promotions import Promotion, PromotionKind, misfit_of
from gauntlet.core.results import TableRef

STALE_SECONDS = 3600.0


@dataclass(frozen=True)
class PromotionLedger:
    """The entries of all models in one place.

    Attributes:
        path: The file; it and its folder are made by the first claim. Or another store, such as a server.
        stale_seconds: After how many seconds a claimant on another host, which cannot be looked at, counts as gone.
        keys: The promoter's, which sign entries as they end; without them entries stay unsigned, and no command takes
            such a ledger.
    """

    path: Path | LedgerStore
    stale_seconds: float = STALE_SECONDS
    keys: SigningKeys | None = None

    def entries(self, model: str) -> tuple[Promotion, ...]:
        """Return a model's entries in the order of their numbers; none if there is no file yet.

        ``faults_of`` says what is wrong with them.

        Raises:
            RequirementError: If there is a file but it cannot be read as a ledger, or its last entry is not the one
                that was written last.
        """
        if not self._store.exists():
            return ()
        with self._store.reading() as rows:
            return rows.all(model)

    def signature_faults(self, entries: Iterable[Promotion]) -> tuple[str, ...]:
        """Return which entries have ended and are signed by no trusted promoter, one sentence each.

        Raises:
            InputError: If a key cannot be used.
            RequirementError: If there is no key to prove a signature with.
        """
        ended = [entry for entry in entries if entry.status != "claimed"]
        # Without any signature no key is needed, and there may be none yet.
        trusted = self.keys.trusted() if self.keys and any(entry.signature for entry in ended) else ()
        faults = (entry.signature_fault(trusted) for entry in ended)
        return tuple(fault for fault in faults if fault is not None)

    def sign_all(self, model: str, *, keys: SigningKeys) -> int:
        """Sign all entries of a model that have ended, none of which is signed, and return how many they are.

        Whoever asks has looked at all of them: this is how a ledger is taken over from a version that did not sign.

        Args:
            model: The model's full name.
            keys: The promoter's.

        Raises:
            RefusedError: If one is signed, or the ledger was changed meanwhile.
            RequirementError: If the ledger cannot be read or written.
        """
        key = keys.private()
        with self._store.writing() as ledger:
            ended = [entry for entry in ledger.all(model) if entry.status != "claimed"]
            if any(entry.signature for entry in ended):
                raise RefusedError(f"{self.path}: entries of {model} are signed already; nothing was changed")
            for entry in ended:
                if not ledger.sign(entry.signed_by(key)):
                    raise RefusedError(f"{_place(entry)} was changed meanwhile; run again")
        return len(ended)

    def claim(  # noqa: PLR0913 - one argument a field of the entry
        self,
        model: str,
        *,
        expected: int,
        kind: PromotionKind,
        version: int,
        run_id: str,
        previous_version: int | None,
        evidence: str,
        artefact_digest: str,
        rows: int,
        split_table: TableRef | None,
        key: str,
    ) -> Promotion:
        """Claim the number after the last one that was seen; of all who try, one gets it.

        A second try of an attempt, known by its key, gets the open claim of the first again, if its process is gone.

        Args:
            model: The model's full name.
            expected: The last number that was seen; 0 for none.
            kind: Whether a new or a former champion is to be made.
            version: The version.
            run_id: The MLflow run that the version belongs to.
            previous_version: The champion that it is to replace; None for none.
            evidence: The SHA-256 of the evidence's envelope.
            artefact_digest: The digest of the model's artefact.
            rows: The curated rows.
            split_table: The table of splits that the version was judged on.
            key: The stage's key.

        Raises:
            RefusedError: If another was faster, another claim is open, or the entry does not fit the champion.
            RequirementError: If the ledger cannot be read or written.
            ValueError: If one of the values cannot stand in an entry, such as zero rows.
        """
        wanted = Promotion(
            sequence=expected + 1,
            model=model,
            kind=kind,
            version=version,
            run_id=run_id,
            previous_version=previous_version,
            previous_sequence=expected,
            evidence=evidence,
            artefact_digest=artefact_digest,
            rows=rows,
            split_table=split_table,
            claimed=_now(),
            settled=None,
            status="claimed",
            claimant=str(this_process()),
            key=key,
            chain="",
        )
        if self.keys is not None:
            self.keys.private()  # without a key nothing is begun that could not be ended
        with self._store.writing() as ledger:
            last = ledger.last(model)
            if last is not None and self._resumes(last, wanted):
                return _swapped(ledger, last, last.model_copy(update={"claimant": wanted.claimant}))
            self._require_turn(last, wanted)
            _require_fit(ledger, wanted)
            entry = wanted.chained(after=last)
            ledger.insert(entry)
        return entry

    def settle(self, entry: Promotion) -> Promotion:
        """Mark an open claim of this process done: its version is champion, and was read back.

        Raises:
            RefusedError: If the entry is not an open claim of this process any more; nothing was changed.
            RequirementError: If the ledger cannot be read or written.
        """
        return self._ended(entry, status="done")

    def withdraw(self, entry: Promotion, *, reason: str) -> Promotion:
        """Mark an open claim of this process withdrawn; the alias must be as it was before.

        Args:
            entry: The claim.
            reason: Why, as a sentence.

        Raises:
            RefusedError: If the entry is not an open claim of this process any more; nothing was changed.
            RequirementError: If the ledger cannot be read or written.
            ValueError: If there is no reason.
        """
        if not reason:
            raise ValueError(f"{_place(entry)} cannot be withdrawn without a reason")
        return self._ended(entry, status="withdrawn", reason=reason)

    def take_over(self, entry: Promotion) -> Promotion:
        """Make an open claim whose process is gone this process's own.

        While the alias is put back, and until the claim is withdrawn, no other process can then claim or take over.

        Raises:
            RefusedError: If its process is not gone, or it is no open claim any more; nothing was changed.
            RequirementError: If the ledger cannot be read or written.
        """
        if not self._is_free(entry):
            raise RefusedError(_still_claimed(entry))
        with self._store.writing() as ledger:
            return _swapped(ledger, entry, entry.model_copy(update={"claimant": str(this_process())}))

    def abandon(self, entry: Promotion, *, reason: str) -> Promotion:
        """Withdraw an open claim whose process is gone; the alias must be as it was before.

        Whoever has to put the alias back first should take the claim over, put the alias back, and withdraw it.

        Args:
            entry: The claim.
            reason: Why, as a sentence.

        Raises:
            RefusedError: If its process is not gone, or it is no open claim any more; nothing was changed.
            RequirementError: If the ledger cannot be read or written.
            ValueError: If there is no reason.
        """
        return self.withdraw(self.take_over(entry), reason=reason)

    @property
    def _store(self) -> LedgerStore:
        return LedgerFile(self.path) if isinstance(self.path, Path) else self.path

    def _is_free(self, entry: Promotion) -> bool:
        """Say whether this process may have an open claim: it is its own, or its process is gone."""
        claimant = claimant_of(entry.claimant)
        return claimant.is_this_process or claimant.is_gone(stale_seconds=self.stale_seconds)

    def _resumes(self, last: Promotion, wanted: Promotion) -> bool:
        """Say whether the last entry is the open claim of an earlier try of what is wanted."""
        # A second try may have read the ledger before or after its own claim.
        seen = last.sequence in (wanted.previous_sequence, wanted.sequence)
        if not (last.status == "claimed" and last.key == wanted.key and seen and self._is_free(last)):
            return False
        if not wanted.is_attempt_of(last):
            raise RefusedError(
                f"{_place(last)} was claimed for version {last.version} by an earlier try, with other evidence than "
                f"this try has for version {wanted.version}; nothing was changed: withdraw that claim first"
            )
        return True

    def _require_turn(self, last: Promotion | None, wanted: Promotion) -> None:
        at = 0 if last is None else last.sequence
        if last is not None and at > wanted.previous_sequence:
            raise RefusedError(
                f"{_place(last)} was claimed by {claimant_of(last.claimant).phrase} meanwhile; nothing was changed: "
                "run again"
            )
        if at < wanted.previous_sequence:
            raise RefusedError(
                f"{self.path}: the last sequence of {wanted.model} is {at} now, not {wanted.previous_sequence}; the "
                "ledger was replaced meanwhile, so nothing was changed: see to the file, then run again"
            )
        if last is not None and last.status == "claimed":
            if not self._is_free(last):
                raise RefusedError(_still_claimed(last))
            raise RefusedError(
                f"{_place(last)} was claimed by {claimant_of(last.claimant).phrase} and never ended; nothing was "
                "changed: put the alias back to what it was before, and withdraw that claim first"
            )

    def _ended(self, entry: Promotion, **changes: str) -> Promotion:
        claimant = claimant_of(entry.claimant)
        if not claimant.is_this_process:
            raise RefusedError(
                f"{_place(entry)} is claimed by {claimant.phrase}, not by this process; nothing was changed"
            )
        ended = entry.model_copy(update={"settled": _now(), **changes})
        if self.keys is not None:
            ended = ended.signed_by(self.keys.private())
        with self._store.writing() as ledger:
            return _swapped(ledger, entry, ended)


def _require_fit(ledger: LedgerView, wanted: Promotion) -> None:
    # Only a rollback asks for former champions, and they take a walk through the whole history.
    was_champion = wanted.kind == "rollback" and ledger.was_champion(wanted.model, wanted.version)
    former = {wanted.version} if was_champion else set()
    misfit = misfit_of(wanted, champion=ledger.champion(wanted.model), former=former)
    if misfit is not None:
        raise RefusedError(f"{wanted.model}: {misfit}; nothing was changed: run again")


def _swapped(ledger: LedgerView, entry: Promotion, changed: Promotion) -> Promotion:
    """Change an open claim, if it still is open and held by the same claimant."""
    if ledger.swap(entry, changed):
        return changed
    last = ledger.last(entry.model)
    now = "there is no entry" if last is None else f"the last is sequence {last.sequence}, {last.status}"
    by = "" if last is None else f" by {claimant_of(last.claimant).phrase}"
    raise RefusedError(
        f"{_place(entry)} is no open claim of {claimant_of(entry.claimant).phrase} any more: {now}{by}; nothing was "
        "changed: run again"
    )


def _place(entry: Promotion) -> str:
    return f"{entry.model}: sequence {entry.sequence}"


def _still_claimed(entry: Promotion) -> str:
    return (
        f"{_place(entry)} is still claimed by {claimant_of(entry.claimant).phrase}; nothing was changed: wait for it, "
        "then run again"
    )


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="microseconds")
