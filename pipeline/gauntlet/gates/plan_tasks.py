"""This module provides the gates on planned jobs: what a task runs, on what, after what."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import pairwise

from gauntlet.core.errors import DataError
from gauntlet.core.planned_clusters import tasks_of
from gauntlet.core.planned_values import UNKNOWN, PlannedBlock, UndeterminedError
from gauntlet.core.stage_names import STAGE_NAMES
from gauntlet.core.verdict import Verdict
from gauntlet.gates.plan_gate import (
    PlannedEnvironment,
    concluded,
    found_in,
    plan_gate,
)

ENTRY_POINTS_EXIST = "plan::wheel_entry_points_exist"
TASKS_NAME_STAGES = "plan::wheel_tasks_name_stages"
STAGES_IN_ORDER = "plan::stages_follow_their_order"
TASKS_IN_ORDER = "plan::tasks_form_an_order"
ONE_COMPUTE = "plan::one_compute_a_task"

JOB = "databricks_job"
PACKAGE = "gauntlet-mlops"
STAGE_COMMAND = "gauntlet-stage"
_COMPUTE = ("job_cluster_key", "existing_cluster_id", "new_cluster")
# They run nothing of their own on a cluster.
_WITHOUT_COMPUTE = (
    "alert_task",
    "condition_task",
    "dashboard_task",
    "dbt_cloud_task",
    "dbt_platform_task",
    "for_each_task",
    "pipeline_task",
    "power_bi_task",
    "run_job_task",
    "sql_task",
)
_WITH_ENVIRONMENT = ("python_wheel_task", "spark_python_task", "dbt_task")


def normalised(distribution: str) -> str:
    """Return a distribution's name as the packaging specification normalises it (PEP 503)."""
    return re.sub(r"[-_.]+", "-", distribution).lower()


def _tasks(environment: PlannedEnvironment) -> Iterator[PlannedBlock]:
    for job in environment.planned(JOB):
        yield from tasks_of(job.block)


def _wheel_tasks(job: PlannedBlock) -> Iterator[tuple[PlannedBlock, PlannedBlock]]:
    """Give the tasks that run this project's wheel, once or repeatedly, and what they run of it."""
    for task in job.blocks("task"):
        repeated = [inner for loop in task.blocks("for_each_task") for inner in loop.blocks("task")]
        for wheel in (wheel for inner in (task, *repeated) for wheel in inner.blocks("python_wheel_task")):
            if normalised(wheel.text("package_name") or "") == PACKAGE:
                yield task, wheel


def _wheels(environment: PlannedEnvironment) -> Iterator[PlannedBlock]:
    """Give what the tasks of all jobs run of this project's wheel."""
    for job in environment.planned(JOB):
        yield from (wheel for _, wheel in _wheel_tasks(job.block))


def _has_tasks(environment: PlannedEnvironment) -> bool:
    return any(True for _ in _tasks(environment))


def _runs_wheel(environment: PlannedEnvironment) -> bool:
    return any(True for _ in _wheels(environment))


def _runs_stages(environment: PlannedEnvironment) -> bool:
    return any(map(_is_stage, _wheels(environment)))


@plan_gate(
    ENTRY_POINTS_EXIST,
    applies=_runs_wheel,
    lacking=f"no task that runs {PACKAGE}",
    remedy="Name a command of [project.scripts] in pyproject.toml as entry_point; a job would only fail when it runs.",
)
def wheel_entry_points_exist(environment: PlannedEnvironment) -> Verdict:
    """Guard that each task that runs this project's wheel names a command that the wheel has.

    The commands are those of the installed distribution; of other packages nothing is known, so their tasks are not
    looked at.
    """
    commands = environment.entry_points.get(PACKAGE, frozenset())

    def is_missing(job: PlannedBlock) -> Iterator[str]:
        for task, wheel in _wheel_tasks(job):
            entry = wheel.text("entry_point")
            if entry not in commands:
                known = ", ".join(sorted(commands)) or "none: it is not installed here"
                yield f"{_named(task)} calls {entry or 'nothing'} of {PACKAGE}, which has {known}"

    jobs = environment.planned(JOB)
    count = sum(1 for _ in _wheels(environment))
    holds = f"tasks that call a command which {PACKAGE} has"
    return concluded(ENTRY_POINTS_EXIST, environment, found_in(jobs, is_missing), count=count, holds=holds)


@plan_gate(
    TASKS_NAME_STAGES,
    applies=_runs_stages,
    lacking=f"no task that calls {STAGE_COMMAND}",
    remedy=f"Give the stage as the first of the task's parameters: {', '.join(STAGE_NAMES)}.",
)
def wheel_tasks_name_stages(environment: PlannedEnvironment) -> Verdict:
    """Guard that each task that runs a stage names one that there is, as its first parameter."""

    def names_none(job: PlannedBlock) -> Iterator[str]:
        for task, wheel in _wheel_tasks(job):
            stage = _stage(wheel) if _is_stage(wheel) else STAGE_NAMES[0]
            if stage not in STAGE_NAMES:
                yield f"{_named(task)} names {stage or 'no stage'}; the stages are {', '.join(STAGE_NAMES)}"

    jobs = environment.planned(JOB)
    count = sum(map(_is_stage, _wheels(environment)))
    holds = "tasks that name a stage which there is"
    return concluded(TASKS_NAME_STAGES, environment, found_in(jobs, names_none), count=count, holds=holds)


@plan_gate(
    STAGES_IN_ORDER,
    applies=_runs_stages,
    lacking=f"no task that calls {STAGE_COMMAND}",
    remedy="Let each stage's task depend on that of the stage before it: a stage does not start before those are done.",
)
def stages_follow_their_order(environment: PlannedEnvironment) -> Verdict:
    """Guard that a job runs each stage after those that come before it, as far as the job has them."""

    def is_out_of_order(job: PlannedBlock) -> Iterator[str]:
        before = _ancestors(job)
        keys: dict[str | None, list[str]] = {}
        for task, wheel in _wheel_tasks(job):
            if _is_stage(wheel):
                keys.setdefault(_stage(wheel), []).append(_key(task))
        present = [stage for stage in STAGE_NAMES if stage in keys]
        for earlier, later in pairwise(present):
            for key in keys[later]:
                if not before[key] & set(keys[earlier]):
                    yield f"{job.label}: {later} (task {key}) does not wait for {earlier} (task {keys[earlier][0]})"

    jobs = environment.planned(JOB)
    count = sum(map(_is_stage, _wheels(environment)))
    holds = "stages that run after those before them"
    return concluded(STAGES_IN_ORDER, environment, found_in(jobs, is_out_of_order), count=count, holds=holds)


@plan_gate(
    TASKS_IN_ORDER,
    applies=_has_tasks,
    lacking="no job with tasks",
    remedy="Name tasks that the job has in depends_on, each key once, and none that waits for itself in a circle.",
)
def tasks_form_an_order(environment: PlannedEnvironment) -> Verdict:
    """Guard that the tasks of a job can be run in some order: no key twice, none unknown, no circle."""

    def has_no_order(job: PlannedBlock) -> Iterator[str]:
        waits = _dependencies(job)
        keys = [_key(task) for task in job.blocks("task")]
        for key in sorted({key for key in keys if keys.count(key) > 1}):
            yield f"{job.label}: {keys.count(key)} tasks are called {key}"
        for key, needed in waits.items():
            unknown = sorted(needed - set(keys))
            if unknown:
                yield f"{job.label}: task {key} waits for {', '.join(unknown)}, which the job does not have"
        circle = sorted(key for key, before in _ancestors(job).items() if key in before)
        if circle:
            yield f"{job.label}: the tasks {', '.join(circle)} wait for each other in a circle"

    jobs = environment.planned(JOB)
    count = sum(1 for _ in _tasks(environment))
    holds = "tasks that can be run in the order that they name"
    return concluded(TASKS_IN_ORDER, environment, found_in(jobs, has_no_order), count=count, holds=holds)


@plan_gate(
    ONE_COMPUTE,
    applies=_has_tasks,
    lacking="no job with tasks",
    remedy="Give each task one of job_cluster_key, existing_cluster_id and new_cluster, or none for serverless; "
    "then its libraries belong into the environment that environment_key names.",
)
def one_compute_a_task(environment: PlannedEnvironment) -> Verdict:
    """Guard that each task has exactly one thing to run on, and that the job has it."""

    def has_no_one_compute(job: PlannedBlock) -> Iterator[str]:
        clusters = {_required(cluster, "job_cluster_key") for cluster in job.blocks("job_cluster")}
        environments = {_required(entry, "environment_key") for entry in job.blocks("environment")}
        for task in tasks_of(job):
            yield from _compute_faults(task, clusters, environments)

    jobs = environment.planned(JOB)
    count = sum(1 for _ in _tasks(environment))
    holds = "tasks that have one thing to run on"
    return concluded(ONE_COMPUTE, environment, found_in(jobs, has_no_one_compute), count=count, holds=holds)


def _compute_faults(task: PlannedBlock, clusters: set[str], environments: set[str]) -> Iterator[str]:
    name = _named(task)
    given = [key for key in _COMPUTE if task.is_set(key)]
    if len(given) > 1:
        yield f"{name} has {' and '.join(given)}: it can run on one of them only"
    key = task.text("job_cluster_key")
    if key is not None and key not in clusters:
        yield f"{name} runs on the job cluster {key}, which the job does not have"
    if given and task.is_set("environment_key"):
        yield f"{name} has {given[0]} and environment_key, which is for serverless tasks"
    if given or any(task.is_set(kind) for kind in _WITHOUT_COMPUTE):
        return
    if task.is_set("library"):
        yield f"{name} is serverless and has libraries: they belong into an environment of the job"
    wanted = task.text("environment_key")
    if wanted is not None and wanted not in environments:
        yield f"{name} runs in the environment {wanted}, which the job does not have"
    if wanted is None and any(task.is_set(kind) for kind in _WITH_ENVIRONMENT):
        yield f"{name} has nothing to run on: no cluster, and no environment_key for serverless"


def _is_stage(wheel: PlannedBlock) -> bool:
    return wheel.text("entry_point") == STAGE_COMMAND


def _stage(wheel: PlannedBlock) -> str | None:
    """Return the stage that a task names; None if it names none."""
    parameters = wheel.items("parameters")
    if not parameters:
        return None
    if parameters[0] is UNKNOWN or "{{" in str(parameters[0]):
        raise UndeterminedError(f"{wheel.place('parameters')}[0], the stage, is known only when the job runs")
    return str(parameters[0])


def _dependencies(job: PlannedBlock) -> dict[str, frozenset[str]]:
    """Return the keys of the tasks that each task waits for itself."""
    return {
        _key(task): frozenset(_required(entry, "task_key") for entry in task.blocks("depends_on"))
        for task in job.blocks("task")
    }


def _ancestors(job: PlannedBlock) -> dict[str, frozenset[str]]:
    """Return the keys of all tasks that each task waits for, itself among them where there is a circle."""
    waits = _dependencies(job)
    found: dict[str, frozenset[str]] = {}
    for key in waits:
        seen: set[str] = set()
        left = list(waits[key])
        while left:
            other = left.pop()
            if other not in seen:
                seen.add(other)
                left += waits.get(other, frozenset())
        found[key] = frozenset(seen)
    return found


def _key(task: PlannedBlock) -> str:
    return _required(task, "task_key")


def _required(block: PlannedBlock, name: str) -> str:
    value = block.text(name)
    if value is None:
        raise DataError(f"{block.place(name)} is not set")
    return value


def _named(task: PlannedBlock) -> str:
    return f"{task.address}: task {task.values.get('task_key')}"
