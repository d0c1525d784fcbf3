"""This module provides the formats of dates: a part of ``strptime``'s directives, as patterns and as arithmetic.

The patterns and the arithmetic are simple enough to be the same in Python and in Spark's expressions.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cache

# Days since 1970-01-01, second of the day, microsecond.
Moment = tuple[int, int, int]

MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
DAY_SECONDS = 86_400
FIRST_DAY, LAST_DAY = (date(1, 1, 1) - date(1970, 1, 1)).days, (date(9999, 12, 31) - date(1970, 1, 1)).days
# Two digits of a year stand for 1969 to 2068, as POSIX has it.
CENTURY_FROM = 69

_EPOCH = date(1970, 1, 1)
_FULL_MONTHS = ("uary", "ruary", "ch", "il", "", "e", "y", "ust", "tember", "ober", "ember", "ember")
_MONTH = "|".join(
    "".join(f"[{letter.upper()}{letter}]" for letter in start)
    + (f"(?:{''.join(f'[{letter.upper()}{letter}]' for letter in rest)})?" if rest else "")
    for start, rest in zip(MONTHS, _FULL_MONTHS, strict=True)
)
_DIRECTIVES = {
    "Y": "([0-9]{4})",
    "y": "([0-9]{2})",
    "m": "([0-9]{1,2})",
    "b": f"({_MONTH})",
    "d": "([0-9]{1,2})",
    "H": "([0-9]{1,2})",
    "I": "([0-9]{1,2})",
    "p": "([AaPp])[.]?[Mm][.]?",
    "M": "([0-9]{2})",
    "S": "([0-9]{2})",
    "f": "([0-9]{1,9})",
    "z": "([Zz]|[+-][0-9]{2}:?[0-9]{2})",
}
_SYNONYMS = {"B": "b", "T": "H:%M:%S", "F": "Y-%m-%d"}


@dataclass(frozen=True)
class DateFormat:
    """A format of dates.

    Attributes:
        pattern: The regular expression that a whole text must fit.
        directives: The letters of its directives, in the order of the pattern's groups.
    """

    pattern: str
    directives: tuple[str, ...]

    @property
    def has_date(self) -> bool:
        """Whether it says the day."""
        return "d" in self.directives

    @property
    def has_time(self) -> bool:
        """Whether it says the time of the day."""
        return "H" in self.directives or "I" in self.directives

    def moment(self, match: re.Match[str]) -> Moment | None:
        """Return the moment of a text that fits the pattern; None where there is no such day or time."""
        given = dict(zip(self.directives, match.groups(), strict=True))
        number = {letter: int(text) for letter, text in given.items() if letter in "YymdHIMS"}
        days = self._day(given, number)
        hour = number.get("H", 0)
        if "I" in number:
            if not 1 <= number["I"] <= 12:
                return None
            hour = number["I"] % 12 + (12 if given["p"] in "Pp" else 0)
        minute, second = number.get("M", 0), number.get("S", 0)
        if days is None or hour > 23 or minute > 59 or second > 59:
            return None
        offset = _offset(given.get("z", "Z"))
        if offset is None:
            return None
        total = days * DAY_SECONDS + hour * 3600 + minute * 60 + second - offset
        days = total // DAY_SECONDS
        if not FIRST_DAY <= days <= LAST_DAY:
            return None
        return days, total % DAY_SECONDS, int(given.get("f", "0").ljust(6, "0")[:6])

    def text(self, moment: Moment) -> str:
        """Return a moment as tables keep it: sortable, in UTC where the format has a time zone."""
        days, seconds, micros = moment
        parts = []
        if self.has_date:
            parts.append((_EPOCH + timedelta(days=days)).isoformat())
        if self.has_time:
            fraction = f".{micros:06d}".rstrip("0") if micros else ""
            parts.append(f"{seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}{fraction}")
        return " ".join(parts)

    def _day(self, given: dict[str, str], number: dict[str, int]) -> int | None:
        if not self.has_date:
            return 0
        year = number["Y"] if "Y" in number else number["y"] + (1900 if number["y"] >= CENTURY_FROM else 2000)
        month = number["m"] if "m" in number else MONTHS.index(given["b"][:3].lower()) + 1
        try:
            return (date(year, month, number["d"]) - _EPOCH).days
        except ValueError:
            return None


@cache
def parsed_format(text: str) -> DateFormat:
    """Return a format.

    Args:
        text: As ``strptime`` writes it, of the directives Y, y, m, b, B, d, H, I, p, M, S, f, z, F and T.

    Raises:
        ValueError: If it has another directive, one twice, or too few to say a day or a time.
    """
    plain = re.sub("%([BTF])", lambda match: f"%{_SYNONYMS[match[1]]}", text)
    letters: list[str] = []

    def directive(match: re.Match[str]) -> str:
        letter = match[1]
        if letter not in _DIRECTIVES:
            raise ValueError(f"{text!r}: %{letter} is not known; use {', '.join(f'%{known}' for known in _DIRECTIVES)}")
        letters.append(letter)
        return _DIRECTIVES[letter]

    pieces = re.split("(%.)", plain)
    pattern = "".join(
        directive(match) if (match := re.fullmatch("%(.)", piece)) else re.escape(piece) for piece in pieces
    )
    _check(text, letters)
    return DateFormat(pattern, tuple(letters))


def _check(text: str, letters: list[str]) -> None:
    if len(set(letters)) < len(letters):
        raise ValueError(f"{text!r} has a directive twice")
    has = set(letters)
    rules: tuple[tuple[Callable[[], bool], str], ...] = (
        (lambda: len(has & {"Y", "y"}) == len(has & {"m", "b"}) == len(has & {"d"}) <= 1, "year, month and day"),
        (lambda: len(has & {"H", "I"}) <= 1 and ("I" in has) == ("p" in has), "one hour, %I together with %p"),
        (lambda: has.isdisjoint("MSf") or not has.isdisjoint("HI"), "an hour before minutes"),
        (lambda: ("S" not in has or "M" in has) and ("f" not in has or "S" in has), "minutes before seconds"),
        (lambda: "z" not in has or ("d" in has and not has.isdisjoint("HI")), "day and time beside %z"),
        (lambda: "d" in has or not has.isdisjoint("HI"), "a day or a time"),
    )
    for holds, needed in rules:
        if not holds():
            raise ValueError(f"{text!r}: a format of dates needs {needed}")


def _offset(zone: str) -> int | None:
    """Return the seconds that a zone is ahead of UTC; None where there is no such zone."""
    if zone in "Zz":
        return 0
    hours, minutes = int(zone[1:3]), int(zone[-2:])
    if hours > 15 or minutes > 59:
        return None
    return (hours * 3600 + minutes * 60) * (-1 if zone[0] == "-" else 1)
