"""The real providers are taken where Terraform can get them, else the stand-in, and nobody is left in doubt which."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.infra.providers import MIRROR_VARIABLE, NoProvidersError, Providers, bare_environment, chosen_providers
from tests.infra.stand_in.facts import PROVIDERS, load
from tests.infra.terraform_runs import ROOT, Terraform

pytestmark = pytest.mark.infra


@pytest.fixture
def mirror(providers: Providers, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A mirror folder with both providers; nothing starts them, so their programs are empty."""
    platform = json.loads(Terraform(tmp_path, environment=providers.environment).run("version", json=True).output)
    folder = tmp_path / "mirror"
    for name in PROVIDERS:
        facts = load(name)
        place = folder / "registry.terraform.io" / facts.source / facts.version / platform["platform"]
        place.mkdir(parents=True)
        program = place / f"terraform-provider-{name}_v{facts.version}"
        program.touch(mode=0o755)
    monkeypatch.setenv(MIRROR_VARIABLE, str(folder))
    return folder


def attached(environment: dict[str, str]) -> set[str]:
    return {name.rpartition("/")[2] for name in json.loads(environment.get("TF_REATTACH_PROVIDERS", "{}"))}


def test_providers_of_a_mirror_are_taken(mirror: Path, tmp_path: Path) -> None:
    (tmp_path / "work").mkdir()
    with chosen_providers(tmp_path / "work", require_real=True) as chosen:
        assert (chosen.tier, chosen.versions) == ("real", {name: load(name).version for name in PROVIDERS})
        uses = (chosen.environment, chosen.plan_environment, chosen.apply_environment)
        assert [attached(environment) for environment in uses] == [set(), {"azurerm"}, {"azurerm", "databricks"}]
        assert "the real azurerm" in chosen.summary
        assert not any("enums" in sentence for sentence in chosen.not_checked)


def test_the_stand_in_steps_in_for_a_provider_that_is_missing(mirror: Path, tmp_path: Path) -> None:
    facts = load("databricks")
    (mirror / "registry.terraform.io" / facts.source).rename(tmp_path / "away")
    (tmp_path / "work").mkdir()
    with chosen_providers(tmp_path / "work") as chosen:
        assert chosen.tier == "stand-in"
        assert attached(chosen.environment) == {"azurerm", "databricks"}
        assert "the stand-in" in chosen.summary
        assert chosen.not_checked[0].startswith("the real providers (terraform init got none from")
        assert any("enums" in sentence for sentence in chosen.not_checked)


def test_required_real_providers_are_not_replaced(mirror: Path, tmp_path: Path) -> None:
    (mirror / "registry.terraform.io" / load("azurerm").source).rename(tmp_path / "away")
    (tmp_path / "work").mkdir()
    with (
        pytest.raises(NoProvidersError, match="--require-providers: terraform init got none from"),
        chosen_providers(tmp_path / "work", require_real=True),
    ):
        pass


def test_where_the_registry_does_not_answer_the_stand_in_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(MIRROR_VARIABLE, raising=False)
    for name in ("HTTPS_PROXY", "https_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")  # every connection is refused at once
    with chosen_providers(tmp_path) as chosen:
        assert chosen.tier == "stand-in"
        assert f"{MIRROR_VARIABLE} is not set: Could not retrieve" in chosen.not_checked[0]
        assert "could not connect" in chosen.not_checked[0]


def test_nothing_of_the_users_accounts_reaches_terraform(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    theirs = {
        "ARM_CLIENT_SECRET": "theirs",
        "AWS_SECRET_ACCESS_KEY": "theirs",
        "DATABRICKS_TOKEN": "theirs",
        "DATABRICKS_HOST": "https://theirs",
        "DATABRICKS_CLIENT_SECRET": "theirs",
        "TF_CLI_ARGS": "-theirs",
        "TF_CLI_ARGS_plan": "-theirs",
        "TF_CLI_CONFIG_FILE": "theirs",
        "TF_DATA_DIR": "theirs",
        "TF_LOG": "theirs",
        "TF_VAR_name": "theirs",
        "TF_WORKSPACE": "theirs",
        "HOME": "/theirs",
    }
    for name, value in theirs.items():
        monkeypatch.setenv(name, value)
    environment = bare_environment(tmp_path)
    assert not [name for name, value in environment.items() if "theirs" in value]
    assert environment["DATABRICKS_CONFIG_FILE"] == os.devnull
    assert Path(environment["TF_CLI_CONFIG_FILE"]).is_file()


def run_without_terraform(*options: str, ci: str = "") -> subprocess.CompletedProcess[str]:
    """Run two tests, one that needs Terraform and one that does not, where Terraform is not to be found."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST")}
    environment |= {"PATH": str(Path(sys.executable).parent), "CI": ci}
    tests = [
        "tests/infra/test_module_standard.py::test_files_are_formatted",
        "tests/infra/test_module_standard.py::test_the_seven_modules_are_there",
    ]
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *tests, *options]
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)


@pytest.mark.parametrize(
    ("options", "ci", "code", "outcome"),
    [
        ((), "", 0, "1 passed, 1 skipped"),
        ((), "true", 1, "1 passed, 1 skipped"),
        (("--require-providers",), "", 1, "1 passed, 1 error"),
    ],
)
def test_what_is_not_run_without_terraform_is_listed(
    options: tuple[str, ...], ci: str, code: int, outcome: str
) -> None:
    ran = run_without_terraform(*options, ci=ci)
    assert outcome in ran.stdout
    assert "not checked: everything that needs Terraform; no terraform on PATH" in ran.stdout
    assert ran.returncode == code
