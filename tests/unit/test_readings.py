"""Tests of the grammar of cells, and of the keys that write it."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from gauntlet.core.errors import DataError
from gauntlet.core.problem import Column, Source
from gauntlet.core.reading import CellReader, Reading, Unreadable

pytestmark = pytest.mark.unit

READ: tuple[tuple[dict[str, Any], str | None, Any], ...] = (
    ({}, " 1.5\u00a0", 1.5),
    ({}, "\u0661", "is not a number"),
    ({}, "1_000", "is not a number"),
    ({}, "1e39", "is beyond 3.4e38, the largest number that a model can take"),
    ({}, "-0.0", 0.0),
    ({"missing": ["-999"]}, "-999.0", None),
    ({"kind": "integer"}, "0" * 5000 + "7", 7),
    ({"kind": "integer"}, "9" * 5000, "is not a whole number"),
    ({"kind": "integer"}, "-9223372036854775808", -(2**63)),
    ({"decimal": ","}, "1,5", 1.5),
    ({"decimal": ","}, "1.5", "is not a number"),
    ({"decimal": ",", "thousands": "."}, "1.234,5", 1234.5),
    ({"decimal": ",", "thousands": "."}, "1.23,5", "is not a number"),
    ({"thousands": " "}, "1\u202f234", 1234.0),
    ({"strip": ["$"]}, "1$2", "is not a number"),
    ({"strip": ["$"]}, "-$5", -5.0),
    ({"strip": ["$"], "brackets": True}, "($5)", -5.0),
    ({"brackets": True}, "(5)", -5.0),
    ({"brackets": True}, "(5", "is not a number"),
    ({"kind": "boolean", "true_words": ["Ja"], "false_words": ["Nein"]}, "JA", True),
    ({"kind": "boolean", "true_words": ["Ja"], "false_words": ["Nein"]}, "true", "is not one of Ja, Nein"),
    ({"kind": "date", "dates": ["%d.%m.%y"]}, "1.2.69", "1969-02-01"),
    ({"kind": "date", "dates": ["%d.%m.%y"]}, "1.2.68", "2068-02-01"),
    ({"kind": "date", "dates": ["%d.%m.%Y"]}, "29.2.2023", "is not a date such as %d.%m.%Y"),
    ({"kind": "date", "dates": ["%Y-%m-%dT%H:%M:%S%z"]}, "2024-01-01T01:30:00+02:00", "2023-12-31 23:30:00"),
    ({"kind": "date", "dates": ["%m/%d/%Y %I:%M %p"]}, "2/3/2024 12:05 am", "2024-02-03 00:05:00"),
    ({"kind": "date", "dates": ["%H:%M:%S.%f"]}, "01:02:03.250", "01:02:03.25"),
    ({"kind": "integer", "dates": ["%Y-%m-%d"], "part": "weekday"}, "2024-02-04", 7),
    ({"kind": "integer", "dates": ["%Y-%m-%d"], "part": "days"}, "1969-12-31", -1),
    ({"kind": "text"}, " a ", " a "),
    ({"kind": "text", "missing": ["?"]}, " ? ", None),
    ({"kind": "text"}, "\u200b\ufeff", None),
)


@pytest.mark.parametrize(("keys", "text", "value"), READ, ids=[f"{keys} {str(text)[:20]!r}" for keys, text, _ in READ])
def test_reads_a_cell(keys: dict[str, Any], text: str | None, value: Any) -> None:
    found = CellReader(Reading.model_validate(keys)).read(text)
    assert (found.fault if isinstance(found, Unreadable) else found) == value


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"decimal": ",", "thousands": ","}, "decimal and thousands are both ','"),
        ({"strip": ["5"]}, "'5' holds a digit or a mark of numbers"),
        ({"missing": [" "]}, "blank cells are missing without a marker"),
        ({"kind": "boolean", "true_words": ["ja"]}, "true_words and false_words come together"),
        ({"kind": "boolean", "true_words": ["x"], "false_words": ["X"]}, "'x' is among true_words and among"),
        ({"kind": "date", "role": "ignored"}, "dates holds the formats"),
        ({"kind": "date", "dates": ["%Y-%m-%d"]}, "a model takes no date"),
        ({"kind": "integer", "part": "hour", "dates": ["%Y-%m-%d"]}, "'%Y-%m-%d' has no hour"),
        ({"part": "year", "dates": ["%Y-%m-%d"]}, 'set kind = "integer"'),
        ({"kind": "date", "role": "ignored", "dates": ["%Q"]}, "%Q is not known"),
        ({"kind": "date", "role": "ignored", "dates": ["%Y-%m"]}, "needs year, month and day"),
        ({"kind": "date", "role": "ignored", "dates": ["%I:%M"]}, "%I together with %p"),
        ({"kind": "date", "role": "ignored", "dates": ["%Y-%Y"]}, "has a directive twice"),
    ],
)
def test_refuses_keys_that_cannot_be_meant(keys: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        Column.model_validate({"name": "x", **keys})


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"encoding": "klingon"}, "'klingon' is no encoding of texts that Python knows"),
        ({"encoding": "hex"}, "'hex' is no encoding of texts"),
        ({"format": "parquet", "compression": "zip"}, "compression is for CSV files"),
        ({"sheet": "May"}, "sheet is for workbooks"),
    ],
)
def test_refuses_sources_that_cannot_be_meant(keys: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        Source.model_validate({"name": "s", "file": "f", **keys})


def test_a_whole_column_has_the_type_of_its_kind() -> None:
    assert CellReader(Reading(kind="integer")).series(["1", None, ""]).tolist()[0] == 1
    assert str(CellReader(Reading(kind="boolean")).series(["yes", None]).dtype) == "boolean"
    with pytest.raises(DataError, match="a cell holds 'a', which is not a number"):
        CellReader(Reading()).series(["1", "a"])
    assert CellReader(Reading()).series(["1", "a"], unreadable_missing=True).isna().tolist() == [False, True]
