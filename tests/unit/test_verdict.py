"""Verdicts: FAIL and CONFIG_ERROR stop a promotion, silence promotes nothing, no gate undoes a refusal."""

import math
from dataclasses import replace
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gauntlet.core.errors import DataError
from gauntlet.core.gate_rules import Waiver
from gauntlet.core.verdict import (
    WAIVABLE,
    Status,
    Verdict,
    at_least,
    broke,
    combined,
    estimate_status,
    evaluated,
    promotes,
    refusal_of,
)

pytestmark = pytest.mark.unit

NOT_NUMBERS = [None, math.nan, math.inf, -math.inf]


def _verdict(status=Status.PASS, *, gate="a::gate"):
    return Verdict(gate, status, f"it says {status}", measured=0.8, bound=0.7, rows=100)


def test_no_verdict_promotes_nothing():
    assert not promotes([])
    assert combined([]) is Status.CONFIG_ERROR
    assert "silence promotes nothing" in refusal_of([])


@pytest.mark.parametrize("status", list(Status))
def test_a_fail_and_a_configuration_error_stop_a_promotion_and_nothing_else(status):
    stops = status in (Status.FAIL, Status.CONFIG_ERROR)
    assert promotes([_verdict(status)]) is not stops
    assert promotes([_verdict(), _verdict(status)]) is not stops
    assert _verdict(status).blocks is _verdict(status).record().blocks is stops


@pytest.mark.parametrize(
    ("beyond", "excluded", "status"),
    [
        (False, False, Status.PASS),
        (False, True, Status.PASS),
        (True, False, Status.WARN),
        (True, True, Status.FAIL),
    ],
)
def test_an_estimate_fails_only_where_its_point_and_its_interval_say_so(beyond, excluded, status):
    assert estimate_status(beyond=beyond, excluded=excluded) is status


def test_an_old_inconclusive_still_blocks():
    record = _verdict(Status.FAIL).record().model_copy(update={"status": "INCONCLUSIVE"})
    assert record.blocks


WAIVER = Waiver(gate="a::gate", reason="agreed on Monday", owner="Ada", until=date(2999, 12, 31))


def _any_verdict():
    bare = st.sampled_from(list(Status)).map(_verdict)
    waived_ones = st.sampled_from(sorted(WAIVABLE)).map(lambda status: replace(_verdict(status), waiver=WAIVER))
    return st.one_of(bare, waived_ones)


VERDICTS = st.lists(_any_verdict(), min_size=1, max_size=8)


@given(VERDICTS, _any_verdict())
def test_one_more_verdict_never_turns_a_refusal_into_a_promotion(verdicts, one_more):
    assert promotes(verdicts) or not promotes([*verdicts, one_more])


@given(VERDICTS, st.randoms(use_true_random=False))
def test_the_order_of_verdicts_is_nothing(verdicts, shuffler):
    shuffled = list(verdicts)
    shuffler.shuffle(shuffled)
    assert combined(shuffled) is combined(verdicts)
    assert promotes(shuffled) is promotes(verdicts)


@given(VERDICTS, VERDICTS)
def test_verdicts_combine_in_parts_as_in_whole(first, second):
    parts = [_verdict(combined(first)), _verdict(combined(second))]
    assert combined([*first, *second]) is combined(parts)
    assert combined([*first, *first]) is combined(first)


@given(VERDICTS)
def test_a_refusal_is_explained_exactly_when_there_is_one(verdicts):
    assert (refusal_of(verdicts) is None) is promotes(verdicts)


@pytest.mark.parametrize("status", [Status.PASS, Status.CONFIG_ERROR])
def test_nobody_can_answer_for_what_passes_or_is_broken(status):
    with pytest.raises(ValueError, match="cannot be waived"):
        replace(_verdict(status), waiver=WAIVER)


@pytest.mark.parametrize("number", NOT_NUMBERS)
def test_a_pass_that_measured_nothing_cannot_be_made(number):
    with pytest.raises(ValueError, match="what was measured"):
        Verdict("a::gate", Status.PASS, "fine", measured=number)


@pytest.mark.parametrize(
    "flaw",
    [{"bound": math.nan}, {"bound": math.inf}, {"rows": 0}, {"sentence": ""}, {"interval": (0.1, math.nan)}],
    ids=lambda flaw: next(iter(flaw)),
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
    assert broke(verdict)


def test_what_cannot_be_judged_is_a_configuration_error_in_its_own_words():
    def unjudgeable():
        raise DataError("scores: there are no rows to judge on")

    verdict = evaluated("a::gate", unjudgeable)
    assert (verdict.status, verdict.sentence) == (Status.CONFIG_ERROR, "scores: there are no rows to judge on")
    assert not broke(verdict)


@pytest.mark.parametrize("answer", [None, True, "PASS", Status.PASS, _verdict(gate="another::gate")])
def test_a_gate_that_answers_with_anything_else_is_a_configuration_error(answer):
    assert evaluated("a::gate", lambda: answer).status is Status.CONFIG_ERROR


def test_an_interruption_is_not_a_verdict():
    def interrupted():
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        evaluated("a::gate", interrupted)


def test_a_refusal_names_each_gate_that_says_no_and_no_other():
    broken, warning = _verdict(Status.CONFIG_ERROR, gate="b::b"), _verdict(Status.WARN, gate="c::c")
    said = refusal_of([_verdict(gate="good::gate"), _verdict(Status.FAIL), broken, warning])
    assert said == "it says FAIL (a::gate); it says CONFIG_ERROR (b::b)"
    assert refusal_of([_verdict()]) is None


@pytest.mark.parametrize("number", NOT_NUMBERS)
def test_a_record_can_be_written_whatever_was_measured(number):
    record = Verdict("a::gate", Status.CONFIG_ERROR, "nothing there", measured=number, bound=number).record()
    assert (record.status, record.measured, record.bound) == ("CONFIG_ERROR", None, None)
