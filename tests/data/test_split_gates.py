"""The gates on the split that ask Spark: the same verdicts as in memory, and saboteurs are caught there too."""

from dataclasses import replace
from typing import Any

import pytest

from gauntlet.core.verdict import Status
from gauntlet.gates import split_repeats
from gauntlet.gates.split import GATES
from gauntlet.gates.split_rows import with_rows
from gauntlet.gates.split_saboteurs import SABOTEURS
from gauntlet.stages.candidate import Candidate
from tests.made_candidate import made_candidate

pytestmark = pytest.mark.data

NEAR = next(gate for gate in GATES if gate.name == "split::no_near_repeats_across_splits")
ON_SPARK = {"test_rows_copied_into_train", "rounded_copies_in_train"}


@pytest.fixture(autouse=True)
def _every_number_of_rows_is_searched_on_spark(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(split_repeats, "FEW_ROWS", 0)


@pytest.fixture(scope="module")
def sound(spark: Any, tmp_path_factory: pytest.TempPathFactory) -> Candidate:
    """Return a candidate whose splits are on Spark, too."""
    candidate = made_candidate(tmp_path_factory.mktemp("candidate"), spark=lambda: spark)
    frame = candidate.splits.frame
    return candidate.changed(splits=replace(candidate.splits, spark=lambda: spark.createDataFrame(frame)))


def test_a_sound_candidate_passes_on_spark_with_the_verdict_of_the_search_in_memory(sound: Candidate) -> None:
    in_memory = sound.changed(splits=replace(sound.splits, spark=None))
    assert NEAR(sound).status is Status.PASS
    assert NEAR(sound) == NEAR(in_memory)


@pytest.mark.parametrize("saboteur", [s for s in SABOTEURS if s.name in ON_SPARK], ids=lambda saboteur: saboteur.name)
def test_copies_of_test_rows_are_found_on_spark(sound: Candidate, saboteur: Any) -> None:
    broken = saboteur(sound)
    assert broken.splits.spark().count() == len(broken.splits.frame)
    verdict, in_memory = NEAR(broken), NEAR(broken.changed(splits=replace(broken.splits, spark=None)))
    assert verdict.status is Status.FAIL
    assert verdict.measured == in_memory.measured >= 90


def test_rows_that_differ_between_spark_and_memory_are_an_error(sound: Candidate) -> None:
    fewer = replace(sound.splits, spark=lambda: sound.splits.spark().limit(100))  # type: ignore[misc]
    verdict = NEAR(sound.changed(splits=fewer))
    assert verdict.status is Status.CONFIG_ERROR
    assert "100 rows on Spark and 3000 in memory" in verdict.sentence


def test_few_rows_are_searched_in_memory(sound: Candidate, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    watched = sound.changed(splits=replace(sound.splits, spark=lambda: asked.append("asked") or sound.splits.spark()))  # type: ignore[misc,func-returns-value]
    on_spark = NEAR(watched)
    assert asked
    asked.clear()
    monkeypatch.setattr(split_repeats, "FEW_ROWS", len(sound.splits.frame))
    assert NEAR(watched) == on_spark
    assert not asked
    monkeypatch.setattr(split_repeats, "FEW_ROWS", len(sound.splits.frame) - 1)
    assert NEAR(watched) == on_spark
    assert asked


@pytest.mark.parametrize("saboteur", SABOTEURS, ids=lambda saboteur: saboteur.name)
def test_every_saboteur_leaves_rows_on_spark_that_are_those_in_memory(sound: Candidate, saboteur: Any) -> None:
    if saboteur.gate in ("split::groups_kept_together", "split::time_order"):
        day = sound.splits.frame.assign(day=range(len(sound.splits.frame)))
        rule = sound.problem.split.model_copy(update={"groups": ("day",), "time": "day"})
        splits = replace(with_rows(sound, day).splits, features=sound.splits.features)
        sound = sound.changed(splits=splits, problem=sound.problem.model_copy(update={"split": rule}))
    broken = saboteur(sound).splits
    rows = broken.spark()
    assert set(rows.columns) == set(broken.frame.columns)
    assert {(row["row_id"], row["split"]) for row in rows.select("row_id", "split").collect()} == set(
        zip(broken.frame["row_id"], broken.frame["split"], strict=True)
    )
