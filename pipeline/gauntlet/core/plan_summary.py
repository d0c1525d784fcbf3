"""This module provides what a plan would do, for people: what is made, changed, replaced, destroyed, and its vCPUs."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from gauntlet.core.planned_clusters import clusters_of, vcpus_needed
from gauntlet.core.planned_values import UndeterminedError, path_text
from gauntlet.core.terraform_plan import Plan, ResourceChange

Verb = Literal["make", "change", "replace", "destroy", "forget"]


@dataclass(frozen=True)
class PlannedStep:
    """What a plan does with one resource.

    Attributes:
        verb: What is done; ``forget`` leaves it as it is and only takes it out of the state.
        address: Its address.
        note: Why, where that is no matter of course.
    """

    verb: Verb
    address: str
    note: str = ""


@dataclass(frozen=True)
class ClusterNeed:
    """What one cluster takes of the quota.

    Attributes:
        place: The cluster, or the job and the block in it.
        vcpus: Its vCPUs with all workers; None where they cannot be told.
        note: Why they cannot.
    """

    place: str
    vcpus: int | None
    note: str = ""


@dataclass(frozen=True)
class PlanSummary:
    """A plan, for people.

    Attributes:
        steps: What is done; resources that stay as they are do not appear.
        clusters: What each cluster takes of the quota, job clusters among them.
    """

    steps: tuple[PlannedStep, ...]
    clusters: tuple[ClusterNeed, ...]


def summarised(plan: Plan) -> PlanSummary:
    """Return a plan's summary."""
    steps = [step for change in plan.resources if (step := _step(change)) is not None]
    return PlanSummary(tuple(steps), tuple(_needs(plan)))


def _step(change: ResourceChange) -> PlannedStep | None:
    address = change.address if change.deposed is None else f"{change.address} (left by an interrupted replacement)"
    if change.is_replaced:
        forced = ", ".join(path_text(path) for path in change.replace_paths)
        return PlannedStep("replace", address, f"forced by {forced}" if forced else (change.reason or ""))
    if change.is_destroyed:
        return PlannedStep("destroy", address)
    if "create" in change.actions:
        return PlannedStep("make", address)
    if "update" in change.actions:
        return PlannedStep("change", address)
    return PlannedStep("forget", address) if "forget" in change.actions else None


def _needs(plan: Plan) -> Iterator[ClusterNeed]:
    try:
        for cluster in clusters_of(plan):
            try:
                yield ClusterNeed(cluster.block.label, vcpus_needed(cluster.block))
            except UndeterminedError as error:
                yield ClusterNeed(cluster.block.label, None, str(error))
    except UndeterminedError as error:
        yield ClusterNeed("job clusters", None, str(error))
