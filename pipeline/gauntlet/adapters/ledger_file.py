"""This module provides the file of the promotion ledger: a SQLite database that is made whole or not at all.

It keeps a rollback journal, since a write-ahead log would be a second file that a copy may miss. It needs locks that
work between processes: a local disk, or a network disk with locks.
"""

from __future__ import annotations

import json
import sqlite3
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from gauntlet.core.canonical import canonical_json
from gauntlet.core.errors import RequirementError
from gauntlet.core.promotions import Promotion

_BUSY_SECONDS = 30
_SCHEMA_VERSION = 2
_WITHOUT_SIGNATURES = 1  # a file of this schema gets the column when it is written next
# The heads hold each model's last entry once more, as a digest: the chain cannot tell that its own end is missing.
_SCHEMA = f"""
BEGIN;
CREATE TABLE promotions (
    sequence INTEGER NOT NULL CHECK (sequence >= 1),
    model TEXT NOT NULL,
    kind TEXT NOT NULL,
    version INTEGER NOT NULL,
    run_id TEXT NOT NULL,
    previous_version INTEGER,
    previous_sequence INTEGER NOT NULL,
    evidence TEXT NOT NULL,
    artefact_digest TEXT NOT NULL,
    rows INTEGER NOT NULL,
    split_table TEXT,
    claimed TEXT NOT NULL,
    settled TEXT,
    status TEXT NOT NULL CHECK (status IN ('claimed', 'done', 'withdrawn')),
    reason TEXT NOT NULL,
    claimant TEXT NOT NULL,
    key TEXT NOT NULL,
    chain TEXT NOT NULL,
    signature TEXT NOT NULL DEFAULT '',
    PRIMARY KEY (model, sequence)
) WITHOUT ROWID;
CREATE UNIQUE INDEX one_open_claim ON promotions (model) WHERE status = 'claimed';
CREATE TABLE heads (
    model TEXT NOT NULL PRIMARY KEY,
    sequence INTEGER NOT NULL,
    seal TEXT NOT NULL
) WITHOUT ROWID;
PRAGMA user_version = {_SCHEMA_VERSION};
COMMIT;
"""
_COLUMNS = tuple(Promotion.model_fields)
_SELECT = f"SELECT {', '.join(_COLUMNS)} FROM promotions WHERE model = :model"  # noqa: S608 - our own names
_SELECT_UNSIGNED = _SELECT.replace("signature", "'' AS signature")
_INSERT = (
    f"INSERT INTO promotions ({', '.join(_COLUMNS)}) "  # noqa: S608 - our own names
    f"VALUES ({', '.join(f':{name}' for name in _COLUMNS)})"
)
_SWAP = (
    "UPDATE promotions SET status = :status, settled = :settled, reason = :reason, claimant = :claimant, "
    "signature = :signature "
    "WHERE model = :model AND sequence = :sequence AND status = 'claimed' AND claimant = :holder AND chain = :chain"
)
_SIGN = (
    "UPDATE promotions SET signature = :signature "
    "WHERE model = :model AND sequence = :sequence AND chain = :chain AND signature = ''"
)
_SET_HEAD = "INSERT OR REPLACE INTO heads (model, sequence, seal) VALUES (:model, :sequence, :seal)"


@dataclass(frozen=True)
class LedgerRows:
    """The rows of the file inside one transaction."""

    path: Path
    connection: sqlite3.Connection
    schema: int = _SCHEMA_VERSION

    def all(self, model: str) -> tuple[Promotion, ...]:
        """Return a model's entries in the order of their numbers."""
        found = self._select("ORDER BY sequence", model=model)
        self._require_head(model, last=found[-1] if found else None)
        return found

    def last(self, model: str) -> Promotion | None:
        """Return a model's last entry; None if there is none."""
        found = self._select("ORDER BY sequence DESC LIMIT 1", model=model)
        last = found[0] if found else None
        self._require_head(model, last=last)
        return last

    def champion(self, model: str) -> Promotion | None:
        """Return a model's last done entry; None if there is none."""
        found = self._select("AND status = 'done' ORDER BY sequence DESC LIMIT 1", model=model)
        return found[0] if found else None

    def was_champion(self, model: str, version: int) -> bool:
        """Say whether a version was ever made champion."""
        return bool(self._select("AND status = 'done' AND version = :version LIMIT 1", model=model, version=version))

    def insert(self, entry: Promotion) -> None:
        """Add an entry after a model's last one."""
        self.connection.execute(_INSERT, _row(entry))
        self._set_head(entry)

    def swap(self, entry: Promotion, changed: Promotion) -> bool:
        """Change an entry if it still is an open claim of the same claimant; say whether it was."""
        self.last(entry.model)
        done = self.connection.execute(_SWAP, _row(changed) | {"holder": entry.claimant})
        if done.rowcount != 1:
            return False
        self._set_head(changed)
        return True

    def sign(self, entry: Promotion) -> bool:
        """Add the signature of an entry that has none yet; say whether it was as it is given otherwise."""
        return self.connection.execute(_SIGN, _row(entry)).rowcount == 1

    def _select(self, rest: str, **values: str | int) -> tuple[Promotion, ...]:
        select = _SELECT_UNSIGNED if self.schema == _WITHOUT_SIGNATURES else _SELECT
        return tuple(self._entry(row) for row in self.connection.execute(f"{select} {rest}", values))

    def _set_head(self, entry: Promotion) -> None:
        values = {"model": entry.model, "sequence": entry.sequence, "seal": entry.seal()}
        self.connection.execute(_SET_HEAD, values)

    def _require_head(self, model: str, *, last: Promotion | None) -> None:
        head = self.connection.execute("SELECT sequence, seal FROM heads WHERE model = ?", (model,)).fetchone()
        if head != (None if last is None else (last.sequence, last.seal())):
            raise RequirementError(
                f"{self.path}: the last entry of {model} is not the one that was written last, so an entry was changed "
                "or removed by hand; nothing is assumed in its place: restore the file from a copy"
            )

    def _entry(self, row: Sequence[Any]) -> Promotion:
        values = dict(zip(_COLUMNS, row, strict=True))
        try:
            if values["split_table"] is not None:
                values["split_table"] = json.loads(values["split_table"])
            return Promotion.model_validate(values)
        except (ValidationError, ValueError, TypeError) as error:
            raise RequirementError(
                f"{self.path}: sequence {values['sequence']} of {values['model']} is no entry of a promotion ledger; "
                "it was changed by hand: restore the file from a copy"
            ) from error


@dataclass(frozen=True)
class LedgerFile:
    """The file, which need not be there yet."""

    path: Path

    def exists(self) -> bool:
        """Say whether there is a file; a link that leads nowhere is one, and cannot be opened.

        Raises:
            RequirementError: If that cannot be told.
        """
        try:
            self.path.lstat()
        except FileNotFoundError:
            return False
        except OSError as error:
            raise self._unusable(error) from error
        return True

    @contextmanager
    def reading(self) -> Iterator[LedgerRows]:
        """Read from the file as it is at one moment.

        Raises:
            RequirementError: If the file cannot be read as a ledger.
        """
        with self._opened() as (connection, schema), connection:
            connection.execute("BEGIN")
            yield LedgerRows(self.path, connection, schema)

    @contextmanager
    def writing(self) -> Iterator[LedgerRows]:
        """Hold the file, made if need be, for one writer; what is written counts when this is left without an error.

        Raises:
            RequirementError: If the file cannot be made, or read and written as a ledger.
        """
        if not self.exists():
            self._make()
        with self._opened() as (connection, schema), connection:
            connection.execute("BEGIN IMMEDIATE")
            if schema == _WITHOUT_SIGNATURES:
                _add_signatures(connection)
            yield LedgerRows(self.path, connection)

    @contextmanager
    def _opened(self) -> Iterator[tuple[sqlite3.Connection, int]]:
        # Reading, too, may have to undo what a killed process left half written: never open the file read-only.
        address = f"{self.path.absolute().as_uri()}?mode=rw"
        try:
            with closing(sqlite3.connect(address, uri=True, timeout=_BUSY_SECONDS, isolation_level=None)) as connection:
                (found,) = connection.execute("PRAGMA user_version").fetchone()
                if found not in (_WITHOUT_SIGNATURES, _SCHEMA_VERSION):
                    raise RequirementError(
                        f"{self.path}: this is a database of schema version {found}, no promotion ledger of schema "
                        f"version {_SCHEMA_VERSION}; use the Gauntlet that wrote it, or another file"
                    )
                # With FULL a journal that is deleted may come back after a power cut, and undo the last commit; one
                # that is cut short may not.
                connection.execute("PRAGMA journal_mode = TRUNCATE")
                connection.execute("PRAGMA synchronous = FULL")
                yield connection, found
        except sqlite3.Error as error:
            raise self._unusable(error) from error

    def _make(self) -> None:
        """Make the file, whole or not at all: a process that is killed here leaves no empty ledger."""
        folder = self.path.parent
        try:
            folder.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryDirectory(dir=folder, prefix=f".{self.path.name}.") as temporary:
                made = Path(temporary) / self.path.name
                with closing(sqlite3.connect(made, isolation_level=None)) as connection:
                    connection.executescript(_SCHEMA)
                with suppress(FileExistsError):  # another process was faster
                    self.path.hardlink_to(made)
        except (OSError, sqlite3.Error) as error:
            raise self._unusable(error) from error

    def _unusable(self, error: Exception) -> RequirementError:
        reason = " ".join(str(error).split())[:300]
        return RequirementError(
            f"{self.path}: the promotion ledger cannot be used ({type(error).__name__}: {reason}); nothing is assumed "
            "in its place: see to the file, or restore it from a copy, and run again"
        )


def _add_signatures(connection: sqlite3.Connection) -> None:
    """Add the column of signatures, unless another process was faster; in the caller's transaction."""
    if connection.execute("PRAGMA user_version").fetchone() == (_WITHOUT_SIGNATURES,):
        connection.execute("ALTER TABLE promotions ADD COLUMN signature TEXT NOT NULL DEFAULT ''")
        connection.execute(f"PRAGMA user_version = {_SCHEMA_VERSION}")


def _row(entry: Promotion) -> dict[str, Any]:
    values = entry.model_dump(mode="json")
    table = values["split_table"]
    return values | {"split_table": None if table is None else canonical_json(table)}
