"""Print measurements: ``python -m tests.benchmarks end_to_end [--repeats N] [--json]``.

Nothing here asserts a time. Every benchmark prints one JSON object (or a table) with the machine and the versions.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import json
import os
import platform
import sys
from collections.abc import Callable
from typing import Any

from tests.benchmarks.end_to_end import end_to_end

BENCHMARKS: dict[str, Callable[[int], dict[str, Any]]] = {"end_to_end": end_to_end}


def main() -> int:
    """Run the benchmarks asked for and print what they found."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__.splitlines()[0])
    parser.add_argument("name", choices=(*BENCHMARKS, "all"))
    parser.add_argument("--repeats", type=int, default=1, help="runs of each command (default 1)")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    asked = parser.parse_args()
    names = tuple(BENCHMARKS) if asked.name == "all" else (asked.name,)
    found = {name: BENCHMARKS[name](asked.repeats) for name in names}
    if asked.json:
        print(json.dumps(found | {"machine": _machine()}, indent=2))
        return 0
    for name, values in found.items():
        print(name)
        for key, value in values.items():
            print(f"  {key:<28}{value}")
    return 0


def _machine() -> dict[str, Any]:
    libraries = ("pyspark", "delta-spark", "mlflow", "xgboost-cpu", "scikit-learn", "numpy", "great-expectations")
    return {
        "system": platform.platform(),
        "python": platform.python_version(),
        "cores": len(os.sched_getaffinity(0)),
        "versions": {name: importlib.metadata.version(name) for name in libraries},
    }


if __name__ == "__main__":
    sys.exit(main())
