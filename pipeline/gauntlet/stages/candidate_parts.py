"""This module provides the gathering of a candidate's parts from what the stages left."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

import gauntlet
from gauntlet.adapters.artefact_copies import copied_artefact
from gauntlet.adapters.checked_tables import CheckedTable, SparkTable
from gauntlet.adapters.model_files import load_fitted, model_digest
from gauntlet.adapters.suite_files import Suite
from gauntlet.core.errors import InputError
from gauntlet.core.grouping import columns_of_split, source_order
from gauntlet.core.problem import Problem
from gauntlet.core.results import (
    BaselineResult,
    IngestResult,
    ModelRecord,
    PackageResult,
    SelectResult,
    SplitResult,
    TableRef,
)
from gauntlet.core.test_reads import TestRead, read_test_reads
from gauntlet.stages.candidate import Artefact, Candidate, JudgedModel, Splits, TestLedger
from gauntlet.stages.context import StageContext
from gauntlet.stages.incumbents import incumbent_of
from gauntlet.stages.problem_marks import suites_of
from gauntlet.stages.score import scored_by
from gauntlet.stages.trainer import RoadTrainer
from gauntlet.stages.training_rows import frozen_selections, record_opening

if TYPE_CHECKING:
    from pyspark.sql import DataFrame


@dataclass(frozen=True)
class Made:
    """What the stages before the judgement left."""

    ingest: IngestResult
    split: SplitResult
    baseline: BaselineResult
    select: SelectResult
    package: PackageResult


def collected(context: StageContext, made: Made, *, reason: str) -> Candidate:
    """Return the candidate, its test split opened; its tables are read when a gate asks for them.

    Args:
        context: The asking stage's context.
        made: What the stages left.
        reason: Why the test split is opened, for its ledger.

    Raises:
        RefusedError: If the test split does not open for the choice.
        RequirementError: If the registry, the ledger or the artefact could not be asked.
    """
    suites = suites_of(context.problem, problem_folder=context.problem_folder)
    # The door of the test split: from here on its rows are read.
    record_opening(context, made.split, selection_digest=made.select.selection_digest, reason=reason)
    # Spark reads while models are loaded and the registry is asked here: the rows first, then the tables, for which the
    # first gates do not ask.
    with _thread() as pool:
        reading = pool.submit(_splits, context, made.split)
        raw = pool.submit(_read_table, context, "raw", made.ingest.raw, suites.get("raw"))
        curated = pool.submit(_read_table, context, "curated", made.ingest.curated, suites.get("curated"))
        # A copy of their own: gates load it, and MLflow writes into what it loads.
        folder = Path(tempfile.mkdtemp(prefix="artefact-", dir=context.folder))
        artefact = Artefact(
            uri=made.package.model_uri,
            folder=copied_artefact(context.target.tracking, made.package.model_uri, folder=folder),
            files=made.package.files,
        )
        models = {record.name: _judged(context, record, made.select) for record in made.select.candidates}
        incumbent = incumbent_of(context, model_digest=made.package.model_digest)
        splits = reading.result()
    return Candidate(
        problem=context.problem,
        chosen=made.select.chosen.name,
        baseline=made.baseline.forest.name,
        models=models,
        splits=splits,
        threshold=made.select.threshold,
        tables={
            "raw": raw.result,
            "curated": curated.result,
            "predictions": _predictions(context, made, artefact, suites),
        },
        suites=suites,
        incumbent=incumbent,
        trainer=RoadTrainer(context, record=made.select.chosen, split=made.split),
        artefact=artefact,
        code=code_files(context.problem, problem_folder=context.problem_folder),
        test_ledger=_test_ledger(context, made),
        spark=context.target.spark,
        workspace=context.folder,
    )


def code_files(problem: Problem, *, problem_folder: Path | None) -> tuple[Path, ...]:
    """Return the Python files that a result depends on: Gauntlet's own, and the user's stage code.

    Raises:
        InputError: If a file or folder of ``gates.reproducibility.code`` is not there, or holds no Python.
    """
    own = sorted(Path(gauntlet.__file__).parent.rglob("*.py"))
    users: list[Path] = []
    for name in problem.gates.reproducibility.code:
        place = (problem_folder or Path()) / name
        found = sorted(place.rglob("*.py")) if place.is_dir() else [place] if place.suffix == ".py" else []
        if not found or not all(path.is_file() for path in found):
            raise InputError(f"gates.reproducibility.code: {place} is no Python file and no folder with any")
        users += found
    return (*own, *users)


def _judged(context: StageContext, record: ModelRecord, select: SelectResult) -> JudgedModel:
    fitted = load_fitted(record, state=context.state)
    threshold = select.threshold if record.name == select.chosen.name else None
    return JudgedModel(
        name=record.name,
        digest=model_digest(record, threshold=threshold),
        scorer=fitted,
        recorded_auc=record.auc_selection,
        encoding=fitted.encoding,
    )


def _splits(context: StageContext, split: SplitResult) -> Splits:
    problem = context.problem
    features = tuple(column.name for column in problem.features)
    kept = ["row_order", "row_id", "split", "group_id", "label", *features, *columns_of_split(problem)]

    def spark_rows() -> DataFrame:
        return context.target.tables.read(split.table).select(*kept)

    table = context.target.tables.read(split.table)
    frame: pd.DataFrame = table.select(*kept, "source", "source_row").toPandas()
    frame["source_row"] = source_order(frame, problem)
    frame = frame.sort_values("row_order", kind="stable", ignore_index=True).drop(columns=["row_order", "source"])
    return Splits(frame, features, split.protocol, split.selection, spark_rows)


@contextmanager
def _thread() -> Iterator[ThreadPoolExecutor]:
    """Give a thread for work that may go on after the block."""
    pool = ThreadPoolExecutor(1, thread_name_prefix="candidate")
    try:
        yield pool
    except BaseException:
        pool.shutdown(cancel_futures=True)
        raise
    pool.shutdown(wait=False)


def _read_table(context: StageContext, name: str, table: TableRef, suite: Suite | None) -> CheckedTable:
    """Return a table whose questions are answered."""
    read = SparkTable(name, context.target.tables.read(table), suite)
    read.values  # noqa: B018 - the one pass over the table
    return read


def _predictions(
    context: StageContext, made: Made, artefact: Artefact, suites: Mapping[str, Suite]
) -> Callable[[], CheckedTable]:
    @cache
    def predictions() -> CheckedTable:
        scored = scored_by(context, made.ingest, artefact, threshold=made.select.threshold)
        return SparkTable("predictions", scored, suites.get("predictions"))

    return predictions


def _test_ledger(context: StageContext, made: Made) -> TestLedger:
    reads: tuple[TestRead, ...] = ()
    fault: str | None = None
    try:
        reads = read_test_reads(context.state.test_reads)
    except InputError as error:
        fault = str(error)
    return TestLedger(
        reads=reads,
        frozen=frozen_selections(context),
        selection=made.select.selection_digest,
        split=made.split.table.fingerprint,
        fault=fault,
    )
