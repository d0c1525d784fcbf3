"""This module provides gates: documented functions from a candidate to a verdict, and the saboteurs that test them.

A gate that breaks, or answers with anything but its own verdict, is CONFIG_ERROR. A saboteur breaks a sound candidate
in the way that a gate is there for; a gate that then passes is itself broken.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Literal

from gauntlet.core.problem import Problem
from gauntlet.core.verdict import Status, Verdict, evaluated
from gauntlet.stages.candidate import Candidate

GateFunction = Callable[[Candidate], Verdict]
SabotageFunction = Callable[[Candidate], Candidate]
Turn = Literal["in turn", "beside", "alone"]


def _always(_problem: Problem) -> bool:
    return True


@dataclass(frozen=True)
class Gate:
    """One gate.

    Attributes:
        name: Its name, ``family::rule``; also the pytest item's.
        function: What judges.
        guards: What it guards, for people: the function's docstring.
        remedy: What to do when it says no, for people.
        bounds: The keys of the problem file that set its bounds.
        needs: The parts of a candidate that it cannot do without.
        slow: Whether it fits models again; such gates form the group ``slow``.
        applies: Whether a problem has what it guards.
        advisory: What the gate warns of and never fails for, for people; empty for a gate that fails. A saboteur of
            such a gate is caught by a WARN.
        turn: When it is asked of a whole judgement. ``in turn``: one after another. ``beside``: at the same time, in a
            second thread, one after another too; for what computes in this process and does not need MLflow.
            ``alone``: after all others; for what watches the whole process, or measures time.
    """

    name: str
    function: GateFunction
    guards: str
    remedy: str
    bounds: tuple[str, ...] = ()
    needs: frozenset[str] = frozenset()
    slow: bool = False
    applies: Callable[[Problem], bool] = _always
    advisory: str = ""
    turn: Turn = "in turn"

    def __call__(self, candidate: Candidate) -> Verdict:
        """Return the gate's verdict on a candidate; whatever goes wrong in it is CONFIG_ERROR."""
        verdict = evaluated(self.name, partial(self.function, candidate))
        if verdict.status is Status.WARN and candidate.problem.gates.strict:
            sentence = f"{verdict.sentence} (a WARN, which gates.strict turns into FAIL)"
            return replace(verdict, status=Status.FAIL, sentence=sentence)
        return verdict


def gate(  # noqa: PLR0913 - what a gate is documented by, each by name
    name: str,
    *,
    remedy: str,
    bounds: tuple[str, ...] = (),
    needs: tuple[str, ...] = (),
    slow: bool = False,
    applies: Callable[[Problem], bool] = _always,
    advisory: str = "",
    turn: Turn = "in turn",
) -> Callable[[GateFunction], Gate]:
    """Make a gate of a function; its docstring says what it guards.

    Args:
        name: The gate's name, ``family::rule``.
        remedy: What to do when it says no.
        bounds: The keys of the problem file that set its bounds, such as ``gates.model.minimum_auc``.
        needs: The parts of a candidate that it cannot do without.
        slow: Whether it fits models again.
        applies: Whether a problem has what it guards.
        advisory: What it warns of and never fails for, see ``Gate``.
        turn: When it is asked of a whole judgement, see ``Gate``.
    """

    def made(function: GateFunction) -> Gate:
        guards = inspect.getdoc(function) or ""
        if not guards:
            raise ValueError(f"{name}: a gate's function needs a docstring that says what it guards")
        return Gate(name, function, guards, remedy, bounds, frozenset(needs), slow, applies, advisory, turn)

    return made


@dataclass(frozen=True)
class Saboteur:
    """A way to break a candidate on purpose.

    Attributes:
        name: What it does, in lower case with underscores: ``test_rows_copied_into_train``.
        gate: The gate that must catch it.
        function: Breaks a sound candidate; the candidate that it is given stays as it is.
        breaks: What it does, for people: the function's docstring.
    """

    name: str
    gate: str
    function: SabotageFunction
    breaks: str

    def __call__(self, candidate: Candidate) -> Candidate:
        """Return the candidate, broken."""
        return self.function(candidate)


def saboteur(gate_name: str) -> Callable[[SabotageFunction], Saboteur]:
    """Make a saboteur of a function; its name and docstring say what it breaks.

    Args:
        gate_name: The gate that must catch it.
    """

    def made(function: SabotageFunction) -> Saboteur:
        breaks = inspect.getdoc(function) or ""
        if not breaks:
            raise ValueError(f"{function.__name__}: a saboteur needs a docstring that says what it breaks")
        return Saboteur(function.__name__, gate_name, function, breaks)

    return made
