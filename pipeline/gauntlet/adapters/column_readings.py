"""This module provides the reading of a column that nobody has described yet: its kind, and how its texts are written.

What is found are keys of the problem file, so that later files are held to it. A reading is chosen only if it takes
every cell of the column; what stays ambiguous (day or month first) is said.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

from gauntlet.core.date_formats import parsed_format
from gauntlet.core.reading import BLANKS, LARGEST_NUMBER, CellReader, Reading, Unreadable, folded

# Texts that stand for a missing value wherever they are; in a column of texts each of them could be a value, too.
_MARKERS = frozenset(("?", "n/a", "#n/a", "#na", "nan", "null", "<na>", "\\n", "(null)", "n.a.", "#null!"))
# Country codes: NA is Namibia there.
_CODES = re.compile("[A-Z]{2}")
# Texts that stand for a missing value in a column that holds numbers, dates or booleans otherwise.
_OTHER_MARKERS = frozenset(
    (
        *("na", "none", "nil", "-", "--", "---", ".", "..", "*", "x", "missing", "unknown", "unk", "undefined", "nat"),
        *("not available", "not applicable", "inf", "-inf", "+inf", "infinity", "-infinity", "#div/0!", "#value!"),
        *("#ref!", "#num!", "#name?", "k.a.", "keine angabe", "s/o", "tbd", "empty"),
    )
)
_SENTINEL = re.compile("-9{2,6}")
_FEWEST_SENTINELS = 2
_WORD_PAIRS = (
    *(("yes", "no"), ("y", "n"), ("t", "f"), ("on", "off"), ("ja", "nein"), ("j", "n"), ("oui", "non"), ("si", "no")),
    *(("sí", "no"), ("sim", "não"), ("wahr", "falsch"), ("vrai", "faux"), ("да", "нет")),
)
_CURRENCIES = ("US$", "R$", "USD", "EUR", "GBP", "CHF", "JPY", "CNY", "INR", "CAD", "AUD", "SEK", "NOK", "DKK", "PLN")
_PERCENT = ("%", "‰")
_CODE = re.compile("[+-]?0[0-9]+")  # 00123: a code, whose zeros a number would lose
_DIGIT = re.compile("[0-9]")
_DATES = (
    *("%Y-%m-%d", "%Y/%m/%d", "%Y.%m.%d", "%d.%m.%Y", "%m/%d/%Y", "%d/%m/%Y", "%d-%m-%Y", "%m-%d-%Y", "%d.%m.%y"),
    *("%m/%d/%y", "%d/%m/%y", "%d %b %Y", "%d-%b-%Y", "%d-%b-%y", "%b %d, %Y", "%b %d %Y"),
)
_TIMES = ("%H:%M:%S", "%H:%M:%S.%f", "%H:%M", "%I:%M:%S %p", "%I:%M %p")
_ZONED = tuple(f"%Y-%m-%d{mark}{time}%z" for mark in ("T", " ") for time in ("%H:%M:%S", "%H:%M:%S.%f"))
_MOMENTS = (*(f"{day}{mark}{time}" for day, mark, time in product(_DATES, (" ", "T"), _TIMES)), *_ZONED)
_FORMATS = (*_DATES, *_MOMENTS, *_TIMES)
_MOST_FORMATS = 3
_SHOWN = 3

TEXT = Reading(kind="text")


@dataclass(frozen=True)
class ColumnReading:
    """How a column's texts are read.

    Attributes:
        reading: The reading.
        converted: What is made of texts that are not what they mean, one phrase each, with the number of cells.
        remark: What to look at; empty if there is nothing to say.
    """

    reading: Reading
    converted: tuple[str, ...] = ()
    remark: str = ""


def find_reading(texts: Iterable[str | None], *, decimal_comma: bool = False, words: bool = True) -> ColumnReading:
    """Return the narrowest reading that takes every text of a column.

    Args:
        texts: The column's cells.
        decimal_comma: Whether a comma is rather a decimal mark than one between thousands, where it could be both.
        words: Whether words such as yes and no may be booleans; a label's stay texts, which say more.
    """
    counts = _counted(texts)
    if not counts:
        return ColumnReading(TEXT)
    markers = [token for token in counts if folded(token) in _MARKERS]
    others = [token for token in counts if folded(token) in _OTHER_MARKERS]
    for missing in dict.fromkeys((tuple(markers), (*markers, *others), tuple(others), ())):
        values = [token for token in counts if token not in set(missing)]
        found = _typed(values, counts, missing, decimal_comma=decimal_comma, words=words) if values else None
        if found is not None:
            return found
    return _text(counts, markers)


def grouped_by_points(texts: Iterable[str | None], reading: Reading) -> ColumnReading | None:
    """Return the reading of whole numbers whose points are between thousands; None where they cannot be.

    ``1.234`` alone is read as a decimal number. Where another column of the file has decimal commas it is not one.
    """
    counts = _counted(texts)
    grouped = Reading.model_validate({**reading.model_dump(), "kind": "integer", "decimal": ",", "thousands": "."})
    cells = CellReader(grouped)
    if not any("." in token for token in counts) or any(isinstance(cells.read(token), Unreadable) for token in counts):
        return None
    cells_of = sum(count for token, count in counts.items() if "." in token)
    return ColumnReading(grouped, (_phrase("'.' taken as the mark between thousands", cells_of),))


def _counted(texts: Iterable[str | None]) -> Counter[str]:
    """Return how many cells hold each text, without the blanks around it; blank cells do not count."""
    counts: Counter[str] = Counter()
    for text, count in Counter(texts).items():
        if text is not None and (trimmed := text.strip(BLANKS)):
            counts[trimmed] += count
    return counts


def _typed(
    values: Sequence[str], counts: Mapping[str, int], missing: tuple[str, ...], *, decimal_comma: bool, words: bool
) -> ColumnReading | None:
    """Return the reading of a column whose values are booleans, numbers or dates; None for texts."""
    said = _missing_phrases(missing, counts)
    if (found := _booleans(values, words=words)) is not None:
        keys = {"kind": "boolean", "missing": missing, **found}
        if found:
            words_of = f"'{found['true_words'][0]}' taken as true and '{found['false_words'][0]}' as false"
            said = (*said, _phrase(words_of, sum(counts[value] for value in values)))
        return ColumnReading(Reading.model_validate(keys), said)
    if any(_CODE.fullmatch(value) for value in values):
        return None
    if (number := _numbers(values, counts, decimal_comma=decimal_comma)) is not None:
        sentinels = _sentinels(values, counts, number)
        keys = {**number.reading.model_dump(), "missing": (*missing, *sentinels)}
        said = _missing_phrases((*missing, *sentinels), counts)
        return ColumnReading(Reading.model_validate(keys), (*said, *number.converted), number.remark)
    if (dates := _dates(values)) is not None:
        keys = {"kind": "date", "missing": missing, "dates": dates}
        cells = sum(counts[value] for value in values)
        remark = _ambiguity(dates, values)
        return ColumnReading(
            Reading.model_validate(keys), (*said, _phrase(f"read as {' or '.join(dates)}", cells)), remark
        )
    return None


def _booleans(values: Sequence[str], *, words: bool) -> dict[str, Any] | None:
    spelled = {folded(value) for value in values}
    if spelled <= {"true", "false"}:
        return {}
    pair = next((pair for pair in _WORD_PAIRS if words and spelled == set(pair)), None)
    return None if pair is None else {"true_words": (pair[0],), "false_words": (pair[1],)}


def _numbers(values: Sequence[str], counts: Mapping[str, int], *, decimal_comma: bool) -> ColumnReading | None:
    if not all(_DIGIT.search(value) for value in values):
        return None
    if (plain := _as_number(values, {})) is not None:
        return plain
    strip = _signs(values)
    if strip is None:
        return None
    brackets = any("(" in value for value in values)
    marks = [(".", ""), (".", ","), (",", ""), (",", "."), (".", " "), (",", " "), (".", "'"), (",", "'"), (".", "_")]
    if decimal_comma:
        marks = [(".", ""), (",", ""), (",", "."), *marks[1:2], *marks[4:]]
    for decimal, thousands in marks:
        found = _as_number(values, {"decimal": decimal, "thousands": thousands, "strip": strip, "brackets": brackets})
        if found is not None:
            return ColumnReading(found.reading, tuple(_number_phrases(found.reading, counts, values)), found.remark)
    return None


def _as_number(values: Sequence[str], keys: dict[str, Any]) -> ColumnReading | None:
    """Return the reading with these keys, of whole numbers where all are whole; None where one is no number."""
    whole, number = (CellReader(Reading.model_validate({"kind": kind, **keys})) for kind in ("integer", "number"))
    kept = "integer"
    for value in values:
        if kept == "integer":
            # 7.0 and 7e2 would be read as whole numbers, too, but are written as measurements.
            read = None if re.search(r"[eE]", value) else whole.read(value)
            if not isinstance(read, int) or _has_fraction(value, whole.reading):
                kept = "number"
        if kept == "number":
            read_as = number.read(value)
            if isinstance(read_as, Unreadable):
                too_large = "beyond" in read_as.fault
                return (
                    ColumnReading(
                        TEXT,
                        (),
                        f"holds {value[:30]}, beyond {LARGEST_NUMBER:.1e}, the largest number that a model can take",
                    )
                    if too_large and all(_is_number(other, number) for other in values)
                    else None
                )
    return ColumnReading((whole if kept == "integer" else number).reading)


def _is_number(value: str, reader: CellReader) -> bool:
    read = reader.read(value)
    return not isinstance(read, Unreadable) or "beyond" in read.fault


def _has_fraction(value: str, reading: Reading) -> bool:
    return reading.decimal in value


def _signs(values: Sequence[str]) -> tuple[str, ...] | None:
    """Return the currencies and percent signs around numbers; None where something else is around them."""
    signs: dict[str, None] = {}
    for value in values:
        rest = re.sub("[0-9.,+\\-()'’_\\s]|[eE](?=[+-]?[0-9])", " ", value)
        for piece in rest.split():
            known = _known_signs(piece)
            if known is None:
                return None
            signs |= dict.fromkeys(known)
    return tuple(signs)


def _known_signs(piece: str) -> list[str] | None:
    if piece in _CURRENCIES or piece in _PERCENT:
        return [piece]
    return list(piece) if all(unicodedata.category(letter) == "Sc" or letter in _PERCENT for letter in piece) else None


def _number_phrases(reading: Reading, counts: Mapping[str, int], values: Sequence[str]) -> Iterator[str]:
    def cells(mark: str) -> int:
        return sum(counts[value] for value in values if mark in value)

    if reading.decimal == ",":
        yield _phrase("',' taken as the decimal mark", cells(","))
    if reading.thousands:
        shown = "blanks" if reading.thousands == " " else f"'{reading.thousands}'"
        count = sum(counts[v] for v in values if re.search(r"[0-9][,.' \xa0\u2009\u202f’_][0-9]{3}", v))
        yield _phrase(f"{shown} taken as the mark between thousands", count)
    for sign in reading.strip:
        yield _phrase(f"'{sign}' left out", cells(sign))
    if reading.brackets:
        yield _phrase("brackets taken as a minus sign", cells("("))


def _sentinels(values: Sequence[str], counts: Mapping[str, int], number: ColumnReading) -> tuple[str, ...]:
    """Return values such as -999 that stand for a missing one: the only negative ones, and they repeat."""
    if number.reading.kind not in ("number", "integer"):
        return ()
    reader = CellReader(number.reading)
    read = {value: reader.read(value) for value in values}
    negative = [value for value, made in read.items() if isinstance(made, (int, float)) and made < 0]
    odd = [value for value in negative if _SENTINEL.fullmatch(re.sub(r"\.0*$", "", value))]
    repeated = sum(counts[value] for value in odd) >= _FEWEST_SENTINELS
    return tuple(odd) if odd and len(odd) == len(negative) and len(values) > len(odd) + 1 and repeated else ()


def _dates(values: Sequence[str]) -> tuple[str, ...] | None:
    """Return the formats that take all values, as few as possible; None where there are none."""
    if not all(_DIGIT.search(value) for value in values) or any(len(value) > 40 for value in values):
        return None
    left, chosen = list(values), list[str]()
    while left and len(chosen) < _MOST_FORMATS:
        fitting = [text for text in _FORMATS if _fits(text, left[0])]
        taken = {text: [value for value in left if _fits(text, value)] for text in fitting}
        if not taken:
            return None
        best = max(taken, key=lambda text: len(taken[text]))
        chosen.append(best)
        gone = set(taken[best])
        left = [value for value in left if value not in gone]
    if left or len({parsed_format(text).has_date for text in chosen}) > 1:
        return None
    # Two orders of day and month in one column are no dates: 13.01. and 01.13. cannot both be meant.
    orders = {_order(text) for text in chosen}
    return tuple(chosen) if len(orders) == 1 else None


def _fits(text: str, value: str) -> bool:
    form = parsed_format(text)
    match = re.fullmatch(form.pattern, value)
    return match is not None and form.moment(match) is not None


def _order(text: str) -> tuple[str, ...]:
    return tuple(letter for letter in parsed_format(text).directives if letter in "Yymbd")


def _ambiguity(dates: Sequence[str], values: Sequence[str]) -> str:
    """Return what to look at where day and month could be meant the other way round."""
    swapped = [text.replace("%m", "%_").replace("%d", "%m").replace("%_", "%d") for text in dates]
    if any("%b" in text or text.startswith(("%Y", "%H", "%I")) for text in dates):
        return ""
    if all(any(_fits(text, value) for text in swapped) for value in values):
        return f"day and month could be meant the other way round: read as {dates[0]}, set dates to change it"
    return ""


def _text(counts: Mapping[str, int], markers: Sequence[str]) -> ColumnReading:
    values = [token for token in counts if token not in set(markers)]
    missing = list(markers)
    if "NA" in counts and not all(_CODES.fullmatch(value) for value in values):
        missing.append("NA")
    if not [value for value in values if value not in missing]:
        return ColumnReading(TEXT)  # nothing else is there: they are the values
    reading = Reading(kind="text", missing=tuple(missing))
    return ColumnReading(reading, _missing_phrases(missing, counts))


def alike_texts(texts: Iterable[str | None]) -> str:
    """Return what to look at where categories differ in case or spaces only; empty if none do."""
    spelled: dict[str, set[str]] = {}
    for text in set(texts):
        if text is not None and text.strip(BLANKS):
            spelled.setdefault(" ".join(text.split()).casefold(), set()).add(text)
    alike = next((sorted(group) for group in spelled.values() if len(group) > 1), None)
    if alike is None:
        return ""
    return f"{alike[0]!r} and {alike[1]!r} differ in case or spaces only, and are different values"


def _missing_phrases(missing: Iterable[str], counts: Mapping[str, int]) -> tuple[str, ...]:
    return tuple(_phrase(f"'{marker}' taken as missing", counts[marker]) for marker in missing)


def _phrase(what: str, cells: int) -> str:
    return f"{what}, {cells} cell{'' if cells == 1 else 's'}"
