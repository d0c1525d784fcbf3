"""This module provides packed models as functions of Spark: a struct of features in, a double out.

On classic Spark that is MLflow's ``spark_udf``. Under Spark Connect MLflow's own function would have every worker ask
the registry for the model, with credentials that a worker shall not have; so there the client sends the model's files
to the server, once a session, and the workers ask the model in them as MLflow does: the signature is enforced, then the
model's code runs. Files are sent under the digest of what they hold, so that a warm worker never takes one model for
another.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

# pyspark reads the kind of a function from its annotations, so pandas has to be known by its name here.
import pandas as pd

from gauntlet.adapters.artefact_files import file_digests
from gauntlet.core.canonical import digest

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

    from gauntlet.adapters.registry import Registry
    from gauntlet.core.results import ModelVersion

_SENT: set[tuple[str, str]] = set()


def folder_function(spark: SparkSession, folder: Path) -> Any:
    """Return the function of a model in a folder of this machine's.

    Args:
        spark: The session.
        folder: The packed model.
    """
    return _sent_function(spark, folder) if _is_remote(spark) else _mlflow_function(spark, str(folder))


def version_function(spark: SparkSession, registry: Registry, version: ModelVersion) -> Any:
    """Return the function of a registered version.

    Args:
        spark: The session.
        registry: The version's registry; asked here, never by a worker.
        version: The version.

    Raises:
        RequirementError: If the version's files cannot be had.
    """
    if not _is_remote(spark):
        return _mlflow_function(spark, registry.uri(version))
    with registry.artefact(version) as folder:
        return _sent_function(spark, folder)


def _is_remote(spark: SparkSession) -> bool:
    """Say whether the session is one of Spark Connect, which has no context and shares no disk with its workers."""
    return ".connect." in type(spark).__module__


def _mlflow_function(spark: SparkSession, uri: str) -> Any:
    import mlflow  # noqa: PLC0415 - takes seconds to import

    return mlflow.pyfunc.spark_udf(spark, model_uri=uri, result_type="double", env_manager="local")


def _sent_function(spark: SparkSession, folder: Path) -> Any:
    from pyspark.sql.pandas.functions import pandas_udf  # noqa: PLC0415 - imported where Spark is

    name = _send(spark, folder)

    # This runs in Spark's workers: it is sent as it stands here, and names nothing else of this module.
    def predict(batches: Iterator[pd.DataFrame]) -> Iterator[pd.Series]:
        import logging  # noqa: PLC0415 - runs in Spark's worker
        from pathlib import Path as WorkerPath  # noqa: PLC0415

        import mlflow  # noqa: PLC0415
        import numpy as np  # noqa: PLC0415
        from pandas import Series  # noqa: PLC0415
        from pyspark import SparkFiles  # noqa: PLC0415

        logging.getLogger("mlflow").setLevel(logging.ERROR)
        model = mlflow.pyfunc.load_model(str(WorkerPath(SparkFiles.getRootDirectory()) / name / "model"))
        for rows in batches:
            if len(rows):
                given = np.asarray(model.predict(rows))
                if given.shape != (len(rows),):
                    raise ValueError(f"{len(rows)} rows were answered with shape {given.shape}")
                yield Series(given.astype("float64"))

    return pandas_udf(predict, "double")  # type: ignore[call-overload] # the kind is in the annotations


def _send(spark: Any, folder: Path) -> str:
    """Send a folder to the server unless this session did before; return the name that it has there."""
    name = f"gauntlet-model-{digest(file_digests(folder))[:32]}"
    if (spark.session_id, name) not in _SENT:
        with tempfile.TemporaryDirectory(prefix="gauntlet-model-") as temporary:
            copy = Path(temporary) / "content" / "model"
            shutil.copytree(folder, copy, ignore=shutil.ignore_patterns("__pycache__"))
            archive = shutil.make_archive(str(Path(temporary) / name), "zip", copy.parent)
            spark.addArtifacts(f"{archive}#{name}", archive=True)
        _SENT.add((spark.session_id, name))
    return name
