"""Each `run` of the modules' own test files is an item here, named by the run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.infra.module_files import files_of_runs, named_blocks, parsed, run_names
from tests.infra.prepared import Prepared, module_of
from tests.infra.providers import Providers
from tests.infra.terraform_runs import MODULES, Terraform, TerraformRunError, TestReport, complaint_of_run

pytestmark = pytest.mark.infra

FILES = files_of_runs()


def item(file: Path, run: str) -> Any:
    module = module_of(file)
    identity = f"{module}/{file.name.partition('.')[0]}::{run}"
    return pytest.param(module, file.name, run, id=identity, marks=pytest.mark.needs_terraform("tests", module))


@pytest.mark.parametrize(("module", "file", "run"), [item(file, run) for file in FILES for run in run_names(file)])
def test_run(module: str, file: str, run: str, prepared: Prepared) -> None:
    assert not complaint_of_run(prepared.tests(module), f"tests/{file}", run)


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(MODULES)))
def test_every_run_of_the_file_is_an_item(file: Path) -> None:
    names = [name for block in parsed(file)["run"] for name in block]
    assert run_names(file) == names
    assert names


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(MODULES)))
def test_the_file_gives_values_to_variables_that_are_there(file: Path) -> None:
    """Terraform warns of others in a run, but not above all runs."""
    given = {name for block in parsed(file).get("variables", []) for name in block} - {"__is_block__"}
    assert given <= {name for name, _ in named_blocks(file.parent.parent, "variable")}


MADE_UP = """
variable "size" {
  type = number
}

output "size" {
  value = var.size
}
"""
MADE_UP_RUNS = """
run "holds" {
  variables {
    size = 1
  }
  assert {
    condition     = output.size == 1
    error_message = "It is one."
  }
}

run "breaks" {
  variables {
    size = 1
  }
  assert {
    condition     = output.size == 2
    error_message = "It is not two."
  }
}

run "misspells" {
  variables {
    size = 1
    siez = 1
  }
}

run "stops" {
  variables {
    size = "much"
  }
}

run "follows" {
  variables {
    size = 1
  }
}
"""


@pytest.fixture(scope="module")
def made_up(providers: Providers, tmp_path_factory: pytest.TempPathFactory) -> TestReport:
    folder = tmp_path_factory.mktemp("module")
    (folder / "main.tf").write_text(MADE_UP)
    (folder / "tests").mkdir()
    (folder / "tests" / "size.tftest.hcl").write_text(MADE_UP_RUNS)
    terraform = Terraform(folder, environment=providers.environment)
    terraform.init()
    return terraform.test()


@pytest.mark.parametrize(
    ("run", "says"),
    [
        ("holds", ""),
        ("breaks", "fail: error: Test assertion failed (tests/size.tftest.hcl:17): It is not two."),
        ("misspells", "pass: warning: Value for undeclared variable"),
        ("stops", "error: error: Invalid value for input variable"),
        ("follows", "skip"),
        ("is_not_there", "missing"),
    ],
)
def test_a_run_that_does_not_pass_is_red(run: str, says: str, made_up: TestReport) -> None:
    said = complaint_of_run(made_up, "tests/size.tftest.hcl", run)
    assert said.startswith(says)
    assert bool(said) == bool(says)


def test_a_broken_test_file_is_red(providers: Providers, tmp_path: Path) -> None:
    (tmp_path / "main.tf").write_text(MADE_UP)
    (tmp_path / "tests").mkdir()
    (tmp_path / "tests" / "size.tftest.hcl").write_text('run "holds" {\n  mistake = 1\n}\n')
    terraform = Terraform(tmp_path, environment=providers.environment)
    with pytest.raises(TerraformRunError, match="Unsupported argument"):
        terraform.init()
    said = complaint_of_run(terraform.test(), "tests/size.tftest.hcl", "holds")
    assert said.startswith("missing")
    assert "Unsupported argument" in said
