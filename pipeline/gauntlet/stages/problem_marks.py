"""This module provides what evidence names a problem by: the digest of its file, and its expectation suites."""

from __future__ import annotations

from pathlib import Path

from gauntlet.adapters.suite_files import Suite, find_suite, load_suite
from gauntlet.core.canonical import digest
from gauntlet.core.problem import Problem


def problem_digest(problem: Problem) -> str:
    """Return the digest of a whole problem file, as it was read."""
    return digest(problem.model_dump(mode="json"))


def suites_of(problem: Problem, *, problem_folder: Path | None) -> dict[str, Suite]:
    """Return the problem's suites, by table.

    Args:
        problem: The problem.
        problem_folder: The folder of the problem file; None for the packaged problem.

    Raises:
        ProblemFileError: If one cannot be found or read.
    """
    names = {"raw": problem.suites.raw, "curated": problem.suites.curated, "predictions": problem.suites.predictions}
    return {table: load_suite(find_suite(name, problem_folder=problem_folder)) for table, name in names.items()}
