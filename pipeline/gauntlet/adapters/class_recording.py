"""This module provides the session whose classes are archived; its arguments are the archive and the jars.

It does once what a pipeline does again and again, so that the classes for it are loaded: it writes and reads a Delta
table, joins, groups, sorts, and runs Python functions. The JVM writes the archive when it ends.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

# pyspark reads the kind of a function from its annotations, so pandas has to be known by its name here.
import pandas as pd

from gauntlet.adapters.class_archive import recording_options
from gauntlet.adapters.spark import local_settings, open_local_session

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession


def main(arguments: Sequence[str]) -> int:
    """Record the classes of one session."""
    archive, jars = Path(arguments[0]), [Path(argument) for argument in arguments[1:]]
    with tempfile.TemporaryDirectory(prefix="gauntlet-classes-") as name:
        folder = Path(name)
        settings = local_settings(jars=jars, warehouse=folder / "warehouse", options=recording_options(archive))
        session = open_local_session(settings)
        _work(session, folder / "table", kind="delta" if jars else "parquet")
        _end(session)
    return 0 if archive.is_file() else 1


def _work(session: SparkSession, path: Path, *, kind: str) -> None:
    """Do once what pipelines do."""
    from pyspark.sql import functions as F  # noqa: N812, PLC0415 - pyspark's convention; imported where Spark is

    made = session.createDataFrame(pd.DataFrame({"key": range(200), "value": [n / 7 for n in range(200)]}))
    frame = made.withColumn("kind", F.when(F.col("key") % 2 == 0, "even").otherwise("odd"))
    for mode in ("overwrite", "overwrite", "append"):
        frame.write.format(kind).mode(mode).option("userMetadata", "{}").save(str(path))
    read = session.read.format(kind)
    rows = (read.option("versionAsOf", "1") if kind == "delta" else read).load(str(path))
    _ask(session, rows, path, kind=kind)


def _ask(session: SparkSession, rows: DataFrame, path: Path, *, kind: str) -> None:
    """Ask a table in the ways in which stages and gates ask."""
    from pyspark.sql import Window  # noqa: PLC0415 - imported where Spark is
    from pyspark.sql import functions as F  # noqa: N812, PLC0415 - pyspark's convention; imported where Spark is
    from pyspark.sql.pandas.functions import pandas_udf  # noqa: PLC0415 - imported where Spark is

    def halves(batches: Iterator[pd.Series]) -> Iterator[pd.Series]:
        for values in batches:
            yield values / 2

    def same(batches: Iterator[pd.DataFrame]) -> Iterator[pd.DataFrame]:
        yield from batches

    rows.toPandas()
    rows.count()
    grouped = rows.groupBy("kind").agg(F.count("*"), F.max("value"), F.avg("value"), F.countDistinct("key"))
    grouped.orderBy("kind").collect()
    rows.where(F.col("value").isNotNull() & ~F.isnan("value")).agg(F.sum(F.xxhash64("key", "kind"))).collect()
    rows.join(rows.select("key").distinct(), "key", "left_semi").union(rows).dropDuplicates(["key"]).count()
    rows.withColumn("place", F.row_number().over(Window.partitionBy("kind").orderBy("key"))).toPandas()
    rows.mapInPandas(same, rows.schema).collect()
    session.udf.register("gauntlet_halves", pandas_udf(halves, "double"))  # type: ignore[call-overload] # the kind is in the annotations
    rows.selectExpr("gauntlet_halves(value) AS half").repartition(2).toPandas()
    if kind == "delta":
        session.sql(f"DESCRIBE HISTORY delta.`{path}`").toPandas()


def _end(session: SparkSession) -> None:
    """End the JVM and wait until it has written the archive."""
    gateway: Any = session.sparkContext._gateway  # pyspark has no other way to the process that it started
    session.stop()
    gateway.shutdown()
    gateway.proc.stdin.close()
    gateway.proc.wait()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
