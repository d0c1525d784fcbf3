"""An environment for tests of `gauntlet infra`: its infra.toml, and stacks that need no provider."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from importlib import resources
from pathlib import Path
from typing import Any

from gauntlet.adapters.infra_stacks import known_regions
from gauntlet.core.infra_config import InfraConfig, load_infra_config
from gauntlet.core.infra_inputs import stack_inputs
from gauntlet.core.problem_file import load_problem

TEMPLATE = resources.files("gauntlet") / "infra" / "infra.toml"
SUBSCRIPTION = "00000000-0000-0000-0000-000000000001"

_FILLED_IN = {
    "owner": '"ada@example.com"',
    "azure.subscription_id": f'"{SUBSCRIPTION}"',
    "azure.storage_account": '"gauntletdev"',
    "backend.resource_group": '"rg-state"',
    "backend.storage_account": '"gauntletstate"',
}
LOCAL_STATE = {"backend.kind": '"local"'} | {
    f"backend.{key}": None for key in ("resource_group", "storage_account", "container")
}


def config_text(changes: dict[str, str | None] | None = None) -> str:
    """Return the template, filled in.

    Args:
        changes: Values, as TOML has them, by dotted key; None takes the key out. One that is commented out comes in.
    """
    wanted = _FILLED_IN | (changes or {})
    section, lines, used = "", [], set()
    for line in TEMPLATE.read_text(encoding="utf-8").splitlines():
        if match := re.match(r"\[([\w.]+)\]", line):
            section = f"{match[1]}."
        match = re.match(r"(?:# )?(\w+) =", line)
        key = f"{section}{match[1]}" if match else ""
        if key in wanted:
            used.add(key)
            lines += [] if wanted[key] is None else [f"{match[1]} = {wanted[key]}"]
        else:
            lines.append(line)
    missing = wanted.keys() - used
    if missing:
        raise KeyError(f"the template does not name {', '.join(sorted(missing))}")
    return "\n".join(lines) + "\n"


def write_config(folder: Path, changes: dict[str, str | None] | None = None) -> InfraConfig:
    """Write a filled-in infra.toml into a folder, and return what it says."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "infra.toml").write_text(config_text(changes), encoding="utf-8")
    return load_infra_config(folder, regions=known_regions())


def write_stacks(folder: Path, *, infra: str, workspace: str = "") -> None:
    """Write two stacks without providers.

    Args:
        folder: The folder with infra.toml.
        infra: The resources and outputs of stack infra; ``workspace_url`` is there already.
        workspace: Those of stack workspace.
    """
    config = load_infra_config(folder, regions=known_regions())
    inputs = stack_inputs(config, load_problem().names["databricks"])
    bodies = {"infra": infra + 'output "workspace_url" {\n  value = "https://adb-1.1.azuredatabricks.net"\n}\n'}
    bodies["workspace"] = workspace
    for name, body in bodies.items():
        variables = [*inputs[name], *(["workspace_url"] if name == "workspace" else [])]
        declared = "".join(f'variable "{variable}" {{\n  type = any\n}}\n' for variable in variables)
        stack = folder / "stacks" / name
        stack.mkdir(parents=True, exist_ok=True)
        (stack / "main.tf").write_text('terraform {\n  backend "local" {}\n}\n' + declared + body, encoding="utf-8")


def state_of(tmp_path: Path, stack: str = "infra") -> Any:
    """Return the state of a stack of the environment in ``infra``; None if it has none."""
    path = tmp_path / "infra" / "stacks" / stack / "terraform.tfstate"
    return json.loads(path.read_text()) if path.is_file() else None


def names_in(tmp_path: Path, stack: str = "infra") -> list[str]:
    """Return the names of the resources in a stack's state, sorted."""
    return sorted(resource["name"] for resource in state_of(tmp_path, stack)["resources"])


def plan_document(trial: Callable[..., tuple[int, str, str]], *options: str) -> Any:
    """Plan an environment, and return what ``gauntlet infra plan --json`` prints."""
    code, out, _ = trial("plan", "--json", *options)
    assert code == 0
    return json.loads(out)
