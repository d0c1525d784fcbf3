"""Somebody outside a workspace: the stand-in, with the shared servers' Spark in place of its cluster."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from gauntlet.adapters.stack import Stack
from tests.workspace_stand_in.connect_client import CATALOG, CLUSTER, RUNTIME, SCHEMA, Compute
from tests.workspace_stand_in.server import Workspace, started

TARGET = ("--target", "databricks", "--set", f"names.databricks.catalog={CATALOG}")
PROGRAM = "tests.workspace_stand_in.connect_client"


@dataclass(frozen=True)
class Outside:
    """Somebody outside the workspace.

    Attributes:
        workspace: The workspace.
        environment: What their processes find in their environment.
    """

    workspace: Workspace
    environment: Mapping[str, str]


@contextmanager
def outside(stack: Stack, programs: Mapping[str, str], folder: Path) -> Iterator[Outside]:
    """Serve the workspace, with the wines where a workspace has its samples, and nowhere else.

    Args:
        stack: The servers whose Spark is the cluster; what it can read lies in their storage.
        programs: The environment of a client.
        folder: A folder of the workspace's and the client's own.
    """
    mounts = stack.folder / "storage" / "mounts"
    (mounts / "Volumes").mkdir(parents=True)
    (mounts / "databricks-datasets").mkdir()
    if "GAUNTLET_DATA_DIR" in os.environ:
        shutil.copytree(os.environ["GAUNTLET_DATA_DIR"], mounts / "databricks-datasets" / "wine-quality")
    where, secrets = {status.name: status.address for status in stack.status()}, stack.secrets()
    assert secrets is not None
    compute = Compute(where["spark"], secrets.token, mounts)
    workspace = Workspace(folder, SCHEMA, clusters={CLUSTER: f"{RUNTIME}.4.x-cpu-ml-scala2.12"})
    workspace.files.disk = mounts
    with started(workspace):
        kept = {name: value for name, value in programs.items() if name != "GAUNTLET_DATA_DIR"}
        own = {"DATABRICKS_CONFIG_FILE": str(folder / "no-profiles"), "GAUNTLET_CACHE_DIR": str(folder / "cache")}
        yield Outside(workspace, {**kept, **workspace.environment, **compute.environment, **own})
