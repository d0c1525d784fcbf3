"""The scripts behind the infrastructure tests: environments of tools, tables in the modules' READMEs."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from tests.infra.terraform_runs import ROOT

pytestmark = pytest.mark.infra


def script(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"ci_{name}", ROOT / "ci" / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class Installer:
    """In place of venv and pip: counts, and fails when told to."""

    def __init__(self) -> None:
        self.commands: list[list[str]] = []
        self.code = 0

    def __call__(self, command: list[str], **options: Any) -> None:
        self.commands.append(command)
        if self.code:
            raise subprocess.CalledProcessError(self.code, command)


@pytest.fixture
def tool(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    module = script("tool_environment")
    builder = SimpleNamespace(create=lambda folder: folder.mkdir(exist_ok=True))
    monkeypatch.setattr(module, "venv", SimpleNamespace(EnvBuilder=lambda **_options: builder))
    error = subprocess.CalledProcessError
    monkeypatch.setattr(module, "subprocess", SimpleNamespace(run=Installer(), CalledProcessError=error))
    return module


def test_environment_is_made_once_and_anew_when_its_list_changes(tool: ModuleType, tmp_path: Path) -> None:
    requirements = tmp_path / "tool.txt"
    arguments = [str(tmp_path / "made" / "tool"), str(requirements)]
    for text, installations in (("one==1\n", 1), ("one==1\n", 1), ("one==2\n", 2), ("one==2\n", 2)):
        requirements.write_text(text)
        assert tool.main(arguments) == 0
        assert len(tool.subprocess.run.commands) == installations
    assert tool.subprocess.run.commands[0][-3:] == ["--no-deps", "-r", str(requirements)]


def test_a_broken_installation_is_not_taken_for_a_whole_one(tool: ModuleType, tmp_path: Path, capsys: Any) -> None:
    requirements = tmp_path / "tool.txt"
    requirements.write_text("one==1\n")
    arguments = [str(tmp_path / "tool"), str(requirements)]
    tool.subprocess.run.code = 2
    assert tool.main(arguments) == 1
    assert "pip ended with exit code 2" in capsys.readouterr().err
    tool.subprocess.run.code = 0
    assert tool.main(arguments) == 0
    assert len(tool.subprocess.run.commands) == 2


def test_arguments_must_be_two(tool: ModuleType) -> None:
    assert tool.main(["one"]) == 2


@pytest.mark.parametrize("file", ["stand_in.txt"])
def test_lists_of_tools_are_plain_pins(file: str) -> None:
    lines = (ROOT / "ci" / file).read_text(encoding="utf-8").splitlines()
    names = [line.partition("==")[0] for line in lines]
    assert names == sorted(names)
    assert all(line.partition("==")[2].replace(".", "").isalnum() for line in lines)


VARIABLES = """
variable "size" {
  description = "How large | how small."
  type        = number
  default     = 1
}

variable "name" {
  description = "What it is called."
  type        = object({ first = string, last = optional(string, "none") })
}
"""
TABLES = """## Inputs
| name | type | default | description |
|---|---|---|---|
| `name` | `object({first = string, last = optional(string, "none")})` | required | What it is called. |
| `size` | `number` | `1` | How large \\| how small. |

## Outputs
| name | description |
|---|---|
| `secret` | It is hidden. Sensitive. |"""
README = "# thing\n\nA thing of `one` kind. It does more.\n\n{}\n"
MARKERS = "<!-- inputs and outputs: begin -->\n<!-- inputs and outputs: end -->"


@pytest.fixture
def page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The script over a folder with one module."""
    module = script("modules_page")
    folder = tmp_path / "infra_modules"
    thing = folder / "thing"
    thing.mkdir(parents=True)
    (thing / "main.tf").touch()
    (thing / "variables.tf").write_text(VARIABLES)
    (thing / "outputs.tf").write_text('output "secret" {\n  description = "It is hidden."\n  sensitive = true\n}\n')
    (thing / "README.md").write_text(README.format(MARKERS))
    (folder / "README.md").write_text("<!-- modules: begin -->\n<!-- modules: end -->\nAfter.\n")
    monkeypatch.setattr(module, "MODULES", folder)
    return module


def test_tables_are_written_between_their_markers(page: ModuleType) -> None:
    assert page.main([]) == 0
    begin, end = MARKERS.splitlines()
    assert (page.MODULES / "thing" / "README.md").read_text() == README.format(f"{begin}\n{TABLES}\n{end}")
    overview = (page.MODULES / "README.md").read_text()
    assert (
        "| [thing](thing/README.md) | A thing of `one` kind. | `name` | `secret` |\n<!-- modules: end -->" in overview
    )
    assert overview.endswith("-->\nAfter.\n")


def test_a_page_that_is_out_of_date_is_named_and_left(page: ModuleType, capsys: Any) -> None:
    page.main([])
    assert page.main(["--check"]) == 0
    outputs = page.MODULES / "thing" / "outputs.tf"
    outputs.write_text(outputs.read_text().replace("hidden", "not hidden"))
    before = (page.MODULES / "thing" / "README.md").read_text()
    assert page.main(["--check"]) == 1
    assert "infra_modules/thing/README.md: out of date; run ci/modules_page.py" in capsys.readouterr().err
    assert (page.MODULES / "thing" / "README.md").read_text() == before


def test_a_page_without_markers_is_named(page: ModuleType, capsys: Any) -> None:
    (page.MODULES / "thing" / "README.md").write_text(README.format(""))
    assert page.main(["--check"]) == 1
    assert "infra_modules/thing/README.md: needs the lines <!-- inputs" in capsys.readouterr().err


def test_the_workbench_tries_one_module() -> None:
    command = [sys.executable, "-m", "tests.infra.workbench", "validate", "infra_modules/model_serving"]
    tried = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert (tried.returncode, tried.stdout) == (0, "passed\n")
