"""This module provides the search for pickles by content: loading one runs whatever code it names.

The opcodes, and what each does to an unpickler's stack, come from ``pickletools`` of the standard library. Its
``genops`` reads texts and numbers more strictly than unpicklers do, so that a pickle could hide from it; here they are
skipped over. What the search does not see is a pickle written as text inside another format (base64 in JSON), or a
format with code of its own that is not built on pickles (HDF5).
"""

from __future__ import annotations

import bz2
import contextlib
import gzip
import io
import lzma
import pickletools
import re
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from numpy.lib import format as npy

# A packed content is looked at as far as this; a pickle that is not ruled out by then counts as found.
EXPANDED_BYTES = 64 << 20
MAXIMUM_DEPTH = 4

_CHUNK = 8192
_OPENERS: tuple[tuple[bytes, Callable[..., Any]], ...] = (
    (b"\x1f\x8b", gzip.open),
    (b"BZh", bz2.open),
    (b"\xfd7zXZ\x00", lzma.open),
    (b"\x5d\x00", lzma.open),  # the older form of xz, joblib's "lzma"
)
# What joblib and pandas open with other libraries than the standard one: LZ4 and Zstandard.
_SEALED = (b"\x04\x22\x4d\x18", b"\x28\xb5\x2f\xfd")
# joblib before 0.10: a length of 19 hexadecimal characters, then zlib; it holds nothing but pickles.
_OLD_JOBLIB = re.compile(rb"ZF[\s0-9a-fA-FxX+_]{19} ?x")

_OPCODES = {ord(opcode.code): opcode for opcode in pickletools.opcodes}
_LENGTH_BYTES = {
    pickletools.TAKEN_FROM_ARGUMENT1: 1,
    pickletools.TAKEN_FROM_ARGUMENT4: 4,
    pickletools.TAKEN_FROM_ARGUMENT4U: 4,
    pickletools.TAKEN_FROM_ARGUMENT8U: 8,
}
# How a line of text must begin for the opcode that reads it, where not every line will do.
_INTEGER = re.compile(rb"\s*[+-]?[0-9]")
_LINES = {
    "INT": re.compile(rb"\s*[+-]?[0-9]|\x00"),  # what C's strtol takes: a line that a null ends at once is 0
    "LONG": _INTEGER,
    "GET": _INTEGER,
    "PUT": _INTEGER,
    "FLOAT": re.compile(rb"\s*[+-]?(\.?[0-9]|nan|inf)", re.IGNORECASE),
    "STRING": re.compile(rb"(['\"]).*\1$", re.DOTALL),
}
_IMPORTS = frozenset({"GLOBAL", "INST", "STACK_GLOBAL", "EXT1", "EXT2", "EXT4"})
_CALLS = frozenset({"INST", "OBJ", "NEWOBJ", "NEWOBJ_EX", "REDUCE"})
_HIGHEST_PROTOCOL = 5
_MARK = "mark"
# What these opcodes give is no list of arguments, or (a line of text) one of single letters: words one a line would
# look like calls.
_NO_ARGUMENTS = frozenset({"GLOBAL", "UNICODE"})
_OTHER = "other"
# What a REDUCE may take as arguments: one of unpicklers' two implementations takes all that can be iterated over.
_ARGUMENTS = frozenset(
    {"any", "buffer", "bytearray", "bytes", "bytes_or_str", "dict", "frozenset", "list", "set", "str", "tuple"}
)


class _NoPickle(Exception):  # noqa: N818 - it is an answer
    """An unpickler would stop here with an error."""


class _RunOut(Exception):  # noqa: N818 - it is an answer
    """The content ends before the pickle does."""


class _CannotLookInside(Exception):  # noqa: N818 - it is an answer
    """A packed content cannot be unpacked."""


def holds_pickle(content: bytes) -> bool:
    """Say whether loading a file's content could load a pickle.

    Looked for are pickles of every protocol, also broken ones that an unpickler would follow as far as a call; inside
    zlib, gzip, bz2 and xz streams (joblib's among them), members of ZIP and tar archives (PyTorch's among them), and
    NumPy's arrays of objects. What cannot be looked into (encrypted, damaged, packed too often) counts as a pickle.

    Args:
        content: The whole content of a file.
    """
    try:
        return _found(content, whole=True, depth=0)
    except _CannotLookInside:
        return True


def _found(content: bytes, *, whole: bool, depth: int) -> bool:
    if content.startswith(_SEALED) or _OLD_JOBLIB.match(content):
        return True
    if _is_pickle(content, whole=whole) or _is_array_of_objects(content):
        return True
    for inner, is_whole in _unpacked(content):
        if depth == MAXIMUM_DEPTH or _found(inner, whole=is_whole, depth=depth + 1):
            return True
    return False


def _is_array_of_objects(content: bytes) -> bool:
    """Say whether a content is a NumPy file whose data are a pickle; a header that numpy refuses counts as such."""
    if not content.startswith(npy.MAGIC_PREFIX):
        return False
    stream = io.BytesIO(content)
    try:
        version = npy.read_magic(stream)
        read_header = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
        return bool(read_header(stream)[2].hasobject)
    except Exception:  # whatever numpy makes of a broken header, what follows it is not known to be harmless
        return True


def _is_pickle(content: bytes, *, whole: bool) -> bool:
    # From protocol 2 on a pickle says so. Raw arrays may follow inside (joblib), so what comes later decides nothing.
    if content[:1] == b"\x80" and 2 <= int.from_bytes(content[1:2]) <= _HIGHEST_PROTOCOL:
        return content[2:3] != b"" and content[2] in _OPCODES
    try:
        return _runs(content)
    except _NoPickle:
        return False
    except _RunOut:
        return not whole


def _runs(content: bytes) -> bool:
    """Follow a content as an unpickler would, and return True once it calls something or gives a value.

    Many an ordinary text begins like a pickle ("N." is None, and a small c begins an import). So a value that needed no
    import counts only if nothing follows it, and an import counts only once something is called or given.

    Raises:
        _NoPickle: If an unpickler would stop with an error before that.
        _RunOut: If the content ends before that.
    """
    stack: list[str] = []
    position, imported = 0, False
    while position < len(content):
        opcode = _OPCODES.get(content[position])
        if opcode is None:
            raise _NoPickle
        position = _argument_end(content, position + 1, opcode)
        if opcode.name == "FRAME" and _has_frame(content, position):
            return True
        calls = opcode.name in _CALLS and (opcode.name != "REDUCE" or (stack and stack[-1] in _ARGUMENTS))
        _apply(opcode, stack)
        imported = imported or opcode.name in _IMPORTS
        if imported and calls:
            return True
        if opcode.name == "STOP":
            if imported or position == len(content):
                return True
            stack.clear()
    raise _RunOut


def _has_frame(content: bytes, start: int) -> bool:
    """Say whether a frame is all there; then it is no accident, and unpicklers may skip parts that are read here."""
    return int.from_bytes(content[start - 8 : start], "little") <= len(content) - start


def _apply(opcode: pickletools.OpcodeInfo, stack: list[str]) -> None:
    """Do to a stack of kinds what an opcode does to an unpickler's stack of values."""
    before = [kind.name for kind in opcode.stack_before]
    if _MARK in before or (opcode.name == "POP" and stack and stack[-1] == _MARK):
        above = 0
        while stack and stack[-1] != _MARK:
            stack.pop()
            above += 1
        if not stack or (opcode.name == "OBJ" and above == 0):
            raise _NoPickle
        stack.pop()
        before = before[: before.index(_MARK)] if _MARK in before else []
    height = len(stack) - len(before)
    if height < 0 or _MARK in stack[height:]:
        raise _NoPickle
    del stack[height:]
    stack.extend([_OTHER] if opcode.name in _NO_ARGUMENTS else [kind.name for kind in opcode.stack_after])


def _argument_end(content: bytes, start: int, opcode: pickletools.OpcodeInfo) -> int:
    """Return where an opcode's argument ends."""
    if opcode.arg is None:
        return start
    size = opcode.arg.n
    if size == pickletools.UP_TO_NEWLINE:
        return _line_end(content, start, opcode.name)
    if size < 0:
        width = _LENGTH_BYTES[size]
        signed = size == pickletools.TAKEN_FROM_ARGUMENT4
        length = int.from_bytes(content[start : start + width], "little", signed=signed)
        if length < 0:
            raise _NoPickle
        size = width + length
    if start + size > len(content):
        raise _RunOut
    if opcode.name == "PROTO" and content[start] > _HIGHEST_PROTOCOL:
        raise _NoPickle
    return start + size


def _line_end(content: bytes, start: int, opcode: str) -> int:
    first, lines = start, 2 if opcode in ("GLOBAL", "INST") else 1
    for _ in range(lines):
        end = content.find(b"\n", start)
        if end < 0 and opcode == "INST" and start > first:
            return len(content)  # an unpickler calls what it has read so far
        if end < 0:
            raise _RunOut
        line = content[start:end]
        if (lines == 2 and not _is_dotted_name(line)) or (opcode in _LINES and not _LINES[opcode].match(line)):
            raise _NoPickle
        start = end + 1
    return start


def _is_dotted_name(line: bytes) -> bool:
    return all(part.isidentifier() for part in line.decode("utf-8", "replace").split("."))


def _unpacked(content: bytes) -> Iterator[tuple[bytes, bool]]:
    """Yield what a content holds in packed form, and whether each was unpacked to its end."""
    stream = io.BytesIO(content)
    for magic, opened in _OPENERS:
        if content.startswith(magic):
            with opened(stream) as unpacked:
                yield _taken(_chunks(unpacked.read))
    if content.startswith(b"x"):
        yield _taken(_zlib_chunks(content))
    yield from _zip_members(stream)
    yield from _tar_members(stream)


def _zip_members(stream: io.BytesIO) -> Iterator[tuple[bytes, bool]]:
    if not zipfile.is_zipfile(stream):
        if stream.getvalue().startswith(b"PK\x03\x04"):
            raise _CannotLookInside
        return
    try:
        with zipfile.ZipFile(stream) as archive:
            for info in archive.infolist():
                with archive.open(info) as member:
                    yield _taken(_chunks(member.read))
    except (zipfile.BadZipFile, OSError, RuntimeError, ValueError, struct.error) as error:
        raise _CannotLookInside from error


def _tar_members(stream: io.BytesIO) -> Iterator[tuple[bytes, bool]]:
    stream.seek(0)
    with contextlib.suppress(tarfile.TarError, OSError, ValueError), tarfile.open(fileobj=stream, mode="r:") as archive:
        for info in archive:
            linked = info.islnk() or info.issym()  # to another member, or to nothing
            if not linked and (member := archive.extractfile(info)) is not None:
                yield _taken(_chunks(member.read))


def _chunks(read: Callable[[int], bytes]) -> Iterator[bytes]:
    return iter(lambda: read(_CHUNK), b"")


def _zlib_chunks(content: bytes) -> Iterator[bytes]:
    """Yield what zlib streams, one after the other, expand to."""
    position, stream = 0, zlib.decompressobj()
    while position < len(content):
        block = content[position : position + _CHUNK]
        yield stream.decompress(block)
        position += len(block) - len(stream.unused_data)
        if stream.eof:
            stream = zlib.decompressobj()


def _taken(chunks: Iterable[bytes]) -> tuple[bytes, bool]:
    """Return the first part of a content, and whether that is all; whoever loads it gets as far as the first error."""
    taken = bytearray()
    with contextlib.suppress(OSError, EOFError, ValueError, zlib.error, lzma.LZMAError):
        for chunk in chunks:
            taken += chunk
            if len(taken) > EXPANDED_BYTES:
                return bytes(taken), False
    return bytes(taken), True
