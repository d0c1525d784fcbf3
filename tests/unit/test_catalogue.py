"""The catalogue: every gate is documented, has its bounds in the problem file, and has a saboteur."""

import json

import pytest

from gauntlet import cli
from gauntlet.core.errors import ExitCode
from gauntlet.core.problem_file import load_problem
from gauntlet.core.stage import setting
from gauntlet.gates.catalogue import STANDING_GATES, STANDING_SABOTEURS, gates_of, saboteurs_of
from gauntlet.stages.problem_marks import suites_of

pytestmark = pytest.mark.unit

PROBLEM = load_problem()
SUITES = suites_of(PROBLEM, problem_folder=None)
WITH_ALL = load_problem(overrides={"split.groups": ["is_red"], "split.time": "density"})


def test_the_gates_with_a_saboteur_are_all_gates():
    for problem in (PROBLEM, WITH_ALL):
        gates = {gate.name for gate in gates_of(problem, SUITES)}
        assert {saboteur.gate for saboteur in saboteurs_of(problem, SUITES)} == gates
    assert {saboteur.gate for saboteur in STANDING_SABOTEURS} == {gate.name for gate in STANDING_GATES}


def test_names_are_unique_and_tell_the_family():
    names = [gate.name for gate in gates_of(WITH_ALL, SUITES)]
    assert len(names) == len(set(names))
    assert {name.split("::")[0].split("/")[0] for name in names} == {
        "data",
        "split",
        "model",
        "artefact",
        "reproducibility",
    }
    saboteurs = [saboteur.name for saboteur in saboteurs_of(WITH_ALL, SUITES)]
    assert len(saboteurs) == len(set(saboteurs))


def test_each_expectation_of_each_suite_is_a_gate():
    expectations = {
        f"data/{table}::{expectation.name}" for table, suite in SUITES.items() for expectation in suite.expectations
    }
    assert expectations == {gate.name for gate in gates_of(PROBLEM, SUITES) if gate.name.startswith("data/")}
    assert {"data/curated::alcohol::not_null", "data/raw::alcohol::between"} <= expectations


@pytest.mark.parametrize("gate", gates_of(WITH_ALL, SUITES), ids=lambda gate: gate.name)
def test_a_gate_says_what_it_guards_and_what_to_do_and_where_its_bounds_are(gate):
    assert gate.guards.startswith("Guard ") or gate.name.startswith("data/")
    assert len(gate.guards) > 20
    assert len(gate.remedy) > 20
    for key in gate.bounds:
        assert setting(WITH_ALL, key) is not None


def test_gates_of_groups_and_time_are_asked_only_where_the_problem_names_them():
    plain, whole = ({gate.name for gate in gates_of(problem, SUITES)} for problem in (PROBLEM, WITH_ALL))
    assert whole - plain == {"split::groups_kept_together", "split::time_order"}


def _said(capsys, *arguments):
    code = cli._exit_code([*arguments, "--json"])
    return code, json.loads(capsys.readouterr().out)


def test_the_command_lists_and_explains_them(capsys):
    code, document = _said(capsys, "gates", "list")
    assert code == ExitCode.DONE
    assert [gate["name"] for gate in document["gates"]] == [gate.name for gate in gates_of(PROBLEM, SUITES)]
    changed = ("--set", "gates.model.minimum_auc=0.7")
    code, said = _said(capsys, "gates", "explain", "model::auc_at_least_minimum", *changed)
    assert code == ExitCode.DONE
    assert said["bounds"] == {"gates.model.minimum_auc": 0.7, "gates.model.level": 0.01}
    assert said["saboteurs"]


def test_a_gate_that_is_not_there_is_a_sentence_with_the_nearest_names(capsys):
    code, said = _said(capsys, "gates", "explain", "model::auc_at_least_minimal")
    assert code == ExitCode.INPUT
    assert "did you mean model::auc_at_least_minimum" in said["error"]
