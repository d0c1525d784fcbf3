"""This module provides the data's origins: tried in the problem's order until one gives every source, unharmed."""

from __future__ import annotations

import os
import zipfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import IO, TYPE_CHECKING

from gauntlet.adapters.downloads import download, keep
from gauntlet.adapters.faults import explained
from gauntlet.adapters.mounted_files import MountedFolder
from gauntlet.adapters.origin_files import checked_files, looks_like_html, size_of, unreadable
from gauntlet.core.errors import SourceError
from gauntlet.core.origins import ArchiveOrigin, FolderOrigin, LinksOrigin, MountedOrigin, Origin, SyntheticOrigin
from gauntlet.core.problem import Problem, Source
from gauntlet.core.results import DataSource

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

_CHUNK = 1 << 20
_ZIP_MARK = b"PK"
# How many times larger than its archive a file may be, and how large whatever its archive. Deflate packs a table to a
# tenth or, if nearly all cells are alike, to a hundredth; an archive that is made to fill disks is near a thousandth.
_MOST_UNPACKED = 500
_UNPACKED_BYTES = 64 << 20


@dataclass(frozen=True)
class Fetched:
    """The data, found.

    Attributes:
        source: Which origin gave it, and what was wrong with those before.
        files: Where each source's file (or a table's folder) lies, by the source's name; empty for generated data.
    """

    source: DataSource
    files: dict[str, Path]


@dataclass(frozen=True)
class _Opened:
    """What an origin gives: what it is called, each source's file, and what messages call that file."""

    description: str
    files: dict[str, Path]
    shown: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class _Search:
    problem: Problem
    target_name: str
    cache: Path
    synthetic_allowed: bool
    spark: Callable[[], SparkSession]


def fetch(
    problem: Problem, *, target_name: str, cache: Path, synthetic_allowed: bool, spark: Callable[[], SparkSession]
) -> Fetched:
    """Return the data of the first origin that gives all sources, unharmed.

    Args:
        problem: The problem, whose origins are tried in its order.
        target_name: The target's name; a mounted origin is there on some targets only.
        cache: The folder for what comes over the network.
        synthetic_allowed: Whether generated data may stand in.
        spark: Gives the target's session; asked only for a mounted path that is no folder of this machine.

    Raises:
        SourceError: If no origin gives the data; one sentence for each says why.
        RequirementError: If the disk is full, or there is no session that a mounted path could be read by.
    """
    search = _Search(problem, target_name, cache, synthetic_allowed, spark)
    refused: list[str] = []
    for origin in problem.origins:
        try:
            opened = _opened(origin, search)
            digests = checked_files(opened.files, problem.sources, shown=opened.shown) if opened.files else {}
        except SourceError as error:
            refused.append(f"{origin.kind}: {error}")
            continue
        source = DataSource(
            origin=origin.kind,
            description=opened.description,
            synthetic=isinstance(origin, SyntheticOrigin),
            files=digests,
            refused=tuple(refused),
        )
        return Fetched(source=source, files=opened.files)
    tried = "\n".join(f"  {sentence}" for sentence in refused)
    raise SourceError(
        f"the data of problem {problem.name!r} cannot be had; tried in order:\n{tried}\n"
        "make one of these work, or change [[origins]] in the problem file"
    )


def local_bytes(problem: Problem) -> int:
    """Return the size of the sources in the first local folder that has any; nothing is known of a download."""
    for origin in problem.origins:
        if isinstance(origin, FolderOrigin) and (folder := _folder_path(origin)) is not None:
            found = sum(size_of(folder / source.file) for source in problem.sources)
            if found:
                return found
    return 0


def _folder_path(origin: FolderOrigin) -> Path | None:
    """Return where a folder origin points; None where its variable is not set."""
    text = origin.path if origin.variable is None else os.environ.get(origin.variable)
    # A relative path counts from the current directory, as on a command line.
    return Path(text).expanduser().absolute() if text else None


def _opened(origin: Origin, search: _Search) -> _Opened:
    match origin:
        case FolderOrigin():
            return _folder(origin, search)
        case MountedOrigin():
            return _mounted(origin, search)
        case ArchiveOrigin():
            return _archive(origin, search)
        case LinksOrigin():
            return _links(origin, search)
        case SyntheticOrigin():
            return _synthetic(origin, search)


def _folder(origin: FolderOrigin, search: _Search) -> _Opened:
    folder, note = _folder_path(origin), "" if origin.variable is None else f" ({origin.variable})"
    if folder is None:
        raise SourceError(f"{origin.variable} is not set")
    return _Opened(f"folder {folder}{note}", _in_folder(folder, search.problem, note=note))


def _mounted(origin: MountedOrigin, search: _Search) -> _Opened:
    if search.target_name not in origin.targets:
        raise SourceError(f"{origin.path}: there on target {' and '.join(origin.targets)} only")
    mounted = MountedFolder(origin.path, search.spark, search.cache)
    description, here = f"mounted path {origin.path}", mounted.here
    if here is not None:
        return _Opened(description, _in_folder(here, search.problem))
    _require_files(search.problem, "a path that only Spark reaches")
    files = {source.name: mounted.file(source) for source in search.problem.sources}
    shown = {source.name: f"{origin.path.rstrip('/')}/{source.file}" for source in search.problem.sources}
    return _Opened(description, files, shown)


def _in_folder(folder: Path, problem: Problem, *, note: str = "") -> dict[str, Path]:
    try:
        if not folder.exists():
            raise SourceError(f"{folder}{note}: there is no such folder")
        if not folder.is_dir():
            raise SourceError(f"{folder}{note}: not a folder")
        # Listing says at once whether the folder may be read at all; a missing right would show later as no file.
        next(folder.iterdir(), None)
    except OSError as error:
        raise SourceError(unreadable(folder, error)) from error
    return {source.name: folder / source.file for source in problem.sources}


def _archive(origin: ArchiveOrigin, search: _Search) -> _Opened:
    _require_files(search.problem, "an archive")
    archive = download(origin.url, sha256=origin.sha256, cache=search.cache, check=_check_zip)
    files = {
        source.name: _member(archive, source, url=origin.url, cache=search.cache) for source in search.problem.sources
    }
    shown = {source.name: f"{origin.url} ({source.file})" for source in search.problem.sources}
    return _Opened(f"archive {origin.url}", files, shown)


def _check_zip(path: Path, name: str) -> None:
    with path.open("rb") as stream:
        start = stream.read(_CHUNK)
    if not start:
        raise SourceError(f"{name}: the file is empty")
    if looks_like_html(start):
        raise SourceError(f"{name}: an HTML page in place of a ZIP archive")
    if not start.startswith(_ZIP_MARK):
        raise SourceError(f"{name}: not a ZIP archive")
    if not zipfile.is_zipfile(path):
        raise SourceError(f"{name}: a truncated ZIP archive")


def _member(archive: Path, source: Source, *, url: str, cache: Path) -> Path:
    """Take a source's file out of an archive, into the cache."""
    try:
        most = max(_UNPACKED_BYTES, _MOST_UNPACKED * archive.stat().st_size)
        with zipfile.ZipFile(archive) as opened, opened.open(_member_name(opened, source, url=url)) as stream:
            return keep(_chunks(stream), name=Path(source.file).name, cache=cache, most_bytes=most)
    except (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError, NotImplementedError) as error:
        # zipfile says RuntimeError for an encrypted member, NotImplementedError for an unknown compression.
        raise SourceError(f"{url}: {source.file} cannot be unpacked, the ZIP archive is damaged ({error})") from error
    except OSError as error:
        raise explained(error) or SourceError(unreadable(cache, error)) from error


def _member_name(opened: zipfile.ZipFile, source: Source, *, url: str) -> str:
    """Return the member that is the source's file: the one at its path, or the only one of its name in any folder."""
    names = opened.namelist()
    if source.file in names:
        return source.file
    alike = [name for name in names if name.endswith(f"/{source.file}")]
    if len(alike) != 1:
        shown = ", ".join(names[:5]) or "nothing"
        raise SourceError(f"{url}: the ZIP archive has no file {source.file}; it holds {shown}")
    return alike[0]


def _chunks(stream: IO[bytes]) -> Iterator[bytes]:
    yield from iter(partial(stream.read, _CHUNK), b"")


def _links(origin: LinksOrigin, search: _Search) -> _Opened:
    _require_files(search.problem, "a link")
    base = origin.base_url.rstrip("/")
    files = {
        source.name: download(
            f"{base}/{source.file}",
            sha256=source.sha256,
            cache=search.cache,
            check=partial(_check_link, kind=source.format),
        )
        for source in search.problem.sources
    }
    shown = {source.name: f"{base}/{source.file}" for source in search.problem.sources}
    return _Opened(f"links below {base}/", files, shown)


def _check_link(path: Path, name: str, *, kind: str) -> None:
    with path.open("rb") as stream:
        start = stream.read(_CHUNK)
    if not start:
        raise SourceError(f"{name}: the file is empty")
    if looks_like_html(start):
        raise SourceError(f"{name}: an HTML page in place of a {kind} file")


def _require_files(problem: Problem, what: str) -> None:
    tables = [source.file for source in problem.sources if source.format == "delta"]
    if tables:
        raise SourceError(f"{what} cannot give the Delta table {tables[0]}, which is a folder")


def _synthetic(origin: SyntheticOrigin, search: _Search) -> _Opened:
    if not search.synthetic_allowed:
        raise SourceError("refused by --no-synthetic")
    return _Opened(f"generator {origin.generator}, {origin.rows} rows", {})
