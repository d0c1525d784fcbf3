"""This module provides MLflow tracking: runs that a second try finds again instead of making them twice."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from gauntlet.core.errors import RequirementError

if TYPE_CHECKING:
    from mlflow.entities import Run
    from mlflow.tracking import MlflowClient

STAGE_KEY_TAG = "gauntlet.stage_key"
STAGE_TAG = "gauntlet.stage"


@dataclass(frozen=True)
class Tracking:
    """An MLflow tracking server (or file) with its registry.

    Attributes:
        tracking_uri: Where runs are.
        registry_uri: Where registered models are.
        experiment: The experiment that runs belong to.
        artifact_location: Where a new experiment keeps its artefacts; None leaves it to the server.
    """

    tracking_uri: str
    registry_uri: str
    experiment: str
    artifact_location: str | None = None

    @cached_property
    def client(self) -> MlflowClient:
        """MLflow's client, made at the first use; the fluent interface is pointed at the same place."""
        os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
        if self.tracking_uri.startswith("sqlite:///"):
            Path(self.tracking_uri.removeprefix("sqlite:///")).parent.mkdir(parents=True, exist_ok=True)
        import mlflow  # noqa: PLC0415 - takes seconds to import

        mlflow.set_tracking_uri(self.tracking_uri)
        mlflow.set_registry_uri(self.registry_uri)
        return mlflow.MlflowClient(tracking_uri=self.tracking_uri, registry_uri=self.registry_uri)

    @cached_property
    def experiment_id(self) -> str:
        """The experiment's identifier; the experiment is made at the first use."""
        found = self.client.get_experiment_by_name(self.experiment)
        if found is not None:
            return str(found.experiment_id)
        return str(self.client.create_experiment(self.experiment, artifact_location=self.artifact_location))

    @contextmanager
    def stage_run(self, stage: str, *, key: str, tags: Mapping[str, str] | None = None) -> Iterator[Run]:
        """Open the one run of a stage under a key; what a killed try left under that key is taken away first.

        Args:
            stage: The stage's name, also the run's.
            key: The stage's key.
            tags: Further tags.
        """
        import mlflow  # noqa: PLC0415 - takes seconds to import

        self.discard_runs(key)
        marks = {STAGE_TAG: stage, STAGE_KEY_TAG: key, **(tags or {})}
        with mlflow.start_run(experiment_id=self.experiment_id, run_name=stage, tags=marks) as run:
            yield run

    def local_copy(self, uri: str) -> Path:
        """Return the folder of a model's files: the files themselves where they are on this machine, else a copy.

        Raises:
            RequirementError: If they cannot be had.
        """
        import mlflow  # noqa: PLC0415 - takes seconds to import

        _ = self.client
        mlflow.set_tracking_uri(self.tracking_uri)
        mlflow.set_registry_uri(self.registry_uri)
        try:
            return Path(mlflow.artifacts.download_artifacts(uri, tracking_uri=self.tracking_uri))
        except Exception as error:
            reason = " ".join(str(error).split())[:300]
            raise RequirementError(
                f"the files of {uri} cannot be had ({type(error).__name__}: {reason}); see to MLflow's store, or pack "
                "the model again with --from package"
            ) from error

    def discard_runs(self, key: str) -> None:
        """Delete the runs made under a key, children included."""
        ours = f"tags.`{STAGE_KEY_TAG}` = '{key}'"
        # A search returns one page, and deleted runs are not found again: ask until there are none left.
        while found := self.client.search_runs([self.experiment_id], filter_string=ours):
            for run in found:
                self.client.delete_run(run.info.run_id)
