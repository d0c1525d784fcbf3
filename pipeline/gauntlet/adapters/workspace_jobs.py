"""This module provides the jobs of a Databricks workspace: found by name, started, and looked at while they run.

What a stage said is read from the state folder on the volume, where each stage leaves a summary; the task's own output
says only why it could not even begin.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Literal

from gauntlet.adapters.databricks_settings import DatabricksSettings
from gauntlet.adapters.workspace_files import WorkspaceFiles
from gauntlet.core.errors import ExitCode, InputError

if TYPE_CHECKING:
    from databricks.sdk.service.jobs import RunTask

TaskState = Literal["waiting", "running", "done", "failed", "skipped"]

_ENDED = {"TERMINATED", "SKIPPED", "INTERNAL_ERROR"}
_NOT_RUN = {"UPSTREAM_FAILED", "UPSTREAM_CANCELED", "EXCLUDED", "DISABLED"}
_EXIT = re.compile(r"SystemExit: (\d+)")
_STATE_PARAMETER = "state"
# ml_job numbers the keys of its tasks, so that their order is the alphabet's.
_NUMBERED = re.compile(r"^s\d\d_(?=.)")


@dataclass(frozen=True)
class Job:
    """A job.

    Attributes:
        identifier: Its number.
        name: Its name.
        parameters: Its parameters' values, where a run replaces none.
    """

    identifier: int
    name: str
    parameters: Mapping[str, str]


@dataclass(frozen=True)
class JobRun:
    """A run of a job.

    Attributes:
        identifier: Its number.
        address: Its page in the workspace.
        began: When it was started, by the workspace's clock.
        state_folder: The stages' state folder on a volume; None where the job has no such parameter.
    """

    identifier: int
    address: str
    began: datetime
    state_folder: str | None


@dataclass(frozen=True)
class TaskReport:
    """One try of one task.

    Attributes:
        run: The try's number.
        stage: The stage that it runs.
        state: How it stands.
        seconds: How long it took, or has taken so far.
        said: What the workspace says of it.
    """

    run: int
    stage: str
    state: TaskState
    seconds: float
    said: str = ""

    @property
    def ended(self) -> bool:
        """Whether it will not change any more."""
        return self.state in ("done", "failed", "skipped")


@dataclass(frozen=True)
class RunReport:
    """How a run stands.

    Attributes:
        ended: Whether it is over.
        tasks: Its tasks, each try of each.
        said: What the workspace says of the whole.
    """

    ended: bool
    tasks: tuple[TaskReport, ...]
    said: str


@dataclass(frozen=True)
class StageWord:
    """What is known of how a stage ended.

    Attributes:
        code: The exit code that it ended with.
        text: Its verdict, or why there is none, for people.
        verdicts: How many gates said what, by status.
    """

    code: int
    text: str
    verdicts: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class WorkspaceJobs:
    """The jobs of one workspace.

    Attributes:
        settings: The workspace.
    """

    settings: DatabricksSettings

    def find(self, name: str) -> Job:
        """Return a job by its name or number.

        Raises:
            InputError: If there is none, or several have the name.
        """
        with self.settings.asked(f"for the job {name}"):
            client = self.settings.client()
            found = [int(name)] if name.isdecimal() else [int(job.job_id or 0) for job in client.jobs.list(name=name)]
        if not found:
            raise InputError(f"{self.settings.host}: no job is called {name!r}; the module ml_job makes one")
        if len(found) > 1:
            numbers = ", ".join(str(number) for number in found)
            raise InputError(f"{self.settings.host}: {len(found)} jobs are called {name!r}; give a number: {numbers}")
        with self.settings.asked(f"for the job {name}"):
            settings = client.jobs.get(found[0]).settings
        parameters = {each.name: each.default for each in (settings.parameters if settings else None) or []}
        return Job(found[0], str(settings.name if settings else name), parameters)

    def start(self, job: Job, *, parameters: Mapping[str, str]) -> JobRun:
        """Start a job.

        Args:
            job: The job.
            parameters: Values of its parameters for this run.

        Raises:
            InputError: If it has no parameter of one of these names.
        """
        unknown = sorted(set(parameters) - set(job.parameters))
        if unknown:
            known = ", ".join(sorted(job.parameters)) or "none"
            raise InputError(f"{job.name}: the job has no parameter {', '.join(unknown)}; it has {known}")
        with self.settings.asked(f"to start the job {job.name}"):
            client = self.settings.client()
            started: Any = client.jobs.run_now(job.identifier, job_parameters=dict(parameters) or None).response
            run = client.jobs.get_run(int(started.run_id))
        began = datetime.fromtimestamp((run.start_time or 0) / 1000, UTC)
        given = {**job.parameters, **parameters}.get(_STATE_PARAMETER)
        return JobRun(int(started.run_id), str(run.run_page_url or ""), began, given)

    def look(self, run: JobRun) -> RunReport:
        """Return how a run stands."""
        with self.settings.asked(f"how run {run.identifier} stands"):
            found = self.settings.client().jobs.get_run(run.identifier)
        state = found.state
        life = state.life_cycle_state.value if state and state.life_cycle_state else ""
        said = " ".join(str(part) for part in (state and state.state_message,) if part)
        return RunReport(life in _ENDED, tuple(_task(task) for task in found.tasks or ()), said)

    def word(self, run: JobRun, task: TaskReport) -> StageWord:
        """Return what an ended task's stage said; what is not known to be right is never a success."""
        summary = self._summary(run, task.stage)
        if summary is not None:
            return _word(summary, task)
        if task.state == "done":
            return StageWord(ExitCode.DONE, task.said)
        with self.settings.asked(f"what task {task.stage} said"):
            output = self.settings.client().jobs.get_run_output(task.run)
        error = str(output.error or task.said or "the workspace does not say why")
        left = _EXIT.search(error)
        code = int(left[1]) if left and int(left[1]) in set(ExitCode) else int(ExitCode.ENVIRONMENT)
        lines = [line for line in (output.logs or "").splitlines() if line.strip()]
        return StageWord(
            code or int(ExitCode.ENVIRONMENT), lines[-1].strip() if lines else " ".join(error.split())[:300]
        )

    def _summary(self, run: JobRun, stage: str) -> dict[str, Any] | None:
        """Return the newest summary of a stage that this run of the job left."""
        if run.state_folder is None or not run.state_folder.startswith("/Volumes/"):
            return None
        files, first = WorkspaceFiles(self.settings), run.began.strftime("%Y%m%dT%H%M%S")
        for name in sorted(files.names(f"{run.state_folder}/runs"), reverse=True):
            if name < first:
                return None
            held = files.read(f"{run.state_folder}/runs/{name}/summary.json")
            document: dict[str, Any] = json.loads(held) if held else {}
            if document.get("stages", {}).get(stage) in ("ran", "refused"):
                return document
        return None


def _task(task: RunTask) -> TaskReport:
    state = task.state
    life = state.life_cycle_state.value if state and state.life_cycle_state else ""
    result = state.result_state.value if state and state.result_state else ""
    if life not in _ENDED:
        how: TaskState = "running" if life in ("RUNNING", "TERMINATING") else "waiting"
    elif result in _NOT_RUN or (life == "SKIPPED" and not result):
        how = "skipped"
    else:
        how = "done" if result == "SUCCESS" else "failed"
    ended = task.end_time or 0
    seconds = max(0.0, (ended - (task.start_time or ended)) / 1000)
    said = str(state.state_message or "") if state else ""
    return TaskReport(int(task.run_id or 0), _NUMBERED.sub("", task.task_key or ""), how, seconds, said)


def _word(summary: Mapping[str, Any], task: TaskReport) -> StageWord:
    verdicts: dict[str, int] = {}
    for verdict in summary.get("verdicts") or ():
        verdicts[verdict["status"]] = verdicts.get(verdict["status"], 0) + 1
    counted = ", ".join(f"{count} {status}" for status, count in sorted(verdicts.items()))
    refusal = summary.get("refusal")
    if task.state == "failed" or refusal:
        code = int(summary.get("exit_code") or ExitCode.REFUSED)
        return StageWord(code, str(refusal or task.said), verdicts)
    return StageWord(ExitCode.DONE, counted if task.stage == "judge" else "", verdicts)
