"""This module provides Delta tables on a server's side: written, read and hashed there, never through a path of ours.

They lie below the server's own ``spark.sql.warehouse.dir``, so a client need not be told where that is.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from gauntlet.adapters.delta_servers import Shipment, is_readable, newest_version
from gauntlet.adapters.spark_paths import literal_path
from gauntlet.adapters.tables import described, overwriting
from gauntlet.core.problem import Names
from gauntlet.core.results import TableRef

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

# What Spark says of a file that it has found and cannot read.
_UNREADABLE = "FAILED_READ_FILE"


@dataclass(frozen=True)
class ServerTables:
    """Delta tables below the server's warehouse, one folder a table."""

    names: Names
    spark: Callable[[], SparkSession]

    @property
    def at_hand(self) -> bool:
        """Whether their files can be read here, without Spark."""
        return False

    def write(self, name: str, frame: DataFrame, *, note: Mapping[str, str] | None = None) -> TableRef:
        """Replace a table's rows as one Delta commit."""
        overwriting(frame, note=note).save(self._path(name))
        version = newest_version(self.spark(), self._sql(name))
        return described(name, self.names, "delta", version, self._read(name, version))

    def read(self, table: TableRef) -> DataFrame:
        """Return the rows of a Delta version."""
        return self._read(table.name, table.version)

    def exists(self, table: TableRef) -> bool:
        """Say whether the server can read that version."""
        return is_readable(lambda: self.read(table))

    def file_digests(self, table: TableRef) -> dict[str, str]:
        """Return the SHA-256 of each data file of a Delta version; the server computes them."""
        return self._digests(table.name, [_plain(file) for file in self.read(table).inputFiles()])

    def digests_of(self, table: TableRef, files: Collection[str]) -> dict[str, str]:
        """Return the SHA-256 of those of these files that are there.

        Hadoop keeps checksums beside the files of a disk and gives out no file that does not fit its own; such a file
        has no SHA-256, but a word in its place, so that it counts as changed.
        """
        from pyspark.errors import PySparkException  # noqa: PLC0415 - imported where Spark is

        folder = self._path(table.name)
        found: dict[str, str] = {}
        waiting = [self._present([f"{folder}/{file}" for file in files])]
        while waiting:
            paths = waiting.pop()
            try:
                found |= self._digests(table.name, paths)
            except PySparkException as error:
                if _UNREADABLE not in str(error):
                    raise
                if len(paths) == 1:
                    found[paths[0][len(folder) + 1 :]] = "unreadable"
                else:
                    waiting += [[path] for path in paths]
        return dict(sorted(found.items()))

    def rows_of(self, table: TableRef, files: Collection[str]) -> int:
        """Return the number of rows in these files."""
        if not files:
            return 0
        folder = self._path(table.name)
        return int(self.spark().read.parquet(*[literal_path(f"{folder}/{file}") for file in files]).count())

    def location(self, table: TableRef) -> str:
        """Return the table's SQL name on the server."""
        return self._sql(table.name)

    def staged(self, path: Path) -> str:
        """Send a file or folder of this machine's to the server, unless it is there; return where it lies."""
        shipment = Shipment.of(path, below=self._warehouse)
        there = set(self._present(list(shipment.files)))
        for place, file in shipment.files.items():
            if place not in there:
                self.spark().copyFromLocalToFs(str(file), place)
        return shipment.place

    def _read(self, name: str, version: int) -> DataFrame:
        return self.spark().read.format("delta").option("versionAsOf", version).load(self._path(name))

    def _digests(self, name: str, paths: Sequence[str]) -> dict[str, str]:
        from pyspark.sql import functions as F  # noqa: N812, PLC0415 - pyspark's convention; imported where Spark is

        if not paths:
            return {}
        found = (
            self.spark()
            .read.format("binaryFile")
            .load([literal_path(path) for path in paths])
            .select("path", F.sha2("content", 256).alias("mark"))
            .collect()
        )
        start = len(self._path(name)) + 1
        marks = {_plain(row["path"])[start:]: str(row["mark"]) for row in found}
        return dict(sorted(marks.items()))

    def _present(self, paths: Sequence[str]) -> list[str]:
        """Return those of some files that are there."""
        from pyspark.errors import AnalysisException  # noqa: PLC0415 - imported where Spark is

        folders = sorted({path.rpartition("/")[0] for path in paths})
        present: set[str] = set()
        for folder in folders:
            try:
                listed = self.spark().read.format("binaryFile").load(literal_path(folder)).select("path").collect()
            except AnalysisException:
                continue  # no such folder
            present |= {_plain(row["path"]) for row in listed}
        return [path for path in paths if path in present]

    def _sql(self, name: str) -> str:
        return f"delta.`{self._path(name)}`"

    def _path(self, name: str) -> str:
        return f"{self._warehouse}/{self.names.catalog}/{self.names.schema_name}/{name}"

    @cached_property
    def _warehouse(self) -> str:
        found = self.spark().conf.get("spark.sql.warehouse.dir") or ""
        return _plain(found).rstrip("/")


def _plain(address: str) -> str:
    """Return a file's path without its scheme; an address of a store that is no disk stays as it is."""
    return unquote(urlsplit(address).path) if address.startswith("file:") else address
