"""Files of tables as people save them: numbers, dates and words in many spellings, encodings, packings and formats."""

from __future__ import annotations

import csv
import gzip
import io
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any, Literal

import numpy as np

from gauntlet.core.seeding import Seeds

SEED = 16
_MARKERS = ("?", "NA", "n/a", "", " ", "nan", "-", "unknown", "NULL")
_LABELS = (("yes", "no"), ("0", "1"), ("True", "False"), ("good\none", "bad"), ("Ja", "Nein"), ("a", "b"))
_FILE_NAMES = ("data", "_data", ".data", "a b", "a:b", "50%", "[x]", "größe", "a,b", "x.y", "{z}", "q'1")
_NAMES = ("x", "X", "Größe", "a b", "a_b", "_metadata", "label", "2nd", "price (€)", "two\nlines", "source", "n" * 300)
_DATES = ("%Y-%m-%d", "%d.%m.%Y", "%m/%d/%Y", "%Y-%m-%d %H:%M:%S", "%Y-%m-%dT%H:%M:%SZ", "%d %b %Y", "%H:%M:%S")

Column = Callable[[np.random.Generator, int], list[str]]


@dataclass(frozen=True)
class MadeFile:
    """A file that was made.

    Attributes:
        path: Where it lies.
        label: The name of its label column.
        header: The names of its columns.
        rows: Its cells as texts; None for Parquet, which has no texts.
        text: Whether its bytes are plain delimited text.
    """

    path: Path
    label: str
    header: list[str]
    rows: list[list[str]] | None
    text: bool


def made_file(number: int, folder: Path) -> MadeFile:
    """Write the file of a number into a folder."""
    generator = Seeds(SEED).generator("reader_parity", number)
    rows, width = int(generator.integers(30, 60)), int(generator.integers(2, 6))
    names = [str(name) for name in generator.choice(_NAMES, width, replace=False)]
    pair = _LABELS[generator.integers(len(_LABELS))]
    classes = [pair[index] for index in np.resize([0, 1, 1], rows)]
    generator.shuffle(classes)
    kind = generator.random()
    name = f"{_FILE_NAMES[generator.integers(len(_FILE_NAMES))]}{number}"
    folder.mkdir(parents=True, exist_ok=True)
    if kind < 0.15:
        path = folder / f"{name}.parquet"
        _write_parquet(path, generator, names=[*names, "target"], classes=classes)
        return MadeFile(path, "target", [*names, "target"], None, text=False)
    columns = [_COLUMNS[generator.integers(len(_COLUMNS))](generator, rows) for _ in names]
    header, cells = [*names, "target"], [list(row) for row in zip(*columns, classes, strict=True)]
    if kind < 0.22:
        path = folder / f"{name}.xlsx"
        _write_workbook(path, [header, *cells])
        return MadeFile(path, "target", header, cells, text=False)
    if generator.random() < 0.2:
        header, cells = ["", *header], [[str(place), *row] for place, row in enumerate(cells)]
    content = _delimited(generator, header, cells)
    packing = generator.random()
    path = folder / f"{name}.csv{'.gz' if packing < 0.1 else '.zip' if packing < 0.2 else ''}"
    if packing < 0.1:
        content = gzip.compress(content, mtime=0)
    elif packing < 0.2:
        packed = io.BytesIO()
        with zipfile.ZipFile(packed, "w") as archive:
            archive.writestr(zipfile.ZipInfo("table.csv"), content)
        content = packed.getvalue()
    path.write_bytes(content)
    return MadeFile(path, "target", header, cells, text=packing >= 0.2)


def damage(made: MadeFile) -> None:
    """Break a file so that no reader may take it: cut off, or with a quote that is never closed."""
    content = made.path.read_bytes()
    if made.text:  # made by Python, whose UTF-16 is of little ends on all machines that this runs on
        made.path.write_bytes(content + '"cut'.encode("utf-16-le" if b"\x00" in content else "utf-8"))
    else:
        made.path.write_bytes(content[: len(content) * 2 // 3])


def _marked(generator: np.random.Generator, cells: list[str]) -> list[str]:
    """Return cells of which some are missing, written in one way."""
    if generator.random() < 0.5:
        return cells
    marker = _MARKERS[generator.integers(len(_MARKERS))]
    gone = generator.random(len(cells)) < 0.15
    return [marker if missing else cell for cell, missing in zip(cells, gone, strict=True)]


def _numbers(write: Callable[[float], str], *, low: float = -2000, high: float = 2000) -> Column:
    def column(generator: np.random.Generator, rows: int) -> list[str]:
        return _marked(generator, [write(float(value)) for value in generator.uniform(low, high, rows)])

    return column


def _choices(*values: str) -> Column:
    def column(generator: np.random.Generator, rows: int) -> list[str]:
        return _marked(generator, [values[index] for index in generator.integers(len(values), size=rows)])

    return column


def _swapped(text: str) -> str:
    return text.translate(str.maketrans(",.", ".,"))


def _dated(generator: np.random.Generator, rows: int) -> list[str]:
    form = _DATES[generator.integers(len(_DATES))]
    seconds = generator.integers(0, 10**9, rows)
    start = datetime(1995, 1, 1, tzinfo=UTC)
    return _marked(generator, [(start + timedelta(seconds=int(value))).strftime(form) for value in seconds])


def _sentinels(generator: np.random.Generator, rows: int) -> list[str]:
    values = generator.integers(0, 40, rows)
    return [str(-999 if index % 7 == 0 else value) for index, value in enumerate(values)]


_COLUMNS: tuple[Column, ...] = (
    _numbers(lambda value: f"{value:.0f}"),
    _numbers(lambda value: f"{value:.2f}"),
    _numbers(lambda value: f" {value:.1f}\u00a0"),
    _numbers(repr),
    _numbers(lambda value: f"{value:.3e}"),
    _numbers(lambda value: f"{value * 1e35:.4e}"),
    _numbers(lambda value: f"{value * 1e37:.4e}"),  # some are beyond what a model's floats hold
    _numbers(lambda value: f"{value * 1e17:.0f}"),
    _numbers(lambda value: f"{value:,.2f}"),
    _numbers(lambda value: f"{value * 100:,.0f}"),
    _numbers(lambda value: _swapped(f"{value:.2f}")),
    _numbers(lambda value: _swapped(f"{value:,.2f}")),
    _numbers(lambda value: f"{value * 100:,.1f}".replace(",", " ")),
    _numbers(lambda value: f"${value:,.2f}" if value >= 0 else f"(${-value:,.2f})"),
    _numbers(lambda value: f"{_swapped(f'{value:.2f}')} €"),
    _numbers(lambda value: f"{value / 20:.1f}%"),
    _numbers(lambda value: f"{value:05.0f}", low=0),
    _choices("yes", "no"),
    _choices("TRUE", "false"),
    _choices("ja", "Nein"),
    _choices("NA", "DE", "FR"),
    _choices("Male", "male ", "Female", "unknown"),
    _choices('say "no"', "two\nlines", "a,b;c\td|e", "größe", "☃"),
    _choices("one value"),
    _choices("inf", "1.5", "2"),
    _dated,
    _dated,
    _sentinels,
)


def _delimited(generator: np.random.Generator, header: list[str], cells: list[list[str]]) -> bytes:
    text = io.StringIO(newline="")
    end = "\r\n" if generator.random() < 0.3 else "\n"
    quoting: Literal[0, 1] = csv.QUOTE_ALL if generator.random() < 0.2 else csv.QUOTE_MINIMAL
    delimiter = str(generator.choice([",", ";", "\t", "|"]))
    writer = csv.writer(text, delimiter=delimiter, lineterminator=end, quoting=quoting)
    writer.writerows([header, *cells])
    encoding = str(generator.choice(["utf-8", "utf-8-sig", "utf-16", "latin-1", "cp1252"]))
    try:
        return text.getvalue().encode(encoding)
    except UnicodeEncodeError:
        return text.getvalue().encode("utf-8")


def _write_workbook(path: Path, rows: list[list[str]]) -> None:
    import openpyxl  # noqa: PLC0415 - takes a while to import

    book = openpyxl.Workbook()
    for row in rows:
        book.active.append([_cell(text) for text in row])
    book.save(path)


def _cell(text: str) -> Any:
    """Return a text as Excel would hold it once it was typed in."""
    try:
        return int(text) if text.lstrip("-").isdigit() and not text.startswith("0") else float(text)
    except ValueError:
        return text or None


def _write_parquet(path: Path, generator: np.random.Generator, *, names: list[str], classes: list[str]) -> None:
    import pyarrow as pa  # noqa: PLC0415 - takes a while to import
    from pyarrow import parquet  # noqa: PLC0415

    rows = len(classes)
    numbers = generator.normal(0, 100, rows)
    moments = [datetime(2020, 1, 1) + timedelta(seconds=int(value)) for value in generator.integers(0, 10**8, rows)]
    typed = (
        pa.array(numbers),
        pa.array(numbers.astype(np.float32)),
        pa.array(numbers.astype(np.float16)),
        pa.array(numbers.astype(np.int8)),
        pa.array([None if value < -100 else int(value * 1e15) for value in numbers], pa.int64()),
        pa.array([Decimal(f"{value:.3f}") for value in numbers], pa.decimal128(12, 3)),
        pa.array([Decimal(f"{value:.3f}") for value in numbers], pa.decimal256(60, 3)),
        pa.array(numbers > 0),
        pa.array(moments, pa.timestamp("ns")),
        pa.array(moments, pa.timestamp("us", tz="UTC")),
        pa.array([moment.date() for moment in moments], pa.date32()),
        pa.array([moment.time() for moment in moments], pa.time64("us")),
        pa.array([f"level {int(value) % 3}" for value in numbers]).dictionary_encode(),
        pa.array(["NA" if value < 0 else "a" for value in numbers], pa.large_string()),
        pa.nulls(rows),
    )
    columns = [typed[generator.integers(len(typed))] for _ in names[:-1]]
    parquet.write_table(pa.table([*columns, pa.array(classes)], names=names), path)
