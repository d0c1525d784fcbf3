"""This module provides what the promotion ledger asks of the place where its entries are kept."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Protocol

from gauntlet.core.promotions import Promotion


class LedgerView(Protocol):
    """The entries as they are at one moment, and what may be changed in that moment and no other."""

    def all(self, model: str) -> tuple[Promotion, ...]:
        """Return a model's entries in the order of their numbers."""

    def last(self, model: str) -> Promotion | None:
        """Return a model's last entry; None if there is none."""

    def champion(self, model: str) -> Promotion | None:
        """Return a model's last done entry; None if there is none."""

    def was_champion(self, model: str, version: int) -> bool:
        """Say whether a version was ever made champion."""

    def insert(self, entry: Promotion) -> None:
        """Add an entry after a model's last one.

        Raises:
            RefusedError: If another process was faster; nothing was changed.
        """

    def swap(self, entry: Promotion, changed: Promotion) -> bool:
        """Change an entry if it still is an open claim of the same claimant; say whether it was."""

    def sign(self, entry: Promotion) -> bool:
        """Add the signature of an entry that has none yet; say whether it was as it is given otherwise."""


class LedgerStore(Protocol):
    """The place; of all that write at once, exactly one gets a number."""

    def __str__(self) -> str:
        """Return where it is, for messages."""

    def exists(self) -> bool:
        """Say whether anything was ever kept there, or may have been."""

    def reading(self) -> AbstractContextManager[LedgerView]:
        """Give the entries to read.

        Raises:
            RequirementError: If they cannot be read as a ledger.
        """

    def writing(self) -> AbstractContextManager[LedgerView]:
        """Give the entries to change.

        Raises:
            RequirementError: If they cannot be read and written as a ledger.
        """
