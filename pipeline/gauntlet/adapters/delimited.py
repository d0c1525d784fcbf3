"""This module provides the reading of delimited text: bytes to the texts of cells, record by record.

One parser reads CSV for drafts, runs and the server: Python's own, in its strict mode. What it cannot take is one clear
error with the line; a record that is cut off never passes for a whole one.
"""

from __future__ import annotations

import codecs
import csv
import gzip
import io
import sys
import zipfile
import zlib
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, NamedTuple, cast

from gauntlet.adapters.origin_files import looks_like_html, unreadable
from gauntlet.core.errors import DataError, SourceError
from gauntlet.core.problem import Source

DELIMITERS = (",", ";", "\t", "|")

_CHUNK = 1 << 20
_DELIMITER_NAMES = {"\t": "\\t"}
_SHOWN_CHARACTERS = 80
_ARCHIVE_NOISE = ("__MACOSX/", ".DS_Store")
_DAMAGED = (zipfile.BadZipFile, zlib.error, EOFError, gzip.BadGzipFile, RuntimeError, NotImplementedError)
# A column repeats its values if it has no more distinct ones than this share of its rows.
_REPEATING, _FEWEST_ROWS, _MOST_COUNTED = 0.1, 20, 1000

# Cells may be of any length; this is the csv module's own limit, for the whole process.
csv.field_size_limit(sys.maxsize)


class Record(NamedTuple):
    """One record of a delimited text.

    Attributes:
        fields: The texts of its cells.
        fault: Why it cannot be a row; empty if it can.
    """

    fields: list[str]
    fault: str = ""


@contextmanager
def opened_text(path: Path, source: Source) -> Iterator[IO[str]]:
    """Open a source's file as decoded, unpacked text with its line breaks as they are.

    Raises:
        SourceError: If the file cannot be read.
        DataError: If it is damaged, or not of the encoding that the source says.
    """
    try:
        with opened_bytes(path, source.compression) as stream:
            _refuse_other_kinds(path, stream, source)
            encoding = "utf-8-sig" if codecs.lookup(source.encoding).name == "utf-8" else source.encoding
            with io.TextIOWrapper(stream, encoding=encoding, newline="") as text:
                yield text
    except UnicodeError as error:
        raise DataError(_not_encoded(path, source, error)) from error
    except _DAMAGED as error:
        raise DataError(
            f"{path}: the {source.compression} file is damaged or cut off ({error}); fetch it again"
        ) from error
    except OSError as error:
        raise SourceError(unreadable(path, error)) from error


@contextmanager
def opened_bytes(path: Path, compression: str) -> Iterator[io.BufferedReader]:
    """Open a file's bytes, unpacked.

    Raises:
        DataError: If it is a ZIP archive that does not hold just one file.
    """
    if compression == "gzip":
        with gzip.open(path, "rb") as stream:
            yield io.BufferedReader(stream)
    elif compression == "zip":
        with zipfile.ZipFile(path) as archive, archive.open(_only_member(path, archive)) as member:
            yield io.BufferedReader(cast("io.BufferedIOBase", member))
    else:
        with path.open("rb") as stream:
            yield stream


def records(lines: Iterable[str], *, delimiter: str, where: str) -> Iterator[Record]:
    """Yield the records of a text, the header first; blank lines are no records.

    Args:
        lines: The text's lines with their ends.
        delimiter: What separates cells.
        where: What messages call the text.

    Raises:
        DataError: If a quote is never closed, text follows a closing quote, or the last record is cut off. All records
            before have been given then, so nothing may be made of them.
    """
    watched = _LastLine(lines)
    reader = csv.reader(watched, delimiter=delimiter, strict=True)
    width, start = 0, 1
    last = _LastValues()
    while True:
        try:
            fields = next(reader, None)
        except csv.Error as error:
            raise DataError(_malformed(where, error, first=start, last=reader.line_num)) from error
        if fields is None:
            break
        start = reader.line_num + 1
        if not fields or (len(fields) == 1 and width != 1 and not fields[0].strip()):
            continue
        if not width:
            width = len(fields)
            yield Record(fields)
        elif len(fields) == width:
            last.add(fields[-1])
            yield Record(fields)
        else:
            shown = delimiter.join(fields)[:_SHOWN_CHARACTERS]
            yield Record(fields, f"the row has not {width} fields: '{shown}'")
    if width and not watched.ended:
        last.require_whole(where)


def refuse_other_delimiter(names: list[str], source: Source, *, where: str) -> None:
    """Refuse a header that another delimiter would cut into several columns.

    Raises:
        DataError: If there is such a delimiter. The message names it.
    """
    others = [mark for mark in DELIMITERS if mark != source.delimiter and mark in names[0]]
    if not others:
        return
    best = max(others, key=names[0].count)
    shown = _DELIMITER_NAMES.get(best, best)
    given = _DELIMITER_NAMES.get(source.delimiter, source.delimiter)
    raise DataError(
        f"{where}: the header's columns are separated by '{shown}', not '{given}'; "
        f'set delimiter = "{shown}" for source {source.name!r}'
    )


class _LastLine:
    """Lines that pass through, of which the last one's end is remembered."""

    def __init__(self, lines: Iterable[str]) -> None:
        self.ended = True
        self._lines = lines

    def __iter__(self) -> Iterator[str]:
        for line in self._lines:
            self.ended = line.endswith(("\n", "\r"))
            yield line


class _LastValues:
    """The values of the last column, by which a last record is known to be cut off in its last cell."""

    def __init__(self) -> None:
        self._counts: Counter[str] = Counter()
        self._rows = 0
        self._last = ""

    def add(self, value: str) -> None:
        self._rows, self._last = self._rows + 1, value
        if value in self._counts or len(self._counts) <= _MOST_COUNTED:
            self._counts[value] += 1

    def require_whole(self, where: str) -> None:
        """Refuse a last value that no other row has and that begins one which others have.

        Raises:
            DataError: If the column repeats its values and the last is such a one.
        """
        others = [value for value in self._counts if value != self._last]
        if self._rows < _FEWEST_ROWS or len(others) > _REPEATING * self._rows or self._counts[self._last] > 1:
            return
        whole = next((value for value in others if value.startswith(self._last)), None)
        if whole is not None:
            raise DataError(
                f"{where}: the file seems to be cut off: its last line has no end, and the last value "
                f"'{self._last[:_SHOWN_CHARACTERS]}' begins '{whole[:_SHOWN_CHARACTERS]}'; fetch it again, or end the "
                "line if it is whole"
            )


def _malformed(where: str, error: csv.Error, *, first: int, last: int) -> str:
    if "unexpected end" in str(error):
        return (
            f"{where}: a quote that is opened in the record of line {first} is never closed; the file is cut off, or "
            "the quote belongs to the text: write it as two, inside quotes"
        )
    lines = f"line {last}" if first >= last else f"the record of lines {first} to {last}"
    if "expected after" in str(error):
        hint = " (or set the delimiter that follows it here)" if last == 1 else ""
        return f"{where}: {lines}: text follows a closing quote{hint}; write a quote that belongs to the text as two"
    return f"{where}: {lines} cannot be read ({error})"


def _only_member(path: Path, archive: zipfile.ZipFile) -> str:
    names = [
        info.filename
        for info in archive.infolist()
        if not info.is_dir() and not any(noise in info.filename for noise in _ARCHIVE_NOISE)
    ]
    if len(names) != 1:
        shown = ", ".join(names[:5]) or "nothing"
        raise DataError(f"{path}: the ZIP archive holds {shown}; give one with just the table, or unpack it")
    return names[0]


def _refuse_other_kinds(path: Path, stream: io.BufferedReader, source: Source) -> None:
    start = stream.peek(1024)[:1024]
    if not start:
        raise DataError(f"{path}: the file is empty; give a file with a header and rows")
    if start.startswith(b"\x1f\x8b") and source.compression == "none":
        raise DataError(f'{path}: packed by gzip; set compression = "gzip" for source {source.name!r}')
    if start.startswith(b"PK\x03\x04") and source.compression == "none":
        raise DataError(
            f'{path}: a ZIP archive or workbook; set compression = "zip" or format = "xlsx" for source {source.name!r}'
        )
    wide = codecs.lookup(source.encoding).name.startswith(("utf-16", "utf-32"))
    if not wide and (start.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) or b"\x00" in start[:64]):
        raise DataError(
            f'{path}: UTF-16 text, not {source.encoding}; set encoding = "utf-16" for source {source.name!r}, or save '
            "the file as UTF-8"
        )
    if looks_like_html(start):
        raise DataError(f"{path}: an HTML page in place of a CSV file; fetch the file itself")


def _not_encoded(path: Path, source: Source, error: UnicodeError) -> str:
    """Return the sentence on bytes that are no text; decoders count from their chunk, so we look anew."""
    name = source.encoding.upper()
    decoder = codecs.getincrementaldecoder(source.encoding)()
    offset = 0
    with opened_bytes(path, source.compression) as stream:
        while chunk := stream.read(_CHUNK):
            pending = len(decoder.getstate()[0])
            try:
                decoder.decode(chunk)
            except UnicodeDecodeError as wrong:
                place = offset - pending + wrong.start
                return (
                    f"{path}: not {name} text at byte {place} (0x{wrong.object[wrong.start]:02x}); set encoding for "
                    f"source {source.name!r}, such as latin-1, or save the file as UTF-8"
                )
            except UnicodeError:
                break
            offset += len(chunk)
    if decoder.getstate()[0]:
        return f"{path}: ends in the middle of a {name} character, so it is truncated; fetch it again"
    return f"{path}: not {name} text ({error}); set encoding for source {source.name!r}, or save the file as UTF-8"
