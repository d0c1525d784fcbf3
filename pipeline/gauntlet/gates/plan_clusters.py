"""This module provides the gates on planned clusters, job clusters among them: cost, shape, quota, access."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

from gauntlet.core.planned_clusters import PlannedCluster, clusters_of, vcpus_needed, workers_of
from gauntlet.core.planned_values import UNKNOWN, PlannedBlock, UndeterminedError
from gauntlet.core.verdict import Status, Verdict
from gauntlet.core.vm_sizes import FREE_TRIAL_QUOTA
from gauntlet.gates.plan_gate import (
    Check,
    Finding,
    PlannedEnvironment,
    concluded,
    counted,
    found_in,
    found_in_block,
    has_planned,
    plan_gate,
)

CLUSTERS_STOP = "plan::clusters_stop_by_themselves"
ONE_SPELLING = "plan::single_node_in_one_spelling"
FITS_QUOTA = "plan::clusters_fit_vcpu_quota"
ACCESS_MODE = "plan::access_mode_suits_work"

_PROFILE, _MASTER, _TAG = "spark.databricks.cluster.profile", "spark.master", "ResourceClass"
_DEDICATED = ("SINGLE_USER", "DATA_SECURITY_MODE_DEDICATED")
_SHARED = ("USER_ISOLATION", "DATA_SECURITY_MODE_STANDARD")
_CHOSEN_LATER = "DATA_SECURITY_MODE_AUTO"


def _clusters(environment: PlannedEnvironment) -> tuple[PlannedCluster, ...]:
    return tuple(cluster for plan in environment.plans for cluster in clusters_of(plan))


def _has_clusters(environment: PlannedEnvironment) -> bool:
    return bool(_clusters(environment))


def _found(clusters: tuple[PlannedCluster, ...], check: Check) -> list[Finding]:
    return [finding for cluster in clusters for finding in found_in_block(cluster.resource, cluster.block, check)]


@plan_gate(
    CLUSTERS_STOP,
    applies=has_planned("databricks_cluster"),
    lacking="no cluster that outlives its work",
    bounds=("minimum_idle_minutes", "maximum_idle_minutes"),
    remedy="Set autotermination_minutes on the cluster, 20 for example; 0 means never.",
)
def clusters_stop_by_themselves(environment: PlannedEnvironment) -> Verdict:
    """Guard that a cluster that nobody uses stops by itself, and soon enough.

    Job clusters end with their job, so only clusters that outlive their work are looked at.
    """
    rules = environment.rules
    least, most = rules.minimum_idle_minutes, rules.maximum_idle_minutes

    def outlives_its_work(cluster: PlannedBlock) -> Iterator[str]:
        minutes = cluster.number("autotermination_minutes")
        if minutes is None or not least <= minutes <= most:
            said = "is not set" if minutes is None else f"is {minutes:g}"
            never = ", which means never" if minutes == 0 else ""
            yield f"{cluster.place('autotermination_minutes')} {said}{never}; it must be {least} to {most}"

    clusters = environment.planned("databricks_cluster")
    holds = f"clusters that stop after {least} to {most} idle minutes"
    findings = found_in(clusters, outlives_its_work)
    return concluded(CLUSTERS_STOP, environment, findings, count=len(clusters), holds=holds)


@plan_gate(
    ONE_SPELLING,
    applies=_has_clusters,
    lacking="no cluster",
    remedy='Write either kind = "CLASSIC_PREVIEW" with is_single_node = true and nothing else, or num_workers = 0 with '
    f'spark_conf {_PROFILE} = "singleNode" and {_MASTER} = "local[*]", and custom_tags {_TAG} = "SingleNode".',
)
def single_node_in_one_spelling(environment: PlannedEnvironment) -> Verdict:
    """Guard that a cluster is a single node in one spelling, wholly, or has workers.

    There is an old spelling (Spark settings and a tag) and a new one (``kind`` with ``is_single_node``). The workspace
    refuses a mixture, a half of the old one, and no workers in neither; the provider lets all of them pass since 1.59.
    """
    clusters = _clusters(environment)
    holds = "clusters that are a single node in one spelling, or have workers"
    return concluded(ONE_SPELLING, environment, _found(clusters, _misspelt), count=len(clusters), holds=holds)


@plan_gate(
    FITS_QUOTA,
    applies=_has_clusters,
    lacking="no cluster",
    bounds=("vcpu_quota", "quota_counts", "vcpus"),
    remedy="Take a smaller node type or fewer workers, down to a single node; or ask Azure for a higher quota, and say "
    "it in the variable vcpu_quota or in the rules. A size that is not known here can be given in the rules' vcpus.",
)
def clusters_fit_vcpu_quota(environment: PlannedEnvironment) -> Verdict:
    """Guard that the region's quota of vCPUs can start the clusters, with all the workers that they may have.

    By default each cluster must fit alone, since a free trial cannot run two; ``quota_counts = "together"`` adds them
    up. What else runs in the region is not known. Sizes: Microsoft's naming conventions and pages of older families.
    """
    clusters, rules = _clusters(environment), environment.rules
    quota = _quota(environment)
    needed: dict[str, int] = {}

    def is_too_large(cluster: PlannedBlock) -> Iterator[str]:
        needed[cluster.label] = vcpus = vcpus_needed(cluster, known=rules.vcpus)
        if vcpus > quota:
            workers = counted(workers_of(cluster), "worker")
            yield f"{cluster.label} takes {vcpus} vCPUs (driver and {workers}), more than the quota of {quota}"

    findings = _found(clusters, is_too_large)
    together, largest = sum(needed.values()), max(needed.values(), default=0)
    if rules.quota_counts == "together" and together > quota and clusters:
        sentence = f"all clusters together take {together} vCPUs, more than the quota of {quota}"
        findings.append(Finding(sentence, clusters[0].resource.file, clusters[0].resource.address))
    holds = f"clusters that fit the quota of {quota} vCPUs (the largest takes {largest}"
    holds += f"; all together would take {together})" if together > quota else ")"
    verdict = concluded(FITS_QUOTA, environment, findings, count=len(clusters), holds=holds)
    if verdict.status not in (Status.PASS, Status.FAIL):
        return verdict
    measured = together if rules.quota_counts == "together" else largest
    return replace(verdict, measured=float(measured), bound=float(quota))


@plan_gate(
    ACCESS_MODE,
    applies=_has_clusters,
    lacking="no cluster",
    bounds=("unity_catalog",),
    remedy='Set data_security_mode = "SINGLE_USER" (with kind: "DATA_SECURITY_MODE_DEDICATED"), and single_user_name '
    "where somebody else than the deployer works on the cluster.",
)
def access_mode_suits_work(environment: PlannedEnvironment) -> Verdict:
    """Guard that a cluster with an ML runtime is dedicated, and that any other can use Unity Catalog.

    ML runtimes do not run in the shared access mode; without an access mode a cluster sees no Unity Catalog at all.
    """
    clusters = _clusters(environment)

    def is_unsuited(cluster: PlannedBlock) -> Iterator[str]:
        return _unsuited(cluster, catalog=environment.rules.unity_catalog)

    holds = "clusters in an access mode that suits their runtime and Unity Catalog"
    findings = _found(clusters, is_unsuited)
    return concluded(ACCESS_MODE, environment, findings, count=len(clusters), holds=holds)


def _quota(environment: PlannedEnvironment) -> int:
    stated = environment.rules.vcpu_quota or environment.variable("vcpu_quota")
    return int(stated) if isinstance(stated, int | float) and stated >= 1 else FREE_TRIAL_QUOTA


def _misspelt(cluster: PlannedBlock) -> Iterator[str]:
    old = _old_marks(cluster)
    new = [name for name in ("kind", "is_single_node") if cluster.value(name)]
    workers = workers_of(cluster)
    if old and new:
        yield f"{cluster.label} mixes two spellings: {', '.join(old)} with {', '.join(new)}"
    elif old and workers:
        yield f"{cluster.label} is a single node by {', '.join(old)}, and has up to {counted(workers, 'worker')}"
    elif old and len(old) < 3:
        yield f"{cluster.label} is a single node by {', '.join(old)} only, which is half of the old spelling"
    unkind = [name for name in ("is_single_node", "use_ml_runtime") if cluster.flag(name)]
    if unkind and not cluster.is_set("kind"):
        yield f"{cluster.label} has {', '.join(unkind)} without kind, which alone gives it a meaning"
    if cluster.flag("is_single_node") and (cluster.value("num_workers") or cluster.is_set("autoscale")):
        yield f"{cluster.label} is a single node by is_single_node, and has workers"
    if not workers and not old and not cluster.flag("is_single_node") and not cluster.is_set("autoscale"):
        yield f"{cluster.label} has no workers and is no single node either: the workspace refuses it"


def _old_marks(cluster: PlannedBlock) -> list[str]:
    """Return which parts of the old spelling a cluster has."""
    settings, tags = cluster.entries("spark_conf"), cluster.entries("custom_tags")
    asked: tuple[tuple[str, object, Callable[[str], bool]], ...] = (
        (f"spark_conf {_PROFILE}", settings.get(_PROFILE), lambda value: value == "singleNode"),
        (f"spark_conf {_MASTER}", settings.get(_MASTER), lambda value: value.startswith("local")),
        (f"custom_tags {_TAG}", tags.get(_TAG), lambda value: value == "SingleNode"),
    )
    unknown = [name for name, value, _ in asked if value is UNKNOWN]
    if unknown:
        raise UndeterminedError(f"{cluster.label}: {', '.join(unknown)} is known only after apply")
    return [name for name, value, fits in asked if isinstance(value, str) and fits(value)]


def _unsuited(cluster: PlannedBlock, *, catalog: bool) -> Iterator[str]:
    mode = cluster.text("data_security_mode")
    if mode == _CHOSEN_LATER:
        raise UndeterminedError(f"{cluster.place('data_security_mode')} leaves the access mode to the workspace")
    said = f"{cluster.place('data_security_mode')} is {mode or 'not set'}"
    if catalog and mode not in (*_DEDICATED, *_SHARED):
        yield f"{said}: it cannot use Unity Catalog"
    if mode in _SHARED and (cluster.flag("use_ml_runtime") or "-ml-" in (cluster.text("spark_version") or "")):
        yield f"{said}, but an ML runtime needs a dedicated cluster: {' or '.join(_DEDICATED)}"
