"""This module provides the gates on planned serving endpoints, and on the tier of workspace that they need."""

from __future__ import annotations

from collections.abc import Iterator

from gauntlet.core.planned_values import UNKNOWN, PlannedBlock, UndeterminedError
from gauntlet.core.terraform_plan import Plan
from gauntlet.core.verdict import Verdict
from gauntlet.gates.plan_gate import (
    Finding,
    PlannedEnvironment,
    concluded,
    found_in,
    has_planned,
    plan_gate,
)

TRAFFIC = "plan::traffic_adds_up"
SCALES_TO_ZERO = "plan::serving_scales_to_zero"
WORKSPACE_TIER = "plan::workspace_tier_suffices"

ENDPOINT = "databricks_model_serving"
WORKSPACE = "azurerm_databricks_workspace"
# They exist in a workspace of the premium tier only.
_PREMIUM = (
    ENDPOINT,
    "databricks_catalog",
    "databricks_external_location",
    "databricks_registered_model",
    "databricks_schema",
    "databricks_storage_credential",
    "databricks_volume",
)


@plan_gate(
    TRAFFIC,
    applies=has_planned(ENDPOINT),
    lacking="no serving endpoint",
    remedy="Let the percentages of traffic_config's routes add up to 100, each route naming one served entity.",
)
def traffic_adds_up(environment: PlannedEnvironment) -> Verdict:
    """Guard that the routes of an endpoint share 100 % of the traffic, and each of them leads to an entity.

    Neither the provider nor a plan checks it. With one entity all traffic is its own, so no split is needed.
    """
    endpoints = environment.planned(ENDPOINT)
    holds = "endpoints that share 100 % of the traffic among their entities"
    findings = found_in(endpoints, _misrouted)
    return concluded(TRAFFIC, environment, findings, count=len(endpoints), holds=holds)


@plan_gate(
    SCALES_TO_ZERO,
    applies=has_planned(ENDPOINT),
    lacking="no serving endpoint",
    remedy="Set scale_to_zero_enabled = true on each served entity; where the first answer must not wait, waive this.",
)
def serving_scales_to_zero(environment: PlannedEnvironment) -> Verdict:
    """Guard that an endpoint that nobody asks costs nothing.

    Models that somebody else serves (``external_model``) have nothing to scale.
    """

    def keeps_running(endpoint: PlannedBlock) -> Iterator[str]:
        for entity in _entities(endpoint):
            if not entity.is_set("external_model") and entity.flag("scale_to_zero_enabled") is not True:
                yield f"{entity.place('scale_to_zero_enabled')} is not true: it runs, and costs, all the time"

    endpoints = environment.planned(ENDPOINT)
    holds = "endpoints that scale to zero when nobody asks"
    findings = found_in(endpoints, keeps_running)
    return concluded(SCALES_TO_ZERO, environment, findings, count=len(endpoints), holds=holds)


def _states_tier(plan: Plan) -> bool:
    """Say whether a plan makes objects in a workspace of another stack, and says of which tier that is."""
    elsewhere = bool(plan.planned(*_PREMIUM)) and not plan.planned(WORKSPACE)
    return elsewhere and plan.variables.get("sku") is not None


def _tier_is_known(environment: PlannedEnvironment) -> bool:
    return bool(environment.planned(WORKSPACE)) or any(map(_states_tier, environment.plans))


@plan_gate(
    WORKSPACE_TIER,
    applies=_tier_is_known,
    lacking="no workspace, and no variable sku that names the tier of one",
    bounds=("skus",),
    remedy='Set sku = "premium": model serving and Unity Catalog exist in that tier only.',
)
def workspace_tier_suffices(environment: PlannedEnvironment) -> Verdict:
    """Guard that the workspace is of a tier that has Unity Catalog and model serving.

    Looks at the workspaces of the plans, and, where objects that need the tier are planned, at the root module's
    variable ``sku``, by which a stack of workspace objects knows the tier of a workspace that another stack makes.
    """
    allowed = environment.rules.skus
    needing = environment.planned(*_PREMIUM)
    because = f", and {needing[0].address} needs it" if needing else ""

    def is_insufficient(workspace: PlannedBlock) -> Iterator[str]:
        tier = workspace.text("sku")
        if tier not in allowed:
            yield f"{workspace.place('sku')} is {tier or 'not set'}, not {' or '.join(allowed)}{because}"

    workspaces = environment.planned(WORKSPACE)
    findings = list(found_in(workspaces, is_insufficient))
    stated = [plan for plan in environment.plans if _states_tier(plan)]
    for plan in stated:
        if plan.variables["sku"] not in allowed:
            sentence = f"var.sku is {plan.variables['sku']}, not {' or '.join(allowed)}{because}"
            findings.append(Finding(sentence, plan.file, "var.sku"))
    holds = f"tiers of workspaces that are {' or '.join(allowed)}"
    count = len(workspaces) + len(stated)
    return concluded(WORKSPACE_TIER, environment, findings, count=count, holds=holds)


def _entities(endpoint: PlannedBlock) -> tuple[PlannedBlock, ...]:
    """Return what an endpoint serves; ``served_models`` is the older name."""
    return tuple(
        entity
        for config in endpoint.blocks("config")
        for name in ("served_entities", "served_models")
        for entity in config.blocks(name)
    )


def _misrouted(endpoint: PlannedBlock) -> Iterator[str]:
    entities = _entities(endpoint)
    routes = [
        route
        for config in endpoint.blocks("config")
        for traffic in config.blocks("traffic_config")
        for route in traffic.blocks("routes")
    ]
    if not routes:
        if len(entities) > 1:
            yield f"{endpoint.label} serves {len(entities)} entities and has no traffic_config that splits the traffic"
        return
    shares = [route.number("traffic_percentage") for route in routes]
    total = sum(share or 0 for share in shares)
    if total != 100 or any(share is None or not 0 <= share <= 100 for share in shares):
        written = " + ".join("nothing" if share is None else f"{share:g}" for share in shares)
        yield f"{endpoint.label} splits its traffic {written} = {total:g} %, not 100 %"
    named = [route.text("served_entity_name") or route.text("served_model_name") or "" for route in routes]
    twice = sorted({name for name in named if named.count(name) > 1})
    if twice:
        yield f"{endpoint.label} has several routes to {', '.join(twice)}"
    served = {entity.values.get("name") for entity in entities}
    lost = sorted({name for name in named if name not in served})
    if lost and (UNKNOWN in served or None in served):
        raise UndeterminedError(f"{endpoint.label} routes to {', '.join(lost)}, and an entity's name is not known yet")
    if lost:
        there = ", ".join(sorted(str(name) for name in served)) or "nothing"
        yield f"{endpoint.label} routes to {', '.join(lost) or 'nothing'}, but it serves {there}"
