"""This module provides the sketch of a table that nobody has described yet: its format, and what its columns hold."""

from __future__ import annotations

import csv
import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd
import pyarrow as pa

from gauntlet.adapters.delimited import check_delimited
from gauntlet.adapters.origin_files import looks_like_html, unreadable
from gauntlet.core.encoding import MAXIMUM_LEVELS
from gauntlet.core.errors import InputError
from gauntlet.core.problem import RESERVED_COLUMNS, Column, ColumnKind, Source

DELIMITERS = (",", ";", "\t", "|")

_START_BYTES = 1 << 16
_SNIFFED_LINES = 50
_MOST_DECIMALS = 6
_FEW_ROWS = 20  # below, all values of a column may differ by chance

_BOOLEAN = re.compile(r"true|false", re.IGNORECASE)
_INTEGER = re.compile(r"[+-]?\d{1,18}")
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")
_CODE = re.compile(r"[+-]?0\d+")  # 00123: a code, whose zeros a number would lose
# How values of dates and times are told from texts: by pandas' own type for texts, which nothing else here has.
_TIME_TEXT = "string"
_NUMERIC = (pa.types.is_integer, pa.types.is_floating, pa.types.is_decimal)
_TEXTS = (pa.types.is_string, pa.types.is_large_string)
_TIMES = (pa.types.is_temporal,)
_IDENTIFIER = re.compile(r"(^|[_\W])(id|ids|uuid|guid|key|index|idx|rownum|row_number|number|nr)$|^(id|unnamed)", re.I)


@dataclass(frozen=True)
class ColumnSketch:
    """What one column holds.

    Attributes:
        name: A name that tables may use.
        source_name: The name in the file.
        kind: The type that all its values fit.
        values: The values: ``boolean``, ``Int64``, ``float64`` or texts, missing where the file has none.
        resolution: The smallest decimal step seen, for numbers.
        role: A feature, or not fit to be one.
        remark: Why it is not, or what to look at; empty if there is nothing to say.
    """

    name: str
    source_name: str
    kind: ColumnKind
    values: pd.Series
    resolution: float | None = None
    role: Literal["feature", "ignored"] = "feature"
    remark: str = ""

    @property
    def missing(self) -> int:
        """The number of rows without a value."""
        return int(self.values.isna().sum())


@dataclass(frozen=True)
class TableSketch:
    """A table's format and columns."""

    path: Path
    format: Literal["csv", "parquet"]
    delimiter: str
    columns: tuple[ColumnSketch, ...]

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


def sketch_table(path: Path) -> TableSketch:
    """Read a CSV or Parquet table and say what its columns hold.

    Raises:
        InputError: If it cannot be read, or is neither.
    """
    try:
        if path.is_dir() or _start(path).startswith(b"PAR1"):
            names, series = _read_parquet(path)
            delimiter, kind = ",", "parquet"
        else:
            delimiter = _delimiter(path)
            names, series = _read_csv(path, delimiter)
            kind = "csv"
    except OSError as error:
        raise InputError(f"{unreadable(path, error)}; --from takes a CSV or Parquet table") from error
    except pa.ArrowException as error:
        raise InputError(f"{path}: {str(error).splitlines()[0]}") from error
    columns = [
        _sketch(column, name, source_name)
        for column, name, source_name in zip(series, plain_names(names), names, strict=True)
    ]
    if not columns or not len(columns[0].values):
        raise InputError(f"{path}: the table has no rows; give one with data")
    return TableSketch(
        path=path, format="parquet" if kind == "parquet" else "csv", delimiter=delimiter, columns=(*columns,)
    )


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


def _start(path: Path) -> bytes:
    with path.open("rb") as stream:
        return stream.read(_START_BYTES)


def _delimiter(path: Path) -> str:
    """Return the delimiter that cuts the first lines into the most columns, the same number in each."""
    start = _start(path)
    if not start:
        raise InputError(f"{path}: the file is empty; give one with a header and rows")
    if b"\x00" in start:
        raise InputError(f"{path}: UTF-16 or no text at all; save the table as UTF-8 CSV or as Parquet")
    if looks_like_html(start):
        raise InputError(f"{path}: an HTML page in place of a CSV file; fetch the file itself")
    # What is wrong further on, a wrong byte above all, the check of the whole file says.
    lines = start.decode("utf-8", errors="replace").splitlines()
    lines = [line for line in (lines[:-1] if len(start) == _START_BYTES else lines) if line.strip()][:_SNIFFED_LINES]
    counts = {mark: [len(row) for row in csv.reader(lines, delimiter=mark)] for mark in DELIMITERS}
    able = [mark for mark in DELIMITERS if counts[mark] and counts[mark][0] > 1]
    if not able:
        raise InputError(
            f"{path}: the header names one column only; columns are separated by a comma, semicolon, tab or |"
        )
    return max(able, key=lambda mark: (np.mean([n == counts[mark][0] for n in counts[mark]]), counts[mark][0]))


def _read_csv(path: Path, delimiter: str) -> tuple[list[str], list[pd.Series]]:
    from pyarrow import csv as arrow_csv  # noqa: PLC0415 - needed for CSV only

    with path.open(encoding="utf-8-sig", errors="replace", newline="") as stream:
        names = next((row for row in csv.reader(stream, delimiter=delimiter) if any(row)), [])
    _check_header(path, names)
    columns = [Column(name=name, source_name=source) for name, source in zip(plain_names(names), names, strict=True)]
    check_delimited(path, source=Source(name="table", file=path.name, delimiter=delimiter), columns=columns)
    table = arrow_csv.read_csv(
        path,
        parse_options=arrow_csv.ParseOptions(delimiter=delimiter),
        convert_options=arrow_csv.ConvertOptions(
            column_types=dict.fromkeys(names, pa.string()),
            null_values=[""],
            strings_can_be_null=True,
            quoted_strings_can_be_null=True,
        ),
    )
    return names, [_typed(column.to_pandas()) for column in table.columns]


def _check_header(path: Path, names: Sequence[str]) -> None:
    for position, name in enumerate(names, start=1):
        if not name.strip():
            raise InputError(
                f"{path}: column {position} has no name; name it in the header, or leave it out (pandas writes its "
                "index so, unless told index=False)"
            )
    if all(_NUMBER.fullmatch(name.strip()) for name in names):
        raise InputError(f"{path}: the first line holds numbers only; put a header with the columns' names above it")


def _typed(texts: pd.Series) -> pd.Series:
    """Return a CSV's texts as the narrowest kind that fits all of them; blanks alone are a missing value."""
    texts = texts.astype(object).where(texts.str.strip() != "", None) if texts.notna().any() else texts.astype(object)
    trimmed = texts.str.strip() if texts.notna().any() else texts
    tokens = [str(token) for token in trimmed.dropna().unique()]
    if not tokens or any(_CODE.fullmatch(token) for token in tokens):
        return texts
    if all(_BOOLEAN.fullmatch(token) for token in tokens):
        return trimmed.str.lower().map({"true": True, "false": False}).astype("boolean")
    if all(_INTEGER.fullmatch(token) for token in tokens):
        return trimmed.map(int, na_action="ignore").astype("Int64")
    if all(_NUMBER.fullmatch(token) for token in tokens):
        return trimmed.map(float, na_action="ignore").astype("float64")
    return texts


def _read_parquet(path: Path) -> tuple[list[str], list[pd.Series]]:
    from pyarrow import parquet  # noqa: PLC0415 - needed for Parquet only

    if path.is_dir() and (path / "_delta_log").is_dir():
        raise InputError(
            f"{path}: a Delta table, of which a draft cannot be made; write the problem file by hand "
            '(format = "delta"), or give a Parquet or CSV copy'
        )
    if path.is_dir() and not any(path.rglob("*.parquet")):
        raise InputError(f"{path}: a folder without Parquet files; --from takes a CSV or Parquet table")
    table = parquet.read_table(path)
    names = list(table.column_names)
    _check_header(path, names)
    unreadable_kinds = [
        f"{field.name!r} is of type {field.type}" for field in table.schema if not _readable(field.type)
    ]
    if unreadable_kinds:
        raise InputError(f"{path}: column {unreadable_kinds[0]}; give numbers, booleans, texts, dates or times")
    return names, [_from_arrow(column) for column in table.columns]


def _readable(kind: pa.DataType) -> bool:
    if pa.types.is_dictionary(kind):
        return _readable(kind.value_type)
    return any(is_kind(kind) for is_kind in (*_NUMERIC, *_TEXTS, *_TIMES, pa.types.is_boolean, pa.types.is_null))


def _from_arrow(column: pa.ChunkedArray) -> pd.Series:
    kind = column.type
    if pa.types.is_dictionary(kind):
        return _from_arrow(column.cast(kind.value_type))
    if pa.types.is_integer(kind):
        return column.cast(pa.int64()).to_pandas(types_mapper={pa.int64(): pd.Int64Dtype()}.get)
    if any(is_kind(kind) for is_kind in _NUMERIC):
        # Short floats by their shortest texts: 0.1 in 32 bits is not 0.1 in 64 bits, but means it.
        short = pa.types.is_floating(kind) and kind != pa.float64()
        return column.to_pandas().astype(str).astype("float64") if short else column.cast(pa.float64()).to_pandas()
    if any(is_kind(kind) for is_kind in _TIMES):
        return column.cast(pa.string()).to_pandas().astype(_TIME_TEXT)
    return column.to_pandas().astype("boolean" if pa.types.is_boolean(kind) else object)


def _sketch(values: pd.Series, name: str, source_name: str) -> ColumnSketch:
    kind = _kind(values)
    present = values.dropna()
    sketch = ColumnSketch(
        name=name,
        source_name=source_name,
        kind=kind,
        values=values.reset_index(drop=True),
        resolution=_resolution(present) if kind == "number" else None,
    )
    reason = _unfit(present, kind, source_name)
    if reason:
        return replace(sketch, role="ignored", remark=reason)
    return replace(sketch, remark=_remark(present, kind))


def _kind(values: pd.Series) -> ColumnKind:
    if pd.api.types.is_bool_dtype(values.dtype):
        return "boolean"
    if pd.api.types.is_integer_dtype(values.dtype):
        return "integer"
    return "number" if pd.api.types.is_float_dtype(values.dtype) else "text"


def _resolution(present: pd.Series) -> float | None:
    """Return the smallest decimal step seen, or None where there are too many decimals for a measurement."""
    finite = present[np.isfinite(present)].unique()
    if not len(finite):
        return None
    decimals = 0
    for value in finite.tolist():
        exponent = Decimal(repr(value)).normalize().as_tuple().exponent
        decimals = max(decimals, -int(exponent))
        if decimals > _MOST_DECIMALS:
            return None
    return float(f"1e-{decimals}")


def _unfit(present: pd.Series, kind: ColumnKind, source_name: str) -> str:
    """Say why a column is no feature; empty if it may be one."""
    if present.empty:
        return "no row has a value"
    if isinstance(present.dtype, pd.StringDtype):
        return "dates or times, which no model here takes; make a number of them if they matter"
    all_differ = len(present) >= _FEW_ROWS and present.is_unique
    if all_differ and kind == "text" and not _odd_value(present):
        return "every row has a text of its own: an identifier, or free text"
    if all_differ and kind == "integer" and _IDENTIFIER.search(source_name.strip()):
        return "every row has a number of its own: an identifier"
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
