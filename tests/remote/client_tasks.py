"""What a client does in a process of its own, since a process can have one kind of Spark session only.

Usage: python -m tests.remote.client_tasks NAME FOLDER: prints what was found as JSON, on the last line.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from gauntlet.adapters.packing import log_packed
from gauntlet.adapters.registry import CHAMPION, Registry
from gauntlet.adapters.remote_target import RemoteTarget
from gauntlet.adapters.spark_model import spark_function
from gauntlet.adapters.suite_files import Expectation
from gauntlet.adapters.synthetic import synthetic_rows
from gauntlet.core.encoding import learn_encoding
from gauntlet.core.problem import Problem
from gauntlet.core.problem_file import load_problem
from gauntlet.core.results import ModelRecord, ModelVersion
from gauntlet.core.state import State
from gauntlet.gates.data_breaks import breakages, few_rows
from tests.verified import own_copy


def worker(folder: Path) -> Any:
    """Say what a Python worker of the server is and sees: its user, its environment, the client's file."""
    seen = folder / "client.txt"
    seen.write_text("mine", encoding="utf-8")

    def look(frames: Iterator[pd.DataFrame]) -> Iterator[pd.DataFrame]:
        import json as in_worker  # noqa: PLC0415 - runs in Spark's worker
        import os as system  # noqa: PLC0415
        from pathlib import Path as WorkerPath  # noqa: PLC0415

        for _ in frames:
            found = [system.getuid(), sorted(system.environ), WorkerPath(str(seen)).exists()]
            yield pd.DataFrame({"found": [in_worker.dumps(found)]})

    spark = _target(folder).spark()
    rows = spark.range(0, 1, 1, 1).mapInPandas(look, "found string").collect()
    user, names, sees = json.loads(rows[0]["found"])
    try:
        read = spark.read.text(str(seen)).count()
    except Exception as error:
        read = type(error).__name__
    return {"user": user, "environment": names, "sees the client's file": sees, "reads the client's file": read}


def alias(folder: Path) -> Any:
    """Score with the version that an alias names, move the alias, and score again on the same worker."""
    problem = load_problem()
    target = _target(folder)
    spark = target.spark()
    registry = Registry(target.tracking, "gauntlet.tests.warm_worker")
    rows = _rows(problem)
    table = spark.createDataFrame(rows).coalesce(1)
    found: dict[str, Any] = {"probability": [], "version": [], "worker": [], "form": []}
    for flipped in (False, True):
        made = _version(registry, rows, folder=folder, flipped=flipped)
        registry.move_alias(CHAMPION, made, expected=registry.version_of(CHAMPION))
        champion = registry.version_of(CHAMPION)
        assert champion is not None
        with registry.artefact(champion) as artefact:
            function = spark_function(spark, own_copy(artefact))
        found["probability"].append(_scored(table, function, problem))
        found["worker"].append(_worker_process(spark))
        found["version"].append(champion.version)
        found["form"].append(function.func.__name__)
    return found


def made(folder: Path) -> Any:
    """Make wines on the server, break a table of them as a saboteur does, and count both."""
    spark = _target(folder).spark()
    wines = synthetic_rows(spark, rows=300, seed=1)
    whole = Expectation("alcohol::not_null", "expect_column_values_to_not_be_null", {"column": "alcohol"})
    (breakage,) = breakages([whole])
    broken = breakage(few_rows(wines))
    return {"wines": wines.count(), "broken": broken.count(), "missing": broken.where("alcohol IS NULL").count()}


def _scored(table: Any, function: Any, problem: Problem) -> list[float]:
    from pyspark.sql import functions as F  # noqa: N812, PLC0415 - pyspark's convention

    struct = F.struct(*[F.col(column.name) for column in problem.features])
    return [row["probability"] for row in table.select(function(struct).alias("probability")).collect()]


def _worker_process(spark: Any) -> int:
    def process(frames: Iterator[pd.DataFrame]) -> Iterator[pd.DataFrame]:
        import os as system  # noqa: PLC0415 - runs in Spark's worker

        for _ in frames:
            yield pd.DataFrame({"process": [system.getpid()]})

    return int(spark.range(0, 1, 1, 1).mapInPandas(process, "process long").collect()[0]["process"])


def _version(registry: Registry, rows: pd.DataFrame, *, folder: Path, flipped: bool) -> ModelVersion:
    """Register a booster that likes alcohol, or one that does not."""
    import mlflow  # noqa: PLC0415 - takes seconds to import
    import xgboost  # noqa: PLC0415 - takes seconds to import

    problem, state, tracking = load_problem(), State(folder), registry.tracking
    encoding = learn_encoding(rows, problem.features)
    label = (rows["alcohol"] > rows["alcohol"].median()).astype(int)
    matrix = xgboost.DMatrix(rows.to_numpy(dtype=np.float32), 1 - label if flipped else label)
    booster = xgboost.train({"objective": "binary:logistic", "max_depth": 2, "nthread": 1}, matrix, 5)
    booster.save_model(folder / "model.ubj")
    (folder / "encoding.json").write_text(encoding.model_dump_json(), encoding="utf-8")
    record = ModelRecord(
        name="sweep",
        family="booster",
        file=state.file_ref(folder / "model.ubj"),
        encoding=state.file_ref(folder / "encoding.json"),
        parameters={},
        auc_selection=1.0,
        importances={},
    )
    _ = tracking.client
    with mlflow.start_run(experiment_id=tracking.experiment_id):
        uri = log_packed(record, state=state, problem=problem, example=rows, tags={})
    return registry.create(model_uri=uri, tags={})


def _rows(problem: Problem) -> pd.DataFrame:
    generator = np.random.default_rng(1)
    return pd.DataFrame({column.name: generator.normal(10, 3, 60) for column in problem.features})


def _target(folder: Path) -> RemoteTarget:
    return RemoteTarget(problem=load_problem(), state=State(folder), workers=1)


TASKS: dict[str, Callable[[Path], Any]] = {"worker": worker, "alias": alias, "made": made}

if __name__ == "__main__":
    os.environ["MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR"] = "false"
    print(json.dumps(TASKS[sys.argv[1]](Path(sys.argv[2]))))
