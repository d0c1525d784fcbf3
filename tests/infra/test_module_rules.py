"""Every validation and precondition refuses its case and lets the neighbour through, and none is forgotten."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.infra.module_files import example_names, module_names, rules_of
from tests.infra.module_rules import VERDICTS, RulesFile, complaint, load_rules, run_cases, unmatched
from tests.infra.prepared import Prepared, folders_with_rules, rules_file
from tests.infra.providers import Providers
from tests.infra.terraform_runs import MODULES, Terraform, TestReport

pytestmark = pytest.mark.infra

FOLDERS = [*module_names(), *(f"examples/{name}" for name in example_names())]


def items() -> list[Any]:
    found = []
    for module in folders_with_rules():
        mark = pytest.mark.needs_terraform("rules", module)
        for number, entry in enumerate(rules_file(module).entries):
            for verdict in VERDICTS:
                identity = f"{module}::{entry.name}::{verdict}"
                found.append(pytest.param(module, number, verdict, id=identity, marks=mark))
    return found


@pytest.mark.parametrize(("module", "number", "verdict"), items())
def test_rule(module: str, number: int, verdict: str, prepared: Prepared) -> None:
    says = rules_file(module).entries[number].says
    assert not complaint(prepared.rules(module), number, verdict, says=says)


@pytest.mark.parametrize("module", FOLDERS)
def test_every_rule_of_the_module_has_one_entry(module: str) -> None:
    assert unmatched(rules_of(MODULES / module), rules_file(module).entries) == []


def test_every_rules_file_is_of_a_module_or_example() -> None:
    assert set(folders_with_rules()) <= set(FOLDERS)


MADE_UP = """
variable "size" {
  type = number
  validation {
    condition     = var.size > 0
    error_message = "The size ${var.size} is too small."
  }
  validation {
    condition     = var.size < 10
    error_message = "The size ${var.size} is too large: give ${join(", ", [for n in [1, 2] : "${n}"])} or so."
  }
}

output "double" {
  value = var.size * 2
  precondition {
    condition     = var.size != 5
    error_message = "Nobody doubles five."
  }
}
"""
SOUND = """
[sound]
size = 3

[[rule]]
on = "var.size"
says = "is too small"
refused = { size = 0 }
accepted = { size = 1 }

[[rule]]
on = "var.size"
says = "is too large"
refused = { size = 10 }
accepted = { size = 9 }

[[rule]]
on = "output.double"
says = "doubles five"
refused = { size = 5 }
accepted = { size = 4 }
"""


def outcome(folder: Path, toml: str, providers: Providers) -> tuple[RulesFile, TestReport]:
    (folder / "main.tf").write_text(MADE_UP)
    (folder / "rules.toml").write_text(toml)
    terraform = Terraform(folder, environment=providers.environment)
    terraform.init()
    rules = load_rules(folder / "rules.toml")
    return rules, run_cases(terraform, rules)


def complaints(rules: RulesFile, report: TestReport) -> list[str]:
    cases = [(number, entry, verdict) for number, entry in enumerate(rules.entries) for verdict in VERDICTS]
    said = [complaint(report, number, verdict, says=entry.says) for number, entry, verdict in cases]
    return [sentence for sentence in said if sentence]


def test_true_entries_have_no_complaint(tmp_path: Path, providers: Providers) -> None:
    rules, report = outcome(tmp_path, SOUND, providers)
    assert complaints(rules, report) == []
    assert unmatched(rules_of(tmp_path), rules.entries) == []


@pytest.mark.parametrize(
    ("held", "put", "complaint"),
    [
        ("refused = { size = 0 }", "refused = { size = 2 }", "should be refused by exactly one error"),
        ("refused = { size = 0 }", "refused = { size = 11 }", "should be refused by exactly one error that says"),
        ("refused = { size = 0 }", 'refused = { size = "much" }', "should be refused by exactly one error"),
        ("accepted = { size = 1 }", "accepted = { size = -1 }", "should plan, but is error: error: Invalid value"),
        ("accepted = { size = 4 }", "accepted = { size = 5 }", "should plan, but is error: error: Module output value"),
        ("accepted = { size = 1 }", "accepted = { siz = 1 }", "gives what no variable takes: warning"),
    ],
)
def test_an_entry_that_shows_nothing_is_red(
    held: str, put: str, complaint: str, tmp_path: Path, providers: Providers
) -> None:
    assert SOUND.count(held) == 1
    said = complaints(*outcome(tmp_path, SOUND.replace(held, put), providers))
    assert len(said) == 1
    assert said[0].startswith(complaint)


@pytest.mark.parametrize("says", ["is too small", "is too large", "doubles five"])
def test_a_rule_without_entry_is_red(says: str, tmp_path: Path) -> None:
    (tmp_path / "main.tf").write_text(MADE_UP)
    (tmp_path / "rules.toml").write_text(SOUND)
    entries = load_rules(tmp_path / "rules.toml").entries
    wrong = unmatched(rules_of(tmp_path), [entry for entry in entries if entry.says != says])
    assert len(wrong) == 1
    assert wrong[0].startswith("0 entries for the rule on ")
    assert says in wrong[0]


@pytest.mark.parametrize(
    ("held", "put", "says"),
    [
        ('says = "is too large"', 'says = "is too"', "2 rules for the entry on var.size that says 'is too'"),
        ('says = "is too large"', 'says = "is broad"', "0 rules for the entry on var.size that says 'is broad'"),
        ('says = "is too large"', 'says = "join"', "0 rules for the entry on var.size that says 'join'"),
        ('on = "output.double"', 'on = "output.half"', "0 rules for the entry on output.half that says 'doubles five'"),
        ('says = "is too large"', 'says = "The size "', "2 entries for the rule on var.size"),
    ],
)
def test_an_entry_that_fits_not_one_rule_is_red(held: str, put: str, says: str, tmp_path: Path) -> None:
    (tmp_path / "main.tf").write_text(MADE_UP)
    assert SOUND.count(held) == 1
    (tmp_path / "rules.toml").write_text(SOUND.replace(held, put))
    wrong = unmatched(rules_of(tmp_path), load_rules(tmp_path / "rules.toml").entries)
    assert any(sentence.startswith(says) for sentence in wrong)
