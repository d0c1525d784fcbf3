"""This module provides what is installed beside Gauntlet: the versions that a result was computed with."""

from __future__ import annotations

import importlib.metadata
import platform
from functools import cache

from gauntlet.core.canonical import digest


@cache
def installed_versions() -> dict[str, str]:
    """Return the version of every installed distribution, by its normalised name."""
    found = {}
    for distribution in importlib.metadata.distributions():
        name = distribution.metadata["Name"]
        if name:
            found[name.lower().replace("_", "-").replace(".", "-")] = distribution.version
    return dict(sorted(found.items()))


def lock_digest() -> str:
    """Return the digest of the Python and of all installed versions: what a lock file would say."""
    return digest({"python": platform.python_version(), "distributions": installed_versions()})
