"""This module provides paths as Spark reads them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pyspark.sql import DataFrameReader, SparkSession

# Spark's own option: a path is no pattern. Hadoop cannot look a pattern up in a folder whose name has a colon.
_PATTERNS = "__globPaths__"


def literal_path(path: str) -> str:
    """Return a path with the characters escaped that Spark would take for a pattern."""
    return re.sub(r"([\\{}\[\]*?,])", r"\\\1", path)


def literal_reader(spark: SparkSession) -> DataFrameReader:
    """Return a reader that takes a path as it stands, whatever characters it has."""
    return spark.read.option(_PATTERNS, "false")
