"""This module provides the process from which Spark forks its Python workers on this machine.

It imports what nearly every worker needs before the first fork, so that a worker has it at once and shares its memory
with the others; with pyspark's own each worker imports it anew, for a second or two. None of these starts a thread
before it is used.
"""

from __future__ import annotations

import importlib
from contextlib import suppress

from pyspark import daemon

_NEEDED = ("numpy", "pandas", "pyarrow", "pyspark.sql.pandas.serializers", "pyspark.worker", "xgboost")


def main() -> None:
    """Import, then serve as pyspark's own process does."""
    for module in _NEEDED:
        with suppress(Exception):  # what is missing or broken is told by the worker that needs it
            importlib.import_module(module)
    daemon.manager()


if __name__ == "__main__":
    main()
