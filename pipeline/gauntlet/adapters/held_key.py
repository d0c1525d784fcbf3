"""This module provides the private keys of the environment, held back from all that this process starts."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

JUDGE_VARIABLE = "GAUNTLET_SIGNING_KEY"
PROMOTER_VARIABLE = "GAUNTLET_PROMOTION_KEY"
KEY_VARIABLES = (JUDGE_VARIABLE, PROMOTER_VARIABLE)

_held: dict[str, str] = {}


@contextmanager
def keys_held_back() -> Iterator[None]:
    """Take private keys out of this process's environment for a while: whatever is started then does not inherit them.

    Spark's JVM, its workers, Terraform and a user's tests have no use for them. This process can still sign.
    """
    taken = {name: os.environ.pop(name) for name in KEY_VARIABLES if name in os.environ}
    _held.update(taken)
    try:
        yield
    finally:
        for name in taken:
            os.environ[name] = _held.pop(name)


def key_text(variable: str) -> str | None:
    """Return the private key that a variable of the environment holds, held back or not; None if there is none."""
    return os.environ.get(variable, _held.get(variable))
