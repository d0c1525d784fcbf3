"""This module provides what Delta tables of a server have in common: asked by SQL, files sent under their digests."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from gauntlet.core.canonical import digest, file_digest

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

_STAGING = "staging"


@dataclass(frozen=True)
class Shipment:
    """A file or folder of this machine's that Spark is to read elsewhere.

    It lies there under the digest of its content, so that a name never stands for what it was before.

    Attributes:
        files: Its files here, by the places where they go.
        place: Where all of it will lie.
    """

    files: Mapping[str, Path]
    place: str

    @classmethod
    def of(cls, path: Path, *, below: str) -> Shipment:
        """Return where a file or folder goes below a folder on the other side."""
        files = [path] if path.is_file() else sorted(file for file in path.rglob("*") if file.is_file())
        base = path.parent if path.is_file() else path
        marks = {file.relative_to(base).as_posix(): file_digest(file) for file in files}
        root = f"{below}/{_STAGING}/{digest(marks)[:32]}"
        place = f"{root}/{path.name}" if path.is_file() else root
        return cls({f"{root}/{name}": base / name for name in marks}, place)


def newest_version(spark: SparkSession, table: str) -> int:
    """Return the newest version of a Delta table, by its SQL name."""
    (newest,) = spark.sql(f"DESCRIBE HISTORY {table} LIMIT 1").select("version").collect()
    return int(newest["version"])


def is_readable(read: Callable[[], DataFrame]) -> bool:
    """Say whether the frame that a call gives is of a table, and of a version, that is there."""
    from pyspark.errors import AnalysisException  # noqa: PLC0415 - imported where Spark is

    try:
        return bool(read().columns)
    except AnalysisException:
        return False
