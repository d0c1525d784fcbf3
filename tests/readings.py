"""Readings of columns and cells for them, for the tests that hold the readers of a table together."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from hypothesis import strategies as st

from gauntlet.core.problem import Column
from gauntlet.core.reading import BLANKS
from tests.made_problem import make_problem

_KEYS: tuple[dict[str, Any], ...] = (
    {},
    {"missing": ["?", "NA", "-999"]},
    {"decimal": ","},
    {"decimal": ",", "thousands": "."},
    {"thousands": ","},
    {"thousands": " "},
    {"thousands": "'", "brackets": True},
    {"strip": ["$", "%", "EUR"]},
    {"strip": ["$"], "brackets": True, "thousands": ",", "missing": ["-", "0"]},
    {"kind": "integer"},
    {"kind": "integer", "missing": ["-999", "?"]},
    {"kind": "integer", "strip": ["%"], "thousands": ",", "brackets": True},
    {"kind": "boolean"},
    {"kind": "boolean", "true_words": ["ja", "Y"], "false_words": ["nein", "N"], "missing": ["?"]},
    {"kind": "text"},
    {"kind": "text", "missing": ["?", "unknown"]},
)
_FORMATS: tuple[tuple[str, ...], ...] = (
    ("%Y-%m-%d",),
    ("%d.%m.%Y", "%m/%d/%y"),
    ("%d %b %Y",),
    ("%Y-%m-%d %H:%M:%S.%f", "%Y-%m-%d %H:%M:%S"),
    ("%Y-%m-%dT%H:%M:%S%z",),
    ("%m/%d/%Y %I:%M %p",),
)
_PARTS = ("year", "month", "day", "weekday", "yearday", "days")


def example_columns() -> tuple[Column, ...]:
    """Return columns of every kind of reading; all of them may be missing."""
    keys = [*_KEYS, *({"kind": "date", "role": "ignored", "dates": formats} for formats in _FORMATS)]
    keys += [{"kind": "integer", "dates": _FORMATS[1], "part": part} for part in _PARTS]
    keys += [{"kind": "integer", "dates": _FORMATS[3], "part": part} for part in ("hour", "minute", "second")]
    keys.append({"kind": "integer", "dates": ("%H:%M:%S", "%H:%M"), "part": "hour"})
    return tuple(Column(name=f"c{n}", nullable=True, **key) for n, key in enumerate(keys))


def cells() -> st.SearchStrategy[str | None]:
    """Return a strategy of cells: numbers in many spellings, markers, words, dates, blanks and anything else."""
    blanks = st.text(BLANKS, max_size=2)
    signs = st.sampled_from(("", "", "", "-", "+", "$", "-$", "$-", "- ", "EUR ", "(", "($"))
    ends = st.sampled_from(("", "", "", "%", " %", ")", ")%", " EUR", "$"))
    digits = st.from_regex(
        r"[0-9]{1,3}([,.' \u00a0’]?[0-9]{3}){0,3}([.,][0-9]{0,4})?([eE][+-]?[0-9]{1,3})?", fullmatch=True
    )
    numbers = st.builds("{}{}{}".format, signs, digits, ends)
    floats = st.floats(allow_nan=True, allow_infinity=True).map(repr)
    whole = st.integers(-(2**70), 2**70).map(str)
    dates = st.datetimes().flatmap(
        lambda moment: st.sampled_from(
            (
                moment.isoformat(),
                moment.isoformat(" "),
                moment.isoformat(timespec="seconds") + "+05:30",
                moment.isoformat(timespec="seconds") + "Z",
                f"{moment.day}.{moment.month}.{moment.year:04d}",
                moment.strftime("%m/%d/%y"),
                moment.strftime("%d %b ") + f"{moment.year:04d}",
                moment.strftime("%m/%d/") + f"{moment.year:04d}" + moment.strftime(" %I:%M %p"),
                moment.strftime("%H:%M:%S"),
            )
        )
    )
    wrong_dates = st.from_regex(
        r"[0-9]{1,2}\.[0-9]{1,2}\.[0-9]{4}|[0-9]{4}-[0-9]{2}-[0-9]{2}( [0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,9})?)?",
        fullmatch=True,
    )
    words = st.sampled_from(
        ("?", "NA", "-999", "-999.0", "-", "0", "unknown", "true", "FALSE", "Yes", "no", "1.0", "JA", "y", "nein", "İ")
    )
    anything = st.text(st.characters(exclude_characters="\x00", exclude_categories=("Cs",)), max_size=8)
    content = st.one_of(numbers, floats, whole, dates, wrong_dates, words, anything)
    return st.none() | st.builds("{}{}{}".format, blanks, content, blanks)


def read_by_spark(spark: Any, texts: Sequence[tuple[str | None, ...]], columns: tuple[Column, ...]) -> list[Any]:
    """Return what Spark makes of rows of texts, one for each column: the rows' values and reasons."""
    from gauntlet.adapters.source_frames import text_column  # noqa: PLC0415 - imported where Spark is
    from gauntlet.adapters.typed_rows import typed_rows  # noqa: PLC0415

    label = {"name": "left", "kind": "text"}
    problem = make_problem(columns=[*columns, {"name": "kept"}, label], sources=[{"name": "s", "file": "f"}])
    names = [text_column(number) for number in range(len(problem.columns))]
    schema = ", ".join(f"{name} string" for name in names)
    rows = [(*row, "1", "no", "s", 0, "", place, None) for place, row in enumerate(texts)]
    frame = spark.createDataFrame(
        rows, f"{schema}, source string, source_index int, chunk string, place long, broken string"
    )
    found: list[Any] = typed_rows(frame, problem=problem).orderBy("place").collect()
    return found
