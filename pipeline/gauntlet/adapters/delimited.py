"""This module provides the check of delimited files before Spark sees them: encoding, delimiter and header.

Spark would read a UTF-16 file as garbage, a wrong delimiter as one wide column, and a header of other columns without a
word. Each of these is one clear message here.
"""

from __future__ import annotations

import codecs
import csv
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from gauntlet.adapters.origin_files import looks_like_html, unreadable
from gauntlet.core.errors import DataError, SourceError
from gauntlet.core.problem import Column, Source

_CHUNK = 1 << 20
_DELIMITERS = (";", ",", "\t", "|")
_DELIMITER_NAMES = {"\t": "\\t"}
_SHOWN = 8
_LINE_END = re.compile(r"\r\n|\r|\n")
_BYTE_ORDER_MARK = "\ufeff"


@dataclass(frozen=True)
class _Lines:
    """The first lines of a file that are not blank: its header, and whether any follows."""

    header: str
    has_rows: bool


def check_delimited(path: Path, *, source: Source, columns: Sequence[Column]) -> tuple[Column, ...]:
    """Check a delimited file's encoding and header, and return its columns in the file's own order.

    Args:
        path: The file.
        source: Its source, for the delimiter and for messages.
        columns: The columns that the file must have, in any order.

    Raises:
        SourceError: If the file cannot be read.
        DataError: If it is empty, has no rows, is not UTF-8 text, or has other columns. The message names the file,
            what was found, and what to do.
    """
    try:
        lines = _first_lines(path)
    except OSError as error:
        raise SourceError(unreadable(path, error)) from error
    names = _fields(lines.header, source.delimiter)
    if len(names) == 1 and len(columns) > 1:
        _refuse_other_delimiter(path, source, lines.header)
    found = match_columns(names, columns=columns, where=str(path))
    if not lines.has_rows:
        raise DataError(f"{path}: a header and no rows; give a file with data")
    return found


def match_columns(names: Sequence[str], *, columns: Sequence[Column], where: str) -> tuple[Column, ...]:
    """Return the problem's columns in the order of a table's own names.

    Spaces count as underscores, quotes and surrounding blanks do not count.

    Args:
        names: The names found.
        columns: The columns wanted.
        where: The file or table, for messages.

    Raises:
        DataError: If a name is there twice, a column is missing, or there is one more than the problem names.
    """
    wanted = {_normalised(column.source_name or column.name): column for column in columns}
    found = [_normalised(name) for name in names]
    twice = sorted({name for name in found if found.count(name) > 1})
    if twice:
        raise DataError(f"{where}: column {_listed(twice)} is there more than once; rename or remove one")
    missing = [column for key, column in wanted.items() if key not in found]
    if missing:
        raise DataError(
            f"{where}: column {_listed([column.source_name or column.name for column in missing])} is missing; the "
            f"file has {_listed(found)}. Name the file's column with source_name in [[columns]], or remove it there"
        )
    extra = [name for name in found if name not in wanted]
    if extra:
        raise DataError(
            f"{where}: column {_listed(extra)} is not expected; add it to [[columns]] "
            '(role = "ignored" keeps it away from models), or remove it from the file'
        )
    return tuple(wanted[name] for name in found)


def _normalised(name: str) -> str:
    return "_".join(name.strip().strip("\"'").split())


def _listed(names: Sequence[str]) -> str:
    shown = ", ".join(repr(name) for name in names[:_SHOWN])
    return f"{shown} and {len(names) - _SHOWN} more" if len(names) > _SHOWN else shown


def _first_lines(path: Path) -> _Lines:
    """Find the first lines, and decode all the rest too, so that a wrong byte anywhere is known now."""
    text, lines = "", list[str]()
    for piece in _decoded(path):
        if len(lines) < 2:
            text += piece
            lines = [line for line in _LINE_END.split(text) if line.strip()]
    if not lines:
        raise DataError(f"{path}: the file is empty; give a file with a header and rows")
    return _Lines(header=lines[0], has_rows=len(lines) > 1)


def _decoded(path: Path) -> Iterator[str]:
    decoder = codecs.getincrementaldecoder("utf-8")()
    offset = 0
    with path.open("rb") as stream:
        while chunk := stream.read(_CHUNK):
            if offset == 0:
                _refuse_other_kinds(path, chunk)
            pending = len(decoder.getstate()[0])
            try:
                text = decoder.decode(chunk)
            except UnicodeDecodeError as error:
                raise DataError(_not_utf8(path, error, start=offset - pending)) from error
            yield text if offset else text.removeprefix(_BYTE_ORDER_MARK)
            offset += len(chunk)
    if decoder.getstate()[0]:
        raise DataError(f"{path}: ends in the middle of a UTF-8 character, so it is truncated; fetch it again")


def _refuse_other_kinds(path: Path, start: bytes) -> None:
    if start.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) or b"\x00" in start[:64]:
        raise DataError(f"{path}: UTF-16 text; save the file as UTF-8")
    if looks_like_html(start):
        raise DataError(f"{path}: an HTML page in place of a CSV file; fetch the file itself")


def _not_utf8(path: Path, error: UnicodeDecodeError, *, start: int) -> str:
    byte = error.object[error.start]
    return f"{path}: not UTF-8 text at byte {start + error.start} (0x{byte:02x}); save the file as UTF-8"


def _fields(line: str, delimiter: str) -> list[str]:
    return next(csv.reader([line], delimiter=delimiter), [])


def _refuse_other_delimiter(path: Path, source: Source, header: str) -> None:
    others = [mark for mark in _DELIMITERS if mark != source.delimiter and len(_fields(header, mark)) > 1]
    if not others:
        return
    best = max(others, key=lambda mark: len(_fields(header, mark)))
    shown = _DELIMITER_NAMES.get(best, best)
    given = _DELIMITER_NAMES.get(source.delimiter, source.delimiter)
    raise DataError(
        f"{path}: the header's columns are separated by '{shown}', not '{given}'; "
        f'set delimiter = "{shown}" for source {source.name!r}'
    )
