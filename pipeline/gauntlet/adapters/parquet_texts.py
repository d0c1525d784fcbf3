"""This module provides the reading of Parquet files and folders: each cell as the text that it would have in a CSV.

Every file is read by its own schema, so that the files of a folder may store one column in different widths.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import parquet

from gauntlet.adapters.origin_files import data_files, unreadable
from gauntlet.core.errors import DataError, SourceError

_BATCH_ROWS = 1 << 16
_NO_PARTITION = "__HIVE_DEFAULT_PARTITION__"
_TRAILING_ZEROS = r"(\.[0-9]*?)0+$"


def parquet_names(path: Path) -> list[str]:
    """Return the names of a Parquet file's or folder's columns.

    Raises:
        SourceError: If it cannot be read.
        DataError: If it is no Parquet file, a column holds no values of one kind, or files differ in their columns.
    """
    names: list[str] | None = None
    for file in parquet_files(path):
        schema = _opened(file).schema_arrow
        for field in schema:
            if not _has_text(field.type):
                raise DataError(
                    f"{file}: column {field.name!r} is of type {field.type}; give numbers, booleans, texts, dates or "
                    "times, or leave the column out"
                )
        found = [*schema.names, *_partitions(file, path)]
        if names is None:
            names = found
        elif sorted(found) != sorted(names):
            odd = sorted(set(found) ^ set(names))
            raise DataError(f"{file}: the files of the folder differ in column {odd[0]!r}; give all the same columns")
    return names or []


def parquet_texts(path: Path, names: list[str]) -> Iterator[list[pa.Array]]:
    """Yield the texts of a Parquet file's or folder's columns, some rows at a time, in the order of the names."""
    for file in parquet_files(path):
        constants = _partitions(file, path)
        opened = _opened(file)
        places = {name: place for place, name in enumerate(opened.schema_arrow.names)}
        try:
            for batch in opened.iter_batches(batch_size=_BATCH_ROWS):
                yield [
                    pa.array([constants[name]] * len(batch), pa.string())
                    if name in constants
                    else as_texts(batch.column(places[name]))
                    for name in names
                ]
        except (pa.ArrowException, OSError) as error:
            raise DataError(f"{file}: a damaged Parquet file ({_first_line(error)}); fetch it again") from error


def parquet_files(path: Path) -> list[Path]:
    """Return the Parquet files of a source, in the order of their rows."""
    return [file for file in data_files(path) if file.suffix == ".parquet"] if path.is_dir() else [path]


def as_texts(column: pa.Array) -> pa.Array:
    """Return the texts of an Arrow column; a float that is not a number counts as missing, as pandas writes it."""
    if pa.types.is_dictionary(column.type):
        column = column.dictionary_decode()
    kind = column.type
    if pa.types.is_floating(kind):
        return _floats(column)
    if pa.types.is_duration(kind):
        column = column.cast(pa.int64())
    elif pa.types.is_temporal(kind):
        return _times(column)
    return column.cast(pa.string())


def _floats(column: pa.Array) -> pa.Array:
    """Return floats by their shortest texts: 0.1 in 16 bits is not 0.1 in 64 bits, but means it."""
    if not pa.types.is_float16(column.type):
        return pc.if_else(pc.is_nan(column), None, column).cast(pa.string())
    values = column.to_numpy(zero_copy_only=False)
    absent = np.asarray(column.is_null()) | np.isnan(values.astype(np.float64))
    return pa.array([None if gone else str(value) for value, gone in zip(values, absent, strict=True)], pa.string())


def _times(column: pa.Array) -> pa.Array:
    """Return dates and times without zeros at the end of their fraction, in UTC where they have a zone."""
    kind = column.type
    if pa.types.is_date64(kind):
        column = column.cast(pa.date32())
    elif pa.types.is_timestamp(kind) and kind.tz is not None:
        column = column.cast(pa.timestamp(kind.unit))
    texts = column.cast(pa.string())
    if pa.types.is_date(kind):
        return texts
    return pc.replace_substring_regex(pc.replace_substring_regex(texts, _TRAILING_ZEROS, r"\1"), r"\.$", "")


def _has_text(kind: pa.DataType) -> bool:
    if pa.types.is_dictionary(kind):
        return _has_text(kind.value_type)
    return not (pa.types.is_nested(kind) or pa.types.is_interval(kind))


def _opened(file: Path) -> parquet.ParquetFile:
    try:
        return parquet.ParquetFile(file)
    except pa.ArrowException as error:
        raise DataError(
            f"{file}: not a Parquet file that can be read ({_first_line(error)}); fetch it again"
        ) from error
    except OSError as error:
        raise SourceError(unreadable(file, error)) from error


def _partitions(file: Path, folder: Path) -> dict[str, str | None]:
    """Return the columns that the names of a file's folders hold, as Hive and Spark write them."""
    if file == folder:
        return {}
    parts = file.relative_to(folder).parts[:-1]
    pairs = [match.groups() for part in parts if (match := re.fullmatch("([^=]+)=(.*)", part, re.DOTALL))]
    return {unquote(name): None if value == _NO_PARTITION else unquote(value) for name, value in pairs}


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [""])[0]
