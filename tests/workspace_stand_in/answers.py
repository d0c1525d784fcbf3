"""What the stand-in answers with: JSON, bytes, or the workspace's own form of an error."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Request:
    """A request that was let in.

    Attributes:
        method: The HTTP method.
        path: The path, decoded.
        query: The parameters in the address; the last of each name.
        body: The body's bytes.
        kind: The body's content type.
        user: Whose credentials it came with.
        address: The path and parameters as they were sent.
    """

    method: str
    path: str
    query: Mapping[str, str]
    body: bytes
    kind: str
    user: str
    address: str

    @property
    def document(self) -> dict[str, Any]:
        """The JSON body, or the parameters where there is none."""
        return json.loads(self.body) if self.body else dict(self.query)


@dataclass(frozen=True)
class Answer:
    """An answer."""

    status: int = 200
    body: bytes = b"{}"
    headers: Mapping[str, str] = field(default_factory=lambda: {"Content-Type": "application/json"})


def document(value: Mapping[str, Any]) -> Answer:
    """Return a JSON answer."""
    return Answer(body=json.dumps(value).encode())


class Refusal(Exception):  # noqa: N818 - what the workspace says, no defect of the stand-in
    """What the workspace refuses, with its error code."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.answer = Answer(status, json.dumps({"error_code": code, "message": message}).encode())


def missing(message: str, *, code: str = "RESOURCE_DOES_NOT_EXIST") -> Refusal:
    """Return what is said of a thing that is not there."""
    return Refusal(404, code, message)


def invalid(message: str) -> Refusal:
    """Return what is said of an argument that cannot be used."""
    return Refusal(400, "INVALID_PARAMETER_VALUE", message)


def taken(message: str) -> Refusal:
    """Return what is said of a name that is taken."""
    return Refusal(400, "RESOURCE_ALREADY_EXISTS", message)
