"""This module provides what of a stack holds data, what that lies on, and what may be destroyed without either."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from gauntlet.core.plan_rules import PROTECTED_TYPES
from gauntlet.core.terraform_plan import Plan

_INSTANCE = re.compile(r"\[[^\]]*\]")


@dataclass(frozen=True)
class Division:
    """A stack that is to be destroyed, divided.

    Attributes:
        data: The addresses of what holds data.
        base: The addresses of what the data lies on.
        rest: The addresses of all else.
    """

    data: tuple[str, ...]
    base: tuple[str, ...]
    rest: tuple[str, ...]


def divided(plan: Plan, document: Mapping[str, Any]) -> Division:
    """Divide what a plan would destroy.

    Args:
        plan: The plan.
        document: The same plan as ``terraform show -json`` prints it; its prior state says what depends on what.
    """
    going = [change for change in plan.resources if change.is_destroyed]
    data = tuple(change.address for change in going if change.type in PROTECTED_TYPES)
    state = document.get("prior_state", {}).get("values", {}).get("root_module", {})
    dependencies = {resource["address"]: resource.get("depends_on", ()) for resource in _resources(state)}
    # Terraform writes down all that a resource depends on, through others too, and without instances.
    below = {name for address in data for name in dependencies.get(address, ())}
    others = [change.address for change in going if change.address not in data]
    base = tuple(address for address in others if _INSTANCE.sub("", address) in below)
    return Division(data, base, tuple(address for address in others if address not in base))


def _resources(module: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    yield from module.get("resources", ())
    for child in module.get("child_modules", ()):
        yield from _resources(child)
