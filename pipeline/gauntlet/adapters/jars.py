"""This module provides Delta Lake's jars: resolved once into a cache, then passed to Spark by path.

Spark's own ``spark.jars.packages`` resolves on every start, logs to the terminal and needs the network each time. Here
Apache Ivy, which pyspark carries, is called once. Two jars suffice: everything else that Delta's Maven description
pulls (80 MB) is part of pyspark already.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from platformdirs import user_cache_path

from gauntlet.adapters.java import java_program
from gauntlet.core.errors import RequirementError

DELTA_VERSION = "4.4.0"
DELTA_MODULES = ("delta-spark_4.2_2.13", "delta-storage")
_TIMEOUT_SECONDS = 300

_IVY_MODULE = """<ivy-module version="2.0">
  <info organisation="gauntlet" module="jars"/>
  <configurations><conf name="default"/></configurations>
  <dependencies>
{dependencies}
  </dependencies>
</ivy-module>
"""
_IVY_DEPENDENCY = '    <dependency org="io.delta" name="{name}" rev="{version}" transitive="false" conf="default"/>'


def cache_folder() -> Path:
    """Return the folder for what is fetched once: ``GAUNTLET_CACHE_DIR``, or the user's cache folder."""
    configured = os.environ.get("GAUNTLET_CACHE_DIR")
    return Path(configured) if configured else user_cache_path("gauntlet")


def delta_jars() -> tuple[Path, ...]:
    """Return the paths of Delta's jars, resolving them at the first call.

    ``GAUNTLET_JARS_DIR`` names a folder that holds them already (a closed network); ``GAUNTLET_IVY_SETTINGS`` names an
    Ivy settings file (a mirror).

    Raises:
        RequirementError: If they cannot be had; the message says what was tried and what to do.
    """
    configured = os.environ.get("GAUNTLET_JARS_DIR")
    if configured:
        jars = _jars_in(Path(configured))
        if not _complete(jars):
            wanted = ", ".join(f"{name}-{DELTA_VERSION}.jar" for name in DELTA_MODULES)
            raise RequirementError(f"GAUNTLET_JARS_DIR={configured}: must hold {wanted}")
        return jars
    folder = _cached_folder()
    if not _complete(_jars_in(folder)):
        _resolve(folder)
    return _jars_in(folder)


def jars_at_hand() -> bool:
    """Say whether Delta's jars are there already, without fetching anything."""
    configured = os.environ.get("GAUNTLET_JARS_DIR")
    return _complete(_jars_in(Path(configured) if configured else _cached_folder()))


def _cached_folder() -> Path:
    return cache_folder() / "jars" / f"delta-{DELTA_VERSION}"


def _jars_in(folder: Path) -> tuple[Path, ...]:
    jars = (folder / f"{name}-{DELTA_VERSION}.jar" for name in DELTA_MODULES)
    return tuple(jar for jar in jars if jar.is_file())


def _complete(jars: tuple[Path, ...]) -> bool:
    return len(jars) == len(DELTA_MODULES)


def _resolve(folder: Path) -> None:
    """Let Ivy fetch the jars beside the cache, then move the folder into place as a whole."""
    java, ivy = java_program(), _ivy_jar()
    if java is None or ivy is None:
        raise RequirementError("Delta's jars cannot be resolved without Java and pyspark; run `gauntlet doctor`")
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent) as name:
        work = Path(name)
        lines = (_IVY_DEPENDENCY.format(name=module, version=DELTA_VERSION) for module in DELTA_MODULES)
        (work / "ivy.xml").write_text(_IVY_MODULE.format(dependencies="\n".join(lines)), encoding="utf-8")
        settings = os.environ.get("GAUNTLET_IVY_SETTINGS")
        command = [str(java), "-jar", str(ivy), *(["-settings", settings] if settings else [])]
        command += ["-ivy", str(work / "ivy.xml"), "-cache", str(work / "cache"), "-types", "jar"]
        command += ["-retrieve", str(work / "jars" / "[artifact]-[revision].[ext]")]
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=_TIMEOUT_SECONDS, check=False)  # noqa: S603 - our own arguments, no shell
            output = done.stdout + done.stderr
        except subprocess.TimeoutExpired:
            output = f"no answer within {_TIMEOUT_SECONDS} s"
        if not _complete(_jars_in(work / "jars")):
            raise RequirementError(_not_resolved(output))
        if _complete(_jars_in(folder)):  # another process was faster, and its Spark may read them by now
            return
        shutil.rmtree(folder, ignore_errors=True)
        (work / "jars").replace(folder)


def _not_resolved(output: str) -> str:
    lines = [line.strip() for line in output.splitlines() if "Exception" in line or "not found" in line]
    reason = lines[0] if lines else output.strip().splitlines()[-1] if output.strip() else "Ivy gave no reason"
    return (
        f"Delta Lake {DELTA_VERSION}'s jars could not be fetched ({reason}); connect once, set GAUNTLET_IVY_SETTINGS "
        "to an Ivy settings file with your mirror, or GAUNTLET_JARS_DIR to a folder that holds them"
    )


def _ivy_jar() -> Path | None:
    try:
        import pyspark  # noqa: PLC0415 - the extra [local] or a cluster brings it
    except ModuleNotFoundError:
        return None
    jars = sorted((Path(pyspark.__file__).parent / "jars").glob("ivy-2*.jar"))
    return jars[-1] if jars else None
