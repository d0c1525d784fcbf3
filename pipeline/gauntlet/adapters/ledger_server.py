"""This module provides the promotion ledger that several clients reach: records on an MLflow server, with no lock.

The atomic primitive is the name of an experiment. MLflow's database has a unique key on it, so of all processes that
create the experiment ``gauntlet-ledger/<model>/<number>`` the server lets exactly one, in one transaction with the
experiment's tags, which hold the record. A name is never free again: a deleted experiment keeps it and is still listed.

On a Databricks workspace an experiment's name is its path in the workspace's tree, and the workspace promises the same:
of all that create one, one does, with its tags. There a deleted one's name is free again, and it is listed for 30 days.
So a deleted record goes on counting until it is gone, and two of one name are an error; what is gone for good leaves a
gap, or a champion in the registry that the ledger does not know, and either is refused.

So the ledger of a model is a row of records 1, 2, 3 … without a gap, each an entry as it was added or was changed. Who
writes has read all records before, and writes the next number: if that is taken, what was read is out of date, and
nothing was changed. Each record holds the digest of the one before, and its own.

A server that fails may have made the record although the client was told otherwise, and MLflow's client asks again by
itself: a record that is found in the place of one's own and equals it is one's own, since it names the process and the
microsecond.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from pydantic import ValidationError

from gauntlet.adapters.claimants import claimant_of
from gauntlet.adapters.tracking import Tracking
from gauntlet.core.canonical import canonical_json, digest
from gauntlet.core.errors import GauntletError, RefusedError, RequirementError
from gauntlet.core.promotions import Promotion
from gauntlet.core.results import Record

PREFIX = "gauntlet-ledger"
RECORD_TAG = "gauntlet.ledger_record"
DIGEST_TAG = "gauntlet.ledger_digest"
_PAGE = 1000
# What is said of a name that is taken; Databricks' API says that it may be either.
_TAKEN = ("RESOURCE_ALREADY_EXISTS", "ALREADY_EXISTS")


class LedgerRecord(Record):
    """One record: an entry as it was added, or as it was changed.

    Attributes:
        number: Its number among the model's records, from 1.
        previous: The digest of the record before; empty for the first.
        entry: The entry.
    """

    number: int
    previous: str
    entry: Promotion

    def document(self) -> dict[str, Any]:
        """Return the record as JSON holds it."""
        return {"number": self.number, "previous": self.previous, "entry": self.entry.document()}

    def mark(self) -> str:
        """Return the record's digest."""
        return digest(self.document())


@dataclass(frozen=True)
class ServerLedger:
    """The records on an MLflow server.

    Attributes:
        tracking: The server.
        prefix: What the names of all records begin with.
    """

    tracking: Tracking
    prefix: str = PREFIX

    def __str__(self) -> str:
        """Return where it is."""
        return f"{self.tracking.tracking_uri} ({self.prefix})"

    def exists(self) -> bool:
        """Say that there may be a ledger: the server has to be asked for each model."""
        return True

    @contextmanager
    def reading(self) -> Iterator[ServerRecords]:
        """Give the records to read."""
        with self._asked():
            yield ServerRecords(self)

    @contextmanager
    def writing(self) -> Iterator[ServerRecords]:
        """Give the records to add to; nothing is held meanwhile, since the number of a new one decides."""
        with self._asked():
            yield ServerRecords(self)

    def records(self, model: str) -> tuple[LedgerRecord, ...]:
        """Return all records of a model in the order of their numbers.

        Raises:
            RequirementError: If one is missing or was changed.
        """
        from mlflow.entities import ViewType  # noqa: PLC0415 - takes seconds to import

        found: dict[str, dict[str, str]] = {}
        token: str | None = None
        while True:
            page = self.tracking.client.search_experiments(
                view_type=ViewType.ALL,
                filter_string=f"name LIKE '{self._name(model)}/%'",
                max_results=_PAGE,
                page_token=token,
            )
            for experiment in page:
                if str(experiment.name) in found:
                    raise self._changed(model)
                found[str(experiment.name)] = dict(experiment.tags)
            token = page.token
            if not token:
                break
        # LIKE takes an underscore for any character.
        tags = [found[name] for name in sorted(found) if name.startswith(f"{self._name(model)}/")]
        return self._checked(model, [self._record(model, tag) for tag in tags])

    def add(self, record: LedgerRecord) -> bool:
        """Add a record; say whether it has its number now."""
        from mlflow.exceptions import MlflowException  # noqa: PLC0415 - takes seconds to import

        model = record.entry.model
        tags = {RECORD_TAG: canonical_json(record.document()), DIGEST_TAG: record.mark()}
        name = f"{self._name(model)}/{record.number:08d}"
        try:
            self.tracking.create_experiment(name, tags=tags)
        except MlflowException as error:
            if error.error_code not in _TAKEN:
                raise
            # A listing may come late; what has a name is known at once.
            present = self.tracking.client.get_experiment_by_name(name)
            return present is not None and self._record(model, dict(present.tags)) == record
        return True

    def _name(self, model: str) -> str:
        return f"{self.prefix}/{model}"

    def _record(self, model: str, tags: dict[str, str]) -> LedgerRecord:
        try:
            record = LedgerRecord.model_validate_json(tags[RECORD_TAG])
        except (KeyError, ValidationError) as error:
            raise self._changed(model) from error
        if record.mark() != tags.get(DIGEST_TAG):
            raise self._changed(model)
        return record

    def _checked(self, model: str, records: list[LedgerRecord]) -> tuple[LedgerRecord, ...]:
        before = ""
        for number, record in enumerate(records, start=1):
            if (record.number, record.previous, record.entry.model) != (number, before, model):
                raise self._changed(model)
            before = record.mark()
        return tuple(records)

    def _changed(self, model: str) -> RequirementError:
        return RequirementError(
            f"{self}: a record of {model} was changed or removed by hand; nothing is assumed in its place: restore "
            "MLflow's database from a copy"
        )

    @contextmanager
    def _asked(self) -> Iterator[None]:
        """Turn whatever goes wrong between here and the server into one clear error."""
        try:
            yield
        except (GauntletError, ValueError):
            raise
        except Exception as error:
            reason = " ".join(str(error).split())[:300]
            raise RequirementError(
                f"{self}: the promotion ledger cannot be used ({type(error).__name__}: {reason}); nothing is assumed "
                "in its place: see to the server, and run again"
            ) from error


@dataclass
class ServerRecords:
    """The records as they were read; what is written counts only if they are still all there are."""

    ledger: ServerLedger
    _read: dict[str, tuple[LedgerRecord, ...]] = field(default_factory=dict)

    def all(self, model: str) -> tuple[Promotion, ...]:
        """Return a model's entries in the order of their numbers, each as it was changed last."""
        if model not in self._read:
            self._read[model] = self.ledger.records(model)
        entries = {record.entry.sequence: record.entry for record in self._read[model]}
        return tuple(entries[number] for number in sorted(entries))

    def last(self, model: str) -> Promotion | None:
        """Return a model's last entry; None if there is none."""
        found = self.all(model)
        return found[-1] if found else None

    def champion(self, model: str) -> Promotion | None:
        """Return a model's last done entry; None if there is none."""
        done = [entry for entry in self.all(model) if entry.status == "done"]
        return done[-1] if done else None

    def was_champion(self, model: str, version: int) -> bool:
        """Say whether a version was ever made champion."""
        return any(entry.status == "done" and entry.version == version for entry in self.all(model))

    def insert(self, entry: Promotion) -> None:
        """Add an entry after a model's last one.

        Raises:
            RefusedError: If another process was faster; nothing was changed.
        """
        if not self._add(entry):
            last = self.last(entry.model)
            by = "another process" if last is None else claimant_of(last.claimant).phrase
            raise RefusedError(
                f"{entry.model}: sequence {entry.sequence} was claimed by {by} meanwhile; nothing was changed: run "
                "again"
            )

    def swap(self, entry: Promotion, changed: Promotion) -> bool:
        """Change an entry if it still is an open claim of the same claimant; say whether it was."""
        present = {found.sequence: found for found in self.all(entry.model)}.get(entry.sequence)
        held = present is not None and (present.status, present.claimant, present.chain) == (
            "claimed",
            entry.claimant,
            entry.chain,
        )
        return held and self._add(changed)

    def sign(self, entry: Promotion) -> bool:
        """Add the signature of an entry that has none yet; say whether it was as it is given otherwise."""
        present = {found.sequence: found for found in self.all(entry.model)}.get(entry.sequence)
        return present == entry.model_copy(update={"signature": ""}) and self._add(entry)

    def _add(self, entry: Promotion) -> bool:
        self.all(entry.model)
        read = self._read[entry.model]
        record = LedgerRecord(number=len(read) + 1, previous=read[-1].mark() if read else "", entry=entry)
        added = self.ledger.add(record)
        if added:
            self._read[entry.model] = (*read, record)
        else:
            del self._read[entry.model]
        return added
