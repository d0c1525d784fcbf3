"""This module provides the pytest plugin: tier markers, the rule that each test carries one, and each tier's seconds.

The rule holds for suites that ask for it with the ini option ``gauntlet_tiers = true``; to any other suite the plugin
adds the markers' descriptions and nothing else.
"""

from __future__ import annotations

import os
from collections import defaultdict

import pytest

TIERS = {
    "unit": "pure code, no Spark, milliseconds a test",
    "data": "tables and stages on a real local Spark",
    "gates": "whether a candidate may be promoted",
    "infra": "Terraform modules and plans",
    "remote": "separate Spark and MLflow servers",
    "e2e": "the whole road, as a user walks it",
}


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the ini option."""
    parser.addini("gauntlet_tiers", "require exactly one tier marker on every test", type="bool", default=False)


def pytest_configure(config: pytest.Config) -> None:
    """Describe the tier markers, and watch the tiers where the suite asks for it."""
    for name, meaning in TIERS.items():
        config.addinivalue_line("markers", f"{name}: {meaning}")
    if config.getini("gauntlet_tiers"):
        config.pluginmanager.register(_TierWatch(), "gauntlet-tiers")


class _TierWatch:
    """Holds a suite to its tiers."""

    def __init__(self) -> None:
        self._seconds: dict[str, float] = defaultdict(float)
        self._tests: dict[str, int] = defaultdict(int)
        self._tier: dict[str, str] = {}
        self._skipped: list[str] = []

    @pytest.hookimpl(tryfirst=True)
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """Refuse a suite with a test that carries no tier marker, or more than one."""
        wrong: list[str] = []
        for item in items:
            tiers = sorted({mark.name for mark in item.iter_markers() if mark.name in TIERS})
            if len(tiers) != 1:
                wrong.append(f"{item.nodeid}: {', '.join(tiers) or 'none'}")
            else:
                self._tier[item.nodeid] = tiers[0]
                item.user_properties.append(("tier", tiers[0]))  # for JUnit's file, where all tiers stand together
        if wrong:
            lines = "\n  ".join(wrong)
            raise pytest.UsageError(f"every test needs exactly one of {', '.join(TIERS)}; these have:\n  {lines}")

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Add up each tier's seconds, and remember what was skipped."""
        tier = self._tier.get(report.nodeid, "unknown")
        self._seconds[tier] += report.duration
        if report.when == "call":
            self._tests[tier] += 1
        if report.skipped and not hasattr(report, "wasxfail"):
            self._skipped.append(report.nodeid)

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Turn a run in CI red if a test was skipped: what is not run is not known to work."""
        if self._skipped and _in_ci() and session.exitstatus == pytest.ExitCode.OK:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Print each tier's tests and seconds."""
        terminalreporter.section("tiers")
        for tier in TIERS:
            if self._tests[tier]:
                terminalreporter.line(f"{tier:<8}{self._tests[tier]:>5} tests {self._seconds[tier]:>8.1f} s")
        if self._skipped and _in_ci():
            terminalreporter.line(f"{len(self._skipped)} tests were skipped, which counts as a failure where CI=true")


def _in_ci() -> bool:
    return os.environ.get("CI", "").lower() == "true"
