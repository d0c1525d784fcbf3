"""This module provides what several tests need of one run of Terraform: each is made once a session, two at a time."""

from __future__ import annotations

import threading
import tomllib
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gauntlet.adapters.terraform_diagnostics import Diagnostic
from tests.infra.module_rules import RULES, RulesFile, load_rules, run_cases
from tests.infra.providers import Providers
from tests.infra.terraform_runs import MODULES, Terraform, TestReport, copied_modules

_EXAMPLE_VARIABLES = Path(__file__).resolve().parent / "example_variables.toml"
_WORKERS = 2


def example_variables(example: str) -> dict[str, Any]:
    """Return the values with which an example is planned here: what its user must give, and answers of a workspace."""
    held = tomllib.loads(_EXAMPLE_VARIABLES.read_text(encoding="utf-8"))
    return dict(held.get(example, {}))


@dataclass(frozen=True)
class Cycle:
    """The life of a stack: made, planned again, destroyed.

    Attributes:
        first: The plan that made it.
        state: The state after that.
        second: The plan that followed, with nothing changed between.
        remains: The state after everything was destroyed.
    """

    first: dict[str, Any]
    state: dict[str, Any]
    second: dict[str, Any]
    remains: dict[str, Any]


class Prepared:
    """Copies of the modules, and the outcomes of Terraform over them, each asked for once.

    Args:
        work: An empty folder.
        providers: The providers of the session.
    """

    def __init__(self, work: Path, *, providers: Providers) -> None:
        self._work = work
        self._environments: Mapping[str, Mapping[str, str]] = {
            "checked": providers.environment,
            "planned": providers.plan_environment,
            "applied": providers.apply_environment,
        }
        for use in self._environments:
            copied_modules(work / use)
        self._pool = ThreadPoolExecutor(_WORKERS, thread_name_prefix="terraform")
        self._begun: dict[tuple[str, str], Future[Any]] = {}
        self._ready: dict[tuple[str, str], Terraform] = {}
        self._locks: defaultdict[tuple[str, str], threading.Lock] = defaultdict(threading.Lock)
        self._lock = threading.Lock()

    def close(self) -> None:
        """Wait for what is under way, and begin nothing more."""
        self._pool.shutdown(cancel_futures=True)

    def begin(self, asked: Iterable[tuple[str, str]]) -> None:
        """Begin what will be asked for: pairs of a kind (tests, rules, diagnostics, plan, cycle) and a name."""
        for kind, name in asked:
            self._future(kind, name)

    def tests(self, module: str) -> TestReport:
        """Return the outcome of a module's own tests; ``module`` is its path below the folder of modules."""
        report: TestReport = self._future("tests", module).result()
        return report

    def rules(self, module: str) -> TestReport:
        """Return the outcome of the cases of a module's rules file."""
        report: TestReport = self._future("rules", module).result()
        return report

    def diagnostics(self, folder: str) -> list[Diagnostic]:
        """Return what ``terraform validate`` says of a module or example; its path below the folder of modules."""
        found: list[Diagnostic] = self._future("diagnostics", folder).result()
        return found

    def plan(self, example: str) -> dict[str, Any]:
        """Return the plan of an example in the form of ``terraform show -json``; ``complete/workspace``, say."""
        plan: dict[str, Any] = self._future("plan", example).result()
        return plan

    def cycle(self, example: str) -> Cycle:
        """Return how an example was made, planned again and destroyed, by the stand-in."""
        cycle: Cycle = self._future("cycle", example).result()
        return cycle

    def _future(self, kind: str, name: str) -> Future[Any]:
        make: Callable[[str], Any] = getattr(self, f"_make_{kind}")
        with self._lock:
            if (kind, name) not in self._begun:
                self._begun[kind, name] = self._pool.submit(make, name)
            return self._begun[kind, name]

    def _make_tests(self, module: str) -> TestReport:
        return self._initialised("checked", module).test()

    def _make_rules(self, module: str) -> TestReport:
        return run_cases(self._initialised("checked", module), rules_file(module))

    def _make_diagnostics(self, folder: str) -> list[Diagnostic]:
        return self._initialised("checked", folder).validate()

    def _make_plan(self, example: str) -> dict[str, Any]:
        return self._initialised("planned", f"examples/{example}").plan(variables=example_variables(example))

    def _make_cycle(self, example: str) -> Cycle:
        terraform = self._initialised("applied", f"examples/{example}")
        variables = example_variables(example)
        first = terraform.plan(variables=variables)
        terraform.apply()
        state, second = terraform.state(), terraform.plan(variables=variables)
        terraform.destroy(variables=variables)
        return Cycle(first=first, state=state, second=second, remains=terraform.state())

    def _initialised(self, use: str, folder: str) -> Terraform:
        """Return Terraform in a folder of one of the copies, initialised there once."""
        with self._lock:
            lock = self._locks[use, folder]
        with lock:
            if (use, folder) not in self._ready:
                terraform = Terraform(self._work / use / folder, environment=self._environments[use])
                terraform.init()
                self._ready[use, folder] = terraform
            return self._ready[use, folder]


def rules_file(folder: str) -> RulesFile:
    """Return the rules of a module or example; none where it has no file."""
    file = RULES / f"{folder}.toml"
    return load_rules(file) if file.is_file() else RulesFile(sound={}, entries=[])


def folders_with_rules() -> list[str]:
    """Return the modules and examples that have a rules file, by their path below the folder of modules, in order."""
    return sorted(str(file.relative_to(RULES).with_suffix("")) for file in RULES.rglob("*.toml"))


def module_of(test_file: Path) -> str:
    """Return the path below the folder of modules that a test file belongs to."""
    return str(test_file.parent.parent.relative_to(MODULES))
