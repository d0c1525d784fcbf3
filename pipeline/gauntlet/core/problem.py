"""This module provides the problem: what a run is about, as frozen data.

A problem file (TOML) says where the data comes from, what its columns mean, how the label is made, and how a model is
searched for and judged. Nothing in the code knows of wines; another file makes another product.
"""

from __future__ import annotations

import codecs
import re
from typing import Literal

from pydantic import ConfigDict, Field, field_validator, model_validator

from gauntlet.core.gate_rules import GateRules, Waiver
from gauntlet.core.origins import Origin
from gauntlet.core.reading import Reading
from gauntlet.core.search import BoostedSweepRule
from gauntlet.core.section import Section, TargetName

Protocol = Literal["honest", "notebook"]
SplitName = Literal["train", "validation", "test"]

# A value may hold line breaks: it ends at the rule's last character that is no blank.
_RULE = re.compile(r"\s*(?P<column>\w+)\s*(?:(?P<operator>>=|<=|==|!=|>|<)\s*(?P<value>.+?)\s*)?", re.DOTALL)
_IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


class Column(Reading):
    """A column of the merged table, and how its cells are read.

    Attributes:
        name: The name in all tables: letters, digits and underscores (Unity Catalog refuses spaces).
        source_name: The name in the source file; by default ``name``, where a space of the file counts as underscore.
            Several columns may read one column of the file, such as the parts of a date.
        meaning: What the column says, for people.
        unit: The unit of its values, for people.
        resolution: The smallest difference that the measurement can show, in the column's unit. Two rows that differ
            by no more than this in every feature are near repeats.
        nullable: Whether values may be missing.
        role: A feature, or a column that is kept in the tables but never given to a model.
        known_before: Its value is known before the label is, so it cannot leak it; the leak check leaves it out.
    """

    name: str
    source_name: str | None = None
    meaning: str = ""
    unit: str = ""
    resolution: float | None = Field(default=None, gt=0)
    nullable: bool = False
    role: Literal["feature", "ignored"] = "feature"
    known_before: bool = False

    @field_validator("name")
    @classmethod
    def _plain_name(cls, value: str) -> str:
        if not _IDENTIFIER.fullmatch(value):
            raise ValueError("a column's name may hold letters, digits and underscores only, and no leading digit")
        if value.lower() in RESERVED_COLUMNS:  # Spark and Unity Catalog do not tell capitals apart
            raise ValueError(f"{value!r} is a name that Gauntlet uses itself; rename the column, keep source_name")
        return value

    @model_validator(mode="after")
    def _date_is_no_feature(self) -> Column:
        if self.kind == "date" and self.role == "feature":
            raise ValueError(
                'a model takes no date; set role = "ignored" for it, and add columns with the same source_name, '
                'kind = "integer" and a part, such as part = "month"'
            )
        return self


RESERVED_COLUMNS = frozenset(
    (
        "decision",
        "group_id",
        "label",
        "probability",
        "reason",
        "row_id",
        "row_order",
        "source",
        "source_row",
        "split",
        "synthetic",
    )
)


# How the readings of a model's features are called where they are packed with it.
READINGS_KEY = "gauntlet_readings"


class Source(Section):
    """One file or table of the data; sources are appended in the order of the problem file.

    Attributes:
        name: A short name, written beside every row.
        file: The file's name (or the Delta table's folder) inside an origin.
        format: How it is stored.
        delimiter: What separates a CSV's columns.
        encoding: The encoding of a CSV's characters, by a name that Python knows.
        compression: How a CSV is packed; a ZIP archive holds nothing but the file.
        sheet: The sheet of a workbook; None takes the first.
        ignore_unnamed: Whether columns without a name in the header, such as the index that pandas writes, are left
            out; they are refused otherwise.
        sha256: The expected digest of the file's bytes; None accepts any.
        constants: Columns that the file lacks and that hold one value for all its rows (``is_red = true``).
    """

    name: str
    file: str
    format: Literal["csv", "parquet", "delta", "xlsx"] = "csv"
    delimiter: str = Field(default=",", min_length=1, max_length=1)
    encoding: str = "utf-8"
    compression: Literal["none", "gzip", "zip"] = "none"
    sheet: str | None = None
    ignore_unnamed: bool = False
    sha256: str | None = Field(default=None, pattern=r"^[0-9a-f]{64}$")
    constants: dict[str, bool | int | float | str] = Field(default_factory=dict)

    @field_validator("encoding")
    @classmethod
    def _known_encoding(cls, value: str) -> str:
        try:
            codec = codecs.lookup(value)
            "".encode(codec.name)
        except LookupError:  # unknown, or no encoding of texts
            raise ValueError(
                f"{value!r} is no encoding of texts that Python knows; use utf-8, utf-16, latin-1 or cp1252"
            ) from None
        return value

    @model_validator(mode="after")
    def _keys_of_the_format(self) -> Source:
        if self.format != "csv" and self.compression != "none":
            raise ValueError(f'compression is for CSV files; remove it, or set format = "csv" instead of {self.format}')
        if self.format != "xlsx" and self.sheet is not None:
            raise ValueError(f'sheet is for workbooks; remove it, or set format = "xlsx" instead of {self.format}')
        return self


class LabelRule(Section):
    """How the label is made: ``quality >= 7``, ``churned == "yes"``, or the name of a boolean column.

    Attributes:
        rule: The rule's text; rows for which it holds are the positive class.
        positive: What the positive class is called, for people.
    """

    rule: str
    positive: str = "positive"

    @field_validator("rule")
    @classmethod
    def _parses(cls, value: str) -> str:
        if not _RULE.fullmatch(value):
            raise ValueError("expected '<column>' or '<column> <operator> <value>', operator one of >= <= == != > <")
        return value

    @property
    def column(self) -> str:
        """The column that the rule reads; it is never a feature."""
        return self._part("column") or ""

    @property
    def operator(self) -> str:
        """The comparison; ``==`` where the rule names a boolean column alone."""
        return self._part("operator") or "=="

    @property
    def compares(self) -> bool:
        """Whether the rule has a comparison; without one it names a boolean column."""
        return self._part("operator") is not None

    @property
    def value(self) -> bool | float | str:
        """The value compared with."""
        text = self._part("value")
        if text is None or text.lower() == "true":
            return True
        if text.lower() == "false":
            return False
        if text[0] in "\"'" and text[-1] == text[0] and len(text) >= 2:
            return text[1:-1]
        try:
            return float(text)
        except ValueError:
            return text

    def _part(self, name: str) -> str | None:
        match = _RULE.fullmatch(self.rule)
        return match.group(name) if match else None


class Fractions(Section):
    """The shares of the three splits; they add up to 1."""

    train: float = Field(default=0.6, gt=0, lt=1)
    validation: float = Field(default=0.2, gt=0, lt=1)
    test: float = Field(default=0.2, gt=0, lt=1)

    @model_validator(mode="after")
    def _whole(self) -> Fractions:
        total = self.train + self.validation + self.test
        if abs(total - 1) > 1e-9:
            raise ValueError(f"train, validation and test must add up to 1, not {total:g}")
        return self


class NotebookSplit(Section):
    """The tutorial's own split, kept bug for bug: random rows, repeats across, tuned on test."""

    test_fraction: float = Field(default=0.25, gt=0, lt=1)
    random_state: int = Field(default=123, ge=0)


class SplitRule(Section):
    """How rows are divided.

    ``honest`` keeps exact repeats (and near ones, where ``near_repeats``) inside one split; ``notebook`` is for
    comparison only and is never promoted.

    Attributes:
        near_repeats: Whether near repeats stay in one split as exact ones do.
        repeats: Whether rows with equal features are copies, which stay in one split, or coincide by chance because the
            columns are coarse. Under ``by chance`` rows are divided freely, and the gates test the claim.
        groups: Columns whose equal values stay in one split (a customer, a patient).
        time: A column of times; no training row is later than a group (by its latest row) of a later split.
    """

    protocol: Protocol = "honest"
    fractions: Fractions = Fractions()
    near_repeats: bool = True
    repeats: Literal["together", "by chance"] = "together"
    groups: tuple[str, ...] = ()
    time: str | None = None
    notebook: NotebookSplit = NotebookSplit()


class BaselineRule(Section):
    """The random forests that a model must beat: the tutorial's small one, and a large one reported beside it."""

    trees: int = Field(default=10, ge=1)
    reference_trees: int = Field(default=300, ge=1)


class Costs(Section):
    """The cost of a wrong decision; only the ratio matters."""

    false_positive: float = Field(default=1.0, ge=0)
    false_negative: float = Field(default=1.0, ge=0)

    @model_validator(mode="after")
    def _something_costs(self) -> Costs:
        if self.false_positive + self.false_negative <= 0:
            raise ValueError("at least one of the costs must be greater than 0")
        return self


class PromotionRule(Section):
    """How a judged candidate becomes champion.

    Attributes:
        evidence_hours: Evidence older than this promotes nothing.
    """

    evidence_hours: float = Field(default=24.0, gt=0)


class ScoringRule(Section):
    """How a table is scored.

    Attributes:
        accelerated_rows: From so many rows on a booster is asked through oneDAL's predictor, where the extra
            ``fast`` is installed: loading it costs each worker seconds.
        accelerated_tolerance: It must answer every test row this near to XGBoost's own predictor.
    """

    accelerated_rows: int = Field(default=2_000_000, ge=1)
    accelerated_tolerance: float = Field(default=1e-6, ge=0)


class SuiteNames(Section):
    """The expectation suites, by the table they hold for: names of JSON files, without ``.json``.

    Attributes:
        free_sql: Whether a suite may hold SQL, which can read any file and call any Java method that Spark can.
    """

    raw: str
    curated: str
    predictions: str
    free_sql: bool = False

    @property
    def by_table(self) -> dict[str, str]:
        """The suite's name by the table."""
        return {"raw": self.raw, "curated": self.curated, "predictions": self.predictions}


class Names(Section):
    """What things are called on a target; three-level names, as Unity Catalog has them, on all of them."""

    catalog: str = "gauntlet"
    schema_name: str = Field(alias="schema")
    volume: str = "files"
    experiment: str
    model: str
    endpoint: str
    secret_scope: str = "gauntlet"  # noqa: S105 - the name of a scope, no secret

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)

    @field_validator("catalog", "schema_name", "volume", "model")
    @classmethod
    def _one_level(cls, value: str) -> str:
        if not _IDENTIFIER.fullmatch(value):
            raise ValueError("letters, digits and underscores only: it is one level of a three-level name")
        return value

    @property
    def registered_model(self) -> str:
        """The model's three-level name."""
        return f"{self.catalog}.{self.schema_name}.{self.model}"

    def table(self, name: str) -> str:
        """Return a table's three-level name."""
        return f"{self.catalog}.{self.schema_name}.{name}"


class Problem(Section):
    """A whole problem file, checked.

    Attributes:
        name: A short name; letters, digits and underscores.
        title: One line for people.
        seed: The root of every random draw.
        max_bad_rows: More rows than this that cannot be read as promised stop the run.
        costs: The costs of wrong decisions; without them decisions are reported, not judged.
        attribution: Whose data it is and under which licence; printed in the report.
    """

    name: str = Field(pattern=f"^{_IDENTIFIER.pattern}$")
    title: str
    seed: int = Field(default=0, ge=0)
    max_bad_rows: int = Field(default=0, ge=0)
    attribution: str = ""
    origins: tuple[Origin, ...] = Field(min_length=1)
    sources: tuple[Source, ...] = Field(min_length=1)
    columns: tuple[Column, ...] = Field(min_length=2)
    label: LabelRule
    split: SplitRule = SplitRule()
    baseline: BaselineRule = BaselineRule()
    sweep: BoostedSweepRule
    costs: Costs | None = None
    gates: GateRules = GateRules()
    waivers: tuple[Waiver, ...] = ()
    promotion: PromotionRule = PromotionRule()
    scoring: ScoringRule = ScoringRule()
    suites: SuiteNames
    names: dict[TargetName, Names]

    @property
    def features(self) -> tuple[Column, ...]:
        """The columns that a model sees, in the file's order."""
        return tuple(c for c in self.columns if c.role == "feature" and c.name != self.label.column)

    @property
    def constant_columns(self) -> frozenset[str]:
        """The columns whose values come from the sources' ``constants``, not from their files."""
        return frozenset(name for source in self.sources for name in source.constants)

    def column(self, name: str) -> Column:
        """Return a column by name.

        Raises:
            KeyError: If there is none of that name.
        """
        for column in self.columns:
            if column.name == name:
                return column
        raise KeyError(name)

    @model_validator(mode="after")
    def _consistent(self) -> Problem:
        names = [column.name for column in self.columns]
        _refuse_repeats("columns", names)
        _refuse_repeats("sources", [source.name for source in self.sources])
        if self.label.column not in names:
            raise ValueError(f"label.rule reads {self.label.column!r}, which is not among the columns")
        _check_label_value(self.label, self.column(self.label.column))
        for source in self.sources:
            missing = self.constant_columns - source.constants.keys()
            if missing:
                raise ValueError(f"sources: {source.name!r} gives no constant for {', '.join(sorted(missing))}")
        unknown = self.constant_columns - set(names)
        if unknown:
            raise ValueError(f"sources: constants name no column: {', '.join(sorted(unknown))}")
        if not self.features:
            raise ValueError("columns: no feature is left beside the label")
        _check_split_columns(self.split, names, self.label.column)
        _refuse_repeats("waivers", [waiver.gate for waiver in self.waivers])
        return self


def _refuse_repeats(where: str, names: list[str]) -> None:
    alike = [name.lower() for name in names]  # Spark and Unity Catalog do not tell capitals apart
    repeated = sorted({name for name in names if alike.count(name.lower()) > 1})
    if repeated:
        raise ValueError(f"{where}: named twice: {', '.join(repeated)}")


def _check_split_columns(split: SplitRule, names: list[str], label: str) -> None:
    asked = [("groups", name) for name in split.groups] + ([("time", split.time)] if split.time else [])
    for key, name in asked:
        if name not in names or name == label:
            raise ValueError(f"split.{key} names {name!r}, which is not among the columns beside the label")


def _check_label_value(label: LabelRule, column: Column) -> None:
    value, numeric = label.value, column.kind in ("number", "integer")
    if column.kind != "boolean" and not label.compares:
        raise ValueError(
            f"label.rule names the {column.kind} column {column.name!r} alone; multi-class and regression labels are "
            f"not supported, so say which of its values are positive, for example '{column.name} >= 7'"
            if numeric
            else f"label.rule names the text column {column.name!r} alone; multi-class labels are not supported, so "
            f"say which of its values is positive, for example '{column.name} == \"yes\"'"
        )
    if numeric and isinstance(value, (str, bool)):
        raise ValueError(f"label.rule compares the {column.kind} column {column.name!r} with {value!r}; give a number")
    if column.kind == "boolean" and not isinstance(value, bool):
        raise ValueError(f"label.rule compares the boolean column {column.name!r} with {value!r}; give true or false")
    if column.kind in ("text", "date") and label.operator not in ("==", "!="):
        raise ValueError(f"label.rule: the {column.kind} column {column.name!r} can be compared with == and != only")
    if column.kind in ("text", "date") and not isinstance(value, str):
        raise ValueError(
            f"label.rule compares the {column.kind} column {column.name!r} with {value!r}; write it in quotes"
        )
