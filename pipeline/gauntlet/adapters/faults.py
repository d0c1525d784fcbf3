"""This module provides the machine's faults: what a library's error means where a user can do something about it."""

from __future__ import annotations

import errno
from collections.abc import Iterator

from gauntlet.core.errors import GauntletError, RequirementError

# What the operating system, the JVM and SQLite say of a full disk, in that order.
_FULL_DISK_PHRASES = ("No space left on device", "Disk quota exceeded", "database or disk is full")
# What pyspark's Connect client says when its server is gone, or came back and knows the session no more.
_LOST_SPARK_PHRASES = (
    "StatusCode.UNAVAILABLE",
    "failed to connect to all addresses",
    "RETRIES_EXCEEDED",
    "SESSION_NOT_FOUND",
    "SESSION_CHANGED",
    "SESSION_CLOSED",
    "StatusCode.UNAUTHENTICATED",
)
# What MLflow's client says when its server is gone, or refuses the password.
_LOST_MLFLOW_PHRASES = (
    "Max retries exceeded with url",
    "failed with exception HTTPConnectionPool",
    "You are not authenticated",
)
_FULL_DISK_NUMBERS = frozenset({errno.ENOSPC, errno.EDQUOT})


def explained(error: BaseException) -> GauntletError | None:
    """Return the clear error that stands for a library's one; None if its meaning is not known.

    Args:
        error: Any error. Its causes are looked at too: Spark and MLflow wrap the one that matters.
    """
    if isinstance(error, GauntletError):
        return None
    if any(_says_full_disk(link) for link in _chain(error)):
        return RequirementError(
            "the disk is full; free some space (`gauntlet clean --dry-run` lists what can go), or give a folder on "
            "another disk with --state (GAUNTLET_CACHE_DIR moves the cache of fetched files, TMPDIR Spark's own files)"
        )
    for phrases, server in ((_LOST_SPARK_PHRASES, "Spark's"), (_LOST_MLFLOW_PHRASES, "MLflow's")):
        found = next((link for link in _chain(error) if any(phrase in str(link) for phrase in phrases)), None)
        if found is not None:
            reason = " ".join(str(found).split())[:200]
            return RequirementError(
                f"{server} server is gone, was started anew, or refuses this client ({type(found).__name__}: {reason}"
                "); what is done is kept: see to the server (`gauntlet stack status`), and run again to go on from here"
            )
    return None


def _says_full_disk(error: BaseException) -> bool:
    if isinstance(error, OSError) and error.errno in _FULL_DISK_NUMBERS:
        return True
    text = str(error)
    return any(phrase in text for phrase in _FULL_DISK_PHRASES)


def _chain(error: BaseException) -> Iterator[BaseException]:
    """Yield an error and what it came from; ``_cause`` is where pyspark keeps the JVM's own chain."""
    seen: set[int] = set()
    waiting: list[BaseException | None] = [error]
    while waiting:
        link = waiting.pop()
        if not isinstance(link, BaseException) or id(link) in seen:
            continue
        seen.add(id(link))
        yield link
        waiting += [link.__cause__, link.__context__, getattr(link, "_cause", None)]
