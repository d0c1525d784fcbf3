"""The stand-in's server: who may come in, and which part answers."""

from __future__ import annotations

import base64
import json
import threading
import traceback
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, parse_qsl, unquote, urlsplit

from tests.workspace_stand_in.answers import Answer, Refusal, Request, document
from tests.workspace_stand_in.files import Files
from tests.workspace_stand_in.jobs import Jobs
from tests.workspace_stand_in.models import Models
from tests.workspace_stand_in.signed import SignedAddresses
from tests.workspace_stand_in.tracking import Tracking
from tests.workspace_stand_in.tree import Tree

USER = "wine-pipeline@example.com"
TOKEN = "dapi-stand-in-token"  # noqa: S105 - opens the stand-in only
CLIENT = ("11111111-2222-3333-4444-555555555555", "stand-in-secret")
WORKSPACE_ID = "1234567890123456"
_OAUTH_TOKEN = "stand-in-oauth-token"  # noqa: S105 - opens the stand-in only

Part = Callable[[Request], Answer | None]


@dataclass
class Workspace:
    """A workspace with one catalog and schema.

    Attributes:
        folder: A folder of the stand-in's own.
        schema: The schema that there is, ``CATALOG.SCHEMA``.
        calls: What was asked, method and path, in order.
        tokens: The tokens that open it.
        clusters: The runtimes of its clusters, by their names.
        host: Its address, once it is served.
    """

    folder: Path
    schema: str = "main.wine_quality"
    calls: list[tuple[str, str]] = field(default_factory=list)
    tokens: set[str] = field(default_factory=lambda: {TOKEN, _OAUTH_TOKEN})
    clusters: dict[str, str] = field(default_factory=dict)
    host: str = ""

    def __post_init__(self) -> None:
        self.tree = Tree()
        self.files = Files((f"/Volumes/{self.schema.replace('.', '/')}/files",))
        self.signed = SignedAddresses(self.files)
        self.models = Models(self.schema, self.files)
        self.tracking = Tracking(self.folder, self.tree)
        self.jobs = Jobs()
        self.parts: list[Part] = [
            self._identity,
            self.tree.answer,
            self.files.answer,
            lambda request: self.signed.answer(request, host=self.host),
            self.models.answer,
            self.tracking.answer,
            self.jobs.answer,
            self._cluster,
        ]

    @property
    def environment(self) -> dict[str, str]:
        """What a client's environment holds, that is let in."""
        return {"DATABRICKS_HOST": self.host, "DATABRICKS_TOKEN": TOKEN}

    def answer(self, request: Request) -> Answer:
        """Answer a request that was let in."""
        self.calls.append((request.method, request.path))
        for part in self.parts:
            answer = part(request)
            if answer is not None:
                return answer
        raise Refusal(404, "ENDPOINT_NOT_FOUND", f"No API found for '{request.method} {request.path}'")

    def _identity(self, request: Request) -> Answer | None:
        if request.path != "/api/2.0/preview/scim/v2/Me":
            return None
        return document({"id": "42", "userName": request.user, "displayName": "Wine pipeline", "active": True})

    def _cluster(self, request: Request) -> Answer | None:
        if request.path != "/api/2.1/clusters/get":
            return None
        identifier = request.query["cluster_id"]
        if identifier not in self.clusters:
            raise Refusal(400, "INVALID_PARAMETER_VALUE", f"Cluster {identifier} does not exist")
        return document({"cluster_id": identifier, "spark_version": self.clusters[identifier], "state": "RUNNING"})

    def require_credentials(self, headers: Mapping[str, str]) -> str:
        """Return whose credentials a request came with; the workspace looks at them before anything else."""
        scheme, _, token = headers.get("Authorization", "").partition(" ")
        if scheme != "Bearer" or not token:
            raise Refusal(401, "401", "Credential was not sent or was of an unsupported type for this API.")
        if token not in self.tokens:
            raise Refusal(403, "403", "Invalid access token.")
        return USER


@contextmanager
def started(workspace: Workspace) -> Iterator[Workspace]:
    """Serve a workspace on loopback."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(workspace))
    server.daemon_threads = True
    workspace.host = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield workspace
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _login(workspace: Workspace, path: str, body: bytes, headers: Mapping[str, str]) -> Answer | None:
    """Answer what may be asked without credentials: where the login is, and the login."""
    if path == "/.well-known/databricks-config":
        return document({"oidc_endpoint": f"{workspace.host}/oidc", "workspace_id": WORKSPACE_ID})
    if path == "/oidc/.well-known/oauth-authorization-server":
        login = f"{workspace.host}/oidc/v1"
        return document({"authorization_endpoint": f"{login}/authorize", "token_endpoint": f"{login}/token"})
    if path == "/oidc/v1/token":
        scheme, _, given = headers.get("Authorization", "").partition(" ")
        pair = base64.b64decode(given).decode() if scheme == "Basic" else ""
        asked = {name: values[0] for name, values in parse_qs(body.decode()).items()}
        if pair != ":".join(CLIENT) or asked.get("grant_type") != "client_credentials":
            return Answer(401, json.dumps({"error": "invalid_client", "error_description": "no such client"}).encode())
        return document({"access_token": _OAUTH_TOKEN, "token_type": "Bearer", "expires_in": 3600})
    return None


def _handler(workspace: Workspace) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def answer(self) -> None:
            """Read a request, and send the answer."""
            body = self._body()
            parts = urlsplit(self.path)
            path = unquote(parts.path)
            try:
                answer = (
                    _login(workspace, path, body, self.headers)
                    or workspace.signed.open(self.command, path, body)
                    or workspace.answer(
                        Request(
                            method=self.command,
                            path=path,
                            query=dict(parse_qsl(parts.query, keep_blank_values=True)),
                            body=body,
                            kind=self.headers.get("Content-Type", ""),
                            user=workspace.require_credentials(self.headers),
                            address=self.path,
                        )
                    )
                )
            except Refusal as refusal:
                answer = refusal.answer
            except Exception:
                fault = {"error_code": "INTERNAL_ERROR", "message": traceback.format_exc()}
                answer = Answer(500, json.dumps(fault).encode())
            self._send(answer)

        do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = do_HEAD = answer  # noqa: N815 - http.server's names

        def log_message(self, *_: Any) -> None:
            """Say nothing on the terminal."""

        def _body(self) -> bytes:
            if self.headers.get("Transfer-Encoding", "").lower() != "chunked":
                return self.rfile.read(int(self.headers.get("Content-Length") or 0))
            whole = b""
            while size := int(self.rfile.readline().split(b";")[0], 16):
                whole += self.rfile.read(size)
                self.rfile.readline()
            self.rfile.readline()
            return whole

        def _send(self, answer: Answer) -> None:
            self.send_response(answer.status)
            headers = {"Content-Length": str(len(answer.body)), "x-databricks-org-id": WORKSPACE_ID} | answer.headers
            for name, value in headers.items():
                self.send_header(name, value)
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(answer.body)

    return Handler
