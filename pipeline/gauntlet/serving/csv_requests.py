"""This module provides requests in CSV: read as the run read its files, by the keys that were packed with the model.

MLflow's own parser would take the category ``NA`` for a missing value, and knows no decimal comma.
"""

from __future__ import annotations

import codecs
import csv
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from gauntlet.adapters.delimited import DELIMITERS, Record, records
from gauntlet.core.errors import DataError
from gauntlet.core.problem import READINGS_KEY, Column
from gauntlet.core.reading import CellReader, Reading, Unreadable, Value
from gauntlet.serving.refusals import Refusal, bad_request

if TYPE_CHECKING:
    from mlflow.types import Schema

_WHERE = "the request"


@dataclass(frozen=True)
class CsvRequests:
    """The CSV that one model takes.

    Attributes:
        columns: Its features, and how their cells are read.
    """

    columns: tuple[Column, ...]

    @classmethod
    def of(cls, metadata: Mapping[str, Any] | None, schema: Schema | None) -> CsvRequests | None:
        """Return what a model takes; None if it does not name its columns.

        Args:
            metadata: What was packed with the model; the keys of its columns may be missing in an older one.
            schema: The model's inputs.
        """
        if metadata and READINGS_KEY in metadata:
            return cls(tuple(Column.model_validate(keys) for keys in json.loads(metadata[READINGS_KEY])))
        if schema is None or not schema.has_input_names():
            return None
        kinds = {str(spec.name): str(spec.type) for spec in schema.inputs}
        return cls(
            tuple(
                Column.model_construct(name=name, kind="text" if kind == "DataType.string" else "number")
                for name, kind in kinds.items()
            )
        )

    def document(self, body: bytes, content_type: str) -> dict[str, Any]:
        """Return a request's rows in the form ``dataframe_split``.

        A column is found by its name in the file that the model was trained on, or by the feature's own name; others
        are left alone, as MLflow leaves them.

        Raises:
            Refusal: If it is no CSV, a row has too few or too many cells, or a cell cannot be read.
        """
        text = _decoded(body, content_type)
        rows = records(io.StringIO(text, newline=""), delimiter=_delimiter(text), where=_WHERE)
        try:
            header = next(rows, None)
            if header is None:
                raise bad_request("the body is empty; send a header and rows")
            found = self._found(header.fields)
            readers = [(place, name, CellReader(reading)) for name, (place, reading) in found.items()]
            data = [_values(row, readers, number=number) for number, row in enumerate(rows)]
        except DataError as error:
            raise bad_request(str(error)) from None
        return {"dataframe_split": {"columns": list(found), "data": data}}

    def _found(self, header: Sequence[str]) -> dict[str, tuple[int, Reading]]:
        """Return where each feature is and how it is read there, by its name."""
        found: dict[str, tuple[int, Reading]] = {}
        for column in self.columns:
            # A part of a date by its own name is a number already.
            own = column if column.part is None else Reading(kind="integer")
            for name, reading in ((column.source_name or column.name, column), (column.name, own)):
                places = _places(header, name)
                if len(places) > 1:
                    raise bad_request(f"column {name!r} is there more than once")
                if places:
                    found[column.name] = (places[0], reading)
                    break
        return found


def _places(header: Sequence[str], wanted: str) -> list[int]:
    """Return where a name is: as it stands, else where spaces count as underscores."""
    exact = [place for place, name in enumerate(header) if name == wanted]
    plain = "_".join(wanted.split())
    return exact or [place for place, name in enumerate(header) if "_".join(name.split()) == plain]


def _values(row: Record, readers: Sequence[tuple[int, str, CellReader]], *, number: int) -> list[Value | None]:
    if row.fault:
        raise bad_request(f"row {number} has another number of cells than the header")  # its data stays out of logs
    values: list[Value | None] = []
    for place, name, reader in readers:
        value = reader.read(row.fields[place])
        if isinstance(value, Unreadable):
            raise bad_request(f"column {name!r}, row {number}: {value.fault.removeprefix('is ')}")
        values.append(float(value) if isinstance(value, bool | int) else value)
    return values


def _decoded(body: bytes, content_type: str) -> str:
    charset = "utf-8"
    for part in content_type.split(";")[1:]:
        key, _, value = part.partition("=")
        if key.strip().lower() == "charset":
            charset = value.strip().strip('"') or charset
    try:
        return body.removeprefix(codecs.BOM_UTF8).decode(charset)
    except LookupError:
        raise Refusal(415, "BAD_REQUEST", f"the charset {charset!r} is not known; send UTF-8") from None
    except UnicodeDecodeError as error:
        raise bad_request(
            f"the body is no {charset} text at byte {error.start}; name its charset, or send UTF-8"
        ) from None


def _delimiter(text: str) -> str:
    """Return the comma, or what separates the columns of a header without one."""
    header = next(csv.reader(io.StringIO(text, newline="")), [])
    if len(header) > 1:
        return ","
    return max(DELIMITERS, key=lambda mark: (header[0].count(mark), mark == ",") if header else (0, mark == ","))
