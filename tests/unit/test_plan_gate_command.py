"""``gauntlet infra gate``: exit codes, what people and machines read, rules and waivers, and no secret in either."""

import io
import json
import sys
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest
import sarif_pydantic

from gauntlet.cli_plan_gate import plan_gate_command
from gauntlet.core.errors import ExitCode, InputError
from gauntlet.core.plan_rules import PROTECTED_TYPES, load_plan_rules
from gauntlet.core.problem_file import default_problem_path
from gauntlet.gates.plan import GATES
from tests.made_plan import CLUSTER, INFRA, WORKSPACE, changed, made_infra, made_plan, made_plans

pytestmark = pytest.mark.unit

TODAY = datetime.now(UTC).date()
NEVER_STOPS = changed(CLUSTER, "autotermination_minutes", to=0)


@pytest.fixture
def run(tmp_path, monkeypatch, capsys):
    """Write plans and rules into an empty folder, run the command there, and return its code, output and errors."""
    monkeypatch.chdir(tmp_path)

    def run(documents, *options, rules=None):
        for name, document in documents.items():
            (tmp_path / name).write_text(json.dumps(document), encoding="utf-8")
        if rules is not None:
            (tmp_path / "rules.toml").write_text(rules, encoding="utf-8")
            options = (*options, "--rules", "rules.toml")
        code = plan_gate_command.main([*documents, *options], standalone_mode=False)
        captured = capsys.readouterr()
        return SimpleNamespace(code=code, out=captured.out, err=captured.err)

    return run


def _waiver(*, gate="plan::clusters_stop_by_themselves", days=1):
    until = TODAY + timedelta(days=days)
    return f'[[waivers]]\ngate = "{gate}"\nreason = "a demonstration cluster"\nowner = "Ada"\nuntil = {until}\n'


def test_sound_plans_are_exit_code_0_and_what_was_not_checked_is_told(run):
    found = run(made_plans())
    assert found.code == ExitCode.DONE
    assert f"{len(GATES) - 1} of {len(GATES) - 1} gates pass: infra.json, workspace.json may be applied." in found.out
    assert "not checked: plan::names_agree_with_problem: there is no problem file to agree with" in found.out


def test_a_problem_file_gives_the_names_and_the_wheel_its_commands(run):
    found = run(made_plans(), "--problem", str(default_problem_path()), "--json")
    document = json.loads(found.out)
    assert (document["status"], document["exit_code"], document["not_checked"]) == ("PASS", 0, [])
    assert [verdict["gate"] for verdict in document["verdicts"]] == [gate.name for gate in GATES]
    assert found.err == ""


def test_a_gate_that_says_no_is_exit_code_1_with_what_to_do(run):
    found = run(NEVER_STOPS)
    assert found.code == ExitCode.REFUSED
    assert "databricks_cluster.this: autotermination_minutes is 0" in found.out
    assert "plan::clusters_stop_by_themselves: Set autotermination_minutes" in found.out
    assert "refused." in found.out
    document = json.loads(run(NEVER_STOPS, "--json").out)
    (verdict,) = [verdict for verdict in document["verdicts"] if verdict["status"] == "FAIL"]
    assert verdict["places"] == [["workspace.json", "databricks_cluster.this"]]
    assert (document["status"], document["exit_code"]) == ("FAIL", 1)


def test_a_plan_without_resources_is_exit_code_1(run):
    found = run({"empty.json": made_plan()})
    assert found.code == ExitCode.REFUSED
    assert "there is nothing to judge" in found.out


def test_quiet_says_nothing(run):
    assert run(made_plans(), "--quiet").out == ""


def test_a_plan_comes_from_standard_input_too(run, monkeypatch):
    content = json.dumps(made_infra()).encode()
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(content)))
    found = run({}, "-")
    assert found.code == ExitCode.DONE
    assert "standard input may be applied" in found.out


@pytest.mark.parametrize(
    ("documents", "options", "rules", "said"),
    [
        ({}, ("none.json",), None, "none.json: cannot be read"),
        ({}, (), None, "no plan was given"),
        ({INFRA: made_infra()}, (INFRA,), None, "infra.json: given twice"),
        ({INFRA: {"values": {}, "format_version": "1.0"}}, (), None, "infra.json: a state, not a plan"),
        ({INFRA: made_plan(errored=True)}, (), None, "could not finish this plan"),
        ({INFRA: made_infra()}, ("--rules", "none.toml"), None, "none.toml: cannot be read"),
        ({INFRA: made_infra()}, ("--problem", "none.toml"), None, "none.toml: cannot be read"),
        ({INFRA: made_infra()}, (), "vcpu_quota =", "rules.toml: not TOML"),
        ({INFRA: made_infra()}, (), "cpus = 4", "rules.toml: cpus: unknown key"),
        ({INFRA: made_infra()}, (), "vcpu_quota = 0", "rules.toml: vcpu_quota: input should be greater"),
        ({INFRA: made_infra()}, (), "minimum_idle_minutes = 200", "minimum_idle_minutes is 200, more than the 120"),
        ({INFRA: made_infra()}, (), "vcpus = { X = 0 }", "vcpus: at least 1 each; not so X"),
        ({INFRA: made_infra()}, (), _waiver(gate="plan::no_such_gate"), "no gate is called plan::no_such_gate"),
        ({INFRA: made_infra()}, (), _waiver() * 2, "waivers: named twice"),
    ],
)
def test_a_users_mistake_is_one_message_and_exit_code_2(run, documents, options, rules, said):
    with pytest.raises(InputError) as caught:
        run(documents, *options, rules=rules)
    assert said in str(caught.value)
    assert caught.value.exit_code == ExitCode.INPUT


def test_a_waiver_lets_a_no_stand_until_its_day(run):
    found = run(NEVER_STOPS, "--json", rules=_waiver(days=0))
    document = json.loads(found.out)
    assert (found.code, document["status"]) == (ExitCode.DONE, "PASS")
    (verdict,) = [verdict for verdict in document["verdicts"] if verdict["waiver"]]
    assert (verdict["status"], verdict["waiver"]["owner"]) == ("FAIL", "Ada")
    said = run(NEVER_STOPS, rules=_waiver(days=0)).out
    assert "FAIL, waived" in said
    assert f"{len(GATES) - 2} of {len(GATES) - 1} gates pass, 1 waived" in said


@pytest.mark.parametrize(("plans", "days"), [(NEVER_STOPS, -1), (made_plans(), 1)], ids=["expired", "not needed"])
def test_a_wrong_waiver_is_a_refusal(run, plans, days):
    found = run(plans, "--json", rules=_waiver(days=days))
    assert found.code == ExitCode.REFUSED
    assert json.loads(found.out)["status"] == "CONFIG_ERROR"


def test_a_waiver_of_a_gate_that_has_nothing_to_judge_waits(run):
    assert run({INFRA: made_infra()}, rules=_waiver()).code == ExitCode.DONE


def test_the_rules_have_defaults_and_their_file_changes_them(tmp_path):
    defaults = load_plan_rules(None)
    assert (defaults.vcpu_quota, defaults.protected, defaults.skus) == (None, PROTECTED_TYPES, ("premium", "trial"))
    path = tmp_path / "rules.toml"
    path.write_text('vcpu_quota = 8\nreplaceable = ["a.b"]\nvcpus = { X = 2 }\n', encoding="utf-8")
    read = load_plan_rules(path)
    assert (read.vcpu_quota, read.replaceable, read.vcpus) == (8, ("a.b",), {"X": 2})


def test_the_sarif_log_names_files_and_addresses(run, tmp_path):
    found = run(NEVER_STOPS, "--sarif", "out/gates.sarif", rules=_waiver())
    assert found.code == ExitCode.DONE
    text = (tmp_path / "out" / "gates.sarif").read_text(encoding="utf-8")
    sarif_pydantic.Sarif.model_validate_json(text)
    (log,) = json.loads(text)["runs"]
    results = {result["ruleId"]: result for result in log["results"]}
    assert set(results) == {gate.name for gate in GATES} - {"plan::names_agree_with_problem"}
    refused = results["plan::clusters_stop_by_themselves"]
    assert (refused["kind"], refused["level"], len(refused["suppressions"])) == ("fail", "error", 1)
    (location,) = refused["locations"]
    assert location["physicalLocation"]["artifactLocation"] == {"uri": WORKSPACE, "uriBaseId": "ROOT"}
    assert location["logicalLocations"] == [{"fullyQualifiedName": "databricks_cluster.this", "kind": "resource"}]
    everywhere = results["plan::plan_has_resources"]["locations"]
    assert [place["physicalLocation"]["artifactLocation"]["uri"] for place in everywhere] == [INFRA, WORKSPACE]
    notes = log["invocations"][0]["toolExecutionNotifications"]
    assert any("plan::names_agree_with_problem" in note["message"]["text"] for note in notes)


def test_no_secret_is_shown_anywhere(run, tmp_path):
    documents = changed(CLUSTER, "spark_env_vars", to={"API_TOKEN": "dapi" + "7" * 32})
    said = [run(documents, *options) for options in ((), ("--json", "--sarif", "gates.sarif"))]
    written = (tmp_path / "gates.sarif").read_text(encoding="utf-8")
    assert all(found.code == ExitCode.REFUSED for found in said)
    assert "dapi" not in "".join(found.out + found.err for found in said) + written


def test_the_gates_are_listed_with_their_saboteurs(run):
    document = json.loads(run({}, "--list", "--json").out)
    assert [gate["name"] for gate in document["gates"]] == [gate.name for gate in GATES]
    assert all(gate["saboteurs"] and gate["remedy"] and gate["guards"] for gate in document["gates"])
    quota = next(gate for gate in document["gates"] if gate["name"] == "plan::clusters_fit_vcpu_quota")
    assert quota["bounds"] == {"vcpu_quota": None, "quota_counts": "each", "vcpus": {}}
    assert "plan::clusters_fit_vcpu_quota" in run({}, "--list").out
