"""This module provides the description of a stage and the key under which its result is kept."""

from __future__ import annotations

from collections.abc import Mapping

from gauntlet.core.canonical import JsonValue, digest
from gauntlet.core.results import StageResult


def stage_key(
    stage: str,
    *,
    code: str,
    settings: Mapping[str, JsonValue],
    inputs: Mapping[str, StageResult],
    outside: Mapping[str, JsonValue],
) -> str:
    """Return the digest of all that a stage's result depends on.

    Args:
        stage: The stage's name.
        code: The digest of the code and libraries that compute it.
        settings: The parts of the problem that it reads.
        inputs: The results that it reads, by stage.
        outside: What it reads beyond those (the digests of source files).
    """
    return digest(
        {
            "stage": stage,
            "code": code,
            "settings": dict(settings),
            "inputs": {name: result.digest() for name, result in inputs.items()},
            "outside": dict(outside),
        }
    )
