"""This module provides the draft of a problem file for a table that nobody has described yet."""

from __future__ import annotations

import json
import re
import tomllib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from pydantic import BaseModel

from gauntlet.adapters.draft_findings import chance_repeats, features_of, with_findings
from gauntlet.adapters.drafted_files import DraftedFile, drafted_problem_file, sealed, write_all
from gauntlet.adapters.label_draft import LabelDraft, draft_label, rule_draft
from gauntlet.adapters.suite_sync import described, drafted_suites
from gauntlet.adapters.table_sketch import ColumnSketch, TableSketch, plain_names, sketch_table
from gauntlet.core.chance_repeats import RepeatedRows
from gauntlet.core.date_formats import parsed_format
from gauntlet.core.errors import InputError
from gauntlet.core.forecast import Forecast, forecast
from gauntlet.core.problem import Problem
from gauntlet.core.problem_file import load_problem
from gauntlet.core.reading import ColumnKind, Reading

_TEMPLATE = "draft.toml.j2"
_SEED = 1
_KINDS: dict[ColumnKind, str] = {
    "number": "number",
    "integer": "whole number",
    "boolean": "yes or no",
    "text": "text",
    "date": "date",
}
_SOURCE_KEYS = ("encoding", "compression", "ignore_unnamed")
_COLUMN_KEYS = tuple(name for name in Reading.model_fields if name != "kind")
_MOST_COMPARED_ROWS = 20_000
_PROBES = 100
# Above about one neighbour a row, chains of near repeats join a table's rows into one group that no split can divide.
_MOST_NEIGHBOURS = 0.5


@dataclass(frozen=True)
class ColumnDecision:
    """What was decided of one column.

    Attributes:
        column: The column, as the file names it.
        read_as: The type that its values are read as.
        role: ``feature``, ``ignored`` or ``label``.
        why: Why, or what to look at; empty if there is nothing to say.
    """

    column: str
    read_as: str
    role: str
    why: str


@dataclass(frozen=True)
class Draft:
    """What was drafted.

    Attributes:
        files: The problem file and the suites (raw, curated, predictions), with what changes in them.
        columns: What was decided of each column.
        forecast: What the gates can judge on such a table.
        notes: What the user should look at, one sentence each.
    """

    files: tuple[DraftedFile, ...]
    columns: tuple[ColumnDecision, ...]
    forecast: Forecast
    notes: tuple[str, ...]

    @property
    def problem(self) -> Path:
        """The problem file."""
        return self.files[0].path

    @property
    def suites(self) -> tuple[Path, ...]:
        """The suites' files: raw, curated, predictions."""
        return tuple(file.path for file in self.files[1:])


def draft_problem(
    table: Path, *, label: str, positive: str | None = None, name: str | None = None, output: Path
) -> Draft:
    """Write a commented problem file for a table, and its first suites beside it.

    Where there are such files already, what was drafted is drafted anew and what was edited stays: of the problem file
    the whole, of a suite each entry. The suites are always those of the problem file that there is in the end.

    Args:
        table: A CSV file (separated by comma, semicolon, tab or bar), or a Parquet file or folder.
        label: The column that the label is made from, as the file or as tables name it.
        positive: The positive class: a value of that column, or a comparison such as ``>= 7``.
        name: The problem's name; by default the table's.
        output: The problem file to write; the suites go to ``suites/NAME/`` in its folder.

    Raises:
        InputError: If the table cannot be read, its label has not two classes, or a file that is there already is
            neither a problem file nor a suite. Nothing is written then.
    """
    name = _problem_name(name, table)
    sketch = sketch_table(table, label=label)
    drafted = draft_label(sketch.column(label), positive=positive, path=table)
    sketch = with_findings(sketch, label=drafted, seed=_SEED)
    chained = _neighbours(features_of(sketch, drafted)) > _MOST_NEIGHBOURS
    repeats = chance_repeats(sketch, label=drafted, near=not chained, seed=_SEED)
    text = sealed(_render(sketch, label=drafted, name=name, near_repeats=not chained, repeats=repeats))
    file = drafted_problem_file(output, text)
    problem = load_problem(output) if file.kept else Problem.model_validate(tomllib.loads(text))
    columns = described(sketch, problem, source=problem.sources[0])
    suites = drafted_suites(problem, columns, problem_folder=output.parent)
    write_all((file, *suites))
    label_now = rule_draft(problem.label, columns.column(problem.label.column), path=table)
    return Draft(
        files=(file, *suites),
        columns=tuple(_decision(column, problem) for column in columns.columns),
        forecast=forecast(
            rows=label_now.rows,
            positives=label_now.positives,
            test_fraction=problem.split.fractions.test,
            rules=problem.gates.model,
            costs_set=problem.costs is not None,
        ),
        notes=(*_conversions(sketch), *_notes(sketch, drafted, chained=chained, repeats=repeats)),
    )


def _decision(column: ColumnSketch, problem: Problem) -> ColumnDecision:
    is_label = column.name == problem.label.column
    missing = f", {column.missing:,} missing" if column.missing else ""
    return ColumnDecision(
        column=column.source_name,
        read_as=f"{_KINDS[column.kind]}{missing}",
        role="label" if is_label else column.role,
        why=problem.label.rule if is_label else column.remark,
    )


def _problem_name(name: str | None, table: Path) -> str:
    if name is None:
        return plain_names([table.resolve().stem])[0].lower()
    if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name):
        raise InputError(f"--name {name!r}: letters, digits and underscores only, and no leading digit")
    return name


def _render(
    sketch: TableSketch, *, label: LabelDraft, name: str, near_repeats: bool, repeats: RepeatedRows | None
) -> str:
    from jinja2 import Environment, StrictUndefined  # noqa: PLC0415 - needed by this command only

    # The result is TOML, never shown by a browser; every value goes through the filter below.
    environment = Environment(undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True, autoescape=False)  # noqa: S701
    environment.filters |= {"toml": _toml, "comment": _comment}
    template = (resources.files("gauntlet") / "problems" / _TEMPLATE).read_text(encoding="utf-8")
    path = sketch.path.resolve()
    by_default = Counter(_by_default(column) for column in sketch.columns)
    return environment.from_string(template, globals=None).render(
        name=name,
        seed=_SEED,
        table=path.name,
        folder=str(path.parent),
        source=sketch.source,
        source_keys=_keys(sketch.source, _SOURCE_KEYS),
        readings=sketch.readings,
        sha256=sketch.sha256,
        rows=sketch.rows,
        columns=[
            _described(column, is_label=column.name == label.rule.column, alike=by_default[_by_default(column)] > 1)
            for column in sketch.columns
        ],
        label=label,
        near_repeats=near_repeats,
        repeats=repeats,
    )


def _dates(sketch: TableSketch, label: LabelDraft) -> list[ColumnSketch]:
    """Return the columns that rows can be put in order of time by."""
    return [c for c in sketch.columns if c.kind == "date" and c.name != label.rule.column and c.values.nunique() > 2]


def _keys(section: BaseModel, names: Sequence[str]) -> dict[str, Any]:
    """Return those of a section's keys that are not as by default."""
    given = section.model_dump(exclude_defaults=True)
    return {name: given[name] for name in names if name in given}


def _toml(value: str | bool | float | Sequence[str]) -> str:
    """Return a value as TOML writes it; JSON's escapes are TOML's, but for one character that JSON leaves bare."""
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")


def _comment(text: str) -> str:
    """Return a text without the characters that would end or spoil a comment."""
    return "".join(character if character.isprintable() else " " for character in text)


def _by_default(column: ColumnSketch) -> str:
    """Return the name that finds a column of the file without a source_name."""
    return "_".join(column.source_name.split())


def _described(column: ColumnSketch, *, is_label: bool, alike: bool) -> dict[str, Any]:
    return {
        "name": column.name,
        "source_name": column.source_name if alike or _by_default(column) != column.name else None,
        "kind": column.kind,
        "keys": _keys(column.reading, _COLUMN_KEYS),
        "readings": column.readings,
        "resolution": column.resolution,
        "nullable": column.missing > 0 and not is_label,
        "ignored": column.role == "ignored" and not is_label,
        "is_label": is_label,
        # A day without gaps can order the rows.
        "is_moment": column.kind == "date"
        and not column.missing
        and all(parsed_format(text).has_date for text in column.reading.dates),
        "seen": _seen(column),
        "remark": "" if is_label else column.remark,
    }


def _seen(column: ColumnSketch) -> str:
    present = column.values.dropna()
    missing = f", {column.missing} missing" if column.missing else ""
    if present.empty:
        return "no values"
    if column.kind in ("number", "integer"):
        numbers = present.to_numpy(dtype=np.float64)
        return f"{numbers.min():g} to {numbers.max():g}{missing}"
    if column.kind == "boolean":
        return f"{present.astype(float).mean():.1%} true{missing}"
    common = ", ".join(repr(str(text)[:30]) for text in present.value_counts().index[:3])
    return f"{present.nunique()} different texts, such as {common}{missing}"


def _neighbours(features: list[ColumnSketch]) -> float:
    """Return about how many other rows lie within one measuring unit of a row on every feature."""
    rows = len(features[0].values)
    measured = [column for column in features if column.resolution is not None]
    if not measured:
        return 0.0
    chosen = np.unique(np.linspace(0, rows - 1, min(rows, _MOST_COMPARED_ROWS)).astype(int))
    numbers = np.column_stack([column.values.to_numpy(dtype=np.float64)[chosen] for column in measured])
    units = np.array([column.resolution for column in measured]) * (1 + 1e-6)
    others = [column for column in features if column.resolution is None]
    codes = np.column_stack([pd.factorize(c.values)[0][chosen] for c in others] or [np.zeros(len(chosen), dtype=int)])
    found = 0
    for probe in np.unique(np.linspace(0, len(chosen) - 1, _PROBES).astype(int)):
        same = (codes == codes[probe]).all(axis=1)
        step = np.abs(numbers[same] - numbers[probe])
        both_missing = np.isnan(numbers[same]) & np.isnan(numbers[probe])
        near = ((step <= units) | both_missing).all(axis=1)
        equal = ((step == 0) | both_missing).all(axis=1)
        found += int((near & ~equal).sum())
    return found / min(len(chosen), _PROBES) * rows / len(chosen)


def _conversions(sketch: TableSketch) -> tuple[str, ...]:
    """Return what was made of the file and of cells that are not what they mean, one sentence each."""
    columns = [
        f"Column {column.source_name!r}: {'; '.join(column.readings)}." for column in sketch.columns if column.readings
    ]
    return (*(f"The file: {reading}." for reading in sketch.readings), *columns)


def _notes(sketch: TableSketch, label: LabelDraft, *, chained: bool, repeats: RepeatedRows | None) -> tuple[str, ...]:
    share = label.positives / label.rows
    notes = [f"Label {label.rule.rule!r}: {label.positives} of {label.rows} rows ({share:.1%}) are positive."]
    if label.guessed:
        notes.append("Which class is positive was a guess; choose it with --positive, or change label.rule.")
    if label.missing:
        notes.append(
            f"{label.missing} rows have no label and are set aside (max_bad_rows = {label.missing} allows for them)."
        )
    notes += [
        f'If the model is to be used on later rows, set split.time = "{column.name}": it is then judged on later rows.'
        for column in _dates(sketch, label)[:1]
    ]
    if chained:
        notes.append(
            "Most rows lie within one unit of another on every feature, so near repeats are not kept together "
            "(split.near_repeats = false); exact repeats are."
        )
    if repeats is not None:
        notes.append(f'{repeats.sentence}; so rows are divided freely (split.repeats = "by chance").')
    return tuple(notes)
