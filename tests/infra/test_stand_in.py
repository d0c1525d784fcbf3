"""The stand-in says what the real providers' schemas say, and Terraform refuses through it what they would refuse."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.infra.providers import Providers, bare_environment, stand_in_python
from tests.infra.stand_in.facts import FOLDER, PROVIDERS, Facts, differences, load
from tests.infra.stand_in.make_facts import facts_from, schema_of, written
from tests.infra.stand_in.process import SERVER, running_stand_in
from tests.infra.terraform_runs import Terraform, TerraformRunError

pytestmark = pytest.mark.infra

SCHEMAS = "GAUNTLET_PROVIDER_SCHEMAS"
Stack = Callable[..., Terraform]


@pytest.fixture
def schemas(request: pytest.FixtureRequest, tmp_path: Path) -> dict[str, dict[str, Any]]:
    """The schemas of the real providers: from the folder of schemas, else from the providers where they are."""
    folder = os.environ.get(SCHEMAS)
    if folder:
        return {provider: schema_of(provider, folder=Path(folder)) for provider in PROVIDERS}
    providers: Providers = request.getfixturevalue("providers")
    if "TF_REATTACH_PROVIDERS" in providers.environment:
        pytest.skip(f"not checked: the stand-in's facts; {SCHEMAS} is not set and there are no real providers")
    return {name: heard(tmp_path, name, providers.environment, providers.versions[name]) for name in PROVIDERS}


def heard(folder: Path, provider: str, environment: dict[str, str], version: str) -> dict[str, Any]:
    """Return the schema that Terraform hears from a provider, in the form of the folder's files."""
    (folder / "main.tf").write_text(REQUIRED)
    terraform = Terraform(folder, environment=environment)
    terraform.init()
    held = json.loads(terraform.run("providers schema", json=True).output)["provider_schemas"]
    schema = held[f"registry.terraform.io/{load(provider).source}"]
    return {
        "version": version,
        "provider_block": schema["provider"]["block"],
        "resources": {name: item["block"] for name, item in schema["resource_schemas"].items()},
        "data_sources": {name: item["block"] for name, item in schema["data_source_schemas"].items()},
    }


def types(facts: Facts) -> set[str]:
    return {*facts.resources, *(f"data.{name}" for name in facts.data_sources)}


def difference(provider: str, schema: dict[str, Any], folder: Path = FOLDER) -> list[str]:
    held = json.loads((folder / f"{provider}.json").read_text(encoding="utf-8"))
    there = facts_from(schema, provider=provider, types=types(load(provider, folder=folder)))
    same = held.pop("version") == there.pop("version")
    return differences(held, there, shared_only=not same)


@pytest.mark.parametrize("provider", PROVIDERS)
def test_facts_agree_with_the_schema(provider: str, schemas: dict[str, dict[str, Any]]) -> None:
    assert difference(provider, schemas[provider]) == []


@pytest.mark.parametrize(
    ("path", "value", "says"),
    [
        (("resources", "databricks_volume", "attributes", "name"), ["optional", "string"], 'name: the facts say ["opt'),
        (("resources", "databricks_volume", "attributes", "name"), ["required", "number"], 'name: the facts say ["req'),
        (("resources", "databricks_volume", "attributes", "nam"), ["optional", "string"], "nam: only in the facts"),
        (("resources", "databricks_cluster", "blocks", "autoscale", "max"), 2, "autoscale.max: the facts say 2"),
        (("resources", "databricks_cluster", "blocks", "library", "nesting"), "list", "library.nesting: the facts say"),
        (("provider_block", "attributes", "host"), None, "provider_block.attributes.host: only in the schema"),
    ],
)
def test_a_changed_fact_is_noticed(path: tuple[str, ...], value: Any, says: str, tmp_path: Path) -> None:
    held = json.loads((FOLDER / "databricks.json").read_text(encoding="utf-8"))
    changed = json.loads(json.dumps(held))
    inner = changed
    for name in path[:-1]:
        inner = inner[name]
    if value is None:
        del inner[path[-1]]
    else:
        inner[path[-1]] = value
    (found,) = differences(changed, held)
    assert says in found


@pytest.mark.parametrize("provider", PROVIDERS)
def test_terraform_hears_all_that_the_facts_say(provider: str, providers: Providers, tmp_path: Path) -> None:
    there = heard(tmp_path, provider, providers.apply_environment, load(provider).version)
    assert difference(provider, there) == []
    assert {*there["resources"]} == {*load(provider).resources}


@pytest.mark.parametrize("provider", PROVIDERS)
def test_fact_files_are_as_the_program_writes_them(provider: str) -> None:
    text = (FOLDER / f"{provider}.json").read_text(encoding="utf-8")
    assert written(json.loads(text)) == text


@pytest.mark.parametrize("provider", PROVIDERS)
def test_hand_kept_facts_name_what_is_there(provider: str) -> None:
    facts = load(provider)
    assert {*facts.force_new} <= {*facts.resources}
    for type_name, arguments in facts.force_new.items():
        for argument in arguments:
            *blocks, name = argument.split(".")
            block = facts.resources[type_name]
            for inner in blocks:
                block = block["blocks"][inner]["block"]
            assert block["attributes"][name][0] != "computed", f"{type_name}.{argument} cannot be changed"
    for type_name, answers in facts.answers.items():
        kind = type_name.removeprefix("data.")
        block = (facts.data_sources if kind != type_name else facts.resources)[kind]
        assert {*answers} <= {name for name, (flags, _) in block["attributes"].items() if "computed" in flags}


REQUIRED = """
terraform {
  required_providers {
    azurerm    = { source = "hashicorp/azurerm" }
    databricks = { source = "databricks/databricks" }
  }
}
"""
CONFIGURED = REQUIRED + 'provider "azurerm" {\n  features {}\n}\n'
CLUSTER = """
resource "databricks_cluster" "this" {
  cluster_name  = "c"
  spark_version = data.databricks_spark_version.this.id
  library {
    pypi {
      package = "a"
    }
  }
  library {
    whl = "b"
  }
  autoscale {
    min_workers = 1
    max_workers = 2
  }
}

data "databricks_spark_version" "this" {
  ml = true
}
"""
STORAGE = """
variable "hierarchical" {
  type    = bool
  default = true
}

variable "network" {
  type    = string
  default = "a"
}

resource "azurerm_storage_account" "this" {
  name                     = "account"
  resource_group_name      = "group"
  location                 = "westeurope"
  account_tier             = "Standard"
  account_replication_type = "LRS"
  is_hns_enabled           = var.hierarchical
  network_rules {
    default_action = "Deny"
  }
}

resource "azurerm_storage_container" "this" {
  name               = "container"
  storage_account_id = azurerm_storage_account.this.id
}

resource "azurerm_databricks_access_connector" "this" {
  name                = "connector"
  resource_group_name = "group"
  location            = "westeurope"
  identity {
    type = "SystemAssigned"
  }
}

resource "azurerm_role_assignment" "this" {
  scope                = azurerm_storage_account.this.id
  role_definition_name = "Storage Blob Data Contributor"
  principal_id         = azurerm_databricks_access_connector.this.identity[0].principal_id
}

resource "azurerm_databricks_workspace" "this" {
  name                = "workspace"
  resource_group_name = "group"
  location            = "westeurope"
  sku                 = "premium"
  custom_parameters {
    virtual_network_id = var.network
  }
}
"""


@pytest.fixture
def stack(providers: Providers, tmp_path: Path) -> Stack:
    """Make a stack over the stand-in, whatever the tier."""

    def make(text: str) -> Terraform:
        (tmp_path / "main.tf").write_text(CONFIGURED + text)
        terraform = Terraform(tmp_path, environment=providers.apply_environment)
        terraform.init()
        return terraform

    return make


def actions(plan: dict[str, Any]) -> dict[str, str]:
    return {change["address"]: "/".join(change["change"]["actions"]) for change in plan.get("resource_changes", [])}


def test_no_provider_is_downloaded_or_locked(stack: Stack) -> None:
    terraform = stack(STORAGE)
    assert not (terraform.folder / ".terraform.lock.hcl").exists()
    assert not (terraform.folder / ".terraform" / "providers").exists()


@pytest.mark.parametrize(
    ("held", "put", "says"),
    [
        ('cluster_name  = "c"', 'cluster_nam  = "c"', "Unsupported argument"),
        ("  spark_version = data.databricks_spark_version.this.id\n", "", "Missing required argument"),
        ("min_workers = 1", 'min_workers = "one"', "Incorrect attribute value type"),
        ("  autoscale {", "  autoscale {}\n  autoscale {", "Too many autoscale blocks"),
        ("    pypi {", "    pipy {", "Unsupported block type"),
        ('package = "a"', "", "Missing required argument"),
        ('cluster_name  = "c"', 'cluster_id  = "c"', "Value for unconfigurable attribute"),
        ('data "databricks_spark_version" "this"', 'data "databricks_spark" "this"', "Invalid data source"),
    ],
)
def test_terraform_refuses_what_the_schema_does_not_hold(held: str, put: str, says: str, stack: Stack) -> None:
    assert CLUSTER.count(held) == 1
    found = stack(CLUSTER.replace(held, put)).validate()
    assert says in {item.summary for item in found}


def test_terraform_refuses_a_block_too_few(stack: Stack) -> None:
    found = stack('resource "databricks_grants" "this" {\n  catalog = "main"\n}\n').validate()
    assert [item.summary for item in found] == ["Insufficient grant blocks"]


def test_plan_leaves_open_what_the_provider_works_out(stack: Stack) -> None:
    plan = stack(CLUSTER).plan()
    (change,) = [item["change"] for item in plan["resource_changes"]]
    assert change["after"]["spark_version"] == "16.4.x-cpu-ml-scala2.12"
    assert [library["whl"] for library in change["after"]["library"]] == [None, "b"]
    assert change["after_unknown"]["id"] is True
    assert "cluster_name" not in change["after_unknown"]


def test_sensitive_values_are_marked(stack: Stack) -> None:
    text = 'resource "databricks_secret" "this" {\n  scope = "s"\n  key = "k"\n  string_value = "hidden"\n}\n'
    (change,) = stack(text).plan()["resource_changes"]
    assert change["change"]["after_sensitive"]["string_value"] is True


def test_objects_in_attributes_are_taken(stack: Stack) -> None:
    text = """
    data "databricks_registered_model" "this" {
      full_name       = "a.b.c"
      provider_config = { workspace_id = "7" }
    }

    locals {
      model = data.databricks_registered_model.this
    }

    output "read" {
      value = [local.model.provider_config.workspace_id, local.model.model_info]
    }
    """
    assert stack(text).plan()["planned_values"]["outputs"]["read"]["value"] == ["7", []]


@pytest.mark.parametrize("text", [CLUSTER, STORAGE])
def test_a_second_plan_is_empty_and_all_can_be_destroyed(text: str, stack: Stack) -> None:
    terraform = stack(text)
    assert set(actions(terraform.plan()).values()) == {"create"}
    terraform.apply()
    assert set(actions(terraform.plan()).values()) == {"no-op"}
    terraform.destroy()
    assert "values" not in terraform.state()


def test_ids_are_well_formed_after_apply(stack: Stack) -> None:
    terraform = stack(STORAGE)
    terraform.plan()
    terraform.apply()
    resources = terraform.state()["values"]["root_module"]["resources"]
    held = {resource["type"]: resource["values"] for resource in resources}
    group = "/subscriptions/00000000-0000-0000-0000-000000000001/resourceGroups/group/providers"
    account = f"{group}/Microsoft.Storage/storageAccounts/account"
    assert held["azurerm_storage_account"]["id"] == account
    assert held["azurerm_storage_container"]["id"] == f"{account}/blobServices/default/containers/container"
    assert held["azurerm_role_assignment"]["id"].startswith(f"{account}/providers/Microsoft.Authorization/roleAssi")
    assert len(held["azurerm_role_assignment"]["principal_id"]) == 36
    assert held["azurerm_databricks_workspace"]["workspace_id"].isdigit()


@pytest.mark.parametrize(
    ("variables", "replaced"),
    [
        ({"hierarchical": False}, {"storage_account", "storage_container", "role_assignment"}),
        ({"network": "b"}, {"databricks_workspace"}),
        ({}, set()),
    ],
)
def test_a_change_that_forces_a_replacement_is_planned_as_one(
    variables: dict[str, Any], replaced: set[str], stack: Stack
) -> None:
    terraform = stack(STORAGE)
    terraform.plan()
    terraform.apply()
    planned = actions(terraform.plan(variables=variables))
    assert {name for name, action in planned.items() if action == "delete/create"} == {
        f"azurerm_{name}.this" for name in replaced
    }


def test_another_change_is_made_in_place(stack: Stack) -> None:
    terraform = stack(CLUSTER)
    terraform.plan()
    terraform.apply()
    main = terraform.folder / "main.tf"
    main.write_text(main.read_text().replace("max_workers = 2", "max_workers = 3"))
    assert actions(terraform.plan()) == {"databricks_cluster.this": "update"}


def test_terraform_hears_a_changed_fact(tmp_path: Path, providers: Providers) -> None:
    folder = tmp_path / "facts"
    shutil.copytree(FOLDER, folder)
    facts = json.loads((folder / "databricks.json").read_text(encoding="utf-8"))
    facts["resources"]["databricks_cluster"]["attributes"]["cluster_name"][0] = "computed"
    (folder / "databricks.json").write_text(json.dumps(facts), encoding="utf-8")
    (tmp_path / "main.tf").write_text(REQUIRED + CLUSTER)
    with running_stand_in(stand_in_python(), facts_folder=folder) as attached:
        terraform = Terraform(tmp_path, environment=bare_environment(tmp_path) | attached)
        terraform.init()
        assert {item.summary for item in terraform.validate()} == {"Value for unconfigurable attribute"}


def test_a_server_that_cannot_start_is_reported(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    shutil.copytree(FOLDER, tmp_path / "facts")
    (tmp_path / "facts" / "azurerm.json").write_text("{}")
    with (
        pytest.raises(RuntimeError, match="the stand-in ended with exit code 1 before it was ready"),
        running_stand_in(stand_in_python(), facts_folder=tmp_path / "facts"),
    ):
        pass
    assert "KeyError: 'source'" in capfd.readouterr().err


def test_the_server_ends_with_whoever_started_it() -> None:
    sockets = Path(tempfile.mkdtemp(prefix="stand-in-"))
    command = [str(stand_in_python()), str(SERVER), str(FOLDER), str(sockets)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdin is not None
        assert {*json.loads(process.stdout.readline())} == {*PROVIDERS}
        process.stdin.close()  # as the system does for one that was killed
        assert process.wait(timeout=30) == 0
    assert not sockets.exists()


def test_a_value_for_no_variable_is_refused(stack: Stack) -> None:
    with pytest.raises(TerraformRunError, match="given what no variable takes"):
        stack(STORAGE).plan(variables={"hierarchic": False})
