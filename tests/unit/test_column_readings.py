"""Tests of what is found of a column's texts, and that it takes all of them."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gauntlet.adapters.column_readings import alike_texts, find_reading, grouped_by_points
from gauntlet.core.reading import CellReader, Reading
from tests.readings import cells

pytestmark = pytest.mark.unit

FOUND: tuple[tuple[list[str], dict[str, Any]], ...] = (
    (["1", "2"], {"kind": "integer"}),
    (["+5", "-3", " 7 "], {"kind": "integer"}),
    (["7.0", "8"], {}),
    (["1e5", "2"], {}),
    (["9" * 25, "1"], {}),
    (["01234", "99999"], {"kind": "text"}),
    (["1", "?", "NA", ""], {"kind": "integer", "missing": ("?", "NA")}),
    (["1.5", "unknown"], {"missing": ("unknown",)}),
    (["inf", "1.5"], {"missing": ("inf",)}),
    (["1", "2", "-999", "-999"], {"kind": "integer", "missing": ("-999",)}),
    (["1", "2", "-999", "-3"], {"kind": "integer"}),
    (["1", "2", "-999"], {"kind": "integer"}),
    (["12,5", "3"], {"decimal": ","}),
    (["1,234", "5"], {"kind": "integer", "thousands": ","}),
    (["1.234,5", "3"], {"decimal": ",", "thousands": "."}),
    (["1 234,5", "1\u202f234"], {"decimal": ",", "thousands": " "}),
    (["1'234.5", "1’000"], {"thousands": "'"}),
    (["$1,234.00", "$5", "-$3.5", "($7)"], {"thousands": ",", "strip": ("$",), "brackets": True}),
    (["5 €", "7€"], {"kind": "integer", "strip": ("€",)}),
    (["USD 5", "7"], {"kind": "integer", "strip": ("USD",)}),
    (["12.3%", "4 %"], {"strip": ("%",)}),
    (["5 kg", "7 kg"], {"kind": "text"}),
    (["TRUE", "false"], {"kind": "boolean"}),
    (["yes", "No", "YES"], {"kind": "boolean", "true_words": ("yes",), "false_words": ("no",)}),
    (["ja", "nein", "?"], {"kind": "boolean", "true_words": ("ja",), "false_words": ("nein",), "missing": ("?",)}),
    (["yes", "maybe"], {"kind": "text"}),
    (["yes"], {"kind": "text"}),
    (["2024-01-05", "2023-02-28"], {"kind": "date", "dates": ("%Y-%m-%d",)}),
    (["2024-01-05 10:00:00.5", "2024-01-05"], {"kind": "date", "dates": ("%Y-%m-%d %H:%M:%S.%f", "%Y-%m-%d")}),
    (["2024-01-05T10:00:00Z", "n/a"], {"kind": "date", "dates": ("%Y-%m-%dT%H:%M:%S%z",), "missing": ("n/a",)}),
    (["5.1.2024", "31.12.2023"], {"kind": "date", "dates": ("%d.%m.%Y",)}),
    (["13/02/2024", "03/04/2024"], {"kind": "date", "dates": ("%d/%m/%Y",)}),
    (["3-Mar-24"], {"kind": "date", "dates": ("%d-%b-%y",)}),
    (["March 5, 2024"], {"kind": "date", "dates": ("%b %d, %Y",)}),
    (["12:30", "13:45"], {"kind": "date", "dates": ("%H:%M",)}),
    (["2024-02-30"], {"kind": "text"}),
    (["01/13/2024", "13/01/2024"], {"kind": "text"}),
    (["DE", "NA", "FR"], {"kind": "text"}),
    (["oak", "NA", "?"], {"kind": "text", "missing": ("?", "NA")}),
    (["unknown", "oak"], {"kind": "text"}),
    (["NA", "NA"], {"kind": "text"}),
    ([" ", ""], {"kind": "text"}),
)


@pytest.mark.parametrize(("texts", "keys"), FOUND, ids=[str(texts)[:40] for texts, _ in FOUND])
def test_finds_the_reading_of_a_column(texts: list[str], keys: dict[str, Any]) -> None:
    assert find_reading(texts).reading.model_dump(exclude_defaults=True) == keys


def test_a_label_keeps_its_words() -> None:
    assert find_reading(["yes", "no"], words=False).reading == Reading(kind="text")


def test_commas_are_decimal_marks_where_semicolons_separate_columns() -> None:
    assert find_reading(["1,234", "5"], decimal_comma=True).reading == Reading(decimal=",")


def test_points_are_between_thousands_where_another_column_has_decimal_commas() -> None:
    found = grouped_by_points(["1.234", "12.500", "7"], Reading())
    assert found is not None
    assert found.reading == Reading(kind="integer", decimal=",", thousands=".")
    assert found.converted == ("'.' taken as the mark between thousands, 2 cells",)
    assert grouped_by_points(["1.2345"], Reading()) is None


def test_says_what_was_converted_with_counts() -> None:
    assert find_reading(["$1,234", "?", "?", "$2"]).converted == (
        "'?' taken as missing, 2 cells",
        "',' taken as the mark between thousands, 1 cell",
        "'$' left out, 2 cells",
    )


def test_says_what_is_ambiguous_or_too_large() -> None:
    assert "the other way round: read as %m/%d/%Y" in find_reading(["01/02/2024", "03/04/2024"]).remark
    assert "holds 1e39, beyond 3.4e+38" in find_reading(["1e39", "2"]).remark


def test_says_which_categories_differ_in_case_or_spaces_only() -> None:
    assert alike_texts(["Male", "male ", "Female"]).startswith("'Male' and 'male ' differ in case or spaces only")
    assert alike_texts(["Male", "Female", None]) == ""


@given(st.lists(cells(), min_size=1, max_size=12), st.booleans(), st.booleans())
def test_the_reading_takes_every_cell(texts: list[str | None], decimal_comma: bool, words: bool) -> None:
    reading = find_reading(texts, decimal_comma=decimal_comma, words=words).reading
    assert len(CellReader(reading).series(texts)) == len(texts)
