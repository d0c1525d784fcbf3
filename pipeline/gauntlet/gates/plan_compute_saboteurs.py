"""This module provides the saboteurs of the gates on planned clusters, jobs and libraries."""

from __future__ import annotations

from typing import Any

from gauntlet.core.errors import DataError
from gauntlet.core.planned_values import Path
from gauntlet.core.stage_names import STAGE_NAMES
from gauntlet.gates import plan_clusters, plan_libraries, plan_tasks
from gauntlet.gates.plan_edits import Change, at, change_of, first_path, paths_to, put
from gauntlet.gates.plan_sabotage import PlanSaboteur, plan_saboteur

Document = dict[str, Any]

_CLUSTER = "databricks_cluster"
_OLD_SETTINGS = {"spark.databricks.cluster.profile": "singleNode", "spark.master": "local[*]"}


@plan_saboteur(plan_clusters.CLUSTERS_STOP)
def autotermination_turned_off(document: Document) -> None:
    """Let a cluster run until somebody stops it."""
    put(change_of(document, _CLUSTER), ("autotermination_minutes",), 0)


@plan_saboteur(plan_clusters.FITS_QUOTA)
def worker_added_on_free_quota(document: Document) -> None:
    """Give a single-node cluster one worker beside its driver: the tutorial's own failure."""
    change = change_of(document, _CLUSTER)
    for name, value in (("is_single_node", None), ("spark_conf", None), ("custom_tags", None), ("num_workers", 1)):
        put(change, (name,), value)


@plan_saboteur(plan_clusters.FITS_QUOTA)
def job_cluster_grown(document: Document) -> None:
    """Give the nodes of a job's cluster sixteen vCPUs each."""
    change, cluster = _job_cluster(document)
    for name in ("node_type_id", "driver_node_type_id"):
        put(change, (*cluster, name), "Standard_DS5_v2")


@plan_saboteur(plan_clusters.ONE_SPELLING)
def two_spellings_of_single_node(document: Document) -> None:
    """Write the old spelling of a single node beside the new one."""
    change = change_of(document, _CLUSTER)
    put(change, ("kind",), "CLASSIC_PREVIEW")
    put(change, ("is_single_node",), True)
    put(change, ("spark_conf",), dict(_OLD_SETTINGS))
    put(change, ("custom_tags",), {"ResourceClass": "SingleNode"})


@plan_saboteur(plan_clusters.ONE_SPELLING)
def half_of_the_old_spelling(document: Document) -> None:
    """Leave the tag out of the old spelling of a single node."""
    change = change_of(document, _CLUSTER)
    for name in ("kind", "is_single_node", "use_ml_runtime", "custom_tags"):
        put(change, (name,), None)
    put(change, ("num_workers",), 0)
    put(change, ("spark_conf",), dict(_OLD_SETTINGS))


@plan_saboteur(plan_clusters.ACCESS_MODE)
def ml_runtime_shared(document: Document) -> None:
    """Put an ML runtime into the shared access mode, where it does not run."""
    change = change_of(document, _CLUSTER)
    put(change, ("spark_version",), "16.4.x-cpu-ml-scala2.12")
    put(change, ("data_security_mode",), "USER_ISOLATION")


@plan_saboteur(plan_clusters.ACCESS_MODE)
def access_mode_left_out(document: Document) -> None:
    """Take the access mode from a job's cluster, and with it Unity Catalog."""
    change, cluster = _job_cluster(document)
    put(change, (*cluster, "data_security_mode"), None)


@plan_saboteur(plan_libraries.LIBRARIES_PINNED)
def library_left_open(document: Document) -> None:
    """Let a task take whatever version of a library is newest."""
    change = change_of(document, plan_tasks.JOB)
    task = first_path(change, "task")
    put(change, (*task, "library"), [{"pypi": [{"package": "mlflow>=3"}]}])


@plan_saboteur(plan_tasks.TASKS_IN_ORDER)
def tasks_in_a_circle(document: Document) -> None:
    """Let the first task wait for the last."""
    change, tasks = _tasks(document)
    put(change, (*tasks[0], "depends_on"), [{"task_key": at(change, (*tasks[-1], "task_key"))}])


@plan_saboteur(plan_tasks.TASKS_IN_ORDER)
def dependency_misspelt(document: Document) -> None:
    """Let a task wait for one that the job does not have."""
    change, tasks = _tasks(document)
    put(change, (*tasks[-1], "depends_on"), [{"task_key": "no_such_task"}])


@plan_saboteur(plan_tasks.ONE_COMPUTE)
def second_compute_given(document: Document) -> None:
    """Give a task both a job cluster and an existing one."""
    change = change_of(document, plan_tasks.JOB)
    task = first_path(change, "task")
    put(change, (*task, "job_cluster_key"), "pipeline")
    put(change, (*task, "existing_cluster_id"), "0101-120000-abcdefgh")


@plan_saboteur(plan_tasks.ENTRY_POINTS_EXIST)
def entry_point_misspelt(document: Document) -> None:
    """Let a task call a command that the wheel does not have."""
    change, wheel = _wheel(document)
    put(change, (*wheel, "entry_point"), "gauntlet_stage")


@plan_saboteur(plan_tasks.TASKS_NAME_STAGES)
def stage_misspelt(document: Document) -> None:
    """Let a task run a stage that there is none of."""
    change, wheel = _wheel(document)
    parameters = at(change, (*wheel, "parameters"))
    put(change, (*wheel, "parameters"), ["ingestion", *parameters[1:]])


@plan_saboteur(plan_tasks.STAGES_IN_ORDER)
def stages_swapped(document: Document) -> None:
    """Let two tasks that follow each other swap their stages."""
    change, tasks = _tasks(document)
    wheels = [
        (*task, "python_wheel_task", 0, "parameters") for task in tasks if at(change, (*task, "python_wheel_task"))
    ]
    given = [(path, at(change, path)) for path in wheels]
    stages = [(path, words) for path, words in given if words and words[0] in STAGE_NAMES]
    if len(stages) < 2:
        raise DataError("there are no two stages to swap")
    (first, before), (second, after) = stages[:2]
    put(change, first, [after[0], *before[1:]])
    put(change, second, [before[0], *after[1:]])


SABOTEURS: tuple[PlanSaboteur, ...] = (
    autotermination_turned_off,
    worker_added_on_free_quota,
    job_cluster_grown,
    two_spellings_of_single_node,
    half_of_the_old_spelling,
    ml_runtime_shared,
    access_mode_left_out,
    library_left_open,
    tasks_in_a_circle,
    dependency_misspelt,
    second_compute_given,
    entry_point_misspelt,
    stage_misspelt,
    stages_swapped,
)


def _job_cluster(document: Document) -> tuple[Change, Path]:
    change = change_of(document, plan_tasks.JOB)
    return change, first_path(change, "job_cluster", "new_cluster")


def _tasks(document: Document) -> tuple[Change, list[Path]]:
    change = change_of(document, plan_tasks.JOB)
    tasks = list(paths_to(change["after"], "task"))
    if len(tasks) < 2:
        raise DataError("there are no two tasks whose order could be broken")
    return change, tasks


def _wheel(document: Document) -> tuple[Change, Path]:
    change = change_of(document, plan_tasks.JOB)
    return change, first_path(change, "task", "python_wheel_task")
