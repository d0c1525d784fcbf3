"""This module provides the grammar of cells as Spark expressions: the twin of ``core.reading.CellReader``.

Both are made of one reading and the same patterns; a test holds their values and reasons together. The expressions
come in three steps, each of which a frame holds as a column of its own, so that Spark computes none of them twice.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import reduce

from pyspark.sql import Column as Expression
from pyspark.sql import functions as F  # noqa: N812 - pyspark's own convention

from gauntlet.core.date_formats import CENTURY_FROM, DAY_SECONDS, FIRST_DAY, LAST_DAY, MONTHS, DateFormat, parsed_format
from gauntlet.core.reading import (
    BLANKS,
    CAPITALS,
    LARGEST_EXACT,
    LARGEST_NUMBER,
    SMALL,
    TOO_LARGE,
    WHOLE_NUMBER,
    Reading,
    number_patterns,
)

_EPOCH = "1970-01-01"
_MICROS = 1_000_000
_FIRST_MICRO, _END_MICRO = FIRST_DAY * DAY_SECONDS * _MICROS, (LAST_DAY + 1) * DAY_SECONDS * _MICROS
_CLOCK = ("hour", "minute", "second")


def trimmed_text(text: Expression) -> Expression:
    """Return a cell's text without the blanks around it: the first step."""
    return F.btrim(text, F.lit(BLANKS))


@dataclass(frozen=True)
class CellExpressions:
    """One column's cells.

    Attributes:
        reading: How they are read.
        trimmed: Their texts without blanks around them.
    """

    reading: Reading
    trimmed: Expression

    @property
    def parsed(self) -> Expression:
        """The second step: what the value is made of, null where the text has not the form of one.

        It is a number as program code writes it; a date's microseconds since 1970, and the place of its format.
        """
        kind = self.reading.kind
        if self.reading.dates:
            forms = [parsed_format(text) for text in self.reading.dates]
            return F.coalesce(*[self._moment(form, place) for place, form in enumerate(forms)])
        if kind == "boolean":
            true, false = self.reading.words
            word = F.translate(self.trimmed, CAPITALS, SMALL)
            return F.when(word.isin(*true), True).when(word.isin(*false), False)
        return self._number() if kind in ("number", "integer") else F.lit(None).cast("string")

    def value(self, parsed: Expression, *, text: Expression) -> Expression:
        """Return the third step: the value, null where it is missing or cannot be read.

        Args:
            parsed: The column that holds ``parsed``.
            text: The cell's text.
        """
        value = self._made_of(parsed, text)
        if self.reading.kind == "number":
            value = F.when(F.abs(value) <= LARGEST_NUMBER, value)
        return F.when(~self._absent(parsed), value)

    def fault(self, parsed: Expression, *, text: Expression) -> Expression:
        """Return what is wrong with the text; null where nothing is."""
        if self.reading.kind == "text":
            return F.lit(None).cast("string")
        value = self._made_of(parsed, text)
        wrong = F.when(value.isNull(), F.lit(f"is not {self.reading.expected}"))
        if self.reading.kind == "number":
            wrong = wrong.when(F.abs(value) > LARGEST_NUMBER, F.lit(TOO_LARGE))
        return F.when(~self._absent(parsed), wrong)

    def _absent(self, parsed: Expression) -> Expression:
        """Return whether the cell is missing; never null itself."""
        absent = self.trimmed.isNull() | (self.trimmed == "")
        if self.reading.missing:
            absent = absent | F.coalesce(self.trimmed.isin(*self.reading.missing), F.lit(False))
        if self.reading.missing_numbers:
            number = self._made_of(parsed, self.trimmed)
            absent = absent | F.coalesce(number.isin(*self.reading.missing_numbers), F.lit(False))
        return absent

    def _made_of(self, parsed: Expression, text: Expression) -> Expression:
        match self.reading.kind:
            case "text":
                return text
            case "boolean":
                return parsed
            case "number":
                # Adding 0.0 turns -0.0 into 0.0, which is equal to it and must give the same row identifier.
                return parsed.try_cast("double") + F.lit(0.0)
            case "date":
                return self._date_text(parsed)
            case "integer":
                return _integer(parsed) if self.reading.part is None else self._part(parsed)

    def _number(self) -> Expression:
        patterns = number_patterns(self.reading)
        if self.reading.is_plain_number:
            # The pattern first: a cast alone would take "1d", "NaN" and "Infinity" for numbers.
            return F.when(self.trimmed.rlike(_whole(patterns.signed)), self.trimmed)
        signed = self._canonical(patterns.signed, signs=(1, 2), first=3)
        if patterns.bracketed is None:
            return signed
        return F.coalesce(signed, self._canonical(patterns.bracketed, signs=(), first=1))

    def _canonical(self, pattern: str, *, signs: tuple[int, ...], first: int) -> Expression:
        pattern = _whole(pattern)

        def group(number: int) -> Expression:
            return F.regexp_extract(self.trimmed, pattern, number)

        whole, fraction = F.regexp_replace(group(first), "[^0-9]", ""), group(first + 1)
        number = F.concat(
            *([group(number) for number in signs] or [F.lit("-")]),
            F.when(whole == "", "0").otherwise(whole),
            F.when(fraction == "", "").otherwise(F.concat(F.lit("."), fraction)),
            group(first + 2),
        )
        return F.when(self.trimmed.rlike(pattern), number)

    def _moment(self, form: DateFormat, place: int) -> Expression:
        """Return a date by one format as microseconds and the format's place; null where the cell has another form."""
        pattern, places = _whole(form.pattern), {letter: n for n, letter in enumerate(form.directives, start=1)}

        def given(letter: str) -> Expression:
            return F.regexp_extract(self.trimmed, pattern, places[letter])

        def number(letter: str, *, most: int = 9999) -> Expression:
            if letter not in places:
                return F.lit(0)
            found = given(letter).try_cast("int")
            return found if most == 9999 else F.when(found <= most, found)

        days = F.lit(0)
        if form.has_date:
            year = number("Y")
            if "y" in places:
                year = number("y") + F.when(number("y") >= CENTURY_FROM, 1900).otherwise(2000)
            name = F.lower(F.substring(given("b"), 1, 3)) if "b" in places else F.lit("")
            month = number("m") if "m" in places else F.array_position(F.array(*map(F.lit, MONTHS)), name)
            day = F.concat_ws("-", _padded(year, 4), _padded(month, 2), _padded(number("d"), 2)).try_cast("date")
            days = F.datediff(day, F.lit(_EPOCH).cast("date"))
        hour = number("H", most=23)
        if "I" in places:
            afternoon = F.when(F.lower(given("p")) == "p", 12).otherwise(0)
            hour = F.when(number("I").between(1, 12), number("I") % 12 + afternoon)
        seconds = days.cast("bigint") * DAY_SECONDS + hour * 3600 + number("M", most=59) * 60 + number("S", most=59)
        micros = (seconds - (_offset(given("z")) if "z" in places else F.lit(0))) * _MICROS
        if "f" in places:
            micros = micros + F.rpad(F.substring(given("f"), 1, 6), 6, "0").try_cast("int")
        fits = self.trimmed.rlike(pattern) & (micros >= _FIRST_MICRO) & (micros < _END_MICRO)
        if "Y" in places:
            fits = fits & (number("Y") >= 1)  # Python's calendar has no year 0
        return F.when(fits, F.struct(micros.alias("micros"), F.lit(place).alias("form")))

    def _date_text(self, parsed: Expression) -> Expression:
        forms = [parsed_format(text) for text in self.reading.dates]
        texts = [_text_of(form, parsed["micros"]) for form in forms]
        return reduce(
            lambda other, numbered: F.when(parsed["form"] == numbered[0], numbered[1]).otherwise(other),
            enumerate(texts),
            F.lit(None).cast("string"),
        )

    def _part(self, parsed: Expression) -> Expression:
        days, seconds = _days_and_seconds(parsed["micros"])
        return _part_of(self.reading.part or "days", days, seconds).cast("bigint")


def _integer(number: Expression) -> Expression:
    double = number.try_cast("double")
    whole = (double == F.floor(double)) & (F.abs(double) < LARGEST_EXACT)
    return F.when(number.rlike(_whole(WHOLE_NUMBER)), number.try_cast("bigint")).when(whole, double.try_cast("bigint"))


def _days_and_seconds(micros: Expression) -> tuple[Expression, Expression]:
    # Microseconds are beyond what a double holds, so a quotient would be rounded.
    seconds = F.call_function("div", micros - F.pmod(micros, F.lit(_MICROS)), F.lit(_MICROS))
    return F.floor(seconds / DAY_SECONDS).cast("int"), F.pmod(seconds, F.lit(DAY_SECONDS)).cast("int")


def _text_of(form: DateFormat, micros: Expression) -> Expression:
    """Return a moment as ``DateFormat.text`` writes it."""
    days, seconds = _days_and_seconds(micros)
    pieces = [F.date_add(F.lit(_EPOCH).cast("date"), days).cast("string")] if form.has_date else []
    if form.has_time:
        clock = F.concat_ws(":", *[_padded(_part_of(part, days, seconds), 2) for part in _CLOCK])
        if "f" in form.directives:
            fraction = F.rtrim(_padded(F.pmod(micros, F.lit(_MICROS)), 6), F.lit("0"))
            clock = F.concat(clock, F.when(fraction == "", "").otherwise(F.concat(F.lit("."), fraction)))
        pieces.append(clock)
    return F.when(micros.isNotNull(), F.concat_ws(" ", *pieces))


def _part_of(part: str, days: Expression, seconds: Expression) -> Expression:
    """Return a part of a moment, as ``core.reading.part_of`` does."""
    plain = {
        "days": days,
        "hour": F.floor(seconds / 3600),
        "minute": F.floor(seconds / 60) % 60,
        "second": seconds % 60,
        "weekday": F.pmod(days + 3, F.lit(7)) + 1,  # the first of January 1970 was a Thursday
    }
    if part in plain:
        return plain[part].cast("int")
    day = F.date_add(F.lit(_EPOCH).cast("date"), days)
    return {"year": F.year, "month": F.month, "day": F.dayofmonth, "yearday": F.dayofyear}[part](day)


def _offset(zone: Expression) -> Expression:
    """Return the seconds that a zone is ahead of UTC; null where there is no such zone."""
    hours, minutes = F.substring(zone, 2, 2).try_cast("int"), F.substring(zone, -2, 2).try_cast("int")
    ahead = F.when((hours <= 15) & (minutes <= 59), hours * 3600 + minutes * 60)
    return F.when(F.lower(zone) == "z", 0).when(zone.startswith("-"), -ahead).otherwise(ahead)


def _padded(number: Expression, digits: int) -> Expression:
    return F.lpad(number.cast("string"), digits, "0")


def _whole(pattern: str) -> str:
    """Return a pattern for a whole text; Java's ``$`` would also match before a last line break."""
    return f"^(?:{pattern})\\z"
