"""The data checks: one pass of ours, Great Expectations as its documentation sets it up, and a bare aggregation.

The suite is the packaged one of the raw wine table. The table is a Parquet table of made wine-like rows; nothing is
persisted or kept warm but what Spark itself keeps. Ours, the anchor and the limit run in turns on the same rows. The
times of the single-pass expectations are ``ours_seconds``; those that need a shuffle are in ``second_pass_seconds``.
"""

from __future__ import annotations

import statistics
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from gauntlet.adapters.check_parts import column_of
from gauntlet.adapters.spark import local_settings, open_local_session
from gauntlet.adapters.suite_files import Suite, find_suite, import_great_expectations, load_suite
from gauntlet.adapters.suites import checked_suite
from gauntlet.core.canonical import digest

_TABLE = "gauntlet_benchmark_rows"
_MEASURED = (
    *("fixed_acidity", "volatile_acidity", "citric_acid", "residual_sugar", "chlorides", "free_sulfur_dioxide"),
    *("total_sulfur_dioxide", "density", "pH", "sulphates", "alcohol"),
)
# The anchor takes minutes on millions of rows: once is enough to know its size.
_FEW_ROWS = 200_000
# What a row of the wines takes in a file; Java is started as for that much data.
_ROW_BYTES = 60


def checks(rows: int, repeats: int, *, connect: str | None = None) -> dict[str, Any]:
    """Check made rows so often by each way in turn, and return what they took.

    Args:
        rows: The number of rows.
        repeats: How often each way is taken.
        connect: The address of a Spark Connect server; None takes classic Spark in this process.
    """
    suite = load_suite(find_suite("wine_quality/raw", problem_folder=None))
    one_pass, second_pass = _split(suite)
    with tempfile.TemporaryDirectory() as folder, _session(Path(folder), connect, rows) as spark:
        frame = _table(spark, rows, one_pass)
        columns = list(dict.fromkeys(c for e in one_pass.expectations for c in e.columns))
        ways: dict[str, tuple[Callable[[], Any], int]] = {
            "limit": (lambda: _limit(frame, columns), repeats),
            "ours": (lambda: _ours(frame, one_pass), repeats),
            "second_pass": (lambda: _ours(frame, second_pass), repeats),
            "anchor": (lambda: _anchor(frame, one_pass), repeats if rows <= _FEW_ROWS else 1),
        }
        times = _times(ways, repeats)
    return {
        **{f"{way}_seconds": round(statistics.median(found), 3) for way, found in times.items()},
        **{f"{way}_seconds_min": round(min(found), 3) for way, found in times.items()},
        "speedup_over_anchor": round(statistics.median(times["anchor"]) / statistics.median(times["ours"]), 1),
        "ratio_to_limit": round(statistics.median(times["ours"]) / statistics.median(times["limit"]), 2),
        "rows": rows,
        "checks": len(one_pass.expectations),
        "second_pass_checks": len(second_pass.expectations),
        "spark": "connect" if connect else "classic",
        "repeats": {way: len(found) for way, found in times.items()},
    }


def _split(suite: Suite) -> tuple[Suite, Suite]:
    """Return the single-pass part of a suite, and the rest."""
    unique = [e for e in suite.expectations if e.rule == "unique"]
    single = [e for e in suite.expectations if e not in unique]
    parts = (tuple(single), tuple(unique))
    return tuple(replace(suite, expectations=part, digest=digest([e.name for e in part])) for part in parts)  # type: ignore[return-value]


@contextmanager
def _session(folder: Path, connect: str | None, rows: int) -> Iterator[Any]:
    if connect is None:
        warehouse = folder / "warehouse"
        spark = open_local_session(local_settings(jars=[], warehouse=warehouse, data_bytes=rows * _ROW_BYTES))
    else:
        from pyspark.sql import SparkSession  # noqa: PLC0415 - takes a while to import

        spark = SparkSession.builder.remote(connect).getOrCreate()
    try:
        yield spark
        spark.sql(f"DROP TABLE {_TABLE}")
    finally:
        spark.stop()


def _table(spark: Any, rows: int, suite: Suite) -> Any:
    """Write rows that meet the suite, where the session's server keeps its tables, and read them."""
    from pyspark.sql import functions as F  # noqa: N812, PLC0415 - pyspark's convention; takes a while to import

    bounds = {e.kwargs["column"]: e.kwargs for e in suite.expectations if e.rule == "between"}

    def measured(seed: int, name: str) -> Any:
        low, high = bounds[name]["min_value"], bounds[name]["max_value"]
        return F.round(F.rand(seed) * (high - low) + low, 3).alias(name)

    made = spark.range(rows, numPartitions=4).select(
        *(measured(seed, name) for seed, name in enumerate(_MEASURED)),
        (F.rand(50) * 10).cast("int").alias("quality"),
        (F.rand(51) < 0.25).alias("is_red"),
        F.md5(F.col("id").cast("string")).alias("row_id"),
        F.when(F.rand(52) < 0.25, "red").otherwise("white").alias("source"),
        F.col("id").alias("source_row"),
        F.lit(False).alias("synthetic"),
    )
    made.write.format("parquet").mode("overwrite").saveAsTable(_TABLE)
    return spark.table(_TABLE)


def _limit(frame: Any, columns: list[str]) -> None:
    from pyspark.sql import functions as F  # noqa: N812, PLC0415 - pyspark's convention; takes a while to import

    frame.agg(*(F.count(column_of(name)) for name in columns)).collect()


def _ours(frame: Any, suite: Suite) -> None:
    outcome = checked_suite(frame, suite, table="raw").outcome
    if not outcome.success or any(check.engine == "great_expectations" for check in outcome.checks):
        raise SystemExit(f"the made rows were not judged as they should be: {outcome}")


def _anchor(frame: Any, suite: Suite) -> None:
    """Validate as Great Expectations' documentation does it: a Spark data source, a dataframe asset, a whole batch."""
    gx = import_great_expectations()
    context = gx.get_context(mode="ephemeral")
    context.variables.progress_bars = {"globally": False}
    asset = context.data_sources.add_spark("spark").add_dataframe_asset(name="rows")
    batch = asset.add_batch_definition_whole_dataframe("whole").get_batch(batch_parameters={"dataframe": frame})
    documents = [{"type": e.type, "kwargs": dict(e.kwargs)} for e in suite.expectations]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        result = batch.validate(gx.ExpectationSuite(name="rows", expectations=documents))
    if not result.success:
        raise SystemExit("Great Expectations does not find the made rows as they should be")


def _times(ways: dict[str, tuple[Callable[[], Any], int]], repeats: int) -> dict[str, list[float]]:
    """Return the seconds of each way, taken in turns.

    Not counted are the import of Great Expectations and, but for the anchor, a first turn, in which Spark compiles.
    """
    import_great_expectations()
    for name, (way, _) in ways.items():
        if name != "anchor":
            way()
    times: dict[str, list[float]] = {name: [] for name in ways}
    for turn in range(repeats):
        for name, (way, wanted) in ways.items():
            if turn < wanted:
                started = time.perf_counter()
                way()
                times[name].append(time.perf_counter() - started)
    return times
