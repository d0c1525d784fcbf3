"""The configuration of an environment: one clear message for each mistake, and the values that it stands for."""

import json
import re

import pytest

from gauntlet import cli
from gauntlet.adapters.infra_stacks import known_regions
from gauntlet.core.infra_config import InfraConfig, InfraConfigError, load_infra_config
from gauntlet.core.infra_inputs import stack_inputs
from gauntlet.core.problem_file import load_problem
from tests.infra_trial import LOCAL_STATE, SUBSCRIPTION, TEMPLATE, config_text, write_config

pytestmark = pytest.mark.unit


def _inputs(config):
    return stack_inputs(config, load_problem().names["databricks"])


def _keys(model, start=""):
    for name, field in model.model_fields.items():
        inner = getattr(field.annotation, "model_fields", None)
        yield from _keys(field.annotation, f"{start}{name}.") if inner else [f"{start}{name}"]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"azure.region": '"West Euroe"'},
            "azure.region: 'West Euroe' is no Azure region known here; did you mean westeu",
        ),
        ({"azure.region": '"moon"'}, "azure.region: 'moon' is no Azure region known here; `az account list-locations`"),
        (
            {"azure.storage_account": '"Gauntlet-Dev"'},
            "azure.storage_account: 'Gauntlet-Dev': Azure wants 3 to 24 lower-case letters and digits, no capitals; "
            "this would do: 'gauntletdev'",
        ),
        ({"azure.storage_account": '"x"'}, "azure.storage_account: 'x': Azure wants 3 to 24"),
        ({"azure.subscription_id": None}, "azure.subscription_id: missing"),
        ({"azure.subscription_id": '"mine"'}, "azure.subscription_id: 'mine' is no subscription's id"),
        ({"azure.resource_group": '"rg."'}, "azure.resource_group: 'rg.': Azure wants 1 to 90"),
        ({"azure.workspace": '"my workspace"'}, "azure.workspace: 'my workspace': Azure wants 3 to 64"),
        ({"azure.preset": '"prod"'}, "azure.preset: input should be 'dev' or 'hardened', not 'prod'"),
        ({"azure.vcpu_quota": "0"}, "azure.vcpu_quota: input should be greater than or equal to 1, not 0"),
        ({"cluster.workers": "-1"}, "cluster.workers: input should be greater than or equal to 0, not -1"),
        ({"cluster.autotermination_minutes": "0"}, "cluster.autotermination_minutes: input should be greater"),
        ({"environment": '"Dev"'}, "environment: 'Dev': give 2 to 20 lower-case letters"),
        ({"owner": '""'}, "owner: string should have at least 1 character"),
        ({"owner": None}, "owner: missing"),
        ({"pipeline.wheel": '"dist/gauntlet.zip"'}, "pipeline.wheel: 'dist/gauntlet.zip' is no wheel's name"),
        ({"backend.container": None}, 'backend: kind = "azurerm" needs container too'),
        (
            {"backend.kind": '"local"'},
            'backend: kind = "local" keeps the state beside each stack; remove the other keys',
        ),
        (
            {"backend.storage_account": '"gauntletdev"'},
            "backend.storage_account: the state cannot be kept in the account",
        ),
        ({"backend.key": '"../dev"'}, "backend.key: string should match pattern"),
    ],
)
def test_each_mistake_has_one_message_with_file_key_and_what_was_expected(tmp_path, changes, message):
    with pytest.raises(InfraConfigError) as caught:
        write_config(tmp_path, changes)
    assert str(caught.value).startswith(f"{tmp_path / 'infra.toml'}: {message}")
    assert "\n" not in str(caught.value)


def test_all_mistakes_are_told_at_once(tmp_path):
    with pytest.raises(InfraConfigError) as caught:
        write_config(tmp_path, {"azure.region": '"moon"', "owner": None, "azure.vcpu_quota": '"four"'})
    found = [re.match(r".*infra.toml: ([\w.]+):", line)[1] for line in str(caught.value).splitlines()]
    assert sorted(found) == ["azure.region", "azure.vcpu_quota", "owner"]


@pytest.mark.parametrize("section", ["", "azure.", "cluster.", "pipeline.", "backend."])
def test_an_unknown_key_is_named(tmp_path, section):
    name = section.rstrip(".")
    text = config_text().replace(f"[{name}]\n", f"[{name}]\nregoin = 1\n") if name else "regoin = 1\n" + config_text()
    (tmp_path / "infra.toml").write_text(text, encoding="utf-8")
    with pytest.raises(InfraConfigError, match=rf"{section}regoin: unknown key; see the commented file"):
        load_infra_config(tmp_path, regions=known_regions())


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "cannot be read .*; `gauntlet infra init .*` writes one to fill in"),
        (b"a = = 1", "not TOML: "),
        (b"a = '\xff'", "not UTF-8 text at byte 5"),
    ],
)
def test_a_file_that_cannot_be_read_is_named(tmp_path, content, message):
    if content is not None:
        (tmp_path / "infra.toml").write_bytes(content)
    with pytest.raises(InfraConfigError, match=rf"^{tmp_path / 'infra.toml'}: {message}"):
        load_infra_config(tmp_path, regions=known_regions())


def test_a_region_newer_than_the_modules_is_taken_where_it_is_stated(tmp_path):
    config = write_config(tmp_path, {"azure.region": '"mooneast"', "azure.further_regions": '["mooneast"]'})
    assert _inputs(config)["infra"]["location"] == "mooneast"
    assert _inputs(config)["infra"]["further_regions"] == ["mooneast"]


def test_the_template_names_every_key_and_is_right_once_it_is_filled_in(tmp_path):
    named, section = set(), ""
    for line in TEMPLATE.read_text(encoding="utf-8").splitlines():
        if match := re.match(r"\[([\w.]+)\]", line):
            section = f"{match[1]}."
            named.add(match[1].split(".")[0])
        elif match := re.match(r"(?:# )?(\w+) =", line):
            named.add(f"{section}{match[1]}")
    assert set(_keys(InfraConfig)) <= named
    config = write_config(tmp_path)
    assert (config.environment, config.azure.vcpu_quota, config.cluster.workers) == ("dev", 4, 0)


def test_the_values_of_the_stacks_are_those_of_the_configuration_and_of_the_problem_file(tmp_path):
    config = write_config(
        tmp_path,
        {"tags.cost_center": '"4711"', "cluster.workers": "2", "pipeline.wheel": '"../a-1.2-py3-none-any.whl"'},
    )
    inputs = _inputs(config)
    tags = {"project": "gauntlet", "environment": "dev", "owner": "ada@example.com", "cost_center": "4711"}
    assert inputs["infra"] == {
        "subscription_id": SUBSCRIPTION,
        "location": "westeurope",
        "resource_group_name": "rg-gauntlet-dev",
        "storage_account_name": "gauntletdev",
        "workspace_name": "gauntlet-dev",
        "preset": "dev",
        "tags": tags,
    }
    names = load_problem().names["databricks"].model_dump(by_alias=True)
    assert inputs["workspace"] == names | {
        "node_type": "Standard_DS3_v2",
        "num_workers": 2,
        "autotermination_minutes": 20,
        "vcpu_quota": 4,
        "wheel_file": "../../../a-1.2-py3-none-any.whl",  # from the stack's folder, two below
        "wheel_version": "1.2",
        "tags": tags,
    }


def test_any_other_variable_of_a_stack_can_be_set_but_none_that_a_key_stands_for(tmp_path):
    config = write_config(
        tmp_path, {"variables.infra.lock_enabled": "false", "variables.workspace.create_catalog": "true"}
    )
    assert _inputs(config)["infra"]["lock_enabled"] is False
    assert _inputs(config)["workspace"]["create_catalog"] is True
    text = config_text() + "vcpu_quota = 8\n"  # the last section is variables.workspace
    (tmp_path / "infra.toml").write_text(text, encoding="utf-8")
    with pytest.raises(InfraConfigError, match=r"variables.workspace.vcpu_quota: azure.vcpu_quota sets it"):
        _inputs(load_infra_config(tmp_path, regions=known_regions()))


def _run(capsys, *arguments):
    with pytest.raises(SystemExit) as caught:
        cli.main(["infra", *arguments])
    captured = capsys.readouterr()
    return caught.value.code, captured.out, captured.err


def _files(folder):
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def test_init_writes_a_template_first_and_nothing_else_before_it_is_right(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    code, out, _ = _run(capsys, "init")
    assert (code, _files(tmp_path)) == (0, ["infra/infra.toml"])
    assert "Fill it in (owner, subscription_id, storage_account" in out
    code, out, err = _run(capsys, "init")
    assert (code, out, _files(tmp_path)) == (2, "", ["infra/infra.toml"])
    assert err.startswith("error: infra/infra.toml: owner: ")
    assert "Traceback" not in err


def test_init_writes_the_stacks_with_their_inputs_and_a_second_time_nothing(tmp_path, capsys):
    write_config(tmp_path)
    code, out, _ = _run(capsys, "init", str(tmp_path), "--json")
    assert code == 0
    assert len(json.loads(out)["written"]) == 8
    stack = tmp_path / "stacks" / "infra"
    assert json.loads((stack / "terraform.auto.tfvars.json").read_text())["storage_account_name"] == "gauntletdev"
    assert 'key = "dev/infra.tfstate"' in (stack / "backend.conf").read_text()
    assert 'storage_account_name = "gauntletstate"' in (stack / "backend.conf").read_text()
    code, out, _ = _run(capsys, "init", str(tmp_path), "--json")
    assert json.loads(out) == {"environment": "dev", "written": []}


def test_init_follows_the_backend_there_and_back(tmp_path, capsys):
    stack = tmp_path / "stacks" / "infra"
    for changes, present, absent in (
        (LOCAL_STATE, "backend_override.tf", "backend.conf"),
        ({}, "backend.conf", "backend_override.tf"),
        (LOCAL_STATE, "backend_override.tf", "backend.conf"),
    ):
        write_config(tmp_path, changes)
        assert _run(capsys, "init", str(tmp_path))[0] == 0
        assert (stack / present).is_file()
        assert not (stack / absent).exists()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"pipeline.problem": '"none.toml"'}, "none.toml: cannot be read"),
        ({"pipeline.wheel": '"a-1.2-py3-none-any.whl"'}, "pipeline.wheel: no such file"),
        ({"variables.infra.budget": "{ amount = 1979-05-27 }"}, "variables.infra.budget"),
        ({"variables.infra.budget": "{ amount = nan }"}, "variables.infra.budget"),
    ],
)
def test_init_refuses_what_the_configuration_leads_to(tmp_path, capsys, changes, message):
    (tmp_path / "infra.toml").write_text(config_text(changes), encoding="utf-8")
    code, _, err = _run(capsys, "init", str(tmp_path))
    assert code == 2
    assert message in err
    assert _files(tmp_path) == ["infra.toml"]


def test_a_variable_that_a_stack_of_ones_own_does_not_have_is_named(tmp_path, capsys):
    write_config(tmp_path, {"variables.infra.lock_enabled": "false"})
    stack = tmp_path / "stacks" / "infra"
    stack.mkdir(parents=True)
    (stack / "main.tf").write_text('variable "location" {}\n', encoding="utf-8")
    code, _, err = _run(capsys, "init", str(tmp_path))
    assert code == 2
    assert "declares no variable lock_enabled, preset" in err
    assert _files(tmp_path) == ["infra.toml", "stacks/infra/main.tf"]
