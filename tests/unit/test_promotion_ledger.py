"""The promotion ledger: one winner a number, no gap, and no claim taken from the living."""

import os
import tempfile
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gauntlet.adapters import claimants, promotion_ledger
from gauntlet.adapters.claimants import Claimant
from gauntlet.adapters.promotion_ledger import PromotionLedger
from gauntlet.core.errors import RefusedError
from gauntlet.core.promotions import champion_of, faults_of
from tests.benchmarks.promotion_races import MODEL, claim_and_settle, ledger_path, raced
from tests.promotion_attempts import ATTEMPT, TABLE, WINE, claim, promoted

pytestmark = pytest.mark.unit


@pytest.fixture
def ledger(tmp_path):
    return PromotionLedger(tmp_path / "folder" / "promotions.db")


@contextmanager
def acting_as(host):
    """Act as a process of another host, which this one cannot look at."""
    with pytest.MonkeyPatch.context() as patch:
        for module in (claimants, promotion_ledger):
            patch.setattr(module, "this_process", lambda: Claimant(host, 7, "1", datetime.now(UTC).isoformat()))
        yield


# What a promotion leaves


def test_before_the_first_claim_there_is_nothing_not_even_a_folder(ledger):
    assert ledger.entries(WINE) == ()
    assert not ledger.path.parent.exists()


def test_an_entry_is_claimed_and_done(ledger):
    claimed = claim(ledger, 4)
    assert (claimed.sequence, claimed.status, claimed.settled, claimed.split_table) == (1, "claimed", None, TABLE)
    assert ledger.entries(WINE) == (claimed,)
    done = ledger.settle(claimed)
    assert ledger.entries(WINE) == (done,)
    assert done == claimed.model_copy(update={"status": "done", "settled": done.settled})
    assert done.settled is not None


def test_a_withdrawn_entry_keeps_its_number_and_the_champion_stays(ledger):
    promoted(ledger, 1)
    withdrawn = ledger.withdraw(claim(ledger, 2), reason="it did not come back")
    promoted(ledger, 3)
    ledger.settle(claim(ledger, 1, kind="rollback"))
    entries = ledger.entries(WINE)
    assert [(e.sequence, e.version, e.previous_version, e.status) for e in entries] == [
        (1, 1, None, "done"),
        (2, 2, 1, "withdrawn"),
        (3, 3, 1, "done"),
        (4, 1, 3, "done"),
    ]
    assert entries[1] == withdrawn
    assert withdrawn.reason == "it did not come back"
    assert faults_of(entries) == ()


def test_models_have_numbers_and_claims_of_their_own(ledger):
    claim(ledger, 1)
    assert claim(ledger, 9, model="local.tests.tea").sequence == 1
    assert len(ledger.entries(WINE)) == 1


def test_only_the_database_is_left_in_the_folder(ledger):
    promoted(ledger, 1, 2)
    left = {path.name: path.stat().st_size for path in ledger.path.parent.iterdir()}
    assert left.pop("promotions.db-journal", 0) == 0
    assert list(left) == ["promotions.db"]


# One winner


def test_two_processes_race_and_each_number_has_one_winner(tmp_path):
    outcome = raced(claim_and_settle, folder=tmp_path, races=300)
    assert (outcome.doubles, outcome.unwon) == (0, 0)
    entries = PromotionLedger(ledger_path(tmp_path)).entries(MODEL)
    assert [(entry.sequence, entry.status) for entry in entries] == [(n, "done") for n in range(1, 301)]
    assert faults_of(entries) == ()


def first_claim(folder):
    """Race for the first number of a ledger that is not there yet."""

    def race(number):
        try:
            claim(PromotionLedger(folder / f"{number}.db"), 1)
        except RefusedError:
            return False
        return True

    return race


def test_two_processes_that_make_the_ledger_at_once_use_the_same(tmp_path):
    outcome = raced(first_claim, folder=tmp_path, races=40)
    assert (outcome.doubles, outcome.unwon) == (0, 0)


def both_win(_):
    return bool


def none_wins(_):
    return lambda _: False


@pytest.mark.parametrize(("contender", "doubles", "unwon"), [(both_win, 5, 0), (none_wins, 0, 5)])
def test_the_race_finds_two_winners_and_none(tmp_path, contender, doubles, unwon):
    outcome = raced(contender, folder=tmp_path, races=5)
    assert (outcome.doubles, outcome.unwon) == (doubles, unwon)


def breaks(_):
    return lambda number: number < 2 or 1 / 0


def test_a_race_that_breaks_off_has_no_outcome(tmp_path, capfd):
    with pytest.raises(RuntimeError, match="broke off"):
        raced(breaks, folder=tmp_path, races=5)
    assert "ZeroDivisionError" in capfd.readouterr().err


@pytest.mark.parametrize("ended", [True, False])
def test_the_loser_is_told_who_was_faster_and_nothing_was_changed(ledger, ended):
    promoted(ledger, 1)
    with acting_as("worker-3/ab12"):
        entry = claim(ledger, 2)
        if ended:
            ledger.settle(entry)
    before = ledger.entries(WINE)
    faster = r"sequence 2 was claimed by process 7 on worker-3 \(since .*\) meanwhile; nothing was changed: run again"
    with pytest.raises(RefusedError, match=faster):
        claim(ledger, 3, expected=1, previous_version=1, key="other")
    assert ledger.entries(WINE) == before


def test_a_second_try_that_has_seen_too_little_does_not_get_its_claim(ledger):
    promoted(ledger, 1)
    entry = claim(ledger, 2)
    for expected in (0, 3):
        with pytest.raises(RefusedError, match="nothing was changed"):
            claim(ledger, 2, expected=expected)
    assert ledger.entries(WINE)[1:] == (entry,)


def test_a_number_that_was_never_seen_cannot_be_claimed(ledger):
    promoted(ledger, 1)
    with pytest.raises(RefusedError, match=r"the last sequence of local.tests.wine is 1 now, not 2"):
        claim(ledger, 2, expected=2)
    assert len(ledger.entries(WINE)) == 1


@pytest.mark.parametrize(
    ("version", "changes", "sentence"),
    [
        (3, {"previous_version": None}, "is to replace no version, but the champion before it is version 2"),
        (3, {"previous_version": 1}, "is to replace version 1, but the champion before it is version 2"),
        (3, {"kind": "rollback"}, "rolls back to version 3, which is no former champion"),
        (2, {"kind": "rollback"}, "rolls back to version 2, which is no former champion"),
    ],
)
def test_what_does_not_fit_the_champion_is_refused(ledger, version, changes, sentence):
    promoted(ledger, 1, 2)
    with pytest.raises(RefusedError, match=f"{sentence}; nothing was changed"):
        claim(ledger, version, **changes)
    assert len(ledger.entries(WINE)) == 2


@pytest.mark.parametrize("changes", [{"rows": 0}, {"evidence": "none"}, {"key": ""}, {"version": 0}])
def test_an_empty_value_is_refused_before_anything_is_written(ledger, changes):
    with pytest.raises(ValueError, match=next(iter(changes))):
        ledger.claim(WINE, **ATTEMPT | {"expected": 0, "previous_version": None, "version": 1} | changes)
    assert not ledger.path.exists()


# Open claims


def test_an_open_claim_of_a_living_process_stops_every_other(ledger):
    with acting_as("worker-3"):
        entry = claim(ledger, 2)
    for attempt in (
        lambda: claim(ledger, 3, key="other"),
        lambda: claim(ledger, 2),
        lambda: ledger.take_over(entry),
        lambda: ledger.abandon(entry, reason="why not"),
    ):
        with pytest.raises(RefusedError, match=r"sequence 1 is still claimed by process 7 on worker-3 .* wait for it"):
            attempt()
    for attempt in (lambda: ledger.settle(entry), lambda: ledger.withdraw(entry, reason="why not")):
        with pytest.raises(RefusedError, match=r"claimed by process 7 on worker-3 .* not by this process"):
            attempt()
    assert ledger.entries(WINE) == (entry,)


@pytest.mark.parametrize("expected", [0, 1])
def test_a_second_try_gets_its_own_claim_again_and_the_first_handle_is_void(ledger, expected):
    with acting_as("worker-3"):
        first = claim(ledger, 2)
    patient = PromotionLedger(ledger.path, stale_seconds=-1)
    again = claim(patient, 2, expected=expected)
    assert again == first.model_copy(update={"claimant": again.claimant})
    assert f"process {os.getpid()} " in again.claimant
    with acting_as("worker-3"), pytest.raises(RefusedError, match=r"no open claim of process 7 .* any more"):
        ledger.settle(first)
    assert ledger.settle(again).status == "done"


def test_in_one_process_too_only_the_newest_handle_counts(ledger):
    first, again = claim(ledger, 2), claim(ledger, 2)
    with pytest.raises(RefusedError, match="no open claim"):
        ledger.settle(first)
    assert ledger.settle(again).sequence == 1


def test_a_second_try_with_other_evidence_does_not_get_the_claim(ledger):
    entry = claim(ledger, 2)
    with pytest.raises(RefusedError, match="with other evidence than this try has for version 2"):
        claim(ledger, 2, evidence="0" * 64)
    assert ledger.entries(WINE) == (entry,)


def test_a_claim_of_a_process_that_is_gone_must_be_withdrawn_first(ledger):
    promoted(ledger, 1)
    with acting_as("worker-3"):
        entry = claim(ledger, 2)
    later = PromotionLedger(ledger.path, stale_seconds=-1)
    with pytest.raises(RefusedError, match="never ended; nothing was changed: put the alias back"):
        claim(later, 3, key="other")
    held = later.take_over(entry)
    with acting_as("worker-4"), pytest.raises(RefusedError, match="no open claim of process 7 on worker-3"):
        later.take_over(entry)
    later.withdraw(held, reason="its process is gone")
    assert claim(later, 3, key="other").sequence == 3
    assert champion_of(later.entries(WINE)).version == 1


def test_a_claim_is_abandoned_once(ledger):
    with acting_as("worker-3"):
        entry = claim(ledger, 2)
    later = PromotionLedger(ledger.path, stale_seconds=-1)
    assert later.abandon(entry, reason="its process is gone").reason == "its process is gone"
    with pytest.raises(RefusedError, match=r"the last is sequence 1, withdrawn by process"):
        later.abandon(entry, reason="its process is gone")


@pytest.mark.parametrize("end", [PromotionLedger.settle, lambda ledger, e: ledger.withdraw(e, reason="twice")])
def test_what_has_ended_cannot_end_again(ledger, end):
    entry = claim(ledger, 1)
    done = ledger.settle(entry)
    with pytest.raises(RefusedError, match="the last is sequence 1, done by process"):
        end(ledger, entry)
    assert ledger.entries(WINE) == (done,)


def test_a_claim_is_not_withdrawn_without_a_reason(ledger):
    entry = claim(ledger, 1)
    with pytest.raises(ValueError, match="without a reason"):
        ledger.withdraw(entry, reason="")
    assert ledger.entries(WINE) == (entry,)


# Any order of events

_event = st.tuples(
    st.sampled_from(["claim", "late claim", "rollback", "settle", "withdraw", "take over", "abandon"]),
    st.sampled_from(["here", "there"]),
    st.integers(1, 4),
)


@settings(max_examples=40, deadline=None, derandomize=True)
@given(st.lists(_event, max_size=25))
def test_whatever_happens_the_history_is_whole_and_the_champion_its_last_done_entry(events):
    with tempfile.TemporaryDirectory() as folder_:
        ledger = PromotionLedger(Path(folder_) / "promotions.db", stale_seconds=-1)
        history: list[tuple[int, str]] = []
        for kind, host, version in events:
            with acting_as(host):
                happened = _happened(ledger, kind, version)
            if happened is not None and happened[1] == "claimed":
                history += [happened] if not history or history[-1][1] != "claimed" else []
            elif happened is not None:
                history[-1] = happened
            entries = ledger.entries(WINE)
            assert faults_of(entries) == ()
            assert [(entry.version, entry.status) for entry in entries] == history
            champion = champion_of(entries)
            assert [version for version, status in history if status == "done"][-1:] == (
                [champion.version] if champion else []
            )


def _happened(ledger, kind, version):
    """Let something happen, and return the version and status that it leaves; None if it was refused."""
    entries = ledger.entries(WINE)
    try:
        if kind in {"claim", "late claim", "rollback"}:
            late = {"expected": max(0, len(entries) - 2)} if kind == "late claim" else {}
            back = {"kind": "rollback"} if kind == "rollback" else {}
            entry = claim(ledger, version, key=f"{kind} {version}", **late, **back)
        elif not entries:
            return None
        elif kind in {"settle", "take over"}:
            entry = (ledger.settle if kind == "settle" else ledger.take_over)(entries[-1])
        else:
            entry = (ledger.withdraw if kind == "withdraw" else ledger.abandon)(entries[-1], reason="why not")
    except RefusedError:
        return None
    return entry.version, entry.status
