"""This module provides the place of Java: which one Spark will start."""

from __future__ import annotations

import os
import shutil
from pathlib import Path


def java_program() -> Path | None:
    """Return the ``java`` that Spark starts: that of ``JAVA_HOME`` where it is set, else the first on PATH.

    None means that there is none: a ``JAVA_HOME`` that holds no Java is not made good by PATH, for Spark does not
    look there then.
    """
    home = os.environ.get("JAVA_HOME")
    if home:
        program = Path(home) / "bin" / "java"
        return program if program.is_file() else None
    found = shutil.which("java")
    return Path(found) if found else None
