"""The workspace's tree: folders, notebooks and files, and where experiments may be made."""

from __future__ import annotations

import base64
import email.parser
import email.policy
from dataclasses import dataclass, field
from typing import Any

from tests.workspace_stand_in.answers import Answer, Request, document, invalid, missing, taken

_PREFIX = "/api/2.0/workspace/"
_ENDINGS = {".py": "PYTHON", ".sql": "SQL", ".r": "R", ".scala": "SCALA", ".ipynb": "PYTHON"}


@dataclass
class Entry:
    """What lies at a path."""

    kind: str
    content: bytes = b""
    language: str | None = None


@dataclass
class Tree:
    """The entries by path; ``/Shared`` and ``/Users`` are there from the start."""

    entries: dict[str, Entry] = field(
        default_factory=lambda: {path: Entry("DIRECTORY") for path in ("/", "/Shared", "/Users")}
    )

    def answer(self, request: Request) -> Answer | None:
        """Answer a request, if it is about the tree."""
        name = request.path.removeprefix(_PREFIX)
        acts = {"mkdirs": self._make, "import": self._import, "get-status": self._status, "list": self._list}
        if not request.path.startswith(_PREFIX) or name not in acts:
            return None
        fields = _form(request) if request.kind.startswith("multipart/") else request.document
        return acts[name](fields)

    def require_parent(self, path: str) -> None:
        """Refuse a path whose folder is not there."""
        parent = path.rpartition("/")[0] or "/"
        if parent not in self.entries or self.entries[parent].kind != "DIRECTORY":
            raise missing(f"The parent folder ({parent}) does not exist.")

    def _make(self, fields: dict[str, Any]) -> Answer:
        path = _absolute(fields["path"])
        parts = path.strip("/").split("/")
        for count in range(1, len(parts) + 1):
            folder = "/" + "/".join(parts[:count])
            if self.entries.setdefault(folder, Entry("DIRECTORY")).kind != "DIRECTORY":
                raise taken(f"{folder} is no folder")
        return document({})

    def _import(self, fields: dict[str, Any]) -> Answer:
        path = _absolute(fields["path"])
        self.require_parent(path)
        content = fields["content"]
        raw = content if isinstance(content, bytes) else base64.b64decode(content)
        ending = next((end for end in _ENDINGS if path.lower().endswith(end)), None)
        entry = Entry("FILE", raw)
        if fields.get("format", "SOURCE") in ("SOURCE", "JUPYTER"):
            entry = Entry("NOTEBOOK", raw, fields.get("language", "PYTHON"))
        elif fields["format"] == "AUTO" and ending and (ending == ".ipynb" or raw.startswith(b"# Databricks notebook")):
            path, entry = path[: -len(ending)], Entry("NOTEBOOK", raw, _ENDINGS[ending])
        if path in self.entries and str(fields.get("overwrite", "")).lower() != "true":
            raise taken(f"Path ({path}) already exists.")
        self.entries[path] = entry
        return document({})

    def _status(self, fields: dict[str, Any]) -> Answer:
        path = _absolute(fields["path"])
        if path not in self.entries:
            raise missing(f"Path ({path}) doesn't exist.")
        return document(self._described(path))

    def _list(self, fields: dict[str, Any]) -> Answer:
        folder = _absolute(fields["path"]).rstrip("/")
        inside = [path for path in self.entries if path.rpartition("/")[0] == folder and path != "/"]
        return document({"objects": [self._described(path) for path in sorted(inside)]})

    def _described(self, path: str) -> dict[str, Any]:
        entry = self.entries[path]
        found: dict[str, Any] = {"path": path, "object_type": entry.kind, "object_id": abs(hash(path)) % 10**9}
        if entry.language:
            found["language"] = entry.language
        if entry.kind == "FILE":
            found["size"] = len(entry.content)
        return found


def _absolute(path: str) -> str:
    if not path.startswith("/"):
        raise invalid(f"Path ({path}) doesn't start with '/'")
    return path.removeprefix("/Workspace") if path.startswith("/Workspace/") else path


def _form(request: Request) -> dict[str, Any]:
    """Return the fields of a form that was sent in parts."""
    head = f"Content-Type: {request.kind}\r\n\r\n".encode()
    message = email.parser.BytesParser(policy=email.policy.HTTP).parsebytes(head + request.body)
    fields: dict[str, Any] = {}
    for part in message.iter_parts():  # type: ignore[attr-defined]
        name = part.get_param("name", header="content-disposition")
        raw = part.get_payload(decode=True)
        fields[name] = raw if name == "content" else raw.decode()
    return fields
