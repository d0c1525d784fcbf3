"""This module provides tables on storage: versioned, written all or nothing, read by the version written."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol
from urllib.parse import unquote, urlsplit

from gauntlet.adapters.spark_paths import literal_reader
from gauntlet.core.canonical import digest, file_digest
from gauntlet.core.errors import EvidenceError
from gauntlet.core.problem import Names
from gauntlet.core.results import TableRef
from gauntlet.core.state import write_atomically

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, DataFrameWriter, SparkSession


class Tables(Protocol):
    """Where a target keeps its tables."""

    @property
    def at_hand(self) -> bool:
        """Whether their files can be read here, without Spark."""

    def write(self, name: str, frame: DataFrame, *, note: Mapping[str, str] | None = None) -> TableRef:
        """Replace a table's rows by a frame's, as one new version.

        Args:
            name: The table's short name.
            frame: The rows.
            note: Remarks kept with the version (which run, which stage).
        """

    def read(self, table: TableRef) -> DataFrame:
        """Return the rows of the very version that a reference names."""

    def exists(self, table: TableRef) -> bool:
        """Say whether that version can still be read; where its files are at hand, without starting Spark."""

    def file_digests(self, table: TableRef) -> dict[str, str]:
        """Return the SHA-256 of each data file of that version, by its path relative to the table's folder."""

    def digests_of(self, table: TableRef, files: Collection[str]) -> dict[str, str]:
        """Return the SHA-256 of those of the table's files that are there; no log is asked which they are.

        Args:
            table: The table.
            files: Paths relative to the table's folder.
        """

    def rows_of(self, table: TableRef, files: Collection[str]) -> int:
        """Return the number of rows in some of the table's files.

        Raises:
            EvidenceError: If one is no Parquet file.
        """

    def staged(self, path: Path) -> str:
        """Return where Spark can read a file or folder of this machine's; it is sent there if need be."""

    def location(self, table: TableRef) -> str:
        """Return how SQL names the table, for people and queries."""


@dataclass(frozen=True)
class DeltaTables:
    """Delta tables in a folder, one folder a table."""

    root: Path
    names: Names
    spark: Callable[[], SparkSession]

    @property
    def at_hand(self) -> bool:
        """Whether their files can be read here, without Spark."""
        return True

    def write(self, name: str, frame: DataFrame, *, note: Mapping[str, str] | None = None) -> TableRef:
        """Replace a table's rows as one Delta commit."""
        path = self._path(name)
        overwriting(frame, note=note).save(str(path))
        version = max(int(entry.stem) for entry in (path / "_delta_log").glob("*.json") if entry.stem.isdigit())
        return described(name, self.names, "delta", version, self._read(name, version))

    def read(self, table: TableRef) -> DataFrame:
        """Return the rows of a Delta version."""
        return self._read(table.name, table.version)

    def exists(self, table: TableRef) -> bool:
        """Say whether the version's commit is in the table's log."""
        return (self._path(table.name) / "_delta_log" / f"{table.version:020d}.json").exists()

    def file_digests(self, table: TableRef) -> dict[str, str]:
        """Return the SHA-256 of each data file of a Delta version; its log is asked which files they are."""
        return _file_digests(self._path(table.name), self.read(table).inputFiles())

    def digests_of(self, table: TableRef, files: Collection[str]) -> dict[str, str]:
        """Return the SHA-256 of those of these files that are there."""
        return digests_in(self._path(table.name), files)

    def rows_of(self, table: TableRef, files: Collection[str]) -> int:
        """Return the number of rows in these files."""
        return rows_in(self._path(table.name), files)

    def staged(self, path: Path) -> str:
        """Return the path: Spark reads it where it is."""
        return str(path.absolute())

    def folder(self, table: TableRef) -> Path:
        """Return the table's folder."""
        return self._path(table.name)

    def location(self, table: TableRef) -> str:
        """Return the table's SQL name."""
        return f"delta.`{self._path(table.name)}`"

    def _read(self, name: str, version: int) -> DataFrame:
        return self.spark().read.format("delta").option("versionAsOf", version).load(str(self._path(name)))

    def _path(self, name: str) -> Path:
        return self.root / self.names.catalog / self.names.schema_name / name


@dataclass(frozen=True)
class ParquetTables:
    """Parquet folders, one a version: what is left where Delta's jars cannot be had."""

    root: Path
    names: Names
    spark: Callable[[], SparkSession]

    @property
    def at_hand(self) -> bool:
        """Whether their files can be read here, without Spark."""
        return True

    def write(self, name: str, frame: DataFrame, *, note: Mapping[str, str] | None = None) -> TableRef:
        """Write the rows as the next version; the version counts once its mark is written."""
        path = self._path(name)
        version = 1 + max((int(entry.stem) for entry in path.glob("*.json")), default=-1)
        frame.write.format("parquet").mode("overwrite").save(str(path / f"version={version}"))
        write_atomically(path / f"{version}.json", json.dumps({"gauntlet": dict(note or {})}))
        return described(name, self.names, "parquet", version, self._read(name, version))

    def read(self, table: TableRef) -> DataFrame:
        """Return the rows of a version."""
        return self._read(table.name, table.version)

    def exists(self, table: TableRef) -> bool:
        """Say whether the version is complete."""
        return (self._path(table.name) / f"{table.version}.json").exists()

    def file_digests(self, table: TableRef) -> dict[str, str]:
        """Return the SHA-256 of each data file of a version."""
        return _file_digests(self._path(table.name), self.read(table).inputFiles())

    def digests_of(self, table: TableRef, files: Collection[str]) -> dict[str, str]:
        """Return the SHA-256 of those of these files that are there."""
        return digests_in(self._path(table.name), files)

    def rows_of(self, table: TableRef, files: Collection[str]) -> int:
        """Return the number of rows in these files."""
        return rows_in(self._path(table.name), files)

    def staged(self, path: Path) -> str:
        """Return the path: Spark reads it where it is."""
        return str(path.absolute())

    def folder(self, table: TableRef) -> Path:
        """Return the table's folder."""
        return self._path(table.name)

    def location(self, table: TableRef) -> str:
        """Return the version's SQL name."""
        return f"parquet.`{self._path(table.name)}/version={table.version}`"

    def _read(self, name: str, version: int) -> DataFrame:
        return literal_reader(self.spark()).parquet(str(self._path(name) / f"version={version}"))

    def _path(self, name: str) -> Path:
        return self.root / self.names.catalog / self.names.schema_name / name


def overwriting(frame: DataFrame, *, note: Mapping[str, str] | None) -> DataFrameWriter:
    """Return what replaces a table's rows by a frame's, as one Delta commit that carries a note."""
    return (
        frame.write.format("delta")
        .mode("overwrite")
        .option("overwriteSchema", "true")
        .option("userMetadata", json.dumps({"gauntlet": dict(note or {})}))
    )


def _file_digests(folder: Path, files: Sequence[str]) -> dict[str, str]:
    paths = [Path(unquote(urlsplit(file).path)) for file in files]
    return {path.relative_to(folder).as_posix(): file_digest(path) for path in sorted(paths)}


def digests_in(folder: Path, files: Collection[str]) -> dict[str, str]:
    """Return the SHA-256 of those of some files that are in a folder."""
    return {name: file_digest(folder / name) for name in files if (folder / name).is_file()}


def rows_in(folder: Path, files: Collection[str]) -> int:
    """Return the number of rows in some Parquet files of a folder.

    Raises:
        EvidenceError: If one is no Parquet file.
    """
    import pyarrow as pa  # noqa: PLC0415 - takes a while to import
    import pyarrow.parquet as pq  # noqa: PLC0415 - takes a while to import

    rows = 0
    for name in files:
        try:
            rows += int(pq.read_metadata(folder / name).num_rows)
        except pa.ArrowException as error:
            raise EvidenceError(f"{folder / name}: is no Parquet file ({error})") from error
    return rows


def fingerprint(frame: DataFrame) -> tuple[int, str]:
    """Return a frame's row count and a digest of its rows that does not depend on their order.

    One pass: each row is hashed twice with 64 bits over all columns in name order, and the hashes are added up without
    overflow. Repeated rows count as often as they stand there (unlike with an exclusive or).
    """
    from pyspark.sql import functions as F  # noqa: N812, PLC0415 - pyspark's own convention; imported where Spark is

    columns = [F.col(f"`{name}`") for name in sorted(frame.columns)]
    first, second = F.xxhash64(*columns), F.xxhash64(F.lit("second"), *columns)
    counted, one, two = frame.select(
        F.count(F.lit(1)), F.sum(first.cast("decimal(38,0)")), F.sum(second.cast("decimal(38,0)"))
    ).collect()[0]
    kinds = sorted((field.name, field.dataType.simpleString()) for field in frame.schema.fields)
    return int(counted), digest({"columns": kinds, "rows": int(counted), "sums": [str(one), str(two)]})


def described(name: str, names: Names, kind: str, version: int, frame: DataFrame) -> TableRef:
    """Return the reference of a version that was written: its rows are counted and digested as they are read back."""
    rows, mark = fingerprint(frame)
    return TableRef.model_validate(
        {
            "name": name,
            "full_name": names.table(name),
            "format": kind,
            "version": version,
            "rows": rows,
            "fingerprint": mark,
        }
    )
