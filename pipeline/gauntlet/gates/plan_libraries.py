"""This module provides the gate on the libraries of planned clusters and jobs."""

from __future__ import annotations

import re
from collections.abc import Iterator

from gauntlet.core.planned_clusters import clusters_of, tasks_of
from gauntlet.core.planned_values import UNKNOWN, PlannedBlock, UndeterminedError
from gauntlet.core.terraform_plan import ResourceChange
from gauntlet.core.verdict import Verdict
from gauntlet.gates.plan_gate import Finding, PlannedEnvironment, concluded, found_in_block, plan_gate

LIBRARIES_PINNED = "plan::libraries_pinned"

_EXACT = re.compile(r"[A-Za-z0-9][\w.-]*(?:\[[^\]]*\])?\s*===?\s*(?!.*\*)\S+(?:\s*;.*)?")
_COMMIT = re.compile(r".*@[0-9a-f]{40}(?:#.*)?")
# The file name of a wheel says its version (PEP 427), a source archive's does too.
_VERSIONED_FILE = re.compile(r".*[/\\]?[\w.]+-\d[\w.+!]*(?:-[\w.]+)*\.(?:whl|egg|tar\.gz|jar)")
_MAVEN = re.compile(r"[^:\s]+:[^:\s]+(?::[^:\s]+){0,2}:\d[\w.+-]*")
_FILES = ("whl", "jar", "egg")


def _holders(environment: PlannedEnvironment) -> Iterator[tuple[ResourceChange, PlannedBlock]]:
    """Give the blocks that ask for libraries."""
    for plan in environment.plans:
        for cluster in clusters_of(plan):
            yield from ((cluster.resource, library) for library in cluster.block.blocks("library"))
    for job in environment.planned("databricks_job"):
        for holder in (job.block, *tasks_of(job.block)):
            yield from ((job, library) for library in holder.blocks("library"))
        for entry in job.block.blocks("environment"):
            yield from ((job, spec) for spec in entry.blocks("spec") if spec.is_set("dependencies"))
    for policy in environment.planned("databricks_cluster_policy"):
        yield from ((policy, library) for library in policy.block.blocks("libraries"))
    for library in environment.planned("databricks_library"):
        yield library, library.block


def _has_libraries(environment: PlannedEnvironment) -> bool:
    return any(True for _ in _holders(environment))


@plan_gate(
    LIBRARIES_PINNED,
    applies=_has_libraries,
    lacking="no library on any cluster or job",
    bounds=("unpinned",),
    remedy="Name one version: package==1.2.3 for PyPI, group:artifact:1.2.3 for Maven, a wheel with its version in the "
    "file's name; or list the library, as it is named here, under unpinned in the rules.",
)
def libraries_pinned(environment: PlannedEnvironment) -> Verdict:
    """Guard that each library of a cluster or job is one version, so that tomorrow's cluster is today's.

    A requirements file is not part of a plan, so it is FAIL ("the plan cannot tell"). CRAN packages take no version.
    """
    allowed = environment.rules.unpinned

    def is_open(block: PlannedBlock) -> Iterator[str]:
        for said, exact in _libraries(block):
            if not exact and said not in allowed:
                yield f"{block.label}: {said} is not pinned to one version"
        requirements = block.text("requirements")
        if requirements is not None and requirements not in allowed:
            raise UndeterminedError(f"{block.place('requirements')} is {requirements}, a file that is not in the plan")

    holders = tuple(_holders(environment))
    findings: list[Finding] = []
    for resource, block in holders:
        findings += found_in_block(resource, block, is_open)
    holds = "library blocks that name one version each"
    return concluded(LIBRARIES_PINNED, environment, findings, count=len(holders), holds=holds)


def _libraries(block: PlannedBlock) -> Iterator[tuple[str, bool]]:
    """Give the libraries that a block asks for, and whether each is one version."""
    for kind in _FILES:
        path = block.text(kind)
        if path is not None:
            yield path, _VERSIONED_FILE.fullmatch(path) is not None
    for pypi in block.blocks("pypi"):
        package = pypi.text("package") or ""
        yield package, _is_exact(package)
    for maven in block.blocks("maven"):
        coordinates = maven.text("coordinates") or ""
        yield coordinates, _MAVEN.fullmatch(coordinates) is not None
    for cran in block.blocks("cran"):
        yield f"CRAN's {cran.text('package')}", False
    for dependency in block.items("dependencies"):
        if dependency is UNKNOWN:
            raise UndeterminedError(f"{block.place('dependencies')} holds one that is known only after apply")
        yield str(dependency), _is_exact(str(dependency))


def _is_exact(requirement: str) -> bool:
    text = requirement.strip()
    forms = (_EXACT, _COMMIT, _VERSIONED_FILE)
    return any(form.fullmatch(text) for form in forms)
