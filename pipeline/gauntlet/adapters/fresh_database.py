"""This module provides fresh databases for MLflow: copies of one that MLflow made before.

MLflow makes a database by walking through all changes that its schema ever had, which takes a second or more each time.
So the first one that a release of MLflow makes here is kept in the cache folder, empty, and later ones are copies.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
import tempfile
from contextlib import closing, suppress
from importlib.metadata import version
from pathlib import Path

from gauntlet.adapters.jars import cache_folder

_FILLED_BY_MLFLOW = ("alembic_version", "workspaces")


def copy_fresh_database(path: Path) -> bool:
    """Put an empty database where there is none, if one was kept; say whether there was none.

    Args:
        path: Where the database is to be.
    """
    if path.exists():
        return False
    template = _template()
    if template.is_file():
        # Another process may be at it too: whoever comes first has made it, and a half copy is never seen.
        with suppress(OSError), tempfile.TemporaryDirectory(dir=path.parent) as folder:
            os.link(shutil.copyfile(template, Path(folder) / path.name), path)
    return True


def keep_fresh_database(path: Path) -> None:
    """Keep an empty copy of a database that MLflow has just made; what goes wrong costs later runs a second each."""
    template = _template()
    if template.is_file():
        return
    with suppress(OSError, sqlite3.Error):
        template.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=template.parent) as folder:
            kept = Path(folder) / template.name
            with closing(sqlite3.connect(path)) as made, closing(sqlite3.connect(kept)) as copy:
                made.backup(copy)
                # MLflow makes its first experiment anew where there is none; this one names a folder of this run's.
                copy.execute("DELETE FROM experiments")
                copy.commit()
                if _holds_rows(copy):  # another process has begun to work with it
                    return
                copy.execute("VACUUM")
            kept.replace(template)


def _holds_rows(database: sqlite3.Connection) -> bool:
    """Say whether there is a row in any table but those that MLflow fills itself."""
    tables = [name for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
    counts = (
        database.execute(f'SELECT COUNT(*) FROM "{name}"').fetchone()[0]  # noqa: S608 - names of MLflow's own tables
        for name in tables
        if name not in _FILLED_BY_MLFLOW
    )
    return any(counts)


def _template() -> Path:
    return cache_folder() / "mlflow" / f"empty-{version('mlflow')}.db"
