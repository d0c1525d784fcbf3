"""This module provides the processes of the stack's servers: started apart from this one, found again, and ended.

A server leads a session of its own, by which its children are found, those too that left its process group (Spark's
Python workers do). It is known by its number and its start time, since numbers are used again.
"""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from gauntlet.adapters.claimants import start_of
from gauntlet.core.errors import RequirementError

STOP_SECONDS = 30.0
_KILL_SECONDS = 10.0
_POLL_SECONDS = 0.1
_TAIL_LINES = 15
_TAIL_BYTES = 20_000
_PROC = Path("/proc")


class ServerProcess(BaseModel):
    """A server that was started.

    Attributes:
        process: Its number.
        started: When it started, as the system says it.
        port: The port that it listens at, on loopback.
        log: Where its output goes.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    process: int
    started: str
    port: int
    log: Path

    @property
    def is_alive(self) -> bool:
        """Whether it still runs; a number that went to another process does not count."""
        return bool(self.started) and start_of(self.process) == self.started

    def stop(self) -> None:
        """End it and its children: asked first, killed when they do not go.

        Raises:
            RequirementError: If something of it is left.
        """
        members = self._members()
        if self.is_alive:
            with suppress(ProcessLookupError):
                os.killpg(self.process, signal.SIGTERM)
            _wait_until(lambda: not self.is_alive, seconds=STOP_SECONDS)
        # The children of a server that is gone are only looked for among those that it had, or that still name it.
        left = {pid: start for pid, start in (members | self._members()).items() if start_of(pid) == start}
        for process in left:
            with suppress(ProcessLookupError):
                os.kill(process, signal.SIGKILL)
        if self.is_alive:
            os.killpg(self.process, signal.SIGKILL)
        if not _wait_until(lambda: not self.is_alive and not _running(left), seconds=_KILL_SECONDS):
            numbers = ", ".join(str(number) for number in sorted(_running(left)) or [self.process])
            raise RequirementError(f"process {numbers} of the stack does not end; end it by hand")

    def tail(self) -> str:
        """Return the last lines of its log."""
        return tail(self.log)

    def _members(self) -> dict[int, str]:
        """Return the processes of its session with their start times; none where there is no /proc."""
        if start_of(self.process) not in ("", self.started):
            return {}  # the number is another's now, and so is the session
        found: dict[int, str] = {}
        for folder in _PROC.glob("[0-9]*"):
            number = int(folder.name)
            if number != self.process and _session_of(number) == self.process:
                start = start_of(number)
                if start:
                    found[number] = start
        return found


def start_server(
    command: Sequence[str], *, port: int, log: Path, folder: Path, environment: Mapping[str, str]
) -> ServerProcess:
    """Start a server as the leader of a session of its own.

    Args:
        command: Its command line.
        port: The port that it is told to listen at.
        log: Where its output is appended.
        folder: Where it works.
        environment: All of its environment.

    Raises:
        RequirementError: If it cannot be started.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab") as stream:
        try:
            process = subprocess.Popen(  # noqa: S603 - our own arguments, no shell
                command,
                cwd=folder,
                env=dict(environment),
                stdin=subprocess.DEVNULL,
                stdout=stream,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        except OSError as error:
            raise RequirementError(f"{command[0]}: cannot be started ({error.strerror})") from error
    return ServerProcess(process=process.pid, started=start_of(process.pid) or "", port=port, log=log)


def wait_until_ready(server: ServerProcess, *, name: str, ready: Callable[[], bool], seconds: float) -> None:
    """Wait until a server answers.

    Args:
        server: The server.
        name: What people call it.
        ready: Asks it; must answer within seconds.
        seconds: The longest time to wait.

    Raises:
        RequirementError: If it ended, or does not answer in time; the message ends with the last lines of its log.
    """
    alive = True

    def settled() -> bool:
        nonlocal alive
        alive = server.is_alive
        return not alive or ready()

    if _wait_until(settled, seconds=seconds) and alive:
        return
    what = f"does not answer at port {server.port} after {seconds:.0f} s" if alive else "ended while it was starting"
    raise RequirementError(f"{name} {what}; the last lines of {server.log}:\n{server.tail()}")


def tail(log: Path) -> str:
    """Return the last lines of a log."""
    try:
        content = log.read_bytes()[-_TAIL_BYTES:].decode("utf-8", errors="replace")
    except OSError as error:
        return f"({error.strerror})"
    return "\n".join(content.splitlines()[-_TAIL_LINES:])


def _wait_until(done: Callable[[], bool], *, seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while not done():
        if time.monotonic() > deadline:
            return False
        time.sleep(_POLL_SECONDS)
    return True


def _running(processes: Mapping[int, str]) -> list[int]:
    return [number for number, start in processes.items() if start_of(number) == start]


def _session_of(process: int) -> int | None:
    try:
        text = (_PROC / str(process) / "stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    return int(text.rpartition(")")[2].split()[3])
