"""This module provides the class archive of Spark's JVM: with it Spark starts in about half the time.

Most of a short session goes to finding, reading and verifying some 17,000 classes. Java can write them to a file once
and map that file at every later start (class-data sharing, JEP 350). Java itself looks whether an archive was made by
the same Java from the same jars, and goes on without it if not; but a file that was cut off makes it crash, so an
archive is used only at the size that it was written with.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

from gauntlet.adapters.jars import cache_folder
from gauntlet.adapters.java import java_program
from gauntlet.core.canonical import digest
from gauntlet.core.errors import RequirementError

_WRITE_SECONDS = 600
# Java warns on standard output about an archive that does not fit, where a command may print JSON.
_QUIET = "-Xlog:cds=off -Xlog:cds+dynamic=off"


def sharing_options(jars: Sequence[Path]) -> str:
    """Return Java's options that map the archive; none where there is no whole archive.

    Args:
        jars: The jars on Spark's class path besides its own.
    """
    archive = _archive(jars)
    return f"{quoted('-XX:SharedArchiveFile=', archive)} {_QUIET}" if archive and _is_whole(archive) else ""


def recording_options(archive: Path) -> str:
    """Return Java's options that write an archive when the JVM ends."""
    return f"{quoted('-XX:ArchiveClassesAtExit=', archive)} {_QUIET}"


def quoted(option: str, path: Path) -> str:
    """Return an option with a path, as Spark's launcher reads one that may hold a blank."""
    return f'"{option}{path}"'


def archive_at_hand(jars: Sequence[Path]) -> bool:
    """Say whether an archive for these jars, this Java and this pyspark is there."""
    archive = _archive(jars)
    return archive is not None and _is_whole(archive)


def write_archive(jars: Sequence[Path]) -> Path:
    """Write the archive, in a session of its own that does what pipelines do; it takes about half a minute.

    Raises:
        RequirementError: If Java or pyspark is missing, or no archive came of it.
    """
    archive = _archive(jars)
    if archive is None:
        raise RequirementError("there is no Java or no pyspark to write a class archive for; run `gauntlet doctor`")
    archive.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=archive.parent) as name:
        written = Path(name) / "classes.jsa"
        command = [sys.executable, "-m", "gauntlet.adapters.class_recording", str(written), *map(str, jars)]
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=_WRITE_SECONDS, check=False)  # noqa: S603 - our own arguments, no shell
            output = done.stdout + done.stderr
        except subprocess.TimeoutExpired:
            output = f"it did not end within {_WRITE_SECONDS} s"
        if not written.is_file():
            last = output.strip().splitlines()[-1:] or ["it gave no reason"]
            raise RequirementError(f"Java wrote no class archive ({last[0]}); Spark works without it, only slower")
        size = written.stat().st_size
        _remove_earlier(archive)
        written.replace(archive)
        _stamp(archive).write_text(json.dumps({"size": size}), encoding="utf-8")
    return archive


def _archive(jars: Sequence[Path]) -> Path | None:
    """Return where the archive of this Java, pyspark and these jars lies, written or not."""
    java, pyspark = java_program(), find_spec("pyspark")
    if java is None or pyspark is None or pyspark.origin is None:
        return None
    program, package = java.resolve(), Path(pyspark.origin).parent
    decisive = [program, package / "version.py", *jars]
    parts = [[str(path), *_changed(path)] for path in decisive]
    return cache_folder() / "classes" / f"{digest(str(package))[:8]}-{digest(parts)[:12]}.jsa"


def _remove_earlier(archive: Path) -> None:
    """Remove what was written for this installation of pyspark with other jars or another Java."""
    installation, _, _ = archive.name.partition("-")
    for earlier in archive.parent.glob(f"{installation}-*.js*"):
        earlier.unlink(missing_ok=True)


def _changed(path: Path) -> tuple[int, int]:
    try:
        found = path.stat()
    except OSError:
        return (0, 0)
    return (found.st_size, found.st_mtime_ns)


def _stamp(archive: Path) -> Path:
    return archive.with_suffix(".json")


def _is_whole(archive: Path) -> bool:
    try:
        size = json.loads(_stamp(archive).read_text(encoding="utf-8"))["size"]
        return bool(archive.stat().st_size == size)
    except (OSError, ValueError, KeyError, TypeError):
        return False
