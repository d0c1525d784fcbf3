"""This module provides target ``remote``: Spark Connect, MLflow over HTTP, and tables on the server's side.

The client starts no JVM and shares no disk with the servers: files go through Spark's server, models through MLflow's.
It is target ``databricks`` made of open-source parts, so what a workspace would refuse fails here first.
"""

from __future__ import annotations

import os
import tempfile
import zipfile
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import gauntlet
from gauntlet.adapters.connect_sessions import TOKEN_VARIABLE, shared_session
from gauntlet.adapters.remote_settings import RemoteSettings, remote_settings
from gauntlet.adapters.server_tables import ServerTables
from gauntlet.adapters.tables import Tables
from gauntlet.adapters.tracking import Tracking
from gauntlet.core.errors import RequirementError
from gauntlet.core.problem import Names, Problem
from gauntlet.core.section import TargetName
from gauntlet.core.state import State

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

    from gauntlet.adapters.promotion_ledger import PromotionLedger

# How often a call is tried again, and how long in all: Spark's own would try for ten minutes, MLflow's for four.
_SPARK_RETRIES = 6
_SPARK_LONGEST_WAIT_MILLISECONDS = 5000
_MLFLOW_RETRIES = "4"
_MLFLOW_BACKOFF = "1"
_MLFLOW_SECONDS = "60"
# Of one session; what decides how much work a plan is, and what a text of a time means.
_SESSION_SETTINGS = {
    "spark.sql.session.timeZone": "UTC",
    "spark.sql.execution.arrow.pyspark.enabled": "true",
    "spark.sql.shuffle.partitions": "2",
}


@dataclass(frozen=True)
class RemoteTarget:
    """Servers of Spark and MLflow.

    Attributes:
        problem: The problem, for its names.
        state: The state folder, where a stack may be that was started here.
        workers: How many of its tasks may run at once; None where nobody said.
    """

    problem: Problem
    state: State
    workers: int | None = None
    name: TargetName = field(default="remote", init=False)

    @property
    def names(self) -> Names:
        """What things are called there."""
        if "remote" not in self.problem.names:
            raise RequirementError("the problem says no names for target remote; add a section [names.remote]")
        return self.problem.names["remote"]

    def spark(self) -> SparkSession:
        """Return the session.

        Raises:
            RequirementError: If the server cannot be reached, or refuses the token.
        """
        return self._session

    @cached_property
    def tables(self) -> Tables:
        """Delta tables in the server's warehouse."""
        return ServerTables(names=self.names, spark=self.spark)

    @cached_property
    def tracking(self) -> Tracking:
        """MLflow over HTTP; artefacts go through its server."""
        self.settings.give_credentials()
        os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", _MLFLOW_RETRIES)
        os.environ.setdefault("MLFLOW_HTTP_REQUEST_BACKOFF_FACTOR", _MLFLOW_BACKOFF)
        os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", _MLFLOW_SECONDS)
        return Tracking(
            tracking_uri=self.settings.mlflow, registry_uri=self.settings.mlflow, experiment=self.names.experiment
        )

    @cached_property
    def ledger(self) -> PromotionLedger:
        """Records on the MLflow server, whose experiment names are the atomic primitive."""
        from gauntlet.adapters.ledger_server import ServerLedger  # noqa: PLC0415 - not every command needs it
        from gauntlet.adapters.promotion_ledger import PromotionLedger  # noqa: PLC0415

        return PromotionLedger(ServerLedger(self.tracking))

    @property
    def not_checked(self) -> tuple[str, ...]:
        """What the servers cannot show."""
        return self.settings.not_checked

    @property
    def spark_settings(self) -> dict[str, str]:
        """None: the session is not started here."""
        return {}

    @cached_property
    def settings(self) -> RemoteSettings:
        """Where the servers are."""
        return remote_settings(self.state)

    @cached_property
    def _session(self) -> SparkSession:
        self.settings.give_credentials()
        try:
            return shared_session(self.settings.spark, prepare=_prepare)
        except ImportError as error:
            raise RequirementError(
                f"pyspark's Connect client lacks something ({error}); pip install 'gauntlet-mlops[local]'"
            ) from error
        except Exception as error:
            raise _unreachable(self.settings.spark, error) from error


def _prepare(session: Any) -> None:
    _limit_retries(session)
    for name, value in _SESSION_SETTINGS.items():
        session.conf.set(name, value)
    send_package(session)


def _limit_retries(session: Any) -> None:
    from pyspark.sql.connect.client.retries import DefaultPolicy  # noqa: PLC0415 - imported where Spark is

    policy = DefaultPolicy(max_retries=_SPARK_RETRIES, max_backoff=_SPARK_LONGEST_WAIT_MILLISECONDS)
    session.client.set_retry_policies([policy])


def send_package(session: Any) -> None:
    """Send this package to the session's workers, so that they run the very code that the client has."""
    package = Path(gauntlet.__file__).parent
    with tempfile.TemporaryDirectory(prefix="gauntlet-package-") as folder:
        archive = Path(folder) / "gauntlet_package.zip"
        with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as written:
            # The generator's numbers are read where its rows are made.
            for path in sorted([*package.rglob("*.py"), *package.rglob("*.json")]):
                written.write(path, Path("gauntlet") / path.relative_to(package))
        session.addArtifacts(str(archive), pyfile=True)


def _unreachable(address: str, error: Exception) -> RequirementError:
    reason = " ".join(str(error).split())[:300]
    return RequirementError(
        f"{address}: Spark's server cannot be used ({type(error).__name__}: {reason}); see that it is up and that "
        f"{TOKEN_VARIABLE} is its token (`gauntlet stack status`)"
    )
