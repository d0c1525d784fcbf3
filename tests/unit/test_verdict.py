"""Verdicts: only PASS promotes, nothing promotes for want of verdicts, and no gate can undo another's refusal."""

import itertools
import math

import pytest

from gauntlet.core.verdict import Status, Verdict, at_least, combined, evaluated, promotes, refusal_of

pytestmark = pytest.mark.unit

NOT_NUMBERS = [None, math.nan, math.inf, -math.inf]


def _verdict(status=Status.PASS, *, gate="a::gate"):
    return Verdict(gate, status, f"it says {status}", measured=0.8, bound=0.7, rows=100)


def test_no_verdict_promotes_nothing():
    assert not promotes([])
    assert combined([]) is Status.CONFIG_ERROR
    assert "silence promotes nothing" in refusal_of([])


@pytest.mark.parametrize("status", list(Status))
def test_only_pass_promotes(status):
    assert promotes([_verdict(status)]) is (status is Status.PASS)
    assert promotes([_verdict(), _verdict(status)]) is (status is Status.PASS)


def test_one_more_verdict_never_turns_a_refusal_into_a_promotion_and_order_is_nothing():
    for several in itertools.product(Status, repeat=3):
        verdicts = [_verdict(status) for status in several]
        if promotes(verdicts):
            assert all(promotes(verdicts[:count]) for count in (1, 2))
        assert {combined(order) for order in itertools.permutations(verdicts)} == {combined(verdicts)}


@pytest.mark.parametrize("number", NOT_NUMBERS)
def test_a_pass_that_measured_nothing_cannot_be_made(number):
    with pytest.raises(ValueError, match="what was measured"):
        Verdict("a::gate", Status.PASS, "fine", measured=number)


@pytest.mark.parametrize(
    "flaw", [{"bound": math.nan}, {"bound": math.inf}, {"rows": 0}, {"sentence": ""}], ids=lambda flaw: next(iter(flaw))
)
def test_a_pass_with_a_hole_cannot_be_made(flaw):
    whole = {"gate": "a::gate", "status": Status.PASS, "sentence": "fine", "measured": 1.0, "bound": 0.5, "rows": 9}
    assert Verdict(**whole).status is Status.PASS
    with pytest.raises(ValueError, match="a::gate"):
        Verdict(**{**whole, **flaw})


@pytest.mark.parametrize("number", NOT_NUMBERS)
def test_what_is_no_number_reaches_no_bound(number):
    names = ("AUC", "the bound")
    assert at_least("a::gate", number, 0.5, rows=9, names=names).status is Status.CONFIG_ERROR
    assert at_least("a::gate", 0.5, number, rows=9, names=names).status is Status.CONFIG_ERROR


def test_a_bound_is_reached_from_equality_on():
    names = ("AUC of sweep", "AUC of forest")
    assert at_least("a::gate", 0.5, 0.5, rows=9, names=names).status is Status.PASS
    missed = at_least("a::gate", math.nextafter(0.5, 0), 0.5, rows=9, names=names)
    assert missed.status is Status.FAIL
    assert missed.sentence == "AUC of sweep is 0.5000, less than AUC of forest of 0.5000"
    assert at_least("a::gate", 0.5, 0.5, rows=0, names=names).status is Status.CONFIG_ERROR


def test_a_gate_that_breaks_is_a_configuration_error_with_the_reason():
    def broken():
        raise KeyError("probability")

    verdict = evaluated("a::gate", broken)
    assert verdict.status is Status.CONFIG_ERROR
    assert "KeyError: 'probability'" in verdict.sentence


@pytest.mark.parametrize("answer", [None, True, "PASS", Status.PASS, _verdict(gate="another::gate")])
def test_a_gate_that_answers_with_anything_else_is_a_configuration_error(answer):
    assert evaluated("a::gate", lambda: answer).status is Status.CONFIG_ERROR


def test_an_interruption_is_not_a_verdict():
    def interrupted():
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        evaluated("a::gate", interrupted)


def test_a_refusal_names_each_gate_that_says_no_and_no_other():
    said = refusal_of([_verdict(gate="good::gate"), _verdict(Status.FAIL), _verdict(Status.INCONCLUSIVE, gate="b::b")])
    assert said == "it says FAIL (a::gate); it says INCONCLUSIVE (b::b)"
    assert refusal_of([_verdict()]) is None


@pytest.mark.parametrize("number", NOT_NUMBERS)
def test_a_record_can_be_written_whatever_was_measured(number):
    record = Verdict("a::gate", Status.CONFIG_ERROR, "nothing there", measured=number, bound=number).record()
    assert (record.status, record.measured, record.bound) == ("CONFIG_ERROR", None, None)
