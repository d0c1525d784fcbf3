"""This module provides the gates on the data; those of the single expectations are in ``expectations``."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace

import pandas as pd

from gauntlet.adapters.checked_tables import CheckedTable
from gauntlet.adapters.typed_rows import SQL_TYPES
from gauntlet.core.errors import DataError
from gauntlet.core.grouping import columns_of_split
from gauntlet.core.problem import Problem
from gauntlet.core.statistics.drift import drift
from gauntlet.core.verdict import Status, Verdict
from gauntlet.gates.gate import Gate, gate
from gauntlet.gates.split_rows import listed
from gauntlet.stages.candidate import Candidate, Incumbent

SUITES = "data::suites_check_something"
ROWS = "data::rows_not_fewer"
SCHEMA = "data::schema_as_promised"
EMPTY_COLUMN = "data::no_empty_column"
DRIFT = "data::no_drift"

CHECKED_TABLES = ("raw", "curated", "predictions")

# What Gauntlet's own ingest adds to the columns of the files, and the types that it gives them.
_BOOKKEEPING = {"source": "string", "source_row": "bigint", "synthetic": "boolean"}
_WHOLE_NUMBERS = ("tinyint", "smallint", "int", "bigint")


@gate(
    SUITES,
    needs=("suites",),
    remedy="Give each table a suite with at least one expectation (suites.raw, suites.curated, suites.predictions); "
    "`gauntlet init` drafts them.",
)
def suites_check_something(candidate: Candidate) -> Verdict:
    """Guard that the raw, the curated and the scored table each have a suite that asks for something.

    Each expectation is a gate of its own, so a suite that is missing or empty would make its gates vanish unseen.
    """
    counts = {
        table: len(candidate.suites[table].expectations) if table in candidate.suites else 0 for table in CHECKED_TABLES
    }
    asked = sum(counts.values())
    unchecked = [table for table, count in counts.items() if count == 0]
    if unchecked:
        sentence = f"no expectation is asked of {', '.join(unchecked)}"
        return Verdict(SUITES, Status.CONFIG_ERROR, sentence, float(asked), 1.0)
    said = ", ".join(f"{count} of {table}" for table, count in counts.items())
    return Verdict(SUITES, Status.PASS, f"{asked} expectations are asked: {said}", float(min(counts.values())), 1.0)


@gate(
    ROWS,
    bounds=("gates.data.maximum_row_loss",),
    needs=("tables", "incumbent"),
    remedy="Look for a truncated file, a join that drops rows or a stricter filter. If fewer rows are right, raise "
    "gates.data.maximum_row_loss or waive the gate, with the reason.",
)
def rows_not_fewer(candidate: Candidate) -> Verdict:
    """Guard that the curated table has not lost rows since the champion was promoted.

    The champion's number is the one in the promotion ledger; more rows are always right.
    """
    rows, bound = _table(candidate, "curated").rows, candidate.problem.gates.data.maximum_row_loss
    if rows <= 0:
        return Verdict(ROWS, Status.CONFIG_ERROR, "the curated table has no rows", float(rows), None, rows)
    incumbent = _incumbent(candidate)
    if incumbent.bootstrap:
        sentence = f"bootstrap: there is no champion yet, so none of its rows can be missing; there are {rows}"
        return Verdict(ROWS, Status.PASS, sentence, 0.0, bound, rows)
    before = incumbent.curated_rows
    if not before:
        sentence = "the ledger does not say how many curated rows the champion was promoted with"
        return Verdict(ROWS, Status.CONFIG_ERROR, sentence, None, bound, rows)
    loss = max(0.0, 1 - rows / before)
    sentence = f"the curated table has {rows} rows; it had {before} when the champion was promoted ({loss:.1%} lost)"
    return Verdict(ROWS, Status.PASS if loss <= bound else Status.FAIL, sentence, loss, bound, rows)


@gate(
    SCHEMA,
    needs=("tables",),
    remedy="Compare the named columns with the problem file's; an extra column may carry the label, a missing or "
    "retyped one means that the source or the ingest changed.",
)
def schema_as_promised(candidate: Candidate) -> Verdict:
    """Guard that the curated table has the columns and Spark types that the problem promises, and the raw one if given.

    Curated: ``row_id``, the features (texts as strings, all else as doubles), the columns that the split goes by, and
    ``label`` as a whole number. Raw: every column of the problem in its own type, and ``row_id``. The columns that
    Gauntlet's ingest adds (``source``, ``source_row``, ``synthetic``) may be there; any other may not.
    """
    promised = {"raw": _raw_types(candidate.problem), "curated": _curated_types(candidate.problem)}
    judged = [name for name in promised if name in candidate.tables or name == "curated"]
    faults: list[str] = []
    for name in judged:
        table = _table(candidate, name)
        if table.rows <= 0:
            return Verdict(SCHEMA, Status.CONFIG_ERROR, f"the table {name} has no rows", None, 0.0, table.rows)
        faults += [f"{name}.{fault}" for fault in _type_faults(table.kinds, promised[name])]
    rows = _table(candidate, "curated").rows
    if faults:
        sentence = f"not as the problem promises: {listed(faults)}"
        return Verdict(SCHEMA, Status.FAIL, sentence, float(len(faults)), 0.0, rows)
    sentence = f"all columns of {' and '.join(judged)} have the names and types that the problem promises"
    return Verdict(SCHEMA, Status.PASS, sentence, 0.0, 0.0, rows)


def _raw_types(problem: Problem) -> dict[str, tuple[str, ...]]:
    return {"row_id": ("string",), **{column.name: (SQL_TYPES[column.kind],) for column in problem.columns}}


def _curated_types(problem: Problem) -> dict[str, tuple[str, ...]]:
    features = {column.name: ("string" if column.kind == "text" else "double",) for column in problem.features}
    split = {name: (SQL_TYPES[problem.column(name).kind],) for name in columns_of_split(problem)}
    return {"row_id": ("string",), **features, **split, "label": _WHOLE_NUMBERS}


def _type_faults(kinds: Mapping[str, str], promised: Mapping[str, tuple[str, ...]]) -> list[str]:
    faults = [f"{name} is missing" for name in promised if name not in kinds]
    for name, kind in kinds.items():
        expected = promised.get(name) or ((_BOOKKEEPING[name],) if name in _BOOKKEEPING else ())
        if not expected:
            faults.append(f"{name} is not promised")
        elif kind not in expected:
            faults.append(f"{name} is {kind}, not {expected[0] if len(expected) == 1 else 'a whole number'}")
    return faults


@gate(
    EMPTY_COLUMN,
    needs=("tables", "splits"),
    remedy="Find out where the values went: a renamed column in the source, or a cast that fails for every row.",
)
def no_empty_column(candidate: Candidate) -> Verdict:
    """Guard that no column of the curated table, and no feature among the training rows, is without any value."""
    table, splits = _table(candidate, "curated"), candidate.splits
    rows, values = table.rows, table.values
    train = splits.frame.loc[splits.frame["split"] == "train", list(splits.features)]
    if rows <= 0 or not values or train.empty:
        sentence = f"the curated table has {rows} rows and {len(values)} columns, and train has {len(train)} rows"
        return Verdict(EMPTY_COLUMN, Status.CONFIG_ERROR, sentence, None, 0.0, rows)
    empty = [name for name, count in values.items() if count == 0]
    empty += [str(name) for name, none in train.isna().all().items() if none and name not in empty]
    if empty:
        sentence = f"all values are missing of {', '.join(empty)}"
        return Verdict(EMPTY_COLUMN, Status.FAIL, sentence, float(len(empty)), 0.0, rows)
    sentence = f"each of the {len(values)} curated columns has values, and each feature among the training rows"
    return Verdict(EMPTY_COLUMN, Status.PASS, sentence, 0.0, 0.0, rows)


@gate(
    DRIFT,
    bounds=("gates.data.maximum_psi", "gates.data.alpha", "gates.data.minimum_rows"),
    needs=("splits", "incumbent"),
    remedy="Look at the named columns first: a changed unit, swapped columns, another population. If the world has "
    "changed, waive the gate for this promotion; the next one is compared with the new champion's rows.",
)
def no_drift(candidate: Candidate) -> Verdict:
    """Guard that the candidate's training rows are like the champion's, in every feature and in the label.

    A column has drifted if its population stability index is above ``maximum_psi`` and a two-sample test rejects at
    ``alpha`` after Holm's correction over all columns. Rows that agree in all of them count once, unless
    ``split.repeats`` says that they do so by chance; the message adds the index by rows. A feature that the champion
    did not have cannot be compared: WARN. With too few rows it is NOTE.
    """
    rules, incumbent = candidate.problem.gates.data, _incumbent(candidate)
    rows = candidate.splits.rows("train")
    current = rows.features.assign(label=rows.label)
    if set(current["label"].unique()) != {0, 1}:
        raise DataError(f"the {len(current)} training rows are not of both classes, 0 and 1")
    if incumbent.bootstrap:
        sentence = f"bootstrap: there is no champion yet whose rows the {len(current)} training rows could differ from"
        return Verdict(DRIFT, Status.PASS, sentence, 0.0, rules.maximum_psi, len(current))
    before = incumbent.training
    if before is None or before.empty:
        raise DataError("the rows that the champion was fitted on cannot be had, so nothing can be compared")
    fewest = min(len(current), len(before))
    if fewest < rules.minimum_rows:
        needed = math.ceil(len(candidate.splits.frame) * rules.minimum_rows / fewest)
        sentence = (
            f"{len(before)} rows then and {len(current)} now: fewer than {rules.minimum_rows} training rows tell no "
            f"drift, a table of about {needed} rows has them"
        )
        note = Verdict(DRIFT, Status.NOTE, sentence, float(fewest), float(rules.minimum_rows), len(current))
        return replace(note, rows_needed=needed)
    return _drifted(candidate, before, current)


def _drifted(candidate: Candidate, before: pd.DataFrame, current: pd.DataFrame) -> Verdict:
    rules = candidate.problem.gates.data
    shared = [name for name in current.columns if name in before.columns]
    unknown = [str(name) for name in current.columns if name not in before.columns]
    by_rows = {column.column: column.psi for column in drift(before, current, columns=shared)}
    if candidate.problem.split.repeats == "together":
        before, current = (rows[shared].drop_duplicates() for rows in (before, current))
    moved = sorted(drift(before, current, columns=shared), key=lambda column: -column.psi)
    drifted = [column for column in moved if column.psi > rules.maximum_psi and column.adjusted_p < rules.alpha]
    named = drifted or moved[:1]
    said = listed(
        [
            f"{c.column} (index {c.psi:.3f}, adjusted p {c.adjusted_p:.2g}; by rows {by_rows[c.column]:.3f})"
            for c in named
        ]
    )
    if drifted:
        status, sentence = Status.FAIL, f"drifted from the champion's training rows: {said}"
    elif unknown:
        sentence = f"the champion was fitted without {', '.join(unknown)}, so their drift cannot be told"
        status = Status.WARN
    else:
        status, sentence = Status.PASS, f"no column has drifted from the champion's rows; the furthest is {said}"
    return Verdict(DRIFT, status, sentence, named[0].psi, rules.maximum_psi, len(current))


def _table(candidate: Candidate, name: str) -> CheckedTable:
    given = candidate.tables.get(name)
    if given is None:
        raise DataError(f"there is no table {name} to look at")
    return given()


def _incumbent(candidate: Candidate) -> Incumbent:
    incumbent = candidate.incumbent
    if incumbent is None:
        raise DataError("there is no registry to ask for the champion")
    if incumbent.fault is not None:
        raise DataError(f"the champion cannot be compared with: {incumbent.fault}")
    return incumbent


# The refusals that explain all others come first.
GATES: tuple[Gate, ...] = (
    suites_check_something,
    schema_as_promised,
    no_empty_column,
    rows_not_fewer,
    no_drift,
)
