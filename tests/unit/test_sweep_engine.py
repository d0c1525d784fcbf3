"""The sweep's engine in one process: resuming, failures, interrupts."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from gauntlet.adapters.objective import Objective
from gauntlet.adapters.sweep_engine import Search, SweepPlan, run_sweep
from gauntlet.core.errors import DataError
from gauntlet.core.seeding import Seeds
from gauntlet.core.trials import TrialResult, read_journal, trials_digest
from tests.sweep_objectives import CountedValley, ForgetfulValley, PatchyValley, Valley, sweep_rule

pytestmark = pytest.mark.unit


def search(folder: Path, objective: Objective | None = None, **changes: Any) -> Search:
    return Search(
        objective=objective or Valley(),
        rule=sweep_rule(**changes),
        seeds=Seeds(7),
        journal_path=folder / "trials.jsonl",
    )


def test_results_come_in_order_and_are_all_journalled(tmp_path: Path) -> None:
    seen: list[TrialResult] = []
    results = run_sweep(None, search=search(tmp_path), on_result=seen.append)
    assert [result.index for result in results] == list(range(36))
    assert read_journal(tmp_path / "trials.jsonl") == results
    assert tuple(seen) == results


def test_a_killed_sweep_goes_on_where_it_was(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path\n"
        "from tests.unit.test_sweep_engine import CountedValley, run_sweep, search\n"
        "run_sweep(None, search=search(Path(sys.argv[1]), CountedValley(killed_at=26)), batch=3)"
    )
    killed = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)], env={"PYTHONPATH": ":".join(filter(None, sys.path))}, check=False
    )
    assert killed.returncode == -9
    done = [result.index for result in read_journal(tmp_path / "trials.jsonl")]
    assert 0 < len(done) <= 26
    objective = CountedValley()
    results = run_sweep(None, search=search(tmp_path, objective))
    assert objective.evaluated == [index for index in range(36) if index not in done]
    (tmp_path / "whole").mkdir()
    assert trials_digest(results) == trials_digest(run_sweep(None, search=search(tmp_path / "whole")))


def test_a_finished_sweep_evaluates_nothing_again(tmp_path: Path) -> None:
    first = run_sweep(None, search=search(tmp_path))
    objective, seen = CountedValley(), list[TrialResult]()
    assert run_sweep(None, search=search(tmp_path, objective), on_result=seen.append) == first
    assert objective.evaluated == []
    assert tuple(seen) == first


def test_another_sweep_does_not_take_the_journal_for_its_own(tmp_path: Path) -> None:
    run_sweep(None, search=search(tmp_path))
    objective = CountedValley(identity="other data")
    run_sweep(None, search=search(tmp_path, objective))
    assert objective.evaluated == list(range(36))


def test_failed_trials_stop_neither_the_others_nor_their_seeds(tmp_path: Path) -> None:
    results = run_sweep(None, search=search(tmp_path, PatchyValley(), max_failed_share=0.5))
    failed = [result.index for result in results if result.failure is not None]
    assert failed == [index for index in range(36) if index % 7 in (3, 5)]
    (tmp_path / "sound").mkdir()
    sound = run_sweep(None, search=search(tmp_path / "sound"))
    # The first 20 proposals are random, and those of both sweeps come from the same seeds.
    assert [r.params for r in results[:20]] == [r.params for r in sound[:20]]


def test_too_many_failures_stop_the_sweep_early_with_the_first_reasons(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"3 of 36 trials failed.*trial 3: RuntimeError: no luck with trial 3;"):
        run_sweep(None, search=search(tmp_path, PatchyValley(), max_failed_share=0.06))
    assert len(read_journal(tmp_path / "trials.jsonl")) < 36


def test_as_many_failures_as_allowed_are_allowed(tmp_path: Path) -> None:
    failures = len([index for index in range(36) if index % 7 in (3, 5)])
    assert run_sweep(None, search=search(tmp_path, PatchyValley(), max_failed_share=failures / 36))
    (tmp_path / "less").mkdir()
    with pytest.raises(DataError, match="max_failed_share"):
        run_sweep(None, search=search(tmp_path / "less", PatchyValley(), max_failed_share=(failures - 1) / 36))


def test_an_interrupt_keeps_what_is_finished(tmp_path: Path) -> None:
    def interrupt(result: TrialResult) -> None:
        if result.index == 11:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_sweep(None, search=search(tmp_path), batch=1, on_result=interrupt)
    assert len(read_journal(tmp_path / "trials.jsonl")) == 12
    (tmp_path / "whole").mkdir()
    whole = run_sweep(None, search=search(tmp_path / "whole"))
    assert trials_digest(run_sweep(None, search=search(tmp_path))) == trials_digest(whole)


def test_an_objective_with_a_memory_is_found_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GAUNTLET_TEST_TRIALS_SEEN", "0")
    digests = set()
    for attempt in ("one", "two"):
        (tmp_path / attempt).mkdir()
        digests.add(trials_digest(run_sweep(None, search=search(tmp_path / attempt, ForgetfulValley()))))
    assert len(digests) == 2


@pytest.mark.parametrize(
    ("workers", "batch", "plan"),
    [(1, None, (1, 8)), (2, None, (2, 4)), (4, None, (4, 2)), (64, None, (9, 1)), (2, 3, (2, 3))],
)
def test_a_plan_keeps_all_workers_busy_within_the_lag(workers: int, batch: int | None, plan: tuple[int, int]) -> None:
    assert SweepPlan.of(sweep_rule(lag=8), workers=workers, batch=batch) == SweepPlan(*plan)
