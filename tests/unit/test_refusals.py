"""A refused run says its gravest reasons, each with what answers it."""

from __future__ import annotations

import re

import pytest

from gauntlet.cli import cli
from gauntlet.commands.road import _say_refusal
from gauntlet.core import refusals
from gauntlet.core import results as r
from gauntlet.core.problem import Problem
from gauntlet.core.problem_file import load_problem
from gauntlet.core.refusals import answer_of, headline, reasons
from gauntlet.core.summary import summary
from gauntlet.gates.catalogue import STANDING_GATES
from gauntlet.terminal import Terminal
from tests.unit.report_results import suite

pytestmark = pytest.mark.unit

WAIVER = r.WaiverRecord(gate="g::waived", reason="agreed upon", owner="us", until="2999-01-01")


def verdict(gate: str, status: str, **more: object) -> r.VerdictRecord:
    return r.VerdictRecord(gate=gate, status=status, sentence=f"{gate} is wrong", **more)


@pytest.fixture
def judged() -> r.JudgeResult:
    return r.JudgeResult.model_construct(
        refusal="all of it",
        not_checked=(),
        verdicts=(
            verdict("g::fine", "PASS"),
            verdict("split::no_target_leakage", "FAIL"),
            verdict("g::waived", "FAIL", waiver=WAIVER),
            verdict("g::warned", "WARN"),
            verdict("data/raw::x::between", "FAIL"),
            verdict("g::broken", "CONFIG_ERROR"),
            verdict("model::auc_at_least_minimum", "FAIL"),
        ),
    )


def test_the_gravest_come_first_and_what_does_not_block_is_left_out(judged: r.JudgeResult) -> None:
    found = reasons({"ingest": None, "judge": judged})
    assert [reason.source for reason in found] == [
        "g::broken",
        "split::no_target_leakage",
        "data/raw::x::between",
        "model::auc_at_least_minimum",
    ]
    assert headline(found) == "g::broken is wrong (g::broken); and 3 more"


def test_expectations_and_other_stages_have_reasons_too() -> None:
    checks = r.ExpectationsResult(suites=(suite(failed=2),), refusal="2 of 5 expectations failed")
    assert [reason.source for reason in reasons({"expectations": checks})] == [
        "data/raw::c0::rule",
        "data/raw::c1::rule",
    ]
    (only,) = reasons({"score": r.StageResult(refusal="nothing was published"), "report": None})
    assert (only.told, only.answer) == ("nothing was published", "gauntlet run --from score")
    assert reasons({"ingest": r.StageResult()}) == ()


def test_the_document_keeps_all_reasons() -> None:
    problem = load_problem()
    checks = r.ExpectationsResult(suites=(suite(failed=5),), refusal="5 of 8 expectations failed")
    document = summary(problem, {"expectations": checks})
    assert len(document["reasons"]) == 5
    assert set(document["reasons"][0]) == {"source", "sentence", "answer"}
    assert summary(problem, {})["reasons"] == []


def test_the_terminal_shows_three_and_counts_the_others(capsys: pytest.CaptureFixture[str]) -> None:
    found = [{"source": f"g::{n}", "sentence": f"s{n}", "answer": f"a{n}"} for n in range(5)]
    _say_refusal(found, Terminal())
    assert capsys.readouterr().out.splitlines() == [
        "Refused, nothing was promoted:",
        *(line for n in range(3) for line in (f"  {n + 1}. s{n} (g::{n})", f"     answer: a{n}")),
        "  and 2 more, in the report and with --json",
    ]


def test_every_answer_is_of_a_gate_there_is_and_names_a_key_or_a_command_there_is() -> None:
    gates = {gate.name for gate in STANDING_GATES}
    assert set(refusals._ANSWERS) <= gates
    for gate in [*gates, "data/raw::x::between"]:
        answer = answer_of(gate)
        if command := re.match(r"gauntlet (\w+)", answer):
            assert command.group(1) in cli.commands
            continue
        key = re.match(r"\W*([\w.]+)", answer)
        assert key
        assert _is_key(key.group(1)), answer


def _is_key(key: str) -> bool:
    """Return whether a problem file may have a key; that of a column counts without its table."""
    place = Problem.model_json_schema()
    column = place["$defs"]["Column"]["properties"]
    if key in column:
        return True
    for part in key.split("."):
        ref = place.get("$ref") or next((o["$ref"] for o in place.get("anyOf", []) if "$ref" in o), None)
        place = Problem.model_json_schema()["$defs"][ref.rsplit("/", 1)[-1]] if ref else place
        if part not in place.get("properties", {}):
            return False
        place = place["properties"][part]
    return True
