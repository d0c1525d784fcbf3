"""``parametrize_with_gates``: any pipeline becomes one pytest item a gate, and nothing passes in silence."""

import json
from pathlib import Path

import pytest
import sarif_pydantic

pytest_plugins = ["pytester"]
pytestmark = pytest.mark.gates

EXAMPLE = Path(__file__).resolve().parents[1] / "example_project"
SUITE = """
from datetime import date
import pytest
from pipeline import customers
from gauntlet.testing import Pipeline, parametrize_with_gates

SOUND = dict(
    model=customers.model(), table=customers.load, label="leaves", name="customers",
    resolution={"spend": 0.01, "calls": 1}, costs={"false_positive": 1, "false_negative": 2},
    code=(customers.__file__,),
)
"""
QUICK = ("-m", "gates and not slow_gates")


@pytest.fixture
def project(pytester):
    """Make a project with a suite of its own; its data and model are the example project's."""
    pytester.makeini("[pytest]\naddopts = --strict-markers -p no:randomly\npythonpath = .\n")
    pytester.mkpydir("pipeline")
    source = (EXAMPLE / "pipeline" / "customers.py").read_text(encoding="utf-8")
    (pytester.path / "pipeline" / "customers.py").write_text(source, encoding="utf-8")

    def run(code, *arguments):
        pytester.makepyfile(SUITE + code)
        return pytester.runpytest_subprocess(*arguments)

    return run


GATES = "@parametrize_with_gates(Pipeline(**SOUND{changes}){options})\ndef test_gate(gate):\n    gate()\n"


def _suite(changes="", options=""):
    return GATES.format(changes=f" | dict({changes})" if changes else "", options=f", {options}" if options else "")


def test_a_sound_estimator_passes_and_the_session_says_what_was_not_checked(project, pytester):
    result = project(_suite(), "--gauntlet-verdicts=verdicts.json", "--gauntlet-sarif=verdicts.sarif", "-v")
    counts = result.parseoutcomes()
    assert counts.keys() == {"passed"}
    result.stdout.fnmatch_lines(["*test_gate?model::auc_at_least_baseline? PASSED*", "*what this run did not check*"])
    verdicts = json.loads((pytester.path / "verdicts.json").read_text(encoding="utf-8"))
    assert len(verdicts["verdicts"]) == counts["passed"]
    assert {verdict["status"] for verdict in verdicts["verdicts"]} == {"PASS"}
    assert any("has not what they look at" in sentence for sentence in verdicts["not_checked"])
    log = sarif_pydantic.Sarif.model_validate_json((pytester.path / "verdicts.sarif").read_text(encoding="utf-8"))
    assert len(log.runs[0].results) == counts["passed"]


def test_a_leak_is_red_with_a_sentence_and_the_numbers(project):
    leak = "table=lambda: customers.load().assign(copy=lambda t: t['leaves'].astype(int) * 2.0)"
    result = project(_suite(leak, ""), *QUICK, "-k", "leakage")
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.stdout.fnmatch_lines(["*FAIL*copy*", "*What to do:*"])


EXPECTED = "expected_failures={{'{gate}': ('agreed', '{until}')}}"


@pytest.mark.parametrize(
    ("changes", "gate", "until", "outcome"),
    [
        ("gates={'model': {'minimum_auc': 0.99}}", "model::auc_at_least_minimum", "2999-01-01", {"xfailed": 1}),
        ("gates={'model': {'minimum_auc': 0.99}}", "model::auc_at_least_minimum", "2020-01-01", {"failed": 1}),
        ("", "model::auc_at_least_minimum", "2999-01-01", {"failed": 1}),
    ],
    ids=["agreed", "expired", "passes unexpectedly"],
)
def test_expected_failures_hold_until_their_day_and_only_while_needed(project, changes, gate, until, outcome):
    suite = _suite(changes, EXPECTED.format(gate=gate, until=until))
    result = project(suite, *QUICK, "-k", "auc_at_least_minimum")
    counts = result.parseoutcomes()
    assert {name: number for name, number in counts.items() if name != "deselected"} == outcome
    result.stdout.fnmatch_lines(["*Gates that were not asked: *"])


@pytest.mark.parametrize(
    ("code", "said"),
    [
        (_suite("", EXPECTED.format(gate="model::imaginary", until="2999-01-01")), "*names no gate*model::imaginary*"),
        (_suite("label='left'"), "*no column left*"),
        (_suite("model=object()"), "*object is no model that can be judged*"),
    ],
    ids=["unknown gate", "unknown label", "no model"],
)
def test_mistakes_are_sentences_and_red(project, code, said):
    result = project(code, *QUICK)
    assert result.ret not in (pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED)
    text = result.stdout.str() + result.stderr.str()
    assert "Traceback" not in text
    assert any(said.strip("*").split("*")[0] in line for line in text.splitlines())


def test_a_skipped_gate_is_red_whatever_the_environment(project, monkeypatch):
    monkeypatch.setenv("CI", "")
    code = _suite().replace("    gate()", "    pytest.skip('not today')")
    result = project(code, *QUICK, "-k", "auc_at_least_minimum")
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.stdout.fnmatch_lines(["*Gates that were skipped, which is a failure: *"])


def test_no_gate_collected_is_red(project):
    assert project("def test_nothing(): pass", "-m", "gates").ret == pytest.ExitCode.NO_TESTS_COLLECTED


def test_with_xdist_the_verdicts_of_all_workers_are_together(project, pytester):
    result = project(_suite(), *QUICK, "-n", "2", "--gauntlet-verdicts=verdicts.json")
    counts = result.parseoutcomes()
    verdicts = json.loads((pytester.path / "verdicts.json").read_text(encoding="utf-8"))
    assert len(verdicts["verdicts"]) == counts["passed"] > 10
