"""This module provides the look at the environment: what is there, what is missing, and the exact thing to do."""

from __future__ import annotations

import importlib.metadata
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from gauntlet.adapters.class_archive import archive_at_hand
from gauntlet.adapters.databricks_compute import compute_of, require_fitting_client
from gauntlet.adapters.databricks_settings import databricks_settings
from gauntlet.adapters.jars import DELTA_VERSION, cache_folder, delta_jars, jars_at_hand
from gauntlet.adapters.java import java_program
from gauntlet.adapters.remote_settings import remote_settings
from gauntlet.core.errors import RequirementError
from gauntlet.core.section import TargetName
from gauntlet.core.state import State

JAVA_MINIMUM = 17
FREE_DISK_MEGABYTES = 500
_VERSION_COMMAND_SECONDS = 20
_ASK_SECONDS = 10


@dataclass(frozen=True)
class Finding:
    """What was found of one requirement.

    Attributes:
        name: The requirement.
        status: ``ok``; ``missing`` (a run cannot work); ``optional`` (only needed for what ``advice`` says).
        found: What is there.
        advice: What to do; empty where nothing is to be done.
    """

    name: str
    status: Literal["ok", "missing", "optional"]
    found: str
    advice: str = ""


def examine(state: State, *, target: TargetName) -> tuple[Finding, ...]:
    """Return the findings for a target, in the order in which a newcomer meets them."""
    checks: tuple[Callable[[], Finding], ...] = (
        _python,
        # Where the servers are somewhere else, neither Java nor Delta's jars are needed here.
        *{"local": (_java, _pyspark, _delta_jars, _class_archive), "remote": (_pyspark,), "databricks": ()}[target],
        lambda: _disk("state folder", state.root),
        lambda: _disk("cache folder", cache_folder()),
    )
    return (*(check() for check in checks), *_target(target, state), _terraform())


def require(state: State, *, target: TargetName) -> None:
    """Make sure that a run can work.

    Raises:
        RequirementError: If something is missing; the message names each thing and what to do.
    """
    missing = [finding for finding in examine(state, target=target) if finding.status == "missing"]
    if missing:
        lines = [f"{finding.name}: {finding.found}; {finding.advice}" for finding in missing]
        raise RequirementError("\n".join(lines))


def _python() -> Finding:
    version = ".".join(str(part) for part in sys.version_info[:3])
    if sys.version_info[:2] > (3, 13):
        return Finding("Python", "missing", version, "use Python 3.11, 3.12 or 3.13")
    return Finding("Python", "ok", version)


def _java() -> Finding:
    advice = f"install a Java {JAVA_MINIMUM} or newer runtime (Debian, Ubuntu: apt install default-jre-headless)"
    home, java = os.environ.get("JAVA_HOME"), java_program()
    if java is None and home:
        return Finding("Java", "missing", f"JAVA_HOME={home} holds no bin/java", "unset JAVA_HOME or correct it")
    if java is None:
        return Finding("Java", "missing", "no java on PATH", advice)
    output = _output(str(java), "-version")
    match = re.search(r'version "(\d+)(?:\.(\d+))?', output)
    if match is None:
        return Finding("Java", "missing", f"{java} does not say its version", advice)
    # Java 8 calls itself 1.8.
    major = int(match.group(2) or 0) if match.group(1) == "1" else int(match.group(1))
    if major < JAVA_MINIMUM:
        return Finding("Java", "missing", f"version {major}", advice)
    return Finding("Java", "ok", f"version {major} ({java})")


def _pyspark() -> Finding:
    try:
        return Finding("pyspark", "ok", importlib.metadata.version("pyspark"))
    except importlib.metadata.PackageNotFoundError:
        return Finding("pyspark", "missing", "not installed", "pip install 'gauntlet-mlops[local]'")


def _delta_jars() -> Finding:
    if jars_at_hand():
        return Finding("Delta's jars", "ok", DELTA_VERSION)
    advice = "the first run fetches them (10 MB); without network set GAUNTLET_JARS_DIR or GAUNTLET_IVY_SETTINGS"
    return Finding("Delta's jars", "optional", "not fetched yet", advice)


def _class_archive() -> Finding:
    if jars_at_hand() and archive_at_hand(delta_jars()):
        return Finding("class archive", "ok", "written")
    return Finding(
        "class archive", "optional", "not written", "`gauntlet prepare` writes it, and Spark starts in half the time"
    )


def _disk(name: str, folder: Path) -> Finding:
    existing = folder.resolve()
    while not existing.exists():
        existing = existing.parent
    free = shutil.disk_usage(existing).free // 2**20
    found = f"{free:,} MB free at {folder}"
    if not existing.is_dir() or not os.access(existing, os.W_OK):
        return Finding(name, "missing", f"{existing} cannot be written", "give a writable folder")
    if free < FREE_DISK_MEGABYTES:
        return Finding(name, "missing", found, f"free at least {FREE_DISK_MEGABYTES} MB, or give another folder")
    return Finding(name, "ok", found)


def _target(target: TargetName, state: State) -> tuple[Finding, ...]:
    if target == "local":
        return (Finding("target local", "ok", "this machine"),)
    return _remote(state) if target == "remote" else _databricks()


def _missing(name: str, error: RequirementError) -> Finding:
    """Return the finding of an error, whose message says what to do after a semicolon."""
    found, _, advice = str(error).partition("; ")
    return Finding(name, "missing", found, advice)


def _remote(state: State) -> tuple[Finding, ...]:
    try:
        settings = remote_settings(state)
    except RequirementError as error:
        return (_missing("target remote", error),)
    servers = (
        ("Spark's server", settings.spark, settings.fault_of_spark(), "see that it is up (`gauntlet stack status`)"),
        (
            "MLflow's server",
            settings.mlflow,
            settings.fault_of_mlflow(),
            "see that it is up, and that MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD are right",
        ),
    )
    return tuple(
        Finding(name, "ok", address) if fault is None else Finding(name, "missing", fault, advice)
        for name, address, fault, advice in servers
    )


def _databricks() -> tuple[Finding, ...]:
    try:
        settings = databricks_settings(retry_seconds=_ASK_SECONDS)
        workspace = Finding("workspace", "ok", f"{settings.host} as {settings.user()} ({settings.kind})")
    except RequirementError as error:
        return (_missing("workspace", error),)
    try:
        client = require_fitting_client(settings)
        return (workspace, Finding("Spark", "ok", f"{compute_of(settings)}, {client}"))
    except RequirementError as error:
        return (workspace, _missing("Spark", error))


def _terraform() -> Finding:
    advice = "install 1.9 or newer, below 2.0, for `gauntlet infra` and the infrastructure tests"
    terraform = shutil.which("terraform")
    if terraform is None:
        return Finding("Terraform", "optional", "not on PATH", advice)
    match = re.search(r"Terraform v((\d+)\.(\d+)\S*)", _output(terraform, "version"))
    if match is None:
        return Finding("Terraform", "optional", f"{terraform} does not say its version", advice)
    if not (1, 9) <= (int(match[2]), int(match[3])) < (2, 0):
        return Finding("Terraform", "optional", f"version {match[1]}", advice)
    return Finding("Terraform", "ok", match[1])


def _output(*command: str) -> str:
    try:
        done = subprocess.run(  # noqa: S603 - a program found on PATH, our own arguments, no shell
            command, capture_output=True, text=True, timeout=_VERSION_COMMAND_SECONDS, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout + done.stderr
