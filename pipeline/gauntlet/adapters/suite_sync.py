"""This module provides the suites of a problem drafted anew from its data, and their merge with the files there are.

An entry of a suite is replaced, or removed where the draft has no more such entry, only while it has its mark
(``meta.drafted``, the digest of what was drafted). An entry that was edited, adopted or written by hand stays, and
nothing is drafted beside it for the same column and rule. What was drafted once and is gone was deleted by hand, and
does not come back.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from gauntlet.adapters.drafted_files import DraftedFile, text_of
from gauntlet.adapters.label_draft import rule_draft
from gauntlet.adapters.origins import fetch
from gauntlet.adapters.suite_draft import DRAFTED, SUITE_TABLES, draft_suites, is_drafted, suite_text
from gauntlet.adapters.suite_files import entry_key, find_suite, packaged_suites, read_suite_document
from gauntlet.adapters.table_sketch import ColumnSketch, TableSketch, read_columns, sketch_table
from gauntlet.core.errors import InputError, ProblemFileError, RequirementError
from gauntlet.core.problem import Column, Problem, Source
from gauntlet.core.reading import Reading


def drafted_suites(problem: Problem, table: TableSketch, *, problem_folder: Path) -> tuple[DraftedFile, ...]:
    """Return what a new draft of a problem's suites does to the files: raw, curated, predictions.

    Args:
        problem: The problem; what it ignores has no expectations.
        table: Its data, as ``described`` returns it.
        problem_folder: The folder of the problem file.

    Raises:
        InputError: If a suite's file is no suite, or the suite is one that ships with the package.
    """
    label = rule_draft(problem.label, table.column(problem.label.column), path=table.path)
    drafted = draft_suites(table, label=label, name=problem.name)
    names = {kind: getattr(problem.suites, kind) for kind in SUITE_TABLES}
    return tuple(
        _merged_file(_suite_path(names[kind], problem_folder), drafted[kind] | {"name": names[kind]})
        for kind in SUITE_TABLES
    )


def source_table(problem: Problem, *, cache: Path) -> TableSketch:
    """Return the sketch of a problem's data: its sources, one after another, with the problem's names and roles.

    Args:
        problem: The problem.
        cache: The folder for what comes over the network.

    Raises:
        InputError: If the data cannot be had or read.
    """

    def no_session() -> Any:
        raise RequirementError("suites are drafted without Spark; bring a copy of the data as a local file")

    fetched = fetch(problem, target_name="local", cache=cache, synthetic_allowed=False, spark=no_session)
    sketches = [
        described(sketch_table(fetched.files[source.name]), problem, source=source) for source in problem.sources
    ]
    first = sketches[0]
    columns = (
        replace(column, values=pd.concat([sketch.columns[place].values for sketch in sketches], ignore_index=True))
        for place, column in enumerate(first.columns)
    )
    return replace(first, columns=tuple(columns))


def described(table: TableSketch, problem: Problem, *, source: Source) -> TableSketch:
    """Return a sketch with the names, kinds and roles that a problem gives its columns, constants included.

    Where the problem reads a column otherwise than the sketch, the file is read again as the problem says.

    Raises:
        InputError: If the table lacks a column of the problem.
    """
    sketched = {column.name: column for column in table.columns}
    in_file = [column for column in problem.columns if column.name not in source.constants]
    values = {column.name: column.values for column in table.columns}
    if not all(column.name in sketched and _reads_alike(column, sketched[column.name]) for column in in_file):
        values = read_columns(table.path, source=source, columns=in_file)
    return replace(
        table,
        columns=tuple(_described(column, sketched.get(column.name), values, source) for column in problem.columns),
    )


def _reads_alike(column: Column, sketch: ColumnSketch) -> bool:
    names = (column.source_name or column.name, sketch.source_name)
    same = len({"_".join(name.split()) for name in names}) == 1
    return same and all(getattr(column, key) == getattr(sketch.reading, key) for key in Reading.model_fields)


def _described(
    column: Column, sketch: ColumnSketch | None, values: Mapping[str, pd.Series], source: Source
) -> ColumnSketch:
    if column.name in source.constants:
        rows = len(next(iter(values.values())))
        made = pd.Series([source.constants[column.name]] * rows)
        return ColumnSketch(column.name, column.name, column.kind, made, role=column.role)
    found = sketch or ColumnSketch(column.name, column.source_name or column.name, column.kind, values[column.name])
    as_kind = _as_kind(values[column.name], column)
    return replace(found, name=column.name, kind=column.kind, values=as_kind, role=column.role)


def _as_kind(values: pd.Series, column: Column) -> pd.Series:
    if column.kind in ("text", "date"):
        return values.map(str, na_action="ignore").astype(object)
    if column.kind == "boolean":
        return values
    return pd.to_numeric(values, errors="coerce").astype(np.float64)


def _suite_path(name: str, problem_folder: Path) -> Path:
    try:
        found = find_suite(name, problem_folder=problem_folder)
    except ProblemFileError:
        return problem_folder / "suites" / f"{name}.json"
    if found.is_relative_to(packaged_suites()):
        raise InputError(
            f"suites: {name!r} ships with the package and is not drafted; copy {found} to "
            f"{problem_folder / 'suites' / f'{name}.json'} to make it yours"
        )
    return found


def _merged_file(path: Path, drafted: dict[str, Any]) -> DraftedFile:
    proposed = suite_text(drafted)
    before = text_of(path)
    if before is None:
        return DraftedFile(path, None, proposed, proposed)
    old = read_suite_document(path, free_sql=True)  # it is merged, not asked
    merged, kept = _merged(old, drafted)
    # What does not change keeps the layout that somebody gave it.
    after = before if merged == old else suite_text(merged)
    return DraftedFile(path, before, after, after, kept=kept)


def _merged(old: Mapping[str, Any], drafted: Mapping[str, Any]) -> tuple[dict[str, Any], tuple[str, ...]]:
    """Return a suite with its drafted entries drafted anew, and the names of the edited ones."""
    new = {entry_key(entry): entry for entry in drafted["expectations"]}
    own = {entry_key(entry) for entry in old["expectations"] if not is_drafted(entry)}
    there = {entry_key(entry) for entry in old["expectations"]}
    once = set(old.get("meta", {}).get(DRAFTED, []))

    def entries() -> Iterator[Any]:
        for entry in old["expectations"]:
            key = entry_key(entry)
            if not is_drafted(entry):
                yield entry
            elif key in new:
                yield new[key]
        yield from (entry for key, entry in new.items() if key not in there | once)

    keys = [*new, *sorted(once - new.keys() - there)]
    meta = {**old.get("meta", {}), DRAFTED: keys}
    # Entries that no draft has marked and that any draft would hold alike are nobody's edits.
    kept = tuple(sorted(key for key in own if new.get(key) not in old["expectations"]))
    return {**old, "meta": meta, "expectations": list(entries())}, kept
