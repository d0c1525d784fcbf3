"""This module provides the commands that write, plan and make an environment's infrastructure, and show its outputs."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import asdict
from importlib import resources
from pathlib import Path
from shlex import join, quote
from typing import Any

from rich.markup import escape

from gauntlet.adapters.terraform import Event, Output
from gauntlet.commands.infra_opening import Environment, InfraOptions, opened
from gauntlet.core.errors import ExitCode, InputError
from gauntlet.core.infra_config import CONFIG_FILE, STACKS, StackName
from gauntlet.core.plan_summary import ClusterNeed, PlanSummary, summarised
from gauntlet.core.state import write_atomically
from gauntlet.core.terraform_plan import plan_of
from gauntlet.terminal import Terminal

_SIGNS = {
    "make": "[green]+[/]",
    "change": "[yellow]~[/]",
    "replace": "[red]±[/]",
    "destroy": "[red]-[/]",
    "forget": ".",
}
_DOING = {"create": ("making", "made"), "update": ("changing", "changed"), "delete": ("destroying", "destroyed")}
_REPORT_SECONDS = 60
TARGET_FILE = "databricks_target.toml"


def init_environment(options: InfraOptions, terminal: Terminal) -> int:
    """Write a configuration to fill in or, where there is one, check it and write the stacks with their inputs."""
    path = options.folder / CONFIG_FILE
    if not path.exists():
        return _write_template(path, terminal)
    environment = opened(options)
    written = environment.stacks.write(environment.inputs)
    if terminal.machine:
        terminal.document({"environment": environment.name, "written": [str(one) for one in written]})
        return ExitCode.DONE
    for one in written:
        terminal.say(f"wrote {escape(str(one))}" if one.exists() else f"removed {escape(str(one))}")
    terminal.say(f"{escape(str(path))} is right{'' if written else ', and nothing has changed'}.")
    terminal.say(f"Next: gauntlet infra plan {escape(quote(str(options.folder)))}")
    return ExitCode.DONE


def _write_template(path: Path, terminal: Terminal) -> int:
    text = (resources.files("gauntlet") / "infra" / CONFIG_FILE).read_text(encoding="utf-8")
    try:
        write_atomically(path, text)
    except OSError as error:
        raise InputError(f"{path}: cannot be written ({error.strerror}); choose another folder") from error
    empty = [line.split("=")[0].strip() for line in text.splitlines() if '= ""' in line and not line.startswith("#")]
    if terminal.machine:
        terminal.document({"written": [str(path)], "to_fill_in": empty})
    else:
        terminal.say(f"wrote {escape(str(path))}")
        terminal.say(f"Fill it in ({', '.join(empty)}), then run the same command again.")
    return ExitCode.DONE


def plan_environment(options: InfraOptions, terminal: Terminal, *, stack: StackName | None = None) -> int:
    """Plan one stack or both, keep the plans, and show what they would do. Changes nothing.

    Raises:
        InputError: If the configuration is wrong, or stack ``workspace`` is asked for before ``infra`` is made.
        RequirementError: If the environment lacks something.
    """
    environment = opened(options)
    documents, waiting = [], []
    for name in STACKS if stack is None else (stack,):
        # Nothing of a workspace can be planned before it is there: the provider asks it.
        if name == "workspace" and not environment.join():
            if stack is not None:
                raise InputError(
                    f"{environment.stacks.folder('infra')}: not made yet; plan and create stack infra first"
                )
            waiting.append(name)
            continue
        documents.append(_plan_stack(environment, name, terminal))
    for name in waiting:
        terminal.say(f"[bold]stack {name}[/]: planned once stack infra is made; then run this command again")
    if terminal.machine:
        terminal.document({"environment": environment.name, "stacks": documents, "waiting": waiting})
        return ExitCode.DONE
    terminal.say(f"To judge it: gauntlet infra gate {escape(join(document['document'] for document in documents))}")
    if any(document["changes"] for document in documents):
        terminal.say(f"Nothing was changed. To do it: gauntlet infra create {escape(quote(str(options.folder)))}")
    return ExitCode.DONE


def _plan_stack(environment: Environment, name: StackName, terminal: Terminal) -> dict[str, Any]:
    terminal.say(f"[bold]stack {name}[/]: planning")
    terraform, saved = environment.terraform(name), environment.saved(name)
    saved.discard()
    planned = terraform.plan(saved.file)
    document = terraform.show(saved.file)
    summary = summarised(plan_of(document, file=str(saved.document)))
    saved.keep(
        document,
        changes=planned.changes,
        configuration=environment.stacks.configuration_digest(name),
        terraform=environment.version,
    )
    quota = environment.config.azure.vcpu_quota
    for warning in planned.warnings:
        terminal.say(f"[yellow]warning:[/] {escape(str(warning))}")
    show_summary(summary, terminal, quota=quota)
    if not planned.changes:
        terminal.say(f"[bold]stack {name}[/]: nothing to change")
    return {
        "stack": name,
        "changes": planned.changes,
        **asdict(summary),
        "vcpu_quota": quota,
        "warnings": [str(warning) for warning in planned.warnings],
        "plan": str(saved.file),
        "document": str(saved.document),
    }


def show_summary(summary: PlanSummary, terminal: Terminal, *, quota: int | None = None) -> None:
    """Show what a plan would do.

    Args:
        summary: The plan's summary.
        terminal: Where.
        quota: The vCPUs that may run at once; None leaves the clusters out.
    """
    for step in summary.steps:
        note = f" ({escape(step.note)})" if step.note else ""
        terminal.say(f"  {_SIGNS[step.verb]} {step.verb:<8} {escape(step.address)}{note}")
    if summary.steps:
        verbs = Counter[str](step.verb for step in summary.steps)
        terminal.say(f"  {', '.join(f'{verbs[verb]} to {verb}' for verb in _SIGNS if verbs[verb])}")
    if quota is not None:
        for need in summary.clusters:
            terminal.say(f"  {_size(need, quota)}")


def _size(need: ClusterNeed, quota: int) -> str:
    """Say what a cluster takes of the quota."""
    if need.vcpus is None:
        return f"[yellow]vCPUs not known:[/] {escape(need.note)}"
    fits = "[green]fits:[/]" if need.vcpus <= quota else "[red]too large:[/]"
    return f"{fits} {escape(need.place)} takes {need.vcpus} of {quota} vCPUs"


def create_environment(options: InfraOptions, terminal: Terminal, *, stack: StackName | None = None) -> int:
    """Do what the saved plans say, and nothing else.

    Raises:
        InputError: If there is no plan.
        RefusedError: If a plan is stale; nothing was changed then.
        RequirementError: If the environment lacks something, or something could not be made.
    """
    environment = opened(options)
    chosen = [name for name in STACKS if environment.saved(name).note()] if stack is None else [stack]
    if not chosen:
        raise InputError(f"{options.folder}: nothing is planned; run `gauntlet infra plan {options.folder}` first")
    terraforms = {name: environment.terraform(name) for name in chosen}
    notes = {
        # All of them, before the first is applied.
        name: environment.saved(name).require(
            configuration=environment.stacks.configuration_digest(name), folder=environment.stacks.folder(name)
        )
        for name in chosen
    }
    for name in chosen:
        if notes[name].changes:
            terminal.say(f"[bold]stack {name}[/]: creating")
            terraforms[name].apply(environment.saved(name).file, listener=narrator(terminal))
        environment.saved(name).discard()
        terminal.say(f"[bold]stack {name}[/]: {'done' if notes[name].changes else 'there was nothing to change'}")
    if terminal.machine:
        applied = [{"stack": name, "applied": notes[name].changes} for name in chosen]
        terminal.document({"environment": environment.name, "stacks": applied})
    elif chosen == ["infra"] and stack is None:
        terminal.say(f"Next, what goes into the workspace: gauntlet infra plan {escape(quote(str(options.folder)))}")
    return ExitCode.DONE


def narrator(terminal: Terminal) -> Callable[[Event], None]:
    """Return what tells a terminal of each resource as it is made, changed or destroyed."""

    def tell(event: Event) -> None:
        if event.kind == "stopping":
            terminal.say("Terraform finishes what is under way and saves its state; a second interrupt would kill it.")
        if event.action not in _DOING:
            return  # reading a data source is nothing to tell
        doing, done = _DOING[event.action]
        address = escape(event.address)
        if event.kind == "started":
            terminal.say(f"  {doing} {address}")
        elif event.kind == "done":
            terminal.say(f"  [green]✓[/] {done} {address} ({event.seconds:.0f} s)")
        elif event.kind == "failed":
            terminal.say(f"  [red]✗[/] {address} ({event.seconds:.0f} s)")
        elif event.seconds % _REPORT_SECONDS == 0:
            terminal.say(f"  still {doing} {address} ({event.seconds:.0f} s)")

    return tell


def show_outputs(options: InfraOptions, terminal: Terminal, *, write: bool = False) -> int:
    """Show the outputs of the stacks that are made; sensitive ones are named and not shown.

    Args:
        options: The command's options.
        terminal: Where.
        write: Whether host, workspace and cluster are written for target ``databricks``.

    Raises:
        InputError: If nothing is made yet.
    """
    environment = opened(options)
    outputs = {name: environment.terraform(name).outputs() for name in STACKS}
    if not any(outputs.values()):
        raise InputError(f"{options.folder}: nothing is made yet; `gauntlet infra plan` and `create` make it")
    target = options.state / TARGET_FILE
    if write:
        write_atomically(target, _target_text(environment, outputs))
    if terminal.machine:
        shown = {name: {key: _value(one) for key, one in held.items()} for name, held in outputs.items()}
        terminal.document(
            {"environment": environment.name, "outputs": shown, "written": str(target) if write else None}
        )
        return ExitCode.DONE
    rows = [(name, key, _text(one)) for name, held in outputs.items() for key, one in held.items()]
    terminal.table(("stack", "output", "value"), [tuple(map(escape, row)) for row in rows])
    if write:
        terminal.say(f"wrote {escape(str(target))}, which target databricks reads")
    return ExitCode.DONE


def _target_text(environment: Environment, outputs: Mapping[StackName, Mapping[str, Output]]) -> str:
    """Return what target ``databricks`` has to know, as TOML: no secret, and nothing that is not known."""
    infra, workspace = outputs["infra"], outputs["workspace"]
    found = {
        "environment": environment.name,
        "host": _known(infra, "workspace_url"),
        "workspace_id": _known(infra, "workspace_id"),
        "workspace_resource_id": _known(infra, "workspace_resource_id"),
        "cluster_id": _known(workspace, "cluster_id"),
        "job_id": _known(workspace, "job_id"),
    }
    lines = [f"{key} = {json.dumps(str(value))}\n" for key, value in found.items() if value is not None]
    return "# Written by `gauntlet infra outputs --write`; target databricks reads it.\n" + "".join(lines)


def _known(outputs: Mapping[str, Output], name: str) -> Any:
    output = outputs.get(name)
    return None if output is None or output.sensitive else output.value


def _value(output: Output) -> Any:
    return None if output.sensitive else output.value


def _text(output: Output) -> str:
    if output.sensitive:
        return "(sensitive: not shown)"
    return output.value if isinstance(output.value, str) else json.dumps(output.value, ensure_ascii=False)
