"""This module provides runs of the terraform program over copies of the modules. No other module here starts it."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from python_terraform import IsFlagged

from gauntlet.adapters.terraform import find_terraform
from gauntlet.adapters.terraform_diagnostics import Diagnostic, diagnostic_of
from gauntlet.adapters.terraform_process import TerraformProcess

ROOT = Path(__file__).resolve().parents[2]
MODULES = ROOT / "infra_modules"
EXAMPLES = MODULES / "examples"
_LEFT_BEHIND = shutil.ignore_patterns(".terraform", ".terraform.lock.hcl", "*.tfstate", "*.tfstate.backup")
_LOCAL_BACKEND = 'terraform {\n  backend "local" {}\n}\n'
# One run of all cases of a module takes ten seconds with the stand-in, minutes with the real providers.
_SECONDS = 1800.0
_GRACE_SECONDS = 30.0
_ALWAYS_PLAIN = ("fmt", "providers schema")  # these print no colours and refuse -no-color
_UNDECLARED = "undeclared variable"
_PLAN = "plan.bin"
_VARIABLES = "given.tfvars.json"


class TerraformRunError(Exception):
    """Terraform ended with an error; the message holds what it printed."""


@dataclass(frozen=True)
class Outcome:
    """How one command ended: its exit code and what it printed."""

    code: int
    output: str
    errors: str


@dataclass(frozen=True)
class TestReport:
    """What ``terraform test -json`` said of one module.

    Attributes:
        status: The status (pass, fail, error, skip) of each run, by test file and run.
        diagnostics: The diagnostics of each run; those of a whole file stand under the run "", those of no file under
            the file "".
    """

    __test__ = False  # pytest takes it for a test class otherwise

    status: dict[tuple[str, str], str] = field(default_factory=dict)
    diagnostics: dict[tuple[str, str], list[Diagnostic]] = field(default_factory=dict)

    def errors(self, file: str, run: str) -> list[Diagnostic]:
        """Return the errors of a run, with those of its file and of the whole module."""
        return [item for item in self._of(file, run) if item.severity == "error"]

    def undeclared(self, file: str, run: str) -> list[Diagnostic]:
        """Return the warnings of values for variables that there are not: Terraform goes on without them."""
        return [item for item in self._of(file, run) if _UNDECLARED in item.summary]

    def _of(self, file: str, run: str) -> list[Diagnostic]:
        return [item for key in ((file, run), (file, ""), ("", "")) for item in self.diagnostics.get(key, [])]


def copied_modules(target: Path, *, source: Path = MODULES) -> Path:
    """Copy the tree of all modules, so that relative sources lead to the same places and the tree stays clean."""
    shutil.copytree(source, target, ignore=_LEFT_BEHIND)
    return target


class Terraform:
    """Terraform in one folder, run through the project's own adapter, so that the tests exercise it too.

    Args:
        folder: The module or stack, in a copy.
        environment: All environment variables that it sees.
    """

    def __init__(self, folder: Path, *, environment: Mapping[str, str]) -> None:
        self.folder = folder
        self._process = TerraformProcess(
            folder,
            program=find_terraform(environment),
            environment=environment,
            limit_seconds=_SECONDS,
            grace_seconds=_GRACE_SECONDS,
        )

    def version(self) -> str:
        """Return Terraform's version."""
        return str(json.loads(self.run("version", json=True).output)["terraform_version"])

    def init(self) -> None:
        """Prepare the folder; a root stack gets a local backend over its own."""
        if (self.folder / "backend.tf").is_file():
            (self.folder / "backend_override.tf").write_text(_LOCAL_BACKEND, encoding="utf-8")
        self._checked("init", input=False)

    def validate(self) -> list[Diagnostic]:
        """Return what Terraform finds wrong or worth a warning."""
        report = json.loads(self.run("validate", json=True).output)
        return [diagnostic_of(item) for item in report["diagnostics"]]

    def plan(self, *, variables: Mapping[str, Any] | None = None, **options: Any) -> dict[str, Any]:
        """Make a plan and return it in the form of ``terraform show -json``; it stays there as ``plan.bin``.

        Args:
            variables: Values of the stack's variables.
            options: Further options, in python-terraform's form.

        Raises:
            TerraformRunError: It made no plan.
        """
        said = self._checked("plan", input=False, out=_PLAN, **options, **self._given(variables))
        if _UNDECLARED in said:
            raise TerraformRunError(f"terraform plan in {self.folder.name} was given what no variable takes: {said}")
        held: dict[str, Any] = json.loads(self._checked("show", _PLAN, json=True))
        return held

    def apply(self) -> None:
        """Apply the plan that ``plan`` left."""
        self._checked("apply", _PLAN, input=False)

    def destroy(self, *, variables: Mapping[str, Any] | None = None) -> None:
        """Destroy all that the state holds."""
        self._checked("destroy", input=False, auto_approve=IsFlagged, **self._given(variables))

    def state(self) -> dict[str, Any]:
        """Return the state in the form of ``terraform show -json``."""
        held: dict[str, Any] = json.loads(self._checked("show", json=True))
        return held

    def test(self, *, folder: str = "tests") -> TestReport:
        """Run the test files of a folder inside the module.

        Raises:
            TerraformRunError: Terraform said nothing of any run.
        """
        ran = self.run("test", json=True, test_directory=folder)
        report = _test_report(ran.output)
        if not report.status and not report.diagnostics:
            raise TerraformRunError(f"terraform test in {self.folder.name} said nothing: {ran.output}{ran.errors}")
        return report

    def unformatted(self) -> list[str]:
        """Return the files below the folder that ``terraform fmt`` would change."""
        return self.run("fmt", check=IsFlagged, recursive=IsFlagged).output.split()

    def run(self, command: str, *arguments: str, **options: Any) -> Outcome:
        """Run one command, whatever its exit code; options in python-terraform's form."""
        if command not in _ALWAYS_PLAIN:
            options.setdefault("no_color", IsFlagged)
        return Outcome(*self._process.cmd(command, *arguments, **options))

    def _checked(self, command: str, *arguments: str, **options: Any) -> str:
        ran = self.run(command, *arguments, **options)
        if ran.code != 0:
            raise TerraformRunError(f"terraform {command} in {self.folder.name}: {ran.output}{ran.errors}")
        return ran.output

    def _given(self, variables: Mapping[str, Any] | None) -> dict[str, str]:
        if not variables:
            return {}
        (self.folder / _VARIABLES).write_text(json.dumps(variables), encoding="utf-8")
        return {"var_file": _VARIABLES}


def _test_report(output: str) -> TestReport:
    report = TestReport()
    for line in output.splitlines():
        event = json.loads(line)
        key = (event.get("@testfile", ""), event.get("@testrun", ""))
        if event["type"] == "test_run" and event["test_run"]["progress"] == "complete":
            report.status[key] = event["test_run"]["status"]
        elif event["type"] == "diagnostic":
            report.diagnostics.setdefault(key, []).append(diagnostic_of(event["diagnostic"]))
    return report


def complaint_of_run(report: TestReport, file: str, run: str) -> str:
    """Say what is wrong with a run; nothing if it passed."""
    status = report.status.get((file, run), "missing")
    errors = report.errors(file, run) + report.undeclared(file, run)
    if status == "pass" and not errors:
        return ""
    return ": ".join([status, *(told(error) for error in errors)])


def told(diagnostic: Diagnostic) -> str:
    """Return all of a diagnostic, as one would read it."""
    place = f" ({diagnostic.place})" if diagnostic.place else ""
    return f"{diagnostic.severity}: {diagnostic.summary}{place}: {diagnostic.detail}"
