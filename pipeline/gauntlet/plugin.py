"""This module provides the pytest plugin: options, tier markers, gates as items, and fixtures.

The tier rule holds for suites that ask for it with the ini option ``gauntlet_tiers = true``. A suite that uses none of
it pays for the reading of this file and nothing more: everything else is imported when a test asks for it.
"""

from __future__ import annotations

import os
from collections import defaultdict
from contextlib import ExitStack

import pytest

from gauntlet.adapters.held_key import keys_held_back
from gauntlet.testing.fixtures import *  # noqa: F403 - pytest finds fixtures by their names in the plugin's module
from gauntlet.testing.session_options import target_of
from gauntlet.testing.target_selection import TargetSelection

TIERS = {
    "unit": "pure code, no Spark, milliseconds a test",
    "data": "tables and stages on a real local Spark",
    "gates": "whether a candidate may be promoted",
    "infra": "Terraform modules and plans",
    "remote": "separate Spark and MLflow servers",
    "e2e": "the whole road, as a user walks it",
}
_SOURCE_MARK = "gauntlet_source"
_REPORT_PLUGIN = "gauntlet-verdicts"


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options, in a group of their own, and the ini options."""
    group = parser.getgroup("gauntlet", "Gauntlet: gates of a machine-learning pipeline")
    group.addoption("--target", dest="gauntlet_target", metavar="NAME", help="where Spark, tables and MLflow are")
    group.addoption("--problem", dest="gauntlet_problem", metavar="FILE", help="the problem file that is judged")
    group.addoption("--seed", dest="gauntlet_seed", metavar="N", type=int, help="replaces the problem's seed")
    group.addoption(
        "--gauntlet-set",
        dest="gauntlet_set",
        metavar="KEY=VALUE",
        action="append",
        help="replace one value of the problem, by dotted key; may be given often",
    )
    group.addoption("--gauntlet-state", dest="gauntlet_state", metavar="FOLDER", help="the state folder (.gauntlet)")
    group.addoption("--gauntlet-no-synthetic", action="store_true", help="fail rather than use generated data")
    group.addoption("--gauntlet-sarif", metavar="FILE", help="write the verdicts as SARIF 2.1.0")
    group.addoption("--gauntlet-verdicts", metavar="FILE", help="write the verdicts as JSON")
    parser.addini("gauntlet_tiers", "require exactly one tier marker on every test", type="bool", default=False)
    parser.addini("gauntlet_target", "where Spark, tables and MLflow are, unless --target says", default="")
    parser.addini("gauntlet_problem", "the problem file that is judged, unless --problem says", default="")
    parser.addini("gauntlet_state", "the state folder, unless --gauntlet-state says", default="")


def pytest_configure(config: pytest.Config) -> None:
    """Describe the markers, and watch the tiers where the suite asks for it."""
    held = ExitStack()
    held.enter_context(keys_held_back())  # tests, and what they start, have no use for it
    config.add_cleanup(held.close)
    for name, meaning in TIERS.items():
        config.addinivalue_line("markers", f"{name}: {meaning}")
    config.addinivalue_line("markers", "slow_gates: gates that fit models again")
    config.addinivalue_line("markers", f"{_SOURCE_MARK}(source): what parametrize_with_gates judges")
    config.addinivalue_line("markers", "local_only(reason): about target local itself; left out elsewhere, and counted")
    target = target_of(config)
    if target != "local":
        config.pluginmanager.register(TargetSelection(target), "gauntlet-target")
    if config.getini("gauntlet_tiers"):
        config.pluginmanager.register(_TierWatch(), "gauntlet-tiers")
    if any(config.getoption(f"gauntlet_{name}") for name in ("sarif", "verdicts")):
        _watch_verdicts(config)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Give a test that ``parametrize_with_gates`` marked one item for each gate."""
    mark = metafunc.definition.get_closest_marker(_SOURCE_MARK)
    if mark is None:
        return
    from gauntlet.testing.gate_items import parametrized  # noqa: PLC0415 - imports the gates

    _watch_verdicts(metafunc.config)
    parametrized(metafunc, mark.args[0])


def _watch_verdicts(config: pytest.Config) -> None:
    """Collect verdicts from here on."""
    if not config.pluginmanager.has_plugin(_REPORT_PLUGIN):
        from gauntlet.testing.verdict_report import VerdictReport  # noqa: PLC0415 - imports the gates

        config.pluginmanager.register(VerdictReport(config), _REPORT_PLUGIN)


class _TierWatch:
    """Holds a suite to its tiers."""

    def __init__(self) -> None:
        self._seconds: dict[str, float] = defaultdict(float)
        self._tests: dict[str, int] = defaultdict(int)
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
                # For JUnit's file, where all tiers stand together, and for reports from other processes (pytest-xdist).
                item.user_properties.append(("tier", tiers[0]))
        if wrong:
            lines = "\n  ".join(wrong)
            raise pytest.UsageError(f"every test needs exactly one of {', '.join(TIERS)}; these have:\n  {lines}")

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Add up each tier's seconds, and remember what was skipped."""
        tier = str(dict(report.user_properties).get("tier", "unknown"))
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
