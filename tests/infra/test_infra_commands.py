"""`gauntlet infra` with the real terraform: on stacks without providers, and once on the complete example."""

import io
import json
import sys

import pytest

from gauntlet.adapters.terraform import Terraform, find_terraform
from gauntlet.core.errors import RequirementError
from tests.infra_trial import LOCAL_STATE, names_in, plan_document, state_of, write_config

pytestmark = pytest.mark.infra


def test_the_way_from_a_plan_to_both_stacks(trial, tmp_path):
    document = plan_document(trial)
    assert [(one["stack"], one["changes"]) for one in document["stacks"]] == [("infra", True)]
    assert document["stacks"][0]["steps"] == [{"verb": "make", "address": "terraform_data.base", "note": ""}]
    assert document["waiting"] == ["workspace"]
    code, out, _ = trial("create")
    assert code == 0
    assert "✓ made terraform_data.base" in out
    document = plan_document(trial)
    assert [(one["stack"], one["changes"]) for one in document["stacks"]] == [("infra", False), ("workspace", True)]
    assert trial("create")[0] == 0
    assert names_in(tmp_path, "workspace") == ["job"]
    assert [one["changes"] for one in plan_document(trial)["stacks"]] == [False, False]


def test_a_change_and_its_reason_are_told(made, tmp_path):
    main = tmp_path / "infra" / "stacks" / "infra" / "main.tf"
    main.write_text(main.read_text().replace("input = var.tags", "triggers_replace = var.tags"))
    code, out, _ = made("plan", "--stack", "infra")
    assert code == 0
    assert "± replace  terraform_data.base (forced by triggers_replace)" in out
    assert "1 to replace" in out
    assert "gauntlet infra create" in out


def test_nothing_is_created_without_a_plan(trial):
    code, _, err = trial("create")
    assert code == 2
    assert "nothing is planned; run `gauntlet infra plan" in err
    code, _, err = trial("create", "--stack", "infra")
    assert code == 2
    assert "no plan was made of this stack" in err


def test_stack_workspace_is_not_planned_before_there_is_a_workspace(trial):
    code, _, err = trial("plan", "--stack", "workspace")
    assert code == 2
    assert "not made yet; plan and create stack infra first" in err


def test_a_plan_is_stale_once_a_file_changed(trial, tmp_path):
    trial("plan")
    with (tmp_path / "infra" / "stacks" / "infra" / "main.tf").open("a") as stream:
        stream.write("# a word more\n")
    code, _, err = trial("create")
    assert code == 1
    assert "the plan is stale: the stack's files changed" in err
    assert state_of(tmp_path) is None


def test_a_plan_is_stale_once_somebody_else_changed_the_state(trial, tmp_path):
    trial("plan")
    for command in ("plan", "create"):
        assert trial(command, "--state", tmp_path / "of somebody else")[0] == 0
    code, _, err = trial("create")
    assert code == 1
    assert err.count("error: ") == 1
    assert "the plan is stale: the state, or Terraform itself, changed" in err


def test_a_configuration_that_changed_since_init_is_not_planned(trial, tmp_path):
    write_config(tmp_path / "infra", LOCAL_STATE | {"azure.vcpu_quota": "8"})
    trial("plan")
    write_config(tmp_path / "infra", LOCAL_STATE | {"azure.region": '"northeurope"'})
    code, _, err = trial("plan")
    assert code == 2
    assert "terraform.auto.tfvars.json: is not what" in err
    assert "run `gauntlet infra init" in err


def test_a_rule_of_a_module_that_refuses_is_one_error(trial, tmp_path):
    rule = 'condition = var.preset == "none"\n      error_message = "8 vCPUs do not fit a quota of 4."'
    with (tmp_path / "infra" / "stacks" / "infra" / "main.tf").open("a") as stream:
        stream.write(
            f'resource "terraform_data" "a" {{\n  lifecycle {{\n    precondition {{\n      {rule}\n    }}\n  }}\n}}\n'
        )
    code, out, err = trial("plan", "--json")
    assert (code, err) == (2, "stack infra: planning\n")
    assert "Resource precondition failed: 8 vCPUs do not fit a quota of 4. (main.tf:" in json.loads(out)["error"]


def test_an_old_terraform_is_refused_before_it_sees_the_stacks(trial, tmp_path, monkeypatch):
    """The program is a script that prints what Terraform 0.12 does."""
    program = tmp_path / "bin" / "terraform"
    program.parent.mkdir()
    program.write_text("#!/bin/sh\necho 'Terraform v0.12.31'\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(program.parent))
    code, _, err = trial("plan")
    assert code == 3
    assert "is Terraform 0.12.31; the modules take 1.9 and newer" in err


def test_no_terraform_is_said_with_what_to_do(trial, monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    code, _, err = trial("plan")
    assert code == 3
    assert "no terraform on PATH; install Terraform 1.9 or newer" in err


def test_providers_that_cannot_be_had_are_said(trial, tmp_path, monkeypatch):
    (tmp_path / "empty").mkdir()
    configuration = tmp_path / "terraform.rc"
    configuration.write_text(
        f'provider_installation {{\n  filesystem_mirror {{\n    path = "{tmp_path / "empty"}"\n  }}\n}}\n'
    )
    monkeypatch.setenv("TF_CLI_CONFIG_FILE", str(configuration))
    with (tmp_path / "infra" / "stacks" / "infra" / "main.tf").open("a") as stream:
        stream.write('terraform {\n  required_providers {\n    none = {\n      source = "nobody/none"\n    }\n  }\n}\n')
    code, _, err = trial("plan")
    assert code == 3
    assert "Terraform's providers cannot be had" in err


def test_a_backend_is_not_reached_without_a_login(trial, tmp_path):
    main = tmp_path / "infra" / "stacks" / "infra" / "main.tf"
    main.write_text(main.read_text().replace('backend "local" {}', 'backend "azurerm" {}'))
    write_config(tmp_path / "infra")
    assert trial("init")[0] == 0
    code, _, err = trial("plan")
    assert code == 3
    assert "not logged in to Azure" in err


def test_a_backend_that_is_not_there_is_said_with_what_makes_it(shell, tmp_path):
    (tmp_path / "main.tf").write_text('terraform {\n  backend "azurerm" {}\n}\n')
    with pytest.raises(
        RequirementError, match=r"the backend, .*, is not there \(.*\); make it once with infra_modules/"
    ):
        Terraform(tmp_path, program=find_terraform()).init()


def test_sensitive_outputs_are_named_and_not_shown(trial, tmp_path):
    with (tmp_path / "infra" / "stacks" / "infra" / "main.tf").open("a") as stream:
        stream.write('output "key" {\n  value     = "correct-horse"\n  sensitive = true\n}\n')
    shown = [trial("plan"), trial("create"), trial("outputs", "--write"), trial("outputs", "--json")]
    assert [code for code, _, _ in shown] == [0, 0, 0, 0]
    assert "correct-horse" not in "".join(out + err for _, out, err in shown)
    assert json.loads(shown[3][1])["outputs"]["infra"]["key"] is None
    written = (tmp_path / "state" / "databricks_target.toml").read_text()
    assert 'host = "https://adb-1.1.azuredatabricks.net"' in written
    assert "correct-horse" not in written


def test_outputs_of_nothing_are_an_error(trial):
    code, _, err = trial("outputs")
    assert code == 2
    assert "nothing is made yet" in err


def test_nothing_is_destroyed_without_the_environments_name(made, tmp_path, monkeypatch):
    for typed, message in (("prod\n", "'prod' is not the environment's name"), ("", "nobody was there to type")):
        monkeypatch.setattr(sys, "stdin", io.StringIO(typed))
        code, out, err = made("destroy", "--stack", "workspace")
        assert code == 1
        assert "- destroy  terraform_data.job" in out
        assert message in err
    assert names_in(tmp_path, "workspace") == ["job"]
    monkeypatch.setattr(sys, "stdin", io.StringIO("dev\n"))
    assert made("destroy", "--stack", "workspace")[0] == 0
    assert names_in(tmp_path, "workspace") == []
    assert names_in(tmp_path) == ["base"]


def test_the_stack_that_holds_the_data_goes_only_where_that_is_said(made, tmp_path):
    code, _, err = made("destroy", "--auto-approve")
    assert code == 1
    assert "stack infra holds the storage account gauntletdev" in err
    code, _, err = made("destroy", "--auto-approve", "--include-data", "--stack", "infra")
    assert code == 2
    assert "still made, and nothing could reach it afterwards" in err
    assert (names_in(tmp_path), names_in(tmp_path, "workspace")) == (["base"], ["job"])
    code, out, _ = made("destroy", "--auto-approve", "--include-data", "--json")
    assert code == 0
    assert [one["stack"] for one in json.loads(out)["destroyed"]] == ["workspace", "infra"]
    assert (names_in(tmp_path), names_in(tmp_path, "workspace")) == ([], [])


def test_the_complete_example_from_its_file_to_its_end(shell, tmp_path):
    """With the stand-in for azurerm and databricks, whatever the tier: nothing is made in a cloud."""
    folder, options = tmp_path / "infra", ("--state", tmp_path / "state")
    write_config(folder, LOCAL_STATE)
    assert shell("init", folder)[0] == 0
    for command in ("plan", "create", "plan"):
        code, out, err = shell(command, folder, *options)
        assert code == 0, err
    assert "fits: module.ml_cluster.databricks_cluster.this takes 4 of 4 vCPUs" in out
    documents = sorted((tmp_path / "state").rglob("plan.json"))
    code, out, err = shell("gate", *documents)
    assert code == 0, out + err
    assert shell("create", folder, *options)[0] == 0
    code, out, _ = shell("plan", folder, *options, "--json")
    assert [one["changes"] for one in json.loads(out)["stacks"]] == [False, False]
    code, out, _ = shell("destroy", folder, *options, "--stack", "workspace", "--auto-approve", "--json")
    (done,) = json.loads(out)["destroyed"]
    assert {"module.ml_cluster.databricks_cluster.this", "module.ml_job.databricks_job.this"} <= {
        step["address"] for step in done["steps"]
    }
    assert {address.split(".")[2] for address in done["kept"]} >= {
        "databricks_schema",
        "databricks_volume",
        "databricks_registered_model",
        "databricks_mlflow_experiment",
        "databricks_external_location",
    }


def test_what_a_lock_keeps_is_not_destroyed(shell, tmp_path):
    folder, options = tmp_path / "infra", ("--state", tmp_path / "state")
    write_config(folder, LOCAL_STATE | {"variables.infra.lock_enabled": "true"})
    for command in ("init", "plan", "create"):
        assert shell(command, folder, *options)[0] == 0
    before = state_of(tmp_path)
    code, _, err = shell("destroy", folder, *options, "--include-data", "--auto-approve")
    assert code == 1
    assert "azurerm_management_lock.storage[0] keeps the data from being destroyed" in err
    assert "lock_enabled = false under [variables.infra]" in err
    assert state_of(tmp_path) == before
