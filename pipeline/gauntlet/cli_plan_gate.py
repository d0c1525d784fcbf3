"""This module provides the command ``gauntlet infra gate``, ready to be put into the group ``infra``."""

from __future__ import annotations

from pathlib import Path

import click

from gauntlet.terminal import Terminal


@click.command(name="gate")
@click.argument(
    "plans", nargs=-1, metavar="PLAN.json...", type=click.Path(path_type=Path, dir_okay=False, allow_dash=True)
)
@click.option("--rules", type=click.Path(path_type=Path, dir_okay=False), help="Bounds and waivers (TOML).")
@click.option(
    "--problem",
    type=click.Path(path_type=Path, dir_okay=False),
    help="A problem file whose names for target databricks the plans must agree with.",
)
@click.option(
    "--sarif", type=click.Path(path_type=Path, dir_okay=False), help="Write the verdicts as a SARIF 2.1.0 log as well."
)
@click.option("--list", "list_only", is_flag=True, help="List the gates, and judge nothing.")
@click.option("--json", "machine", is_flag=True, help="Print one JSON document on standard output.")
@click.option("--quiet", "-q", is_flag=True, help="Show errors only.")
def plan_gate_command(  # noqa: PLR0913 - one argument an option
    plans: tuple[Path, ...],
    *,
    rules: Path | None,
    problem: Path | None,
    sarif: Path | None,
    list_only: bool,
    machine: bool,
    quiet: bool,
) -> int:
    """Ask the gates on Terraform plans: safe, within the quota, and what the pipeline expects?

    PLAN.json is what `terraform show -json plan.bin` prints; `-` reads it from standard input. Give the plans of one
    environment's stacks together. Needs neither Terraform nor a cloud account. Exit code 1: a gate says no.
    """
    from gauntlet.commands.plan_gates import PlanGateOptions, gate_plan, list_plan_gates  # noqa: PLC0415 - fast --help

    terminal = Terminal(quiet=quiet, machine=machine)
    if list_only:
        return list_plan_gates(terminal)
    return gate_plan(plans, terminal, options=PlanGateOptions(rules=rules, problem=problem, sarif=sarif))
