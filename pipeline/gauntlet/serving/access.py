"""This module provides what holds for every request: who is let in, what is counted, and what is logged of it."""

from __future__ import annotations

import contextlib
import hmac
from datetime import UTC, datetime
from time import perf_counter
from typing import IO, Protocol

from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gauntlet.serving.metrics import ServingMetrics
from gauntlet.serving.refusals import Refusal
from gauntlet.serving.scoring import JSON

INVOCATIONS = "/invocations"
# Whether the server is alive may be asked by those that watch over it, which have no token.
OPEN_ROUTES = frozenset({"/ping", "/health"})
ROUTES = frozenset({INVOCATIONS, "/version", "/model", "/metrics"}) | OPEN_ROUTES


class AccessLog(Protocol):
    """Takes one line a request."""

    def line(self, *, method: str, route: str, status: int, rows: int, seconds: float) -> None:
        """Take the line of one request; nothing of its data is in it."""


class StreamLog:
    """An access log on a stream."""

    def __init__(self, stream: IO[str]) -> None:
        self._stream = stream

    def line(self, *, method: str, route: str, status: int, rows: int, seconds: float) -> None:
        """Write the line of one request."""
        moment = datetime.now(UTC).isoformat(timespec="milliseconds")
        with contextlib.suppress(OSError, ValueError):  # a log that cannot be written stops no answer
            self._stream.write(f"{moment} {method} {route} {status} rows={rows} ms={1000 * seconds:.2f}\n")
            self._stream.flush()


class Access:
    """The outermost part of the application."""

    def __init__(
        self, application: ASGIApp, *, metrics: ServingMetrics, token: str | None, log: AccessLog | None
    ) -> None:
        """Stand before an application.

        Args:
            application: What answers those who are let in.
            metrics: What is counted.
            token: What a client must show; None lets everybody in.
            log: Takes one line a request; None takes none.
        """
        self._application = application
        self._metrics = metrics
        self._expected = None if token is None else f"Bearer {token}".encode()
        self._log = log

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self._application(scope, receive, send)
            return
        started, status = perf_counter(), 500

        async def watched(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            if self._admits(scope):
                await self._application(scope, receive, watched)
            else:
                await _unauthorised(scope, receive, watched)
        finally:
            self._note(scope, status, perf_counter() - started)

    def _admits(self, scope: Scope) -> bool:
        if self._expected is None or scope["path"] in OPEN_ROUTES:
            return True
        shown = [value for name, value in scope["headers"] if name == b"authorization"]
        return len(shown) == 1 and hmac.compare_digest(shown[0], self._expected)

    def _note(self, scope: Scope, status: int, seconds: float) -> None:
        route = scope["path"] if scope["path"] in ROUTES else "other"
        self._metrics.requests(route, str(status)).inc()
        if route == INVOCATIONS:
            self._metrics.seconds.observe(seconds)
        if self._log is not None:
            rows = scope.get("gauntlet.rows", 0)
            self._log.line(method=scope["method"], route=route, status=status, rows=rows, seconds=seconds)


async def _unauthorised(scope: Scope, receive: Receive, send: Send) -> None:
    message = "this server wants its access token: send the header Authorization: Bearer TOKEN"
    refusal = Refusal(401, "UNAUTHENTICATED", message)
    headers = {"www-authenticate": "Bearer", "connection": "close"}
    await Response(refusal.content, 401, headers, JSON)(scope, receive, send)
