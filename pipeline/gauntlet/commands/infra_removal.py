"""This module provides the command that destroys an environment's infrastructure, and what keeps the data from it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import click
from rich.markup import escape

from gauntlet.adapters.terraform import Terraform
from gauntlet.commands.infra import narrator, show_summary
from gauntlet.commands.infra_opening import Environment, InfraOptions, opened
from gauntlet.core.errors import ExitCode, InputError, RefusedError
from gauntlet.core.infra_config import STACKS, StackName
from gauntlet.core.kept_data import Division, divided
from gauntlet.core.plan_summary import PlanSummary, summarised
from gauntlet.core.terraform_plan import Plan, plan_of
from gauntlet.terminal import Terminal

_LOCK = "azurerm_management_lock"


@dataclass(frozen=True)
class Removal:
    """What is to be destroyed.

    Attributes:
        stack: One stack; None is both, first what is in the workspace.
        include_data: Whether what holds data may go too.
        approved: Whether nobody is asked.
    """

    stack: StackName | None = None
    include_data: bool = False
    approved: bool = False

    @property
    def stacks(self) -> tuple[StackName, ...]:
        """The stacks, in the order in which they go."""
        return tuple(reversed(STACKS)) if self.stack is None else (self.stack,)


@dataclass(frozen=True)
class _Ending:
    """The planned end of one stack.

    Attributes:
        summary: What goes.
        kept: The addresses that stay: what holds data, and what that lies on.
    """

    summary: PlanSummary
    kept: tuple[str, ...] = ()


def destroy_environment(options: InfraOptions, terminal: Terminal, *, removal: Removal) -> int:
    """Plan the end of one stack or both, show it, ask for the environment's name, and do it.

    Raises:
        InputError: If stack ``infra`` is to go alone while something is left in the workspace.
        RefusedError: If data would go that nobody said may go, a lock keeps it, or the name was not given. Nothing was
            destroyed then.
    """
    environment = opened(options)
    _refuse_data(environment, removal)
    plans = {name: environment.saved(name).folder / "destroy.tfplan" for name in removal.stacks}
    try:
        endings = {name: _planned(environment, name, plans[name], removal) for name in removal.stacks}
        _show(environment, endings, terminal)
        if any(ending.summary.steps for ending in endings.values()) and not removal.approved:
            _ask(environment)
        for name, ending in endings.items():
            _destroy(environment, name, plans[name], ending, terminal)
    finally:
        for plan in plans.values():
            plan.unlink(missing_ok=True)
    if terminal.machine:
        done = [{"stack": name, **asdict(ending.summary), "kept": ending.kept} for name, ending in endings.items()]
        terminal.document({"environment": environment.name, "destroyed": done})
    return ExitCode.DONE


def _refuse_data(environment: Environment, removal: Removal) -> None:
    if "infra" not in removal.stacks:
        return
    if not removal.include_data:
        raise RefusedError(
            f"stack infra holds the storage account {environment.config.azure.storage_account}, with all tables, files "
            "and models. Nothing was destroyed; `--stack workspace` destroys clusters, jobs and endpoints alone, and "
            "--include-data destroys the data too"
        )
    if removal.stack == "infra" and environment.terraform("workspace").is_made():
        raise InputError(
            f"{environment.stacks.folder('workspace')}: still made, and nothing could reach it afterwards; destroy it "
            "first, or leave --stack away"
        )


def _planned(environment: Environment, name: StackName, file: Path, removal: Removal) -> _Ending:
    if name == "workspace" and not environment.join():
        return _Ending(PlanSummary((), ()))  # there is no workspace, and nothing to ask it with
    terraform = environment.terraform(name)
    terraform.plan(file, destroy=True)
    document = terraform.show(file)
    plan = plan_of(document, file=str(file))
    _refuse_locked(plan)
    division = divided(plan, document)
    if removal.include_data or not division.data:
        return _Ending(summarised(plan))
    return _Ending(_planned_rest(terraform, file, division), (*division.data, *division.base))


def _planned_rest(terraform: Terraform, file: Path, division: Division) -> PlanSummary:
    """Plan the end of all that holds no data, and make sure that the plan takes nothing else along."""
    if not division.rest:
        file.unlink()
        return PlanSummary((), ())
    terraform.plan(file, destroy=True, targets=division.rest)
    document: dict[str, Any] = terraform.show(file)
    # With targets a plan is never complete; what it has is judged here, and it is all that is applied.
    summary = summarised(plan_of(document | {"complete": True}, file=str(file)))
    beyond = sorted({step.address for step in summary.steps} - set(division.rest))
    if beyond:
        raise RefusedError(f"{beyond[0]} would go too. Nothing was destroyed; --include-data destroys it with the data")
    return summary


def _refuse_locked(plan: Plan) -> None:
    """Refuse to destroy what a lock keeps: Terraform would take the lock away first, and then all else."""
    locks = [change.address for change in plan.resources if change.type == _LOCK and change.is_destroyed]
    if locks:
        raise RefusedError(
            f"{locks[0]} keeps the data from being destroyed. Nothing was; set lock_enabled = false under "
            "[variables.infra] in infra.toml, run `gauntlet infra init`, `plan` and `create`, then destroy again"
        )


def _show(environment: Environment, endings: Mapping[StackName, _Ending], terminal: Terminal) -> None:
    for name, ending in endings.items():
        what = "to be destroyed" if ending.summary.steps else "nothing to destroy"
        terminal.say(f"[bold]stack {name}[/] of environment {environment.name}: {what}")
        show_summary(ending.summary, terminal)
        for address in ending.kept:
            terminal.say(f"  [green]kept[/]       {escape(address)}")
        if ending.kept:
            terminal.say("  What is kept holds data, or data lies on it; --include-data destroys it too.")


def _ask(environment: Environment) -> None:
    try:
        typed = click.prompt(f"This cannot be undone. Type the environment's name ({environment.name})", err=True)
    except click.Abort:
        raise RefusedError(
            "nobody was there to type the environment's name. Nothing was destroyed; --auto-approve asks nobody"
        ) from None
    if typed != environment.name:
        raise RefusedError(f"{typed!r} is not the environment's name. Nothing was destroyed")


def _destroy(environment: Environment, name: StackName, plan: Path, ending: _Ending, terminal: Terminal) -> None:
    if not ending.summary.steps:
        return
    terminal.say(f"[bold]stack {name}[/]: destroying")
    environment.terraform(name).apply(plan, listener=narrator(terminal))
    environment.saved(name).discard()
    terminal.say(f"[bold]stack {name}[/]: {'destroyed, but for what is kept' if ending.kept else 'destroyed'}")
