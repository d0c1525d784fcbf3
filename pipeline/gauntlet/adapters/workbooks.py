"""This module provides the reading of workbooks (.xlsx): the cells of one sheet as texts."""

from __future__ import annotations

import importlib.util
import zipfile
from collections.abc import Iterator
from datetime import date, datetime, time, timedelta
from pathlib import Path
from typing import Any

from gauntlet.adapters.delimited import Record
from gauntlet.core.errors import DataError, RequirementError
from gauntlet.core.reading import LARGEST_EXACT


def workbook_records(path: Path, *, sheet: str | None) -> Iterator[Record]:
    """Yield the records of a sheet, the header first; rows without any value are no records.

    Args:
        path: The workbook.
        sheet: The sheet's name; None takes the first.

    Raises:
        RequirementError: If openpyxl is not installed.
        DataError: If the file is no workbook or has no such sheet.
    """
    if importlib.util.find_spec("openpyxl") is None:
        raise RequirementError(
            f"{path}: workbooks are read with openpyxl, which is not installed: pip install 'gauntlet-mlops[excel]'; "
            "or save the sheet as CSV"
        )
    import openpyxl  # noqa: PLC0415 - optional

    try:
        book = openpyxl.load_workbook(path, read_only=True, data_only=True)
    except (zipfile.BadZipFile, KeyError, ValueError, TypeError, EOFError) as error:
        raise DataError(
            f"{path}: not a workbook that can be read ({error}); save it anew as .xlsx, or as CSV"
        ) from error
    try:
        if sheet is not None and sheet not in book.sheetnames:
            raise DataError(f"{path}: there is no sheet {sheet!r}; it has {', '.join(map(repr, book.sheetnames))}")
        chosen = book[sheet] if sheet is not None else book.worksheets[0]
        yield from _records(chosen.iter_rows(values_only=True))
    finally:
        book.close()


def _records(rows: Iterator[tuple[Any, ...]]) -> Iterator[Record]:
    width = 0
    for row in rows:
        texts = [_text(value) for value in row]
        if not any(texts):
            continue
        if not width:
            width = max(place for place, text in enumerate(texts, start=1) if text)
        beyond = [text for text in texts[width:] if text]
        fields = [*texts[:width], *[""] * (width - len(texts))]
        fault = f"the row has not {width} fields: '{beyond[0][:80]}' stands beyond the header" if beyond else ""
        yield Record(fields, fault)


def _text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, datetime):
        return value.date().isoformat() if value.time() == time() else value.isoformat(sep=" ")
    if isinstance(value, (date, time)):
        return value.isoformat()
    if isinstance(value, timedelta):
        return repr(value.total_seconds())
    if isinstance(value, float) and value.is_integer() and abs(value) < LARGEST_EXACT:
        return str(int(value))
    return str(value).lower() if isinstance(value, bool) else str(value)
