"""This module provides tables as gates look at them: their rows, types and missing values, on Spark or in pandas."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Protocol

import pandas as pd

from gauntlet.core.errors import RequirementError
from gauntlet.core.results import SuiteOutcome

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

    from gauntlet.adapters.suite_files import Suite
    from gauntlet.adapters.suites import CheckedSuite


class CheckedTable(Protocol):
    """What a gate may ask of a table."""

    @property
    def name(self) -> str:
        """The table's short name."""

    @property
    def kinds(self) -> Mapping[str, str]:
        """The type of each column, in Spark's words (``double``, ``string``, ``boolean`` …)."""

    @property
    def rows(self) -> int:
        """The number of rows."""

    @property
    def values(self) -> Mapping[str, int]:
        """The number of values that are there, by column."""

    def outcome(self, suite: Suite) -> SuiteOutcome:
        """Check the table against a suite; asked again for the same suite, the answer is the same object."""


@dataclass(frozen=True)
class SparkTable:
    """A table on Spark; each question costs one pass, the first time it is asked.

    Attributes:
        name: The table's short name.
        frame: Its rows.
        suite: The suite that it will be checked against, if that is known: then one pass answers everything.
    """

    name: str
    frame: DataFrame
    suite: Suite | None = None
    _outcomes: dict[str, SuiteOutcome] = field(default_factory=dict, repr=False, compare=False)

    @property
    def kinds(self) -> Mapping[str, str]:
        """The type of each column."""
        return {column.name: column.dataType.simpleString() for column in self.frame.schema.fields}

    @property
    def rows(self) -> int:
        """The number of rows."""
        return self._counts[0]

    @property
    def values(self) -> Mapping[str, int]:
        """The number of values that are there, by column."""
        return dict(zip(self.frame.columns, self._counts[1:], strict=True))

    def outcome(self, suite: Suite) -> SuiteOutcome:
        """Check the table against a suite."""
        if suite.digest not in self._outcomes:
            self._outcomes[suite.digest] = self._checked(suite).outcome
        return self._outcomes[suite.digest]

    def _checked(self, suite: Suite) -> CheckedSuite:
        from gauntlet.adapters.suites import checked_suite  # noqa: PLC0415 - imported where Spark is

        known = self.suite is not None and self.suite.digest == suite.digest
        return checked_suite(self.frame, suite, table=self.name, counted=self.frame.columns if known else ())

    @cached_property
    def _counts(self) -> tuple[int, ...]:
        from gauntlet.adapters.one_scan import scanned  # noqa: PLC0415 - imported where Spark is

        if self.suite is None:
            scan = scanned(self.frame, (), counted=self.frame.columns)
        else:
            checked = self._checked(self.suite)
            self._outcomes[self.suite.digest] = checked.outcome
            scan = checked.scan
        return (scan.rows, *(scan.values[name] for name in self.frame.columns))


@dataclass(frozen=True)
class PandasTable:
    """A table in memory, where there is no Spark: the rows that a user's own pipeline is judged on.

    Attributes:
        name: The table's short name.
        frame: Its rows.
    """

    name: str
    frame: pd.DataFrame

    @property
    def kinds(self) -> Mapping[str, str]:
        """The type of each column, in Spark's words."""
        return {str(name): _spark_kind(values) for name, values in self.frame.items()}

    @property
    def rows(self) -> int:
        """The number of rows."""
        return len(self.frame)

    @property
    def values(self) -> Mapping[str, int]:
        """The number of values that are there, by column."""
        return {str(name): int(count) for name, count in self.frame.count().items()}

    def outcome(self, suite: Suite) -> SuiteOutcome:
        """Refuse: suites are checked on Spark.

        Raises:
            RequirementError: Always.
        """
        raise RequirementError(f"suite {suite.name}: the table {self.name} is not on Spark, where suites are checked")


def _spark_kind(values: pd.Series) -> str:
    kinds = pd.api.types
    if kinds.is_bool_dtype(values):
        return "boolean"
    if kinds.is_integer_dtype(values):
        return "bigint"
    if kinds.is_float_dtype(values):
        return "double"
    return "timestamp" if kinds.is_datetime64_any_dtype(values) else "string"
