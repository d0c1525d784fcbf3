"""This module provides MLflow tracking: runs that a second try finds again instead of making them twice."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

from gauntlet.adapters.fresh_database import copy_fresh_database, keep_fresh_database

if TYPE_CHECKING:
    from mlflow.entities import Run
    from mlflow.tracking import MlflowClient

STAGE_KEY_TAG = "gauntlet.stage_key"
STAGE_TAG = "gauntlet.stage"

# MLflow's fluent interface has one address for the whole process: of several roads in it, one at a time may use it.
_FLUENT = threading.RLock()


def sqlite_address(file: Path) -> str:
    """Return the address of an SQLite file: some versions of SQLAlchemy take percent signs for an encoding."""
    plain = f"sqlite:///{file}"
    return plain if sqlite_file(plain) == file else f"sqlite:///{quote(str(file))}"


def sqlite_file(address: str) -> Path | None:
    """Return the file of an SQLite address; None for every other address."""
    if not address.startswith("sqlite:///"):
        return None
    if not set(address) & set("%?"):
        return Path(address.removeprefix("sqlite:///"))
    from sqlalchemy import make_url  # noqa: PLC0415 - takes a while to import, and few paths need it

    return Path(make_url(address).database or "")


def artifact_address(path: Path) -> str:
    """Return a path as MLflow takes it: it decodes what looks like a percent encoding, so such a path is encoded."""
    return path.absolute().as_uri() if "%" in str(path) else str(path)


@dataclass(frozen=True)
class Tracking:
    """An MLflow tracking server (or file) with its registry.

    Attributes:
        tracking_uri: Where runs are.
        registry_uri: Where registered models are.
        experiment: The experiment that runs belong to.
        artifact_location: Where a new experiment keeps its artefacts; None leaves it to the server.
        make_folder: Makes the folder of a new experiment, where experiments lie in folders; None where they do not.
    """

    tracking_uri: str
    registry_uri: str
    experiment: str
    artifact_location: str | None = None
    make_folder: Callable[[str], None] | None = None

    @cached_property
    def client(self) -> MlflowClient:
        """MLflow's client, made at the first use; the fluent interface is pointed at the same place."""
        os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
        file = sqlite_file(self.tracking_uri)
        if file is not None:
            file.parent.mkdir(parents=True, exist_ok=True)
        with self.fluent():
            import mlflow  # noqa: PLC0415 - takes seconds to import

            fresh = file is not None and copy_fresh_database(file)
            # Two clients made at once would migrate their databases at once, by one global object of Alembic's.
            client = mlflow.MlflowClient(tracking_uri=self.tracking_uri, registry_uri=self.registry_uri)
            if file is not None and fresh:
                keep_fresh_database(file)
            return client

    @contextmanager
    def fluent(self) -> Iterator[None]:
        """Point MLflow's fluent interface here, and let no other thread point it elsewhere while the block runs."""
        with _FLUENT:
            self._point()
            yield

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Hold what a process has only once, MLflow's fluent interface included, against all other threads.

        So the stages of several roads in one process do not meet in Great Expectations' context, in matplotlib's
        settings or in the trap for global randomness. MLflow is not imported for it.
        """
        with _FLUENT:
            if "client" in vars(self):
                self._point()
            yield

    def _point(self) -> None:
        import mlflow  # noqa: PLC0415 - takes seconds to import

        mlflow.set_tracking_uri(self.tracking_uri)
        mlflow.set_registry_uri(self.registry_uri)

    @cached_property
    def experiment_id(self) -> str:
        """The experiment's identifier; the experiment is made at the first use."""
        found = self.client.get_experiment_by_name(self.experiment)
        if found is not None:
            return str(found.experiment_id)
        return self.create_experiment(self.experiment)

    def create_experiment(self, name: str, *, tags: Mapping[str, str] | None = None) -> str:
        """Make an experiment with its tags, in one step, and return its identifier."""
        if self.make_folder is not None:
            self.make_folder(name.rpartition("/")[0])
        made = self.client.create_experiment(name, artifact_location=self.artifact_location, tags=dict(tags or {}))
        return str(made)

    @contextmanager
    def stage_run(self, stage: str, *, key: str, tags: Mapping[str, str] | None = None) -> Iterator[Run]:
        """Open the one run of a stage under a key; what a killed try left under that key is taken away first.

        The run is the thread's own, as MLflow has it; the fluent interface is held while it is opened and closed only.

        Args:
            stage: The stage's name, also the run's.
            key: The stage's key.
            tags: Further tags.
        """
        import mlflow  # noqa: PLC0415 - takes seconds to import

        self.discard_runs(key)
        marks = {STAGE_TAG: stage, STAGE_KEY_TAG: key, **(tags or {})}
        with self.fluent():
            run = mlflow.start_run(experiment_id=self.experiment_id, run_name=stage, tags=marks)
        try:
            yield run
        except BaseException:
            with self.fluent():
                mlflow.end_run("FAILED")
            raise
        with self.fluent():
            mlflow.end_run()

    def discard_runs(self, key: str) -> None:
        """Delete the runs made under a key, children included, but for those that a registered version comes from."""
        ours = f"tags.`{STAGE_KEY_TAG}` = '{key}'"
        kept: set[str] = set()
        # A search returns one page, and deleted runs are not found again: ask until only those are left that are kept.
        while found := self.client.search_runs([self.experiment_id], filter_string=ours):
            left = [run.info.run_id for run in found if run.info.run_id not in kept]
            if not left:
                return
            for run_id in left:
                if self.client.search_model_versions(f"run_id='{run_id}'"):
                    kept.add(run_id)
                else:
                    self.client.delete_run(run_id)
