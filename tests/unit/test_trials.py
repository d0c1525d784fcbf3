"""The trials of a sweep, their digest and their journal."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from gauntlet.core.errors import DataError
from gauntlet.core.trials import Journal, TrialResult, best_trial, read_journal, trials_digest

pytestmark = pytest.mark.unit


def made(index: int, *, auc: float | None = 0.75, failure: str | None = None) -> TrialResult:
    params = {"rate": 0.1 + 0.2 * index, "depth": 3}
    return TrialResult(index=index, params=params, auc=auc, best_iteration=7, seconds=0.5, failure=failure)


FAILED = made(2, auc=None, failure="RuntimeError: no luck")


def test_a_result_comes_back_from_its_line_bit_for_bit() -> None:
    result = made(1, auc=0.1 + 0.2)
    assert TrialResult.from_json(result.to_json()) == result


@pytest.mark.parametrize(("auc", "failure"), [(None, None), (0.5, "a reason"), (float("nan"), None)])
def test_a_result_is_an_auc_or_a_reason(auc: float | None, failure: str | None) -> None:
    with pytest.raises(ValueError, match="trial 0"):
        made(0, auc=auc, failure=failure)


def test_the_digest_knows_neither_order_nor_time_nor_wording() -> None:
    slower = dataclasses.replace(made(0), seconds=9.0, started=5.0)
    reworded = dataclasses.replace(FAILED, failure="another")
    assert trials_digest([made(0), made(1), FAILED]) == trials_digest([reworded, made(1), slower])


@pytest.mark.parametrize(
    "change",
    [
        {"auc": 0.7500000000000001},
        {"best_iteration": 8},
        {"params": {"rate": 0.1, "depth": 4}},
        {"auc": None, "failure": "why"},
    ],
)
def test_the_digest_knows_everything_else(change: dict[str, object]) -> None:
    assert trials_digest([dataclasses.replace(made(0), **change)]) != trials_digest([made(0)])  # type: ignore[arg-type]


def test_the_best_trial_is_the_earliest_of_equal_ones() -> None:
    assert best_trial([made(3, auc=0.9), FAILED, made(1, auc=0.9), made(0, auc=0.8)]).index == 1


def test_no_best_trial_without_a_success() -> None:
    with pytest.raises(DataError, match="no trial succeeded"):
        best_trial([FAILED])


def test_a_journal_gives_back_what_was_written(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "trials.jsonl", identity="a")
    assert journal.start() == {}
    for result in (made(1), made(0), FAILED):
        journal.append(result)
    assert journal.start() == {0: made(0), 1: made(1), 2: FAILED}
    assert read_journal(journal.path) == (made(0), made(1), FAILED)


def test_any_torn_end_is_dropped_and_written_over(tmp_path: Path) -> None:
    path = tmp_path / "trials.jsonl"
    journal = Journal(path, identity="a")
    journal.start()
    journal.append(made(0))
    kept = path.stat().st_size
    journal.append(made(1))
    whole = path.read_bytes()
    for length in range(kept, len(whole)):
        path.write_bytes(whole[:length])
        assert journal.start() == {0: made(0)}, f"cut at byte {length}"
        journal.append(FAILED)
        assert journal.start() == {0: made(0), 2: FAILED}, f"cut at byte {length}"


def test_a_torn_first_line_starts_the_journal_anew(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "trials.jsonl", identity="a")
    journal.start()
    journal.path.write_bytes(journal.path.read_bytes()[:10])
    assert journal.start() == {}
    journal.append(made(0))
    assert journal.start() == {0: made(0)}


def test_lines_after_a_damaged_one_are_not_believed(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "trials.jsonl", identity="a")
    journal.start()
    for index in range(3):
        journal.append(made(index))
    lines = journal.path.read_text(encoding="utf-8").splitlines(keepends=True)
    journal.path.write_text("".join([*lines[:2], "{}\n", lines[3]]), encoding="utf-8")
    assert journal.start() == {0: made(0)}


def test_a_journal_of_another_sweep_is_set_aside(tmp_path: Path) -> None:
    path = tmp_path / "trials.jsonl"
    other = Journal(path, identity="b" * 64)
    other.start()
    other.append(made(0))
    before = path.read_bytes()
    assert Journal(path, identity="a").start() == {}
    assert (tmp_path / "trials.jsonl.bbbbbbbbbbbb").read_bytes() == before
    assert read_journal(path) == ()


def test_no_journal_holds_no_results(tmp_path: Path) -> None:
    assert read_journal(tmp_path / "none.jsonl") == ()
