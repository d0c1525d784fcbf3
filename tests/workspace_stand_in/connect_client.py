"""databricks-connect for the tests: ``gauntlet`` in a process whose cluster is a Spark Connect server with Delta.

Usage: python -m tests.workspace_stand_in.connect_client ARGUMENTS OF GAUNTLET

What stands in is the module ``databricks.connect`` alone. The session that it opens is one of pyspark's own Spark
Connect client to a server in another process. A cluster has ``/Volumes`` and ``/databricks-datasets`` in its file
system; here they are folders that the server may read. Unity Catalog's tables are in the catalog that the server has.
"""

from __future__ import annotations

import importlib.metadata
import os
import sys
import types
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gauntlet.adapters.databricks_compute import PYTHON_OF_RUNTIME

CLUSTER = "0101-wine"
CATALOG = "spark_catalog"
SCHEMA = f"{CATALOG}.wine_quality"
SPARK, MOUNTS = "STAND_IN_SPARK", "STAND_IN_MOUNTS"
_PYTHON = f"{sys.version_info.major}.{sys.version_info.minor}"
# The newest runtime with this Python; where none has it, one is made up.
RUNTIME = max((number for number, python in PYTHON_OF_RUNTIME.items() if python == _PYTHON), default=99)


@dataclass(frozen=True)
class Compute:
    """A server that stands in for a cluster.

    Attributes:
        address: Its address, ``sc://HOST:PORT``.
        token: What it asks for.
        mounts: A folder that it may read, which holds ``Volumes`` and ``databricks-datasets``.
    """

    address: str
    token: str
    mounts: Path

    @property
    def environment(self) -> dict[str, str]:
        """What the environment of a client holds."""
        return {
            SPARK: self.address,
            MOUNTS: str(self.mounts),
            "SPARK_CONNECT_AUTHENTICATE_TOKEN": self.token,
            "DATABRICKS_CLUSTER_ID": CLUSTER,
        }


class _Builder:
    """The builder of sessions."""

    def sdkConfig(self, config: Any) -> _Builder:  # noqa: N802 - databricks-connect's name
        """Take the SDK's settings, which must lead to the cluster."""
        if config.cluster_id != CLUSTER:
            raise ValueError(f"there is no cluster {config.cluster_id}")
        return self

    def getOrCreate(self) -> Any:  # noqa: N802 - databricks-connect's name
        """Open a session."""
        from pyspark.sql import SparkSession  # noqa: PLC0415 - takes a while to import

        session = SparkSession.builder.remote(os.environ[SPARK]).create()
        # Terraform makes the schema (infra_modules/unity_catalog).
        session.sql(f"CREATE SCHEMA IF NOT EXISTS {SCHEMA}")
        for name, value in _file_system(Path(os.environ[MOUNTS])).items():
            session.conf.set(name, value)
        return session


def _file_system(mounts: Path) -> dict[str, str]:
    """Return the settings by which paths without a scheme, and those of scheme ``dbfs``, lie in the mounts."""
    links = {folder: f"file://{mounts / folder}" for folder in ("Volumes", "databricks-datasets")}
    return {
        "fs.defaultFS": "dbfs:///",
        "fs.dbfs.impl": "org.apache.hadoop.fs.viewfs.ViewFileSystemOverloadScheme",
        **{f"fs.viewfs.mounttable.default.link./{name}": place for name, place in links.items()},
    }


def install() -> None:
    """Put the stand-in where the product imports databricks-connect and asks for its version."""
    PYTHON_OF_RUNTIME.setdefault(RUNTIME, _PYTHON)
    module: Any = types.ModuleType("databricks.connect")
    module.DatabricksSession = types.SimpleNamespace(builder=_Builder())
    sys.modules["databricks.connect"] = module
    version_of = importlib.metadata.version
    importlib.metadata.version = lambda name: f"{RUNTIME}.4.0" if name == "databricks-connect" else version_of(name)


if __name__ == "__main__":
    from gauntlet.cli import main

    install()
    main()
