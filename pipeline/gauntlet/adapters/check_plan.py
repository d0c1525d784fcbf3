"""This module provides the plan of a suite: the counts that each expectation needs, and what they say of it.

A check is planned if its type, arguments and column are of a kind whose meaning for Great Expectations on Spark is
known here exactly; its result has the keys of Great Expectations' format BASIC. What is not planned is judged by Great
Expectations itself.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from gauntlet.adapters.check_parts import SUMMED, Asked, PlannedCheck
from gauntlet.adapters.known_expectations import plainly_right
from gauntlet.adapters.suite_files import Expectation
from gauntlet.adapters.total_checks import SCHEMA_CHECKS, STDEV, TOTAL_CHECKS
from gauntlet.adapters.value_checks import VALUE_CHECKS

if TYPE_CHECKING:
    from pyspark.sql.types import StructType


def planned_checks(
    expectations: Iterable[Expectation], *, schema: StructType, shifts: Mapping[str, float]
) -> list[PlannedCheck]:
    """Return the plan of each expectation that can be planned.

    Args:
        expectations: The expectations.
        schema: The table's schema.
        shifts: A typical value of the columns that ``columns_to_shift`` names.
    """
    planned = (_planned(expectation, schema, shifts) for expectation in expectations)
    return [check for check in planned if check is not None]


def columns_to_shift(expectations: Iterable[Expectation], *, schema: StructType) -> list[str]:
    """Return the columns whose standard deviation is asked, so that a typical value of them is needed first."""
    asked = [e for e in expectations if e.type == STDEV and _kind(e, schema) in SUMMED]
    return list(dict.fromkeys(str(e.kwargs["column"]) for e in asked))


def _planned(expectation: Expectation, schema: StructType, shifts: Mapping[str, float]) -> PlannedCheck | None:
    kind, kwargs = _kind(expectation, schema), expectation.kwargs
    if kind is None or not plainly_right(expectation.type, kwargs):
        return None
    asked = Asked(expectation, schema, kind, shifts)
    if expectation.type in SCHEMA_CHECKS:
        result = SCHEMA_CHECKS[expectation.type](asked)
        return None if result is None else PlannedCheck(expectation, {}, lambda _: result)
    plan = {**VALUE_CHECKS, **TOTAL_CHECKS}.get(expectation.type)
    return None if plan is None else plan(asked)


def _kind(expectation: Expectation, schema: StructType) -> str | None:
    """Return the type of the column that is asked of, empty without one; None where names may mean something else.

    Great Expectations adds the parts of structs to the table's columns, and does not quote names.
    """
    if any(item.dataType.typeName() == "struct" or set(item.name) & set(".`\"'") for item in schema.fields):
        return None
    if expectation.type.startswith("expect_table_") or expectation.type == "expect_column_to_exist":
        return ""
    found = [item.dataType.typeName() for item in schema.fields if item.name == expectation.kwargs.get("column")]
    return found[0] if len(found) == 1 else None
