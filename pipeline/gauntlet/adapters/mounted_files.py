"""This module provides files below a mounted path, such as Databricks' sample data, which Spark always reaches.

In a job or notebook the path is a folder, as it stands or below ``/dbfs``. A machine outside has no such
folder; small files are then read through the session into the cache.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from gauntlet.adapters.downloads import cached, keep
from gauntlet.adapters.faults import explained
from gauntlet.adapters.origin_files import unreadable
from gauntlet.adapters.spark_paths import literal_path
from gauntlet.core.errors import GauntletError, SourceError
from gauntlet.core.problem import Source

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

# Spark Connect sends one value in one message, whose size is limited.
LARGEST_BYTES = 64 << 20
_SCHEME = "dbfs:"
_SHOWN_CHARACTERS = 200


@dataclass(frozen=True)
class MountedFolder:
    """A mounted path.

    Attributes:
        path: The path, with or without the scheme ``dbfs:``.
        spark: Gives the session that reaches it.
        cache: The folder for what is read through Spark.
    """

    path: str
    spark: Callable[[], SparkSession]
    cache: Path

    @property
    def here(self) -> Path | None:
        """The folder that the path is on this machine; None if it is none."""
        plain = self.path.removeprefix(_SCHEME)
        places = (Path(plain), Path(f"/dbfs{plain}"))
        return next((place for place in places if place.is_dir()), None)

    def file(self, source: Source) -> Path:
        """Return a copy of a source's file, read through Spark unless the cache holds the one that was promised.

        Raises:
            SourceError: If Spark cannot read it, or it is too large to be brought here.
            RequirementError: If there is no session, or the disk is full.
        """
        name = Path(source.file).name
        held = cached(source.sha256, name=name, cache=self.cache) if source.sha256 is not None else None
        if held is not None:
            return held
        content = self._content(f"{self.path.rstrip('/')}/{source.file}")
        try:
            return keep(iter([content]), name=name, cache=self.cache)
        except OSError as error:
            raise explained(error) or SourceError(unreadable(self.cache, error)) from error

    def _content(self, place: str) -> bytes:
        session = self.spark()
        try:
            file = session.read.format("binaryFile").load(literal_path(place))
            lengths = [int(row["length"]) for row in file.select("length").collect()]
            if not lengths:
                raise SourceError(f"{place}: the file is empty")  # Spark passes over such files
            if len(lengths) > 1:
                raise SourceError(f"{place}: a folder, of which Spark cannot give the files one by one")
            if lengths[0] > LARGEST_BYTES:
                raise SourceError(
                    f"{place}: {lengths[0] >> 20} MB are too much to be read through Spark; run as a job, "
                    "which sees the path as a folder"
                )
            (row,) = file.select("content").collect()
        except GauntletError:
            raise
        except Exception as error:  # in a job it may be py4j's, from outside Spark Connect's
            reason = " ".join(str(error).split())[:_SHOWN_CHARACTERS]
            raise SourceError(f"{place}: Spark cannot read it ({reason})") from error
        return bytes(row["content"])
