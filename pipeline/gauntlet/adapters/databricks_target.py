"""This module provides target ``databricks``: a workspace's Spark, its MLflow, and Unity Catalog.

From a machine outside, Spark is reached by databricks-connect; in a job or notebook it is the one that is there.
Everything else goes over REST, so that a promotion or an audit of what needs no table needs no cluster.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

from gauntlet.adapters.databricks_compute import open_session
from gauntlet.adapters.databricks_settings import DatabricksSettings, databricks_settings
from gauntlet.adapters.databricks_tables import UnityTables
from gauntlet.adapters.tables import Tables
from gauntlet.adapters.tracking import Tracking
from gauntlet.adapters.workspace_files import WorkspaceFiles
from gauntlet.core.errors import RequirementError
from gauntlet.core.problem import Names, Problem
from gauntlet.core.section import TargetName
from gauntlet.core.state import State

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

    from gauntlet.adapters.promotion_ledger import PromotionLedger

# A model has one ledger, whichever problem file it is named in; so its place hangs on nothing else.
LEDGER_FOLDER = "/Shared/gauntlet-ledger"
# MLflow's client would try again for minutes.
_MLFLOW_LIMITS = {
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "4",
    "MLFLOW_HTTP_REQUEST_BACKOFF_FACTOR": "1",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "60",
    "MLFLOW_DATABRICKS_ENDPOINT_HTTP_RETRY_TIMEOUT": "60",
}


@dataclass(frozen=True)
class DatabricksTarget:
    """A Databricks workspace.

    Attributes:
        problem: The problem, for its names.
        state: The state folder; for a job one in a volume.
        workers: How many of its tasks may run at once; None where nobody said.
    """

    problem: Problem
    state: State
    workers: int | None = None
    name: TargetName = field(default="databricks", init=False)

    @property
    def names(self) -> Names:
        """What things are called there."""
        if "databricks" not in self.problem.names:
            raise RequirementError("the problem says no names for target databricks; add a section [names.databricks]")
        return self.problem.names["databricks"]

    def spark(self) -> SparkSession:
        """Return the session.

        Raises:
            RequirementError: If there is no client that fits, or the compute cannot be reached.
        """
        return self._session

    @cached_property
    def tables(self) -> Tables:
        """Delta tables of the schema."""
        return UnityTables(names=self.names, spark=self.spark, settings=lambda: self.settings)

    @cached_property
    def tracking(self) -> Tracking:
        """The workspace's MLflow, with Unity Catalog's registry.

        Raises:
            RequirementError: If the workspace cannot be reached, or refuses.
        """
        self.settings.user()
        for name, value in _MLFLOW_LIMITS.items():
            os.environ.setdefault(name, value)
        return Tracking(
            tracking_uri="databricks",
            registry_uri="databricks-uc",
            experiment=self.names.experiment,
            make_folder=WorkspaceFiles(self.settings).make_folder,
        )

    @cached_property
    def ledger(self) -> PromotionLedger:
        """Records in the workspace, whose experiment names are the atomic primitive."""
        from gauntlet.adapters.ledger_server import ServerLedger  # noqa: PLC0415 - not every command needs it
        from gauntlet.adapters.promotion_ledger import PromotionLedger  # noqa: PLC0415

        return PromotionLedger(ServerLedger(self.tracking, prefix=LEDGER_FOLDER))

    @property
    def not_checked(self) -> tuple[str, ...]:
        """What a workspace does not let anybody see."""
        return ("The bytes of the tables' files, which Unity Catalog keeps to itself: their rows are compared.",)

    @property
    def spark_settings(self) -> dict[str, str]:
        """None: the session is not started here."""
        return {}

    @cached_property
    def settings(self) -> DatabricksSettings:
        """Which workspace it is."""
        return databricks_settings()

    @cached_property
    def _session(self) -> SparkSession:
        return open_session(self.settings)
