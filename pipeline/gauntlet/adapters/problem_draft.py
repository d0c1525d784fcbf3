"""This module provides the draft of a problem file for a table that nobody has described yet."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from pydantic import BaseModel

from gauntlet.adapters.label_draft import LabelDraft, draft_label
from gauntlet.adapters.suite_draft import draft_suites
from gauntlet.adapters.table_sketch import ColumnSketch, TableSketch, plain_names, sketch_table
from gauntlet.core.errors import InputError
from gauntlet.core.problem import Problem
from gauntlet.core.reading import Reading

_TEMPLATE = "draft.toml.j2"
_SOURCE_KEYS = ("encoding", "compression", "ignore_unnamed")
_COLUMN_KEYS = tuple(name for name in Reading.model_fields if name != "kind")
_MOST_COMPARED_ROWS = 20_000
_PROBES = 100
# Above about one neighbour a row, chains of near repeats join a table's rows into one group that no split can divide.
_MOST_NEIGHBOURS = 0.5


@dataclass(frozen=True)
class Draft:
    """What was written.

    Attributes:
        problem: The problem file.
        suites: The suites' files: raw, curated, predictions.
        notes: What the user should look at, one sentence each.
    """

    problem: Path
    suites: tuple[Path, ...]
    notes: tuple[str, ...]


def draft_problem(
    table: Path, *, label: str, positive: str | None = None, name: str | None = None, output: Path
) -> Draft:
    """Write a commented problem file for a table, and its first suites beside it.

    Args:
        table: A CSV file (separated by comma, semicolon, tab or bar), or a Parquet file or folder.
        label: The column that the label is made from, as the file or as tables name it.
        positive: The positive class: a value of that column, or a comparison such as ``>= 7``.
        name: The problem's name; by default the table's.
        output: The problem file to write; the suites go to ``suites/NAME/`` in its folder.

    Raises:
        InputError: If the table cannot be read, its label has not two classes, or a file to be written is there
            already. Nothing is written then.
    """
    name = _problem_name(name, table)
    suite_folder = output.parent / "suites" / name
    paths = {kind: suite_folder / f"{kind}.json" for kind in ("raw", "curated", "predictions")}
    _refuse_existing([output, *paths.values()])
    sketch = sketch_table(table, label=label)
    column = sketch.column(label)
    drafted = draft_label(column, positive=positive, path=table)
    if not _features(sketch, drafted):
        raise InputError(f"{table}: no feature is left beside the label {label!r}; bring a table with more columns")
    chained = _neighbours(_features(sketch, drafted)) > _MOST_NEIGHBOURS
    text = _render(sketch, label=drafted, name=name, near_repeats=not chained)
    Problem.model_validate(tomllib.loads(text))
    suites = draft_suites(sketch, label=drafted, name=name)
    _write({output: text} | {path: suites[kind] for kind, path in paths.items()})
    return Draft(problem=output, suites=tuple(paths.values()), notes=_notes(sketch, drafted, chained=chained))


def _problem_name(name: str | None, table: Path) -> str:
    if name is None:
        return plain_names([table.resolve().stem])[0].lower()
    if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name):
        raise InputError(f"--name {name!r}: letters, digits and underscores only, and no leading digit")
    return name


def _refuse_existing(paths: list[Path]) -> None:
    for path in paths:
        if path.exists() or path.is_symlink():
            raise InputError(f"{path}: is there already, and a draft never replaces a file; choose another --output")


def _features(sketch: TableSketch, label: LabelDraft) -> list[ColumnSketch]:
    return [c for c in sketch.columns if c.role == "feature" and c.name != label.rule.column]


def _write(texts: Mapping[Path, str]) -> None:
    """Write all files or, where one cannot be written, none."""
    with ExitStack() as undo:
        for path, text in texts.items():
            try:
                path.parent.mkdir(parents=True, exist_ok=True)
                with path.open("x", encoding="utf-8") as stream:
                    undo.callback(path.unlink)
                    stream.write(text)
            except OSError as error:
                raise InputError(f"{path}: cannot be written ({error.strerror}); choose another --output") from error
        undo.pop_all()


def _render(sketch: TableSketch, *, label: LabelDraft, name: str, near_repeats: bool) -> str:
    from jinja2 import Environment, StrictUndefined  # noqa: PLC0415 - needed by this command only

    # The result is TOML, never shown by a browser; every value goes through the filter below.
    environment = Environment(undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True, autoescape=False)  # noqa: S701
    environment.filters |= {"toml": _toml, "comment": _comment}
    template = (resources.files("gauntlet") / "problems" / _TEMPLATE).read_text(encoding="utf-8")
    path = sketch.path.resolve()
    return environment.from_string(template, globals=None).render(
        name=name,
        table=path.name,
        folder=str(path.parent),
        source=sketch.source,
        source_keys=_keys(sketch.source, _SOURCE_KEYS),
        readings=sketch.readings,
        sha256=sketch.sha256,
        rows=sketch.rows,
        columns=[_described(column, is_label=column.name == label.rule.column) for column in sketch.columns],
        label=label,
        near_repeats=near_repeats,
    )


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


def _described(column: ColumnSketch, *, is_label: bool) -> dict[str, Any]:
    by_default = "_".join(column.source_name.split())
    return {
        "name": column.name,
        "source_name": column.source_name if by_default != column.name else None,
        "kind": column.kind,
        "keys": _keys(column.reading, _COLUMN_KEYS),
        "readings": column.readings,
        "resolution": column.resolution,
        "nullable": column.missing > 0 and not is_label,
        "ignored": column.role == "ignored" and not is_label,
        "is_label": is_label,
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


def _notes(sketch: TableSketch, label: LabelDraft, *, chained: bool) -> tuple[str, ...]:
    share = label.positives / label.rows
    notes = [f"Label {label.rule.rule!r}: {label.positives} of {label.rows} rows ({share:.1%}) are positive."]
    if label.guessed:
        notes.append("Which class is positive was a guess; choose it with --positive, or change label.rule.")
    if label.missing:
        notes.append(
            f"{label.missing} rows have no label: complete them, or set max_bad_rows to that number to set them aside."
        )
    notes += [
        f"Column {column.source_name!r} is {'ignored' if column.role == 'ignored' else 'a feature'}: {column.remark}."
        for column in sketch.columns
        if column.remark and column.name != label.rule.column
    ]
    if chained:
        notes.append(
            "Most rows lie within one unit of another on every feature, so near repeats are not kept together "
            "(split.near_repeats = false); exact repeats are."
        )
    notes.append("Costs of wrong decisions are 1 to 1: set [costs] to what they are for you.")
    return tuple(notes)
