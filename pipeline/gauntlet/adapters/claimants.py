"""This module provides claimants: the process that holds a claim, and whether it is gone.

A process is known by its number and its start time, since numbers are used again, and by its host. On Linux the host's
name is followed by a mark of its start and of the space of process numbers: containers may share a name, but not the
processes that they see. A process of another host, or one that cannot be looked at, counts as gone some time after it
took the claim.
"""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from gauntlet.core.canonical import digest
from gauntlet.core.errors import RequirementError

_PROC = Path("/proc")
_PS_SECONDS = 20
_TEXT = re.compile(r"(?P<host>.+) process (?P<process>\d+) started (?P<started>.*) since (?P<since>\S+)")


@dataclass(frozen=True)
class Claimant:
    """A process that holds a claim.

    Attributes:
        host: The host's name, and on Linux a mark of its start and its process numbers.
        process: The process's number.
        started: When it started, as the system says it; empty if that cannot be told.
        since: When it took the claim, in ISO's form.
    """

    host: str
    process: int
    started: str
    since: str

    def __str__(self) -> str:
        return f"{self.host} process {self.process} started {self.started} since {self.since}"

    @property
    def phrase(self) -> str:
        """The claimant in a few words, for messages."""
        return f"process {self.process} on {self.host.split('/')[0]} (since {self.since})"

    @property
    def is_this_process(self) -> bool:
        """Whether it is the very process that asks."""
        mine = this_process()
        return (self.host, self.process, self.started) == (mine.host, mine.process, mine.started)

    def is_gone(self, *, stale_seconds: float) -> bool:
        """Say whether the process runs no more.

        Args:
            stale_seconds: After how many seconds a claimant that cannot be looked at counts as gone.
        """
        if self.started and self.host == this_process().host:
            started = start_of(self.process)
            if started is not None:
                return started != self.started
        age = datetime.now(UTC) - datetime.fromisoformat(self.since)
        return age.total_seconds() > stale_seconds


def this_process() -> Claimant:
    """Return the process that asks, as a claimant from now on."""
    number = os.getpid()
    return Claimant(
        host=_host(),
        process=number,
        started=start_of(number) or "",
        since=datetime.now(UTC).isoformat(timespec="microseconds"),
    )


def claimant_of(text: str) -> Claimant:
    """Return the claimant that a text names.

    Raises:
        RequirementError: If it names none.
    """
    match = _TEXT.fullmatch(text)
    try:
        if match is None or datetime.fromisoformat(match["since"]).tzinfo is None:
            raise ValueError(text)
    except ValueError as error:
        raise RequirementError(f"{text!r} names no process that could hold a claim; it was changed by hand") from error
    return Claimant(match["host"], int(match["process"]), match["started"], match["since"])


def _host() -> str:
    name = socket.gethostname()
    try:
        boot = (_PROC / "sys/kernel/random/boot_id").read_text(encoding="ascii")
        numbers = str((_PROC / "self/ns/pid").readlink())
    except OSError:
        return name
    return f"{name}/{digest([boot, numbers])[:8]}"


def start_of(process: int) -> str | None:
    """Return when a process started, as the system says it; empty if there is none, None if it cannot be told."""
    if not (_PROC / "self/stat").exists():
        return _start_by_ps(process)
    try:
        text = (_PROC / str(process) / "stat").read_text(encoding="utf-8", errors="replace")
    except (FileNotFoundError, ProcessLookupError):
        # /proc may be mounted so that it hides the processes of other users.
        return None if _is_there(process) else ""
    except OSError:
        return None
    # The command's name, in parentheses, may hold spaces: the state and the numbers begin after it.
    fields = text.rpartition(")")[2].split()
    return "" if fields[0] in {"Z", "X"} else fields[19]


def _is_there(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True


def _start_by_ps(process: int) -> str | None:
    """Return what ``start_of`` does where there is no /proc, such as macOS."""
    program = shutil.which("ps")
    if program is None:
        return None
    try:
        done = subprocess.run(  # noqa: S603 - a program found on PATH, our own arguments, no shell
            [program, "-o", "stat=,lstart=", "-p", str(process)],
            capture_output=True,
            text=True,
            timeout=_PS_SECONDS,
            check=False,
            env={"LC_ALL": "C", "TZ": "UTC"},
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    state, _, started = done.stdout.strip().partition(" ")
    if not started:
        return "" if done.returncode == 1 else None
    return "" if state.startswith("Z") else " ".join(started.split())
