"""This module provides the checks of source files: there, readable, whole, what they claim to be, and their digests."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path

from gauntlet.core.canonical import digest, file_digest
from gauntlet.core.errors import SourceError
from gauntlet.core.problem import Source

_SNIFFED_BYTES = 1024
_PARQUET_MARK = b"PAR1"


def checked_files(
    paths: Mapping[str, Path], sources: tuple[Source, ...], *, shown: Mapping[str, str] | None = None
) -> dict[str, str]:
    """Return the SHA-256 of each source's file, by the source's name, after checking that it can be used.

    Args:
        paths: Where each source's file (or the folder of a table) lies, by the source's name.
        sources: The sources.
        shown: What messages call a source's file; its path where nothing is given.

    Raises:
        SourceError: If a file is missing, unreadable, empty, not of its format, or has another digest than promised.
    """
    names = {name: str(path) for name, path in paths.items()} | dict(shown or {})
    return {source.name: _checked(paths[source.name], source, name=names[source.name]) for source in sources}


def _checked(path: Path, source: Source, *, name: str) -> str:
    try:
        found = (_checked_folder if path.is_dir() else _checked_file)(path, source, name=name)
    except OSError as error:
        raise SourceError(unreadable(path, error)) from error
    if source.sha256 is not None and found != source.sha256:
        raise SourceError(wrong_checksum(name, found=found, expected=source.sha256))
    return found


def digest_of(path: Path) -> str:
    """Return the SHA-256 of a file, or the digest of a folder: the names, sizes and digests of its data files."""
    if not path.is_dir():
        return file_digest(path)
    files = data_files(path)
    return digest([[file.relative_to(path).as_posix(), file.stat().st_size, file_digest(file)] for file in files])


def size_of(path: Path) -> int:
    """Return the bytes of a file, or of all files in a folder; what cannot be read, or vanishes meanwhile, has none."""
    if path.is_dir():  # os.walk passes over folders that vanish or must not be read
        return sum(size_of(Path(folder, name)) for folder, _, names in os.walk(path) for name in names)
    try:
        return path.stat().st_size
    except OSError:
        return 0


def unreadable(path: Path, error: OSError) -> str:
    """Return the sentence on a path that the system does not let us read."""
    return f"{path}: cannot be read ({error.strerror or error})"


def wrong_checksum(what: str, *, found: str, expected: str) -> str:
    """Return the sentence on a file that is not the one promised."""
    return f"{what}: wrong checksum (SHA-256 {found[:12]}… instead of {expected[:12]}…)"


def looks_like_html(start: bytes) -> bool:
    """Say whether a file that begins so is a web page: what many servers send in place of a missing file."""
    text = start[:_SNIFFED_BYTES].removeprefix(b"\xef\xbb\xbf").lstrip().lower()
    return text.startswith((b"<!doctype html", b"<html")) or (text.startswith(b"<") and b"<html" in text)


def _checked_file(path: Path, source: Source, *, name: str) -> str:
    if not path.exists():
        raise SourceError(f"{name}: there is no such file")
    if source.format == "delta":
        raise SourceError(f"{name}: not a Delta table, which is a folder with a _delta_log in it")
    with path.open("rb") as stream:
        start = stream.read(_SNIFFED_BYTES)
    if not start:
        raise SourceError(f"{name}: the file is empty")
    if looks_like_html(start):
        raise SourceError(f"{name}: an HTML page in place of a {source.format} file")
    if source.format == "parquet":
        _check_parquet(path, name=name)
    return file_digest(path)


def _check_parquet(path: Path, *, name: str) -> None:
    """Refuse what does not begin and end as Parquet files do; a truncated one lacks the end."""
    with path.open("rb") as stream:
        start = stream.read(len(_PARQUET_MARK))
        stream.seek(-min(len(_PARQUET_MARK), path.stat().st_size), 2)
        end = stream.read()
    if start != _PARQUET_MARK:
        raise SourceError(f"{name}: not a Parquet file")
    if end != _PARQUET_MARK:
        raise SourceError(f"{name}: a truncated Parquet file")


def _checked_folder(path: Path, source: Source, *, name: str) -> str:
    """Return the digest of a table's folder, after checking that it can be used."""
    if source.format in ("csv", "xlsx"):
        raise SourceError(f"{name}: a folder in place of a {'CSV file' if source.format == 'csv' else 'workbook'}")
    if source.format == "delta" and not (path / "_delta_log").is_dir():
        raise SourceError(f"{name}: not a Delta table (it has no _delta_log)")
    files = list(data_files(path))
    if not any(file.suffix == ".parquet" for file in files):
        raise SourceError(f"{name}: the folder holds no Parquet file")
    for file in files:
        if file.suffix == ".parquet":
            _check_parquet(file, name=str(file))
    return digest_of(path)


def data_files(folder: Path) -> Iterator[Path]:
    """Yield the files that make a table's rows, in the order of their names.

    Names that begin with a dot or an underscore are marks of their writers; of a Delta table's log the commits and
    checkpoints count.
    """
    for path in sorted(folder.rglob("*")):
        parts = path.relative_to(folder).parts
        in_log = parts[0] == "_delta_log"
        hidden = any(part.startswith((".", "_")) for part in (parts[1:] if in_log else parts))
        if hidden or not path.is_file():
            continue
        if not in_log or path.suffix in {".json", ".parquet"}:
            yield path
