"""This module provides the grammar of cells: how the text of a cell becomes a value, as data and as Python.

``Reading`` holds the keys of one column of a problem file. ``CellReader`` applies them in Python;
``adapters.typed_rows`` builds the same rules as Spark expressions from the same patterns. Patterns use only what
Python's and Java's regular expressions share.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cached_property
from typing import Literal, NamedTuple, get_args

import pandas as pd
from pydantic import field_validator, model_validator

from gauntlet.core.date_formats import DateFormat, parsed_format
from gauntlet.core.errors import DataError
from gauntlet.core.section import Section

ColumnKind = Literal["number", "integer", "boolean", "text", "date"]
DatePart = Literal["year", "month", "day", "weekday", "yearday", "days", "hour", "minute", "second"]
Value = bool | int | float | str

# What surrounds a value without being part of it: Unicode's white space, the byte order mark and the zero-width space.
BLANKS = (
    "\t\n\x0b\x0c\r\x1c\x1d\x1e\x1f \x85\xa0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a"
    "\u200b\u2028\u2029\u202f\u205f\u3000\ufeff"
)
TRUE_WORDS = ("true", "1", "yes", "1.0")
FALSE_WORDS = ("false", "0", "no", "0.0")
# Models compute in 32-bit floats, which hold no larger number.
LARGEST_NUMBER = 3.4028234663852886e38
# From here on a double does not tell neighbouring whole numbers apart.
LARGEST_EXACT = float(2**53)
LARGEST_INTEGER = 2**63 - 1
SHOWN_CHARACTERS = 40
WHOLE_NUMBER = r"[+-]?[0-9]+"
CAPITALS, SMALL = "ABCDEFGHIJKLMNOPQRSTUVWXYZ", "abcdefghijklmnopqrstuvwxyz"

_TIME_PARTS = frozenset(("hour", "minute", "second"))
_GROUPING = {" ": "[ \xa0\u2009\u202f]", "'": "['’]"}
_BLANK = "[" + re.escape(BLANKS) + "]*"
_FOLD = str.maketrans(CAPITALS, SMALL)
_EPOCH = date(1970, 1, 1)
_DTYPES = {"number": "float64", "integer": "Int64", "boolean": "boolean", "text": "object", "date": "object"}


class Reading(Section):
    """How the texts of one column become values.

    Attributes:
        kind: The type of the values.
        missing: Texts that stand for a missing value, beside blank cells. A marker that is a number also stands for
            the same number in another spelling.
        decimal: The decimal mark of numbers.
        thousands: What groups the digits of numbers; empty for none. A space stands for a no-break space, too.
        strip: Signs around numbers that are no part of the value, such as ``$``, ``%`` or ``EUR``.
        brackets: Whether a number in brackets is negative, as in accounting.
        true_words: The words for true, in any case; empty for true, yes and 1.
        false_words: The words for false, in any case; empty for false, no and 0.
        dates: The formats of dates, as ``strptime`` writes them; the first that fits is used.
        part: Which part of the date is the column's value; the column is of kind ``integer`` then.
    """

    kind: ColumnKind = "number"
    missing: tuple[str, ...] = ()
    decimal: Literal[".", ","] = "."
    thousands: Literal["", ",", ".", " ", "'", "_"] = ""
    strip: tuple[str, ...] = ()
    brackets: bool = False
    true_words: tuple[str, ...] = ()
    false_words: tuple[str, ...] = ()
    dates: tuple[str, ...] = ()
    part: DatePart | None = None

    @field_validator("missing", "strip", "true_words", "false_words")
    @classmethod
    def _no_blanks(cls, texts: tuple[str, ...]) -> tuple[str, ...]:
        for text in texts:
            if not text.strip(BLANKS):
                raise ValueError("an empty text is of no use here: blank cells are missing without a marker")
        return tuple(text.strip(BLANKS) for text in texts)

    @field_validator("strip")
    @classmethod
    def _no_digits(cls, signs: tuple[str, ...]) -> tuple[str, ...]:
        for sign in signs:
            if re.search(r"[0-9+\-.,()]", sign):
                raise ValueError(f"{sign!r} holds a digit or a mark of numbers, so it cannot be stripped from them")
        return signs

    @field_validator("dates")
    @classmethod
    def _known_formats(cls, formats: tuple[str, ...]) -> tuple[str, ...]:
        for text in formats:
            parsed_format(text)
        return formats

    @model_validator(mode="after")
    def _fits_together(self) -> Reading:
        if self.decimal == self.thousands:
            raise ValueError(f"decimal and thousands are both {self.decimal!r}; they must differ")
        if bool(self.true_words) != bool(self.false_words):
            raise ValueError("true_words and false_words come together; give both or neither")
        both = {folded(word) for word in self.true_words} & {folded(word) for word in self.false_words}
        if both:
            raise ValueError(f"{sorted(both)[0]!r} is among true_words and among false_words")
        self._check_dates()
        return self

    def _check_dates(self) -> None:
        if (self.kind == "date") and self.part is not None:
            raise ValueError('part makes a whole number of a date; set kind = "integer"')
        if (self.kind == "date" or self.part is not None) != bool(self.dates):
            raise ValueError('dates holds the formats of a column of kind "date", or of one with a part; give both')
        if self.part is None:
            return
        if self.kind != "integer":
            raise ValueError('part makes a whole number of a date; set kind = "integer"')
        for text in self.dates:
            has = parsed_format(text)
            if not (has.has_time if self.part in _TIME_PARTS else has.has_date):
                raise ValueError(f"dates: {text!r} has no {self.part}")

    @property
    def is_plain_number(self) -> bool:
        """Whether numbers are written as program code writes them."""
        return self.decimal == "." and not (self.thousands or self.strip or self.brackets)

    @property
    def missing_numbers(self) -> tuple[float, ...]:
        """The markers that are numbers."""
        if self.kind not in ("number", "integer") or self.part is not None:
            return ()
        plain = re.compile(number_patterns(Reading()).signed)
        return tuple(float(marker) for marker in self.missing if plain.fullmatch(marker))

    @property
    def words(self) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """The words for true and for false, folded."""
        given = (self.true_words or TRUE_WORDS, self.false_words or FALSE_WORDS)
        return (tuple(map(folded, given[0])), tuple(map(folded, given[1])))

    @property
    def expected(self) -> str:
        """What a cell of the column should hold, for messages."""
        if self.dates:
            return "a date such as " + " or ".join(self.dates)
        if self.kind == "boolean" and self.true_words:
            return f"one of {', '.join((*self.true_words, *self.false_words))}"
        return {
            "number": "a number",
            "integer": "a whole number",
            "boolean": "true or false (or 0/1, yes/no)",
        }.get(self.kind, "")


class NumberPatterns(NamedTuple):
    """The patterns of a column's numbers; each must fit the whole text.

    Groups of ``signed``: a sign (1 or 2), whole digits (3), digits after the mark (4), exponent (5). Groups of
    ``bracketed``: whole digits (1), digits after the mark (2), exponent (3).
    """

    signed: str
    bracketed: str | None


def number_patterns(reading: Reading) -> NumberPatterns:
    """Return the patterns of a reading's numbers."""
    mark = re.escape(reading.decimal)
    whole = "[0-9]+"
    if reading.thousands:
        group = _GROUPING.get(reading.thousands, re.escape(reading.thousands))
        whole = f"(?:[0-9]{{1,3}}(?:{group}[0-9]{{3}})+|[0-9]+)"
    digits = f"(?={mark}?[0-9])({whole}|)(?:{mark}([0-9]*))?([eE][+-]?[0-9]+)?"
    if not reading.strip:
        signed = f"([+-]?)(){digits}"
        return NumberPatterns(signed, rf"\({_BLANK}{digits}{_BLANK}\)" if reading.brackets else None)
    sign = "(?:" + "|".join(re.escape(text) for text in sorted(reading.strip, key=len, reverse=True)) + ")"
    before, after = f"(?:{sign}{_BLANK})*", f"(?:{_BLANK}{sign})*"
    signed = f"(?:([+-]){_BLANK}{before}|{before}([+-]?)){digits}{after}"
    inside = rf"{before}\({_BLANK}{before}{digits}{after}{_BLANK}\){after}"
    return NumberPatterns(signed, inside if reading.brackets else None)


def folded(word: str) -> str:
    """Return a word with its ASCII letters in lower case; other alphabets differ between programs."""
    return word.translate(_FOLD)


@dataclass(frozen=True)
class Unreadable:
    """A cell that its column's reading does not take.

    Attributes:
        text: What it holds.
        fault: What is wrong with it.
    """

    text: str
    fault: str

    def reason(self, column: str) -> str:
        """Return the sentence on it, as quarantined rows and messages show it."""
        return f"{column}: '{self.text[:SHOWN_CHARACTERS]}' {self.fault}"


TOO_LARGE = "is beyond 3.4e38, the largest number that a model can take"


@dataclass(frozen=True)
class CellReader:
    """Reads the cells of one column.

    Attributes:
        reading: How.
    """

    reading: Reading

    def read(self, text: str | None) -> Value | Unreadable | None:
        """Return a cell's value; None where it is missing."""
        if text is None:
            return None
        trimmed = text.strip(BLANKS)
        if not trimmed or trimmed in self._markers:
            return None
        kind = self.reading.kind
        if self.reading.dates:
            value: Value | Unreadable | None = self._date(trimmed)
        elif kind == "text":
            return text
        elif kind == "boolean":
            value = self._words.get(folded(trimmed))
        else:
            value = self._whole(trimmed) if kind == "integer" else self._number(trimmed)
            if isinstance(value, (int, float)) and value in self._missing_numbers:
                return None
        if value is None:
            return Unreadable(text, f"is not {self.reading.expected}")
        return Unreadable(text, value.fault) if isinstance(value, Unreadable) else value

    def series(self, texts: Iterable[str | None], *, unreadable_missing: bool = False) -> pd.Series:
        """Return the values of a whole column as the kind's own type.

        Args:
            texts: The cells.
            unreadable_missing: Whether a cell that cannot be read counts as missing.

        Raises:
            DataError: If a cell cannot be read.
        """
        known: dict[str | None, Value | None] = {}
        values: list[Value | None] = []
        for text in texts:
            if text not in known:
                value = self.read(text)
                if isinstance(value, Unreadable):
                    if not unreadable_missing:
                        raise DataError(f"a cell holds '{value.text[:SHOWN_CHARACTERS]}', which {value.fault}")
                    value = None
                known[text] = value
            values.append(known[text])
        return pd.Series(values, dtype=_DTYPES[self.reading.kind])

    def _number(self, trimmed: str) -> float | Unreadable | None:
        canonical = self._canonical(trimmed)
        if canonical is None:
            return None
        number = float(canonical)
        # Adding 0.0 turns -0.0 into 0.0, which is equal to it and must give the same row identifier.
        return number + 0.0 if abs(number) <= LARGEST_NUMBER else Unreadable(trimmed, TOO_LARGE)

    def _whole(self, trimmed: str) -> int | None:
        canonical = self._canonical(trimmed)
        if canonical is None:
            return None
        digits = canonical.lstrip("+-")
        if re.fullmatch(WHOLE_NUMBER, canonical) and len(digits.lstrip("0")) <= 19:
            number = int(f"-{digits.lstrip('0') or '0'}" if canonical.startswith("-") else digits.lstrip("0") or "0")
            return number if -LARGEST_INTEGER - 1 <= number <= LARGEST_INTEGER else None
        double = float(canonical)
        return int(double) if abs(double) < LARGEST_EXACT and double == math.floor(double) else None

    def _canonical(self, trimmed: str) -> str | None:
        """Return a number as program code writes it; None for what is no number."""
        if match := self._signed.fullmatch(trimmed):
            sign = match[1] or match[2] or ""
            whole, fraction, exponent = match[3], match[4], match[5]
        elif self._bracketed is not None and (match := self._bracketed.fullmatch(trimmed)):
            sign, whole, fraction, exponent = "-", match[1], match[2], match[3]
        else:
            return None
        whole = re.sub("[^0-9]", "", whole) or "0"
        return f"{sign}{whole}{'.' if fraction else ''}{fraction or ''}{exponent or ''}"

    def _date(self, trimmed: str) -> str | int | None:
        for form, pattern in self._formats:
            match = pattern.fullmatch(trimmed)
            moment = None if match is None else form.moment(match)
            if moment is not None:
                return form.text(moment) if self.reading.part is None else part_of(moment, self.reading.part)
        return None

    @cached_property
    def _markers(self) -> frozenset[str]:
        return frozenset(self.reading.missing)

    @cached_property
    def _missing_numbers(self) -> frozenset[float]:
        return frozenset(self.reading.missing_numbers)

    @cached_property
    def _words(self) -> dict[str, bool]:
        true, false = self.reading.words
        return dict.fromkeys(true, True) | dict.fromkeys(false, False)

    @cached_property
    def _signed(self) -> re.Pattern[str]:
        return re.compile(number_patterns(self.reading).signed)

    @cached_property
    def _bracketed(self) -> re.Pattern[str] | None:
        pattern = number_patterns(self.reading).bracketed
        return None if pattern is None else re.compile(pattern)

    @cached_property
    def _formats(self) -> tuple[tuple[DateFormat, re.Pattern[str]], ...]:
        forms = [parsed_format(text) for text in self.reading.dates]
        return tuple((form, re.compile(form.pattern)) for form in forms)


def part_of(moment: tuple[int, int, int], part: DatePart) -> int:
    """Return a part of a moment, given as days since 1970-01-01, second of the day and microsecond."""
    days, seconds, _ = moment
    day = _EPOCH + timedelta(days=days)
    return {
        "year": day.year,
        "month": day.month,
        "day": day.day,
        "weekday": day.isoweekday(),
        "yearday": day.timetuple().tm_yday,
        "days": days,
        "hour": seconds // 3600,
        "minute": seconds // 60 % 60,
        "second": seconds % 60,
    }[part]


DATE_PARTS: tuple[DatePart, ...] = get_args(DatePart)
