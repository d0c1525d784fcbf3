"""This module provides judgements: a road walked as far as its packaged candidate, and every gate asked anew.

``gauntlet run`` judges inside the road; ``pytest -m gates`` and ``gauntlet sabotage`` use this.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from gauntlet.adapters.spark_model import start_workers
from gauntlet.core.canonical import digest
from gauntlet.core.errors import GauntletError
from gauntlet.core.problem import Problem
from gauntlet.core.random_calls import random_calls
from gauntlet.core.results import (
    BaselineResult,
    CheckOutcome,
    ExpectationsResult,
    IngestResult,
    PackageResult,
    SelectResult,
    SplitResult,
    StageResult,
)
from gauntlet.core.verdict import Status, Verdict
from gauntlet.core.waivers import waived
from gauntlet.gates.catalogue import gates_of
from gauntlet.gates.expectations import status_of
from gauntlet.gates.gate import Gate
from gauntlet.pipeline import Road
from gauntlet.stages.candidate import Candidate
from gauntlet.stages.candidate_parts import Made, code_files, collected
from gauntlet.stages.problem_marks import suites_of

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

LAST_STAGE = "package"


@dataclass(frozen=True)
class Judgement:
    """A candidate and its gates; without a candidate, the reason why there is none.

    Attributes:
        problem: The problem, with its waivers.
        gates: The gates that it must pass.
        candidate: The candidate; None if a stage refused before there was one.
        refusal: Why there is none.
        outcomes: What is known of single expectations although there is no candidate, by their identifiers.
        not_checked: What the stages left unchecked.
    """

    problem: Problem
    gates: tuple[Gate, ...]
    candidate: Candidate | None
    refusal: str = ""
    outcomes: Mapping[str, CheckOutcome] = field(default_factory=dict)
    not_checked: tuple[str, ...] = ()

    def verdict(self, gate: Gate) -> Verdict:
        """Return a gate's verdict, computed anew, with its waiver if there is one."""
        verdict = self._bare_verdict(gate)
        mine = [waiver for waiver in self.problem.waivers if waiver.gate == gate.name]
        return waived([verdict], mine, today=datetime.now(UTC).date())[-1]

    def _bare_verdict(self, gate: Gate) -> Verdict:
        if self.candidate is not None:
            return gate(self.candidate)
        outcome = self.outcomes.get(gate.name.removeprefix("data/"))
        if outcome is None:
            sentence = f"there is no candidate to judge: {self.refusal}"
            return Verdict(gate.name, Status.CONFIG_ERROR, sentence)
        sentence = outcome.observed or "holds"
        return Verdict(gate.name, status_of(outcome), sentence, measured=float(outcome.success))


def prepared(road: Road, *, workspace: Path, reason: str) -> Judgement:
    """Walk a road to its packaged candidate, where it is not there yet, and gather what the gates look at.

    Args:
        road: The road; it stops before anything is judged or promoted.
        workspace: A folder for what gates must write; the caller takes it away.
        reason: Why the test split is opened, for its ledger.

    Raises:
        GauntletError: If a stage cannot do its work.
    """
    road = replace(road, last=LAST_STAGE)
    suites = suites_of(road.problem, problem_folder=road.problem_folder)
    gates = gates_of(road.problem, suites)
    # Where all stages are done, Spark and its workers have nothing to do yet; and later this process waits for them.
    threading.Thread(target=_begin, args=(road, road.target.spark()), name="beginning", daemon=True).start()
    outcome = road.run()
    if outcome.refusal is not None:
        known = _known_outcomes(outcome.results)
        return Judgement(road.problem, gates, None, outcome.refusal, known, outcome.not_checked)
    context = road.context(folder=workspace, key=digest({"judgement": datetime.now(UTC).isoformat()}))
    candidate = collected(context, _made(outcome.results), reason=reason)
    return Judgement(road.problem, gates, candidate, not_checked=outcome.not_checked)


def _begin(road: Road, spark: SparkSession) -> None:
    """Do before it is asked for what takes seconds and depends on no stage."""
    start_workers(spark)
    with suppress(GauntletError):  # whoever asks for the files is told
        for path in code_files(road.problem, problem_folder=road.problem_folder):
            random_calls(path)


def problem_gates(road: Road) -> tuple[Gate, ...]:
    """Return the gates of a road's problem, without walking it."""
    return gates_of(road.problem, suites_of(road.problem, problem_folder=road.problem_folder))


def _made(results: Mapping[str, StageResult]) -> Made:
    ingest, split, baseline = results["ingest"], results["split"], results["baseline"]
    select, package = results["select"], results["package"]
    if not (
        isinstance(ingest, IngestResult)
        and isinstance(split, SplitResult)
        and isinstance(baseline, BaselineResult)
        and isinstance(select, SelectResult)
        and isinstance(package, PackageResult)
    ):
        raise TypeError("the stages left results of other kinds than they declare")
    return Made(ingest, split, baseline, select, package)


def _known_outcomes(results: Mapping[str, StageResult]) -> dict[str, CheckOutcome]:
    found = results.get("expectations")
    if not isinstance(found, ExpectationsResult):
        return {}
    return {check.id: check for suite in found.suites for check in suite.checks}
