"""This module provides the running of Terraform: python-terraform's command lines in a process that is looked after.

python-terraform's own ``cmd`` holds all output in memory, has no time-out, copies the whole environment, logs command
and output at DEBUG, and warns of every exit code but 0, so also of a plan that found changes. Here ``cmd`` is replaced,
and with it everything of the library that ends in it.
"""

from __future__ import annotations

import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO, Any, Literal

import python_terraform

from gauntlet.adapters.terraform_environment import without_secrets
from gauntlet.core.errors import RequirementError

AFTER_A_KILL = (
    "what was under way may have been made without being in the state, and the state may still be locked: the next "
    "`gauntlet infra plan` says so"
)

Listener = Callable[[str], None]

_POLL_SECONDS = 0.1
_CHUNK = 1 << 16


class TerraformProcess(python_terraform.Terraform):  # type: ignore[misc] # the library has no types
    """One folder's Terraform, each command in a process group of its own.

    Terraform writes into an unnamed file, not into a pipe: if this process dies, Terraform goes on to its end and saves
    its state, where writing to a broken pipe would have killed it half way.

    Attributes:
        limit_seconds: After this time a command is interrupted: Terraform finishes what is under way, saves the state
            and releases the lock. May be set before each command.
        grace_seconds: After this further time it is killed.
    """

    def __init__(
        self,
        folder: Path,
        *,
        program: Path,
        environment: Mapping[str, str],
        limit_seconds: float,
        grace_seconds: float,
    ) -> None:
        self._environment = dict(environment)
        self.limit_seconds = limit_seconds
        self.grace_seconds = grace_seconds
        super().__init__(working_dir=str(folder), terraform_bin_path=str(program))

    def read_state_file(self, file_path: str | None = None) -> None:
        """Leave the state unread: the library would load it, secrets and all, and fail on a damaged one."""

    def cmd(self, cmd: str, *args: str, listener: Listener | None = None, **options: Any) -> tuple[int, str, str]:
        """Run a command to its end.

        Args:
            cmd: The command, such as ``plan``.
            args: Its positional arguments.
            listener: Is given each line of standard output as it is written.
            options: Its options, in python-terraform's form.

        Returns:
            Exit code, standard output and standard error; a negative exit code is the signal that killed it.

        Raises:
            RequirementError: If the program cannot be started, or did not end in time.
            KeyboardInterrupt: If this process was interrupted; Terraform has ended then.
        """
        command = self.generate_cmd_string(cmd, *args, **options)
        with TemporaryFile() as out, TemporaryFile() as err:
            lines = _Lines(out, listener=listener)
            with _termination_as_interrupt():
                process = self._start(command, out, err)
                self._attend(process, cmd, lines)
            if process.returncode < 0:
                _kill_group(process)  # providers and provisioners that a killed Terraform left
            return process.returncode, _text(out), without_secrets(_text(err), self._environment)

    def _start(self, command: list[str], out: IO[bytes], err: IO[bytes]) -> subprocess.Popen[bytes]:
        try:
            return subprocess.Popen(  # noqa: S603 - a program found on PATH, our own arguments, no shell
                command,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=err,
                cwd=self.working_dir,
                env=self._environment,
                # Ctrl-C reaches a whole group. Terraform takes a second interrupt for an order to drop everything, so
                # it must get the one that we send, and no other.
                start_new_session=True,
            )
        except OSError as error:
            raise RequirementError(f"{command[0]}: cannot be started ({error.strerror or error})") from error

    def _attend(self, process: subprocess.Popen[bytes], name: str, lines: _Lines) -> None:
        try:
            if _ended(process, lines, seconds=self.limit_seconds):
                return
        except BaseException as error:
            if not isinstance(error, KeyboardInterrupt):
                lines.silence()  # whoever failed to listen once would fail again, and leave Terraform alone
            if self._stop(process, lines) == "killed":
                raise RequirementError(
                    f"terraform {name} was interrupted, did not end within {self.grace_seconds:g} s and was killed; "
                    f"{AFTER_A_KILL}"
                ) from None
            raise
        ending = self._stop(process, lines)
        what_then = AFTER_A_KILL if ending == "killed" else "it saved its state and released the lock"
        raise RequirementError(
            f"terraform {name} did not end within {self.limit_seconds:g} s and was {ending}; {what_then}. Give more "
            "time with --timeout MINUTES, and plan again"
        )

    def _stop(self, process: subprocess.Popen[bytes], lines: _Lines) -> Literal["interrupted", "killed"]:
        process.send_signal(signal.SIGINT)
        try:
            if _ended(process, lines, seconds=self.grace_seconds):
                return "interrupted"
        except KeyboardInterrupt:
            pass  # a second interrupt: whoever sent it will not wait
        _kill_group(process)
        process.wait()
        return "killed"


class _Lines:
    """The lines of a file that a process is writing."""

    def __init__(self, stream: IO[bytes], *, listener: Listener | None) -> None:
        self._descriptor = stream.fileno()
        self._listener = listener
        self._offset = 0
        self._rest = b""

    def silence(self) -> None:
        """Tell the listener nothing more."""
        self._listener = None

    def read_new(self) -> None:
        """Give the listener what was written since the last call."""
        if self._listener is None:
            return
        # pread leaves the file's position alone, which this process and the writing one share.
        while chunk := os.pread(self._descriptor, _CHUNK, self._offset):
            self._offset += len(chunk)
            *lines, self._rest = (self._rest + chunk).split(b"\n")
            for line in lines:
                self._listener(line.decode("utf-8", errors="replace"))


def _ended(process: subprocess.Popen[bytes], lines: _Lines, *, seconds: float) -> bool:
    """Wait so long for a process; return whether it ended."""
    until = time.monotonic() + seconds
    while True:
        try:
            process.wait(timeout=min(_POLL_SECONDS, max(0.0, until - time.monotonic())))
        except subprocess.TimeoutExpired:
            lines.read_new()
            if time.monotonic() >= until:
                return False
        else:
            lines.read_new()
            return True


def _kill_group(process: subprocess.Popen[bytes]) -> None:
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)


def _text(stream: IO[bytes]) -> str:
    stream.seek(0)
    return stream.read().decode("utf-8", errors="replace")


@contextmanager
def _termination_as_interrupt() -> Iterator[None]:
    """Take an order to terminate (a cancelled CI job) for an interrupt, so that Terraform is not left alone."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before or signal.SIG_DFL)
