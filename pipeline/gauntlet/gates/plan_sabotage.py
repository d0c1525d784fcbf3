"""This module provides the test of gates on plans by sabotage: each saboteur breaks sound plans, and must be caught."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, replace
from typing import Any

from gauntlet.core.errors import DataError
from gauntlet.core.terraform_plan import plan_of
from gauntlet.core.verdict import BLOCKING, Status, broke
from gauntlet.gates.plan_gate import PlanGate, PlannedEnvironment
from gauntlet.gates.sabotage import SabotageOutcome

Document = dict[str, Any]


@dataclass(frozen=True)
class PlanSaboteur:
    """A way to break a plan on purpose.

    Attributes:
        name: What it does, in lower case with underscores: ``blobs_made_public``.
        gate: The gate that must catch it.
        function: Breaks the document that it is given.
        breaks: What it does, for people: the function's docstring.
    """

    name: str
    gate: str
    function: Callable[[Document], None]
    breaks: str

    def __call__(self, document: Mapping[str, Any]) -> Document:
        """Return a plan's document, broken; the one that is given stays as it is.

        Raises:
            DataError: If the plan has nothing of the kind that it breaks.
        """
        broken = deepcopy(dict(document))
        self.function(broken)
        return broken


def plan_saboteur(gate_name: str) -> Callable[[Callable[[Document], None]], PlanSaboteur]:
    """Make a saboteur of a function; its name and docstring say what it breaks.

    Args:
        gate_name: The gate that must catch it.
    """

    def made(function: Callable[[Document], None]) -> PlanSaboteur:
        breaks = inspect.getdoc(function) or ""
        if not breaks:
            raise ValueError(f"{function.__name__}: a saboteur needs a docstring that says what it breaks")
        return PlanSaboteur(function.__name__, gate_name, function, breaks)

    return made


def sabotage_plans(
    documents: Mapping[str, Mapping[str, Any]],
    gates: Sequence[PlanGate],
    saboteurs: Sequence[PlanSaboteur],
    *,
    against: PlannedEnvironment,
) -> tuple[SabotageOutcome, ...]:
    """Let each saboteur break the first plan that has what it breaks, and say whether its gate caught it.

    Args:
        documents: The sound plans of one environment, as ``terraform show -json`` prints them, by name.
        gates: All gates.
        saboteurs: The saboteurs; those whose gates the sound plans have nothing for are left out.
        against: Rules, names and entry points to judge by; its plans are not looked at.

    Raises:
        DataError: If the plans are not sound: a gate that says no anyway can catch nothing.
    """
    sound = _environment(documents, against)
    asked = {gate.name: gate for gate in gates if gate.concerns(sound)}
    unsound = [verdict for gate in asked.values() if (verdict := gate(sound)).status is not Status.PASS]
    if unsound:
        said = "; ".join(f"{verdict.sentence} ({verdict.gate})" for verdict in unsound[:3])
        raise DataError(f"sabotage needs plans that pass every gate, and {len(unsound)} say no: {said}")
    return tuple(_tried(saboteur, documents, asked, against) for saboteur in saboteurs if saboteur.gate in asked)


def _tried(
    saboteur: PlanSaboteur,
    documents: Mapping[str, Mapping[str, Any]],
    gates: Mapping[str, PlanGate],
    against: PlannedEnvironment,
) -> SabotageOutcome:
    reason = "there is no plan"
    for name, document in documents.items():
        try:
            broken = {**documents, name: saboteur(document)}
        except DataError as error:  # the next plan may have it
            reason = f"the saboteur could not do its work ({error})"
            continue
        environment = _environment(broken, against)
        verdict = gates[saboteur.gate](environment)
        caught = verdict.status in BLOCKING and not broke(verdict)
        said_no = [gate.name for gate in gates.values() if gate(environment).status is not Status.PASS]
        others = tuple(name for name in said_no if name != saboteur.gate)
        return SabotageOutcome(saboteur.name, saboteur.gate, caught, verdict.sentence, others, verdict.status)
    return SabotageOutcome(saboteur.name, saboteur.gate, False, reason, ())


def _environment(documents: Mapping[str, Mapping[str, Any]], against: PlannedEnvironment) -> PlannedEnvironment:
    return replace(against, plans=tuple(plan_of(document, file=name) for name, document in documents.items()))
