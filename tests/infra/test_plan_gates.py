"""The gates on plans, on the plans of the examples: those pass, each saboteur is caught, and no replacement hides."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from gauntlet.core.terraform_plan import plan_of
from gauntlet.core.verdict import Status
from gauntlet.core.vm_sizes import vcpus_of
from gauntlet.gates.plan import GATES, not_judged
from gauntlet.gates.plan_sabotage import sabotage_plans
from gauntlet.gates.plan_saboteurs import SABOTEURS
from gauntlet.gates.sabotage import SabotageOutcome
from tests.infra.prepared import Prepared, example_variables
from tests.infra.providers import Providers
from tests.infra.terraform_runs import MODULES, Terraform, copied_modules
from tests.made_plan import environment_of

INFRA, WORKSPACE, MINIMAL = "complete/infra", "complete/workspace", "minimal"
BY_NAME = {gate.name: gate for gate in GATES}
CLOSED, STAY = "plan::storage_network_closed", "plan::protected_resources_stay"
# The job of the complete example runs on the cluster of the notebooks: a free trial cannot start a second one.
OF_JOB_CLUSTERS = {"job_cluster_grown", "access_mode_left_out"}
NODE_TYPES = MODULES / "ml_cluster" / "modules" / "cluster_size" / "node_types.tf"
ZONES = (
    "/subscriptions/00000000-0000-0000-0000-000000000001/resourceGroups/n/providers/Microsoft.Network/privateDnsZones"
)
HARDENED = {
    "preset": "hardened",
    "network_address_space": "10.20.0.0/20",
    "private_dns_zone_ids": {
        "blob": f"{ZONES}/privatelink.blob.core.windows.net",
        "dfs": f"{ZONES}/privatelink.dfs.core.windows.net",
        "databricks": f"{ZONES}/privatelink.azuredatabricks.net",
    },
}

pytestmark = pytest.mark.infra
PlanOf = Callable[[str], dict[str, Any]]


@dataclass(frozen=True)
class Stack:
    """The stack of Azure's things: its hardened plan, and itself, made for a trial, to be planned with other values."""

    terraform: Terraform
    hardened: dict[str, Any]

    def changed(self, *, destroy: bool = False, **variables: Any) -> dict[str, Any]:
        options = {"destroy": True} if destroy else {}
        return self.terraform.plan(variables=example_variables(INFRA) | variables, **options)


@pytest.fixture(scope="module")
def stack(providers: Providers, tmp_path_factory: pytest.TempPathFactory) -> Stack:
    folder = copied_modules(tmp_path_factory.mktemp("stack") / "modules") / "examples" / INFRA
    terraform = Terraform(folder, environment=providers.apply_environment)
    terraform.init()
    hardened = terraform.plan(variables=example_variables(INFRA) | HARDENED)
    terraform.plan(variables=example_variables(INFRA))
    terraform.apply()
    return Stack(terraform, hardened)


@pytest.fixture
def complete(example_plan: PlanOf) -> dict[str, dict[str, Any]]:
    return {name: example_plan(name) for name in (INFRA, WORKSPACE)}


def asked_of(*names: str) -> Callable[[Any], Any]:
    """Mark a test with the plans that it asks for."""

    def marked(function: Any) -> Any:
        for name in names:
            function = pytest.mark.needs_terraform("plan", name)(function)
        return function

    return marked


@asked_of(INFRA, WORKSPACE)
@pytest.mark.parametrize("gate", [gate for gate in GATES if gate.name != CLOSED], ids=lambda gate: gate.name)
def test_the_complete_example_passes(complete: dict[str, Any], gate: Any) -> None:
    environment = environment_of(complete)
    assert gate.concerns(environment)
    verdict = gate(environment)
    assert verdict.status is Status.PASS, verdict.sentence


@asked_of(INFRA, WORKSPACE)
def test_the_preset_for_a_trial_is_open_and_that_is_told(complete: dict[str, Any]) -> None:
    environment = environment_of(complete)
    assert [sentence.split(": ")[0] for sentence in not_judged(environment)] == [CLOSED]


def test_the_hardened_preset_is_closed(stack: Stack) -> None:
    environment = environment_of({INFRA: stack.hardened})
    assert BY_NAME[CLOSED].concerns(environment)
    assert BY_NAME[CLOSED](environment).status is Status.PASS


@asked_of(MINIMAL)
def test_the_minimal_example_passes_what_it_has_something_for(example_plan: PlanOf) -> None:
    environment = environment_of({MINIMAL: example_plan(MINIMAL)}, names=None)
    verdicts = [gate(environment) for gate in GATES if gate.concerns(environment)]
    assert [(v.gate, v.sentence) for v in verdicts if v.status is not Status.PASS] == []
    assert {"plan::clusters_fit_vcpu_quota", "plan::single_node_in_one_spelling"} <= {v.gate for v in verdicts}


@pytest.mark.parametrize(
    "example", [pytest.param(name, marks=pytest.mark.needs_terraform("cycle", name)) for name in (INFRA, WORKSPACE)]
)
def test_what_was_applied_passes_again(prepared: Prepared, example: str) -> None:
    environment = environment_of({example: prepared.cycle(example).second})
    verdicts = [gate(environment) for gate in GATES if gate.concerns(environment)]
    assert [(v.gate, v.sentence) for v in verdicts if v.status is not Status.PASS] == []


@pytest.fixture(scope="module")
def outcomes(stack: Stack, prepared: Prepared) -> dict[str, SabotageOutcome]:
    documents = {INFRA: stack.hardened, WORKSPACE: prepared.plan(WORKSPACE)}
    tried = sabotage_plans(documents, GATES, SABOTEURS, against=environment_of({}))
    return {outcome.name: outcome for outcome in tried}


@asked_of(WORKSPACE)
@pytest.mark.parametrize("saboteur", [s for s in SABOTEURS if s.name not in OF_JOB_CLUSTERS], ids=lambda s: s.name)
def test_each_saboteur_of_the_complete_example_is_caught(outcomes: dict[str, SabotageOutcome], saboteur: Any) -> None:
    assert outcomes[saboteur.name].caught, outcomes[saboteur.name].sentence


@asked_of(WORKSPACE)
def test_the_saboteurs_of_job_clusters_find_none_to_break(outcomes: dict[str, SabotageOutcome]) -> None:
    missed = {name for name, outcome in outcomes.items() if not outcome.caught}
    assert missed == OF_JOB_CLUSTERS
    assert all("there is no job_cluster.new_cluster to break" in outcomes[name].sentence for name in missed)


@pytest.mark.parametrize(
    ("variable", "lost", "argument"),
    [
        ("storage_account_name", "module.azure_base.azurerm_storage_account.this", "name"),
        ("location", "module.databricks_workspace.azurerm_databricks_workspace.this", "location"),
    ],
)
def test_a_replacement_behind_a_changed_value_is_told_with_its_argument(
    stack: Stack, variable: str, lost: str, argument: str
) -> None:
    other = {"storage_account_name": "otherdata", "location": "northeurope"}[variable]
    verdict = BY_NAME[STAY](environment_of({INFRA: stack.changed(**{variable: other})}))
    assert verdict.status is Status.FAIL
    assert f"{lost} would be replaced, because of {argument}" in verdict.sentence


def test_a_change_in_place_is_no_loss(stack: Stack) -> None:
    document = stack.changed(tags={"team": "wine"})
    assert any(change.actions == ("update",) for change in plan_of(document, file=INFRA).resources)
    assert BY_NAME[STAY](environment_of({INFRA: document})).status is Status.PASS


def test_destroying_all_is_refused(stack: Stack) -> None:
    verdict = BY_NAME[STAY](environment_of({INFRA: stack.changed(destroy=True)}))
    assert verdict.status is Status.FAIL
    assert (INFRA, "module.azure_base.azurerm_storage_account.this") in verdict.places


def test_module_and_gate_count_the_same_vcpus() -> None:
    text = NODE_TYPES.read_text(encoding="utf-8")
    named = {name: int(vcpus) for name, vcpus in re.findall(r"(Standard_\w+)\s*=\s*(\d+)", text)}
    for pattern, counts in re.findall(r'"(Standard_[^"]*%d[^"]*)"\s*=\s*\[([^\]]*)\]', text):
        named |= {pattern.replace("%d", count.strip()): int(count) for count in counts.split(",")}
    assert len(named) > 100
    assert {name: vcpus_of(name) for name in named} == named
