"""This module provides the sketch of a table that nobody has described yet: its format, and what its columns hold."""

from __future__ import annotations

import codecs
import csv
import io
import re
import unicodedata
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd
import pyarrow as pa

from gauntlet.adapters.column_readings import ColumnReading, alike_texts, find_reading, grouped_by_points
from gauntlet.adapters.delimited import DELIMITERS, opened_bytes
from gauntlet.adapters.origin_files import digest_of, looks_like_html, unreadable
from gauntlet.adapters.records import Batch, match_columns, opened_table
from gauntlet.core.date_formats import parsed_format
from gauntlet.core.encoding import MAXIMUM_LEVELS
from gauntlet.core.errors import InputError
from gauntlet.core.problem import RESERVED_COLUMNS, Column, Source
from gauntlet.core.reading import BLANKS, CellReader, ColumnKind, DatePart, Reading

_START_BYTES = 1 << 16
_SNIFFED_LINES = 50
_MOST_DECIMALS = 6
_FEW_ROWS = 20  # below, all values of a column may differ by chance

_NUMBER = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?")
# The parts of a date that are drafted as features, where they differ between rows.
_PARTS: tuple[DatePart, ...] = ("year", "month", "day", "weekday", "hour")
# What compressed files and workbooks begin with.
_GZIP, _ZIP = b"\x1f\x8b", b"PK\x03\x04"
_C1_BYTES = re.compile(rb"[\x80-\x9f]")


@dataclass(frozen=True)
class ColumnSketch:
    """What one column holds.

    Attributes:
        name: A name that tables may use.
        source_name: The name in the file.
        kind: The type that all its values fit.
        values: The values: ``boolean``, ``Int64``, ``float64`` or texts, missing where the file has none. Dates are
            texts as tables keep them.
        reading: How its texts are read.
        readings: What is made of texts that are not what they mean, one phrase each, with the number of cells.
        resolution: The smallest decimal step seen, for numbers that are not all whole.
        role: A feature, or not fit to be one.
        remark: Why it is not, or what to look at; empty if there is nothing to say.
    """

    name: str
    source_name: str
    kind: ColumnKind
    values: pd.Series
    reading: Reading = field(default_factory=Reading)
    readings: tuple[str, ...] = ()
    resolution: float | None = None
    role: Literal["feature", "ignored"] = "feature"
    remark: str = ""

    @property
    def missing(self) -> int:
        """The number of rows without a value."""
        return int(self.values.isna().sum())


@dataclass(frozen=True)
class TableSketch:
    """A table's format and columns.

    Attributes:
        path: Where it lies.
        source: Its format, and how its bytes become texts.
        columns: Its columns; each part of a date is one of its own.
        sha256: The digest of the file that was read, or of a folder's files.
        readings: What was done to the file as a whole, one phrase each.
    """

    path: Path
    source: Source
    columns: tuple[ColumnSketch, ...]
    sha256: str
    readings: tuple[str, ...] = ()

    @property
    def format(self) -> str:
        """How it is stored."""
        return self.source.format

    @property
    def delimiter(self) -> str:
        """What separates its columns."""
        return self.source.delimiter

    @property
    def rows(self) -> int:
        """The number of rows."""
        return len(self.columns[0].values)

    def column(self, name: str) -> ColumnSketch:
        """Return a column by its name in the file or in tables.

        Raises:
            InputError: If there is none.
        """
        for key in ("source_name", "name"):
            for column in self.columns:
                if getattr(column, key) == name:
                    return column
        names = ", ".join(repr(column.source_name) for column in self.columns)
        raise InputError(f"{self.path}: there is no column {name!r}; --label takes one of {names}")


def sketch_table(path: Path, *, label: str | None = None) -> TableSketch:
    """Read a table and say what its columns hold.

    Args:
        path: A CSV file, also packed by gzip or ZIP, a workbook, or a Parquet file or folder.
        label: The column of the label, as the file or as tables name it: its words stay texts, those of other columns
            may be booleans. None leaves all words texts.

    Raises:
        InputError: If it cannot be read.
        RequirementError: If a workbook needs a package that is not installed.
    """
    try:
        before = digest_of(path)
        source, readings = _source(path)
        with opened_table(path, source) as table:
            names = table.names
            _check_header(path, names)
            texts = _gathered(table.batches, path, width=len(names))
        if digest_of(path) != before:
            raise InputError(f"{path}: changed while it was read; try again when nothing writes to it any more")
    except OSError as error:
        raise InputError(f"{unreadable(path, error)}; --from takes a CSV, Parquet or Excel table") from error
    named = [place for place, name in enumerate(names) if name.strip(BLANKS)]
    if len(named) < len(names):
        source = source.model_copy(update={"ignore_unnamed": True})
        shown = ", ".join(str(place + 1) for place in range(len(names)) if place not in named)
        readings = (*readings, f"column {shown} has no name and is left out (an index, as pandas writes it)")
    if not texts or not len(texts[0]):
        raise InputError(f"{path}: the table has no rows; give one with data")
    plain = plain_names([names[place] for place in named])
    words = [label not in (None, names[place], name) for place, name in zip(named, plain, strict=True)]
    semicolons = source.delimiter == ";"
    found = _readings([texts[place] for place in named], words=words, semicolons=semicolons)
    sketches: list[ColumnSketch] = []
    for place, name, reading in zip(named, plain, found, strict=True):
        sketches += _sketches(texts[place], reading, name=name, source_name=names[place])
    return TableSketch(path=path, source=source, columns=_distinct(sketches), sha256=before, readings=readings)


def read_columns(path: Path, *, source: Source, columns: Sequence[Column]) -> dict[str, pd.Series]:
    """Return the values of a problem's columns as its keys read them, by name; a cell that cannot be read is missing.

    Raises:
        InputError: If the file is not what the source says, or lacks a column.
    """
    with opened_table(path, source) as table:
        places = match_columns(table.names, columns=columns, where=str(path), ignore_unnamed=source.ignore_unnamed)
        texts = _gathered(table.batches, path, width=len(table.names), broken=True)
    return {
        column.name: CellReader(column).series(texts[place], unreadable_missing=True)
        for column, place in zip(columns, places, strict=True)
    }


def plain_names(names: Sequence[str]) -> list[str]:
    """Return names of letters, digits and underscores for any names, no two alike whatever the case."""
    plain: list[str] = []
    for position, name in enumerate(names, start=1):
        text = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode("ascii")
        text = re.sub(r"\W+", "_", text).strip("_") or f"column_{position}"
        text = f"column_{text}" if text[0].isdigit() else text
        text = f"{text}_value" if text.lower() in RESERVED_COLUMNS else text
        taken = {other.lower() for other in plain}
        numbered, count = text, 1
        while numbered.lower() in taken:
            count += 1
            numbered = f"{text}_{count}"
        plain.append(numbered)
    return plain


def _source(path: Path) -> tuple[Source, tuple[str, ...]]:
    """Return how a table is stored, and what is to be said of it."""
    if path.is_dir():
        if (path / "_delta_log").is_dir():
            raise InputError(
                f"{path}: a Delta table, of which a draft cannot be made; write the problem file by hand "
                '(format = "delta"), or give a Parquet or CSV copy'
            )
        if not any(path.rglob("*.parquet")):
            raise InputError(f"{path}: a folder without Parquet files; --from takes a CSV or Parquet table")
        return _named(path, format="parquet"), ()
    start = _start(path, "none")
    if start.startswith(b"PAR1"):
        return _named(path, format="parquet"), ()
    if start.startswith(_ZIP) and _is_workbook(path):
        return _named(path, format="xlsx"), ("an Excel workbook: its first sheet is read",)
    packed = {_GZIP: "gzip", _ZIP: "zip"}
    compression = next((packed[mark] for mark in packed if start.startswith(mark)), "none")
    readings = () if compression == "none" else (f"unpacked ({compression})",)
    if compression != "none":
        start = _start(path, compression)
    if not start:
        raise InputError(f"{path}: the file is empty; give one with a header and rows")
    if looks_like_html(start):
        raise InputError(f"{path}: an HTML page in place of a CSV file; fetch the file itself")
    encoding = _encoding(path, start, compression)
    if encoding != "utf-8":
        readings = (*readings, f"decoded as {encoding}")
    delimiter = _delimiter(path, start, encoding)
    return _named(path, delimiter=delimiter, encoding=encoding, compression=compression), readings


def _named(path: Path, **keys: Any) -> Source:
    return Source(name="table", file=path.name, **keys)


def _start(path: Path, compression: str) -> bytes:
    try:
        with opened_bytes(path, compression) as stream:
            return stream.read(_START_BYTES)
    except (zipfile.BadZipFile, EOFError, RuntimeError, NotImplementedError) as error:
        raise InputError(f"{path}: the {compression} file is damaged or cut off ({error}); fetch it again") from error


def _is_workbook(path: Path) -> bool:
    try:
        with zipfile.ZipFile(path) as archive:
            return any(name.startswith("xl/") for name in archive.namelist())
    except zipfile.BadZipFile:
        return False


def _encoding(path: Path, start: bytes, compression: str) -> str:
    """Return the encoding of a text: by its mark or zero bytes, UTF-8 where all of it is, else one of one byte."""
    for mark, name in ((codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16")):
        if start.startswith(mark):
            return name
    if b"\x00" in start:
        even, odd = start[0::2].count(0), start[1::2].count(0)
        if min(even, odd) * 4 > max(even, odd):
            raise InputError(f"{path}: no text; --from takes a CSV, Parquet or Excel table")
        return "utf-16-be" if even > odd else "utf-16-le"
    decoder = codecs.getincrementaldecoder("utf-8")()
    found = "utf-8"
    with opened_bytes(path, compression) as stream:
        while chunk := stream.read(_START_BYTES):
            if found == "utf-8":
                try:
                    decoder.decode(chunk)
                except UnicodeDecodeError:
                    found = "latin-1"
            if found != "utf-8" and _C1_BYTES.search(chunk):
                found = "cp1252"  # these bytes are control characters in Latin-1, and quotes and dashes on Windows
    if found == "cp1252":
        with opened_bytes(path, compression) as stream:
            try:
                for chunk in iter(lambda: stream.read(_START_BYTES), b""):
                    chunk.decode("cp1252")
            except UnicodeDecodeError:
                found = "latin-1"
    return found


def _delimiter(path: Path, start: bytes, encoding: str) -> str:
    """Return the delimiter that cuts the first records into the most columns, the same number in each."""
    text = codecs.getincrementaldecoder(encoding)("replace").decode(start).removeprefix("\ufeff")
    cut = len(start) == _START_BYTES
    counts = {mark: _lengths(text, mark, cut=cut) for mark in DELIMITERS}
    able = [mark for mark in DELIMITERS if counts[mark] and counts[mark][0] > 1]
    if not able:
        raise InputError(
            f"{path}: the header names one column only; columns are separated by a comma, semicolon, tab or |"
        )
    return max(able, key=lambda mark: (np.mean([n == counts[mark][0] for n in counts[mark]]), counts[mark][0]))


def _lengths(text: str, delimiter: str, *, cut: bool) -> list[int]:
    """Return how many fields each of the first records has; the last one counts only if the text is whole."""
    lengths: list[int] = []
    for record in csv.reader(io.StringIO(text, newline=""), delimiter=delimiter):
        if len(lengths) > _SNIFFED_LINES:
            return lengths[:-1]
        if any(field.strip() for field in record):
            lengths.append(len(record))
    return lengths[:-1] if cut and len(lengths) > 1 else lengths


def _check_header(path: Path, names: Sequence[str]) -> None:
    named = [name for name in names if name.strip(BLANKS)]
    if not named:
        raise InputError(f"{path}: the header names no column; put the columns' names above the rows")
    twice = next((name for name in named if named.count(name) > 1), None)
    if twice is not None:
        raise InputError(f"{path}: column {twice!r} is there more than once; rename or remove one")
    # pandas numbers the columns of a frame without names from 0 on; two columns would look too much like a row.
    numbered = len(named) > 2 and [name.strip() for name in named] == [str(number) for number in range(len(named))]
    if not numbered and all(_NUMBER.fullmatch(name.strip()) for name in named):
        raise InputError(f"{path}: the first line holds numbers only; put a header with the columns' names above it")


def _gathered(batches: Iterator[Batch], path: Path, *, width: int, broken: bool = False) -> list[pd.Series]:
    """Return all rows' texts, one series a column; rows that are broken have none, or are refused."""
    parts: list[list[pa.Array]] = [[] for _ in range(width)]
    rows = 0
    for batch in batches:
        for place, text in enumerate(batch.broken.to_pylist()):
            if text is not None and not broken:
                raise InputError(f"{path}: row {rows + place + 1}: {text}; correct the row, or remove it")
        rows += len(batch.broken)
        for part, texts in zip(parts, batch.texts, strict=True):
            part.append(texts)
    return [pa.chunked_array(part, pa.string()).to_pandas().astype(object) for part in parts]


def _readings(texts: Sequence[pd.Series], *, words: Sequence[bool], semicolons: bool) -> list[ColumnReading]:
    """Return the reading of each column; where one has decimal commas, points are between thousands in others."""
    found = [
        find_reading(column, decimal_comma=semicolons, words=may_be)
        for column, may_be in zip(texts, words, strict=True)
    ]
    if not any(reading.reading.decimal == "," for reading in found):
        return found
    return [
        (grouped_by_points(column, reading.reading) if reading.reading.kind == "number" else None) or reading
        for column, reading in zip(texts, found, strict=True)
    ]


def _sketches(texts: pd.Series, found: ColumnReading, *, name: str, source_name: str) -> Iterator[ColumnSketch]:
    """Yield the sketch of a column, and of the parts of its dates."""
    values = _values(texts, found.reading)
    sketch = _sketch(values, name, source_name, reading=found.reading)
    remark = found.remark or (alike_texts(values.dropna()) if found.reading.kind == "text" else "") or sketch.remark
    if found.reading.kind == "text" and found.remark:
        sketch = replace(sketch, role="ignored")
    yield replace(
        sketch, readings=found.converted, remark=sketch.remark if sketch.role == "ignored" and sketch.remark else remark
    )
    if found.reading.kind == "date":
        yield from _parts(texts, sketch)


def _parts(texts: pd.Series, date: ColumnSketch) -> Iterator[ColumnSketch]:
    formats = [parsed_format(text) for text in date.reading.dates]
    for part in _PARTS:
        if not all(form.has_time if part == "hour" else form.has_date for form in formats):
            continue
        reading = Reading.model_validate({**date.reading.model_dump(), "kind": "integer", "part": part})
        values = _values(texts, reading)
        if values.dropna().nunique() > 1:
            remark = f"the {part} of {date.source_name!r}"
            yield ColumnSketch(
                f"{date.name}_{part}", date.source_name, "integer", values, reading=reading, remark=remark
            )


def _values(texts: pd.Series, reading: Reading) -> pd.Series:
    values = CellReader(reading).series(texts)
    return values.reset_index(drop=True)


def _distinct(sketches: Sequence[ColumnSketch]) -> tuple[ColumnSketch, ...]:
    """Return the columns with names that differ; a part of a date may have the name of another column."""
    names = plain_names([sketch.name for sketch in sketches])
    return tuple(replace(sketch, name=name) for sketch, name in zip(sketches, names, strict=True))


def _sketch(values: pd.Series, name: str, source_name: str, *, reading: Reading) -> ColumnSketch:
    kind = reading.kind
    present = values.dropna()
    sketch = ColumnSketch(
        name=name,
        source_name=source_name,
        kind=kind,
        values=values,
        reading=reading,
        resolution=_resolution(present) if kind == "number" else None,
    )
    reason = _unfit(present, kind)
    if reason:
        return replace(sketch, role="ignored", remark=reason)
    return replace(sketch, remark=_remark(present, kind))


def _resolution(present: pd.Series) -> float | None:
    """Return the smallest decimal step seen; None for whole numbers, or too many decimals for a measurement.

    Whole numbers may be counts, codes or answers of 0 and 1, with or without missing values and however they are
    written (``1.0``): only a person can say that one of them is measured to a unit.
    """
    finite = present[np.isfinite(present)].unique()
    if not len(finite):
        return None
    decimals = 0
    for value in finite.tolist():
        exponent = Decimal(repr(value)).normalize().as_tuple().exponent
        decimals = max(decimals, -int(exponent))
        if decimals > _MOST_DECIMALS:
            return None
    return float(f"1e-{decimals}") if decimals else None


def _unfit(present: pd.Series, kind: ColumnKind) -> str:
    """Say why a column is no feature; empty if it may be one."""
    if present.empty:
        return "no row has a value"
    if kind == "date":
        return "a date or time, of which a model takes the parts"
    return ""


def _odd_value(texts: pd.Series) -> str:
    """Return a value that keeps a column from being one of numbers; empty if there is no such column behind it."""
    tokens = [str(token) for token in texts.unique()]
    odd = [token for token in tokens if not _NUMBER.fullmatch(token.strip())]
    return odd[0] if len(tokens) >= _FEW_ROWS and 0 < len(odd) <= max(1, len(tokens) // 10) else ""


def _remark(present: pd.Series, kind: ColumnKind) -> str:
    distinct = present.nunique()
    if distinct == 1:
        return "one value only"
    if kind != "text":
        return ""
    odd = _odd_value(present)
    if odd:
        return f"text because of {odd!r}; leave such values empty in the file if they mean that one is missing"
    if distinct > MAXIMUM_LEVELS:
        return f"{distinct} different texts; a model sees the {MAXIMUM_LEVELS} most frequent"
    return ""
