"""This module provides the command that asks the gates on Terraform plans, on anybody's plans."""

from __future__ import annotations

import importlib.metadata
import json
import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rich.markup import escape

from gauntlet.core.errors import ExitCode, InputError
from gauntlet.core.plan_rules import PlanRules, load_plan_rules
from gauntlet.core.problem import Names
from gauntlet.core.problem_file import load_problem
from gauntlet.core.sarif import sarif_log
from gauntlet.core.state import write_atomically
from gauntlet.core.terraform_plan import Plan, parsed, plan_of, read_plan
from gauntlet.core.verdict import Status, Verdict, combined, promotes
from gauntlet.core.waivers import waived
from gauntlet.gates.plan import GATES, not_judged, plan_verdicts
from gauntlet.gates.plan_gate import PlannedEnvironment, PlanVerdict
from gauntlet.gates.plan_tasks import PACKAGE
from gauntlet.terminal import Terminal

_STANDARD_INPUT = Path("-")
_RED = "bold red"
_COLOURS = {
    Status.PASS: "green",
    Status.NOTE: "cyan",
    Status.WARN: "yellow",
    Status.FAIL: _RED,
    Status.CONFIG_ERROR: _RED,
}


@dataclass(frozen=True)
class PlanGateOptions:
    """What the command was told beside the plans.

    Attributes:
        rules: A TOML file with bounds and waivers; None takes the defaults.
        problem: A problem file whose names the plans must agree with; None leaves them unchecked.
        sarif: Where to write the verdicts as a SARIF log; None writes none.
    """

    rules: Path | None = None
    problem: Path | None = None
    sarif: Path | None = None


def gate_plan(files: Sequence[Path], terminal: Terminal, *, options: PlanGateOptions) -> int:
    """Read the plans of one environment, and ask every gate that they have something for.

    Args:
        files: What ``terraform show -json`` printed, one file a stack; ``-`` is standard input.
        terminal: Where the verdicts go.
        options: The rest.

    Returns:
        0 if no verdict blocks, else 1.

    Raises:
        InputError: If a file is no plan, or the rules or the problem file are wrong: exit code 2.
    """
    if not files:
        raise InputError("no plan was given; save one with `terraform plan -out=plan.bin`, then give plan.json")
    twice = sorted({str(file) for file in files if list(files).count(file) > 1})
    if twice:
        raise InputError(f"{', '.join(twice)}: given twice; give each stack's plan once")
    plans = tuple(_read(file) for file in files)
    rules = load_plan_rules(options.rules)
    _require_known(rules)
    environment = PlannedEnvironment(
        plans=plans,
        rules=rules,
        names=None if options.problem is None else _names(options.problem),
        entry_points={PACKAGE: _commands_of(PACKAGE)},
    )
    given = plan_verdicts(environment)
    judged = {verdict.gate for verdict in given}
    waivers = [waiver for waiver in rules.waivers if waiver.gate in judged]
    verdicts = waived(given, waivers, today=datetime.now(UTC).date())
    document = _document(environment, verdicts)
    if options.sarif is not None:
        log = sarif_log(document, root=Path.cwd())
        write_atomically(options.sarif, json.dumps(log, indent=2, ensure_ascii=False) + "\n")
    if terminal.machine:
        terminal.document(document)
    else:
        _show(verdicts, document, terminal)
    return int(document["exit_code"])


def list_plan_gates(terminal: Terminal) -> int:
    """List the gates on plans: what each guards, its bounds, what to do when it is red, and what tests it."""
    from gauntlet.gates.plan_saboteurs import SABOTEURS  # noqa: PLC0415 - pulls in pandas, which judging does not need

    defaults = PlanRules().model_dump(mode="json")
    if terminal.machine:
        gates = [
            {
                "name": gate.name,
                "guards": gate.guards,
                "bounds": {key: defaults[key] for key in gate.bounds},
                "remedy": gate.remedy,
                "saboteurs": [
                    {"name": saboteur.name, "breaks": saboteur.breaks.splitlines()[0]}
                    for saboteur in SABOTEURS
                    if saboteur.gate == gate.name
                ],
            }
            for gate in GATES
        ]
        terminal.document({"gates": gates})
        return ExitCode.DONE
    rows = [(gate.name, gate.guards.splitlines()[0], ", ".join(gate.bounds)) for gate in GATES]
    terminal.table(("gate", "what it guards", "bounds in the rules"), [tuple(map(escape, row)) for row in rows])
    return ExitCode.DONE


def _read(file: Path) -> Plan:
    if file != _STANDARD_INPUT:
        return read_plan(file)
    name = "standard input"
    return plan_of(parsed(sys.stdin.buffer.read(), file=name), file=name)


def _names(path: Path) -> Names:
    problem = load_problem(path)
    if "databricks" not in problem.names:
        raise InputError(f"{path}: names.databricks: missing; a plan's names are held against it")
    return problem.names["databricks"]


def _commands_of(distribution: str) -> frozenset[str]:
    try:
        found = importlib.metadata.distribution(distribution).entry_points
    except importlib.metadata.PackageNotFoundError:
        return frozenset()
    return frozenset(entry.name for entry in found if entry.group == "console_scripts")


def _require_known(rules: PlanRules) -> None:
    known = {gate.name for gate in GATES}
    unknown = sorted({waiver.gate for waiver in rules.waivers} - known)
    if unknown:
        raise InputError(f"waivers: no gate is called {', '.join(unknown)}; there are {', '.join(sorted(known))}")


def _document(environment: PlannedEnvironment, verdicts: Sequence[Verdict]) -> dict[str, Any]:
    remedies = {gate.name: gate.remedy for gate in GATES}
    files = [(plan.file, "") for plan in environment.plans]
    return {
        "status": combined(verdicts).value,
        "plans": [plan.file for plan in environment.plans],
        "verdicts": [
            verdict.record().model_dump(mode="json")
            | {"remedy": remedies.get(verdict.gate, "Take the waiver out of the rules, or renew it.")}
            | {"places": [[_relative(file), name] for file, name in _places(verdict) or files]}
            for verdict in verdicts
        ],
        "skipped": [],
        "not_checked": list(not_judged(environment)),
        "exit_code": int(ExitCode.DONE if promotes(verdicts) else ExitCode.REFUSED),
    }


def _places(verdict: Verdict) -> tuple[tuple[str, str], ...]:
    return verdict.places if isinstance(verdict, PlanVerdict) else ()


def _relative(file: str) -> str:
    """Return a path relative to the working folder where it lies in it, with slashes."""
    path = Path(os.path.relpath(file)) if Path(file).is_absolute() else Path(file)
    return Path(file).as_posix() if path.parts[:1] == ("..",) else path.as_posix()


def _show(verdicts: Sequence[Verdict], document: Mapping[str, Any], terminal: Terminal) -> None:
    rows = [
        (
            escape(verdict.gate),
            f"[{_COLOURS[verdict.status]}]{verdict.status}[/]{'' if verdict.waiver is None else ', waived'}",
            escape(verdict.sentence),
        )
        for verdict in verdicts
    ]
    terminal.table(("gate", "verdict", "why"), rows)
    remedies = {entry["gate"]: entry["remedy"] for entry in document["verdicts"]}
    for verdict in verdicts:
        if verdict.blocks:
            terminal.say(f"[bold red]{escape(verdict.gate)}:[/] {escape(remedies[verdict.gate])}")
    for sentence in document["not_checked"]:
        terminal.say(f"not checked: {escape(sentence)}")
    passed = sum(verdict.status is Status.PASS for verdict in verdicts)
    waivers = sum(verdict.waiver is not None for verdict in verdicts)
    also = f", {waivers} waived" if waivers else ""
    outcome = "refused" if document["exit_code"] else "may be applied"
    terminal.say(f"{passed} of {len(verdicts)} gates pass{also}: {escape(', '.join(document['plans']))} {outcome}.")
