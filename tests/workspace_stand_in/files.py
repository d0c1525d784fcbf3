"""The Files API: volumes, the files of registered models, and the artefacts of runs and logged models."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from tests.workspace_stand_in.answers import Answer, Refusal, Request, document, missing

FILES = "/api/2.0/fs/files"
FOLDERS = "/api/2.0/fs/directories"
# Where MLflow's clients keep what belongs to runs, logged models and registered versions.
_INTERNAL = ("/WorkspaceInternal/Mlflow/Artifacts/", "/Models/")


@dataclass
class Files:
    """All files, by path; a folder is there once something was put below it.

    Attributes:
        volumes: The volumes that there are, ``/Volumes/CATALOG/SCHEMA/VOLUME``.
        may_write: Says whether a path of a registered model may be written now.
        disk: A folder on a disk, in which a cluster sees the volumes' files; None where there is no cluster.
    """

    volumes: tuple[str, ...]
    may_write: Callable[[str], bool] = lambda _path: True
    content: dict[str, bytes] = field(default_factory=dict)
    folders: set[str] = field(default_factory=set)
    lock: threading.Lock = field(default_factory=threading.Lock)
    disk: Path | None = None

    def answer(self, request: Request) -> Answer | None:
        """Answer a request, if it is one of the Files API."""
        for prefix, of_kind in ((FILES, self._file), (FOLDERS, self._folder)):
            if request.path.startswith(f"{prefix}/"):
                path = request.path.removeprefix(prefix).rstrip("/")
                self._require_place(path)
                with self.lock:
                    return of_kind(request, path)
        return None

    def below(self, folder: str) -> dict[str, bytes]:
        """Return the files below a folder, by their paths in it."""
        start = f"{folder.rstrip('/')}/"
        return {path.removeprefix(start): held for path, held in self.content.items() if path.startswith(start)}

    def _require_place(self, path: str) -> None:
        if not path.startswith(_INTERNAL) and "/".join(path.split("/")[:5]) not in self.volumes:
            raise missing(f"Volume '{'.'.join(path.split('/')[2:5])}' does not exist.", code="NOT_FOUND")

    def _file(self, request: Request, path: str) -> Answer:
        if request.method == "PUT":
            if path in self.content and request.query.get("overwrite", "").lower() != "true":
                raise Refusal(409, "ALREADY_EXISTS", "The file being created already exists.")
            if not self.may_write(path):
                raise Refusal(403, "PERMISSION_DENIED", f"{path} cannot be written any more.")
            self.content[path] = request.body
            self._show(path, request.body)
            return Answer(204, b"")
        if path not in self.content:
            raise missing("The file being accessed is not found.", code="NOT_FOUND")
        if request.method == "DELETE":
            del self.content[path]
            return Answer(204, b"")
        held = self.content[path]
        headers = {
            "Content-Type": "application/octet-stream",
            "Content-Length": str(len(held)),
            "Last-Modified": "Wed, 01 Jan 2025 00:00:00 GMT",
        }
        return Answer(200, b"" if request.method == "HEAD" else held, headers)

    def _show(self, path: str, held: bytes) -> None:
        """Let a cluster see a file of a volume."""
        if self.disk is not None and path.startswith("/Volumes/"):
            place = self.disk / path.lstrip("/")
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(held)

    def _folder(self, request: Request, path: str) -> Answer:
        if request.method == "PUT":
            self.folders.add(path)
            return Answer(204, b"")
        if request.method == "DELETE":
            self.folders.discard(path)
            return Answer(204, b"")
        below = self.below(path)
        if not below and path not in self.folders and path not in self.volumes:
            raise missing("The directory being accessed is not found.", code="NOT_FOUND")
        if request.method == "HEAD":
            return Answer(200, b"")
        names = sorted({name.partition("/")[0] for name in below} | self._folders_in(path))
        entries = [
            {
                "name": name,
                "path": f"{path}/{name}",
                "is_directory": name not in below,
                **({"file_size": len(below[name])} if name in below else {}),
            }
            for name in names
        ]
        return document({"contents": entries})

    def _folders_in(self, path: str) -> set[str]:
        start = f"{path}/"
        return {each.removeprefix(start).partition("/")[0] for each in self.folders if each.startswith(start)}

    def text(self, path: str) -> str:
        """Return a file's text."""
        return self.content[path].decode()

    def put(self, path: str, value: object) -> None:
        """Put a JSON document there, as a task of a job would."""
        with self.lock:
            self.content[path] = json.dumps(value).encode()
