"""The ledger's file: whole however a process ends, and never taken for an empty one when it is not whole."""

import itertools
import multiprocessing
import os
import signal
import sqlite3
from contextlib import closing
from dataclasses import replace

import pytest

from gauntlet.adapters.promotion_ledger import PromotionLedger
from gauntlet.adapters.signing_keys import PROMOTER, SigningKeys
from gauntlet.core.errors import RequirementError
from gauntlet.core.promotions import faults_of
from tests.promotion_attempts import ATTEMPT, WINE, claim, promoted

pytestmark = pytest.mark.unit


@pytest.fixture
def ledger(tmp_path):
    return PromotionLedger(tmp_path / "promotions.db")


def in_new_process(function, *arguments):
    process = multiprocessing.get_context("spawn").Process(target=function, args=arguments)
    process.start()
    process.join()
    return process.exitcode


def by_hand(ledger, statement):
    with closing(sqlite3.connect(ledger.path)) as connection, connection:
        connection.execute(statement)


def uses(ledger, *, expected=0):
    """Every way to begin using a ledger."""
    previous = expected or None
    claimed = {"expected": expected, "version": 9, "previous_version": previous}
    return (lambda: ledger.entries(WINE), lambda: ledger.claim(WINE, **ATTEMPT | claimed))


# Processes that are killed


def killed_at_every_statement(folder):
    """Kill a process before its first, second … statement, each with a ledger of its own."""
    for place in itertools.count():
        child = os.fork()
        if child == 0:
            die_at(place)
            promote_and_withdraw(folder / f"{place}.db")
            os._exit(0)
        if not os.WIFSIGNALED(os.waitpid(child, 0)[1]):
            return


def die_at(place):
    connect, left = sqlite3.connect, itertools.count(place, -1)

    def traced(*arguments, **options):
        connection = connect(*arguments, **options)
        # Without room to keep them, changed pages go into the file long before they count.
        connection.executescript("PRAGMA cache_size = 1; PRAGMA cache_spill = 1;")
        connection.set_trace_callback(lambda _: next(left) or os.kill(os.getpid(), signal.SIGKILL))
        return connection

    sqlite3.connect = traced


def promote_and_withdraw(path):
    ledger = PromotionLedger(path)
    path.with_suffix(".log").touch()
    for step in (
        lambda: claim(ledger, 1),
        lambda: ledger.settle(ledger.entries(WINE)[-1]),
        lambda: claim(ledger, 2),
        lambda: ledger.withdraw(ledger.entries(WINE)[-1], reason="no luck"),
    ):
        step()
        with path.with_suffix(".log").open("a", encoding="utf-8") as log:
            log.write("done\n")


def test_killed_before_any_statement_the_ledger_has_all_that_was_said_done(tmp_path):
    assert in_new_process(killed_at_every_statement, tmp_path) == 0
    states = [(), ("claimed",), ("done",), ("done", "claimed"), ("done", "withdrawn")]
    seen, undone = set(), 0
    logs = sorted(tmp_path.glob("*.log"))
    assert len(logs) > 30
    for log in logs:
        ledger = PromotionLedger(log.with_suffix(".db"))
        journal = ledger.path.with_name(f"{ledger.path.name}-journal")
        undone += journal.exists() and journal.stat().st_size > 0
        entries = ledger.entries(WINE)
        state = states.index(tuple(entry.status for entry in entries))
        assert state == len(log.read_text(encoding="utf-8").splitlines()), f"killed before statement {log.stem}"
        seen.add(state)
        if entries and entries[-1].status == "claimed":
            ledger.abandon(entries[-1], reason="its process was killed")
        promoted(ledger, 3)
        assert faults_of(ledger.entries(WINE)) == ()
    assert seen == set(range(5))
    assert undone > 0, "no process was killed with half of its changes in the file"


def killed_at_any_moment(path, rounds):
    """Kill a process that promotes on and on, again and again, and make sure that all it said was done is there."""
    ledger = PromotionLedger(path)
    for round_ in range(rounds):
        reader, writer = os.pipe()
        child = os.fork()
        if child == 0:
            for version in itertools.count(1 + 1_000_000 * round_):
                promoted(ledger, version)
                os.write(writer, b".")
        os.close(writer)
        said = sum(len(os.read(reader, 1)) for _ in range(1 + round_ % 3))
        os.kill(child, signal.SIGKILL)
        while more := os.read(reader, 1000):
            said += len(more)
        os.waitpid(child, 0)
        os.close(reader)
        entries = ledger.entries(WINE)
        assert faults_of(entries) == ()
        done = [entry for entry in entries if entry.status == "done" and f"process {child} " in entry.claimant]
        assert len(done) - said in (0, 1)
        if entries[-1].status == "claimed":
            ledger.abandon(entries[-1], reason="its process was killed")


def test_killed_at_any_moment_nothing_that_was_said_done_is_lost(ledger):
    assert in_new_process(killed_at_any_moment, ledger.path, 25) == 0
    assert len(ledger.entries(WINE)) >= 25


# Ledgers that were changed or cannot be read


def test_a_file_of_the_schema_before_is_read_as_it_is_and_gets_signatures_when_it_is_written(ledger):
    promoted(ledger, 1, 2)
    before = ledger.entries(WINE)
    by_hand(ledger, "ALTER TABLE promotions DROP COLUMN signature")
    by_hand(ledger, "PRAGMA user_version = 1")
    content = ledger.path.read_bytes()
    assert ledger.entries(WINE) == before
    assert ledger.path.read_bytes() == content
    signing = replace(ledger, keys=SigningKeys(ledger.path.parent / "keys", PROMOTER))
    promoted(signing, 3)
    assert ledger.entries(WINE)[:2] == before
    assert [bool(entry.signature) for entry in ledger.entries(WINE)] == [False, False, True]


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE promotions SET version = 9 WHERE sequence = 1",
        "UPDATE promotions SET rows = 1 WHERE sequence = 2",
        "UPDATE promotions SET status = 'withdrawn', reason = 'by hand' WHERE sequence = 3",
        "UPDATE promotions SET split_table = NULL WHERE sequence = 2",
        "DELETE FROM promotions WHERE sequence = 1",
        "DELETE FROM promotions WHERE sequence = 3",
    ],
)
def test_an_earlier_entry_that_was_changed_by_hand_is_a_fault(ledger, statement):
    promoted(ledger, 1, 2, 3, 4)
    assert faults_of(ledger.entries(WINE)) == ()
    by_hand(ledger, statement)
    assert faults_of(ledger.entries(WINE)) != ()


@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM promotions WHERE sequence = 2",
        "DELETE FROM promotions",
        "DELETE FROM heads",
        "UPDATE promotions SET status = 'claimed', settled = NULL WHERE sequence = 2",
        "UPDATE promotions SET model = 'tea'",
        "UPDATE promotions SET kind = 'demote' WHERE sequence = 2",
        "UPDATE promotions SET split_table = '{' WHERE sequence = 2",
        "UPDATE promotions SET claimant = 'nobody' WHERE sequence = 2",
        "DROP TABLE promotions",
        "PRAGMA user_version = 3",
    ],
)
def test_a_ledger_with_another_end_is_neither_read_nor_written(ledger, statement):
    promoted(ledger, 1, 2)
    by_hand(ledger, statement)
    for use in uses(ledger, expected=2):
        with pytest.raises(RequirementError, match=r"promotions\.db"):
            use()


def garbage(path):
    path.write_bytes(b"no database" * 100)


def empty(path):
    path.touch()


def folder(path):
    path.mkdir()


def dangling(path):
    path.symlink_to(path.with_name("not mounted"))


def of_another_kind(path):
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("CREATE TABLE experiments (id INTEGER)")


def cut(path):
    promoted(PromotionLedger(path), 1)
    os.truncate(path, path.stat().st_size // 2)


@pytest.mark.parametrize("spoil", [garbage, empty, folder, dangling, of_another_kind, cut])
def test_what_is_no_ledger_is_never_taken_for_an_empty_one(tmp_path, spoil):
    ledger = PromotionLedger(tmp_path / "promotions.db")
    spoil(ledger.path)
    before = set(tmp_path.iterdir())
    for use in uses(ledger):
        with pytest.raises(RequirementError, match=r"promotions\.db"):
            use()
    assert set(tmp_path.iterdir()) == before


def test_a_folder_that_cannot_be_made_is_named(tmp_path):
    (tmp_path / "file").touch()
    ledger = PromotionLedger(tmp_path / "file" / "promotions.db")
    for use in uses(ledger):
        with pytest.raises(RequirementError, match=r"promotions\.db: the promotion ledger cannot be used"):
            use()


def test_no_changed_byte_makes_another_history(ledger):
    promoted(ledger, 1, 2)
    whole, before = ledger.path.read_bytes(), ledger.entries(WINE)
    found = 0
    for place in range(0, len(whole), 61):
        ledger.path.write_bytes(whole[:place] + bytes([whole[place] ^ 0x55]) + whole[place + 1 :])
        try:
            entries = ledger.entries(WINE)
        except RequirementError:
            found += 1
            continue
        assert entries == before or faults_of(entries), f"byte {place}"
    assert found > 10
