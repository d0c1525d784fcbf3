"""This module provides paths as Spark reads them."""

from __future__ import annotations

import re


def literal_path(path: str) -> str:
    """Return a path with the characters escaped that Spark would take for a pattern."""
    return re.sub(r"([\\{}\[\]*?,])", r"\\\1", path)
