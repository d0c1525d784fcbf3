"""This module provides a gate for each single expectation of each suite, and a saboteur for each of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache, partial
from typing import TYPE_CHECKING

from gauntlet.adapters.checked_tables import CheckedTable, SparkTable
from gauntlet.adapters.suite_files import Expectation, Suite
from gauntlet.core.canonical import digest
from gauntlet.core.errors import RequirementError
from gauntlet.core.results import CheckOutcome
from gauntlet.core.verdict import Status, Verdict
from gauntlet.gates.data_breaks import Breakage, breakages, few_rows
from gauntlet.gates.gate import Gate, SabotageFunction, Saboteur
from gauntlet.stages.candidate import Candidate

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

GivenTable = Callable[[], CheckedTable]

_REMEDY = (
    "Look at the values that the message names. Correct the source or the step that makes the table; change the "
    "expectation only if it was wrong, and say why in its meta.why. `gauntlet suites sync` drafts the drafted "
    "expectations anew."
)
_ADVISORY = "the expectation has the severity {severity}: it fails only where nothing could be judged"
# What the failure of an expectation means for the candidate, by its severity.
_STATUS = {"critical": Status.FAIL, "warning": Status.WARN, "info": Status.NOTE}


def expectation_gates(suites: Mapping[str, Suite]) -> tuple[Gate, ...]:
    """Return one gate for each expectation, ``data/table::column::rule``.

    A table is checked against its whole suite once, and each gate picks its own outcome.

    Args:
        suites: The suites, by table.
    """
    return tuple(_gate(table, expectation) for table, suite in suites.items() for expectation in suite.expectations)


def _gate(table: str, expectation: Expectation) -> Gate:
    name = _gate_name(table, expectation)
    arguments = ", ".join(f"{key} {value}" for key, value in expectation.kwargs.items() if key != "column")
    asked = f"{expectation.rule} ({arguments})" if arguments else expectation.rule
    guards = f"Guard that the table {table} meets {expectation.column or 'as a whole'}: {asked}."
    return Gate(
        name=name,
        function=partial(_verdict, table=table, expectation=expectation),
        guards=f"{guards}\n\n{expectation.why}" if expectation.why else guards,
        remedy=_REMEDY,
        needs=frozenset({"tables"}),
        advisory="" if expectation.severity == "critical" else _ADVISORY.format(severity=expectation.severity),
    )


def _gate_name(table: str, expectation: Expectation) -> str:
    return f"data/{table}::{expectation.name}"


def _verdict(candidate: Candidate, *, table: str, expectation: Expectation) -> Verdict:
    name, suite, given = _gate_name(table, expectation), candidate.suites.get(table), candidate.tables.get(table)
    if suite is None or expectation not in suite.expectations:
        sentence = f"the suite of {table} does not ask this as it did when the gates were made"
        return Verdict(name, Status.CONFIG_ERROR, sentence)
    if given is None:
        return Verdict(name, Status.CONFIG_ERROR, f"there is no table {table} to check")
    outcome = given().outcome(suite)
    check = next((check for check in outcome.checks if check.id == f"{table}::{expectation.name}"), None)
    if check is None or outcome.rows <= 0:
        reason = "gave no outcome" if check is None else "was checked on no rows"
        sentence = f"{expectation.name} {reason} (table {table}, suite {suite.name})"
        return Verdict(name, Status.CONFIG_ERROR, sentence, None, 1.0, outcome.rows)
    if not check.success:
        sentence = f"{expectation.name} does not hold in {table}: {check.observed or 'no more is known'}"
        return Verdict(name, status_of(check), sentence, 0.0, 1.0, outcome.rows)
    sentence = f"{expectation.name} holds in {table}, {outcome.rows} rows"
    return Verdict(name, Status.PASS, sentence, 1.0, 1.0, outcome.rows)


def status_of(check: CheckOutcome) -> Status:
    """Return the level of an expectation's outcome: of a failure, by its severity."""
    return Status.PASS if check.success else _STATUS[check.severity]


def expectation_saboteurs(suites: Mapping[str, Suite]) -> tuple[Saboteur, ...]:
    """Return one saboteur for each expectation: it breaks the table in the way that the expectation is there for.

    Broken tables are shared by the saboteurs of one kind, and checked against the expectations of that kind only.

    Args:
        suites: The suites, by table.
    """
    return tuple(saboteur for table, suite in suites.items() for saboteur in _saboteurs(table, suite))


def _saboteurs(table: str, suite: Suite) -> list[Saboteur]:
    @cache
    def few(given: GivenTable) -> DataFrame:
        return few_rows(_on_spark(given).frame)

    made: dict[str, Saboteur] = {}
    for breakage in breakages(suite.expectations):
        function = _sabotage(table, suite, breakage, few)
        for expectation in breakage.expectations:
            made[expectation.name] = Saboteur(
                name=f"{table}__{expectation.name.replace('::', '__')}__broken",
                gate=_gate_name(table, expectation),
                function=function,
                breaks=f"Put {breakage.kind} into the table {table}, against {expectation.name}.",
            )
    return [made[expectation.name] for expectation in suite.expectations]


def _sabotage(table: str, suite: Suite, breakage: Breakage, few: Callable[[GivenTable], DataFrame]) -> SabotageFunction:
    names = [expectation.name for expectation in breakage.expectations]
    smaller = Suite(
        name=suite.name,
        digest=digest({"suite": suite.digest, "expectations": names}),
        expectations=breakage.expectations,
    )

    @cache
    def broken(given: GivenTable) -> SparkTable:
        return SparkTable(table, breakage(few(given)))

    def sabotage(candidate: Candidate) -> Candidate:
        spoilt = broken(candidate.tables[table])
        return candidate.changed(
            tables={**candidate.tables, table: lambda: spoilt}, suites={**candidate.suites, table: smaller}
        )

    return sabotage


def _on_spark(given: GivenTable) -> SparkTable:
    found = given()
    if not isinstance(found, SparkTable):
        raise RequirementError(f"the table {found.name} is not on Spark, where suites are checked")
    return found
