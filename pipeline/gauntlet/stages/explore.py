"""This module provides the stage that looks at the data: figures, first rows, missing values and repeats."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pandas as pd

from gauntlet.core.problem import Column, Problem
from gauntlet.core.results import ExpectationsResult, ExploreResult, Figure, IngestResult
from gauntlet.stages import figures
from gauntlet.stages.context import StageContext
from gauntlet.stages.tags import source_tags

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Drawing
    from pyspark.sql import Column as SparkColumn
    from pyspark.sql import DataFrame

HEAD_ROWS = 10
DRAWN_ROWS = 50_000


@dataclass(frozen=True)
class _Counts:
    """What is counted of all rows.

    Attributes:
        rows: The rows, by source.
        nulls: The missing values, by column.
        repeats: The rows that repeat an earlier one on every column, by source.
    """

    rows: dict[str, int]
    nulls: dict[str, int]
    repeats: dict[str, int]


def explore(
    context: StageContext,
    *,
    ingest: IngestResult,
    expectations: ExpectationsResult,  # noqa: ARG001 - see below
) -> ExploreResult:
    """Look at the raw table and leave figures for people; nothing is decided here.

    Args:
        context: What the stage may use.
        ingest: The tables to look at.
        expectations: Asked for so that nobody looks at figures of data before it was checked.
    """
    raw = context.target.tables.read(ingest.raw)
    sample = _sample(context, raw, ingest)
    folder = context.folder / "figures"
    # A killed try may have left some of the figures, of a problem that had more of them.
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    made = []
    # Spark counts while the first figures are drawn.
    with ThreadPoolExecutor(1, thread_name_prefix="explore") as pool, context.progress.task("figures", total=6) as task:
        counting = pool.submit(_counts, raw, context.problem)
        looking = pool.submit(_head, raw, context.problem)
        for name, title, drawing in _drawings(context.problem, sample, counting):
            path = folder / f"{name}.svg"
            figures.save(drawing, path, title=title)
            made.append(Figure(name=name, title=title, file=context.state.file_ref(path)))
            task.advance(note=title)
    return ExploreResult(
        figures=tuple(made),
        head=looking.result(),
        null_counts=counting.result().nulls,
        duplicate_rows=ingest.duplicate_rows,
        run_id=_logged(context, ingest),
        not_checked=_not_checked(sample),
    )


def _logged(context: StageContext, ingest: IngestResult) -> str:
    import mlflow  # noqa: PLC0415 - takes seconds to import; Spark is busy before it is needed

    with context.target.tracking.stage_run("explore", key=context.key, tags=source_tags(ingest)) as run:
        mlflow.log_artifacts(str(context.folder / "figures"), artifact_path="figures")
        return str(run.info.run_id)


def _drawings(
    problem: Problem, sample: figures.Sample, counting: Future[_Counts]
) -> Iterator[tuple[str, str, Drawing]]:
    label = problem.column(problem.label.column)
    numbers = [column for column in problem.features if column.kind in ("number", "integer")]
    levels = [column for column in problem.features if column.kind in ("text", "boolean")]
    correlated = [column for column in problem.features if column.kind != "text"]
    yield "label", f"{label.name} by label ({problem.label.rule})", figures.label_histogram(sample, label)
    if numbers:
        yield "boxes", "Numeric features by label", figures.number_boxes(sample, numbers)
    if levels:
        yield "levels", "Levels of text and boolean features by label", figures.level_bars(sample, levels)
    if correlated:
        yield "correlation", "Correlation of features and label (Pearson)", figures.correlation(sample, correlated)
    counts = counting.result()
    if any(counts.nulls.values()):
        missing = {name: count for name, count in counts.nulls.items() if count}
        shares = {name: count / sample.total for name, count in missing.items()}
        yield "missing", "Missing values", figures.share_bars(shares, missing, axis="share of rows without a value")
    repeats = counts.repeats
    shares = {name: repeats[name] / counts.rows[name] if counts.rows[name] else 0.0 for name in repeats}
    title = "Rows that repeat an earlier row exactly, by source"
    yield "repeats", title, figures.share_bars(shares, repeats, axis="share of the source's rows")


def _counts(raw: DataFrame, problem: Problem) -> _Counts:
    """Count rows, missing values and repeats; NaN counts as missing."""
    from pyspark.sql import functions as F  # noqa: N812, PLC0415 - pyspark's convention; imported where Spark is

    def missing(column: Column) -> SparkColumn:
        value = F.col(column.name)
        absent = value.isNull() | F.isnan(value) if column.kind == "number" else value.isNull()
        return F.sum(absent.cast("long")).alias(f"missing_{column.name}")

    sums = [missing(column) for column in problem.columns]
    counted = raw.groupBy("source").agg(F.count(F.lit(1)).alias("rows"), *sums).collect()
    sizes = {row["source"]: int(row["rows"]) for row in counted}
    nulls = {c.name: sum(int(row[f"missing_{c.name}"] or 0) for row in counted) for c in problem.columns}
    rows = {source.name: sizes.get(source.name, 0) for source in problem.sources}
    return _Counts(rows, nulls, _repeats_by_source(raw, problem))


def _repeats_by_source(raw: DataFrame, problem: Problem) -> dict[str, int]:
    """Return by source how many rows repeat an earlier row on every column of the files."""
    from pyspark.sql import Window  # noqa: PLC0415 - imported where Spark is
    from pyspark.sql import functions as F  # noqa: N812, PLC0415 - pyspark's convention

    alike = Window.partitionBy(*[column.name for column in problem.columns])
    place = F.row_number().over(alike.orderBy(_position(problem), "source_row"))
    repeated = raw.select("source", place.alias("place")).where(F.col("place") > 1).groupBy("source").count()
    counted = {row["source"]: int(row["count"]) for row in repeated.collect()}
    return {source.name: counted.get(source.name, 0) for source in problem.sources}


def _position(problem: Problem) -> SparkColumn:
    """Return the place of a row's source in the problem's order."""
    from pyspark.sql import functions as F  # noqa: N812, PLC0415 - pyspark's convention; imported where Spark is

    names = F.array(*[F.lit(source.name) for source in problem.sources])
    return F.array_position(names, F.col("source"))


def _sample(context: StageContext, raw: DataFrame, ingest: IngestResult) -> figures.Sample:
    """Return the rows to draw: all of them, or a bounded part that depends on the rows only."""
    from pyspark.sql import functions as F  # noqa: N812, PLC0415 - pyspark's convention; imported where Spark is

    problem = context.problem
    names = [column.name for column in problem.columns]
    labels = context.target.tables.read(ingest.curated).select("row_id", "label").dropDuplicates(["row_id"])
    rows = raw.select("row_id", "source", "source_row", *names).join(labels, "row_id")
    if ingest.rows > DRAWN_ROWS:
        mark = F.xxhash64("row_id", "source", "source_row")
        rows = rows.orderBy(mark, "row_id", "source", "source_row").limit(DRAWN_ROWS)
    frame: pd.DataFrame = rows.toPandas()
    order = {source.name: place for place, source in enumerate(problem.sources)}
    frame = frame.assign(place=frame["source"].map(order)).sort_values(
        ["place", "source_row", "row_id"], kind="stable", ignore_index=True
    )
    return figures.Sample(frame=frame, total=ingest.rows, classes=("others", problem.label.positive))


def _head(raw: DataFrame, problem: Problem) -> tuple[dict[str, Any], ...]:
    names = [column.name for column in problem.columns]
    first = raw.orderBy(_position(problem), "source_row").select("source", *names).limit(HEAD_ROWS).collect()
    return tuple({name: _plain(value) for name, value in row.asDict().items()} for row in first)


def _plain(value: Any) -> Any:
    """Return a value as JSON can say it; NaN becomes None, as in the null check."""
    if isinstance(value, float) and value != value:  # noqa: PLR0124 - only NaN differs from itself
        return None
    return value if isinstance(value, (bool, int, float, str, type(None))) else str(value)


def _not_checked(sample: figures.Sample) -> tuple[str, ...]:
    if not sample.remark:
        return ()
    return (f"The figures show a part of the rows only: {sample.remark}.",)
