"""This module provides the history of champions, as the entries of the promotion ledger tell it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

from gauntlet.core.promotions import Promotion, champion_of


@dataclass(frozen=True)
class Place:
    """What a version is in the history.

    Attributes:
        status: ``champion``, ``archived`` (it was champion), or ``refused`` (it was to be champion, and never was).
        entry: The last entry that made it champion; None if none did.
        replaced_by: The version that followed it; None if it is champion, or never was.
    """

    status: Literal["champion", "archived", "refused"]
    entry: Promotion | None = None
    replaced_by: int | None = None


@dataclass(frozen=True)
class ChampionHistory:
    """A model's entries in the order of their numbers, read at one moment."""

    entries: tuple[Promotion, ...] = ()

    @property
    def last_sequence(self) -> int:
        """The last number; 0 if there is no entry."""
        return self.entries[-1].sequence if self.entries else 0

    @property
    def champion(self) -> Promotion | None:
        """The entry that made the champion; None if there is no champion."""
        return champion_of(self.entries)

    @property
    def open_claim(self) -> Promotion | None:
        """The claim that has not ended; None if there is none."""
        return self.entries[-1] if self.entries and self.entries[-1].status == "claimed" else None

    @property
    def predecessor(self) -> Promotion | None:
        """The entry of the champion before the present one, to which a rollback returns; None if there is none.

        A rollback takes back what came after the version that it returns to, so that the next one goes further back
        and never forth again.
        """
        line: list[Promotion] = []
        for entry in self._done:
            while entry.kind == "rollback" and line and line[-1].version != entry.version:
                line.pop()
            if entry.kind == "promote":
                line.append(entry)
        earlier = [entry for entry in line if entry.version != line[-1].version]
        return earlier[-1] if earlier else None

    def made_by(self, evidence: str) -> Promotion | None:
        """Return the last entry that made a champion on some evidence; None if there is none.

        Args:
            evidence: The SHA-256 of the evidence.
        """
        made = [entry for entry in self._done if entry.evidence == evidence]
        return made[-1] if made else None

    def settled(self, claim: Promotion) -> ChampionHistory:
        """Return the history as it is once a claim, which is its last entry or comes after it, is done."""
        before = tuple(entry for entry in self.entries if entry.sequence != claim.sequence)
        return replace(self, entries=(*before, claim.model_copy(update={"status": "done"})))

    def place(self, version: int) -> Place:
        """Return what a version is."""
        made = [number for number, entry in enumerate(self._done) if entry.version == version]
        if not made:
            return Place("refused")
        entry = self._done[made[-1]]
        if made[-1] == len(self._done) - 1:
            return Place("champion", entry)
        return Place("archived", entry, replaced_by=self._done[made[-1] + 1].version)

    @property
    def _done(self) -> list[Promotion]:
        return [entry for entry in self.entries if entry.status == "done"]
