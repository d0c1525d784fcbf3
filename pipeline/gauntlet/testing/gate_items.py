"""This module provides the items of gates: what is collected for a source, and what an item does when it runs."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest

from gauntlet.core.errors import GauntletError
from gauntlet.core.state import State
from gauntlet.core.verdict import Status, Verdict
from gauntlet.gates.gate import Gate
from gauntlet.judgement import Judgement, prepared, problem_gates
from gauntlet.pipeline import Road
from gauntlet.testing.conformance import Source
from gauntlet.testing.road_options import road_of
from gauntlet.testing.user_pipeline import Pipeline, judgement_of, pipeline_gates

VERDICT_PROPERTY = "gauntlet_verdict"
LEVEL_PROPERTY = "gauntlet_level"
NOT_CHECKED_PROPERTY = "gauntlet_not_checked"
# Another worker may be making the candidate: a whole road takes minutes.
_LOCK_SECONDS = 3600.0


@dataclass
class Judgements:
    """The candidates of a test session, each made when the first of its gates is asked.

    Attributes:
        config: pytest's configuration.
    """

    config: pytest.Config
    _known: dict[int, Judgement] = field(default_factory=dict)
    _roads: dict[Path | None, Road] = field(default_factory=dict)
    _folders: list[tempfile.TemporaryDirectory[str]] = field(default_factory=list)

    def gates(self, source: Source) -> tuple[Gate, ...]:
        """Return the gates of a source, without making a candidate."""
        if isinstance(source.subject, Pipeline):
            return pipeline_gates(source.subject)
        return problem_gates(self.road(source.subject))

    def judgement(self, source: Source) -> Judgement:
        """Return the candidate of a source; it is made at the first call, with progress."""
        subject = source.subject
        place = id(subject) if isinstance(subject, Pipeline) else hash(subject)
        if place not in self._known:
            folder = tempfile.TemporaryDirectory(prefix="gauntlet-")
            self._folders.append(folder)
            if isinstance(subject, Pipeline):
                self._known[place] = judgement_of(subject, workspace=Path(folder.name))
            else:
                self._known[place] = self._prepared(self.road(subject), Path(folder.name))
        return self._known[place]

    def road(self, problem: Path | None) -> Road:
        """Return the road of a problem file."""
        if problem not in self._roads:
            self._roads[problem] = road_of(self.config, problem)
        return self._roads[problem]

    def close(self) -> None:
        """Take away what the gates wrote."""
        for folder in self._folders:
            folder.cleanup()

    def _prepared(self, road: Road, workspace: Path) -> Judgement:
        with _shown(self.config) as say:
            watched = replace(road, listener=lambda event, _result: say(event.name, event.state, event.seconds))
            # With pytest-xdist the first worker walks the road; the others wait, and find it walked.
            with State(road.state.root).locked(wait_seconds=_LOCK_SECONDS):
                return prepared(watched, workspace=workspace, reason="pytest")


@dataclass(frozen=True)
class GateCheck:
    """One gate of one source, ready to be asked: what a test gets as ``gate``.

    Attributes:
        gate: The gate.
        source: What is judged.
        judgements: The session's candidates.
        expected_failure: Why the gate may say no, and until which day; None if it may not.
    """

    gate: Gate
    source: Source
    judgements: Judgements
    expected_failure: tuple[str, date] | None = None

    def __call__(self) -> Verdict:
        """Evaluate the gate; FAIL and CONFIG_ERROR fail the test, unless a waiver covers them.

        Returns:
            The verdict, if it does not block.
        """
        __tracebackhide__ = True
        try:
            judgement = self.judgements.judgement(self.source)
            verdict = judgement.verdict(self.gate)
            gaps = judgement.not_checked
        except GauntletError as error:
            verdict = Verdict(self.gate.name, Status.CONFIG_ERROR, f"there is no candidate to judge: {error}")
            gaps = ()
        self._record(verdict, gaps)
        if verdict.waiver is not None and verdict.status is not Status.WARN:
            pytest.xfail(f"waived until {verdict.waiver.until} by {verdict.waiver.owner}: {verdict.waiver.reason}")
        if self.expected_failure is not None:
            self._expect(verdict, *self.expected_failure)
        if verdict.blocks:
            pytest.fail(f"{verdict.status}: {verdict.sentence}\nWhat to do: {self.gate.remedy}", pytrace=False)
        return verdict

    def _expect(self, verdict: Verdict, reason: str, until: date) -> None:
        __tracebackhide__ = True
        if until < datetime.now(UTC).date():
            pytest.fail(
                f"the expected failure ({reason}) was agreed until {until}: mend it, or agree anew", pytrace=False
            )
        if verdict.status in (Status.PASS, Status.NOTE):
            pytest.fail(
                f"{self.gate.name} is {verdict.status}, but expected_failures expects it to fail ({reason}): remove it",
                pytrace=False,
            )
        if verdict.status is Status.CONFIG_ERROR:
            pytest.fail(f"CONFIG_ERROR is never expected: {verdict.sentence}", pytrace=False)
        pytest.xfail(f"expected until {until}: {reason} ({verdict.sentence})")

    def _record(self, verdict: Verdict, gaps: tuple[str, ...]) -> None:
        item = self.judgements.config.stash.get(_CURRENT, None)
        if item is not None:
            document = json.dumps(verdict.record().model_dump(mode="json") | {"remedy": self.gate.remedy})
            item.user_properties.append((VERDICT_PROPERTY, document))
            item.user_properties.append((LEVEL_PROPERTY, str(verdict.status)))
            item.user_properties.extend((NOT_CHECKED_PROPERTY, gap) for gap in gaps)


_CURRENT: pytest.StashKey[pytest.Item] = pytest.StashKey()
_JUDGEMENTS: pytest.StashKey[Judgements] = pytest.StashKey()


def judgements_of(config: pytest.Config) -> Judgements:
    """Return the session's candidates."""
    if _JUDGEMENTS not in config.stash:
        config.stash[_JUDGEMENTS] = Judgements(config)
    return config.stash[_JUDGEMENTS]


@contextmanager
def current_item(config: pytest.Config, item: pytest.Item) -> Iterator[None]:
    """Let gates that are asked meanwhile write their verdicts to an item."""
    config.stash[_CURRENT] = item
    try:
        yield
    finally:
        del config.stash[_CURRENT]


def parametrized(metafunc: pytest.Metafunc, source: Source) -> None:
    """Give a test its items.

    Raises:
        pytest.UsageError: If the source cannot be read, has no gates, or expects a gate to fail that it does not have.
    """
    judgements = judgements_of(metafunc.config)
    try:
        gates = judgements.gates(source)
    except GauntletError as error:
        raise pytest.UsageError(str(error)) from error
    unknown = source.expected_failures.keys() - {gate.name for gate in gates}
    if unknown:
        raise pytest.UsageError(f"expected_failures names no gate of this source: {', '.join(sorted(unknown))}")
    if not gates:
        raise pytest.UsageError("there is no gate to ask, and silence promotes nothing")
    checks = [GateCheck(gate, source, judgements, source.expected_failures.get(gate.name)) for gate in gates]
    metafunc.parametrize("gate", [_parameter(check) for check in checks])


def _parameter(check: GateCheck) -> Any:
    marks = [pytest.mark.slow_gates] if check.gate.slow else []
    return pytest.param(check, id=check.gate.name, marks=marks)


@contextmanager
def _shown(config: pytest.Config) -> Iterator[Any]:
    """Give a function that shows a stage's line to whoever watches the session."""
    reporter = config.pluginmanager.get_plugin("terminalreporter")
    capture = config.pluginmanager.get_plugin("capturemanager")

    def say(name: str, state: str, seconds: float) -> None:
        if reporter is None or capture is None or state == "up to date":
            return
        with capture.global_and_fixture_disabled():
            reporter.ensure_newline()
            reporter.write_line(f"gauntlet: {name} {state} in {seconds:.1f} s")

    yield say
