"""The target of the session, for tests that run on any: each with names of its own, where tests share servers."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from gauntlet.adapters.remote_settings import MLFLOW_VARIABLE, SPARK_VARIABLE, remote_settings
from gauntlet.adapters.target import Target, open_target
from gauntlet.core.canonical import digest
from gauntlet.core.problem import Names, Problem
from gauntlet.core.section import TargetName
from gauntlet.core.state import State

# The workspace's schema that tests may use, CATALOG.SCHEMA.
LIVE_SCHEMA = "GAUNTLET_LIVE_SCHEMA"


@dataclass(frozen=True)
class SessionTarget:
    """Where the tests of a session run.

    Attributes:
        name: The target's name.
        state: The session's state folder, where a stack may be.
        environment: What a process needs to find its servers.
    """

    name: TargetName
    state: Path
    environment: Mapping[str, str] = field(default_factory=dict, repr=False)

    @classmethod
    def of(cls, name: TargetName, state: Path) -> SessionTarget:
        """Return the target of a name.

        Raises:
            RequirementError: If nobody says where its servers are.
        """
        if name != "remote":
            return cls(name, state)
        where = remote_settings(State(state))
        return cls(name, state, {SPARK_VARIABLE: where.spark, MLFLOW_VARIABLE: where.mlflow, **where.credentials})

    def names(self, problem: Problem, folder: Path) -> dict[str, Any]:
        """Return what the names of a problem are replaced by for whoever works in a folder, by key.

        On this machine the folder tells them apart.
        """
        mark = digest(str(folder))[:12]
        if self.name == "local":
            return {}
        if self.name == "remote":
            names = problem.names[self.name]
            return {"schema": f"{names.schema_name}_{mark}", "experiment": f"{names.experiment}_{mark}"}
        catalog, _, schema = os.environ.get(LIVE_SCHEMA, "").partition(".")
        there = {"catalog": catalog, "schema": schema} if schema else {}
        return there | {"model": f"wine_{mark}", "experiment": f"/Shared/gauntlet-tests/{mark}"}

    def open(self, problem: Problem, state: State, *, session: Any = None) -> Target:
        """Return the target for a state folder.

        Args:
            problem: The problem.
            state: The state folder.
            session: The session that all tests share; None opens one.
        """
        replaced = self.names(problem, state.root)
        if replaced:
            given = problem.names[self.name].model_dump(by_alias=True) | replaced
            problem = problem.model_copy(update={"names": problem.names | {self.name: Names(**given)}})
        target = open_target(self.name, problem=problem, state=state, workers=2)
        if session is not None and self.name != "local":
            vars(target)["_session"] = session  # where the target keeps its own
        return target
