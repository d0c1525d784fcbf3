"""The gates on reproducibility on Spark: the stages' own models pass them, and each saboteur of theirs is caught."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import functions as F  # noqa: N812 - pyspark's convention

from gauntlet.core.verdict import Status
from gauntlet.gates.gate import Gate, Saboteur
from gauntlet.gates.reproducibility import GATES, ROW_ORDER
from gauntlet.gates.reproducibility_saboteurs import SABOTEURS
from gauntlet.stages.candidate import Candidate
from tests.data.trained_world import TrainedWorld, shared_world

pytestmark = pytest.mark.data

BY_NAME = {gate.name: gate for gate in GATES}


@pytest.fixture(scope="module")
def world(spark: Any, make_target: Any, tmp_path_factory: pytest.TempPathFactory) -> TrainedWorld:
    return shared_world(tmp_path_factory, spark, make_target)


@pytest.fixture(params=["sweep", "forest"])
def candidate(request: pytest.FixtureRequest, world: TrainedWorld, tmp_path: Path) -> Candidate:
    return world.candidate(request.param, tmp_path)


@pytest.mark.parametrize("gate", GATES, ids=[gate.name for gate in GATES])
def test_the_stages_own_models_pass(candidate: Candidate, gate: Gate) -> None:
    verdict = gate(candidate)
    assert (verdict.status, verdict.gate) == (Status.PASS, gate.name), verdict.sentence


@pytest.mark.parametrize("saboteur", SABOTEURS, ids=[saboteur.name for saboteur in SABOTEURS])
def test_each_saboteur_is_caught_by_its_gate(candidate: Candidate, saboteur: Saboteur) -> None:
    gate = BY_NAME[saboteur.gate]
    verdict = gate(saboteur(candidate))
    assert verdict.status is (Status.WARN if gate.advisory else Status.FAIL), verdict.sentence


def test_a_table_that_lost_a_row_is_not_the_one_that_was_judged(candidate: Candidate) -> None:
    splits = candidate.splits
    assert splits.spark is not None
    table = splits.spark().where(F.col("row_id") != splits.frame["row_id"][0])
    verdict = BY_NAME[ROW_ORDER](candidate.changed(splits=replace(splits, spark=lambda: table)))
    assert verdict.status is Status.FAIL
    assert "other rows" in verdict.sentence
