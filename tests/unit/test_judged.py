"""A whole judgement: two gates are asked at a time, and what it says does not depend on that."""

import threading
from contextlib import contextmanager

import pytest

from gauntlet.core.problem_file import load_problem
from gauntlet.core.progress import SilentProgress
from gauntlet.core.verdict import Status, Verdict
from gauntlet.gates.catalogue import gates_of, judged
from gauntlet.gates.gate import gate
from gauntlet.stages.problem_marks import suites_of

pytestmark = pytest.mark.unit

SECONDS = 20
# What needs MLflow, the registry, or what another gate may be making.
SHARED = {"artefact", "tables", "incumbent", "spark"}


def _gate(name, *, turn="in turn", act=lambda: None):
    def ask(candidate):
        """Guard nothing."""
        act()
        return Verdict(f"made::{name}", Status.PASS, f"{candidate} is sound", measured=1.0)

    return gate(f"made::{name}", remedy="none", turn=turn)(ask)


class Watched(SilentProgress):
    """Keeps the notes of a task."""

    def __init__(self):
        self.notes = []

    @contextmanager
    def task(self, _description, *, total):
        watched = self

        class Task:
            def advance(self, steps=1, *, note=""):
                watched.notes.append((steps, note))

        yield Task()
        assert sum(steps for steps, _ in self.notes) == total


def _ask(*gates):
    return judged("the candidate", gates, progress=SilentProgress())


def test_verdicts_come_in_the_order_of_the_gates_whatever_their_turn():
    gates = [_gate("a", turn="alone"), _gate("b"), _gate("c", turn="beside"), _gate("d"), _gate("e", turn="beside")]
    assert [verdict.gate for verdict in _ask(*gates)] == [gate.name for gate in gates]
    assert _ask() == ()


def test_a_gate_beside_the_others_is_asked_at_the_same_time():
    both = threading.Barrier(2, timeout=SECONDS)  # each waits until the other is asked, too
    first, second = _ask(_gate("first", act=both.wait), _gate("second", turn="beside", act=both.wait))
    assert first.status is second.status is Status.PASS


def test_gates_in_one_turn_are_asked_one_after_another():
    threads = {turn: set() for turn in ("in turn", "beside")}
    under_way = {turn: threading.Lock() for turn in threads}

    def alone_in(turn):
        def act():
            assert under_way[turn].acquire(blocking=False)
            threads[turn].add(threading.get_ident())
            under_way[turn].release()

        return act

    gates = [_gate(f"{turn} {n}", turn=turn, act=alone_in(turn)) for n in range(20) for turn in threads]
    assert {verdict.status for verdict in _ask(*gates)} == {Status.PASS}
    (first,), (second,) = threads.values()  # each turn has one thread
    assert first != second


def test_a_gate_that_is_asked_alone_finds_all_others_done():
    done = []
    gates = [
        _gate("alone", turn="alone", act=lambda: done.append(tuple(done))),
        _gate("in turn", act=lambda: done.append("in turn")),
        _gate("beside", turn="beside", act=lambda: done.append("beside")),
    ]
    _ask(*gates)
    assert set(done[-1]) == {"in turn", "beside"}


@pytest.mark.parametrize("turn", ["in turn", "beside", "alone"])
def test_a_gate_that_breaks_is_a_configuration_error_and_stops_no_other(turn):
    def broken():
        raise ValueError("no")

    sound = [_gate(name, turn=name) for name in ("in turn", "beside", "alone")]
    verdicts = _ask(_gate("broken", turn=turn, act=broken), *sound)
    assert [verdict.status for verdict in verdicts] == [Status.CONFIG_ERROR, *[Status.PASS] * 3]


@pytest.mark.parametrize("turn", ["in turn", "beside", "alone"])
def test_an_interrupt_is_not_taken_for_a_verdict(turn):
    def interrupt():
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        _ask(_gate("interrupted", turn=turn, act=interrupt), _gate("another"))


def test_every_gate_advances_the_bar_by_one_with_its_name():
    progress, gates = Watched(), [_gate(turn, turn=turn) for turn in ("in turn", "beside", "alone")]
    judged("the candidate", gates, progress=progress)
    assert sorted(note for _, note in progress.notes) == sorted(gate.name for gate in gates)


def test_no_gate_beside_the_others_needs_what_they_use_and_those_that_watch_the_process_are_alone():
    problem = load_problem()
    gates = gates_of(problem, suites_of(problem, problem_folder=None))
    assert not [gate.name for gate in gates if gate.turn == "beside" and gate.needs & SHARED]
    assert {gate.name for gate in gates if gate.turn == "alone"} == {
        "artefact::latency_within_budget",
        "reproducibility::no_global_randomness_at_run_time",
    }
