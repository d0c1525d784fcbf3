"""Servers for one model, each in a process of its own on loopback: MLflow's, and ours."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

_SECONDS = 120.0


@dataclass(frozen=True)
class Server:
    """A server that answers.

    Attributes:
        host: Its host and port.
        process: Its process.
    """

    host: str
    process: subprocess.Popen[str]

    def ask(self, body: bytes, content_type: str = "application/json") -> tuple[int, bytes]:
        """Ask for predictions, and return status and body."""
        connection = http.client.HTTPConnection(self.host, timeout=_SECONDS)
        with contextlib.closing(connection):
            connection.request("POST", "/invocations", body, {"Content-Type": content_type})
            answer = connection.getresponse()
            return answer.status, answer.read()


@contextlib.contextmanager
def mlflow_server(folder: Path) -> Iterator[Server]:
    """Run ``mlflow models serve`` on a packed model, in this environment."""
    port = _free_port()
    command = [sys.executable, "-m", "mlflow", "models", "serve", "--model-uri", str(folder), "--env-manager", "local"]
    # MLflow starts `uvicorn`, which lies beside this Python.
    path = os.pathsep.join((str(Path(sys.executable).parent), os.environ["PATH"]))
    command += ["--host", "127.0.0.1", "--port", str(port)]
    # It writes a line for each request, and would stop once a pipe that nobody reads is full.
    with tempfile.TemporaryFile() as lines, _process(command, {"PATH": path}, stdout=lines) as process:
        host = f"127.0.0.1:{port}"
        _wait(host, process)
        yield Server(host, process)


@contextlib.contextmanager
def gauntlet_server(state: Path, arguments: Sequence[str] = ()) -> Iterator[Server]:
    """Run ``gauntlet serve`` on a state folder."""
    command = [sys.executable, "-m", "gauntlet", "serve", "--state", str(state), "--port", "0", "--json", *arguments]
    with _process(command, {}, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        line = process.stdout.readline()
        document = json.loads(line) if line.startswith("{") and line.endswith("}\n") else {}
        if "address" not in document:
            raise RuntimeError(f"gauntlet serve gave no address: {line}{process.stdout.read()}")
        yield Server(document["address"].removeprefix("http://"), process)


@contextlib.contextmanager
def _process(
    command: list[str], environment: dict[str, str], *, stdout: int | IO[bytes]
) -> Iterator[subprocess.Popen[str]]:
    """Run a server in a session of its own, and end all of it."""
    with tempfile.TemporaryFile("w+", encoding="utf-8") as log:
        process = subprocess.Popen(
            command,
            env=os.environ | environment,
            stdout=stdout,
            stderr=log,
            text=True,
            start_new_session=True,
        )
        try:
            yield process
        except RuntimeError as error:
            log.seek(0)
            raise RuntimeError(f"{error}\n{log.read()[-2000:]}") from error
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGTERM)
            try:
                process.communicate(timeout=_SECONDS)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.communicate()


def _wait(host: str, process: subprocess.Popen[str]) -> None:
    """Wait until a server answers."""
    until = time.monotonic() + _SECONDS
    while time.monotonic() < until:
        if process.poll() is not None:
            raise RuntimeError(f"the server ended with {process.returncode}")
        with (
            contextlib.suppress(OSError),
            contextlib.closing(http.client.HTTPConnection(host, timeout=5)) as connection,
        ):
            connection.request("GET", "/ping")
            if connection.getresponse().status == 200:
                return
        time.sleep(0.1)  # it is starting
    raise RuntimeError(f"the server did not answer within {_SECONDS:g} seconds")


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as found:
        return int(found.getsockname()[1])
