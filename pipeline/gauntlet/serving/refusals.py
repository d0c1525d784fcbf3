"""This module provides refusals: MLflow's reasons, without the data it puts into them and with the column at fault.

A body has MLflow's form, ``{"error_code": …, "message": …}``.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mlflow.types import Schema

# What MLflow says before the reason: the whole data, and the whole schema.
_DATA = re.compile(r"\AFailed to predict data '.*'\. \nError: ", re.DOTALL)
_SCHEMA = re.compile(r"\AFailed to enforce schema of data '.*' with schema '.*?'\. Error: ", re.DOTALL)
_CHARACTERS = 500


class Refusal(Exception):  # noqa: N818 - it is an answer
    """A request that is not answered, and why.

    Attributes:
        status: The HTTP status.
        error_code: MLflow's word for it.
        message: What is wrong, where, and what to do.
    """

    def __init__(self, status: int, error_code: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.error_code = error_code
        self.message = message

    @property
    def content(self) -> bytes:
        """The body."""
        return json.dumps({"error_code": self.error_code, "message": self.message}).encode()


def bad_request(message: str) -> Refusal:
    """Return the refusal of a request that is not as it must be."""
    return Refusal(400, "BAD_REQUEST", message)


def too_large(message: str) -> Refusal:
    """Return the refusal of a request that is larger than the server allows."""
    return Refusal(413, "REQUEST_LIMIT_EXCEEDED", message)


def reason_of(message: str) -> str:
    """Return MLflow's reason without the data, on one line and not too long.

    Args:
        message: MLflow's message.
    """
    line = " ".join(_SCHEMA.sub("", _DATA.sub("", message)).split())
    return line if len(line) <= _CHARACTERS else f"{line[:_CHARACTERS]} …"


def with_column(reason: str, schema: Schema | None, asked: dict[str, Any]) -> str:
    """Return a reason that names the column at fault, where it does not yet and there is one.

    Args:
        reason: The reason.
        schema: What the model takes.
        asked: The request's JSON.
    """
    if schema is None or not schema.has_input_names():
        return reason
    names = [str(spec.name) for spec in schema.inputs]
    if any(name in reason for name in names):
        return reason
    numbers = {spec.name for spec in schema.inputs if str(spec.type) == "DataType.double"}
    for name, values in _columns(asked):
        if name in numbers and (row := _first_fault(values)) is not None:
            return f"column {name!r}, row {row}: not a number ({reason})"
    return reason


def _columns(asked: dict[str, Any]) -> Iterator[tuple[str, Sequence[Any]]]:
    """Yield the columns of a request, as far as it can be made out."""
    found = asked.get("instances", asked.get("inputs"))
    if isinstance(found, Mapping):
        yield from ((name, values if isinstance(values, list) else [values]) for name, values in found.items())
    elif isinstance(found, list) and all(isinstance(record, Mapping) for record in found):
        for name in dict.fromkeys(name for record in found for name in record):
            yield name, [record.get(name) for record in found]


def _first_fault(values: Sequence[Any]) -> int | None:
    """Return the place of the first value that is no number; None if all are, or are missing."""
    for place, value in enumerate(values):
        try:
            float("nan" if value is None else value)
        except (TypeError, ValueError):
            return place
    return None
