"""Spark's Python workers on this machine: forked from a process that has imported what they need."""

import os
import sys
from pathlib import Path

import pytest

pytestmark = [pytest.mark.data, pytest.mark.local_only("about the workers of this machine")]


def _imported(batches):
    import sys as of_worker  # noqa: PLC0415 - runs in Spark's worker

    import pandas as pd  # noqa: PLC0415 - as above

    before = {"xgboost", "pyarrow", "numpy"} & set(of_worker.modules)
    for _ in batches:
        yield pd.DataFrame({"process": [os.getpid()], "parent": [os.getppid()], "before": [" ".join(sorted(before))]})


def test_a_worker_has_at_its_start_what_it_needs(spark):
    if sys.platform != "linux":
        assert spark.conf.get("spark.python.daemon.module", None) is None
        return
    rows = spark.range(0, 2, 1, 2).mapInPandas(_imported, "process long, parent long, before string").collect()
    assert {row["before"] for row in rows} == {"numpy pyarrow xgboost"}
    command = Path(f"/proc/{rows[0]['parent']}/cmdline").read_bytes()
    assert b"gauntlet.adapters.worker_daemon" in command
