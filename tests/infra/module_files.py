"""This module provides what the modules' HCL files hold: variables, outputs, resources, rules, runs of tests."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import hcl2

from tests.infra.terraform_runs import EXAMPLES, MODULES

_OPTIONS = hcl2.SerializationOptions(strip_string_quotes=True, with_comments=False)
_RUN = re.compile(r'^run\s+"([^"]+)"', re.MULTILINE)


@dataclass(frozen=True)
class Rule:
    """A validation or a precondition.

    Attributes:
        on: What it stands on: ``var.NAME``, ``TYPE.NAME``, ``data.TYPE.NAME`` or ``output.NAME``.
        message: Its error_message, as written.
    """

    on: str
    message: str

    @property
    def literal(self) -> str:
        """The message without what is filled in: a bare expression is kept whole."""
        return self.message if self.message.startswith("${") else _without_interpolations(self.message)


def module_names() -> list[str]:
    """Return the names of all modules, in order."""
    return sorted(path.parent.name for path in MODULES.glob("*/main.tf"))


def example_names() -> list[str]:
    """Return the root stacks of the examples, by their path below ``examples``, in order."""
    return sorted(str(path.parent.relative_to(EXAMPLES)) for path in EXAMPLES.rglob("main.tf"))


def files_of_runs() -> list[Path]:
    """Return all test files of the modules and examples, in order."""
    return sorted(path for path in MODULES.rglob("*.tftest.hcl") if path.parent.name == "tests")


def run_names(file: Path) -> list[str]:
    """Return the runs of a test file, without parsing it: pytest asks for them in every session."""
    return _RUN.findall(file.read_text(encoding="utf-8"))


@cache
def parsed(file: Path) -> dict[str, Any]:
    """Return what a file holds."""
    with file.open(encoding="utf-8") as text:
        held: dict[str, Any] = hcl2.load(text, serialization_options=_OPTIONS)
    return held


def named_blocks(folder: Path, kind: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Give the blocks of one label (``variable``, ``output``, ``module``) of all files of a folder."""
    for file in sorted(folder.glob("*.tf")):
        for block in parsed(file).get(kind, []):
            yield from block.items()


def typed_blocks(folder: Path, kind: str) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Give the blocks of two labels (``resource``, ``data``) of all files of a folder: type, name, body."""
    for type_name, block in named_blocks(folder, kind):
        for name, body in block.items():
            if name != "__is_block__":
                yield type_name, name, body


def rules_of(folder: Path) -> list[Rule]:
    """Return all validations and preconditions of a module, those of its own inner modules too."""
    found: list[Rule] = []
    for where in (folder, *sorted(path for path in folder.glob("modules/*") if path.is_dir())):
        prefix = "" if where == folder else f"module.{where.name}."
        for name, body in named_blocks(where, "variable"):
            found += _rules(f"{prefix}var.{name}", body.get("validation", []))
        for name, body in named_blocks(where, "output"):
            found += _rules(f"{prefix}output.{name}", body.get("precondition", []))
        for kind, before in (("resource", ""), ("data", "data.")):
            for type_name, name, body in typed_blocks(where, kind):
                for lifecycle in body.get("lifecycle", []):
                    conditions = lifecycle.get("precondition", []) + lifecycle.get("postcondition", [])
                    found += _rules(f"{prefix}{before}{type_name}.{name}", conditions)
    return found


def _rules(on: str, blocks: list[dict[str, Any]]) -> list[Rule]:
    return [Rule(on, block["error_message"]) for block in blocks]


def _without_interpolations(text: str) -> str:
    kept, depth, place = [], 0, 0
    while place < len(text):
        if text.startswith("${", place):
            depth, place = depth + 1, place + 2
            continue
        if depth and text[place] in "{}":
            depth += 1 if text[place] == "{" else -1
        elif not depth:
            kept.append(text[place])
        place += 1
    return "".join(kept)
