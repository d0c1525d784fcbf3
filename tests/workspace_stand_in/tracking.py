"""MLflow tracking with logged models: MLflow's own handlers on a database, with a workspace's names and places.

What differs from MLflow's server: experiments have absolute paths, in folders that are there, and may not lie where
something else does; artefacts lie where only the Files API reaches them.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from tests.workspace_stand_in.answers import Answer, Request, invalid, taken
from tests.workspace_stand_in.tree import Entry, Tree

_PREFIX = "/api/2.0/mlflow/"
_PARTS = ("experiments", "runs", "logged-models", "metrics")
# MLflow's own server and the workspace name the folder of logged models differently.
_OWN, _REAL = b"/models/m-", b"/logged_models/m-"


@dataclass
class Tracking:
    """The experiments, runs and logged models.

    Attributes:
        folder: Where the database is.
        tree: The workspace's tree, where experiments lie.
    """

    folder: Path
    tree: Tree
    lock: threading.Lock = field(default_factory=threading.Lock)

    def answer(self, request: Request) -> Answer | None:
        """Answer a request, if it is one of MLflow's tracking."""
        name = request.path.removeprefix(_PREFIX)
        if not request.path.startswith(_PREFIX) or name.partition("/")[0] not in _PARTS:
            return None
        if name == "experiments/create":
            with self.lock:
                return self._create(request)
        return self._handled(request)

    def _create(self, request: Request) -> Answer:
        path = str(request.document.get("name", ""))
        if not path.startswith("/"):
            raise invalid(f"Experiment name must be an absolute path, for example '/Users/me/experiment'. Got '{path}'")
        self.tree.require_parent(path)
        if path in self.tree.entries:
            raise taken(f"Node named '{path}' already exists")
        answer = self._handled(request)
        if answer.status == 200:
            self.tree.entries[path] = Entry("MLFLOW_EXPERIMENT")
        return answer

    def _handled(self, request: Request) -> Answer:
        from mlflow.server import app, handlers  # noqa: PLC0415 - takes seconds to import

        handlers._tracking_store = self.store  # MLflow's handlers have one store for the process
        given = app.test_client().open(
            request.address, method=request.method, data=request.body, content_type=request.kind or None
        )
        return Answer(given.status_code, given.data.replace(_OWN, _REAL))

    @cached_property
    def store(self) -> Any:
        """MLflow's store on the database."""
        from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore  # noqa: PLC0415 - takes seconds to import

        return SqlAlchemyStore(f"sqlite:///{self.folder}/tracking.db", "dbfs:/databricks/mlflow-tracking")
