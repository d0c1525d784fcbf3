"""This module provides the typed results of the stages: what one stage leaves for the next, as frozen data."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Literal, get_args

from pydantic import BaseModel, ConfigDict

from gauntlet.core.canonical import digest
from gauntlet.core.problem import Costs, Protocol, SplitName


class Record(BaseModel):
    """The base of all that is written into a state folder."""

    model_config = ConfigDict(frozen=True, extra="forbid", ser_json_inf_nan="strings")


class TableRef(Record):
    """One version of one table.

    Attributes:
        name: The short name (``raw``, ``curated`` …).
        full_name: The three-level name.
        format: How it is stored.
        version: The version that was written; reading a reference reads that version.
        rows: The number of its rows.
        fingerprint: A digest of the rows that does not depend on their order.
    """

    name: str
    full_name: str
    format: Literal["delta", "parquet"]
    version: int
    rows: int
    fingerprint: str


class FileRef(Record):
    """A file in the state folder: its path relative to it, and its SHA-256."""

    path: str
    sha256: str


class Figure(Record):
    """A picture for people, in the state folder (PNG or SVG)."""

    name: str
    title: str
    file: FileRef


class StageResult(Record):
    """The base of all results.

    Attributes:
        refusal: Why the stage says no; None if it does not. A refusal ends the road to promotion.
        not_checked: What this stage left unchecked, one sentence each.
    """

    refusal: str | None = None
    not_checked: tuple[str, ...] = ()

    def digest(self) -> str:
        """Return a digest of the result's content; table versions, which say only when, are left out."""
        return digest(_without_table_versions(self.model_dump(mode="json")))


def _without_table_versions(value: Any) -> Any:
    if isinstance(value, dict):
        is_table = "fingerprint" in value
        return {k: _without_table_versions(v) for k, v in value.items() if not (is_table and k == "version")}
    if isinstance(value, list):
        return [_without_table_versions(item) for item in value]
    return value


class DataSource(Record):
    """Where the data came from.

    Attributes:
        origin: The kind of origin (``folder``, ``archive``, ``links``, ``mounted``, ``synthetic``).
        description: A phrase for people, such as the folder's path.
        synthetic: Whether the rows were generated.
        files: The SHA-256 of each source's file, by the source's name.
        refused: What was wrong with the origins tried before, one sentence each.
    """

    origin: str
    description: str
    synthetic: bool
    files: dict[str, str]
    refused: tuple[str, ...] = ()


class IngestResult(StageResult):
    """What ``ingest`` leaves.

    Attributes:
        raw: The merged table as it came, with ``row_id``, ``source``, ``source_row`` and ``synthetic``.
        curated: The features as a model takes them, and ``label`` (0 or 1).
        quarantine: The rows that could not be read as promised, with a ``reason``; None if there are none.
        duplicate_rows: Rows that repeat an earlier row on every column of the files.
        positives: Rows of the positive class.
    """

    source: DataSource
    raw: TableRef
    curated: TableRef
    quarantine: TableRef | None
    rows: int
    bad_rows: int
    duplicate_rows: int
    positives: int


CheckEngine = Literal["scan", "second_pass", "great_expectations"]
Severity = Literal["critical", "warning", "info"]


class CheckOutcome(Record):
    """The outcome of one expectation.

    Attributes:
        id: ``table::column::rule``, stable, for reports and test names.
        success: Whether it holds; an expectation that could not be evaluated does not.
        observed: What was seen, for people; empty where it holds and nothing more is known.
        engine: What judged it: the one pass over the table that tells of all others too, a second pass, or Great
            Expectations itself.
        severity: What a failure means: ``critical`` stops the run. It is the expectation's own severity where values
            were judged, and always critical where none could be: no rows, no values, NaN, or an error.
    """

    id: str
    rule: str
    column: str | None
    success: bool
    observed: str = ""
    engine: CheckEngine = "great_expectations"
    severity: Severity = "critical"

    @property
    def blocks(self) -> bool:
        """Whether the outcome stops a run."""
        return not self.success and self.severity == "critical"


class SuiteOutcome(Record):
    """The outcome of one suite over one table version."""

    suite: str
    suite_digest: str
    table: str
    rows: int
    checks: tuple[CheckOutcome, ...]

    @property
    def success(self) -> bool:
        """Whether there was something to check and all of it holds."""
        return bool(self.checks) and all(check.success for check in self.checks)


class ExpectationsResult(StageResult):
    """What ``expectations`` leaves: the outcomes for the raw and the curated table."""

    suites: tuple[SuiteOutcome, ...]


class ExploreResult(StageResult):
    """What ``explore`` leaves: pictures, the first rows, and counts by column."""

    figures: tuple[Figure, ...]
    head: tuple[dict[str, Any], ...]
    null_counts: dict[str, int]
    duplicate_rows: int
    run_id: str


class SplitResult(StageResult):
    """What ``split`` leaves.

    Attributes:
        table: The curated rows with ``group_id``, ``split`` and ``row_order`` (the stable order to read them in).
        synthetic: Whether the rows were generated.
        selection: The split on which models are chosen: validation, or (bug for bug) test under ``notebook``.
        rows: The number of rows by split.
        positives: The number of positive rows by split.
        groups: The number of groups of rows that repeat each other.
        near_pairs: Pairs of distinct rows within one measuring unit on every feature.
        repeats_across: Rows of validation and test that repeat a row of an earlier split exactly.
        near_repeats_across: Near pairs whose rows lie in different splits.
    """

    protocol: Protocol
    synthetic: bool
    table: TableRef
    selection: SplitName
    rows: dict[str, int]
    positives: dict[str, int]
    groups: int
    near_pairs: int
    repeats_across: int
    near_repeats_across: int


class ModelRecord(Record):
    """A fitted model in the state folder, ready to be packed.

    Attributes:
        name: ``forest``, ``reference_forest`` or ``sweep``.
        family: What it is.
        file: The forest as skops or the booster as UBJ, cut at its best iteration.
        encoding: The encoding of features into the model's matrix (JSON).
        parameters: The parameters it was fitted with.
        auc_selection: AUC on the split that models are chosen on.
        importances: Importance by feature; they add up to 1.
    """

    name: str
    family: Literal["forest", "booster"]
    file: FileRef
    encoding: FileRef
    parameters: dict[str, float | int | str]
    auc_selection: float
    importances: dict[str, float]


class BaselineResult(StageResult):
    """What ``baseline`` leaves: the tutorial's small forest and a large one beside it."""

    forest: ModelRecord
    reference: ModelRecord
    run_id: str


class ModelVersion(Record):
    """One version in the model registry."""

    name: str
    version: int
    run_id: str


class RegisterResult(StageResult):
    """What ``register`` leaves: the forest as version with alias ``baseline``, read back by name and alias."""

    model: ModelVersion
    auc_readback: float


class SweepResult(StageResult):
    """What ``sweep`` leaves.

    Attributes:
        trials: How many trials were run, failed ones included.
        failed: How many of them failed.
        best_trial: The index of the winner.
        trials_digest: The digest of every trial's parameters and metric, in index order; the same for any worker count.
        journal: All trials, one JSON object a line.
        model: The winner, fitted again from its parameters and seed.
    """

    trials: int
    failed: int
    best_trial: int
    best_auc: float
    trials_digest: str
    journal: FileRef
    model: ModelRecord
    run_id: str


class CostPoint(Record):
    """The expected cost a row of deciding at a threshold."""

    threshold: float
    cost: float


class SelectResult(StageResult):
    """What ``select`` leaves: a frozen choice, made before the test split is opened.

    Attributes:
        candidates: All models compared, by name.
        chosen: The chosen one.
        threshold: Rows at or above this probability are decided positive.
        costs: The costs that it was chosen by: the problem's, or balanced ones where it sets none.
        cost: The expected cost a row at the threshold, on the selection split.
        accept_all_cost: What deciding "positive" for every row would cost.
        reject_all_cost: What deciding "negative" for every row would cost.
        curve: Threshold against cost.
        selection_digest: The digest of the choice; the key to the test split.
    """

    candidates: tuple[ModelRecord, ...]
    chosen: ModelRecord
    threshold: float
    costs: Costs
    cost: float
    accept_all_cost: float
    reject_all_cost: float
    curve: tuple[CostPoint, ...]
    selection_digest: str


class WaiverRecord(Record):
    """The waiver of a verdict, as written; ``until`` is the last day on which it holds (ISO)."""

    gate: str
    reason: str
    owner: str
    until: str


Level = Literal["CONFIG_ERROR", "FAIL", "INCONCLUSIVE", "WARN", "NOTE", "PASS"]
LEVELS: tuple[Level, ...] = get_args(Level)  # from the gravest to the mildest


class VerdictRecord(Record):
    """One gate's verdict, as written.

    INCONCLUSIVE ("cannot be told") is a level of evidence written before NOTE and WARN existed; it blocks, as it did.
    """

    gate: str
    status: Level
    sentence: str
    measured: float | None = None
    bound: float | None = None
    rows: int | None = None
    interval: tuple[float, float] | None = None
    waiver: WaiverRecord | None = None
    rows_needed: int | None = None

    @property
    def blocks(self) -> bool:
        """Whether the verdict alone stops a promotion."""
        return self.status not in ("PASS", "NOTE", "WARN") and self.waiver is None


def gravest_first(verdicts: Iterable[VerdictRecord]) -> tuple[VerdictRecord, ...]:
    """Return verdicts from the gravest to the mildest, those that block before all others; equals keep their order."""
    return tuple(sorted(verdicts, key=lambda verdict: (not verdict.blocks, LEVELS.index(verdict.status))))


class TestScores(Record):
    """AUCs on the test split, by model name, and the curves of the forest and the chosen model."""

    __test__ = False  # not a test class, whatever pytest makes of its name

    auc: dict[str, float]
    roc: dict[str, tuple[tuple[float, float], ...]]
    precision_recall: dict[str, tuple[tuple[float, float], ...]]


class PackageResult(StageResult):
    """What ``package`` leaves: the chosen model as the very artefact that is judged, and later promoted.

    Attributes:
        model_uri: Its address in MLflow, by the identifier of the logged model.
        model_digest: The digest of what it decides: its fitted parts, its encoding and its threshold.
        files: The SHA-256 of each of its files, by path relative to it.
        run_id: The MLflow run that it belongs to.
    """

    model_uri: str
    model_digest: str
    files: dict[str, str]
    run_id: str


class JudgeResult(StageResult):
    """What ``judge`` leaves.

    Attributes:
        scores: What the models show on the test split, opened once for this choice.
        verdicts: What the gates said.
        bootstrap: Whether there was positively no champion to compare with.
        incumbent: The champion that was compared with; None if there was none, or it could not be asked.
        evidence: The signed evidence; of a refusal too.
        evidence_digest: The SHA-256 of the evidence's bytes.
    """

    scores: TestScores
    verdicts: tuple[VerdictRecord, ...]
    bootstrap: bool
    incumbent: ModelVersion | None
    evidence: FileRef
    evidence_digest: str


class PromoteResult(StageResult):
    """What ``promote`` leaves.

    Attributes:
        champion: The version that the alias ``champion`` names now because of this run; None if refused.
        previous: The champion before; None if there was none.
        bootstrap: Whether there was positively no champion before.
        sequence: The promotion's number in the ledger; None if refused.
        auc_readback: The champion's AUC on the test split, loaded back through the registry by alias.
    """

    champion: ModelVersion | None
    previous: ModelVersion | None
    bootstrap: bool
    sequence: int | None
    auc_readback: float | None


class ScoreResult(StageResult):
    """What ``score`` leaves: the predictions' table, and which version made it.

    Attributes:
        rows: How many rows have a prediction.
        new_rows: How many of them were scored now; the others had theirs.
        predictor: What answered, and why.
    """

    table: TableRef | None
    model: ModelVersion | None
    threshold: float | None
    rows: int
    new_rows: int | None = None
    predictor: str = ""
    positives: int
    suite: SuiteOutcome | None


class ReportResult(StageResult):
    """What ``report`` leaves: one self-contained HTML file."""

    file: FileRef
