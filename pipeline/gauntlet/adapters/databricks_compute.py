"""This module provides Spark on a Databricks workspace: where it runs, whether this client fits it, and the session.

A client is databricks-connect, which brings a pyspark of its own and so needs an environment without pyspark. It must
not be newer than the cluster's runtime, and Python functions run on the cluster as they were pickled here, so that
both sides need the same minor version of Python. In a job or notebook the session is already there.
"""

from __future__ import annotations

import importlib.metadata
import re
import sys
from typing import TYPE_CHECKING, Any

from gauntlet.adapters.connect_sessions import close_at_exit
from gauntlet.adapters.databricks_settings import DatabricksSettings, on_cluster
from gauntlet.adapters.remote_target import send_package
from gauntlet.core.errors import RequirementError

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

# The minor version of Python by the runtime's major version (Databricks' release notes). databricks-connect has the
# runtime's numbers, and serverless compute follows the client.
PYTHON_OF_RUNTIME = {13: "3.10", 14: "3.10", 15: "3.11", 16: "3.12", 17: "3.12", 18: "3.12"}
_VERSION = re.compile(r"(\d+)\.(\d+)")


def compute_of(settings: DatabricksSettings) -> str:
    """Return where a session would run, in words.

    Raises:
        RequirementError: If nobody says where.
    """
    if on_cluster():
        return "the cluster that this runs on"
    if settings.serverless:
        return "serverless compute"
    if settings.cluster:
        return f"cluster {settings.cluster}"
    raise RequirementError(
        "target databricks: no compute for Spark is named; set DATABRICKS_CLUSTER_ID, or "
        "DATABRICKS_SERVERLESS_COMPUTE_ID=auto"
    )


def require_fitting_client(settings: DatabricksSettings) -> str:
    """Make sure that this client can run Spark there, and return which client it is.

    Raises:
        RequirementError: If it cannot; the message says what to install.
    """
    compute = compute_of(settings)
    if on_cluster():
        return "the runtime's own Spark"
    try:
        client = importlib.metadata.version("databricks-connect")
    except importlib.metadata.PackageNotFoundError as error:
        wanted = _wanted(settings)
        raise RequirementError(
            f"Spark on {compute} needs databricks-connect, which cannot share an environment with pyspark; make an "
            f"environment of {wanted[1]} with: pip install gauntlet-mlops 'databricks-connect=={wanted[0]}'"
        ) from error
    fault = fault_of_client(client, python=_this_python(), runtime=_runtime(settings))
    if fault is not None:
        raise RequirementError(f"Spark on {compute}: {fault}")
    return f"databricks-connect {client}"


def fault_of_client(client: str, *, python: str, runtime: str | None) -> str | None:
    """Return why a client cannot work with a runtime, and what to install; None if it can.

    Args:
        client: The version of databricks-connect, such as ``16.4.3``.
        python: The client's Python, such as ``3.12``.
        runtime: The cluster's runtime, such as ``16.4.x-cpu-ml-scala2.12``; None on serverless compute.
    """
    ours = _numbers(client)
    theirs = ours if runtime is None else _numbers(runtime)
    if ours is None or theirs is None:
        return f"databricks-connect {client} and runtime {runtime} cannot be compared; use a runtime with a number"
    named = "serverless compute" if runtime is None else f"runtime {theirs[0]}.{theirs[1]}"
    wanted = PYTHON_OF_RUNTIME.get(theirs[0])
    if ours > theirs:
        return (
            f"databricks-connect {client} is newer than {named}; pip install "
            f"'databricks-connect=={theirs[0]}.{theirs[1]}.*' with Python {wanted or python}"
        )
    if wanted is None:
        return f"it is not known which Python {named} has; use a runtime of {_known_runtimes()}"
    if python != wanted:
        return (
            f"{named} runs Python {wanted}, this is Python {python}, and functions could not be sent there; make an "
            f"environment of Python {wanted} with 'databricks-connect=={theirs[0]}.{theirs[1]}.*'"
        )
    return None


def open_session(settings: DatabricksSettings) -> SparkSession:
    """Open a session, or return the one that is there.

    Raises:
        RequirementError: If the client does not fit, or the compute cannot be reached.
    """
    require_fitting_client(settings)
    if on_cluster():
        from pyspark.sql import SparkSession  # noqa: PLC0415 - takes a while to import

        return SparkSession.builder.getOrCreate()
    try:
        from databricks.connect import DatabricksSession  # noqa: PLC0415 - not every target needs it

        session: Any = DatabricksSession.builder.sdkConfig(settings.config).getOrCreate()
        close_at_exit(session)
        session.conf.set("spark.sql.session.timeZone", "UTC")
        send_package(session)
    except Exception as error:
        reason = " ".join(str(error).split())[:300]
        raise RequirementError(
            f"{settings.host}: Spark cannot be used on {compute_of(settings)} ({type(error).__name__}: {reason}); see "
            "that it is running and that you may attach to it"
        ) from error
    found: SparkSession = session
    return found


def _runtime(settings: DatabricksSettings) -> str | None:
    if settings.serverless or settings.cluster is None:
        return None
    with settings.asked(f"for cluster {settings.cluster}"):
        return str(settings.client().clusters.get(settings.cluster).spark_version)


def _wanted(settings: DatabricksSettings) -> tuple[str, str]:
    """Return the client's version and the Python that fit best."""
    runtime = _runtime(settings)
    numbers = None if runtime is None else _numbers(runtime)
    if numbers is None:
        newest = max(major for major, python in PYTHON_OF_RUNTIME.items() if python == "3.12")
        return f"{newest}.*", "Python 3.12"
    return f"{numbers[0]}.{numbers[1]}.*", f"Python {PYTHON_OF_RUNTIME.get(numbers[0], '(the runtime says which)')}"


def _numbers(version: str) -> tuple[int, int] | None:
    found = _VERSION.match(version)
    return None if found is None else (int(found[1]), int(found[2]))


def _known_runtimes() -> str:
    return f"{min(PYTHON_OF_RUNTIME)} to {max(PYTHON_OF_RUNTIME)}"


def _this_python() -> str:
    return f"{sys.version_info.major}.{sys.version_info.minor}"
