"""This module provides the files of a model's artefact: their digests, and which of them hold a pickle."""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from gauntlet.adapters.pickle_search import holds_pickle
from gauntlet.core.canonical import file_digest
from gauntlet.core.errors import EvidenceError
from gauntlet.core.evidence import require_same_digests


def file_digests(folder: Path) -> dict[str, str]:
    """Return the SHA-256 of every file below a folder, by its POSIX path relative to it, in the order of paths.

    Folders without a file leave no trace in it.

    Raises:
        EvidenceError: If there is anything but files and folders, such as a link, or something cannot be read.
    """
    try:
        return {name: file_digest(path) for name, path in _files(folder)}
    except OSError as error:
        raise _unreadable(folder, error) from error


def require_same_files(expected: Mapping[str, str], folder: Path, *, what: str) -> None:
    """Make sure that a folder holds the promised files, all of them and no other.

    Args:
        expected: SHA-256 by path, as ``file_digests`` returned them.
        folder: The folder.
        what: What the files are, for the message.

    Raises:
        EvidenceError: If not; the message names the first file, by path, that is missing, was added or has changed.
    """
    require_same_digests(expected, file_digests(folder), what=what)


def pickles_in(folder: Path) -> tuple[str, ...]:
    """Return the files that hold a pickle, whatever they are called, or that cannot be looked into.

    Raises:
        EvidenceError: If there is anything but files and folders, or something cannot be read.
    """
    try:
        return tuple(name for name, path in _files(folder) if holds_pickle(path.read_bytes()))
    except OSError as error:
        raise _unreadable(folder, error) from error


@contextmanager
def no_compiled_code() -> Iterator[None]:
    """Keep Python from writing compiled code beside a model's own while the block imports it."""
    kept, sys.dont_write_bytecode = sys.dont_write_bytecode, True
    try:
        yield
    finally:
        sys.dont_write_bytecode = kept


def _files(folder: Path) -> Iterator[tuple[str, Path]]:
    """Yield every file below a folder by its relative path, in the order of paths."""
    found: dict[str, Path] = {}
    waiting = [folder]
    while waiting:
        for path in waiting.pop().iterdir():
            name, mode = path.relative_to(folder).as_posix(), path.lstat().st_mode
            if stat.S_ISDIR(mode):
                waiting.append(path)
            elif stat.S_ISREG(mode):
                found[_readable(name, folder)] = path
            else:
                kind = "a link" if stat.S_ISLNK(mode) else "neither a file nor a folder"
                raise EvidenceError(f"{folder}: {name} is {kind}, which no digest can vouch for")
    yield from sorted(found.items())


def _readable(name: str, folder: Path) -> str:
    try:
        name.encode("utf-8")
    except UnicodeEncodeError:
        raise EvidenceError(f"{folder}: the name {os.fsencode(name)!r} is not UTF-8; rename the file") from None
    return name


def _unreadable(folder: Path, error: OSError) -> EvidenceError:
    return EvidenceError(f"{error.filename or folder}: cannot be read ({error.strerror or error})")
