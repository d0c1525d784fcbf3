"""Print measurements: ``python -m tests.benchmarks end_to_end [--repeats N] [--json]``.

Nothing here asserts a time. Every benchmark prints one JSON object (or a table) with the machine and the versions. One
that measures how often something goes wrong has bounds, and the command ends with 1 if they do not hold.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import json
import os
import platform
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from tests.benchmarks.checks import checks
from tests.benchmarks.end_to_end import end_to_end
from tests.benchmarks.false_promotions import false_promotions
from tests.benchmarks.false_refusals import TABLES, false_refusals
from tests.benchmarks.own_tables import own_tables
from tests.benchmarks.power import power
from tests.benchmarks.promotion_proofs import evidence_flips, whole_promotions
from tests.benchmarks.promotion_races import promotion_races
from tests.benchmarks.reader_parity import COMMANDS, FILES, reader_parity
from tests.benchmarks.scoring import growth, scoring
from tests.benchmarks.serving import serving
from tests.benchmarks.simulated_tables import FAMILIES
from tests.benchmarks.sweep import proposals, sweep

BENCHMARKS: dict[str, Callable[[argparse.Namespace], dict[str, Any]]] = {
    "end_to_end": lambda asked: end_to_end(asked.repeats, asked.tutorial_trials),
    "false_refusals": lambda asked: false_refusals(
        asked.part, family=asked.family, rows=asked.rows, processes=asked.processes
    ),
    "power": lambda asked: power(asked.tables, rows=asked.rows, processes=asked.processes),
    "false_promotions": lambda asked: false_promotions(asked.pairs),
    "evidence_flips": lambda asked: evidence_flips(asked.flips),
    "whole_promotions": lambda asked: whole_promotions(asked.promotions),
    "promotion_races": lambda asked: promotion_races(asked.races),
    "checks": lambda asked: checks(asked.rows or ROWS, max(asked.repeats, 3), connect=asked.connect),
    "scoring": lambda asked: scoring(asked.rows or ROWS, asked.repeats),
    "growth": lambda asked: growth(asked.rows or ROWS, asked.repeats) | proposals((96, 500, asked.most_trials)),
    "serving": lambda asked: serving(asked.turns, asked.state),
    "sweep": lambda asked: sweep(asked.trials, asked.anchor_trials, asked.repeats),
    "own_tables": lambda asked: own_tables(asked.folder, trials=asked.trials, only=asked.only),
    "reader_parity": lambda asked: reader_parity(asked.files, asked.commands, Path(".gauntlet/reader_parity")),
}


ROWS = 1_000_000
# These take an hour and more, or packages that nothing else needs; they run only by name.
LONG = frozenset({"false_refusals", "own_tables", "power", "reader_parity"})


def main() -> int:
    """Run the benchmarks asked for and print what they found."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__.splitlines()[0])
    parser.add_argument("name", choices=(*BENCHMARKS, "all"))
    parser.add_argument("--repeats", type=int, default=1, help="runs of each command (default 1)")
    parser.add_argument("--pairs", type=_count, default=2000, help="pairs of models of each question (default 2000)")
    parser.add_argument("--races", type=_count, default=20_000, help="races for the ledger (default 20000)")
    parser.add_argument("--promotions", type=_count, default=200, help="whole promotions raced (default 200)")
    parser.add_argument("--flips", type=_count, default=500, help="bytes flipped, one at a time (default 500)")
    parser.add_argument("--turns", type=_count, default=3, help="turns of load on each server (default 3)")
    parser.add_argument(
        "--rows",
        type=_count,
        help=f"rows to check and to score (default {ROWS}); false_refusals, power: only this size",
    )
    parser.add_argument("--part", choices=tuple(TABLES), default="quarter", help="how many tables (default quarter)")
    parser.add_argument("--family", choices=tuple(FAMILIES), help="only this family of tables (default all)")
    parser.add_argument("--tables", type=_count, default=20, help="tables of each size for power (default 20)")
    parser.add_argument("--processes", type=_count, default=2, help="processes for the tables (default 2)")
    parser.add_argument("--connect", help="address of a Spark Connect server for the checks (default: classic Spark)")
    parser.add_argument("--state", type=Path, help="state folder of the champion to serve (default: one made for it)")
    parser.add_argument("--trials", type=_count, default=96, help="trials of the sweep (default 96)")
    parser.add_argument("--anchor-trials", type=_count, default=24, help="trials of hyperopt's sweeps (default 24)")
    parser.add_argument(
        "--tutorial-trials", type=int, default=96, help="trials of the tutorial's sweep; 0 leaves it out (default 96)"
    )
    parser.add_argument("--most-trials", type=_count, default=2000, help="trials of the longest history (default 2000)")
    parser.add_argument("--only", action="append", default=[], metavar="TABLE", help="of own_tables, this table only")
    parser.add_argument(
        "--folder", type=Path, default=Path(".gauntlet/own_tables"), help="where own_tables keeps files and its journal"
    )
    parser.add_argument("--files", type=_count, default=FILES, help=f"files to read (default {FILES})")
    parser.add_argument(
        "--commands", type=int, default=COMMANDS, help=f"of them, how many by the commands (default {COMMANDS})"
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    asked = parser.parse_args()
    every = asked.name == "all"
    found = (
        {name: _apart(name) for name in BENCHMARKS if name not in LONG}
        if every
        else {asked.name: BENCHMARKS[asked.name](asked)}
    )
    if asked.json:
        print(json.dumps(found | {"machine": _machine()}, indent=2))
    else:
        print("\n".join(line for name, values in found.items() for line in (name, *_lines(values))))
    return 0 if all(values.get("bounds_hold", True) for values in found.values()) else 1


def _apart(name: str) -> dict[str, Any]:
    """Return what a benchmark finds in a process of its own, and say on standard error that it runs: it takes minutes.

    In one process they would share the first one's Spark, whose settings are those for its amount of data.
    """
    print(f"{name} …", file=sys.stderr, flush=True)
    started = time.monotonic()
    command = [sys.executable, "-m", "tests.benchmarks", *(name if part == "all" else part for part in sys.argv[1:])]
    command += [] if "--json" in command else ["--json"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    try:
        found: dict[str, Any] = json.loads(done.stdout)[name]
    except (ValueError, KeyError):
        raise SystemExit(f"{name}: ended with {done.returncode}: {done.stderr[-4000:]}") from None
    print(f"{name}: {time.monotonic() - started:.0f} s", file=sys.stderr, flush=True)
    return found


def _count(text: str) -> int:
    if (number := int(text)) < 1:
        raise argparse.ArgumentTypeError("at least 1 is needed")
    return number


def _lines(values: dict[str, Any]) -> Iterator[str]:
    for key, value in values.items():
        if isinstance(value, list) and value:  # a table: its rows are alike
            cells = [list(value[0]), *([_short(cell) for cell in row.values()] for row in value)]
            widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
            yield from ("  " + "  ".join(map(str.ljust, row, widths)).rstrip() for row in cells)
        else:
            yield f"  {key:<28}{value}"


def _short(value: Any) -> str:
    if isinstance(value, tuple):
        return " to ".join(_short(part) for part in value)
    return f"{value:.4f}" if isinstance(value, float) else str(value)


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
