"""This module provides what evidence names a problem by: the digest of its file, and its expectation suites."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from gauntlet.adapters.suite_files import Suite, find_suite, load_suite
from gauntlet.core.canonical import digest
from gauntlet.core.grouping import columns_of_split
from gauntlet.core.problem import RESERVED_COLUMNS, Problem


def problem_digest(problem: Problem) -> str:
    """Return the digest of a whole problem file, as it was read."""
    return digest(problem.model_dump(mode="json"))


def suites_of(problem: Problem, *, problem_folder: Path | None) -> dict[str, Suite]:
    """Return the problem's suites, by table.

    Expectations of the raw and the curated table about a column that the problem ignores or does not have are set
    aside: they are not asked. A column that the split goes by is used, whatever its role.

    Args:
        problem: The problem.
        problem_folder: The folder of the problem file; None for the packaged problem.

    Raises:
        ProblemFileError: If one cannot be found or read.
    """
    suites = {
        table: load_suite(find_suite(name, problem_folder=problem_folder), free_sql=problem.suites.free_sql)
        for table, name in problem.suites.by_table.items()
    }
    used = {*(c.name for c in problem.features), *columns_of_split(problem), *RESERVED_COLUMNS}
    return suites | {
        "raw": suites["raw"].restricted(used | {problem.label.column}),
        "curated": suites["curated"].restricted(used),
    }


def not_asked_sentences(problem: Problem, suites: Mapping[str, Suite]) -> tuple[str, ...]:
    """Return what the suites hold and is not asked, one sentence a table."""
    known = {column.name for column in problem.columns}
    sentences = []
    for table, suite in suites.items():
        columns = sorted({name for e in suite.not_asked for name in e.named_columns})
        if columns:
            about = ", ".join(f"{name} ({'ignored' if name in known else 'no such column'})" for name in columns)
            sentences.append(f"{len(suite.not_asked)} expectations of {table} are not asked, about {about}")
    return tuple(sentences)
