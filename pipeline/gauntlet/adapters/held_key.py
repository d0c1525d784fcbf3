"""This module provides the private key of the environment, held back from all that this process starts."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

KEY_VARIABLE = "GAUNTLET_SIGNING_KEY"

_held: list[str] = []


@contextmanager
def key_held_back() -> Iterator[None]:
    """Take the private key out of this process's environment for a while: whatever is started then does not inherit it.

    Spark's JVM, its workers, Terraform and a user's tests have no use for it. This process can still sign.
    """
    key = os.environ.pop(KEY_VARIABLE, None)
    if key is None:
        yield
        return
    _held.append(key)
    try:
        yield
    finally:
        os.environ[KEY_VARIABLE] = _held.pop()


def key_text() -> str | None:
    """Return the private key of the environment, held back or not; None if there is none."""
    return os.environ.get(KEY_VARIABLE, _held[-1] if _held else None)
