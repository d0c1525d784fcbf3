"""This module provides made wines as a Spark frame, generated where the partitions are."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from gauntlet.core.copula import BLOCK_ROWS, WineCopula, Wines, load_copula, make_block
from gauntlet.core.errors import InputError

if TYPE_CHECKING:
    import pyarrow as pa
    from pyspark.sql import DataFrame, SparkSession

# Enough work for a task to be worth its start, little enough to lose when an executor dies.
_BLOCKS_IN_TASK = 16


def synthetic_rows(spark: SparkSession, *, rows: int, seed: int, partitions: int | None = None) -> DataFrame:
    """Return made wines: the same rows for a seed on every session, whatever the partitioning.

    The columns are the wine problem's (features as doubles, ``quality`` as long, ``is_red`` as boolean), then
    ``source`` ('red' or 'white') and ``source_row`` (from 0 within its source, as if each colour were a file). The red
    share is the real files'; a table with fewer rows is the beginning of one with more, source by source. Rows are made
    when the frame is used, and never on the driver; the workers need the package ``gauntlet``.

    Args:
        spark: A session, classic or Connect.
        rows: The number of rows.
        seed: What rows they are.
        partitions: The number of partitions; by default one for about 260,000 rows.

    Raises:
        InputError: If fewer than one row is asked for.
    """
    if rows < 1:
        raise InputError(f"synthetic data: {rows} rows were asked for; ask for at least 1")

    def make(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            for number in batch.column(0).to_pylist():
                yield _batch(make_block(number, seed=seed).head(rows - number * BLOCK_ROWS))

    blocks = -(-rows // BLOCK_ROWS)
    numbers = spark.range(0, blocks, 1, partitions or -(-blocks // _BLOCKS_IN_TASK))
    return numbers.mapInArrow(make, _schema(load_copula()))


def _schema(copula: WineCopula) -> str:
    features = ", ".join(f"{name} double" for name in copula.features)
    return f"{features}, quality long, is_red boolean, source string, source_row long"


def _batch(wines: Wines) -> pa.RecordBatch:
    import pyarrow as pa  # noqa: PLC0415 - needed where rows are made, not by the command line

    colour = pa.DictionaryArray.from_arrays(pa.array((~wines.is_red).astype("int8")), pa.array(["red", "white"]))
    columns = dict(zip(load_copula().features, wines.features, strict=True))
    columns |= {"quality": wines.quality, "is_red": wines.is_red}
    columns |= {"source": colour.dictionary_decode(), "source_row": wines.source_row}
    return pa.RecordBatch.from_pydict(columns)
