"""Terraform's adapter, with scripts that stand in for terraform: each complaint is told apart, and none is left alone.

The same with the real program: tests/infra/test_infra_commands.py.
"""

import json
import logging
import os
import signal
import sys
from pathlib import Path

import pytest

from gauntlet.adapters.terraform import Event, Limits, Terraform, find_terraform
from gauntlet.adapters.terraform_diagnostics import diagnostics, explained
from gauntlet.adapters.terraform_environment import environment_without_credentials, user_environment, without_secrets
from gauntlet.core.errors import InputError, RefusedError, RequirementError

pytestmark = pytest.mark.unit

SECRET = "correct-horse-battery"  # noqa: S105 - made up


@pytest.fixture
def stand_in(tmp_path):
    """Make a shell script that stands in for terraform; returns the adapter on it."""

    def make(script, *, environment=None, limits=None):
        program = tmp_path / "bin" / "terraform"
        program.parent.mkdir(exist_ok=True)
        program.write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
        program.chmod(0o755)
        environment = {"PATH": os.environ["PATH"]} | (environment or {})
        return Terraform(tmp_path, program=program, environment=environment, limits=limits)

    return make


def _line(**message):
    return f"echo '{json.dumps(message)}'\n"


def _error(summary, detail=""):
    return _line(type="diagnostic", diagnostic={"severity": "error", "summary": summary, "detail": detail})


def test_no_terraform_on_path_is_said_with_what_to_do(tmp_path):
    with pytest.raises(RequirementError, match=r"^no terraform on PATH; install Terraform 1\.9 or newer"):
        find_terraform({"PATH": str(tmp_path)})


@pytest.mark.parametrize(
    ("output", "message"),
    [
        (
            "Terraform v0.12.31\n\nYour version of Terraform is out of date!",
            "is Terraform 0.12.31; the modules take 1.9",
        ),
        ("Terraform v1.8.5\non linux_amd64", "is Terraform 1.8.5; the modules take 1.9 and newer, below 2.0; install"),
        ("Terraform v2.0.0-beta1", "is Terraform 2.0.0-beta1"),
        ("OpenTofu v1.9.0", "does not say a version of Terraform"),
        ("", "does not say a version of Terraform"),
    ],
)
def test_a_version_that_the_modules_do_not_take_is_refused_by_name(stand_in, output, message):
    with pytest.raises(RequirementError, match=message):
        stand_in(f"echo '{output}'").version()


@pytest.mark.parametrize("output", ["Terraform v1.9.0", "Terraform v1.11.4\non linux_amd64", "Terraform v1.15.0-rc1"])
def test_a_version_that_the_modules_take_is_returned(stand_in, output):
    assert stand_in(f"echo '{output}'").version() == output.split()[1].removeprefix("v")


def test_without_python_terraform_the_extra_is_named(stand_in, monkeypatch):
    monkeypatch.delitem(sys.modules, "gauntlet.adapters.terraform_process", raising=False)
    monkeypatch.setitem(sys.modules, "python_terraform", None)
    with pytest.raises(RequirementError, match=r"pip install 'gauntlet-mlops\[infra\]'"):
        stand_in("echo Terraform v1.9.0").version()


@pytest.mark.parametrize(("code", "changes"), [(0, False), (2, True)])
def test_exit_code_2_of_a_plan_means_changes(stand_in, tmp_path, code, changes):
    warning = {"severity": "warning", "summary": "Value for undeclared variable", "detail": "x"}
    script = _line(type="diagnostic", diagnostic=warning) + f'echo "$@" > arguments; touch plan; exit {code}'
    planned = stand_in(script).plan(tmp_path / "plan", destroy=True, targets=["a.b", 'c.d["e"]'])
    assert planned.changes is changes
    assert [str(one) for one in planned.warnings] == ["Value for undeclared variable: x"]
    asked = (tmp_path / "arguments").read_text().split()
    assert asked[0] == "plan"
    assert {"-json=true", "-detailed-exitcode=true", "-input=false", "-destroy=true"} < set(asked)
    assert {"-target=a.b", '-target=c.d["e"]', f"-out={tmp_path / 'plan'}"} < set(asked)
    assert (tmp_path / "plan").stat().st_mode & 0o777 == 0o600


def test_a_planning_that_failed_leaves_no_plan(stand_in, tmp_path):
    (tmp_path / "plan").write_text("an older one", encoding="utf-8")
    with pytest.raises(RequirementError, match="terraform plan failed: no luck"):
        stand_in(_error("no luck") + "touch plan; exit 1").plan(tmp_path / "plan")
    assert not (tmp_path / "plan").exists()


def test_applying_tells_of_each_resource(stand_in, tmp_path):
    hook = {"resource": {"addr": "a.b"}, "action": "create", "elapsed_seconds": 12}
    script = "".join(_line(type=f"apply_{kind}", hook=hook) for kind in ("start", "progress", "complete", "errored"))
    script += _line(type="log", **{"@message": "Interrupt received."})
    heard = []
    stand_in("echo no JSON\n" + _line(type="version") + script).apply(tmp_path / "plan", listener=heard.append)
    kinds = ("started", "going on", "done", "failed")
    assert heard == [*(Event(kind, "create", "a.b", 12.0) for kind in kinds), Event("stopping")]


def test_output_values_keep_their_mark(stand_in):
    outputs = {"a": {"value": [1], "sensitive": False}, "b": {"value": SECRET, "sensitive": True}}
    found = stand_in(f"echo '{json.dumps(outputs)}'").outputs()
    assert (found["a"].value, found["a"].sensitive, found["b"].sensitive) == ([1], False, True)


# What Terraform 1.11.4, its azurerm backend and the two providers say.
_LOCKED = """Error message: state blob is already locked
Lock Info:
  ID:        8f05ba92-79f2-771b-bb89-176016257402
  Path:      tfstate/dev/infra.tfstate
  Operation: OperationTypeApply
  Who:       ada@laptop
  Version:   1.11.4
  Created:   2026-01-02 02:56:02.348395876 +0000 UTC
  Info:

Terraform acquires a state lock to protect the state from being written"""
_SAID = [
    (
        "plan",
        "Error acquiring the state lock",
        _LOCKED,
        RequirementError,
        "the state is locked by ada@laptop, since 2026",
    ),
    (
        "plan",
        "Error acquiring the state lock",
        _LOCKED,
        RequirementError,
        "force-unlock 8f05ba92-79f2-771b-bb89-176016257",
    ),
    ("apply", "Saved plan is stale", "The given plan file can no longer be applied", RefusedError, "the plan is stale"),
    ("apply", "Saved plan does not match the given state", "lineage", RefusedError, "run `gauntlet infra plan` again"),
    ("apply", 'Failed to load "p" as a plan file', "not a valid zip file", RefusedError, "the plan is stale"),
    (
        "init",
        "Failed to query available provider packages",
        "Could not retrieve the list of available versions for provider hashicorp/azurerm: no such host\n\nTo see",
        RequirementError,
        "providers cannot be had (Failed to query available provider packages: Could not retrieve the list of "
        "available versions for provider hashicorp/azurerm: no such host); give it a network, or a provider mirror",
    ),
    (
        "plan",
        "Inconsistent dependency lock file",
        "no version is selected",
        RequirementError,
        "providers cannot be had",
    ),
    (
        "init",
        'unable to build authorizer for Storage API: exec: "az": executable file not found in $PATH',
        "",
        RequirementError,
        "not logged in to Azure",
    ),
    (
        "plan",
        "building account: could not acquire access token to parse claims",
        "Please run 'az login' to setup account.",
        RequirementError,
        "run `az login`, or set ARM_CLIENT_ID",
    ),
    (
        "plan",
        "cannot create cluster: default auth: cannot configure default credentials",
        "",
        RequirementError,
        "not logged in to Databricks",
    ),
    ("init", "AuthorizationPermissionMismatch", "not authorized", RequirementError, "Storage Blob Data Contributor"),
    (
        "init",
        "Failed to get existing workspaces: containers.Client#ListBlobs: StatusCode=404 Code=ContainerNotFound",
        "",
        RequirementError,
        "the backend, where the state is kept, is not there",
    ),
    ("init", '"container_name": required field is not set', "", RequirementError, "examples/state_backend"),
    ("init", "Backend configuration changed", "", RequirementError, "init -migrate-state"),
    ("plan", 'Backend initialization required, please run "terraform init"', "", RequirementError, "kept elsewhere"),
    (
        "init",
        "Unsupported Terraform Core version",
        "does not support",
        RequirementError,
        "not of a version that the stack",
    ),
    (
        "plan",
        "Invalid value for variable",
        "the quota is 4.\n\nThis was checked by the validation rule at variables.tf:3,3-13.",
        InputError,
        "Invalid value for variable: the quota is 4.",
    ),
    ("plan", "Resource precondition failed", "use premium", InputError, "use premium"),
    ("apply", "creating Workspace: QuotaExceeded", "", RequirementError, "What was done by then is in the state: plan"),
]


@pytest.mark.parametrize(("command", "summary", "detail", "error", "message"), _SAID)
def test_each_complaint_of_terraform_is_one_clear_error(command, summary, detail, error, message):
    line = json.dumps({"type": "diagnostic", "diagnostic": {"severity": "error", "summary": summary, "detail": detail}})
    found = explained(diagnostics(f"Initializing…\n{line}\n", ""), command=command, folder=Path("stacks/infra"))
    assert type(found) is error
    assert str(found).startswith("stacks/infra: ")
    assert message in str(found)
    assert "\n" not in str(found)


def test_complaints_are_read_from_text_where_there_is_no_json():
    text = (
        "There are some problems with the CLI configuration:\n╷\n│ Warning: Unable to open the file\n╵\n\n"
        '\x1b[31m╷\x1b[0m\n│ \x1b[1mError: \x1b[0mBackend initialization required, please run "terraform init"\n│ \n'
        "│ Reason: Initial configuration\n╵\n"
    )
    (found,) = diagnostics("", text)
    assert (found.severity, found.summary) == ("error", 'Backend initialization required, please run "terraform init"')
    assert found.detail == "Reason: Initial configuration"
    (plain,) = diagnostics("", "flag provided but not defined: -json")
    assert plain.summary == "flag provided but not defined: -json"
    assert "did not say why" in str(explained(diagnostics("", ""), command="show", folder=Path("x")))


def test_an_interrupt_reaches_terraform_once_and_waits_for_it(stand_in, tmp_path):
    """The program notes each interrupt, and ends by itself."""
    script = "trap 'echo interrupted >> interrupts; kill $!; exit 1' INT\nmkfifo never\n"
    script += _line(type="apply_start", hook={"resource": {"addr": "a.b"}, "action": "create"}) + "cat never & wait"

    def interrupt(_event):
        os.kill(os.getpid(), signal.SIGTERM)  # as a CI system ends a job

    with pytest.raises(KeyboardInterrupt):
        stand_in(script).apply(tmp_path / "plan", listener=interrupt)
    assert (tmp_path / "interrupts").read_text() == "interrupted\n"
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL


def test_what_does_not_heed_an_interrupt_is_killed_and_the_lock_is_spoken_of(stand_in, tmp_path):
    script = "trap '' INT\nmkfifo never\n"
    script += _line(type="apply_start", hook={"resource": {"addr": "a.b"}, "action": "create"}) + "cat never"

    def interrupt(_event):
        raise KeyboardInterrupt

    with pytest.raises(RequirementError, match=r"was killed; what was under way .* the state may still be locked"):
        stand_in(script, limits=Limits(grace=0.2)).apply(tmp_path / "plan", listener=interrupt)


def test_a_listener_that_fails_does_not_leave_terraform_alone(stand_in, tmp_path):
    """As a terminal that was closed. The program tells more when it is interrupted, and does not end by itself."""
    line = _line(type="apply_start", hook={"resource": {"addr": "a.b"}, "action": "create"})
    (tmp_path / "more").write_text(line.removeprefix("echo '").replace("'\n", "\n"), encoding="utf-8")
    script = "trap 'cat more' INT\nmkfifo never\n" + line + "while :; do cat never & wait $!; done"

    def fail(_event):
        raise BrokenPipeError

    with pytest.raises(RequirementError, match="was killed"):
        stand_in(script, limits=Limits(grace=1)).apply(tmp_path / "plan", listener=fail)


def test_a_command_that_takes_too_long_is_interrupted(stand_in):
    with pytest.raises(RequirementError, match=r"did not end within 0\.2 s and was interrupted; it saved its state"):
        stand_in("mkfifo never; exec cat never", limits=Limits(long=0.2)).init()


def test_terraform_killed_by_somebody_is_no_plain_failure(stand_in, tmp_path):
    with pytest.raises(RequirementError, match=r"terraform apply was killed by signal 9; what was under way"):
        stand_in("kill -9 $$").apply(tmp_path / "plan")


def test_the_users_environment_keeps_credentials_and_nothing_that_changes_a_command(stand_in, tmp_path):
    given = {
        "ARM_CLIENT_SECRET": SECRET,
        "TF_VAR_token": "x",
        "HTTPS_PROXY": "http://proxy",
        "TF_CLI_ARGS_apply": "-auto-approve",
        "TF_LOG": "TRACE",
        "TF_LOG_PATH": "log",
        "TF_WORKSPACE": "prod",
        "TF_DATA_DIR": "elsewhere",
        "GAUNTLET_SIGNING_KEY": "key",
    }
    assert user_environment(given) == {
        "ARM_CLIENT_SECRET": SECRET,
        "TF_VAR_token": "x",
        "HTTPS_PROXY": "http://proxy",
        "TF_IN_AUTOMATION": "1",
        "TF_INPUT": "0",
        "CHECKPOINT_DISABLE": "1",
    }
    stand_in("env > seen; echo '{}'", environment={"ONLY": "this"}).outputs()
    seen = dict(line.split("=", 1) for line in (tmp_path / "seen").read_text().splitlines())
    assert seen["ONLY"] == "this"
    assert not set(seen) & (set(os.environ) - {"PATH", "PWD", "SHLVL", "_", "OLDPWD"})


def test_the_environment_for_tests_has_no_credential_left():
    names = (
        "ARM_CLIENT_SECRET",
        "AZURE_CONFIG_DIR",
        "DATABRICKS_TOKEN",
        "TF_TOKEN_app_terraform_io",
        "TF_VAR_x",
        "PATH",
    )
    left = environment_without_credentials(dict.fromkeys(names, SECRET))
    assert [name for name, value in left.items() if value == SECRET] == ["PATH"]
    assert left["DATABRICKS_CONFIG_FILE"] == left["AZURE_CONFIG_DIR"] == os.devnull


@pytest.mark.parametrize("speaks", ["json", "text"])
def test_no_secret_is_told_or_logged(stand_in, caplog, speaks):
    caplog.set_level(logging.DEBUG)
    script = _error(f"401 for client secret {SECRET}") if speaks == "json" else f"echo Error: 401 for {SECRET} >&2\n"
    terraform = stand_in(script + "exit 1", environment={"ARM_CLIENT_SECRET": SECRET})
    with pytest.raises(RequirementError, match=r"401 for .*\*\*\*") as caught:
        terraform.init()
    assert SECRET not in str(caught.value)
    assert SECRET not in caplog.text
    assert without_secrets("westeurope", {"ARM_LOCATION": "westeurope"}) == "westeurope"
