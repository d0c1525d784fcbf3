"""The levels of verdicts, wherever they are shown or kept: commands, notebook, pytest, JUnit and SARIF."""

import json
from types import SimpleNamespace
from xml.etree import ElementTree

import pytest
import sarif_pydantic

from gauntlet import cli
from gauntlet.commands import judging, notebook_road
from gauntlet.commands.road import _conclude
from gauntlet.core import results as r
from gauntlet.core.errors import ExitCode
from gauntlet.core.problem_file import load_problem
from gauntlet.core.progress import SilentProgress
from gauntlet.core.state import State
from gauntlet.core.summary import gate_counts, sentence, summary, warnings_and_notes
from gauntlet.core.verdict import Status, Verdict, refusal_of
from gauntlet.gates.catalogue import judged
from gauntlet.gates.gate import gate
from gauntlet.gates.sabotage import SabotageOutcome
from gauntlet.judgement import Judgement
from gauntlet.pipeline import Outcome, StageReport
from gauntlet.terminal import Terminal
from gauntlet.testing import gate_items
from tests.unit import report_results as made

pytest_plugins = ["pytester"]
pytestmark = pytest.mark.unit

ROWS_NEEDED = 1300
# A verdict as it was written before NOTE and WARN existed: without the key rows_needed.
OLD = {"gate": "model::noise", "status": "INCONCLUSIVE", "sentence": "the rows cannot tell", "measured": 0.1}


def _gate(status, *, advisory=""):
    name = f"made::{status.lower()}"

    @gate(name, remedy=f"mend {name}", advisory=advisory)
    def judge(_candidate):
        """Guard nothing."""
        needed = ROWS_NEEDED if status is Status.NOTE else None
        return Verdict(name, status, f"it says [{status}]", measured=1.0, rows_needed=needed)

    return judge


GATES = tuple(map(_gate, Status))
WARN_ONLY = _gate(Status.WARN, advisory="a gap between training and test rows")


def _candidate(**overrides):
    return SimpleNamespace(problem=load_problem(overrides=overrides))


def _records(*statuses):
    return tuple(_gate(status)(_candidate()).record() for status in statuses)


def _judged(state, *verdicts):
    """Return the results of a promoted run with other verdicts."""
    run = made.whole_run(state)
    return run | {"judge": run["judge"].model_copy(update={"verdicts": verdicts})}


@pytest.fixture
def state(tmp_path):
    return State(tmp_path / "state")


def test_the_gravest_verdicts_come_first_and_waived_ones_after_those_that_block():
    waiver = r.WaiverRecord(gate="made::fail", reason="agreed", owner="Ada", until="2999-12-31")
    waived = _records(Status.FAIL)[0].model_copy(update={"waiver": waiver})
    ordered = r.gravest_first([*_records(*Status), waived, r.VerdictRecord(**OLD)])
    assert [(verdict.status, verdict.blocks) for verdict in ordered] == [
        ("CONFIG_ERROR", True),
        ("FAIL", True),
        ("INCONCLUSIVE", True),
        ("FAIL", False),
        ("WARN", False),
        ("NOTE", False),
        ("PASS", False),
    ]
    assert gate_counts(ordered) == "1 of 7 gates pass, 1 WARN, 1 NOTE, 1 waived"
    assert gate_counts(_records(Status.PASS)) == "1 of 1 gates pass"


def test_the_json_of_a_run_lists_warnings_and_notes(state):
    problem = load_problem()
    found = summary(problem, _judged(state, *_records(Status.PASS, Status.NOTE, Status.WARN)))
    assert [verdict["status"] for verdict in found["verdicts"]] == ["PASS", "NOTE", "WARN"]
    assert found["warnings"] == [{"gate": "made::warn", "sentence": "it says [WARN]"}]
    assert found["notes"] == [{"gate": "made::note", "sentence": "it says [NOTE]", "rows_needed": ROWS_NEEDED}]
    assert found["refusal"] is None
    unjudged = summary(problem, {})
    assert (unjudged["warnings"], unjudged["notes"]) == (None, None)
    old = summary(problem, _judged(state, r.VerdictRecord(**OLD)))
    assert (old["verdicts"][0]["status"], old["warnings"], old["notes"]) == ("INCONCLUSIVE", [], [])


def _concluded(capsys, **changes):
    document = {
        "stages": {"judge": "ran"},
        "not_checked": [],
        "refusal": None,
        "report": None,
        "champion": {"model": "wine", "version": 3, "auc_test": 0.83},
        "baseline": {"auc": 0.78},
        **warnings_and_notes(_records(Status.WARN, Status.NOTE)),
    }
    _conclude(document | changes, Terminal())
    return capsys.readouterr().out


def test_a_promotion_lists_its_warnings_and_counts_its_notes(capsys):
    said = _concluded(capsys)
    assert "Promoted with 1 warning:\n  made::warn: it says [WARN]\n" in said
    assert "1 note of gates that could not judge: made::note (from about 1,300 rows)" in said
    assert "warning" not in _concluded(capsys, warnings=[], notes=[])


def test_a_run_that_promotes_nothing_says_nothing_of_a_promotion(capsys):
    assert "romoted with" not in _concluded(capsys, champion=None)
    assert "romoted with" not in _concluded(capsys, champion=None, refusal="it is worse", reasons=[])


def test_a_notebook_shows_the_gravest_verdicts_first_and_the_warnings_of_a_promotion(state):
    results = _judged(state, *_records(Status.PASS, Status.NOTE, Status.WARN))
    stages = tuple(StageReport(name, "ran") for name in results)
    document = summary(load_problem(), results)
    views = {
        name: notebook_road._view(name, Outcome(results, stages), document, state) for name in ("judge", "promote")
    }
    facts, verdicts = views["judge"].tables
    assert [row[1] for row in verdicts.rows] == ["WARN", "NOTE", "PASS"]
    assert {("warnings", 1), ("notes", 1)} <= set(facts.rows)
    assert views["judge"].sentence == sentence(results["judge"]) == "1 of 3 gates pass, 1 WARN, 1 NOTE"
    assert ("promoted with warnings", ["made::warn"]) in views["promote"].tables[0].rows


@pytest.mark.parametrize(("strict", "refusal"), [(False, None), (True, "it says [WARN] (a WARN, which gates.strict")])
def test_strict_gates_refuse_what_otherwise_warns(strict, refusal):
    verdicts = judged(_candidate(**{"gates.strict": strict}), [WARN_ONLY, GATES[0]], progress=SilentProgress())
    said = refusal_of(verdicts)
    assert (said or "").startswith(refusal or "")
    assert (said is None) is (refusal is None)


@pytest.fixture
def gates_command(capsys, monkeypatch):
    """Run `gauntlet gates` on made gates; return its output."""
    monkeypatch.setattr(judging, "_gates", lambda _options, _problem: (WARN_ONLY, _gate(Status.FAIL)))

    def run(*arguments):
        with pytest.raises(SystemExit) as caught:
            cli.main(["gates", *arguments])
        assert caught.value.code == 0
        return capsys.readouterr().out

    return run


def test_gates_that_never_fail_are_listed_and_explained(gates_command):
    lines = {line.split()[0]: line for line in gates_command("list").splitlines() if "made::" in line}
    assert "only warns" in lines["made::warn"]
    assert "only warns" not in lines["made::fail"]
    listed = json.loads(gates_command("list", "--json"))["gates"]
    assert [found["advisory"] for found in listed] == ["a gap between training and test rows", ""]
    said = gates_command("explain", "made::warn")
    assert "It only warns of a gap between training and test rows." in said
    assert "It only warns" not in gates_command("explain", "made::fail")


def test_strict_gates_say_so_where_gates_are_explained(gates_command):
    assert "gates.strict = false: a WARN does not stop a promotion" in gates_command("explain", "made::warn")
    strict = ("explain", "made::warn", "--set", "gates.strict=true")
    said = gates_command(*strict)
    assert "gates.strict = true: a WARN counts as FAIL" in said
    assert "only warns" not in said
    assert json.loads(gates_command(*strict, "--json"))["strict"] is True


def test_sabotage_says_by_which_level_each_was_caught_and_the_share(capsys):
    def outcome(status, *, caught=True):
        return SabotageOutcome("rows_copied", "made::gate", caught, "it says so", (), status)

    outcomes = [
        outcome(Status.FAIL),
        outcome(Status.CONFIG_ERROR),
        outcome(Status.WARN),
        outcome(Status.NOTE, caught=False),
    ]
    assert judging._show_sabotage(outcomes, Terminal()) == ExitCode.REFUSED
    said = capsys.readouterr().out
    for level in ("FAIL", "CONFIG_ERROR", "WARN"):
        assert f"caught by {level}" in said
    assert "not caught: rows_copied: made::gate said NOTE: it says so" in said
    assert "3 of 4 saboteurs were caught (75.0%)." in said
    judging._show_sabotage(outcomes, Terminal(machine=True))
    document = json.loads(capsys.readouterr().out)
    assert (document["share"], document["saboteurs"][0]["status"]) == (0.75, "FAIL")


SUITE = """
from gauntlet.testing import Pipeline, parametrize_with_gates

@parametrize_with_gates(Pipeline(model=None, table="none.csv", label="label"))
def test_gate(gate):
    gate()
"""


@pytest.fixture
def suite(pytester, monkeypatch):
    """Run a suite whose pipeline has a gate of each level; return pytest's result."""

    def run(*arguments, gates=GATES, **overrides):
        candidate = _candidate(**overrides)
        judgement = Judgement(candidate.problem, gates, candidate)
        monkeypatch.setattr(gate_items, "pipeline_gates", lambda _pipeline: gates)
        monkeypatch.setattr(gate_items, "judgement_of", lambda _pipeline, **_options: judgement)
        pytester.makepyfile(SUITE)
        return pytester.runpytest_inprocess("-p", "no:randomly", "-p", "no:cacheprovider", *arguments)

    return run


def test_in_pytest_a_warning_and_a_note_pass_and_are_listed_apart(suite):
    result = suite()
    result.assert_outcomes(passed=3, failed=2)
    result.stdout.fnmatch_lines(
        [
            "*= gates =*",
            "1 CONFIG_ERROR, 1 FAIL, 1 WARN, 1 NOTE, 1 PASS",
            "CONFIG_ERROR made::config_error: it says *",
            "FAIL made::fail: it says *",
            "*- warnings: *",
            "WARN made::warn: it says *",
            "*- notes: *",
            "NOTE made::note: it says *",
        ],
        consecutive=True,
    )


def test_in_pytest_a_waived_warning_passes_and_a_waived_failure_is_expected(suite):
    waivers = [
        {"gate": f"made::{level}", "reason": "agreed on Monday", "owner": "Ada", "until": "2999-12-31"}
        for level in ("warn", "fail")
    ]
    gates = (_gate(Status.WARN), _gate(Status.FAIL))
    result = suite(gates=gates, waivers=waivers)
    result.assert_outcomes(passed=1, xfailed=1)


def test_junit_and_sarif_have_the_levels(suite, pytester):
    suite("--junitxml=gates.xml", "--gauntlet-sarif=gates.sarif", "--gauntlet-verdicts=gates.json")
    cases = ElementTree.parse(pytester.path / "gates.xml").iter("testcase")  # noqa: S314 - our own file
    levels = {
        case.get("name"): [p.get("value") for p in case.iter("property") if p.get("name") == "gauntlet_level"]
        for case in cases
    }
    assert levels == {f"test_gate[made::{status.lower()}]": [str(status)] for status in Status}
    log = sarif_pydantic.Sarif.model_validate_json((pytester.path / "gates.sarif").read_text(encoding="utf-8"))
    found = {result.rule_id: (result.kind, result.level) for result in log.runs[0].results}
    assert found == {
        "made::pass": ("pass", "none"),
        "made::note": ("fail", "note"),
        "made::warn": ("fail", "warning"),
        "made::fail": ("fail", "error"),
        "made::config_error": ("fail", "error"),
    }
    raw = json.loads((pytester.path / "gates.sarif").read_text(encoding="utf-8"))["runs"][0]["results"]
    assert [result["properties"].get("rows_needed") for result in raw if result["ruleId"] == "made::note"] == [
        ROWS_NEEDED
    ]
    verdicts = json.loads((pytester.path / "gates.json").read_text(encoding="utf-8"))["verdicts"]
    assert {verdict["gate"]: verdict["status"] for verdict in verdicts} == {
        f"made::{status.lower()}": str(status) for status in Status
    }
