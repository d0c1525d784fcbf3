"""This module provides the one reader of files: a source's rows as texts, whatever its format, encoding and packing.

``init`` sketches a table from these texts, a run copies them into a Parquet file that Spark reads, and the server reads
a request's CSV with the same parser. What a text means is the grammar's matter (``core.reading``).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import pyarrow as pa
from pyarrow import parquet

from gauntlet.adapters.delimited import Record, opened_text, records, refuse_other_delimiter
from gauntlet.adapters.faults import explained
from gauntlet.adapters.origin_files import unreadable
from gauntlet.adapters.parquet_texts import parquet_names, parquet_texts
from gauntlet.adapters.workbooks import workbook_records
from gauntlet.core.errors import DataError, SourceError
from gauntlet.core.problem import Column, Source
from gauntlet.core.reading import BLANKS

_BATCH_ROWS = 1 << 15
_SHOWN = 8


@dataclass(frozen=True)
class Batch:
    """Some rows of a table, in their order.

    Attributes:
        texts: One array for each of the table's columns.
        broken: Why a row cannot be one; null for every other.
    """

    texts: list[pa.Array]
    broken: pa.Array


@dataclass(frozen=True)
class TextTable:
    """A table as texts.

    Attributes:
        names: The names of its columns, as the header has them.
        batches: Its rows, to be read once.
    """

    names: list[str]
    batches: Iterator[Batch]


@contextmanager
def opened_table(path: Path, source: Source) -> Iterator[TextTable]:
    """Open a source's file or folder as a table of texts.

    Raises:
        SourceError: If it cannot be read.
        DataError: If it is not what the source says, is damaged or cut off; some of this shows only after the last row.
        RequirementError: If its format needs a package that is not installed.
    """
    if source.format == "parquet":
        names = parquet_names(path)
        yield TextTable(
            names, (Batch(texts, pa.nulls(len(texts[0]), pa.string())) for texts in parquet_texts(path, names))
        )
    elif source.format == "xlsx":
        yield _table(workbook_records(path, sheet=source.sheet), where=str(path))
    else:
        with opened_text(path, source) as text:
            table = _table(records(text, delimiter=source.delimiter, where=str(path)), where=str(path))
            if len(table.names) == 1:
                refuse_other_delimiter(table.names, source, where=str(path))
            yield table


def copy_texts(path: Path, *, source: Source, columns: Sequence[Column], names: Sequence[str], copy: Path) -> None:
    """Write the texts of a source's columns into a Parquet file, with each row's place and why it is broken.

    Args:
        path: The source's file or folder.
        source: The source.
        columns: The columns wanted.
        names: What to call each in the copy.
        copy: The file to write.

    Raises:
        SourceError: If the source cannot be read.
        DataError: If it is not what the problem says, or has no rows.
        RequirementError: If the disk is full.
    """
    schema = pa.schema([*((name, pa.string()) for name in names), ("broken", pa.string()), ("place", pa.int64())])
    rows = 0
    with opened_table(path, source) as table:
        places = match_columns(table.names, columns=columns, where=str(path), ignore_unnamed=source.ignore_unnamed)
        try:
            with parquet.ParquetWriter(copy, schema) as writer:
                for batch in table.batches:
                    count = len(batch.broken)
                    numbers = pa.array(range(rows, rows + count), pa.int64())
                    arrays = [*(batch.texts[place] for place in places), batch.broken, numbers]
                    writer.write_batch(pa.RecordBatch.from_arrays(arrays, schema=schema))
                    rows += count
        except OSError as error:
            raise explained(error) or SourceError(unreadable(copy, error)) from error
    if not rows:
        raise DataError(f"{path}: a header and no rows; give a file with data")


def match_columns(
    names: Sequence[str], *, columns: Sequence[Column], where: str, ignore_unnamed: bool = False
) -> list[int]:
    """Return the place of each of the problem's columns among a table's own.

    A name counts as it stands; else spaces count as underscores, and quotes and blanks around it do not count.

    Args:
        names: The names found.
        columns: The columns wanted; several may read one column of the table.
        where: The file or table, for messages.
        ignore_unnamed: Whether columns without a name may be there.

    Raises:
        DataError: If a name is there twice, a column is missing, or there is one more than the problem names.
    """
    named = {place: name for place, name in enumerate(names) if name.strip(BLANKS)}
    unnamed = next((place for place in range(len(names)) if place not in named), None)
    if unnamed is not None and not ignore_unnamed:
        raise DataError(
            f"{where}: column {unnamed + 1} has no name; name it in the header, or set ignore_unnamed = true in "
            "[[sources]] to leave it out (pandas writes its index so, unless told index=False)"
        )
    wanted = {column.source_name or column.name for column in columns}
    exact = {name: place for place, name in named.items() if name in wanted}
    rest = {place: _normalised(name) for place, name in named.items() if name not in exact}
    given = [*(named[place] for place in named if named[place] in exact), *rest.values()]
    twice = sorted({name for name in given if given.count(name) > 1})
    if twice:
        raise DataError(f"{where}: column {_listed(twice)} is there more than once; rename or remove one")
    by_name = {name: place for place, name in rest.items()}
    found: dict[str, int] = {}
    for name in sorted(wanted):
        if (place := exact.get(name, by_name.get(_normalised(name)))) is not None:
            found[name] = place
    missing = list(dict.fromkeys(c.source_name or c.name for c in columns if (c.source_name or c.name) not in found))
    if missing:
        raise DataError(
            f"{where}: column {_listed(missing)} is missing; the file has "
            f"{_listed([_normalised(name) for name in named.values()])}. Name the file's column with source_name in "
            "[[columns]], or remove it there"
        )
    extra = [_normalised(name) for place, name in named.items() if place not in found.values()]
    if extra:
        raise DataError(
            f"{where}: column {_listed(extra)} is not expected; add it to [[columns]] "
            '(role = "ignored" keeps it away from models), or remove it from the file'
        )
    return [found[column.source_name or column.name] for column in columns]


def _table(rows: Iterator[Record], *, where: str) -> TextTable:
    header = next(rows, None)
    if header is None:
        raise DataError(f"{where}: the file is empty; give a file with a header and rows")
    return TextTable(header.fields, _batches(rows, len(header.fields)))


def _batches(rows: Iterator[Record], width: int) -> Iterator[Batch]:
    while some := list(islice(rows, _BATCH_ROWS)):
        cells = [fields if not fault else [None] * width for fields, fault in some]
        texts = [pa.array(column, pa.string()) for column in zip(*cells, strict=True)]
        yield Batch(texts, pa.array([row.fault or None for row in some], pa.string()))


def _normalised(name: str) -> str:
    return "_".join(name.strip().strip("\"'").split())


def _listed(names: Sequence[str]) -> str:
    shown = ", ".join(repr(name) for name in names[:_SHOWN])
    return f"{shown} and {len(names) - _SHOWN} more" if len(names) > _SHOWN else shown
