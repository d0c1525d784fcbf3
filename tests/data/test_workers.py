"""Spark's Python workers on this machine: forked from a process that has imported what they need."""

import os
import sys
import threading
from pathlib import Path

import pyspark
import pytest

from gauntlet.adapters.sweep_engine import wake_workers
from gauntlet.adapters.worker_daemon import without_archive

pytestmark = [pytest.mark.data, pytest.mark.local_only("about the workers of this machine")]


def _imported(batches):
    import sys as of_worker  # noqa: PLC0415 - runs in Spark's worker

    import pandas as pd  # noqa: PLC0415 - as above

    before = {"xgboost", "pyarrow", "numpy"} & set(of_worker.modules)
    for _ in batches:
        yield pd.DataFrame({"process": [os.getpid()], "parent": [os.getppid()], "before": [" ".join(sorted(before))]})


def _pyspark_of_worker(batches):
    import pandas as pd  # noqa: PLC0415 - runs in Spark's worker
    import pyspark as of_worker  # noqa: PLC0415 - as above

    for _ in batches:
        yield pd.DataFrame({"file": [of_worker.__file__]})


def test_a_worker_has_at_its_start_what_it_needs(spark):
    if sys.platform != "linux":
        assert spark.conf.get("spark.python.daemon.module", None) is None
        return
    rows = spark.range(0, 2, 1, 2).mapInPandas(_imported, "process long, parent long, before string").collect()
    assert {row["before"] for row in rows} == {"numpy pyarrow xgboost"}
    command = Path(f"/proc/{rows[0]['parent']}/cmdline").read_bytes()
    assert b"gauntlet.adapters.worker_daemon" in command


def test_workers_are_woken_beside_other_work(spark, monkeypatch):
    others_done, began = threading.Event(), threading.Event()

    def watched(*arguments):
        assert others_done.wait(60)
        began.set()
        return type(spark).range(spark, *arguments)

    monkeypatch.setattr(spark, "range", watched)
    wake_workers(spark)
    assert not began.is_set()
    others_done.set()
    assert began.wait(60)


def test_waking_workers_of_a_session_that_is_broken_says_nothing():
    class Broken:
        def range(self, *_):
            raise ConnectionError("no session")

    before = set(threading.enumerate())
    wake_workers(Broken())
    for thread in set(threading.enumerate()) - before:
        thread.join(60)
    assert not [thread for thread in threading.enumerate() if thread.name == "wake workers" and thread not in before]


def test_workers_import_pyspark_from_its_folder_where_that_is_at_hand(tmp_path):
    package = tmp_path / "site-packages" / "pyspark"
    archive = package / "python" / "lib" / "pyspark.zip"
    archive.parent.mkdir(parents=True)
    (package / "daemon.py").touch()
    py4j, packages = str(archive.with_name("py4j-src.zip")), str(package.parent)
    assert without_archive([str(archive), py4j, packages]) == [py4j, packages]
    # Without the folder on the path, or without the modules in it, the archive is all there is.
    assert without_archive([str(archive), py4j]) == [str(archive), py4j]
    (package / "daemon.py").unlink()
    assert without_archive([str(archive), py4j, packages]) == [str(archive), py4j, packages]
    assert without_archive(["", "pyspark.zip"]) == ["", "pyspark.zip"]


def test_this_machines_workers_have_pyspark_from_its_folder(spark):
    rows = spark.range(0, 1, 1, 1).mapInPandas(_pyspark_of_worker, "file string").collect()
    assert (rows[0]["file"] == str(Path(pyspark.__file__))) == (sys.platform == "linux")
