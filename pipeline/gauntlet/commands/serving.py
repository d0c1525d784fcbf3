"""This module provides the command that serves the champion over HTTP until it is told to stop."""

from __future__ import annotations

import importlib.util
import json
import logging
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from rich.markup import escape

from gauntlet.commands.opening import RoadOptions, run_folder_of
from gauntlet.core.errors import ExitCode, InputError, RequirementError
from gauntlet.core.state import State
from gauntlet.terminal import Terminal

if TYPE_CHECKING:
    from gauntlet.serving.server import RunningServer
    from gauntlet.serving.settings import ServerSettings

TOKEN_VARIABLE = "GAUNTLET_SERVE_TOKEN"  # noqa: S105 - the name of a variable

_PACKAGES = ("starlette", "uvicorn", "prometheus_client")
_TOKEN_CHARACTERS = 16


@dataclass(frozen=True)
class ServeOptions:
    """What the command was told of the server.

    Attributes:
        host: Where to listen.
        port: The port; 0 takes a free one.
        token_file: The file with the access token; None leaves it to the environment.
        body_bytes: The largest body of a request.
        rows: The most rows of a request.
        seconds: The longest time for a request.
        concurrency: The most requests in work at once.
        poll_seconds: How often to look for another champion.
        drain_seconds: How long requests in work may go on after a stop.
        access_log: The file for one line a request; ``-`` is standard error; None writes none.
    """

    host: str
    port: int
    token_file: Path | None
    body_bytes: int
    rows: int
    seconds: float
    concurrency: int
    poll_seconds: float
    drain_seconds: float
    access_log: str | None


def serve_champion(options: RoadOptions, serving: ServeOptions, terminal: Terminal) -> int:
    """Serve the champion until SIGTERM or SIGINT; requests in work are answered before it ends.

    Raises:
        InputError: If there is no state folder, or the token is of no use, or lacks where others can reach the server.
        RefusedError: If there is no champion, or it is not what was promoted.
        RequirementError: If a package is missing, the port is in use, or the champion cannot be had.
    """
    _require_packages()
    problem, state = options.described(), State(options.state)
    if not options.state.is_dir():
        raise InputError(f"{options.state}: no state folder; give the one that your runs used with --state")
    settings = _settings(serving)
    with _streams() as (out, err), run_folder_of(state, terminal) as run_folder, ExitStack() as stack:
        from gauntlet.adapters.target import open_target  # noqa: PLC0415 - after the log
        from gauntlet.serving.access import StreamLog  # noqa: PLC0415
        from gauntlet.serving.served_model import ChampionSource  # noqa: PLC0415
        from gauntlet.serving.server import start  # noqa: PLC0415
        from gauntlet.stages.champions import open_champions  # noqa: PLC0415

        stack.enter_context(_events_on(err))
        lines = _access_stream(serving.access_log, err, stack)
        target = open_target(options.target, problem=problem, state=state, workers=options.workers)
        source = ChampionSource(open_champions(target, state))
        server = start(source, settings, access_log=None if lines is None else StreamLog(lines))
        with _stopped_by_signals(server):
            _announce(server, settings, terminal, out=out, log=run_folder / "log.txt")
            server.wait()
        terminal.say("stopped")
    return ExitCode.DONE


def _require_packages() -> None:
    """Make sure that the server's packages are there.

    Raises:
        RequirementError: If not.
    """
    missing = [name for name in _PACKAGES if importlib.util.find_spec(name) is None]
    if missing:
        raise RequirementError(
            f"the server needs {', '.join(missing)}, which {'is' if len(missing) == 1 else 'are'} not installed: "
            "pip install 'gauntlet-mlops[serve]'"
        )


def _settings(serving: ServeOptions) -> ServerSettings:
    """Return the server's settings.

    Raises:
        InputError: If the token is of no use, or others can reach the server and there is none.
    """
    from gauntlet.serving.settings import Limits, ServerSettings  # noqa: PLC0415 - after the packages were found

    settings = ServerSettings(
        host=serving.host,
        port=serving.port,
        token=_token(serving.token_file),
        limits=Limits(
            body_bytes=serving.body_bytes,
            rows=serving.rows,
            seconds=serving.seconds,
            concurrency=serving.concurrency,
        ),
        poll_seconds=serving.poll_seconds,
        drain_seconds=serving.drain_seconds,
    )
    if settings.token is None and not settings.is_loopback:
        raise InputError(
            f"--host {settings.host}: other machines could reach the server, and nobody would be asked for an access "
            f"token; set {TOKEN_VARIABLE} or give --token-file"
        )
    return settings


def _token(file: Path | None) -> str | None:
    """Return the access token of a file, else of the environment; None if neither is given."""
    text, where = os.environ.get(TOKEN_VARIABLE), TOKEN_VARIABLE
    if file is not None:
        where = str(file)
        try:
            text = file.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise InputError(f"{file}: the access token cannot be read ({error}); give another --token-file") from error
    if text is None:
        return None
    token = text.strip()
    if len(token) < _TOKEN_CHARACTERS or not token.isascii() or not token.isprintable() or " " in token:
        raise InputError(
            f"{where}: an access token has at least {_TOKEN_CHARACTERS} printable ASCII characters and no space; make "
            "one with: openssl rand -hex 32"
        )
    return token


def _announce(server: RunningServer, settings: ServerSettings, terminal: Terminal, *, out: IO[str], log: Path) -> None:
    """Say where the server answers, and what it serves."""
    served = server.watch.served
    if terminal.machine:
        document: dict[str, Any] = {"address": server.address, **served.described, "log": str(log.resolve())}
        print(json.dumps(document, ensure_ascii=False), file=out, flush=True)
        return
    terminal.say(
        f"[bold green]✓[/] {escape(server.address)}/invocations answers with {escape(served.name)} version "
        f"{served.version} (Ctrl-C ends it)"
    )
    terminal.say(f"Log: {escape(str(log))}")
    if not settings.is_loopback:
        terminal.say("[yellow]The connection is not encrypted: let a proxy that speaks TLS stand before it.[/]")


@contextmanager
def _streams() -> Iterator[tuple[IO[str], IO[str]]]:
    """Give copies of standard output and standard error, which go on when libraries' noise is sent elsewhere."""
    sys.stdout.flush()
    sys.stderr.flush()
    with (
        os.fdopen(os.dup(1), "w", encoding="utf-8") as out,
        os.fdopen(os.dup(2), "w", encoding="utf-8") as err,
    ):
        yield out, err


def _access_stream(access_log: str | None, err: IO[str], stack: ExitStack) -> IO[str] | None:
    if access_log is None or access_log == "-":
        return err if access_log else None
    try:
        return stack.enter_context(Path(access_log).open("a", encoding="utf-8"))
    except OSError as error:
        raise InputError(f"--access-log {access_log}: cannot be written ({error.strerror})") from error


@contextmanager
def _events_on(stream: IO[str]) -> Iterator[None]:
    """Show what the server has to say of itself: another version, and why there is none."""
    logger = logging.getLogger("gauntlet.serving")
    handler = logging.StreamHandler(stream)
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    level = logger.level
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    try:
        yield
    finally:
        logger.removeHandler(handler)
        logger.setLevel(level)


@contextmanager
def _stopped_by_signals(server: RunningServer) -> Iterator[None]:
    """Let SIGTERM and SIGINT stop the server; the second one cuts off what is in work."""
    before = {number: signal.signal(number, lambda *_: server.stop()) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield
    finally:
        server.stop()
        for number, handler in before.items():
            signal.signal(number, handler)
