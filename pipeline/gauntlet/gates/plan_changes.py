"""This module provides the gates on what a plan does: that it does something, and what it may not destroy."""

from __future__ import annotations

from collections.abc import Iterator

from gauntlet.core.planned_values import path_text
from gauntlet.core.terraform_plan import ResourceChange
from gauntlet.core.verdict import Status, Verdict
from gauntlet.gates.plan_gate import Finding, PlannedEnvironment, PlanVerdict, concluded, counted, plan_gate

HAS_RESOURCES = "plan::plan_has_resources"
PROTECTED_STAY = "plan::protected_resources_stay"


@plan_gate(
    HAS_RESOURCES,
    applies=lambda _: True,
    lacking="",
    remedy="Judge the plan of the stack itself: plan in its folder, with its variables and its state.",
)
def plan_has_resources(environment: PlannedEnvironment) -> Verdict:
    """Guard that there is something to judge: a plan without any resource shows nothing, and passes no gate."""
    empty = [plan.file for plan in environment.plans if not plan.resources]
    count = len(environment.changes)
    if empty or not environment.plans:
        sentence = f"no resource in {', '.join(empty) or 'any plan, as none was given'}: there is nothing to judge"
        places = tuple((file, "") for file in empty)
        return PlanVerdict(HAS_RESOURCES, Status.CONFIG_ERROR, sentence, rows=count, places=places)
    holds = f"{counted(count, 'resource')} in {counted(len(environment.plans), 'plan')}"
    return PlanVerdict(HAS_RESOURCES, Status.PASS, holds, measured=float(count), bound=1.0, rows=count)


def _protected(environment: PlannedEnvironment) -> tuple[ResourceChange, ...]:
    return tuple(change for change in environment.changes if change.type in environment.rules.protected)


@plan_gate(
    PROTECTED_STAY,
    applies=lambda environment: bool(_protected(environment)),
    lacking="no resource of a protected type",
    bounds=("protected", "replaceable"),
    remedy="Take the change of the named argument back. If the resource only has a new address, say so in a moved "
    "block. If it may go, list its address under replaceable in the rules.",
)
def protected_resources_stay(environment: PlannedEnvironment) -> Verdict:
    """Guard that nothing that holds data, or protects it, is destroyed: not openly, and not by a replacement.

    A replacement hides behind an argument that cannot be changed in place, in either order (destroyed first or last);
    it is told with that argument. What an interrupted replacement left and the plan clears away counts too. A resource
    that Terraform only forgets stays, unless another is made in its place.
    """
    protected = _protected(environment)
    findings = [
        Finding(sentence, change.file, change.address)
        for change in protected
        if change.address not in environment.rules.replaceable
        for sentence in _losses(change)
    ]
    holds = "protected resources that are neither destroyed nor replaced"
    return concluded(PROTECTED_STAY, environment, findings, count=len(protected), holds=holds)


def _losses(change: ResourceChange) -> Iterator[str]:
    old = " (what an interrupted replacement left)" if change.deposed else ""
    if change.is_replaced:
        paths = ", ".join(path_text(path) for path in change.replace_paths)
        why = f"because of {paths}" if paths else f"the reason: {change.reason or 'not given'}"
        yield f"{change.address} would be replaced{old}, {why}"
    elif change.is_destroyed:
        yield f"{change.address} would be destroyed{old}" + (f", the reason: {change.reason}" if change.reason else "")
