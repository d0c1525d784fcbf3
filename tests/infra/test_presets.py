"""The presets of azure_base differ exactly as its README says, and an account can go from one to the other."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.infra.providers import Providers
from tests.infra.terraform_runs import MODULES, Terraform, copied_modules

pytestmark = pytest.mark.infra

README = MODULES / "azure_base" / "README.md"
VARIABLES = {"location": "westeurope", "resource_group_name": "wine", "storage_account_name": "winedata"}
ROW = re.compile(r"^\| `(?P<what>azurerm_[a-z_.]+)` \| `(?P<dev>[^`]+)` \| `(?P<hardened>[^`]+)` \|$", re.MULTILINE)


def azure_base(providers: Providers, folder: Path) -> Terraform:
    """Return the module in a copy of its own, with a state of its own."""
    terraform = Terraform(copied_modules(folder) / "azure_base", environment=providers.apply_environment)
    terraform.init()
    return terraform


@pytest.fixture(scope="module")
def plans(providers: Providers, tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    """The plans of both presets, where nothing is made yet."""
    terraform = azure_base(providers, tmp_path_factory.mktemp("planned") / "infra_modules")
    return {preset: terraform.plan(variables=VARIABLES | {"preset": preset}) for preset in ("dev", "hardened")}


def planned(plan: dict[str, Any]) -> dict[str, Any]:
    """Return every planned argument of a plan, by type and path."""
    resources = plan["planned_values"]["root_module"]["resources"]
    return {path: value for held in resources for path, value in leaves(held["values"], held["type"])}


def leaves(value: Any, path: str) -> Iterator[tuple[str, Any]]:
    """Give the arguments in a value with their paths; a block of which there is one has no number."""
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from leaves(inner, f"{path}.{name}")
    elif isinstance(value, list) and len(value) == 1 and isinstance(value[0], dict):
        yield from leaves(value[0], path)
    else:
        yield path, value


def differences(plans: dict[str, dict[str, Any]]) -> dict[str, tuple[Any, Any]]:
    dev, hardened = planned(plans["dev"]), planned(plans["hardened"])
    pairs = {path: (dev.get(path), hardened.get(path)) for path in sorted(dev | hardened)}
    return {path: pair for path, pair in pairs.items() if pair[0] != pair[1]}


def documented() -> dict[str, tuple[Any, Any]]:
    rows = ROW.finditer(README.read_text(encoding="utf-8"))
    return {row["what"]: (json.loads(row["dev"]), json.loads(row["hardened"])) for row in rows}


def test_presets_differ_exactly_by_the_documented_list(plans: dict[str, dict[str, Any]]) -> None:
    found = differences(plans)
    # A resource that only one preset has stands in the list once, by the argument that matters.
    names = {
        path: pair
        for path, pair in found.items()
        if path not in ("azurerm_management_lock.name", "azurerm_management_lock.notes")
    }
    assert names == documented()


def test_every_row_of_the_list_is_read() -> None:
    table = README.read_text(encoding="utf-8").partition("| What |")[2].partition("\n\n")[0]
    assert len(documented()) == table.count("\n| `") > 0


def test_an_argument_that_one_preset_changes_unseen_is_found(plans: dict[str, dict[str, Any]]) -> None:
    spoilt = json.loads(json.dumps(plans))
    (account,) = (held for held in resources_of(spoilt["dev"]) if held["type"] == "azurerm_storage_account")
    account["values"]["sas_policy"][0]["expiration_period"] = "90.00:00:00"
    path = "azurerm_storage_account.sas_policy.expiration_period"
    assert differences(spoilt).keys() - differences(plans).keys() == {path}


def resources_of(plan: dict[str, Any]) -> list[dict[str, Any]]:
    held: list[dict[str, Any]] = plan["planned_values"]["root_module"]["resources"]
    return held


@pytest.fixture(scope="module")
def made(providers: Providers, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Terraform]:
    """The base as it was made with the dev preset, by the stand-in."""
    terraform = azure_base(providers, tmp_path_factory.mktemp("made") / "infra_modules")
    terraform.plan(variables=VARIABLES | {"preset": "dev"})
    terraform.apply()
    yield terraform
    terraform.destroy(variables=VARIABLES | {"preset": "dev"})


def actions(plan: dict[str, Any]) -> dict[str, list[str]]:
    changes = {change["address"]: change["change"]["actions"] for change in plan["resource_changes"]}
    return {address: found for address, found in changes.items() if found != ["no-op"]}


def test_an_account_goes_from_dev_to_hardened_with_its_data(made: Terraform) -> None:
    plan = made.plan(variables=VARIABLES | {"preset": "hardened"})
    assert actions(plan) == {
        "azurerm_management_lock.storage[0]": ["create"],
        "azurerm_storage_account.this": ["update"],
    }


def test_a_change_that_would_lose_the_data_shows_as_a_replacement(made: Terraform) -> None:
    plan = made.plan(variables=VARIABLES | {"preset": "dev", "storage_account_name": "winedata2"})
    assert actions(plan)["azurerm_storage_account.this"] == ["delete", "create"]
