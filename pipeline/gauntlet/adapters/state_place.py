"""This module provides the place of a state folder: where MLflow's database says that its files lie.

On target ``local`` MLflow's database holds absolute paths. In a copy of a state folder, or in a backup that was
restored elsewhere, they still name the original's files: a run there would read and write both. So a folder that lies
elsewhere than its database says is not used until it was relocated.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from gauntlet.adapters.tracking import artifact_address
from gauntlet.core.errors import InputError, RefusedError
from gauntlet.core.state import State

# Where MLflow keeps addresses of files.
_COLUMNS = (
    ("experiments", "artifact_location"),
    ("runs", "artifact_uri"),
    ("logged_models", "artifact_location"),
    ("model_versions", "source"),
    ("model_versions", "storage_location"),
)
_ARTIFACTS = "/mlflow/artifacts"


@dataclass(frozen=True)
class Relocation:
    """What was changed for a state folder to be used where it lies.

    Attributes:
        former: The addresses that its files had; none if it lay in its place already.
        place: The address that they have.
        changed: How many addresses were changed.
    """

    former: tuple[str, ...]
    place: str
    changed: int


def require_in_place(state: State) -> None:
    """Make sure that a state folder lies where its database says.

    Raises:
        RefusedError: If it lies elsewhere; the message says where, and what to do.
    """
    others = _former_places(state)
    if others:
        made = others[0].removesuffix(_ARTIFACTS)
        raise RefusedError(
            f"{state.root}: this state folder was made as {made} and was copied or moved: its database names files "
            f"there; to use it here, run `gauntlet state relocate --state {state.root}`"
        )


def relocate(state: State) -> Relocation:
    """Let a state folder's database name its own files only, in one transaction.

    Raises:
        InputError: If there is no database.
        RefusedError: If files that it names are not in the folder; nothing was changed.
        RequirementError: If another process uses the folder.
    """
    file = _database(state)
    if not file.is_file():
        raise InputError(f"{state.root}: holds no {file.relative_to(state.root)}; give the state folder with --state")
    place = _place(state)
    with state.locked(), closing(sqlite3.connect(file)) as database:
        former = _former_places(state)
        with database:  # one transaction: it is undone by whatever is raised
            changed = sum(
                database.execute(
                    f"UPDATE {table} SET {column} = ? || substr({column}, ?) "  # noqa: S608 - our own names
                    f"WHERE {column} = ? OR substr({column}, 1, ?) = ?",
                    (place, len(old) + 1, old, len(old) + 1, f"{old}/"),
                ).rowcount
                for old in former
                for table, column in _present(database)
            )
            if missing := next(_missing(database, place, state.mlflow.resolve() / "artifacts"), None):
                raise RefusedError(f"{missing}: is named by the database and is not there; copy the whole state folder")
    return Relocation(former, place, changed)


def _database(state: State) -> Path:
    return state.mlflow / "mlflow.db"


def _place(state: State) -> str:
    return artifact_address(state.mlflow.resolve() / "artifacts")


def _former_places(state: State) -> tuple[str, ...]:
    """Return the addresses of other folders that the database's experiments name."""
    file = _database(state)
    if not file.is_file():
        return ()
    with closing(sqlite3.connect(file)) as database:
        if ("experiments", "artifact_location") not in _present(database):
            return ()
        found = database.execute("SELECT DISTINCT artifact_location FROM experiments").fetchall()
    return tuple(sorted(str(given) for (given,) in found if str(given).endswith(_ARTIFACTS) and given != _place(state)))


def _present(database: sqlite3.Connection) -> list[tuple[str, str]]:
    """Return the columns of addresses that this release of MLflow has."""
    return [
        (table, column)
        for table, column in _COLUMNS
        if column in {row[1] for row in database.execute(f"PRAGMA table_info({table})")}
    ]


def _missing(database: sqlite3.Connection, place: str, folder: Path) -> Iterator[Path]:
    """Yield the folders of models that the database names and that are not there."""
    for table, column in _present(database):
        if table in ("logged_models", "model_versions"):
            query = f"SELECT {column} FROM {table} WHERE substr({column}, 1, ?) = ?"  # noqa: S608 - our own names
            for (address,) in database.execute(query, (len(place) + 1, f"{place}/")):
                path = folder / str(address)[len(place) + 1 :]
                if not path.exists():
                    yield path
