"""Every module has the same shape: files, descriptions, types, version ranges, pages; and Terraform finds it valid."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.infra.module_files import example_names, module_names, named_blocks, parsed, typed_blocks
from tests.infra.prepared import Prepared
from tests.infra.providers import Providers
from tests.infra.stand_in.facts import PROVIDERS, load
from tests.infra.terraform_runs import MODULES, ROOT, Terraform, told

pytestmark = pytest.mark.infra

FILES = ("main.tf", "variables.tf", "outputs.tf", "versions.tf", "README.md")
RANGES = {
    "azurerm": {"source": "hashicorp/azurerm", "version": ">= 4.12, < 6.0"},
    "databricks": {"source": "databricks/databricks", "version": ">= 1.123, < 2.0"},
}
NULLABLE = "needs nullable = false, or a description that says what null means"
MODULE_NAMES = module_names()
INNER = sorted(str(path.parent.relative_to(MODULES)) for path in MODULES.glob("*/modules/*/main.tf"))
ALL = [*MODULE_NAMES, *INNER]
STACKS = [f"examples/{name}" for name in example_names()]
EXPECTED = {
    "azure_base", "databricks_workspace", "unity_catalog", "ml_cluster", "ml_assets", "ml_job", "model_serving",
}  # fmt: skip


def types_of(folder: Path) -> set[str]:
    """Return the resource and data source types of a folder, data sources with ``data.`` before them."""
    resources = {type_name for type_name, _, _ in typed_blocks(folder, "resource")}
    return resources | {f"data.{type_name}" for type_name, _, _ in typed_blocks(folder, "data")}


def terraform_block(folder: Path) -> dict[str, Any]:
    """Return what the ``terraform`` block of ``versions.tf`` says."""
    (block,) = parsed(folder / "versions.tf")["terraform"]
    return dict(block)


def without_marks(value: dict[str, Any]) -> dict[str, Any]:
    return {name: item for name, item in value.items() if name != "__is_block__"}


def faults(folder: Path) -> list[str]:
    """Say what a module's files lack of the standard; best nothing."""
    wrong = [f"no {name}" for name in FILES if not (folder / name).is_file()]
    for name, body in named_blocks(folder, "variable"):
        wrong += [f"var.{name} has no {part}" for part in ("type", "description") if not body.get(part)]
        if not body.get("nullable", True) and body.get("default", "") is None:
            wrong.append(f"var.{name} may not be null, and is by default")
        means_something = "null" in body.get("description", "").lower()
        if body.get("nullable", True) and not means_something:
            wrong.append(f"var.{name} {NULLABLE}")
    for name, body in named_blocks(folder, "output"):
        wrong += [] if body.get("description") else [f"output.{name} has no description"]
    for file in sorted(folder.glob("*.tf")):
        wrong += [f"{file.name} configures a provider" for _ in parsed(file).get("provider", [])]
        wrong += [f"{file.name} has a backend" for block in parsed(file).get("terraform", []) if "backend" in block]
    return wrong


def test_the_seven_modules_are_there() -> None:
    assert set(MODULE_NAMES) == EXPECTED


@pytest.mark.parametrize("module", ALL)
def test_module_keeps_to_the_standard(module: str) -> None:
    assert faults(MODULES / module) == []


@pytest.mark.parametrize("module", ALL)
def test_module_names_its_versions(module: str) -> None:
    folder = MODULES / module
    block = terraform_block(folder)
    used = {name.removeprefix("data.").partition("_")[0] for name in types_of(folder)}
    assert block["required_version"] == ">= 1.9, < 2.0"
    required = [without_marks(body) for body in block.get("required_providers", [])]
    assert required == ([{name: RANGES[name] for name in sorted(used)}] if used else [])


@pytest.mark.parametrize("folder", [*ALL, *STACKS])
def test_types_are_among_the_facts(folder: str) -> None:
    known: set[str] = set()
    for facts in map(load, PROVIDERS):
        known |= {*facts.resources, *(f"data.{name}" for name in facts.data_sources)}
    assert types_of(MODULES / folder) <= known


@pytest.mark.parametrize("module", ALL)
def test_readme_shows_how_to_take_the_module_by_a_tag(module: str) -> None:
    text = (MODULES / module / "README.md").read_text(encoding="utf-8")
    assert f"//infra_modules/{module}?ref=v" in text


@pytest.mark.parametrize("stack", STACKS)
def test_inputs_and_outputs_of_examples_are_described(stack: str) -> None:
    folder = MODULES / stack
    inputs = list(named_blocks(folder, "variable"))
    assert [name for name, body in inputs if not (body.get("type") and body.get("description"))] == []
    assert [name for name, body in named_blocks(folder, "output") if not body.get("description")] == []


def test_tables_in_the_readmes_are_current() -> None:
    command = [sys.executable, str(ROOT / "ci" / "modules_page.py"), "--check"]
    checked = subprocess.run(command, capture_output=True, text=True, check=False)
    assert checked.stderr == ""
    assert checked.returncode == 0


def test_files_are_formatted(providers: Providers) -> None:
    assert Terraform(MODULES, environment=providers.environment).unformatted() == []


def test_a_file_that_is_not_formatted_is_named(providers: Providers, tmp_path: Path) -> None:
    (tmp_path / "main.tf").write_text("locals {\n a   = 1\n}\n")
    assert Terraform(tmp_path, environment=providers.environment).unformatted() == ["main.tf"]


VARIABLE = """
variable "name" {
  type        = string
  description = "Its name."
  nullable    = false
}
"""


def stack_item(folder: str) -> Any:
    return pytest.param(folder, marks=pytest.mark.needs_terraform("diagnostics", folder))


@pytest.mark.parametrize("folder", [stack_item(folder) for folder in [*ALL, *STACKS]])
def test_terraform_finds_nothing_wrong(folder: str, prepared: Prepared) -> None:
    assert [told(item) for item in prepared.diagnostics(folder)] == []


@pytest.mark.parametrize(
    ("file", "held", "put", "fault"),
    [
        ("variables.tf", "  type        = string\n", "", "var.name has no type"),
        ("variables.tf", '  description = "Its name."\n', "", "var.name has no description"),
        ("variables.tf", "  nullable    = false\n", "  nullable = true\n", f"var.name {NULLABLE}"),
        ("variables.tf", "  nullable    = false\n", "", f"var.name {NULLABLE}"),
        ("variables.tf", "= string\n", "= string\n  default = null\n", "var.name may not be null, and is by default"),
        ("outputs.tf", '  description = "Its name."\n', "", "output.name has no description"),
        ("main.tf", "locals {}\n", 'provider "azurerm" {}\n', "main.tf configures a provider"),
        ("main.tf", "locals {}\n", 'terraform {\n  backend "local" {}\n}\n', "main.tf has a backend"),
        ("versions.tf", None, None, "no versions.tf"),
    ],
)
def test_a_module_off_the_standard_is_named(
    file: str, held: str | None, put: str | None, fault: str, tmp_path: Path
) -> None:
    texts = {
        "main.tf": "locals {}\n",
        "variables.tf": VARIABLE,
        "outputs.tf": 'output "name" {\n  value       = var.name\n  description = "Its name."\n}\n',
        "versions.tf": 'terraform {\n  required_version = ">= 1.9, < 2.0"\n}\n',
        "README.md": "# One\n",
    }
    if held is None or put is None:
        del texts[file]
    else:
        assert texts[file].count(held) == 1
    for name, text in texts.items():
        (tmp_path / name).write_text(text.replace(held or "\0", put or "") if name == file else text)
    assert faults(tmp_path) == [fault]
