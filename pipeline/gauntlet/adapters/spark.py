"""This module provides the local Spark session: its settings, made once, and its quiet."""

from __future__ import annotations

import importlib
import os
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from gauntlet.adapters.class_archive import sharing_options
from gauntlet.core.errors import RequirementError

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

# Without room for compiled code a session of many queries ends up running uncompiled: with the quick compiler alone
# Java keeps only 48 MB.
_JAVA_OPTIONS = "-XX:ReservedCodeCacheSize=240m -XX:+UseSerialGC"
# On small data the JVM lives for seconds, and with the quick compiler alone a run takes a quarter less processor time.
# On more than this Java's optimising compiler pays at once: the same queries run two to three times as fast.
_QUICK_COMPILER = "-XX:TieredStopAtLevel=1"
_SMALL_DATA_BYTES = 32 << 20
DAEMON_SETTING = "spark.python.daemon.module"
STAGE_CODE_SETTING = "spark.sql.codegen.wholeStage"
_NEEDED_SOON = ("pandas", "pyarrow", "mlflow.pyfunc", "sklearn.ensemble", "scipy.stats", "xgboost", "skops.io")
# By the stages after the first one, which waits for Spark most of its time.
NEEDED_LATER = ("mlflow.store.tracking.sqlalchemy_store", "seaborn", "hyperopt.tpe")


def local_settings(
    *,
    jars: Sequence[Path],
    warehouse: Path,
    workers: int | None = None,
    options: str | None = None,
    data_bytes: int = 0,
) -> dict[str, str]:
    """Return the settings of a local session.

    Args:
        jars: Delta's jars; without any the session has no Delta.
        warehouse: Where Spark keeps what it must keep.
        workers: The number of worker threads; None takes one for each core.
        options: Java's options for the class archive; None takes the archive where there is one.
        data_bytes: How much data the session is known to have to read; Java compiles for much data in another way.
    """
    sharing = sharing_options(jars) if options is None else options
    small = data_bytes <= _SMALL_DATA_BYTES
    java = " ".join(option for option in (_QUICK_COMPILER if small else "", _JAVA_OPTIONS, sharing) if option)
    settings = {
        "spark.master": f"local[{workers or '*'}]",
        "spark.app.name": "gauntlet",
        "spark.driver.host": "127.0.0.1",
        "spark.driver.bindAddress": "127.0.0.1",
        "spark.driver.memory": "1g",
        "spark.driver.extraJavaOptions": java,
        # Workers import a model's own code from where it lies; compiled code beside it would change its files.
        "spark.executorEnv.PYTHONDONTWRITEBYTECODE": "1",
        "spark.ui.enabled": "false",
        "spark.ui.showConsoleProgress": "false",
        # Each operation on a column would tell the JVM which line asked for it, for messages that nobody gets to see.
        "spark.python.sql.dataFrameDebugging.enabled": "false",
        "spark.sql.session.timeZone": "UTC",
        "spark.sql.execution.arrow.pyspark.enabled": "true",
        # Small data: the defaults (200 shuffle partitions, 50 for Delta's snapshots) cost many seconds here.
        "spark.sql.shuffle.partitions": "2",
        "spark.databricks.delta.snapshotPartitions": "2",
        # Re-planning while a query runs pays on large tables; here each of many short queries waits for it in vain.
        "spark.sql.adaptive.enabled": "false",
        "spark.sql.warehouse.dir": str(warehouse),
        "spark.sql.catalogImplementation": "in-memory",
    }
    if small:
        # Spark would generate and compile code for each query as a whole, which takes longer than it saves; each
        # query's expressions are compiled all the same.
        settings[STAGE_CODE_SETTING] = "false"
    if sys.platform == "linux":  # elsewhere a fork after such imports is not known to be safe
        settings[DAEMON_SETTING] = "gauntlet.adapters.worker_daemon"
    if jars:
        settings |= {
            # On the class path, not in ``spark.jars``: Java archives no classes of Spark's own loader.
            "spark.driver.extraClassPath": os.pathsep.join(str(jar) for jar in jars),
            "spark.sql.extensions": "io.delta.sql.DeltaSparkSessionExtension",
            "spark.sql.catalog.spark_catalog": "org.apache.spark.sql.delta.catalog.DeltaCatalog",
        }
    return settings


def use_this_python() -> None:
    """Make Spark start its Python workers with this interpreter.

    Unless told, it takes the first ``python3`` on PATH, which may lack our packages.
    """
    os.environ["PYSPARK_PYTHON"] = os.environ["PYSPARK_DRIVER_PYTHON"] = sys.executable


@contextmanager
def importing_meanwhile(modules: Sequence[str] = _NEEDED_SOON) -> Iterator[None]:
    """Import what will be needed soon while the block waits for Spark.

    The block ends when the imports have: two threads that import the same modules at once may see them half made.

    Args:
        modules: Their names, by default what nearly every session needs; what is missing or broken among them is told
            where it is used.
    """
    thread = threading.Thread(target=_import, args=(modules,), name="imports")
    thread.start()
    try:
        yield
    finally:
        thread.join()


def import_for_many() -> None:
    """Import what nearly every session needs before several threads do: they might see a module half made."""
    _import(("pyspark.sql", *_NEEDED_SOON, *NEEDED_LATER))


def _import(modules: Sequence[str]) -> None:
    for module in modules:
        # What is missing or broken is told where it is used.
        with suppress(Exception):
            importlib.import_module(module)


def open_local_session(settings: dict[str, str]) -> SparkSession:
    """Start Spark in this process, or return the session that is there.

    Raises:
        RequirementError: If pyspark is not installed.
    """
    use_this_python()
    try:
        from pyspark.sql import SparkSession  # noqa: PLC0415 - the extra [local] or a cluster brings it
    except ModuleNotFoundError as error:
        raise RequirementError("pyspark is not installed; pip install 'gauntlet-mlops[local]'") from error
    builder = SparkSession.builder
    for name, value in settings.items():
        builder = builder.config(name, value)
    with importing_meanwhile():
        session = builder.getOrCreate()
    session.sparkContext.setLogLevel("ERROR")
    return session
