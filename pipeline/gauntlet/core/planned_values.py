"""This module provides planned values: what a plan says of a resource's attributes, and what it cannot say yet.

Terraform leaves out of a plan what is known only after apply, and marks it beside the values. Here both are one tree in
which ``UNKNOWN`` stands where a value will be; whoever needs such a value learns which one it is.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any, Final, TypeVar

from gauntlet.core.errors import DataError, InputError

Path = tuple[str | int, ...]
Kind = TypeVar("Kind")


class Unknown(Enum):
    """The one value that stands for all that are known only after apply."""

    AFTER_APPLY = "known after apply"

    def __str__(self) -> str:
        return f"({self.value})"


UNKNOWN: Final = Unknown.AFTER_APPLY


class UndeterminedError(InputError):
    """A rule needs what a plan cannot tell; the message names it."""


def merged(values: Any, unknown: Any) -> Any:
    """Return planned values with ``UNKNOWN`` where they are known only after apply.

    Args:
        values: A plan's ``after``, or a part of it.
        unknown: The same part of its ``after_unknown``: true, false, or a tree of them.
    """
    if unknown is True:
        return UNKNOWN
    if isinstance(unknown, Mapping) and unknown:
        known = dict(values) if isinstance(values, Mapping) else {}
        return known | {name: merged(known.get(name), mark) for name, mark in unknown.items()}
    if isinstance(unknown, Sequence) and not isinstance(unknown, str) and unknown:
        items = list(values) if isinstance(values, Sequence) else []
        length = max(len(items), len(unknown))
        items += [None] * (length - len(items))
        marks = [*unknown, *[False] * (length - len(unknown))]
        return [merged(item, mark) for item, mark in zip(items, marks, strict=True)]
    return values


def is_marked(marks: Any, path: Path) -> bool:
    """Say whether a tree of marks, such as ``after_sensitive``, marks a path or anything above it."""
    for step in path:
        if isinstance(marks, Mapping):
            marks = marks.get(step)
        elif isinstance(marks, list) and isinstance(step, int) and step < len(marks):
            marks = marks[step]
        else:
            break  # a mark holds for all that is below it
    return marks is True


def leaves(values: Any, path: Path = ()) -> Iterator[tuple[Path, Any]]:
    """Give each single value of a tree, with its path."""
    if isinstance(values, Mapping):
        for name, value in values.items():
            yield from leaves(value, (*path, name))
    elif isinstance(values, list):
        for place, value in enumerate(values):
            yield from leaves(value, (*path, place))
    else:
        yield path, values


def path_text(path: Path) -> str:
    """Return a path as Terraform writes it: ``network_rules[0].default_action``."""
    text = ""
    for step in path:
        if isinstance(step, int):
            text += f"[{step}]"
        else:
            text += f".{step}" if text else str(step)
    return text


@dataclass(frozen=True)
class PlannedBlock:
    """A resource's values, or those of one block in it.

    What is not set is None: Terraform writes null for it in a first plan, and "" or an empty list once it was applied.

    Attributes:
        address: The resource's address.
        values: The values, ``UNKNOWN`` among them.
        path: Where the block lies in the resource.
    """

    address: str
    values: Mapping[str, Any]
    path: Path = ()

    @property
    def label(self) -> str:
        """The block's place, for people."""
        return f"{self.address}: {path_text(self.path)}" if self.path else self.address

    def place(self, name: str) -> str:
        """Return the place of one attribute, for people."""
        return f"{self.address}: {path_text((*self.path, name))}"

    def is_set(self, name: str) -> bool:
        """Say whether an attribute or block is given, be its value known or not."""
        return self.values.get(name) not in (None, "", [], {})

    def value(self, name: str) -> Any:
        """Return a value; None if it is not set.

        Raises:
            UndeterminedError: If it is known only after apply.
        """
        value = self.values.get(name) if self.is_set(name) else None
        if value is UNKNOWN:
            raise UndeterminedError(f"{self.place(name)} is known only after apply")
        return value

    def _of(self, kind: type[Kind], name: str, *, called: str) -> Kind | None:
        value = self.value(name)
        if value is not None and not isinstance(value, kind):
            raise DataError(f"{self.place(name)} is no {called}")
        return value

    def text(self, name: str) -> str | None:
        """Return a text; None if it is not set.

        Raises:
            UndeterminedError: If it is known only after apply.
            DataError: If it is no text.
        """
        return self._of(str, name, called="text")

    def flag(self, name: str) -> bool | None:
        """Return a truth value; None if it is not set.

        Raises:
            UndeterminedError: If it is known only after apply.
            DataError: If it is no truth value.
        """
        return self._of(bool, name, called="truth value")

    def number(self, name: str) -> float | None:
        """Return a number; None if it is not set.

        Raises:
            UndeterminedError: If it is known only after apply.
            DataError: If it is no number.
        """
        value = self.value(name)
        if isinstance(value, bool) or not isinstance(value, int | float | None):
            raise DataError(f"{self.place(name)} is no number")
        return value

    def entries(self, name: str) -> dict[str, Any]:
        """Return a map; empty if it is not set. Its values may be ``UNKNOWN``.

        Raises:
            UndeterminedError: If it is known only after apply as a whole.
            DataError: If it is no map.
        """
        return dict(self._of(dict, name, called="map") or {})

    def items(self, name: str) -> list[Any]:
        """Return a list; empty if it is not set. Its values may be ``UNKNOWN``.

        Raises:
            UndeterminedError: If it is known only after apply as a whole.
            DataError: If it is no list.
        """
        return list(self._of(list, name, called="list") or [])

    def blocks(self, name: str) -> tuple[PlannedBlock, ...]:
        """Return the nested blocks of a name, in their order.

        Raises:
            UndeterminedError: If how many there are, or one of them as a whole, is known only after apply.
            DataError: If they are no blocks.
        """
        value = self.value(name)
        # One that may not repeat is an object of its own in some types.
        single = isinstance(value, Mapping)
        found = []
        for place, item in enumerate([value] if single else self.items(name)):
            path = (*self.path, name) if single else (*self.path, name, place)
            if item is UNKNOWN:
                raise UndeterminedError(f"{self.address}: {path_text(path)} is known only after apply")
            if not isinstance(item, Mapping):
                raise DataError(f"{self.address}: {path_text(path)} is no block")
            found.append(PlannedBlock(self.address, item, path))
        return tuple(found)
