"""This module provides the modules' rules as data: each refuses its case and lets the neighbour through.

``rules/NAME.toml`` holds for the module NAME (for an example, ``rules/examples/NAME.toml``)::

    [sound]                      # variables with which it plans, providers mocked
    name = "…"
    [[rule]]
    on = "var.vcpu_quota"        # or TYPE.NAME, data.TYPE.NAME, output.NAME for a precondition
    says = "needs 8 vCPUs"       # a literal piece of its message, in no other
    refused = { num_workers = 1 }                    # over sound
    accepted = { num_workers = 1, vcpu_quota = 8 }   # over sound, as near to refused as can be
    mocks = { databricks = { databricks_spark_version = { id = "…" } } }   # answers of data sources, where they matter

A rule of the inner module ``modules/X`` has ``module.X.`` before its ``on``.
"""

from __future__ import annotations

import json
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.infra.module_files import Rule, parsed, rules_of
from tests.infra.providers import Providers
from tests.infra.terraform_runs import MODULES, Terraform, TestReport, copied_modules, told

RULES = Path(__file__).resolve().parent / "rules"
VERDICTS = ("refused", "accepted")
_CASES = "rule_cases"


@dataclass(frozen=True)
class Entry:
    """One entry of a rules file: a rule and its two cases."""

    on: str
    says: str
    cases: dict[str, dict[str, Any]]
    mocks: dict[str, dict[str, dict[str, Any]]]

    @property
    def name(self) -> str:
        """A short name for people."""
        return f"{self.on}: {self.says}"


@dataclass(frozen=True)
class RulesFile:
    """All entries of one module, and the variables they start from."""

    sound: dict[str, Any]
    entries: list[Entry]


def load_rules(file: Path) -> RulesFile:
    """Read a rules file."""
    held = tomllib.loads(file.read_text(encoding="utf-8"))
    entries = [
        Entry(
            on=rule["on"],
            says=rule["says"],
            cases={verdict: rule[verdict] for verdict in VERDICTS},
            mocks=rule.get("mocks", held.get("mocks", {})),
        )
        for rule in held.get("rule", [])
    ]
    return RulesFile(sound=held.get("sound", {}), entries=entries)


def unmatched(rules: list[Rule], entries: list[Entry]) -> list[str]:
    """Say which rules have not exactly one entry, and which entries not exactly one rule; best nothing."""
    wrong: list[str] = []
    for rule in rules:
        count = sum(_is_of(entry, rule) for entry in entries)
        if count != 1:
            wrong.append(f"{count} entries for the rule on {rule.on} with the message {rule.message!r}")
    for entry in entries:
        count = sum(_is_of(entry, rule) for rule in rules)
        if count != 1:
            wrong.append(f"{count} rules for the entry on {entry.on} that says {entry.says!r}")
    return wrong


def _is_of(entry: Entry, rule: Rule) -> bool:
    return entry.on == rule.on and entry.says in rule.literal


def run_cases(terraform: Terraform, rules: RulesFile) -> TestReport:
    """Run all cases of a module in one go, a test file for each.

    Args:
        terraform: Terraform in a copy of the module, initialised; the test files are written below it.
        rules: Its entries.
    """
    module = terraform.folder
    (module / _CASES).mkdir()
    required = _providers_of(module)
    for number, entry in enumerate(rules.entries):
        for verdict, case in entry.cases.items():
            content = _test_file(rules.sound | case, mocks=entry.mocks, required=required)
            (module / case_file(number, verdict)).write_text(json.dumps(content), encoding="utf-8")
    return terraform.test(folder=_CASES)


def case_file(number: int, verdict: str) -> str:
    """Return the path of a case's test file, below the module, by its entry's number."""
    return f"{_CASES}/{number:03}_{verdict}.tftest.json"


def complaint(report: TestReport, number: int, verdict: str, *, says: str) -> str:
    """Say what is wrong with the outcome of a case; nothing if it is as it should be."""
    file = case_file(number, verdict)
    unheard = report.undeclared(file, "case")
    if unheard:
        return f"gives what no variable takes: {told(unheard[0])}"
    errors = report.errors(file, "case")
    said = "; ".join(map(told, errors)) or "no error"
    status = report.status.get((file, "case"), "missing")
    if verdict == "accepted":
        return "" if status == "pass" and not errors else f"should plan, but is {status}: {said}"
    if status == "error" and len(errors) == 1 and says in errors[0].detail:
        return ""
    return f"should be refused by exactly one error that says {says!r}, but is {status}: {said}"


def print_rules(name: str, *, providers: Providers, work: Path) -> int:
    """Run the rules of one module and print what is wrong; returns the exit code."""
    module = copied_modules(work / "infra_modules") / name
    rules = load_rules(RULES / f"{name}.toml")
    wrong = unmatched(rules_of(MODULES / name), rules.entries)
    terraform = Terraform(module, environment=providers.environment)
    terraform.init()
    report = run_cases(terraform, rules)
    for number, entry in enumerate(rules.entries):
        for verdict in VERDICTS:
            said = complaint(report, number, verdict, says=entry.says)
            if said:
                wrong.append(f"{entry.name}: {verdict} {said}")
    print("\n".join(wrong) if wrong else f"passed: {len(rules.entries)} rules")
    return int(bool(wrong))


def _providers_of(module: Path) -> list[str]:
    blocks = [block for file in sorted(module.glob("*.tf")) for block in parsed(file).get("terraform", [])]
    required = [names for block in blocks for names in block.get("required_providers", [])]
    return sorted({name for names in required for name in names} - {"__is_block__"})


def _test_file(variables: dict[str, Any], *, mocks: dict[str, Any], required: list[str]) -> dict[str, Any]:
    mocked = {}
    for provider in required:
        data = {kind: {"defaults": defaults} for kind, defaults in mocks.get(provider, {}).items()}
        mocked[provider] = {"mock_data": data} if data else {}
    # In the run, not above it: there Terraform warns of a variable that is none.
    held: dict[str, Any] = {"run": {"case": {"command": "plan", "variables": _escaped(variables)}}}
    return held | ({"mock_provider": mocked} if mocked else {})


def _escaped(value: Any) -> Any:
    """Return a value whose strings Terraform takes as they are: in JSON it reads them as templates."""
    if isinstance(value, str):
        return value.replace("${", "$${").replace("%{", "%%{")
    if isinstance(value, dict):
        return {key: _escaped(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_escaped(item) for item in value]
    return value
