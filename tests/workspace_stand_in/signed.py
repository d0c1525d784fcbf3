"""Addresses that are signed: whoever has one may put or get one file with it, without any credentials."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field

from tests.workspace_stand_in.answers import Answer, Refusal, Request, document
from tests.workspace_stand_in.files import FILES, Files

_PREFIX = "/signed/"
_ASKS = {"/api/2.0/fs/create-upload-url": "PUT", "/api/2.0/fs/create-download-url": "GET"}


@dataclass
class SignedAddresses:
    """The addresses that were given.

    Attributes:
        files: The files that they lead to.
    """

    files: Files
    given: dict[str, tuple[str, str]] = field(default_factory=dict)

    def answer(self, request: Request, *, host: str) -> Answer | None:
        """Give an address, if one is asked for."""
        method = _ASKS.get(request.path)
        if method is None or request.method != "POST":
            return None
        mark = secrets.token_hex(8)
        self.given[mark] = (method, str(request.document["path"]))
        return document({"url": f"{host}{_PREFIX}{mark}", "headers": []})

    def open(self, method: str, path: str, body: bytes) -> Answer | None:
        """Answer a request that comes with an address that was given."""
        if not path.startswith(_PREFIX):
            return None
        allowed, file = self.given.get(path.removeprefix(_PREFIX), ("", ""))
        if method != allowed:
            raise Refusal(403, "AuthenticationFailed", "The signature does not match.")
        return self.files.answer(Request(method, f"{FILES}{file}", {"overwrite": "true"}, body, "", "", ""))
