"""This module provides which tests a target has: those about ``local`` itself are left out elsewhere, and counted."""

from __future__ import annotations

from collections import Counter

import pytest

LOCAL_ONLY = "local_only"
_OUTPUT = "gauntlet_local_only"
_NO_REASON = "no reason was given"


class TargetSelection:
    """Leaves out the tests that are marked ``local_only``, and says how many and why.

    Args:
        target: The session's target.
    """

    def __init__(self, target: str) -> None:
        self._target = target
        self._left_out: Counter[str] = Counter()

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self, config: pytest.Config, items: list[pytest.Item]) -> None:
        """Deselect the marked tests that were asked for."""
        reasons = {item: _reason(mark) for item in items if (mark := item.get_closest_marker(LOCAL_ONLY)) is not None}
        if reasons:
            config.hook.pytest_deselected(items=list(reasons))
            items[:] = [item for item in items if item not in reasons]
        self._left_out = Counter(reasons.values())

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Tell the counts to the process that reports, where tests are shared among several (pytest-xdist)."""
        output = getattr(session.config, "workeroutput", None)
        if output is not None:
            output[_OUTPUT] = dict(self._left_out)

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: object) -> None:
        """Take the counts of a process; all collect the same tests."""
        self._left_out = Counter(getattr(node, "workeroutput", {}).get(_OUTPUT, {}))

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Print how many tests were left out, by reason."""
        if not self._left_out:
            return
        terminalreporter.section(f"not run on target {self._target}")
        for reason, count in self._left_out.most_common():
            terminalreporter.line(f"{count:>5} tests: {reason}")


def _reason(mark: pytest.Mark) -> str:
    return str(mark.kwargs.get("reason") or next(iter(mark.args), _NO_REASON))
