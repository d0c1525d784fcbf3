"""This module provides the ingest: the sources merged into table ``raw``, and ``curated`` as a model takes its rows."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F  # noqa: N812 - pyspark's own convention

from gauntlet.adapters.jars import cache_folder
from gauntlet.adapters.origin_files import checked_files
from gauntlet.adapters.origins import Fetched, fetch
from gauntlet.adapters.source_frames import SourceFiles, source_texts
from gauntlet.adapters.spark import NEEDED_LATER, importing_meanwhile
from gauntlet.adapters.typed_rows import content_digest, label_expression, typed_from_columns, typed_rows
from gauntlet.core.errors import DataError
from gauntlet.core.grouping import columns_of_split
from gauntlet.core.origins import SyntheticOrigin
from gauntlet.core.problem import Problem
from gauntlet.core.results import IngestResult, TableRef
from gauntlet.stages.context import StageContext

MINIMUM_ROWS = 10
_SHOWN_REASONS = 3


@dataclass(frozen=True)
class _Counts:
    """What one pass over all rows says.

    Attributes:
        starts: What to add to a row's place to get its number in its source, by source index and chunk.
        rows: The rows that can be read as promised.
        bad: Those that cannot.
        positives: Good rows of the positive class.
        alike: Whether all good rows have the same features.
    """

    starts: Mapping[tuple[int, str], int]
    rows: int
    bad: int
    positives: int
    alike: bool


def ingest(context: StageContext, *, fetched: Fetched | None = None) -> IngestResult:
    """Read the sources, set bad rows aside, and write the tables ``raw`` and ``curated``.

    Nothing is written before all rows have been judged.

    Args:
        context: The stage's context.
        fetched: The data, where the caller has found it already.

    Raises:
        SourceError: If no origin gives the data.
        DataError: If the files are not what the problem says or changed while they were read, more rows are bad than
            it allows, or nothing can be learnt from the good ones.
    """
    if fetched is None:
        fetched = fetch(
            context.problem,
            target_name=context.target.name,
            cache=cache_folder(),
            synthetic_allowed=context.synthetic_allowed,
            spark=context.target.spark,
        )
    with _folder_for_copies(context.folder) as copies, importing_meanwhile(NEEDED_LATER):
        rows = _typed(context, fetched, copies)
        _require_unchanged(fetched, context.problem)
        counts = _count(rows, context.problem)
        _require_few_bad(rows, counts, context.problem)
        _require_learnable(counts, context.problem)
        placed = _placed(rows, counts)
        quarantine = _write_quarantine(context, placed) if counts.bad else None
        raw = _write_raw(context, placed, synthetic=fetched.source.synthetic)
    if any(source.format == "delta" for source in context.problem.sources):  # read by Spark only while it was written
        _require_unchanged(fetched, context.problem)
    if raw.rows != counts.rows:
        raise DataError(f"raw: {raw.rows} rows were written for {counts.rows} good ones; the data changed while read")
    with ThreadPoolExecutor(1, thread_name_prefix="ingest") as pool:
        repeats = pool.submit(_repeats, context, raw)
        curated = _write_curated(context, raw)
    return IngestResult(
        source=fetched.source,
        raw=raw,
        curated=curated,
        quarantine=quarantine,
        rows=counts.rows,
        bad_rows=counts.bad,
        duplicate_rows=repeats.result(),
        positives=counts.positives,
    )


@contextmanager
def _folder_for_copies(folder: Path) -> Iterator[Path]:
    """Give an empty folder; what a killed run left in it goes first."""
    copies = folder / "sources"
    shutil.rmtree(copies, ignore_errors=True)
    copies.mkdir(parents=True)
    try:
        yield copies
    finally:
        shutil.rmtree(copies, ignore_errors=True)


def _require_unchanged(fetched: Fetched, problem: Problem) -> None:
    """Make sure that the files still have the digests that the run's evidence will name.

    Raises:
        DataError: If one has changed since it was digested.
    """
    if not fetched.files:
        return
    now = checked_files(fetched.files, tuple(source.model_copy(update={"sha256": None}) for source in problem.sources))
    for name, digest in fetched.source.files.items():
        if now[name] != digest:
            raise DataError(
                f"{fetched.files[name]}: changed while it was read (SHA-256 {digest[:12]}… before, {now[name][:12]}… "
                "after); run again when nothing writes to it any more"
            )


def _typed(context: StageContext, fetched: Fetched, copies: Path) -> DataFrame:
    problem, spark = context.problem, context.target.spark()
    if not fetched.source.synthetic:
        files = SourceFiles(fetched.files, copies, context.target.tables.staged)
        return typed_rows(source_texts(spark, problem=problem, files=files), problem=problem)
    from gauntlet.adapters.synthetic import synthetic_rows  # noqa: PLC0415 - its numbers are read when they are needed

    wanted = next(origin.rows for origin in problem.origins if isinstance(origin, SyntheticOrigin))
    made = synthetic_rows(spark, rows=wanted, seed=context.seeds.integer("synthetic"))
    unknown = [column.name for column in problem.columns if column.name not in made.columns]
    if unknown:
        raise DataError(
            f"origins: the generator makes wines and knows no column {', '.join(unknown)}; remove the synthetic origin"
        )
    return typed_from_columns(made, problem=problem)


def _count(rows: DataFrame, problem: Problem) -> _Counts:
    """Count all that must be known before anything is written, in one pass."""
    good = F.col("reason").isNull()
    label = label_expression(problem.label, F.col("values")[problem.label.column])
    features = F.xxhash64(*[F.col("values")[column.name] for column in problem.features])
    found = (
        rows.groupBy("source_index", "chunk")
        .agg(
            F.min("place").alias("first"),
            F.max("place").alias("last"),
            F.count(F.when(good, 1)).alias("good"),
            F.count(F.when(~good, 1)).alias("bad"),
            F.sum(F.when(good, label)).alias("positives"),
            F.min(F.when(good, features)).alias("least"),
            F.max(F.when(good, features)).alias("greatest"),
        )
        .collect()
    )
    found.sort(key=lambda row: (row["source_index"], row["chunk"]))
    starts: dict[tuple[int, str], int] = {}
    for index, chunks in groupby(found, key=lambda row: int(row["source_index"])):
        before = 0
        for row in chunks:
            starts[index, row["chunk"]] = before - row["first"]
            before += row["last"] - row["first"] + 1
    hashes = {row[name] for row in found for name in ("least", "greatest") if row[name] is not None}
    return _Counts(
        starts=starts,
        rows=sum(row["good"] for row in found),
        bad=sum(row["bad"] for row in found),
        positives=sum(row["positives"] or 0 for row in found),
        alike=len(hashes) == 1,
    )


def _require_few_bad(rows: DataFrame, counts: _Counts, problem: Problem) -> None:
    if counts.bad <= problem.max_bad_rows:
        return
    worst = (
        rows.where(F.col("reason").isNotNull())
        .orderBy("source_index", "chunk", "place")
        .select("source_index", "chunk", "place", "reason")
        .limit(_SHOWN_REASONS)
        .collect()
    )
    lines = [
        f"  {problem.sources[row['source_index']].file} row "
        f"{counts.starts[row['source_index'], row['chunk']] + row['place'] + 1}: {row['reason']}"
        for row in worst
    ]
    total = f"{counts.bad} row{'s' if counts.bad > 1 else ''} cannot be read as the problem says"
    more = f"\n  and {counts.bad - len(lines)} more" if counts.bad > len(lines) else ""
    raise DataError(
        f"{total} (max_bad_rows = {problem.max_bad_rows}); correct the data, or raise max_bad_rows to set them aside:\n"
        + "\n".join(lines)
        + more
    )


def _require_learnable(counts: _Counts, problem: Problem) -> None:
    """Refuse rows that no model can learn from."""
    if counts.rows < MINIMUM_ROWS:
        rows = "no rows" if counts.rows == 0 else f"only {counts.rows} row{'s' if counts.rows > 1 else ''}"
        raise DataError(f"the data has {rows} that can be used; at least {MINIMUM_ROWS} are needed")
    if counts.positives in (0, counts.rows):
        says = "no row" if counts.positives == 0 else "every row"
        raise DataError(
            f"label.rule: {problem.label.rule!r} holds for {says} of {counts.rows}; both classes are needed, so change "
            "the rule or bring other data"
        )
    if counts.alike:
        raise DataError(f"all {counts.rows} rows have the same features; a model can learn nothing from them")


def _placed(rows: DataFrame, counts: _Counts) -> DataFrame:
    """Add ``source_row``, the place of a row in its source counted from 0."""
    if not any(counts.starts.values()):
        return rows.withColumn("source_row", F.col("place"))
    spark = rows.sparkSession
    starts = spark.createDataFrame(
        [(index, chunk, start) for (index, chunk), start in counts.starts.items()],
        "source_index int, chunk string, start bigint",
    )
    joined = rows.join(F.broadcast(starts), on=["source_index", "chunk"], how="inner")
    return joined.withColumn("source_row", F.col("start") + F.col("place"))


def _write_quarantine(context: StageContext, placed: DataFrame) -> TableRef:
    bad = placed.where(F.col("reason").isNotNull()).select("texts.*", "reason", "source", "source_row")
    return context.target.tables.write("quarantine", bad, note={"stage": "ingest", "key": context.key})


def _write_raw(context: StageContext, placed: DataFrame, *, synthetic: bool) -> TableRef:
    """Write the good rows; a row's identifier is the digest of its values, with a number for each repeat of a row."""
    good = placed.where(F.col("reason").isNull()).withColumn("content", content_digest(context.problem.columns))
    earlier = F.row_number().over(Window.partitionBy("content").orderBy("source_index", "source_row")) - 1
    identifier = F.when(F.col("repeat") == 0, F.col("content")).otherwise(F.concat_ws("-", "content", "repeat"))
    raw = good.withColumn("repeat", earlier).select(
        "values.*", identifier.alias("row_id"), "source", "source_row", F.lit(synthetic).alias("synthetic")
    )
    return context.target.tables.write("raw", raw, note={"stage": "ingest", "key": context.key})


def _write_curated(context: StageContext, raw: TableRef) -> TableRef:
    """Write the rows as a model takes them: numbers, whole numbers and booleans as doubles, texts as they are.

    Columns that the split goes by and that are no features are kept beside them, as they came.
    """
    problem = context.problem
    features = [
        F.col(column.name) if column.kind == "text" else F.col(column.name).cast("double").alias(column.name)
        for column in problem.features
    ]
    label = label_expression(problem.label, F.col(problem.label.column))
    curated = context.target.tables.read(raw).select(
        "row_id", "source", "source_row", *features, *columns_of_split(problem), label.alias("label"), "synthetic"
    )
    return context.target.tables.write("curated", curated, note={"stage": "ingest", "key": context.key})


def _repeats(context: StageContext, raw: TableRef) -> int:
    return context.target.tables.read(raw).where(F.col("row_id").contains("-")).count()
