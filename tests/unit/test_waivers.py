"""Waivers: a "no" may stand for a while if somebody answers for it; a waiver that is wrong is itself a refusal."""

from datetime import date

import pytest

from gauntlet.core.errors import ProblemFileError
from gauntlet.core.gate_rules import Waiver
from gauntlet.core.problem_file import load_problem
from gauntlet.core.verdict import Status, Verdict, promotes
from gauntlet.core.waivers import waived

pytestmark = pytest.mark.unit

TODAY = date(2026, 11, 24)


def _verdict(status, gate="model::calibrated"):
    return Verdict(gate, status, f"it says {status}", measured=0.2, bound=0.1, rows=100)


def _waiver(until=date(2026, 12, 31), gate="model::calibrated"):
    return Waiver(gate=gate, reason="we decide by rank only", owner="Ada", until=until)


PASSING = _verdict(Status.PASS, gate="model::other")


@pytest.mark.parametrize("status", [Status.FAIL, Status.WARN])
def test_a_waived_verdict_promotes_and_shows_the_waiver(status):
    given = [_verdict(status), PASSING]
    assert promotes(given) is (status is Status.WARN)
    verdicts = waived(given, [_waiver()], today=TODAY)
    assert promotes(verdicts)
    assert [verdict.status for verdict in verdicts] == [status, Status.PASS]
    assert verdicts[0].record().waiver.model_dump() == {
        "gate": "model::calibrated",
        "reason": "we decide by rank only",
        "owner": "Ada",
        "until": "2026-12-31",
    }


def test_a_waiver_holds_on_its_last_day_and_not_after_it():
    assert promotes(waived([_verdict(Status.FAIL)], [_waiver(until=TODAY)], today=TODAY))
    verdicts = waived([_verdict(Status.FAIL)], [_waiver(until=date(2026, 11, 23))], today=TODAY)
    assert not promotes(verdicts)
    assert verdicts[-1].gate == "waiver::model::calibrated"
    assert "expired on 2026-11-23" in verdicts[-1].sentence


@pytest.mark.parametrize(
    ("given", "waiver", "said"),
    [
        (_verdict(Status.PASS), _waiver(), "is not needed"),
        (_verdict(Status.NOTE), _waiver(), "is not needed"),
        (_verdict(Status.CONFIG_ERROR), _waiver(), "cannot stand"),
        (_verdict(Status.FAIL), _waiver(gate="model::imaginary"), "is no gate of this problem"),
    ],
)
def test_a_waiver_that_is_not_needed_or_cannot_stand_is_a_refusal(given, waiver, said):
    verdicts = waived([given, PASSING], [waiver], today=TODAY)
    assert not promotes(verdicts)
    assert verdicts[-1].status is Status.CONFIG_ERROR
    assert said in verdicts[-1].sentence


def test_a_gate_named_twice_is_not_waived_away():
    verdicts = waived([_verdict(Status.FAIL), _verdict(Status.CONFIG_ERROR)], [_waiver()], today=TODAY)
    assert not promotes(verdicts)


def test_waivers_are_data_in_the_problem_file():
    entry = {"gate": "model::calibrated", "reason": "we decide by rank only", "owner": "Ada", "until": date(2027, 1, 1)}
    assert load_problem(overrides={"waivers": [entry]}).waivers[0].until == date(2027, 1, 1)
    for flaw in ({"reason": "no"}, {"owner": ""}, {"until": "soon"}, {"extra": 1}):
        with pytest.raises(ProblemFileError, match=r"waivers\[1\]"):
            load_problem(overrides={"waivers": [entry | flaw]})
    with pytest.raises(ProblemFileError, match="named twice"):
        load_problem(overrides={"waivers": [entry, entry]})
