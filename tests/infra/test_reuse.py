"""One module in somebody else's stack: a copy of its folder alone is enough."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.infra.module_files import named_blocks, parsed
from tests.infra.prepared import example_variables
from tests.infra.providers import Providers
from tests.infra.terraform_runs import EXAMPLES, MODULES, Terraform, TerraformRunError

pytestmark = pytest.mark.infra

SOURCE = 'source = "../../ml_cluster"'


@pytest.fixture
def stack(tmp_path: Path) -> Path:
    """The example's files in an empty folder, beside a copy of the one module that it takes."""
    shutil.copytree(MODULES / "ml_cluster", tmp_path / "taken" / "ml_cluster")
    folder = tmp_path / "theirs"
    folder.mkdir()
    for file in EXAMPLES.joinpath("reuse").glob("*.tf"):
        text = file.read_text(encoding="utf-8")
        (folder / file.name).write_text(text.replace(SOURCE, 'source = "../taken/ml_cluster"'), encoding="utf-8")
    return folder


def test_the_example_takes_one_module_by_a_path() -> None:
    modules = [body["source"] for _, body in named_blocks(EXAMPLES / "reuse", "module")]
    assert modules == ["../../ml_cluster"]
    assert (EXAMPLES / "reuse" / "main.tf").read_text(encoding="utf-8").count(SOURCE) == 1


def test_a_copy_of_the_module_alone_plans(stack: Path, providers: Providers) -> None:
    terraform = Terraform(stack, environment=providers.plan_environment)
    terraform.init()
    plan = terraform.plan(variables=example_variables("reuse"))
    made = {change["address"]: change["change"]["actions"] for change in plan["resource_changes"]}
    assert made["module.training_cluster.databricks_cluster.this"] == ["create"]
    assert all(address.startswith("module.training_cluster.") for address in made)
    assert set(map(tuple, made.values())) == {("create",)}


def test_a_copy_without_its_inner_module_does_not(stack: Path, providers: Providers) -> None:
    shutil.rmtree(stack.parent / "taken" / "ml_cluster" / "modules")
    with pytest.raises(TerraformRunError, match="Unreadable module directory"):
        Terraform(stack, environment=providers.plan_environment).init()


@pytest.mark.parametrize("module", ["ml_cluster"])
def test_the_module_takes_nothing_from_outside_its_folder(module: str) -> None:
    folder = MODULES / module
    outside = [
        body["source"]
        for where in (folder, *folder.glob("modules/*"))
        for file in sorted(where.glob("*.tf"))
        for block in parsed(file).get("module", [])
        for body in block.values()
        if not (where / body["source"]).resolve().is_relative_to(folder)
    ]
    assert outside == []
