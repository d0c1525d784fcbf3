"""This module provides what a session says of its gates: files for machines, and a closing section for people.

Verdicts travel inside pytest's reports, so that a session whose items ran in other processes (pytest-xdist) says the
same as one that ran them itself.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from gauntlet.core.sarif import sarif_log
from gauntlet.core.state import write_atomically
from gauntlet.core.verdict import Status
from gauntlet.testing.gate_items import NOT_CHECKED_PROPERTY, VERDICT_PROPERTY, current_item, judgements_of

# Failures stand directly under the counts.
_HEADINGS = {
    Status.WARN: "warnings: beyond a bound, perhaps by chance; they fail no test",
    Status.NOTE: "notes: gates that could not judge; they fail no test",
}


@dataclass(eq=False)  # pytest keeps its plugins in sets
class VerdictReport:
    """Collects the verdicts of a session.

    Attributes:
        config: pytest's configuration.
    """

    config: pytest.Config
    _verdicts: dict[str, dict[str, Any]] = field(default_factory=dict)
    _gaps: dict[str, None] = field(default_factory=dict)
    _skipped: list[str] = field(default_factory=list)
    _left_out: list[str] = field(default_factory=list)
    _gate_nodes: frozenset[str] = frozenset()

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Any:
        """Let the gates of an item write their verdicts to it."""
        with current_item(self.config, item):
            return (yield)

    def pytest_deselected(self, items: list[pytest.Item]) -> None:
        """Remember the gates that were not asked for."""
        self._left_out += [item.callspec.params["gate"].gate.name for item in items if _is_gate(item)]  # type: ignore[attr-defined]

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Keep what an item's report says of its gate."""
        for name, value in report.user_properties:
            if name == VERDICT_PROPERTY:
                verdict = json.loads(str(value))
                self._verdicts[report.nodeid] = verdict | {"nodeid": report.nodeid}
            elif name == NOT_CHECKED_PROPERTY:
                self._gaps[str(value)] = None
        if report.skipped and not hasattr(report, "wasxfail") and report.nodeid in self._gate_nodes:
            self._skipped.append(report.nodeid)

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """Note which items are gates: one that is skipped later has said nothing."""
        self._gate_nodes = frozenset(item.nodeid for item in items if _is_gate(item))

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Turn a session with a skipped gate red, and write the files that were asked for."""
        judgements_of(self.config).close()
        if self._skipped and session.exitstatus == pytest.ExitCode.OK:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED
        if hasattr(self.config, "workerinput"):  # the controller writes them
            return
        document = self.document()
        if path := self.config.getoption("gauntlet_verdicts"):
            write_atomically(Path(path), json.dumps(document, indent=2, ensure_ascii=False) + "\n")
        if path := self.config.getoption("gauntlet_sarif"):
            log = sarif_log(document, root=self.config.rootpath)
            write_atomically(Path(path), json.dumps(log, indent=2, ensure_ascii=False) + "\n")

    def document(self) -> dict[str, Any]:
        """Return the verdicts, and what was not checked, as plain JSON."""
        return {
            "verdicts": sorted(self._verdicts.values(), key=lambda verdict: str(verdict["nodeid"])),
            "skipped": sorted(self._skipped),
            "not_checked": self.not_checked(),
        }

    def not_checked(self) -> list[str]:
        """Return what the session did not check, one sentence each."""
        said = list(self._gaps)
        if self._left_out:
            said.append(f"Gates that were not asked: {', '.join(sorted(set(self._left_out)))}.")
        if self._skipped:
            said.append(f"Gates that were skipped, which is a failure: {', '.join(sorted(self._skipped))}.")
        waived = [str(verdict["gate"]) for verdict in self._verdicts.values() if verdict["waiver"]]
        if waived:
            said.append(f"Gates that say no, and are waived: {', '.join(sorted(waived))}.")
        said.append("Infrastructure, and any target but the one that was used.")
        return said

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Print the verdicts that are not PASS, failures, warnings and notes apart, and what was not checked."""
        if not self._verdicts and not self._skipped:
            return
        by_level = {
            level: [verdict for verdict in self._verdicts.values() if verdict["status"] == level]
            for level in reversed(Status)
        }
        terminalreporter.section("gates")
        terminalreporter.line(", ".join(f"{len(given)} {level}" for level, given in by_level.items() if given))
        for level, given in by_level.items():
            if not given or level is Status.PASS:
                continue
            if level in _HEADINGS:
                terminalreporter.section(_HEADINGS[level], sep="-")
            for verdict in given:
                terminalreporter.line(f"{level} {verdict['gate']}: {verdict['sentence']}")
        terminalreporter.section("what this run did not check")
        for sentence in self.not_checked():
            terminalreporter.line(sentence)


def _is_gate(item: pytest.Item) -> bool:
    from gauntlet.testing.gate_items import GateCheck  # noqa: PLC0415 - the module above, for its class

    callspec = getattr(item, "callspec", None)
    return callspec is not None and isinstance(callspec.params.get("gate"), GateCheck)
