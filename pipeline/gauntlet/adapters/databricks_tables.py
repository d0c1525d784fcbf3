"""This module provides tables in Unity Catalog: Delta tables with three-level names, and files in a volume.

Unity Catalog gives nobody the paths of a managed table's files. So a file's digest is that of the rows that Spark reads
from it, by the file's name, and not of its bytes.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from gauntlet.adapters.databricks_settings import DatabricksSettings
from gauntlet.adapters.delta_servers import Shipment, is_readable, newest_version
from gauntlet.adapters.tables import described, overwriting
from gauntlet.adapters.workspace_files import WorkspaceFiles, volume_of
from gauntlet.core.canonical import digest
from gauntlet.core.problem import Names
from gauntlet.core.results import TableRef

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

# What Spark says of a file that it cannot read, and of one that is gone.
_UNREADABLE = ("FAILED_READ_FILE", "FILE_NOT_FOUND", "FILE_NOT_EXIST")


@dataclass(frozen=True)
class UnityTables:
    """The tables of one schema.

    Attributes:
        names: What things are called.
        spark: Gives the session.
        settings: Gives the workspace, which holds the volume.
    """

    names: Names
    spark: Callable[[], SparkSession]
    settings: Callable[[], DatabricksSettings]

    @property
    def at_hand(self) -> bool:
        """Whether their files can be read here, without Spark."""
        return False

    def write(self, name: str, frame: DataFrame, *, note: Mapping[str, str] | None = None) -> TableRef:
        """Replace a table's rows as one Delta commit."""
        full_name = self.names.table(name)
        overwriting(frame, note=note).saveAsTable(full_name)
        version = newest_version(self.spark(), full_name)
        return described(name, self.names, "delta", version, self._read(name, version))

    def read(self, table: TableRef) -> DataFrame:
        """Return the rows of a Delta version."""
        return self._read(table.name, table.version)

    def exists(self, table: TableRef) -> bool:
        """Say whether that version can be read."""
        return is_readable(lambda: self.read(table))

    def file_digests(self, table: TableRef) -> dict[str, str]:
        """Return the digest of the rows of each data file of a version, by the file's name."""
        return {name: mark for name, (mark, _) in self._files(table).items()}

    def digests_of(self, table: TableRef, files: Collection[str]) -> dict[str, str]:
        """Return the digests of those of these files that the version still has and that can be read."""
        return {name: mark for name, (mark, _) in self._present(table).items() if name in files}

    def rows_of(self, table: TableRef, files: Collection[str]) -> int:
        """Return the number of rows in these files of the version."""
        return sum(rows for name, (_, rows) in self._present(table).items() if name in files)

    def staged(self, path: Path) -> str:
        """Send a file or folder of this machine's to the volume, unless it is there; return where it lies.

        What is in a volume already, as for a job, is read where it is.
        """
        if path.is_absolute() and path.parts[1] == "Volumes":
            return str(path)
        shipment = Shipment.of(path, below=volume_of(self.names))
        held = WorkspaceFiles(self.settings())
        for place, file in shipment.files.items():
            if held.size(place) != file.stat().st_size:
                held.put(file, place)
        return shipment.place

    def location(self, table: TableRef) -> str:
        """Return the table's three-level name."""
        return self.names.table(table.name)

    def _read(self, name: str, version: int) -> DataFrame:
        full_name = self.names.table(name)
        return self.spark().sql(f"SELECT * FROM {full_name} VERSION AS OF {version}")  # noqa: S608 - checked, see Names

    def _present(self, table: TableRef) -> dict[str, tuple[str, int]]:
        from pyspark.errors import AnalysisException  # noqa: PLC0415 - imported where Spark is

        try:
            return self._files(table)
        except AnalysisException:
            return {}  # no such table or version
        except Exception as error:  # in a job it is py4j's, from outside Spark Connect's
            if any(word in str(error) for word in _UNREADABLE):
                return {}
            raise

    def _files(self, table: TableRef) -> dict[str, tuple[str, int]]:
        """Return the digest and the number of rows of each data file of a version, by the file's name."""
        columns = ", ".join(f"`{name}`" for name in sorted(self.read(table).columns))
        found = self.spark().sql(
            f"SELECT _metadata.file_name AS file, count(*) AS rows, "  # noqa: S608 - names were checked, see Names
            f"sum(cast(xxhash64({columns}) AS decimal(38,0))) AS first, "
            f"sum(cast(xxhash64('second', {columns}) AS decimal(38,0))) AS second "
            f"FROM {self.names.table(table.name)} VERSION AS OF {table.version} GROUP BY _metadata.file_name"
        )
        return {
            str(row["file"]): (
                digest({"rows": int(row["rows"]), "sums": [str(row["first"]), str(row["second"])]}),
                int(row["rows"]),
            )
            for row in sorted(found.collect(), key=lambda row: str(row["file"]))
        }
