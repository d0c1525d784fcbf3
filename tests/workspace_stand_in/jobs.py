"""Jobs whose tasks end as they are told: nothing runs, and each look at a run moves it on by one task."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from tests.workspace_stand_in.answers import Answer, Request, document, invalid, missing

_PREFIX = "/api/2.2/jobs/"


@dataclass(frozen=True)
class End:
    """How a task ends.

    Attributes:
        result: The workspace's word.
        error: What its output says of an error.
        logs: What it printed.
        leaves: Does what the stage would leave on the volume; it is given the run's state folder.
    """

    result: str = "SUCCESS"
    error: str = ""
    logs: str = ""
    leaves: Callable[[str], None] = lambda _state: None


@dataclass
class Job:
    """A job.

    Attributes:
        name: Its name.
        stages: Its tasks, in order, each after the one before.
        parameters: Its parameters.
        ends: How tasks end that do not simply succeed; each end of a list is one try.
        always: The tasks that run whatever became of the ones before.
    """

    name: str
    stages: tuple[str, ...]
    parameters: dict[str, str] = field(default_factory=dict)
    ends: dict[str, list[End]] = field(default_factory=dict)
    always: tuple[str, ...] = ("report",)


@dataclass
class Run:
    """A run: its tries so far."""

    job: int
    parameters: dict[str, str]
    start: int
    waiting: list[str]
    tasks: list[dict[str, Any]] = field(default_factory=list)
    outputs: dict[int, End] = field(default_factory=dict)
    broken: bool = False


@dataclass
class Jobs:
    """The jobs by number, and their runs."""

    jobs: dict[int, Job] = field(default_factory=dict)
    runs: dict[int, Run] = field(default_factory=dict)

    def answer(self, request: Request) -> Answer | None:
        """Answer a request, if it is about jobs."""
        acts = {
            "list": self._list,
            "get": self._get,
            "run-now": self._start,
            "runs/get": self._look,
            "runs/get-output": self._output,
        }
        act = acts.get(request.path.removeprefix(_PREFIX))
        return act(request.document) if act and request.path.startswith(_PREFIX) else None

    def add(self, job: Job) -> int:
        """Add a job, and return its number."""
        number = 700 + len(self.jobs)
        self.jobs[number] = job
        return number

    def _list(self, asked: dict[str, Any]) -> Answer:
        found = [
            {"job_id": number, "settings": {"name": job.name}}
            for number, job in self.jobs.items()
            if asked.get("name", job.name).lower() == job.name.lower()
        ]
        return document({"jobs": found, "has_more": False})

    def _get(self, asked: dict[str, Any]) -> Answer:
        job = self._job(asked)
        parameters = [{"name": name, "default": value} for name, value in job.parameters.items()]
        return document({"job_id": int(asked["job_id"]), "settings": {"name": job.name, "parameters": parameters}})

    def _start(self, asked: dict[str, Any]) -> Answer:
        job = self._job(asked)
        given = asked.get("job_parameters") or {}
        if set(given) - set(job.parameters):
            raise invalid(f"The job has no parameter {sorted(set(given) - set(job.parameters))}")
        number = 9000 + len(self.runs)
        self.runs[number] = Run(int(asked["job_id"]), job.parameters | given, int(time.time() * 1000), list(job.stages))
        return document({"run_id": number, "number_in_job": number})

    def _look(self, asked: dict[str, Any]) -> Answer:
        number = int(asked["run_id"])
        if number not in self.runs:
            raise missing(f"Run {number} does not exist.")
        run = self.runs[number]
        self._move_on(number, run)
        ended = not run.waiting
        state: dict[str, Any] = {"life_cycle_state": "TERMINATED" if ended else "RUNNING", "state_message": ""}
        if ended:
            # The last task decides, so a report that ran after a refusal makes the whole a success.
            state["result_state"] = run.tasks[-1]["state"]["result_state"]
        return document(
            {
                "run_id": number,
                "job_id": run.job,
                "start_time": run.start,
                "run_page_url": f"https://workspace.example/?o=1#job/{run.job}/run/{number}",
                "state": state,
                "tasks": run.tasks + [_pending(stage) for stage in run.waiting],
            }
        )

    def _move_on(self, number: int, run: Run) -> None:
        if not run.waiting:
            return
        job, stage = self.jobs[run.job], run.waiting[0]
        place, key = job.stages.index(stage) + 1, f"s{job.stages.index(stage) + 1:02d}_{stage}"
        identifier = number * 100 + len(run.tasks)
        tried = sum(task["task_key"] == key for task in run.tasks)
        tries = job.ends.get(stage, [End()])
        end = End("UPSTREAM_FAILED") if run.broken and stage not in job.always else tries[min(tried, len(tries) - 1)]
        if end.result != "UPSTREAM_FAILED":
            end.leaves(run.parameters.get("state", ""))
        again = end.result == "FAILED" and tried + 1 < len(tries)
        if not again:
            run.waiting.pop(0)
            run.broken = run.broken or end.result == "FAILED"
        run.outputs[identifier] = end
        state = {"life_cycle_state": "TERMINATED", "result_state": end.result, "state_message": ""}
        now = run.start + place * 2000
        run.tasks.append(
            {"run_id": identifier, "task_key": key, "state": state, "start_time": now, "end_time": now + 1500}
        )

    def _output(self, asked: dict[str, Any]) -> Answer:
        outputs = {number: end for run in self.runs.values() for number, end in run.outputs.items()}
        end = outputs.get(int(asked["run_id"]))
        if end is None:
            raise missing(f"Run {asked['run_id']} does not exist.")
        return document({"error": end.error, "logs": end.logs})

    def _job(self, asked: dict[str, Any]) -> Job:
        number = int(asked["job_id"])
        if number not in self.jobs:
            raise missing(f"Job {number} does not exist.", code="INVALID_PARAMETER_VALUE")
        return self.jobs[number]


def _pending(stage: str) -> dict[str, Any]:
    return {"run_id": 0, "task_key": stage, "state": {"life_cycle_state": "BLOCKED"}}
