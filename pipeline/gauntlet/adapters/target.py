"""This module provides targets: where Spark, the tables and MLflow are. A target is data; no stage branches on it."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from gauntlet.adapters.jars import delta_jars
from gauntlet.adapters.origin_files import size_of
from gauntlet.adapters.origins import local_bytes
from gauntlet.adapters.spark import local_settings, open_local_session
from gauntlet.adapters.state_place import require_in_place
from gauntlet.adapters.tables import DeltaTables, ParquetTables, Tables
from gauntlet.adapters.tracking import Tracking, artifact_address, sqlite_address
from gauntlet.core.errors import RequirementError
from gauntlet.core.problem import Names, Problem
from gauntlet.core.section import TargetName
from gauntlet.core.state import State

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

    from gauntlet.adapters.promotion_ledger import PromotionLedger


class Target(Protocol):
    """What a stage may ask of the place where it runs."""

    @property
    def name(self) -> TargetName:
        """The target's name, for messages and tags; nothing branches on it."""

    @property
    def problem(self) -> Problem:
        """The problem that it was opened for."""

    @property
    def names(self) -> Names:
        """What things are called there."""

    @property
    def tables(self) -> Tables:
        """Its tables."""

    @property
    def tracking(self) -> Tracking:
        """Its MLflow tracking and registry."""

    @property
    def ledger(self) -> PromotionLedger:
        """Its promotion ledger, the authority on who is champion."""

    @property
    def workers(self) -> int | None:
        """How many of its tasks may run at once; None where nobody said. It changes how long, and no result."""

    @property
    def not_checked(self) -> tuple[str, ...]:
        """What cannot be checked there, one sentence each."""

    def spark(self) -> SparkSession:
        """Return its Spark session, started at the first call."""

    @property
    def spark_settings(self) -> dict[str, str]:
        """The settings that its session is started with; none where a server's is asked."""


@dataclass(frozen=True)
class LocalTarget:
    """Everything on this machine, in one state folder: classic Spark, SQLite, Delta on disk.

    Attributes:
        problem: The problem, for its names.
        state: The state folder.
        workers: Spark's worker threads; None takes one for each core.
    """

    problem: Problem
    state: State
    workers: int | None = None
    name: TargetName = field(default="local", init=False)

    @property
    def names(self) -> Names:
        """What things are called here."""
        return self.problem.names["local"]

    def spark(self) -> SparkSession:
        """Return the local session."""
        return self._session

    @cached_property
    def tables(self) -> Tables:
        """Delta tables in the state folder, or Parquet where Delta's jars cannot be had."""
        kind = DeltaTables if self._jars else ParquetTables
        return kind(root=self.state.tables.resolve(), names=self.names, spark=self.spark)

    @cached_property
    def tracking(self) -> Tracking:
        """MLflow on a SQLite file and a folder; refused where the file names the folder of another state."""
        require_in_place(self.state)
        folder = self.state.mlflow.resolve()
        return Tracking(
            tracking_uri=sqlite_address(folder / "mlflow.db"),
            registry_uri=sqlite_address(folder / "mlflow.db"),
            experiment=self.names.experiment,
            artifact_location=artifact_address(folder / "artifacts"),
        )

    @cached_property
    def ledger(self) -> PromotionLedger:
        """A SQLite file in the state folder; its primary key is the atomic primitive."""
        from gauntlet.adapters.promotion_ledger import PromotionLedger  # noqa: PLC0415 - not every command needs it

        return PromotionLedger(self.state.promotions.resolve())

    @property
    def not_checked(self) -> tuple[str, ...]:
        """Delta, where its jars could not be had."""
        if self._jars:
            return ()
        return ("Tables are Parquet, not Delta: Delta's jars could not be had (see `gauntlet doctor`).",)

    @cached_property
    def spark_settings(self) -> dict[str, str]:
        """The settings of the local session, made once: for them the data are weighed."""
        return local_settings(
            jars=self._jars,
            warehouse=self.state.root.resolve() / "warehouse",
            workers=self.workers,
            data_bytes=local_bytes(self.problem) + size_of(self.state.tables),
        )

    @cached_property
    def _session(self) -> SparkSession:
        return open_local_session(self.spark_settings)

    @cached_property
    def _jars(self) -> tuple[Path, ...]:
        try:
            return delta_jars()
        except RequirementError:
            if os.environ.get("CI", "").lower() == "true":
                raise
            return ()


def open_target(name: TargetName, *, problem: Problem, state: State, workers: int | None = None) -> Target:
    """Return a target by name; nothing is asked of it yet."""
    if name == "remote":
        from gauntlet.adapters.remote_target import RemoteTarget  # noqa: PLC0415 - the others need nothing of it

        return RemoteTarget(problem=problem, state=state, workers=workers)
    if name == "databricks":
        from gauntlet.adapters.databricks_target import DatabricksTarget  # noqa: PLC0415 - the others need none of it

        return DatabricksTarget(problem=problem, state=state, workers=workers)
    return LocalTarget(problem=problem, state=state, workers=workers)
