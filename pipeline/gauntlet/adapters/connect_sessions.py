"""This module provides sessions on Spark Connect servers: one for a process and a server, closed on purpose.

pyspark closes a session's channel where the garbage collector happens to find it: in a thread that may hold the very
lock that closing waits for, or when the threads that would answer are gone with the interpreter. Then it waits for
ever. So a session is kept, for all roads of the process, until the process ends in an orderly way.
"""

from __future__ import annotations

import atexit
import os
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

TOKEN_VARIABLE = "SPARK_CONNECT_AUTHENTICATE_TOKEN"  # noqa: S105 - the name of a variable
_SESSIONS: dict[tuple[str, str | None], SparkSession] = {}
_OTHERS: list[Any] = []
_LOCK = threading.Lock()


def shared_session(address: str, *, prepare: Callable[[SparkSession], None]) -> SparkSession:
    """Return this process's session on a server; one that the server has forgotten is replaced.

    Args:
        address: The server's address.
        prepare: Called once with a new session.
    """
    from pyspark.sql import SparkSession  # noqa: PLC0415 - takes a while to import

    key = (address, os.environ.get(TOKEN_VARIABLE))
    with _LOCK:
        found = _SESSIONS.get(key)
        if found is not None and _is_known(found):
            return found
        if found is not None:
            _close(_SESSIONS.pop(key))
        made = SparkSession.builder.remote(address).create()
        try:
            prepare(made)
        except BaseException:
            _close(made)
            raise
        _SESSIONS[key] = made
        return made


def close_at_exit(session: Any) -> None:
    """Keep a session that was opened in another way, and close it when the process ends."""
    if not any(other is session for other in _OTHERS):
        _OTHERS.append(session)


def _is_known(session: Any) -> bool:
    """Say whether a session is open and the server knows it; a server that was started anew does not."""
    if session.client.is_closed:
        return False
    try:
        session.conf.get("spark.sql.session.timeZone")
    except Exception as error:
        if "INVALID_HANDLE" in str(error):
            return False
        raise
    return True


def _close(session: Any) -> None:
    with suppress(Exception):  # the server may be gone
        session.client.close()


@atexit.register
def _close_all() -> None:
    """Close all while the threads that answer are still there."""
    for session in (*_SESSIONS.values(), *_OTHERS):
        _close(session)
