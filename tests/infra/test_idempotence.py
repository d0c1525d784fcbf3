"""Each example can be made, planned again and destroyed.

How little an empty second plan proves: the stand-in gives back what it was given, so what is found is a stray
``timestamp()``, a list in changing order, a value that depends on what was made. What a real workspace changes by
itself (defaults filled in, names in other letters) is seen by applying for real only.
"""

from __future__ import annotations

from typing import Any

import pytest

from tests.infra.module_files import example_names
from tests.infra.prepared import Prepared
from tests.infra.providers import Providers
from tests.infra.terraform_runs import Terraform

pytestmark = pytest.mark.infra


def example_item(example: str) -> Any:
    return pytest.param(example, marks=pytest.mark.needs_terraform("cycle", example))


EXAMPLES = [example_item(example) for example in example_names()]


def changes(plan: dict[str, Any]) -> set[str]:
    """Return what a plan would change, outputs too."""
    resources = {change["address"]: change["change"] for change in plan.get("resource_changes", [])}
    outputs = {f"output.{name}": change for name, change in plan.get("output_changes", {}).items()}
    return {name for name, change in (resources | outputs).items() if change["actions"] not in (["no-op"], ["read"])}


@pytest.mark.parametrize("example", EXAMPLES)
def test_a_second_plan_changes_nothing(example: str, prepared: Prepared) -> None:
    cycle = prepared.cycle(example)
    assert changes(cycle.first)
    assert changes(cycle.second) == set()


@pytest.mark.parametrize("example", EXAMPLES)
def test_all_that_was_made_can_be_destroyed(example: str, prepared: Prepared) -> None:
    cycle = prepared.cycle(example)
    assert cycle.state["values"]["root_module"]
    assert "values" not in cycle.remains


RESTLESS = """
resource "terraform_data" "this" {
  input = timestamp()
}

output "made" {
  value = timestamp()
}
"""


def test_a_stack_that_never_rests_is_seen(providers: Providers, tmp_path: Any) -> None:
    (tmp_path / "main.tf").write_text(RESTLESS)
    terraform = Terraform(tmp_path, environment=providers.apply_environment)
    terraform.init()
    terraform.plan()
    terraform.apply()
    assert changes(terraform.plan()) == {"terraform_data.this", "output.made"}
