"""This module provides the program that takes the fact files from the schemas of the real providers.

Usage: PYTHON -m tests.infra.stand_in.make_facts FOLDER [TYPE …]

FOLDER holds ``azurerm-VERSION.json`` and ``databricks-VERSION.json`` in the block form of ``terraform providers schema
-json``. Written are the types that the fact files hold already and those that are named; a data source's type has
``data.`` before it.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from tests.infra.stand_in.facts import FOLDER, PROVIDERS, compact


def schema_of(provider: str, *, folder: Path) -> dict[str, Any]:
    """Read the schema of a provider from a folder that holds one for each.

    Raises:
        FileNotFoundError: The folder has none for this provider.
    """
    files = sorted(folder.glob(f"{provider}-*.json"))
    if not files:
        raise FileNotFoundError(f"{folder} holds no {provider}-VERSION.json")
    held: dict[str, Any] = json.loads(files[-1].read_text(encoding="utf-8"))
    return held


def facts_from(schema: dict[str, Any], *, provider: str, types: set[str]) -> dict[str, Any]:
    """Return what a fact file holds of the given types."""
    resources = {name: compact(block) for name, block in sorted(schema["resources"].items()) if name in types}
    sources = schema["data_sources"]
    data_sources = {name: compact(block) for name, block in sorted(sources.items()) if f"data.{name}" in types}
    return {
        "source": "databricks/databricks" if provider == "databricks" else f"hashicorp/{provider}",
        "version": schema["version"],
        "provider_block": compact(schema["provider_block"]),
        "resources": resources,
        "data_sources": data_sources,
    }


def written(facts: dict[str, Any]) -> str:
    """Return a fact file's text: one attribute a line, so that a change of one is a change of one line."""
    return _lines(facts, "") + "\n"


def _lines(value: Any, indent: str) -> str:
    if not isinstance(value, dict) or not value:
        return json.dumps(value)
    inner = indent + " "
    rows = [f"{inner}{json.dumps(name)}: {_lines(item, inner)}" for name, item in value.items()]
    return "{\n" + ",\n".join(rows) + f"\n{indent}}}"


def main(arguments: list[str]) -> int:
    """Write the fact files anew."""
    if not arguments:
        print(__doc__, file=sys.stderr)
        return 2
    folder, added = Path(arguments[0]), set(arguments[1:])
    for provider in PROVIDERS:
        file = FOLDER / f"{provider}.json"
        held = json.loads(file.read_text(encoding="utf-8")) if file.is_file() else {"resources": {}, "data_sources": {}}
        types = {*held["resources"], *(f"data.{name}" for name in held["data_sources"]), *added}
        facts = facts_from(schema_of(provider, folder=folder), provider=provider, types=types)
        file.write_text(written(facts), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
