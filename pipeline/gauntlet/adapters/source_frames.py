"""This module provides the sources as Spark frames: every value as text, with its place, nothing judged yet.

CSV, Parquet and Delta end in one shape, so that one set of rules makes values of the texts and the same values give the
same row identifiers whatever the format. The shape: ``text_0`` … (the problem's columns in its order), ``source``,
``source_index``, ``chunk`` and ``place`` (together the order of a source's rows), ``broken`` (why the row as a whole
could not be read).
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

from gauntlet.adapters.delimited import check_delimited, match_columns
from gauntlet.adapters.spark_paths import literal_path
from gauntlet.core.errors import DataError
from gauntlet.core.problem import Problem, Source

# Spark's increasing numbers hold the partition above this bit, and the place in the partition below.
_PARTITION_BIT = 33
_SHOWN_CHARACTERS = 80
_READABLE = (T.StringType, T.NumericType, T.BooleanType, T.DateType, T.TimestampType, T.TimestampNTZType, T.NullType)


def text_column(index: int) -> str:
    """Return the name under which a frame of texts holds the problem's column of an index."""
    return f"text_{index}"


def source_texts(
    spark: SparkSession, *, problem: Problem, files: Mapping[str, Path], staged: Callable[[Path], str] = str
) -> DataFrame:
    """Return all sources' rows as texts, appended in the problem's order.

    Args:
        spark: The session.
        problem: The problem.
        files: Where each source's file or folder lies, by the source's name.
        staged: Gives the place at which Spark can read it.

    Raises:
        SourceError: If a file cannot be read.
        DataError: If a file's encoding, delimiter or columns are not what the problem says.
    """
    frames = [
        _source_frame(spark, source, problem=problem, place=_Place(files[source.name], staged), index=index)
        for index, source in enumerate(problem.sources)
    ]
    return reduce(DataFrame.unionByName, frames)


@dataclass(frozen=True)
class _Place:
    """Where a source lies here, and where Spark can read it once it was looked at."""

    path: Path
    staged: Callable[[Path], str]

    @property
    def address(self) -> str:
        """The place for Spark."""
        return self.staged(self.path.absolute())


def _source_frame(spark: SparkSession, source: Source, *, problem: Problem, place: _Place, index: int) -> DataFrame:
    make = _csv_frame if source.format == "csv" else _table
    frame = make(spark, source, problem, place)
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


def _csv_frame(spark: SparkSession, source: Source, problem: Problem, place: _Place) -> DataFrame:
    """Read a CSV with all columns as strings, in the order of its own header."""
    in_file = [column for column in problem.columns if column.name not in problem.constant_columns]
    numbers = {column.name: number for number, column in enumerate(problem.columns)}
    names = [text_column(numbers[c.name]) for c in check_delimited(place.path, source=source, columns=in_file)]
    schema = ", ".join(f"{name} string" for name in [*names, "line"])
    frame = (
        spark.read.schema(schema)
        .option("header", True)
        .option("sep", source.delimiter)
        .option("encoding", "UTF-8")
        .option("quote", '"')
        .option("escape", '"')  # a quote inside quotes is doubled, as spreadsheets and pandas write it
        .option("mode", "PERMISSIVE")
        .option("columnNameOfCorruptRecord", "line")
        # With fewer columns asked for, Spark would not see that a row has too many or too few.
        .option("columnPruning", False)
        .csv(literal_path(place.address))
    )
    return frame.select(*names, *_place(), _broken(len(names)).alias("broken"))


def _place() -> tuple[Expression, Expression]:
    """Return the chunk that a row was read in, and the row's place.

    A chunk is a part of one file, read from its begin to its end by one task; so places, which grow within a task, keep
    the rows' order within a chunk, and the chunks' names, sorted, give their order. How Spark deals chunks to tasks
    depends on the number of cores, so a place says nothing beyond its chunk.
    """
    start = F.lpad(F.col("_metadata.file_block_start").cast("string"), 20, "0")
    chunk = F.concat_ws("#", F.col("_metadata.file_path"), start)
    place = F.monotonically_increasing_id().bitwiseAND(F.lit((1 << _PARTITION_BIT) - 1))
    return chunk.alias("chunk"), place.alias("place")


def _broken(fields: int) -> Expression:
    start = F.substring("line", 1, _SHOWN_CHARACTERS)
    return F.when(F.col("line").isNotNull(), F.concat(F.lit(f"the row has not {fields} fields: '"), start, F.lit("'")))


def _table(spark: SparkSession, source: Source, problem: Problem, place: _Place) -> DataFrame:
    """Read a Parquet file or folder, or a Delta table; rows are ordered by file name and place in the file."""
    path, address = place.path, place.address
    frame = spark.read.parquet(literal_path(address)) if source.format == "parquet" else _delta(spark, path, address)
    numbers = {column.name: number for number, column in enumerate(problem.columns)}
    in_file = [column for column in problem.columns if column.name not in problem.constant_columns]
    found = match_columns(frame.columns, columns=in_file, where=str(path))
    for field in frame.schema.fields:
        if not isinstance(field.dataType, _READABLE):
            kind = field.dataType.simpleString()
            raise DataError(
                f"{path}: column {field.name!r} is of type {kind}; give numbers, booleans, texts, dates or times"
            )
    texts = [
        F.col(_quoted(name)).cast("string").alias(text_column(numbers[column.name]))
        for name, column in zip(frame.columns, found, strict=True)
    ]
    return frame.select(*texts, *_place(), F.lit(None).cast("string").alias("broken"))


def _delta(spark: SparkSession, path: Path, address: str) -> DataFrame:
    from pyspark.errors import PySparkException  # noqa: PLC0415 - for this one place

    try:
        return spark.read.format("delta").load(address)
    except PySparkException as error:
        line = str(error).splitlines()[0]
        raise DataError(f"{path}: the Delta table cannot be read ({line})") from error


def _quoted(name: str) -> str:
    return "`" + name.replace("`", "``") + "`"
