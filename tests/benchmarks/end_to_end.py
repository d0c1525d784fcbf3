"""The whole honest run from a cold start, and the tutorial's own steps as its anchor.

Of ours the seconds, those of each stage, and the memory that it and all its children hold together. The *limit* holds
what no run can do without: the seconds of the sweep's fits, as its journal has them, divided by the cores.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import threading
from pathlib import Path
from typing import Any

from gauntlet.core.trials import read_journal

_SAMPLE_SECONDS = 0.2
_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")


def end_to_end(repeats: int, anchor_trials: int) -> dict[str, Any]:
    """Run ``gauntlet run --json`` and the tutorial's steps in empty folders, in turns; return the medians.

    Args:
        repeats: How often.
        anchor_trials: The trials of the tutorial's sweep; 0 leaves the tutorial out. Fewer than our 96 favour it.
    """
    runs, anchors = [], []
    for _ in range(repeats):
        runs.append(_run())
        if anchor_trials:
            anchors.append(_tutorial(anchor_trials))
    seconds = [run["ours_seconds"] for run in runs]
    ours, limit = statistics.median(seconds), statistics.median(run["limit_seconds"] for run in runs)
    anchor = statistics.median(anchors) if anchors else None
    return runs[-1] | {
        "anchor_seconds": anchor,
        "anchor_trials": anchor_trials,
        "speedup_over_anchor": None if anchor is None else round(anchor / ours, 2),
        "ours_seconds": round(ours, 1),
        "ours_seconds_min": min(seconds),
        "limit_seconds": limit,
        "ratio_to_limit": round(ours / limit, 2),
        "peak_memory_mib": max(run["peak_memory_mib"] for run in runs),
        "repeats": repeats,
    }


def _tutorial(trials: int) -> float:
    with tempfile.TemporaryDirectory() as folder:
        started = os.times().elapsed
        command = [sys.executable, "-m", "tests.benchmarks.tutorial", folder, str(trials)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise SystemExit(f"the tutorial's steps ended with {done.returncode}: {done.stderr[-2000:]}")
        return round(os.times().elapsed - started, 1)


def _run() -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as folder:
        started = os.times().elapsed
        process = subprocess.Popen(
            [sys.executable, "-m", "gauntlet", "run", "--json"],
            cwd=folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        watch = _MemoryWatch(process.pid)
        watch.start()
        out, err = process.communicate()
        watch.stop()
        if process.returncode != 0:
            raise SystemExit(f"gauntlet run ended with {process.returncode}: {err}")
        taken = round(os.times().elapsed - started, 1)
        found = json.loads(out)
        return {
            "ours_seconds": taken,
            "limit_seconds": round(_seconds_of_fits(Path(folder)) / (os.cpu_count() or 1), 1),
            "peak_memory_mib": watch.peak // 2**20,
            "rows": found["data"]["rows"],
            "synthetic": found["data"]["synthetic"],
            "trials": found["sweep"]["trials"],
            "sweep_digest": found["sweep"]["digest"],
            "seconds_by_stage": found["seconds"],
        }


def _seconds_of_fits(folder: Path) -> float:
    """Return what the trials of the one sweep in a folder took, added up."""
    (journal,) = folder.glob(".gauntlet/stages/sweep/*/trials.jsonl")
    return sum(result.seconds for result in read_journal(journal))


class _MemoryWatch(threading.Thread):
    """Adds up, again and again, the resident memory of all processes of a session, and keeps the largest sum.

    Pages that processes share count in each, so the sum is an upper bound.
    """

    def __init__(self, session: int) -> None:
        super().__init__(daemon=True)
        self._session = session
        self._over = threading.Event()
        self.peak = 0

    def run(self) -> None:
        while not self._over.wait(_SAMPLE_SECONDS):
            self.peak = max(self.peak, sum(self._resident(path) for path in Path("/proc").glob("[0-9]*")))

    def stop(self) -> None:
        self._over.set()
        self.join()

    def _resident(self, process: Path) -> int:
        try:
            # The command's name, in parentheses, may hold spaces: the numbers begin after it.
            fields = (process / "stat").read_text(encoding="utf-8").rpartition(")")[2].split()
            if int(fields[3]) != self._session:
                return 0
            return int((process / "statm").read_text(encoding="utf-8").split()[1]) * _PAGE_BYTES
        except (OSError, IndexError, ValueError):  # it ended meanwhile
            return 0
