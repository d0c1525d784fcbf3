"""This module provides the clusters of a plan, job clusters among them, and the vCPUs that each may take."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from gauntlet.core.planned_values import PlannedBlock, UndeterminedError
from gauntlet.core.terraform_plan import Plan, ResourceChange
from gauntlet.core.vm_sizes import vcpus_of


@dataclass(frozen=True)
class PlannedCluster:
    """One cluster that a plan describes.

    Attributes:
        resource: The resource that it is, or is described in.
        block: Its description.
        runs_until_stopped: Whether it outlives the work that it was started for, unless it stops by itself.
    """

    resource: ResourceChange
    block: PlannedBlock
    runs_until_stopped: bool


def clusters_of(plan: Plan) -> Iterator[PlannedCluster]:
    """Give the clusters that are there, or are described in jobs, after apply.

    Raises:
        UndeterminedError: If a job's clusters or tasks are known only after apply.
    """
    for resource in plan.planned("databricks_cluster"):
        yield PlannedCluster(resource, resource.block, runs_until_stopped=True)
    for resource in plan.planned("databricks_job"):
        for block in (*_job_clusters(resource.block), *resource.block.blocks("new_cluster")):
            yield PlannedCluster(resource, block, runs_until_stopped=False)


def tasks_of(job: PlannedBlock) -> Iterator[PlannedBlock]:
    """Give the tasks of a job, each followed by the task that it repeats if it repeats one.

    Raises:
        UndeterminedError: If they are known only after apply.
    """
    for task in job.blocks("task"):
        yield task
        for loop in task.blocks("for_each_task"):
            yield from loop.blocks("task")


def workers_of(cluster: PlannedBlock) -> int:
    """Return the most workers that a cluster may have beside its driver.

    Raises:
        UndeterminedError: If their number is known only after apply.
    """
    scales = cluster.blocks("autoscale")
    if scales:
        return int(max(scale.number("max_workers") or 0 for scale in scales))
    return 0 if cluster.flag("is_single_node") else int(cluster.number("num_workers") or 0)


def vcpus_needed(cluster: PlannedBlock, *, known: Mapping[str, int] | None = None) -> int:
    """Return the vCPUs that a cluster takes with all of its workers, driver included.

    Args:
        cluster: The cluster's description.
        known: The vCPUs of sizes that somebody states.

    Raises:
        UndeterminedError: If its size is known only after apply, comes from a pool, or is a size that is not known.
    """
    workers = workers_of(cluster)
    node = _vcpus(cluster, "node_type_id", known) if workers or not cluster.is_set("driver_node_type_id") else 0
    driver = node
    # Unless it is given, the driver's size is the workers'; a plan has it as known only after apply then.
    if cluster.values.get("driver_node_type_id") and isinstance(cluster.values["driver_node_type_id"], str):
        driver = _vcpus(cluster, "driver_node_type_id", known)
    return driver + workers * node


def _vcpus(cluster: PlannedBlock, name: str, known: Mapping[str, int] | None) -> int:
    if cluster.is_set("instance_pool_id"):
        raise UndeterminedError(f"{cluster.label} takes its nodes from a pool, whose size it does not say")
    size = cluster.text(name)
    if size is None:
        raise UndeterminedError(f"{cluster.place(name)} is not set, so nobody can tell the size of its nodes")
    vcpus = vcpus_of(size, known=known)
    if vcpus is None:
        raise UndeterminedError(f"{cluster.place(name)} is {size}, whose vCPUs are not known here")
    return vcpus


def _job_clusters(job: PlannedBlock) -> Iterator[PlannedBlock]:
    for shared in job.blocks("job_cluster"):
        yield from shared.blocks("new_cluster")
    for task in tasks_of(job):
        yield from task.blocks("new_cluster")
