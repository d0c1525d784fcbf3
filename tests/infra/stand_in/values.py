"""This module provides what the stand-in works out: planned and applied values, answers, and forced replacements.

Values are plain Python objects; one that is not known yet is a MessagePack extension object, as on the wire.
"""

from __future__ import annotations

import hashlib
import json
import uuid
from collections.abc import Callable
from typing import Any

from msgpack import ExtType

UNKNOWN = ExtType(0, b"\x00")
_IDENTIFIERS = {"principal_id", "tenant_id", "client_id", "object_id"}

_EMPTY: dict[str, Any] = {"list": [], "set": [], "map": {}}


def planned(block: dict[str, Any], value: dict[str, Any]) -> dict[str, Any]:
    """Return a value with each computed attribute that the configuration leaves open turned to unknown."""

    def leave_open(name: str, flags: str, item: Any, kind: Any) -> Any:
        return UNKNOWN if item is None and "computed" in flags.split() else item

    return _walk(block, value, leave_open)


def applied(
    block: dict[str, Any], value: dict[str, Any], *, name: str, answers: dict[str, Any] | None = None
) -> dict[str, Any]:
    """Return a planned value with each unknown answered.

    Args:
        block: The facts of the type.
        value: The planned value.
        name: The type's name; it and the known arguments decide what the drawn parts of answers are.
        answers: Values of computed attributes, as templates over the other attributes.
    """
    seed = json.dumps([name, value], sort_keys=True, default=repr)
    answers = answers or {}

    def answer(attribute: str, flags: str, item: Any, kind: Any) -> Any:
        return _by_type(attribute, kind, seed) if isinstance(item, ExtType) else item

    held = _walk(block, value, answer)
    words = {key: item for key, item in held.items() if isinstance(item, str)} | _drawn(seed)
    for attribute, template in answers.items():
        if isinstance(value.get(attribute), ExtType):
            held[attribute] = template.format_map(words) if isinstance(template, str) else template
    return held


def unconfigurable(block: dict[str, Any], config: dict[str, Any]) -> list[str]:
    """Return the attributes that a configuration sets although only the provider may: Terraform leaves that to it."""
    found: list[str] = []

    def look(name: str, flags: str, item: Any, kind: Any) -> Any:
        if item is not None and "computed" in flags.split() and "optional" not in flags.split():
            found.append(name)
        return item

    _walk(block, config, look)
    return found


def replacements(arguments: list[str], prior: dict[str, Any], proposed: dict[str, Any]) -> list[list[str | int]]:
    """Return the paths at which a change forces a replacement.

    Args:
        arguments: Names of arguments; ``block.argument`` for one inside a block.
        prior: The value in the state.
        proposed: The value that is asked for.
    """
    paths: list[list[str | int]] = []
    for argument in arguments:
        paths.extend(_changed(argument.split("."), prior, proposed, []))
    return paths


def _changed(steps: list[str], prior: Any, proposed: Any, path: list[str | int]) -> list[list[str | int]]:
    before, after = prior.get(steps[0]), proposed.get(steps[0])
    here: list[str | int] = [*path, steps[0]]
    if before == after:
        return []
    if len(steps) == 1 or not (isinstance(before, list) and isinstance(after, list)) or len(before) != len(after):
        return [here]
    pairs = enumerate(zip(before, after, strict=True))
    return [found for place, (old, new) in pairs for found in _changed(steps[1:], old, new, [*here, place])]


def _walk(block: dict[str, Any], value: dict[str, Any], change: Callable[[str, str, Any, Any], Any]) -> dict[str, Any]:
    """Return a copy of a value with ``change`` done to each attribute, in blocks and in objects too."""
    held = dict(value)
    for name, (flags, kind) in block.get("attributes", {}).items():
        held[name] = change(name, flags, held.get(name), kind)
        if isinstance(kind, dict) and "nesting" in kind:
            held[name] = _each(kind, kind["nesting"], held[name], change)
    for name, nested in block.get("blocks", {}).items():
        held[name] = _each(nested["block"], nested["nesting"], held.get(name), change)
    return held


def _each(block: dict[str, Any], nesting: str, value: Any, change: Callable[[str, str, Any, Any], Any]) -> Any:
    if value is None or isinstance(value, ExtType):
        return value
    if nesting in ("list", "set"):
        return [_each(block, "single", item, change) for item in value]
    if nesting == "map":
        return {key: _each(block, "single", item, change) for key, item in value.items()}
    return _walk(block, value, change)


def _by_type(name: str, kind: Any, seed: str) -> Any:
    if isinstance(kind, dict):
        if kind["nesting"] != "single":
            return _EMPTY[kind["nesting"]]
        return _walk(kind, {}, lambda inner, _, __, of: _by_type(inner, of, seed))
    if isinstance(kind, list):
        if kind[0] == "object":
            return {inner: _by_type(inner, of, seed) for inner, of in kind[1].items()}
        return _EMPTY[kind[0]]
    drawn = _drawn(name + seed)
    text = drawn["uuid"] if name in _IDENTIFIERS else drawn["hex"]
    return {"bool": False, "number": int(drawn["number"]), "string": text}[kind]


def _drawn(seed: str) -> dict[str, str]:
    """Return the drawn parts of answers: the same ones for the same seed."""
    digest = hashlib.sha256(seed.encode()).hexdigest()
    return {"hex": digest[:16], "number": str(int(digest[:13], 16)), "uuid": str(uuid.UUID(digest[:32]))}
