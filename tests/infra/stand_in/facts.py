"""This module provides the fact files of the stand-in: what a provider's schema says of each type, in a compact form.

A block is ``{"attributes": {NAME: [FLAGS, TYPE]}, "blocks": {NAME: {"nesting", "min", "max", "block"}}}``. FLAGS are
words (required, optional, computed, sensitive, deprecated, write_only); TYPE is Terraform's type in its JSON form
(``"string"``, ``["list", "string"]``), or ``{"nesting", "attributes"}`` for an attribute that holds objects.

It is imported by the server too, which runs in an environment of its own: the standard library is all it may use.
"""

from __future__ import annotations

import json
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).resolve().parent / "facts"
FORCE_NEW = FOLDER / "force_new.toml"
ANSWERS = FOLDER / "answers.toml"
PROVIDERS = ("azurerm", "databricks")
_FLAGS = ("required", "optional", "computed", "sensitive", "deprecated", "write_only")


@dataclass(frozen=True)
class Facts:
    """What the stand-in knows of one provider.

    Attributes:
        source: The provider's address in the registry, such as ``databricks/databricks``.
        version: The version whose schema the facts were taken from.
        provider_block: The block that configures the provider.
        resources: The block of each resource type.
        data_sources: The block of each data source type.
        force_new: For each resource type the arguments whose change makes a replacement.
        answers: For each type (a data source's with ``data.`` before it) the values of computed attributes, as
            templates over the other attributes.
    """

    source: str
    version: str
    provider_block: dict[str, Any]
    resources: dict[str, Any]
    data_sources: dict[str, Any]
    force_new: dict[str, list[str]]
    answers: dict[str, dict[str, Any]]


def load(provider: str, *, folder: Path = FOLDER) -> Facts:
    """Read a provider's facts.

    Args:
        provider: One of PROVIDERS.
        folder: Where the fact files are.
    """
    held = json.loads((folder / f"{provider}.json").read_text(encoding="utf-8"))
    force_new = tomllib.loads((folder / FORCE_NEW.name).read_text(encoding="utf-8"))
    answers = tomllib.loads((folder / ANSWERS.name).read_text(encoding="utf-8"))
    own = {name: value for name, value in answers.items() if name.startswith(f"{provider}_")}
    data = {f"data.{name}": value for name, value in answers["data"].items() if name.startswith(f"{provider}_")}
    return Facts(
        source=held["source"],
        version=held["version"],
        provider_block=held["provider_block"],
        resources=held["resources"],
        data_sources=held["data_sources"],
        force_new={name: value for name, value in force_new.items() if name.startswith(f"{provider}_")},
        answers=own | data,
    )


def compact(block: dict[str, Any]) -> dict[str, Any]:
    """Return the compact form of a block of ``terraform providers schema -json``."""
    held: dict[str, Any] = {}
    attributes = {name: _attribute(value) for name, value in sorted(block.get("attributes", {}).items())}
    blocks = {name: _nested(value) for name, value in sorted(block.get("block_types", {}).items())}
    if attributes:
        held["attributes"] = attributes
    if blocks:
        held["blocks"] = blocks
    if block.get("deprecated"):
        held["deprecated"] = True
    return held


def _attribute(value: dict[str, Any]) -> list[Any]:
    flags = " ".join(flag for flag in _FLAGS if value.get(flag))
    if "nested_type" not in value:
        return [flags, value["type"]]
    nested = value["nested_type"]
    attributes = {name: _attribute(inner) for name, inner in sorted(nested["attributes"].items())}
    return [flags, {"nesting": nested["nesting_mode"], "attributes": attributes}]


def _nested(value: dict[str, Any]) -> dict[str, Any]:
    held = {"nesting": value["nesting_mode"], "min": value.get("min_items"), "max": value.get("max_items")}
    return {name: item for name, item in held.items() if item} | {"block": compact(value["block"])}


def differences(held: Any, there: Any, *, shared_only: bool = False, path: str = "") -> list[str]:
    """Say where facts and a schema in compact form differ, by path; best nothing.

    Args:
        held: The facts, or a part of them.
        there: The same part of the schema.
        shared_only: Look only at what both have: for a schema of another version.
        path: Where the parts are.
    """
    if isinstance(held, dict) and isinstance(there, dict):
        names = sorted({*held} & {*there} if shared_only else {*held} | {*there})
        found = []
        for name in names:
            inner = f"{path}.{name}".lstrip(".")
            if name in held and name in there:
                found += differences(held[name], there[name], shared_only=shared_only, path=inner)
            else:
                found.append(f"{inner}: only in the {'facts' if name in held else 'schema'}")
        return found
    return [] if held == there else [f"{path}: the facts say {json.dumps(held)}, the schema {json.dumps(there)}"]
