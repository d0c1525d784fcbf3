"""Tests that a drafted problem runs: its columns, label and suites are those of the tables that it makes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from gauntlet.adapters.problem_draft import draft_problem
from gauntlet.adapters.suite_files import find_suite, load_suite
from gauntlet.adapters.suites import check_table
from gauntlet.core.problem_file import load_problem
from gauntlet.core.results import TableRef
from gauntlet.stages.context import StageContext
from gauntlet.stages.ingest import ingest
from tests.churn import ROWS, make_churn

pytestmark = pytest.mark.data

MakeContext = Callable[..., StageContext]


def context_of(table: Path, make_context: MakeContext) -> StageContext:
    draft = draft_problem(table, label="churned", name="churn", output=table.parent / f"{table.name}.d" / "mine.toml")
    return make_context(load_problem(draft.problem), stage="ingest", problem_folder=draft.problem.parent)


def failed(context: StageContext, reference: TableRef) -> list[str]:
    """Return the names of the drafted expectations that a table does not meet."""
    name = getattr(context.problem.suites, reference.name)
    suite = load_suite(find_suite(name, problem_folder=context.problem_folder))
    outcome = check_table(context.target.tables.read(reference), suite, table=reference.name)
    assert len(outcome.checks) == len(suite.expectations) > 10
    return [check.id for check in outcome.checks if not check.success]


def test_a_drafted_problem_passes_its_own_suites(spark: Any, tmp_path: Path, make_context: MakeContext) -> None:
    table = tmp_path / "churn.csv"
    make_churn().to_csv(table, index=False, sep=";")
    context = context_of(table, make_context)
    result = ingest(context)
    assert (result.rows, result.bad_rows, result.positives) == (ROWS, 0, ROWS // 20)
    assert failed(context, result.raw) == []
    assert failed(context, result.curated) == []
    kinds = dict(context.target.tables.read(result.curated).dtypes)
    assert (kinds["auto_pay"], kinds["column_2023_calls"], kinds["Plan"]) == ("double", "double", "string")
    assert "customer_id" not in kinds


def test_a_table_gone_wrong_fails_the_drafted_suite(spark: Any, tmp_path: Path, make_context: MakeContext) -> None:
    table = tmp_path / "churn.parquet"
    frame = make_churn()
    frame.to_parquet(table)
    context = context_of(table, make_context)
    frame["größe"] *= 100  # centimetres became tenths of a millimetre
    frame["Plan"] = frame["Plan"].str.upper()
    frame.to_parquet(table)
    names = failed(context, ingest(context).raw)
    assert {name.split("::")[-2] if "::" in name else name for name in names} == {"groe", "Plan"}
