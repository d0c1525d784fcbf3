"""This module provides the running server: a socket, a thread with the event loop, and a stop that loses no request."""

from __future__ import annotations

import errno
import logging
import math
import socket
import threading
from dataclasses import dataclass
from functools import partial
from queue import SimpleQueue

import uvicorn

from gauntlet.core.errors import InputError, RequirementError
from gauntlet.serving.access import AccessLog
from gauntlet.serving.application import ScoringApplication
from gauntlet.serving.champion_watch import ChampionWatch
from gauntlet.serving.metrics import ServingMetrics
from gauntlet.serving.served_model import ModelSource
from gauntlet.serving.settings import ServerSettings

_BACKLOG = 2048
_KEEP_ALIVE_SECONDS = 30


@dataclass(frozen=True)
class RunningServer:
    """A server that answers.

    Attributes:
        address: Where, as a URL.
        watch: The version that it serves.
    """

    address: str
    watch: ChampionWatch
    _server: uvicorn.Server
    _thread: threading.Thread

    def stop(self) -> None:
        """Take no further request and let those in work end; a second call ends them too. It waits for nothing."""
        if self._server.should_exit:
            self._server.force_exit = True
        self._server.should_exit = True

    def wait(self) -> None:
        """Wait until the server has ended."""
        self._thread.join()


def start(source: ModelSource, settings: ServerSettings, *, access_log: AccessLog | None = None) -> RunningServer:
    """Load the champion, and serve it from a thread; it answers when this returns.

    Args:
        source: Where the champion comes from.
        settings: How the server runs.
        access_log: Takes one line a request; None takes none.

    Raises:
        InputError: If the host is no address of this machine.
        RefusedError: If there is no champion, or it is not what was promoted.
        RequirementError: If the port is in use, or the champion cannot be had.
    """
    # MLflow would log a line for every request with a column too many.
    logging.getLogger("mlflow").setLevel(logging.ERROR)
    listening = _listening(settings)
    try:
        metrics = ServingMetrics()
        served = source.loaded(source.promoted())
        watch = ChampionWatch(source, served, metrics, seconds=settings.poll_seconds)
        answers: SimpleQueue[bool] = SimpleQueue()
        on_ready = partial(answers.put, True)
        application = ScoringApplication(watch, metrics, settings, access_log=access_log, on_ready=on_ready)
        server = _server(application, settings)
        # Whoever is interrupted before it can stop the server leaves it to end with the process.
        thread = threading.Thread(target=_run, args=(server, listening, watch, answers), name="server", daemon=True)
        address = _address(settings, listening)
        thread.start()
    except BaseException:
        listening.close()
        raise
    if not answers.get():
        raise RequirementError(f"{address}: the server ended at once; see its log")
    return RunningServer(address, watch, server, thread)


def _run(server: uvicorn.Server, listening: socket.socket, watch: ChampionWatch, answers: SimpleQueue[bool]) -> None:
    """Run the event loop; whoever waits for it to answer is told if it ends."""
    try:
        server.run(sockets=[listening])
    finally:
        watch.stop()
        listening.close()
        answers.put(False)


def _server(application: ScoringApplication, settings: ServerSettings) -> uvicorn.Server:
    config = uvicorn.Config(
        application.asgi,
        lifespan="on",
        ws="none",
        access_log=False,
        log_config=None,
        server_header=False,
        proxy_headers=False,
        timeout_keep_alive=_KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=math.ceil(settings.drain_seconds),
    )
    return uvicorn.Server(config)


def _listening(settings: ServerSettings) -> socket.socket:
    """Return a socket that listens where the settings say."""
    where = f"{settings.host}:{settings.port}"
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            settings.host, settings.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
    except OSError as error:
        raise InputError(f"{where}: cannot be looked up ({error.strerror or error}); give another --host") from error
    listening = socket.socket(family, kind, protocol)
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind(address)
        listening.listen(_BACKLOG)
    except OSError as error:
        listening.close()
        if error.errno == errno.EADDRNOTAVAIL:
            raise InputError(f"{where}: is no address of this machine; give another --host") from error
        reason = "the port is in use" if error.errno == errno.EADDRINUSE else str(error.strerror or error)
        raise RequirementError(f"{where}: {reason}; give another --port (0 takes a free one)") from error
    return listening


def _address(settings: ServerSettings, listening: socket.socket) -> str:
    port = listening.getsockname()[1]
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    return f"http://{host}:{port}"
