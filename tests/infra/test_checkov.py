"""The hardened preset passes checkov but for the listed skips, and checkov is awake: it finds what others open."""

from __future__ import annotations

import copy
import json
import os
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.infra.providers import Providers
from tests.infra.terraform_runs import ROOT, Terraform, copied_modules

pytestmark = pytest.mark.infra

STACK = "examples/complete/infra"
SKIPS = tomllib.loads((Path(__file__).parent / "checkov_skips.toml").read_text(encoding="utf-8"))["skip"]
SKIPPED = {(skip["check"], skip["resource"]) for skip in SKIPS}
ZONE = "/subscriptions/{0}/resourceGroups/hub/providers/Microsoft.Network/privateDnsZones/privatelink.{1}"
SUBSCRIPTION = "00000000-0000-0000-0000-000000000001"
DEV = {
    "subscription_id": SUBSCRIPTION,
    "location": "westeurope",
    "resource_group_name": "wine",
    "storage_account_name": "winedata",
    "workspace_name": "wine",
    "preset": "dev",
}
HARDENED = DEV | {
    "preset": "hardened",
    "network_address_space": "10.139.0.0/20",
    "private_dns_zone_ids": {
        "blob": ZONE.format(SUBSCRIPTION, "blob.core.windows.net"),
        "dfs": ZONE.format(SUBSCRIPTION, "dfs.core.windows.net"),
        "databricks": ZONE.format(SUBSCRIPTION, "azuredatabricks.net"),
    },
}
# What somebody might change in the hardened plan, beyond what dev opens: type, argument, value, and what finds it.
SABOTAGE = {
    "public blobs": (
        "azurerm_storage_account",
        "allow_nested_items_to_be_public",
        True,
        {"CKV_AZURE_190", "CKV2_AZURE_47"},
    ),
    "old tls": ("azurerm_storage_account", "min_tls_version", "TLS1_0", {"CKV_AZURE_44"}),
    "local users": ("azurerm_storage_account", "local_user_enabled", True, {"CKV_AZURE_244"}),
    "public container": ("azurerm_storage_container", "container_access_type", "blob", {"CKV_AZURE_34"}),
}


@dataclass(frozen=True)
class Findings:
    """What checkov said of one plan: each check with the type of the resource that it looked at."""

    failed: set[tuple[str, str]]
    passed: set[tuple[str, str]]


@pytest.fixture(scope="module")
def checkov() -> Path:
    """The program, in an environment of its own: its packages do not go with the project's."""
    folder = ROOT / ".tox" / "checkov"
    command = [sys.executable, str(ROOT / "ci" / "tool_environment.py"), str(folder), str(ROOT / "ci" / "checkov.txt")]
    made = subprocess.run(command, capture_output=True, text=True, check=False)
    if made.returncode != 0:
        pytest.skip(f"not checked: checkov's environment could not be made: {made.stderr.strip()}")
    return folder / "bin" / "checkov"


@pytest.fixture(scope="module")
def plans(providers: Providers, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    modules = copied_modules(tmp_path_factory.mktemp("checkov") / "infra_modules")
    terraform = Terraform(modules / STACK, environment=providers.plan_environment)
    terraform.init()
    made = {"hardened": terraform.plan(variables=HARDENED), "dev": terraform.plan(variables=DEV)}
    spoilt = {name: sabotaged(made["hardened"], *change[:3]) for name, change in SABOTAGE.items()}
    return made | spoilt


@pytest.fixture(scope="module")
def findings(checkov: Path, plans: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> dict[str, Findings]:
    """What checkov says of all plans, in one run."""
    folder = tmp_path_factory.mktemp("plans")
    files = {name: folder / f"{name.replace(' ', '_')}.json" for name in plans}
    for name, file in files.items():
        file.write_text(json.dumps(plans[name]), encoding="utf-8")
    report = scanned(checkov, list(files.values()), home=folder)
    return {name: found_in(report, file.name) for name, file in files.items()}


def sabotaged(plan: dict[str, Any], kind: str, argument: str, value: Any) -> dict[str, Any]:
    spoilt = copy.deepcopy(plan)
    changed = [held for held in planned_values(spoilt) if held["type"] == kind]
    assert changed
    for held in changed:
        held["values"][argument] = value
    for change in spoilt["resource_changes"]:
        if change["type"] == kind:
            change["change"]["after"][argument] = value
    return spoilt


def planned_values(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    modules = [plan["planned_values"]["root_module"]]
    while modules:
        module = modules.pop()
        yield from module.get("resources", [])
        modules += module.get("child_modules", [])


def scanned(checkov: Path, files: list[Path], *, home: Path) -> dict[str, Any]:
    """Return checkov's report; it is told to look nothing up and to send nothing."""
    command = [str(checkov), "--framework", "terraform_plan", "--skip-download", "--compact", "--output", "json"]
    environment = {"PATH": os.environ["PATH"], "HOME": str(home), "CKV_SKIP_PACKAGE_UPDATE_CHECK": "true"}
    ran = subprocess.run(
        [*command, "--file", *map(str, files)],
        env=environment,
        cwd=home,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    report: dict[str, Any] = json.loads(ran.stdout)
    assert ran.returncode == 1, ran.stderr  # 1: it found something; 2: it broke
    assert not report["summary"]["parsing_errors"]
    return report


def found_in(report: dict[str, Any], file: str) -> Findings:
    def of(result: str) -> set[tuple[str, str]]:
        checks = report["results"][f"{result}_checks"]
        return {
            (check["check_id"], kind_of(check["resource"])) for check in checks if check["file_path"].endswith(file)
        }

    return Findings(failed=of("failed"), passed=of("passed"))


def kind_of(address: str) -> str:
    """Return the type in a resource's address: that of ``module.x.TYPE.NAME["key"]``."""
    return address.partition("[")[0].split(".")[-2]


def test_hardened_preset_passes_but_for_the_listed_skips(findings: dict[str, Findings]) -> None:
    assert findings["hardened"].failed - SKIPPED == set()


@pytest.mark.parametrize("skip", SKIPS, ids=lambda skip: skip["check"])
def test_skip_is_needed_and_reasoned(skip: dict[str, str], findings: dict[str, Findings]) -> None:
    assert (skip["check"], skip["resource"]) in findings["hardened"].failed, "nothing is found: take the skip away"
    assert len(skip["reason"].split()) >= 10


def test_skips_are_listed_once() -> None:
    assert len(SKIPPED) == len(SKIPS)


@pytest.mark.parametrize("kind", ["azurerm_storage_account", "azurerm_databricks_workspace", "azurerm_subnet"])
def test_checkov_has_looked_at(kind: str, findings: dict[str, Findings]) -> None:
    assert kind in {looked_at for _, looked_at in findings["hardened"].passed}


@pytest.mark.parametrize(
    "check",
    [
        ("CKV_AZURE_59", "azurerm_storage_account"),
        ("CKV_AZURE_35", "azurerm_storage_account"),
        ("CKV_AZURE_206", "azurerm_storage_account"),
        ("CKV2_AZURE_40", "azurerm_storage_account"),
        ("CKV2_AZURE_33", "azurerm_storage_account"),
        ("CKV_AZURE_158", "azurerm_databricks_workspace"),
    ],
    ids=lambda check: check[0],
)
def test_dev_preset_is_red_where_hardened_is_green(check: tuple[str, str], findings: dict[str, Findings]) -> None:
    assert check in findings["dev"].failed
    assert check in findings["hardened"].passed


@pytest.mark.parametrize("name", SABOTAGE)
def test_sabotage_is_found(name: str, findings: dict[str, Findings]) -> None:
    kind, _, _, checks = SABOTAGE[name]
    assert findings[name].failed - SKIPPED == {(check, kind) for check in checks}
