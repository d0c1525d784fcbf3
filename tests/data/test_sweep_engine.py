"""The sweep's engine on Spark: one result for any number of workers and any batch."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from gauntlet.adapters.objective import Objective
from gauntlet.adapters.sweep_engine import Search, run_sweep
from gauntlet.core.errors import RequirementError
from gauntlet.core.seeding import Seeds
from gauntlet.core.trials import TrialResult, read_journal, trials_digest
from tests import sweep_objectives
from tests.sweep_objectives import DeadlyValley, ForgetfulValley, PatchyValley, UnevenValley, sweep_rule
from tests.unit.test_objective import boosted

pytestmark = pytest.mark.data

Sweeper = Callable[..., tuple[TrialResult, ...]]
BOOSTED_SPACE = {
    "max_depth": {"distribution": "quniform", "low": 2, "high": 8, "step": 1},
    "learning_rate": {"distribution": "loguniform", "low": -3, "high": 0},
}


@pytest.fixture(autouse=True, scope="module")
def objectives_travel_by_value() -> Iterator[None]:
    """Spark's workers cannot import the tests, wherever they run; installed objectives need nothing of the kind."""
    from pyspark import cloudpickle  # noqa: PLC0415 - imported where Spark is

    cloudpickle.register_pickle_by_value(sweep_objectives)
    yield
    cloudpickle.unregister_pickle_by_value(sweep_objectives)


@pytest.fixture
def swept(spark: Any, tmp_path: Path) -> Sweeper:
    """Run a sweep on Spark, or in this process with ``workers=0``, in a journal of its own unless one is named."""

    def run(objective: Objective, *, workers: int, batch: int | None = None, journal: str = "", **rule: Any) -> Any:
        name = journal or f"{len(list(tmp_path.iterdir()))}.jsonl"
        search = Search(
            objective=objective, rule=sweep_rule(**{"trials": 28, **rule}), seeds=Seeds(7), journal_path=tmp_path / name
        )
        return run_sweep(spark if workers else None, search=search, workers=workers or None, batch=batch)

    return run


def digests(swept: Sweeper, objective: Objective, ways: list[tuple[int, int | None]], **rule: Any) -> set[str]:
    """Return the digests that ways (workers, batch) of running one sweep give: one, if they are the same."""
    return {trials_digest(swept(objective, workers=workers, batch=batch, **rule)) for workers, batch in ways}


EVERY_WAY = [(0, None), (1, None), (2, None), (2, 1), (2, 3), (4, None)]


def test_any_number_of_workers_and_any_batch_give_the_same_sweep(swept: Sweeper) -> None:
    assert len(digests(swept, UnevenValley(), EVERY_WAY)) == 1


def test_failing_trials_are_the_same_everywhere_too(swept: Sweeper) -> None:
    assert len(digests(swept, PatchyValley(), [(0, None), (2, 2), (4, None)], max_failed_share=0.5)) == 1


def test_an_objective_with_a_memory_gives_different_digests(swept: Sweeper, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GAUNTLET_TEST_TRIALS_SEEN", "0")
    assert len(digests(swept, ForgetfulValley(), [(0, None), (2, None), (2, 1)])) > 1


def test_boosted_trees_are_the_same_bits_in_workers_and_here(swept: Sweeper) -> None:
    ways = [(0, None), (2, None), (2, 1)]
    assert len(digests(swept, boosted(), ways, trials=24, lag=8, space=BOOSTED_SPACE)) == 1


def test_a_sweep_cut_short_runs_only_what_is_missing(swept: Sweeper, tmp_path: Path) -> None:
    whole = swept(UnevenValley(), workers=2, journal="a.jsonl")
    journal = tmp_path / "a.jsonl"
    lines = journal.read_bytes().splitlines(keepends=True)
    journal.write_bytes(b"".join(lines[:15]) + lines[15][:20])
    kept = read_journal(journal)
    resumed = swept(UnevenValley(), workers=2, batch=3, journal="a.jsonl")
    assert trials_digest(resumed) == trials_digest(whole)
    # Times differ from run to run, so an equal result was taken over and not evaluated again.
    assert {r.to_json() for r in resumed} & {r.to_json() for r in whole} == {r.to_json() for r in kept}


def test_a_trial_that_kills_its_worker_is_the_one_that_failed(swept: Sweeper) -> None:
    results = swept(DeadlyValley(), workers=2, batch=4, trials=8)
    assert [result.index for result in results if result.failure is not None] == [2]
    assert "worker died" in str(results[2].failure)


def test_a_task_that_spark_cannot_run_is_an_error_of_the_environment(swept: Sweeper, tmp_path: Path) -> None:
    class Homeless(UnevenValley):
        def __reduce__(self) -> Any:
            return __import__, ("no_such_module_on_the_workers",)

    with pytest.raises(RequirementError, match="Spark could not run the trials"):
        swept(Homeless(), workers=2, journal="b.jsonl")
    assert read_journal(tmp_path / "b.jsonl") == ()


@pytest.mark.local_only("looks into Spark's own process")
def test_no_job_of_an_interrupted_sweep_stays_behind(spark: Any, tmp_path: Path) -> None:
    def interrupt(result: TrialResult) -> None:
        raise KeyboardInterrupt

    search = Search(
        objective=UnevenValley(), rule=sweep_rule(trials=28), seeds=Seeds(7), journal_path=tmp_path / "c.jsonl"
    )
    with pytest.raises(KeyboardInterrupt):
        run_sweep(spark, search=search, workers=2, on_result=interrupt)
    assert spark.sparkContext.statusTracker().getActiveJobsIds() == []
    assert len(read_journal(search.journal_path)) < 28
