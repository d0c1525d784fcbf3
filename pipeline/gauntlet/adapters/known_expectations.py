"""This module provides the expectations whose arguments are known here, as Great Expectations takes them.

Importing Great Expectations takes seconds. A suite that asks only for these, with arguments that are plainly right, is
read without it; anything else is put to Great Expectations, which also words what is wrong. A test holds this table
against Great Expectations' own classes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

# Great Expectations takes bounds as floats, and beyond this not every whole number is one.
_LARGEST_EXACT = 2**53

ArgumentTest = Callable[[Any], bool]


@dataclass(frozen=True)
class KnownArguments:
    """The arguments of one type of expectation.

    Attributes:
        required: The test of each argument that must be given, by name.
        optional: The test of each that may be given.
        bounds: The test of ``min_value`` and ``max_value``, of which at least one must be given; None without them.
    """

    required: Mapping[str, ArgumentTest] = field(default_factory=dict)
    optional: Mapping[str, ArgumentTest] = field(default_factory=dict)
    bounds: ArgumentTest | None = None

    @property
    def names(self) -> frozenset[str]:
        """The names of all arguments."""
        both = {"min_value", "max_value"} if self.bounds else set()
        return frozenset({*self.required, *self.optional, *both})

    def fit(self, kwargs: Mapping[str, Any]) -> bool:
        """Return whether arguments are plainly right."""
        tests = {**self.required, **self.optional}
        if self.bounds:
            tests |= dict.fromkeys(("min_value", "max_value"), self.bounds)
        if not self.required.keys() <= kwargs.keys() <= tests.keys():
            return False
        if not all(tests[name](value) for name, value in kwargs.items()):
            return False
        if self.bounds is None:
            return True
        low, high = kwargs.get("min_value"), kwargs.get("max_value")
        return low <= high if low is not None and high is not None else (low is not None or high is not None)


def plainly_right(kind: str, kwargs: Mapping[str, Any]) -> bool:
    """Return whether an expectation is known here and its arguments are right; False says only that it is not known."""
    known = KNOWN.get(kind)
    return known is not None and known.fit(kwargs)


def is_number(value: Any) -> bool:
    """Return whether a value is a number that a double holds exactly."""
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) <= _LARGEST_EXACT


def _whole(value: Any) -> bool:
    return isinstance(value, int) and is_number(value)


def _flag(value: Any) -> bool:
    return isinstance(value, bool)


def _share(value: Any) -> bool:
    return is_number(value) and 0 < value <= 1


def _text(value: Any) -> bool:
    return isinstance(value, str) and value != ""


def _texts(value: Any) -> bool:
    return isinstance(value, list) and value != [] and all(map(_text, value))


def _alike(value: Any) -> bool:
    """Return whether a value is a list of numbers, of texts or of booleans."""
    if not isinstance(value, list) or not value:
        return False
    return any(all(map(test, value)) for test in (is_number, _flag, lambda item: isinstance(item, str)))


_COLUMN: Mapping[str, ArgumentTest] = {"column": _text}
_MOSTLY: Mapping[str, ArgumentTest] = {"mostly": _share}
_STRICT: Mapping[str, ArgumentTest] = {"strict_min": _flag, "strict_max": _flag}


def _of_values(bounds: ArgumentTest | None = None, **required: ArgumentTest) -> KnownArguments:
    optional = {**_MOSTLY, **_STRICT} if bounds else _MOSTLY
    return KnownArguments({**_COLUMN, **required}, optional, bounds)


_OF_COLUMN = KnownArguments(_COLUMN, _STRICT, is_number)

KNOWN: Mapping[str, KnownArguments] = {
    "expect_table_row_count_to_be_between": KnownArguments({}, _STRICT, _whole),
    "expect_table_row_count_to_equal": KnownArguments({"value": _whole}),
    "expect_table_column_count_to_equal": KnownArguments({"value": _whole}),
    "expect_table_columns_to_match_set": KnownArguments({"column_set": _texts}, {"exact_match": _flag}),
    "expect_table_columns_to_match_ordered_list": KnownArguments({"column_list": _texts}),
    "expect_column_to_exist": KnownArguments(_COLUMN),
    "expect_column_values_to_be_of_type": _of_values(type_=_text),
    "expect_column_values_to_be_in_type_list": _of_values(type_list=_texts),
    "expect_column_values_to_not_be_null": _of_values(),
    "expect_column_values_to_be_null": _of_values(),
    "expect_column_values_to_be_between": _of_values(is_number),
    "expect_column_values_to_be_in_set": _of_values(value_set=_alike),
    "expect_column_values_to_not_be_in_set": _of_values(value_set=_alike),
    "expect_column_values_to_match_regex": _of_values(regex=_text),
    "expect_column_values_to_not_match_regex": _of_values(regex=_text),
    "expect_column_value_lengths_to_be_between": _of_values(_whole),
    "expect_column_value_lengths_to_equal": _of_values(value=_whole),
    "expect_column_values_to_be_unique": _of_values(),
    "expect_column_min_to_be_between": _OF_COLUMN,
    "expect_column_max_to_be_between": _OF_COLUMN,
    "expect_column_mean_to_be_between": _OF_COLUMN,
    "expect_column_sum_to_be_between": _OF_COLUMN,
    "expect_column_stdev_to_be_between": _OF_COLUMN,
}
