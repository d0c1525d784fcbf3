"""This module provides the command that runs the pipeline's job in a workspace and follows it."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from typing import Any

from rich.markup import escape

from gauntlet.adapters.databricks_settings import databricks_settings
from gauntlet.adapters.workspace_jobs import JobRun, StageWord, TaskReport, WorkspaceJobs
from gauntlet.core.errors import ExitCode
from gauntlet.terminal import Terminal

_MARKS = {"done": "[green]✓[/]", "failed": "[red]✗[/]", "skipped": "[dim]-[/]"}


def run_job(name: str, terminal: Terminal, *, parameters: Mapping[str, str], interval: float) -> int:
    """Start a job and follow it; exit code 1 when a stage refuses.

    Args:
        name: The job's name or number.
        terminal: Where lines go.
        parameters: Values of its parameters for this run.
        interval: Seconds between two looks.

    Raises:
        InputError: If there is no such job or parameter.
        RequirementError: If the workspace cannot be reached, or refuses.
    """
    jobs = WorkspaceJobs(databricks_settings())
    job = jobs.find(name)
    run = jobs.start(job, parameters=parameters)
    terminal.say(f"{escape(job.name)}: run {run.identifier} {escape(run.address)}")
    try:
        ended = {task.stage: (task, word) for task, word in _followed(jobs, run, terminal, interval=interval)}
    except KeyboardInterrupt:
        terminal.say("The run goes on in the workspace; it can be cancelled on its page.")
        raise
    code = _code([word for task, word in ended.values() if task.state == "failed"])
    if not ended:
        code = int(ExitCode.ENVIRONMENT)
    if terminal.machine:
        terminal.document(_document(run, ended, code))
    elif code == ExitCode.DONE:
        terminal.say(f"[bold green]Done:[/] {len(ended)} stages.")
    elif code == ExitCode.REFUSED:
        terminal.say("[bold red]Refused.[/] Nothing was promoted.")
    else:
        terminal.say("[bold red]Failed.[/] The run's page says more.")
    return code


def _followed(
    jobs: WorkspaceJobs, run: JobRun, terminal: Terminal, *, interval: float
) -> Iterator[tuple[TaskReport, StageWord]]:
    """Yield each task as it ends, with what its stage said; a later try of a task follows the earlier one."""
    seen: set[int] = set()
    while True:
        report = jobs.look(run)
        for task in report.tasks:
            if task.ended and task.run not in seen:
                seen.add(task.run)
                word = StageWord(ExitCode.DONE, "not run") if task.state == "skipped" else jobs.word(run, task)
                terminal.say(
                    f"{_MARKS[task.state]} {escape(task.stage):<13}{task.seconds:6.1f} s  {escape(word.text)}".rstrip()
                )
                yield task, word
        if report.ended:
            if report.said:
                terminal.say(escape(report.said))
            return
        time.sleep(interval)


def _code(failed: list[StageWord]) -> int:
    """Return the exit code: that of a refusal before all others, since it is what the gates say."""
    codes = [word.code for word in failed]
    if int(ExitCode.REFUSED) in codes:
        return int(ExitCode.REFUSED)
    return codes[0] if codes else int(ExitCode.DONE)


def _document(run: JobRun, ended: Mapping[str, tuple[TaskReport, StageWord]], code: int) -> dict[str, Any]:
    stages = {
        stage: {"state": task.state, "seconds": task.seconds, "said": word.text, "verdicts": dict(word.verdicts)}
        for stage, (task, word) in ended.items()
    }
    return {"run": run.identifier, "address": run.address, "stages": stages, "exit_code": code}
