"""This module provides the gates on Terraform plans, as a whole."""

from __future__ import annotations

from gauntlet.core.verdict import Verdict
from gauntlet.gates.plan_changes import plan_has_resources, protected_resources_stay
from gauntlet.gates.plan_clusters import (
    access_mode_suits_work,
    clusters_fit_vcpu_quota,
    clusters_stop_by_themselves,
    single_node_in_one_spelling,
)
from gauntlet.gates.plan_gate import PlanGate, PlannedEnvironment
from gauntlet.gates.plan_libraries import libraries_pinned
from gauntlet.gates.plan_names import names_agree_with_problem
from gauntlet.gates.plan_secrets import no_secret_in_the_clear
from gauntlet.gates.plan_serving import serving_scales_to_zero, traffic_adds_up, workspace_tier_suffices
from gauntlet.gates.plan_storage import encrypted_in_transit, no_public_blob_access, storage_network_closed
from gauntlet.gates.plan_tasks import (
    one_compute_a_task,
    stages_follow_their_order,
    tasks_form_an_order,
    wheel_entry_points_exist,
    wheel_tasks_name_stages,
)

# What is lost for good comes first.
GATES: tuple[PlanGate, ...] = (
    plan_has_resources,
    protected_resources_stay,
    no_secret_in_the_clear,
    no_public_blob_access,
    encrypted_in_transit,
    storage_network_closed,
    workspace_tier_suffices,
    clusters_stop_by_themselves,
    clusters_fit_vcpu_quota,
    single_node_in_one_spelling,
    access_mode_suits_work,
    libraries_pinned,
    tasks_form_an_order,
    one_compute_a_task,
    wheel_entry_points_exist,
    wheel_tasks_name_stages,
    stages_follow_their_order,
    traffic_adds_up,
    serving_scales_to_zero,
    names_agree_with_problem,
)


def plan_verdicts(environment: PlannedEnvironment) -> tuple[Verdict, ...]:
    """Return the verdicts of all gates that an environment's plans have something for, in the gates' order."""
    return tuple(gate(environment) for gate in GATES if gate.concerns(environment))


def not_judged(environment: PlannedEnvironment) -> tuple[str, ...]:
    """Return what the gates leave unchecked in an environment's plans, one sentence each."""
    return (
        *(gap for plan in environment.plans for gap in plan.not_checked),
        *(f"{gate.name}: there is {gate.lacking}." for gate in GATES if not gate.concerns(environment)),
    )
