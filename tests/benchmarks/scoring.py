"""Scoring Delta to Delta against MLflow's ``spark_udf`` and against the machine's limit, in one session and in turns.

The rows are wine-like, made by Spark from a seed; the model is a booster of 200 trees of depth 8, packed as the road
packs it. The limit is an Arrow function that returns its first column (what Spark's Python protocol costs) plus the
predictor alone on the same rows with all cores. Ours, the anchor and the limit go to the same sinks: one that throws
rows away, and a Delta table. Every way is warmed up before, so no time holds a worker's imports.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
import statistics
import tempfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Any

import mlflow
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import xgboost

from gauntlet.adapters import booster_function, probability_model
from gauntlet.adapters.artefact import quiet_mlflow
from gauntlet.adapters.jars import delta_jars
from gauntlet.adapters.packing import model_signature
from gauntlet.adapters.spark import local_settings, open_local_session
from gauntlet.adapters.spark_model import booster_udf, packed_booster, spark_function
from gauntlet.core.encoding import encode, learn_encoding
from gauntlet.core.problem_file import load_problem
from tests.verified import own_copy

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame, SparkSession

_TREES, _DEPTH, _TRAINING_ROWS, _SEED = 200, 8, 20_000, 7
_WARM_UP_ROWS = 40_000
# What a row of the wines takes in a file; Java is started as for that much data.
_ROW_BYTES = 60
_SINKS = ("noop", "delta")
_ACCELERATED = "accelerated"


@dataclass(frozen=True)
class Bench:
    """What the ways are measured with.

    Attributes:
        spark: The session.
        folder: Where tables and the model are.
        model: The packed model.
        features: The features' names.
    """

    spark: SparkSession
    folder: Path
    model: Path
    features: tuple[str, ...]

    def table(self, rows: int) -> DataFrame:
        """Return a Delta table of so many rows; it is made once."""
        path = self.folder / f"rows-{rows}"
        if not path.exists():
            from pyspark.sql import functions as F  # noqa: N812, PLC0415 - pyspark's own convention

            partitions = max(2 * _cores(), rows // 500_000)
            values = [(F.randn(_SEED + place) * 3 + 10).alias(name) for place, name in enumerate(self.features)]
            made = self.spark.range(0, rows, 1, partitions).select(F.col("id").alias("row_id"), *values)
            made.write.format("delta").save(str(path))
        return self.spark.read.format("delta").load(str(path))

    def seconds(self, function: Callable[[Column], Column], *, rows: int, sink: str) -> float:
        """Return how long a function takes for all rows of a table, into a sink."""
        from pyspark.sql import functions as F  # noqa: N812, PLC0415 - pyspark's own convention

        scored = self.table(rows).select("row_id", function(F.struct(*self.features)).alias("probability"))
        writer = scored.write.format(sink).mode("overwrite")
        started = perf_counter()
        writer.save() if sink == "noop" else writer.save(str(self.folder / "scored"))
        return perf_counter() - started

    def predictor_seconds(self, rows: int) -> float:
        """Return how long XGBoost's predictor alone takes for the same rows, with all cores."""
        booster = (self.model / "artifacts" / "model.ubj").read_bytes()
        predict = booster_function.BoosterFunction(
            zlib.compress(booster), columns=[], optional=frozenset(), slots=1
        )._predictor()
        taken = 0.0
        for file in sorted((self.folder / f"rows-{rows}").glob("*.parquet")):
            columns = pq.read_table(file, columns=list(self.features)).columns
            matrix = np.column_stack([column.to_numpy().astype(np.float32) for column in columns])
            started = perf_counter()
            predict(matrix)
            taken += perf_counter() - started
        return taken

    def worker_megabytes(self) -> float:
        """Return the most memory (MiB) that any of Spark's Python workers ever held."""

        def peak(frames: Iterator[pd.DataFrame]) -> Iterator[pd.DataFrame]:
            import resource  # noqa: PLC0415 - runs in Spark's worker

            for _ in frames:
                yield pd.DataFrame({"peak": [resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024]})

        workers = self.spark.range(0, 4 * _cores(), 1, 4 * _cores()).mapInPandas(peak, "peak double")
        return float(round(max(row["peak"] for row in workers.collect()), 1))


def scoring(rows: int, repeats: int) -> dict[str, Any]:
    """Measure all ways in turns, and return what they took; the uppermost numbers are those of the Delta sink.

    Args:
        rows: How many rows are scored.
        repeats: How often each way is measured.
    """
    with _bench(rows) as bench:
        ways = {"ours": spark_function(bench.spark, own_copy(bench.model))}
        _warm_up(bench, ways)
        bench.seconds(ways["ours"], rows=rows, sink="noop")
        peak = bench.worker_megabytes()  # before the others fill the same workers
        ways |= {"anchor": _mlflow_function(bench), "protocol": _first_column(), **_accelerated(bench)}
        _warm_up(bench, ways)
        predictor = [bench.predictor_seconds(rows) for _ in range(repeats)]
        table = []
        for sink in _SINKS:
            taken: dict[str, list[float]] = {name: [] for name in ways}
            for _ in range(repeats):
                for name, function in ways.items():
                    taken[name].append(bench.seconds(function, rows=rows, sink=sink))
            table.append({"sink": sink, **_figures(taken, predictor)})
    chosen = {name: value for name, value in table[-1].items() if name != "sink"}
    return {"rows": rows, "repeats": repeats, **chosen, "worker_peak_mebibytes": peak, "sinks": table}


def growth(rows: int, repeats: int) -> dict[str, Any]:
    """Return how ours grows from a tenth of the rows to all of them, into Delta; the limit is ten times the tenth.

    Args:
        rows: The larger number of rows.
        repeats: How often each is measured.
    """
    with _bench(rows) as bench:
        ways = {"ours": spark_function(bench.spark, own_copy(bench.model))}
        _warm_up(bench, ways)
        taken: dict[int, list[float]] = {rows // 10: [], rows: []}
        for _ in range(repeats):
            for count, seconds in taken.items():
                seconds.append(bench.seconds(ways["ours"], rows=count, sink="delta"))
        peak = bench.worker_megabytes()
    table = [
        {
            "rows": count,
            "seconds_min": round(min(seconds), 2),
            "seconds_median": round(statistics.median(seconds), 2),
            "seconds_per_million": round(min(seconds) * 1e6 / count, 3),
        }
        for count, seconds in taken.items()
    ]
    small, large = (float(row["seconds_per_million"]) for row in table)
    return {
        "rows": rows,
        "ours_seconds": round(min(taken[rows]), 2),
        "limit_seconds": round(10 * min(taken[rows // 10]), 2),
        "ratio_to_limit": round(large / small, 3),
        "worker_peak_mebibytes": peak,
        "table": table,
    }


@contextmanager
def _bench(rows: int) -> Iterator[Bench]:
    """Give a session for so many rows and a packed model, in a folder that is gone afterwards."""
    folder = Path(tempfile.mkdtemp(prefix="gauntlet-scoring-"))
    warehouse = folder / "warehouse"
    settings = local_settings(jars=delta_jars(), warehouse=warehouse, workers=_cores(), data_bytes=rows * _ROW_BYTES)
    spark = open_local_session(settings)
    try:
        names = tuple(column.name for column in load_problem().features)
        yield Bench(spark, folder, _packed(folder), names)
    finally:
        spark.stop()
        shutil.rmtree(folder, ignore_errors=True)


def _packed(folder: Path) -> Path:
    """Fit the booster and pack it as the road does; return its folder."""
    problem, generator = load_problem(), np.random.default_rng(_SEED)
    names = [column.name for column in problem.features]
    frame = pd.DataFrame(generator.normal(10, 3, (_TRAINING_ROWS, len(names))), columns=names)
    label = (frame["alcohol"] + frame["pH"] + generator.normal(0, 3, _TRAINING_ROWS) > 22).astype(int)
    encoding = learn_encoding(frame, problem.features)
    settings = {"objective": "binary:logistic", "max_depth": _DEPTH, "seed": _SEED}
    booster = xgboost.train(settings, xgboost.DMatrix(encode(frame, encoding), label), num_boost_round=_TREES)
    booster.save_model(folder / "model.ubj")
    (folder / "encoding.json").write_text(encoding.model_dump_json(), encoding="utf-8")
    with quiet_mlflow():
        mlflow.pyfunc.save_model(
            folder / "packed",
            python_model=str(Path(probability_model.__file__)),
            artifacts={"encoding": str(folder / "encoding.json"), "booster": str(folder / "model.ubj")},
            signature=model_signature(problem),
            pip_requirements=[],
            input_example=frame.head(2),
        )
    return folder / "packed"


def _mlflow_function(bench: Bench) -> Any:
    with quiet_mlflow():
        return mlflow.pyfunc.spark_udf(
            bench.spark, model_uri=str(bench.model), result_type="double", env_manager="local"
        )


def _first_column() -> Any:
    from pyspark.sql.pandas.functions import arrow_udf  # noqa: PLC0415 - imported where Spark is

    def first(structs: Iterator[pa.Array]) -> Iterator[pa.Array]:
        for struct in structs:
            yield struct.field(0)

    return arrow_udf(first, "double")  # type: ignore[call-overload] # the kind is in the annotations


def _accelerated(bench: Bench) -> dict[str, Any]:
    """Return the way with oneDAL's predictor, where it is installed."""
    if importlib.util.find_spec("daal4py") is None:
        return {}
    booster = packed_booster(bench.model, slots=_cores(), accelerated=True)
    if booster is None:
        raise SystemExit("the benchmark's booster is not packed as the road packs it")
    return {_ACCELERATED: booster_udf(booster, form="arrow")}


def _warm_up(bench: Bench, ways: dict[str, Any]) -> None:
    for function in ways.values():
        for sink in _SINKS:
            bench.seconds(function, rows=_WARM_UP_ROWS, sink=sink)


def _figures(taken: dict[str, list[float]], predictor: list[float]) -> dict[str, float]:
    """Return the least and the median seconds of each way, and the ratios of the least."""
    limit = [protocol + alone for protocol, alone in zip(taken["protocol"], predictor, strict=True)]
    named = {name: seconds for name, seconds in taken.items() if name != "protocol"} | {"limit": limit}
    least = {name: min(seconds) for name, seconds in (named | {"protocol": taken["protocol"]}).items()}
    least["limit"] = least["protocol"] + min(predictor)
    found = {f"{name}_seconds": least[name] for name in named}
    found |= {f"{name}_seconds_median": statistics.median(seconds) for name, seconds in named.items()}
    found |= {"protocol_seconds": least["protocol"], "predictor_seconds": min(predictor)}
    found |= {
        "speedup_over_anchor": least["anchor"] / least["ours"],
        "ratio_to_limit": least["ours"] / least["limit"],
    }
    if _ACCELERATED in least:
        found["accelerated_speedup_over_anchor"] = least["anchor"] / least[_ACCELERATED]
    return {name: round(value, 3) for name, value in found.items()}


def _cores() -> int:
    return len(os.sched_getaffinity(0))
