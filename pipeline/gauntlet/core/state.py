"""This module provides the state folder: where a project's runs keep what they made.

Layout::

    stages/<stage>/<key>/result.json   the mark that a stage is complete; its files lie beside it
    runs/<run>/                        log.txt, summary.json and report.html of one command
    tables/                            Delta tables (target ``local``)
    mlflow/                            MLflow's database and artefacts (target ``local``)
    test_reads.jsonl                   every opening of the test split
    promotions.db                      the ledger of promotions (target ``local``)
    evidence/                          the signed evidence of every judgement, by its SHA-256
    keys/                              the signing keys, where none are given from outside
    stack/                             the servers that `gauntlet stack` starts (target ``remote``)
"""

from __future__ import annotations

import errno
import json
import os
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from filelock import FileLock, Timeout
from pydantic import ValidationError

from gauntlet.core.canonical import file_digest
from gauntlet.core.errors import RequirementError
from gauntlet.core.results import FileRef, StageResult

Result = TypeVar("Result", bound=StageResult)

# What a file system says that cannot write at a file's end.
_NO_APPENDING = frozenset({errno.EOPNOTSUPP, errno.ENOTSUP, errno.ESPIPE, errno.EINVAL, errno.ENOSYS})


@dataclass(frozen=True)
class State:
    """A state folder."""

    root: Path

    @property
    def tables(self) -> Path:
        """The folder of tables."""
        return self.root / "tables"

    @property
    def mlflow(self) -> Path:
        """The folder of MLflow's database and artefacts."""
        return self.root / "mlflow"

    @property
    def runs(self) -> Path:
        """The folder of runs."""
        return self.root / "runs"

    @property
    def test_reads(self) -> Path:
        """The ledger of openings of the test split."""
        return self.root / "test_reads.jsonl"

    @property
    def promotions(self) -> Path:
        """The ledger of promotions."""
        return self.root / "promotions.db"

    @property
    def evidence(self) -> Path:
        """The folder of evidence."""
        return self.root / "evidence"

    @property
    def keys(self) -> Path:
        """The folder of the signing key."""
        return self.root / "keys"

    def stage_folder(self, stage: str, key: str) -> Path:
        """Return the folder of a stage under a key (the digest of all that the stage depends on)."""
        return self.root / "stages" / stage / key[:16]

    def result(self, stage: str, key: str, kind: type[Result]) -> Result | None:
        """Return the complete result of a stage under a key; None if there is none or it cannot be read."""
        try:
            document = self._document(stage, key)
            return kind.model_validate(document["result"]) if document["key"] == key else None
        except (OSError, ValueError, KeyError, TypeError, ValidationError):
            return None

    def parts(self, stage: str) -> Mapping[str, str] | None:
        """Return what the newest complete result of a stage was made from, part by part; None if there is none."""
        try:
            newest = self._newest_first(stage)[0]
            parts: Mapping[str, str] = json.loads(newest.read_text(encoding="utf-8"))["parts"]
        except (OSError, ValueError, KeyError, TypeError, IndexError):
            return None
        return parts

    def results(self, stage: str, kind: type[Result]) -> Iterator[Result]:
        """Yield the complete results of a stage under whatever keys, the newest first."""
        for path in self._newest_first(stage):
            with suppress(OSError, ValueError, KeyError, TypeError):
                yield kind.model_validate(json.loads(path.read_text(encoding="utf-8"))["result"])

    def _newest_first(self, stage: str) -> list[Path]:
        results = (self.root / "stages" / stage).glob("*/result.json")
        return sorted(results, key=lambda path: path.stat().st_mtime_ns, reverse=True)

    def save_result(self, stage: str, key: str, result: StageResult, *, parts: Mapping[str, str]) -> None:
        """Mark a stage complete: write its result, all or nothing.

        Args:
            stage: The stage's name.
            key: The key it was computed under.
            result: What it leaves.
            parts: The digests that the key was made of, so that a later run can say what changed.
        """
        document = {"stage": stage, "key": key, "parts": dict(parts), "result": result.model_dump(mode="json")}
        write_atomically(self.stage_folder(stage, key) / "result.json", json.dumps(document, indent=1))

    def _document(self, stage: str, key: str) -> dict[str, Any]:
        text = (self.stage_folder(stage, key) / "result.json").read_text(encoding="utf-8")
        document: dict[str, Any] = json.loads(text)
        return document

    def file_ref(self, path: Path) -> FileRef:
        """Return the reference of a file inside this folder."""
        return FileRef(path=path.resolve().relative_to(self.root.resolve()).as_posix(), sha256=file_digest(path))

    def path(self, file: FileRef) -> Path:
        """Return where a referenced file lies."""
        return self.root / file.path

    @contextmanager
    def locked(self, *, wait_seconds: float = 0) -> Iterator[None]:
        """Hold the folder for one writer.

        Raises:
            RequirementError: If another process holds it, or it cannot be written.
        """
        holder = self.root / "holder.txt"
        try:
            self.root.mkdir(parents=True, exist_ok=True)
            lock = FileLock(self.root / "state.lock")
            lock.acquire(timeout=wait_seconds)
        except Timeout as error:
            who = holder.read_text(encoding="utf-8") if holder.exists() else "another process"
            raise RequirementError(
                f"{self.root}: in use by {who}; wait for it, give --wait SECONDS, or another folder with --state"
            ) from error
        except OSError as error:
            raise RequirementError(
                f"{self.root}: cannot be written ({error.strerror}); give a writable folder with --state"
            ) from error
        try:
            holder.write_text(f"process {os.getpid()}", encoding="utf-8")
            yield
        finally:
            holder.unlink(missing_ok=True)
            lock.release()


def append_line(path: Path, line: str) -> None:
    """Write a line at a file's end, through to the disk; a full disk, or a kill, leaves no part of a line for good.

    Volumes of Databricks know no appending: there the whole file is written anew.
    """
    before = _size_of_whole_lines(path)
    try:
        if path.exists() and path.stat().st_size > before:
            os.truncate(path, before)
        with path.open("a", encoding="utf-8") as stream:
            stream.write(f"{line}\n")
            stream.flush()
            os.fsync(stream.fileno())
    except OSError as error:
        if error.errno not in _NO_APPENDING:
            with suppress(OSError):  # else the next writer does it
                os.truncate(path, before)
            raise
        kept = path.read_bytes()[:before] if path.exists() else b""
        write_bytes_atomically(path, kept + f"{line}\n".encode())


def whole_lines(path: Path) -> bytes:
    """Return a file's lines without a last one that was never written to its end; nothing if there is no file."""
    content = path.read_bytes() if path.exists() else b""
    return content[: content.rfind(b"\n") + 1]


def _size_of_whole_lines(path: Path) -> int:
    """Return the size of a file's lines without a torn last one; a whole file is not read for it."""
    size = path.stat().st_size if path.exists() else 0
    if size == 0:
        return 0
    with path.open("rb") as stream:
        stream.seek(-1, os.SEEK_END)
        return size if stream.read() == b"\n" else len(whole_lines(path))


def write_atomically(path: Path, text: str) -> None:
    """Write a text file so that a reader, or a crash, sees the old content or the new, never a part."""
    write_bytes_atomically(path, text.encode("utf-8"))


def write_bytes_atomically(path: Path, content: bytes) -> None:
    """Write a file so that a reader, or a crash, sees the old content or the new, never a part."""
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    temporary = Path(name)
    try:
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
        temporary.replace(path)
        _sync_folder(path.parent)
    finally:
        temporary.unlink(missing_ok=True)


def _sync_folder(folder: Path) -> None:
    """Write a folder's names through to the disk, where that can be asked for: a power cut could undo a rename."""
    with suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
