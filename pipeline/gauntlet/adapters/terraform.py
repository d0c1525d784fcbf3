"""This module provides Terraform, typed: one folder of configuration, its commands, and errors in the house's terms."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from gauntlet.adapters.terraform_diagnostics import Diagnostic, diagnostics, explained, message_of
from gauntlet.adapters.terraform_environment import user_environment, without_secrets
from gauntlet.core.errors import GauntletError, RequirementError

if TYPE_CHECKING:
    from gauntlet.adapters.terraform_process import TerraformProcess

EventKind = Literal["started", "going on", "done", "failed", "stopping"]

_INSTALL = "install Terraform 1.9 or newer (https://developer.hashicorp.com/terraform/install) and put it on PATH"
_EVENTS: Mapping[str, EventKind] = {
    "apply_start": "started",
    "apply_progress": "going on",
    "apply_complete": "done",
    "apply_errored": "failed",
}
_CHANGES_FOUND = 2


@dataclass(frozen=True)
class Limits:
    """How long commands may take, in seconds.

    Attributes:
        long: For what asks the network: ``init``, ``plan``, ``apply``.
        short: For what only reads: ``version``, ``show``, ``output``.
        grace: For an interrupted command to finish what is under way and to save its state.
    """

    long: float = 5400.0
    short: float = 120.0
    grace: float = 300.0


@dataclass(frozen=True)
class Event:
    """Something that happened while a plan was applied.

    Attributes:
        kind: What happened: to one resource, or that Terraform was interrupted and is ``stopping``.
        action: What is done to the resource: ``create``, ``update``, ``delete`` or ``read``.
        address: The resource's address.
        seconds: For how long by now.
    """

    kind: EventKind
    action: str = ""
    address: str = ""
    seconds: float = 0.0


@dataclass(frozen=True)
class Output:
    """One output value of a stack.

    Attributes:
        value: The value.
        sensitive: Whether it must not be shown.
    """

    value: Any
    sensitive: bool


@dataclass(frozen=True)
class Planned:
    """What planning gave.

    Attributes:
        changes: Whether anything would change.
        warnings: What Terraform warned of.
    """

    changes: bool
    warnings: tuple[Diagnostic, ...]


def find_terraform(environment: Mapping[str, str] | None = None) -> Path:
    """Return the terraform program that an environment's ``PATH`` leads to.

    Args:
        environment: The environment; None takes ``user_environment``.

    Raises:
        RequirementError: If there is none.
    """
    environment = user_environment() if environment is None else environment
    program = shutil.which("terraform", path=environment.get("PATH", ""))
    if program is None:
        raise RequirementError(f"no terraform on PATH; {_INSTALL}")
    return Path(program)


class Terraform:
    """Terraform on one folder of configuration. No command asks a question or prints anything."""

    def __init__(
        self,
        folder: Path,
        *,
        program: Path,
        environment: Mapping[str, str] | None = None,
        limits: Limits | None = None,
    ) -> None:
        """Take the folder; nothing is started.

        Args:
            folder: The root module.
            program: The terraform program, such as ``find_terraform`` returns.
            environment: The environment it is started in; None takes ``user_environment``.
            limits: How long commands may take; None takes the usual.
        """
        self.folder = folder
        self._program = program
        self._environment = dict(user_environment() if environment is None else environment)
        self._limits = limits or Limits()

    def version(self) -> str:
        """Return the program's version.

        Raises:
            RequirementError: If it is not one that the modules take, or says none.
        """
        # Terraform before 0.13 has no `version -json`, and that it is old is what must be found out.
        _, out, _ = self._process(self._limits.short).cmd("version")
        match = re.search(r"^Terraform v((\d+)\.(\d+)\S*)", out, re.MULTILINE)
        if match is None:
            raise RequirementError(f"{self._program}: does not say a version of Terraform; {_INSTALL}")
        if not (1, 9) <= (int(match[2]), int(match[3])) < (2, 0):
            raise RequirementError(
                f"{self._program}: is Terraform {match[1]}; the modules take 1.9 and newer, below 2.0; {_INSTALL}"
            )
        return match[1]

    def init(self, *, backend: Path | None = None) -> None:
        """Fetch providers and modules, and connect the backend.

        Args:
            backend: The file with the backend's settings; None where the configuration has them all.
        """
        settings: dict[str, Any] = {} if backend is None else {"backend_config": str(backend.resolve())}
        self._run("init", input=False, **settings)

    def plan(self, out: Path, *, destroy: bool = False, targets: Sequence[str] = ()) -> Planned:
        """Plan, and keep the plan in a file that only the owner may read: it holds every value in the clear.

        Args:
            out: The file. What is there is removed first; a planning that failed leaves none.
            destroy: Whether everything is to go.
            targets: The addresses that alone are planned, with what they depend on (or, where they go, with what
                depends on them); all, if empty.

        Raises:
            InputError: If a rule of the modules refuses the values.
            RequirementError: If the environment lacks something: a login, the lock, a provider.
        """
        out.unlink(missing_ok=True)
        out.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        options: dict[str, Any] = {"target": list(targets)} | ({"destroy": True} if destroy else {})
        try:
            # With this option the exit code is 2 where something would change, and 0 where nothing would.
            code, output = self._run("plan", detailed_exitcode=True, out=str(out.resolve()), input=False, **options)
            out.chmod(0o600)
        except BaseException:
            # A planning that failed may leave a file too, and it must never be taken for a good one.
            out.unlink(missing_ok=True)
            raise
        warnings = tuple(one for one in diagnostics(output, "") if one.severity == "warning")
        return Planned(changes=code == _CHANGES_FOUND, warnings=warnings)

    def show(self, plan: Path) -> dict[str, Any]:
        """Return what a saved plan holds, in the form of ``terraform show -json``."""
        _, out = self._run("show", str(plan.resolve()))
        shown: dict[str, Any] = json.loads(out)
        return shown

    def is_made(self) -> bool:
        """Return whether the state holds anything."""
        _, out = self._run("show")
        return "values" in json.loads(out)

    def apply(self, plan: Path, *, listener: Callable[[Event], None] | None = None) -> None:
        """Do what a saved plan says, and nothing else.

        Args:
            plan: The file.
            listener: Is told of each resource as it starts, goes on, is done or fails.

        Raises:
            RefusedError: If the state changed since the plan was made.
            RequirementError: If something could not be done; what was done by then is in the state.
        """

        def hear(line: str) -> None:
            event = _event(line)
            if event is not None and listener is not None:
                listener(event)

        self._run("apply", str(plan.resolve()), hear=hear, input=False)

    def outputs(self) -> dict[str, Output]:
        """Return the stack's output values; none, where it has not been made."""
        _, out = self._run("output")
        return {name: Output(one["value"], bool(one["sensitive"])) for name, one in json.loads(out).items()}

    def _run(
        self, command: str, *arguments: str, hear: Callable[[str], None] | None = None, **options: Any
    ) -> tuple[int, str]:
        """Run a command that speaks JSON; return its exit code, 0 or that of a plan with changes, and its output."""
        limits = self._limits
        process = self._process(limits.long if command in ("init", "plan", "apply") else limits.short)
        code, out, errors = process.cmd(command, *arguments, listener=hear, json=True, **options)
        if code == 0 or (command == "plan" and code == _CHANGES_FOUND):
            return code, out
        raise self._error(command, code, diagnostics(out, errors))

    def _error(self, command: str, code: int, found: tuple[Diagnostic, ...]) -> GauntletError:
        from gauntlet.adapters.terraform_process import AFTER_A_KILL  # noqa: PLC0415 - an extra; it is there by now

        if code < 0:
            return RequirementError(f"{self.folder}: terraform {command} was killed by signal {-code}; {AFTER_A_KILL}")
        error = explained(found, command=command, folder=self.folder)
        return type(error)(without_secrets(str(error), self._environment))

    def _process(self, limit_seconds: float) -> TerraformProcess:
        try:
            from gauntlet.adapters.terraform_process import TerraformProcess  # noqa: PLC0415 - an extra
        except ImportError as error:
            raise RequirementError("python-terraform is not installed; pip install 'gauntlet-mlops[infra]'") from error
        return TerraformProcess(
            self.folder,
            program=self._program,
            environment=self._environment,
            limit_seconds=limit_seconds,
            grace_seconds=self._limits.grace,
        )


def _event(line: str) -> Event | None:
    """Return the event that a line of ``apply -json`` tells of; None if it tells of something else."""
    message = message_of(line) or {}
    if message.get("type") == "log" and "Interrupt received" in message.get("@message", ""):
        return Event("stopping")
    kind = _EVENTS.get(message.get("type", ""))
    if kind is None:
        return None
    hook = message["hook"]
    return Event(kind, hook["action"], hook["resource"]["addr"], float(hook.get("elapsed_seconds", 0)))
