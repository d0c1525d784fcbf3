"""This module provides the sources as Spark frames: every value as text, with its place, nothing judged yet.

All formats end in one shape, so that one set of rules makes values of the texts and the same values give the same row
identifiers whatever the format. The shape: ``text_0`` … (the problem's columns in its order), ``source``,
``source_index``, ``chunk`` and ``place`` (together the order of a source's rows), ``broken`` (why the row as a whole
could not be read). Files are read by the one reader (``records``), which writes their texts into a Parquet copy; only a
Delta table, whose log says which of its files count, is read by Spark itself.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import reduce
from pathlib import Path

from pyspark.sql import Column as Expression
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F  # noqa: N812 - pyspark's own convention
from pyspark.sql import types as T  # noqa: N812

from gauntlet.adapters.records import copy_texts, match_columns
from gauntlet.adapters.spark_paths import literal_reader
from gauntlet.core.errors import DataError
from gauntlet.core.problem import Problem, Source

# Spark's increasing numbers hold the partition above this bit, and the place in the partition below.
_PARTITION_BIT = 33
_READABLE = (T.StringType, T.NumericType, T.BooleanType, T.DateType, T.TimestampType, T.TimestampNTZType, T.NullType)


def text_column(index: int) -> str:
    """Return the name under which a frame of texts holds the problem's column of an index."""
    return f"text_{index}"


@dataclass(frozen=True)
class SourceFiles:
    """Where sources lie, and where their texts go.

    Attributes:
        paths: Each source's file or folder, by the source's name.
        copies: An empty folder for the copies; Spark reads them as long as the frames are used.
        staged: Gives the place at which Spark can read a file or folder of this machine.
    """

    paths: Mapping[str, Path]
    copies: Path
    staged: Callable[[Path], str] = str


def source_texts(spark: SparkSession, *, problem: Problem, files: SourceFiles) -> DataFrame:
    """Return all sources' rows as texts, appended in the problem's order.

    Raises:
        SourceError: If a file cannot be read.
        DataError: If a file is not what the problem says, is damaged or cut off.
        RequirementError: If the disk is full, or a format needs a package that is not installed.
    """
    frames = [
        _source_frame(spark, source, problem=problem, files=files, index=index)
        for index, source in enumerate(problem.sources)
    ]
    return reduce(DataFrame.unionByName, frames)


def _source_frame(
    spark: SparkSession, source: Source, *, problem: Problem, files: SourceFiles, index: int
) -> DataFrame:
    make = _delta_frame if source.format == "delta" else _copied_frame
    frame = make(spark, source, problem, files)
    texts = [
        _constant(source.constants[column.name]).alias(text_column(number))
        if column.name in source.constants
        else F.col(text_column(number))
        for number, column in enumerate(problem.columns)
    ]
    return frame.select(
        *texts,
        F.lit(source.name).alias("source"),
        F.lit(index).alias("source_index"),
        "chunk",
        "place",
        "broken",
    )


def _constant(value: bool | int | float | str) -> Expression:
    return F.lit(str(value).lower() if isinstance(value, bool) else str(value))


def _copied_frame(spark: SparkSession, source: Source, problem: Problem, files: SourceFiles) -> DataFrame:
    numbered = [(n, column) for n, column in enumerate(problem.columns) if column.name not in problem.constant_columns]
    copy = files.copies / f"source-{problem.sources.index(source)}.parquet"
    copy_texts(
        files.paths[source.name],
        source=source,
        columns=[column for _, column in numbered],
        names=[text_column(number) for number, _ in numbered],
        copy=copy,
    )
    return literal_reader(spark).parquet(files.staged(copy.absolute())).withColumn("chunk", F.lit(""))


def _delta_frame(spark: SparkSession, source: Source, problem: Problem, files: SourceFiles) -> DataFrame:
    """Read a Delta table; rows are ordered by file name and place in the file."""
    from pyspark.errors import PySparkException  # noqa: PLC0415 - for this one place

    path = files.paths[source.name]
    try:
        frame = spark.read.format("delta").load(files.staged(path.absolute()))
    except PySparkException as error:
        line = str(error).splitlines()[0]
        raise DataError(f"{path}: the Delta table cannot be read ({line})") from error
    for field in frame.schema.fields:
        if not isinstance(field.dataType, _READABLE):
            kind = field.dataType.simpleString()
            raise DataError(
                f"{path}: column {field.name!r} is of type {kind}; give numbers, booleans, texts, dates or times"
            )
    numbered = [(n, column) for n, column in enumerate(problem.columns) if column.name not in problem.constant_columns]
    places = match_columns(frame.columns, columns=[column for _, column in numbered], where=str(path))
    texts = [
        _text(frame, frame.columns[place]).alias(text_column(number))
        for place, (number, _) in zip(places, numbered, strict=True)
    ]
    return frame.select(*texts, *_place(frame), F.lit(None).cast("string").alias("broken"))


def _text(frame: DataFrame, name: str) -> Expression:
    """Return a column's texts; a float that is not a number counts as missing, as in the one reader."""
    column = F.col("`" + name.replace("`", "``") + "`")
    if isinstance(frame.schema[name].dataType, (T.FloatType, T.DoubleType)):
        column = F.nanvl(column, F.lit(None))
    return column.cast("string")


def _place(frame: DataFrame) -> tuple[Expression, Expression]:
    """Return the chunk that a row was read in, and the row's place.

    A chunk is a part of one file, read from its begin to its end by one task; so places, which grow within a task, keep
    the rows' order within a chunk, and the chunks' names, sorted, give their order. How Spark deals chunks to tasks
    depends on the number of cores, so a place says nothing beyond its chunk.
    """
    metadata = frame.metadataColumn("_metadata")  # also where a column of the table has that name
    start = F.lpad(metadata["file_block_start"].cast("string"), 20, "0")
    chunk = F.concat_ws("#", metadata["file_path"], start)
    place = F.monotonically_increasing_id().bitwiseAND(F.lit((1 << _PARTITION_BIT) - 1))
    return chunk.alias("chunk"), place.alias("place")
