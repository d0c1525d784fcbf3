"""The load on a server, from a process of its own: ``python -m tests.benchmarks.serving_load HOST BODY …``.

So many connections on loopback each send a request, wait for its answer, and send the next. It ends after a number of
requests or of seconds, whichever comes first, and prints one JSON object. Every answer must be 200.
"""

from __future__ import annotations

import argparse
import json
import selectors
import socket
import sys
from dataclasses import dataclass, field
from pathlib import Path
from time import perf_counter

_WARM_UPS = 20


@dataclass
class _Connection:
    """A connection with one request under way."""

    raw: socket.socket
    request: bytes
    sent: float = 0.0
    received: bytearray = field(default_factory=bytearray)

    def send(self) -> None:
        self.received.clear()
        self.sent = perf_counter()
        self.raw.sendall(self.request)

    def receive(self) -> float | None:
        """Take what has arrived; return the request's seconds once its answer is whole."""
        chunk = self.raw.recv(1 << 16)
        if not chunk:
            raise SystemExit("the server closed a connection")
        self.received += chunk
        head, found, body = self.received.partition(b"\r\n\r\n")
        if not found or len(body) < _length(bytes(head)):
            return None
        seconds = perf_counter() - self.sent
        if not head.startswith(b"HTTP/1.1 200 "):
            raise SystemExit(f"a request was answered with {bytes(self.received[:300])!r}")
        return seconds


def main() -> int:
    """Load a server and print what it took."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.serving_load")
    parser.add_argument("host", help="host and port, on loopback")
    parser.add_argument("body", type=Path, help="the file with a request's JSON")
    parser.add_argument("--connections", type=int, default=1)
    parser.add_argument("--requests", type=int, default=1000, help="so many at most")
    parser.add_argument("--seconds", type=float, default=10.0, help="so long at most")
    asked = parser.parse_args()
    request = _request(asked.host, asked.body.read_bytes())
    host, _, port = asked.host.rpartition(":")
    if not host.startswith("127."):
        raise SystemExit(f"{asked.host}: the load is for servers on loopback only")
    connections = [
        _Connection(socket.create_connection((host, int(port)), 60), request) for _ in range(asked.connections)
    ]
    for connection in connections:
        connection.raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    _measured(connections, requests=_WARM_UPS, seconds=asked.seconds)
    started = perf_counter()
    taken = _measured(connections, requests=asked.requests, seconds=asked.seconds)
    whole = perf_counter() - started
    print(json.dumps({"requests": len(taken), "seconds": whole, "milliseconds": [1000 * value for value in taken]}))
    return 0


def _measured(connections: list[_Connection], *, requests: int, seconds: float) -> list[float]:
    """Keep every connection busy, and return the seconds of each request that was answered."""
    taken: list[float] = []
    until = perf_counter() + seconds
    with selectors.DefaultSelector() as selector:
        for connection in connections:
            selector.register(connection.raw, selectors.EVENT_READ, connection)
            connection.send()
        under_way = len(connections)
        while under_way:
            for key, _ in selector.select():
                spent = key.data.receive()
                if spent is None:
                    continue
                taken.append(spent)
                if len(taken) + under_way <= requests and perf_counter() < until:
                    key.data.send()
                else:
                    under_way -= 1
    return taken


def _request(host: str, body: bytes) -> bytes:
    head = (
        f"POST /invocations HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/json\r\nContent-Length: {len(body)}"
    )
    return head.encode() + b"\r\n\r\n" + body


def _length(head: bytes) -> int:
    for line in head.split(b"\r\n")[1:]:
        name, _, value = line.partition(b":")
        if name.strip().lower() == b"content-length":
            return int(value)
    raise SystemExit(f"an answer has no length: {head!r}")


if __name__ == "__main__":
    sys.exit(main())
