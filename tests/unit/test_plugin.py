"""The plugin: exactly one tier a test, and nothing for suites that do not ask for it."""

import subprocess
import sys
from xml.etree import ElementTree

import pytest

pytest_plugins = ["pytester"]
pytestmark = pytest.mark.unit


@pytest.fixture
def suite(pytester):
    """Make a suite that asks for tiers."""

    def make(code, *, ini="gauntlet_tiers = true"):
        pytester.makeini(f"[pytest]\naddopts = --strict-markers -p no:randomly\n{ini}\n")
        pytester.makepyfile(f"import pytest\n{code}")
        return pytester

    return make


@pytest.mark.parametrize("processes", [[], ["-n", "2"]], ids=["one process", "two processes"])
def test_a_suite_with_one_tier_a_test_runs_and_sees_its_seconds(suite, processes):
    one, two = "@pytest.mark.unit\ndef test_a(): pass", "@pytest.mark.parametrize('n', [1, 2])\ndef test_b(n): pass"
    code = f"{one}\n@pytest.mark.data\n{two}"
    result = suite(code).runpytest_subprocess(*processes)
    result.assert_outcomes(passed=3)
    result.stdout.re_match_lines([r"=+ tiers =+", r"unit +1 tests +[0-9.]+ s", r"data +2 tests +[0-9.]+ s"])


def test_the_junit_file_tells_the_tiers_apart(suite):
    made = suite("@pytest.mark.unit\ndef test_a(): pass\n@pytest.mark.gates\ndef test_b(): pass")
    made.runpytest_subprocess("--junitxml=report.xml")
    cases = ElementTree.parse(made.path / "report.xml").iter("testcase")  # noqa: S314 - our own file
    assert {case.get("name"): case.find("properties/property").attrib for case in cases} == {
        "test_a": {"name": "tier", "value": "unit"},
        "test_b": {"name": "tier", "value": "gates"},
    }


@pytest.mark.parametrize(
    ("code", "named"),
    [
        ("def test_a(): pass", "test_a: none"),
        ("@pytest.mark.unit\n@pytest.mark.data\ndef test_a(): pass", "test_a: data, unit"),
    ],
)
def test_a_test_without_exactly_one_tier_stops_the_suite(suite, code, named):
    result = suite(code).runpytest_subprocess()
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([f"*{named}"])


def test_another_suite_is_left_alone(suite):
    result = suite("def test_a(): pass", ini="").runpytest_subprocess()
    result.assert_outcomes(passed=1)
    result.stdout.no_fnmatch_line("*tiers*")


@pytest.mark.parametrize("processes", [[], ["-n", "1"]], ids=["one process", "another process"])
@pytest.mark.parametrize(("ci", "code"), [("true", pytest.ExitCode.TESTS_FAILED), ("", pytest.ExitCode.OK)])
def test_a_skip_is_a_failure_in_ci(suite, monkeypatch, ci, code, processes):
    monkeypatch.setenv("CI", ci)
    result = suite("@pytest.mark.unit\ndef test_a(): pytest.skip('no server')").runpytest_subprocess(*processes)
    assert result.ret == code


LOCAL = """
@pytest.mark.unit
def test_a(): pass
@pytest.mark.unit
@pytest.mark.local_only(reason="it looks into the folder")
@pytest.mark.parametrize("number", [1, 2])
def test_b(number): pass
@pytest.mark.data
@pytest.mark.local_only("it kills the process")
def test_c(): pass
"""


@pytest.mark.parametrize("processes", [[], ["-n", "1"]], ids=["one process", "another process"])
@pytest.mark.parametrize("given", ["option", "environment"])
def test_tests_about_target_local_are_left_out_elsewhere_and_counted(suite, monkeypatch, given, processes):
    made = suite(LOCAL)
    if given == "environment":
        monkeypatch.setenv("GAUNTLET_TARGET", "remote")
    options = [*processes, *(["--target", "remote"] if given == "option" else [])]
    result = made.runpytest_subprocess(*options)
    result.assert_outcomes(passed=1, deselected=0 if processes else 3)
    result.stdout.re_match_lines(
        [r"=+ not run on target remote =+", r" +2 tests: it looks into the folder", r" +1 tests: it kills the process"]
    )
    of_unit = made.runpytest_subprocess("-m", "unit", *options)
    of_unit.stdout.no_fnmatch_line("*it kills the process*")


def test_tests_about_target_local_run_there(suite):
    result = suite(LOCAL).runpytest_subprocess("--target", "local")
    result.assert_outcomes(passed=4)
    result.stdout.no_fnmatch_line("*not run on target*")


def test_no_test_at_all_is_not_green(suite):
    result = suite("@pytest.mark.unit\ndef test_a(): pass").runpytest_subprocess("-m", "gates")
    assert result.ret == pytest.ExitCode.NO_TESTS_COLLECTED


def test_importing_the_plugin_imports_nothing_heavy():
    heavy = "('pyspark', 'mlflow', 'pandas', 'numpy', 'pydantic')"
    code = f"import sys, gauntlet.plugin; print([name for name in {heavy} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
