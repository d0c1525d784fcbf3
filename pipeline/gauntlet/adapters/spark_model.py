"""This module provides packed models as functions of Spark: a struct of features in, a double out.

A booster that was packed by this version of Gauntlet is answered from Arrow's buffers, without MLflow in the workers
(``booster_function``). All other models go the general way, in which the signature is enforced and the model's own code
runs: on classic Spark by MLflow's ``spark_udf``. Under Spark Connect MLflow's function would have every worker ask the
registry for the model, with credentials that a worker shall not have; so there the client sends the model's files to
the server, once a session, and the workers load them with MLflow. Files are sent under the digest of what they hold, so
that a warm worker never takes one model for another.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import tempfile
import zlib
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

# pyspark reads the kind of a function from its annotations, so both have to be known by their names here.
import pandas as pd
import pyarrow as pa

from gauntlet.adapters import booster_function
from gauntlet.adapters.artefact_files import file_digests
from gauntlet.adapters.booster_function import BoosterFunction
from gauntlet.core.canonical import digest

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

    from gauntlet.adapters.artefact_copies import VerifiedCopy

Form = Literal["arrow", "pandas"]

# A function travels with its booster, to each task; larger ones are sent as files, once.
_MOST_BYTES = 32_000_000
_ARROW_FUNCTIONS_SINCE = (4, 1)
_CODE = Path(__file__).with_name("probability_model.py")
_SENT: set[tuple[str, str]] = set()


def spark_function(spark: SparkSession, copy: VerifiedCopy) -> Any:
    """Return the function of a packed model; workers are given its files, and ask no registry.

    Args:
        spark: The session.
        copy: The packed model.
    """
    booster = packed_booster(copy.folder, slots=_slots(spark))
    if booster is not None:
        return booster_udf(booster, form=_form(spark))
    return _sent_function(spark, copy.folder) if _is_remote(spark) else _mlflow_function(spark, copy.folder)


def accelerated_function(spark: SparkSession, copy: VerifiedCopy) -> Any | None:
    """Return the function of a packed booster with oneDAL's predictor; None if the model is no such booster.

    Args:
        spark: The session, whose workers must have ``daal4py``.
        copy: The packed model.
    """
    booster = packed_booster(copy.folder, slots=_slots(spark), accelerated=True)
    return None if booster is None else booster_udf(booster, form=_form(spark))


def packed_booster(folder: Path, *, slots: int | None, accelerated: bool = False) -> BoosterFunction | None:
    """Return what workers run for a packed booster; None if only the general way is right for the model.

    That is so if its code is not, byte for byte, the code that ``BoosterFunction`` repeats, if its signature is not the
    one that such code is packed with, or if it is too large to travel with a function.

    Args:
        folder: The packed model.
        slots: How many tasks run at once on a machine; None for one on each core.
        accelerated: Whether oneDAL's predictor takes the place of XGBoost's.
    """
    from mlflow.models import Model  # noqa: PLC0415 - takes seconds to import

    document = Model.load(str(folder))
    flavor = document.flavors.get("python_function", {})
    files = {name: folder / given["path"] for name, given in (flavor.get("artifacts") or {}).items()}
    code = folder / Path(flavor.get("model_code_path") or "none").name
    if files.keys() != {"booster", "encoding"} or not code.is_file() or code.read_bytes() != _CODE.read_bytes():
        return None
    columns: list[dict[str, Any]] = json.loads(files["encoding"].read_text(encoding="utf-8"))["columns"]
    optional = _optional(document, columns)
    booster = zlib.compress(files["booster"].read_bytes(), level=1)
    if optional is None or len(booster) > _MOST_BYTES:
        return None
    return BoosterFunction(booster, columns=columns, optional=optional, slots=slots, accelerated=accelerated)


def booster_udf(booster: BoosterFunction, *, form: Form) -> Any:
    """Return a packed booster as a function of Spark.

    Args:
        booster: The packed booster.
        form: Whether Spark hands it Arrow's arrays, or pandas frames made of them.
    """
    from pyspark import cloudpickle  # noqa: PLC0415 - imported where Spark is
    from pyspark.sql.pandas import functions  # noqa: PLC0415 - imported where Spark is

    cloudpickle.register_pickle_by_value(booster_function)  # type: ignore[no-untyped-call]

    # These run in Spark's workers: they name nothing of this module but what pyspark reads from their annotations.
    def answer_arrow(structs: Iterator[pa.Array]) -> Iterator[pa.Array]:
        yield from booster.arrow(structs)

    def answer_pandas(frames: Iterator[pd.DataFrame]) -> Iterator[pd.Series]:
        yield from booster.pandas(frames)

    if form == "arrow":
        return functions.arrow_udf(answer_arrow, "double")  # type: ignore[call-overload]
    return functions.pandas_udf(answer_pandas, "double")  # type: ignore[call-overload] # the kind is in the annotations


def _optional(document: Any, columns: list[dict[str, Any]]) -> frozenset[str] | None:
    """Return the features that a signature lets be left out; None if it is not the signature of these columns."""
    signature = document.signature.to_dict() if document.signature else {}
    inputs, outputs = (json.loads(signature.get(name) or "[]") for name in ("inputs", "outputs"))
    expected = {column["name"]: "double" if column["kind"] == "number" else "string" for column in columns}
    if len(inputs) != len(columns) or {given.get("name"): given["type"] for given in inputs} != expected:
        return None
    if signature.get("params") or [given["type"] for given in outputs] != ["double"]:
        return None
    return frozenset(given["name"] for given in inputs if not given["required"])


def _form(spark: SparkSession) -> Form:
    """Return the form of function that the session's Spark knows."""
    found = re.match(r"(\d+)\.(\d+)", str(spark.version))
    return "arrow" if found and (int(found[1]), int(found[2])) >= _ARROW_FUNCTIONS_SINCE else "pandas"


def _slots(spark: SparkSession) -> int | None:
    """Return how many tasks run at once on one of the session's machines; None if that is one on each core."""
    from pyspark.errors import PySparkException  # noqa: PLC0415 - imported where Spark is

    try:
        master, cores, task = (
            str(spark.conf.get(name, "")) for name in ("spark.master", "spark.executor.cores", "spark.task.cpus")
        )
    except PySparkException:  # a server that keeps its settings to itself
        return None
    local = re.match(r"local(?:\[(\d+|\*))?", master)
    if local:
        return None if local[1] == "*" else int(local[1] or 1)
    return max(1, int(cores) // int(task or 1)) if cores.isdigit() else None


def start_workers(spark: SparkSession) -> None:
    """Have Spark's Python workers started, with what a booster's function imports there, before a function is asked."""

    # This runs in Spark's workers: it names nothing of this module but what is imported there.
    def imported(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        import pandas  # noqa: F401, PLC0415 - that is all it is for
        import xgboost  # noqa: F401, PLC0415 - as above

        yield from batches

    slots = _slots(spark) or os.cpu_count() or 1
    with suppress(Exception):  # whoever asks a worker next is told
        spark.range(0, slots, 1, slots).mapInArrow(imported, "id long").collect()


def _is_remote(spark: SparkSession) -> bool:
    """Say whether the session is one of Spark Connect, which has no context and shares no disk with its workers."""
    return ".connect." in type(spark).__module__


def _mlflow_function(spark: SparkSession, folder: Path) -> Any:
    import mlflow  # noqa: PLC0415 - takes seconds to import

    # MLflow copies the folder now, and hands that copy to the workers.
    return mlflow.pyfunc.spark_udf(spark, model_uri=str(folder), result_type="double", env_manager="local")


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
