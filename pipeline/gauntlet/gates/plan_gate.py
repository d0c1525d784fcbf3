"""This module provides the form of gates on Terraform plans: what they judge, how they conclude, what tests them.

They are gates as those on candidates are, and say the same verdicts; but they judge the plans of one environment, whose
stacks are planned one by one and belong together.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

from gauntlet.core.plan_rules import PlanRules
from gauntlet.core.planned_values import PlannedBlock, UndeterminedError
from gauntlet.core.problem import Names
from gauntlet.core.terraform_plan import Plan, ResourceChange
from gauntlet.core.verdict import Status, Verdict, evaluated

# More findings than this are counted, not told.
_TOLD = 4


@dataclass(frozen=True)
class PlannedEnvironment:
    """What the gates judge: the plans of one environment's stacks, and what they are held against.

    Attributes:
        plans: The plans, one a stack.
        rules: The bounds.
        names: What things are called on target databricks, as the problem file has it; None if none was given.
        entry_points: The commands of installed distributions, by the distribution's normalised name.
    """

    plans: tuple[Plan, ...]
    rules: PlanRules = field(default_factory=PlanRules)
    names: Names | None = None
    entry_points: Mapping[str, frozenset[str]] = field(default_factory=dict)

    @property
    def changes(self) -> tuple[ResourceChange, ...]:
        """What is done with every resource, those that go away among them."""
        return tuple(change for plan in self.plans for change in plan.resources)

    def planned(self, *types: str) -> tuple[ResourceChange, ...]:
        """Return the resources of some types that are there after apply."""
        return tuple(change for plan in self.plans for change in plan.planned(*types))

    def variable(self, name: str) -> Any:
        """Return the value of a root module's variable; None if no plan has it."""
        given = (plan.variables.get(name) for plan in self.plans)
        return next((value for value in given if value is not None), None)


@dataclass(frozen=True)
class Finding:
    """One thing that a gate found.

    Attributes:
        sentence: What is wrong, with its place.
        file: The plan that it is in.
        address: The resource or output that it is about.
        undetermined: Whether the value is known only after apply, so that the plan cannot tell.
    """

    sentence: str
    file: str
    address: str
    undetermined: bool = False


@dataclass(frozen=True)
class PlanVerdict(Verdict):
    """What a gate says of plans.

    Attributes:
        places: The file and the address of each finding.
    """

    places: tuple[tuple[str, str], ...] = ()


PlanGateFunction = Callable[[PlannedEnvironment], Verdict]
Check = Callable[[PlannedBlock], Iterator[str]]


@dataclass(frozen=True)
class PlanGate:
    """One gate.

    Attributes:
        name: Its name, ``plan::rule``.
        function: What judges.
        guards: What it guards, for people: the function's docstring.
        remedy: What to do when it says no, for people.
        applies: Whether an environment has what it guards.
        bounds: The keys of the rules that set its bounds.
        lacking: What an environment lacks to which it does not apply, for people.
    """

    name: str
    function: PlanGateFunction
    guards: str
    remedy: str
    applies: Callable[[PlannedEnvironment], bool]
    lacking: str
    bounds: tuple[str, ...] = ()

    def __call__(self, environment: PlannedEnvironment) -> Verdict:
        """Return the gate's verdict; what the plan cannot tell is FAIL, whatever goes wrong in it CONFIG_ERROR."""
        return evaluated(self.name, partial(self._asked, environment))

    def concerns(self, environment: PlannedEnvironment) -> bool:
        """Say whether there is something for the gate to judge; where that cannot be told, it is asked."""
        try:
            return self.applies(environment)
        except Exception:  # whatever cannot be told or goes wrong here, the gate says itself
            return True

    def _asked(self, environment: PlannedEnvironment) -> Verdict:
        try:
            return self.function(environment)
        except UndeterminedError as error:
            return PlanVerdict(self.name, Status.FAIL, _unsaid(str(error)))


def plan_gate(
    name: str,
    *,
    remedy: str,
    applies: Callable[[PlannedEnvironment], bool],
    lacking: str,
    bounds: tuple[str, ...] = (),
) -> Callable[[PlanGateFunction], PlanGate]:
    """Make a gate of a function; its docstring says what it guards.

    Args:
        name: The gate's name, ``plan::rule``.
        remedy: What to do when it says no.
        applies: Whether an environment has what it guards.
        lacking: What an environment lacks to which it does not apply, to follow "there is".
        bounds: The keys of the rules that set its bounds.
    """

    def made(function: PlanGateFunction) -> PlanGate:
        guards = inspect.getdoc(function) or ""
        if not guards:
            raise ValueError(f"{name}: a gate's function needs a docstring that says what it guards")
        return PlanGate(name, function, guards, remedy, applies, lacking, bounds)

    return made


def has_planned(*types: str) -> Callable[[PlannedEnvironment], bool]:
    """Return the question whether an environment has a resource of some types after apply."""
    return lambda environment: bool(environment.planned(*types))


def found_in(resources: Iterable[ResourceChange], check: Check) -> Iterator[Finding]:
    """Give what a check finds in resources, one by one, so that one that cannot be told hides no other."""
    for resource in resources:
        yield from found_in_block(resource, resource.block, check)


def found_in_block(resource: ResourceChange, block: PlannedBlock, check: Check) -> Iterator[Finding]:
    """Give what a check finds in one block of a resource."""
    try:
        for sentence in check(block):
            yield Finding(sentence, resource.file, resource.address)
    except UndeterminedError as error:
        yield Finding(str(error), resource.file, resource.address, undetermined=True)


def concluded(
    gate: str, environment: PlannedEnvironment, findings: Iterable[Finding], *, count: int, holds: str
) -> PlanVerdict:
    """Return the verdict on what a gate found: faults before what the plan cannot tell, and both are FAIL.

    Nothing looked at is CONFIG_ERROR.

    Args:
        gate: The gate's name.
        environment: What was judged.
        findings: What is wrong, or cannot be told.
        count: How many things were looked at.
        holds: What was looked at and holds, in the plural: "clusters that stop by themselves".
    """
    found = tuple(findings)
    faults = [finding for finding in found if not finding.undetermined]
    places = tuple(dict.fromkeys((finding.file, finding.address) for finding in faults or found))
    base = PlanVerdict(gate, Status.FAIL, "-", float(len(faults)), 0.0, count, places=places)
    if faults:
        return replace(base, sentence=_told(environment, faults))
    if found:
        return replace(base, sentence=_unsaid(_told(environment, found)), measured=None)
    if count == 0:
        return replace(base, status=Status.CONFIG_ERROR, sentence="there is nothing to judge", measured=None)
    return replace(base, status=Status.PASS, sentence=f"{holds}: {count} of {count}")


def counted(number: int, noun: str) -> str:
    """Return a number with its noun: ``1 cluster``, ``2 clusters``."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _told(environment: PlannedEnvironment, findings: Sequence[Finding]) -> str:
    several = len(environment.plans) > 1
    told = [f"{finding.file}: {finding.sentence}" if several else finding.sentence for finding in findings[:_TOLD]]
    more = len(findings) - len(told)
    return "; ".join(told) + (f"; and {more} more" if more else "")


def _unsaid(sentence: str) -> str:
    return f"the plan cannot tell: {sentence}"
