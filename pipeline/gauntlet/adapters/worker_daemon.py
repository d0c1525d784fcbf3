"""This module provides the process from which Spark forks its Python workers on this machine.

It imports what nearly every worker needs before the first fork, so that a worker has it at once and shares its memory
with the others; with pyspark's own each worker imports it anew, for a second or two. None of these starts a thread
before it is used.
"""

from __future__ import annotations

import importlib
import sys
from contextlib import suppress
from pathlib import Path

_NEEDED = ("numpy", "pandas", "pyarrow", "pyspark.sql.pandas.serializers", "pyspark.worker", "xgboost")


def main() -> None:
    """Import, then serve as pyspark's own process does."""
    sys.path[:] = without_archive(sys.path)
    from pyspark import daemon  # noqa: PLC0415 - only now it is clear from where

    for module in _NEEDED:
        with suppress(Exception):  # what is missing or broken is told by the worker that needs it
            importlib.import_module(module)
    daemon.manager()


def without_archive(places: list[str]) -> list[str]:
    """Return the places to import from without Spark's archive of pyspark, where its folder is among them as well.

    From an archive Python compiles every module anew, which takes half a second.

    Args:
        places: ``sys.path``.
    """
    kept = []
    for place in places:
        path = Path(place)
        # pyspark/python/lib/pyspark.zip, with the same modules in pyspark.
        unpacked = len(path.parts) > 4 and (path.parents[2] / "daemon.py").is_file()
        if not (path.name == "pyspark.zip" and unpacked and str(path.parents[3]) in places):
            kept.append(place)
    return kept


if __name__ == "__main__":
    main()
