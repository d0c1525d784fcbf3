"""This module provides the settings of a server: what it accepts, and from whom."""

from __future__ import annotations

from dataclasses import dataclass, field

from gauntlet.core.hosts import is_loopback


@dataclass(frozen=True)
class Limits:
    """What a server takes on at most.

    Attributes:
        body_bytes: Bytes of a request's body; above it is 413.
        rows: Rows of a request; above it is 413.
        seconds: Seconds for a body to arrive (then 408), and again for its answer (then 504).
        concurrency: Requests in work at once; above it is 503.
    """

    body_bytes: int = 16 * 2**20
    rows: int = 100_000
    seconds: float = 60.0
    concurrency: int = 128


@dataclass(frozen=True)
class ServerSettings:
    """How a server runs.

    Attributes:
        host: The name or address to listen on.
        port: The port; 0 takes a free one.
        token: What a client must show as a bearer token; None lets everybody in.
        limits: What it takes on at most.
        poll_seconds: How often it looks whether there is another champion.
        drain_seconds: How long requests in work may go on after it was told to stop.
    """

    host: str = "127.0.0.1"
    port: int = 8080
    token: str | None = field(default=None, repr=False)
    limits: Limits = Limits()
    poll_seconds: float = 5.0
    drain_seconds: float = 30.0

    @property
    def is_loopback(self) -> bool:
        """Whether only this machine can reach the server; a name other than ``localhost`` is not looked up."""
        return is_loopback(self.host)
