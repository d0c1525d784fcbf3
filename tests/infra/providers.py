"""This module provides the choice of providers: the real ones where Terraform can get them, else the stand-in.

The order is: a folder of providers (GAUNTLET_PROVIDER_MIRROR), the registry, the stand-in. One short look decides, and
there is no second try. What the real providers cannot do without an account goes through the stand-in in every tier: a
plan of azurerm (it fetches a token first) and every apply.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gauntlet.core.errors import RequirementError
from tests.infra.stand_in.facts import PROVIDERS, load
from tests.infra.stand_in.process import running_stand_in
from tests.infra.terraform_runs import ROOT, Terraform, TerraformRunError

MIRROR_VARIABLE = "GAUNTLET_PROVIDER_MIRROR"
_PASSED = ("PATH", "TMPDIR", "LANG", "LC_ALL", "SSL_CERT_FILE", "SSL_CERT_DIR")
_NOBODY = "https://adb-1.1.azuredatabricks.net"


class NoProvidersError(Exception):
    """Neither the real providers nor the stand-in are to be had; the message says why."""


@dataclass(frozen=True)
class Providers:
    """The providers of a test run.

    Attributes:
        tier: ``real`` or ``stand-in``.
        terraform: Terraform's version.
        versions: The version of each provider; for the stand-in that of the schema its facts were taken from.
        environment: The environment for ``init``, ``validate`` and ``test`` with mocks.
        plan_environment: The environment for a plain plan: the stand-in in place of azurerm.
        apply_environment: The environment for plan and apply in a row: the stand-in in place of both.
        not_checked: What no test of this run can show, one sentence each.
    """

    tier: str
    terraform: str
    versions: dict[str, str]
    environment: dict[str, str]
    plan_environment: dict[str, str]
    apply_environment: dict[str, str]
    not_checked: tuple[str, ...]

    @property
    def summary(self) -> str:
        """The providers in one line."""
        versions = ", ".join(f"{name} {version}" for name, version in self.versions.items())
        what = f"the real {versions}" if self.tier == "real" else f"the stand-in, with the types of {versions}"
        return f"ran with Terraform {self.terraform} and {what}"


@contextmanager
def chosen_providers(work: Path, *, require_real: bool = False) -> Iterator[Providers]:
    """Choose the providers and keep what they need running.

    Args:
        work: An empty folder for configuration files.
        require_real: Refuse the stand-in in place of the real ones.

    Raises:
        NoProvidersError: There is no Terraform; or no real providers where they are required; or no stand-in either.
    """
    base = bare_environment(work)
    try:
        terraform = Terraform(work, environment=base).version()
    except RequirementError as error:
        raise NoProvidersError(str(error)) from error
    found, reason = _real_versions(work, base)
    if not found and require_real:
        raise NoProvidersError(f"--require-providers: {reason}")
    with running_stand_in(stand_in_python()) as attached:
        both = base | attached
        if found:
            azurerm_only = base | {"TF_REATTACH_PROVIDERS": _only(attached["TF_REATTACH_PROVIDERS"], "azurerm")}
            yield Providers("real", terraform, found, base, azurerm_only, both, _NOT_CHECKED_REAL)
        else:
            versions = {name: load(name).version for name in PROVIDERS}
            said = (f"the real providers ({reason})", *_NOT_CHECKED_STAND_IN)
            yield Providers("stand-in", terraform, versions, both, both, both, said)


_NOT_CHECKED_REAL = (
    "plans of azurerm and every apply go through the stand-in: the real provider wants a token before it plans",
    "nothing was created in a cloud (see GAUNTLET_LIVE_SUBSCRIPTION): quotas, permissions, names already taken",
)
_NOT_CHECKED_STAND_IN = (
    "what the real providers check beyond their schema: enums, formats, conflicts, defaults, rules between arguments",
    "versions of the providers other than those the facts were taken from",
    "nothing was created in a cloud (see GAUNTLET_LIVE_SUBSCRIPTION): quotas, permissions, names already taken",
)


def bare_environment(work: Path) -> dict[str, str]:
    """Return the environment of all runs: nothing of the user's accounts, configuration or plugins.

    Args:
        work: A folder for Terraform's own configuration file and an empty home.
    """
    passed = {name: os.environ[name] for name in _PASSED if name in os.environ}
    passed |= {name: value for name, value in os.environ.items() if name.lower().endswith("_proxy")}
    mirror = os.environ.get(MIRROR_VARIABLE)
    # What the registry gave is kept between runs; a mirror may be somebody's trial, which must not stay for the next.
    plugins = work / "plugins" if mirror else ROOT / ".tox" / "terraform_plugins"
    home, configuration = work / "home", work / "terraform.rc"
    for folder in (home, plugins):
        folder.mkdir(parents=True, exist_ok=True)
    configuration.write_text(_configuration(mirror), encoding="utf-8")
    return passed | {
        "HOME": str(home),
        "TF_CLI_CONFIG_FILE": str(configuration),
        "TF_PLUGIN_CACHE_DIR": str(plugins),
        "TF_PLUGIN_CACHE_MAY_BREAK_DEPENDENCY_LOCK_FILE": "1",
        "TF_IN_AUTOMATION": "1",
        "CHECKPOINT_DISABLE": "1",
        # One short look at the registry, where there is none.
        "TF_REGISTRY_DISCOVERY_RETRY": "0",
        "TF_REGISTRY_CLIENT_TIMEOUT": "5",
        # The databricks provider plans new resources without a call, but wants to know whom it would call.
        "DATABRICKS_CONFIG_FILE": os.devnull,
        "DATABRICKS_HOST": _NOBODY,
        "DATABRICKS_TOKEN": "nobody",
        "DATABRICKS_AUTH_TYPE": "pat",
    }


def _configuration(mirror: str | None) -> str:
    if not mirror:
        return "disable_checkpoint = true\n"
    path = json.dumps(str(Path(mirror).resolve()))
    return f"disable_checkpoint = true\nprovider_installation {{\n  filesystem_mirror {{\n    path = {path}\n  }}\n}}\n"


def _real_versions(work: Path, environment: dict[str, str]) -> tuple[dict[str, str], str]:
    """Return the versions of the real providers, or nothing and the reason why they are not to be had."""
    mirror = os.environ.get(MIRROR_VARIABLE)
    probe = work / "probe"
    probe.mkdir()
    (probe / "main.tf.json").write_text(json.dumps(_probe()), encoding="utf-8")
    terraform = Terraform(probe, environment=environment)
    try:
        terraform.init()
    except (TerraformRunError, RequirementError) as error:
        where = mirror or f"the registry, and {MIRROR_VARIABLE} is not set"
        return {}, f"terraform init got none from {where}: {_reason(str(error))}"
    selected = json.loads(terraform.run("version", json=True).output)["provider_selections"]
    return {name: selected[f"registry.terraform.io/{load(name).source}"] for name in PROVIDERS}, ""


def _probe() -> dict[str, Any]:
    ranges = {"azurerm": ">= 4.12, < 6.0", "databricks": ">= 1.123, < 2.0"}
    needed = {name: {"source": load(name).source, "version": ranges[name]} for name in PROVIDERS}
    return {"terraform": {"required_providers": needed}}


def _reason(text: str) -> str:
    """Return the sentence in which Terraform says why, from the paragraph after the first error's headline."""
    _, _, rest = text.partition("Error: ")
    paragraphs = [" ".join(part.split()) for part in rest.replace("│", " ").split("\n\n")]
    return next((part for part in paragraphs[1:] if part), _last_line(text))


def _last_line(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1] if lines else "no reason given"


def _only(attachments: str, provider: str) -> str:
    held = {name: value for name, value in json.loads(attachments).items() if name.endswith(f"/{provider}")}
    return json.dumps(held)


def stand_in_python() -> Path:
    """Return the interpreter of the stand-in's environment, which is made when it is not there.

    Raises:
        NoProvidersError: It could not be made.
    """
    folder = ROOT / ".tox" / "stand_in"
    command = [sys.executable, str(ROOT / "ci" / "tool_environment.py"), str(folder), str(ROOT / "ci" / "stand_in.txt")]
    made = subprocess.run(command, capture_output=True, text=True, check=False)
    if made.returncode != 0:
        raise NoProvidersError(f"the stand-in's environment could not be made: {_last_line(made.stderr)}")
    return folder / "bin" / "python"
