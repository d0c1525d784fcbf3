"""The table of known expectations, held against Great Expectations' own classes: it may know less, never more."""

from __future__ import annotations

import itertools
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from gauntlet.adapters.known_expectations import KNOWN, plainly_right
from gauntlet.adapters.suite_files import (
    _empty_findings,
    _model_findings,
    import_great_expectations,
    load_suite,
    packaged_suites,
)

pytestmark = pytest.mark.unit

# Right and wrong in turn, for any argument of any type.
VALUES: tuple[Any, ...] = (
    *(0, 1, 3, 0.5, -2.5, 1e300, 2**60, True, None, "", "x", "IntegerType", "3", {}, {"$PARAMETER": "x"}),
    *([], ["x"], ["x", ""], [1, 2.5], [True], [1, "x"], [None], [[1]], {"x": 1}),
)
GOOD: dict[str, Any] = {
    "column": "x",
    "value": 3,
    "column_set": ["x"],
    "column_list": ["x"],
    "type_": "DoubleType",
    "type_list": ["DoubleType"],
    "value_set": [1],
    "regex": "a+",
}


@pytest.fixture(scope="module")
def models() -> dict[str, Any]:
    import_great_expectations()
    from great_expectations.expectations import registry  # noqa: PLC0415 - takes seconds to import

    known = set(registry.list_registered_expectation_implementations())
    assert KNOWN.keys() <= known
    return {kind: registry.get_expectation_impl(kind) for kind in KNOWN}


def least(kind: str) -> dict[str, Any]:
    arguments = {name: GOOD[name] for name in KNOWN[kind].required}
    return arguments | ({"min_value": 0} if KNOWN[kind].bounds else {})


@pytest.mark.parametrize("kind", KNOWN)
def test_what_is_plainly_right_here_is_right_for_great_expectations(kind: str, models: dict[str, Any]) -> None:
    model, known = models[kind], KNOWN[kind]
    fields = model.__fields__
    assert known.names <= fields.keys()
    assert {name for name, found in fields.items() if found.required} <= known.required.keys()
    assert ({"min_value", "max_value"} <= fields.keys()) == (known.bounds is not None)
    assert plainly_right(kind, least(kind))
    tried = [{**least(kind), name: value} for name, value in itertools.product([*known.names, "other"], VALUES)]
    tried += [{key: value for key, value in least(kind).items() if key != left} for left in least(kind)]
    if known.bounds:
        tried += [{**least(kind), "min_value": low, "max_value": high} for low in (1, 2) for high in (1, 2)]
    right = [kwargs for kwargs in (least(kind), *tried) if plainly_right(kind, kwargs)]
    wrong = {
        str(kwargs): found
        for kwargs in right
        if (found := [*_model_findings(model, kwargs), *_empty_findings(model, kwargs)])
    }
    assert wrong == {}
    # Great Expectations keeps the arguments as they are, or as the doubles that they equal.
    for kwargs in right:
        kept = model(**kwargs).dict()
        assert {name: kept[name] for name in kwargs} == kwargs


def test_what_is_not_plainly_right_is_left_to_great_expectations() -> None:
    kind = "expect_column_values_to_be_between"
    for kwargs in (
        {"column": "x"},
        {"min_value": 1},
        {"column": "x", "min_value": 2, "max_value": 1},
        {"column": "x", "min_value": float("nan")},
        {"column": "x", "min_value": 2**53 + 1},
        {"column": "x", "min_value": "2026-01-01"},
        {"column": "x", "min_value": 1, "mostly": 0},
        {"column": "x", "min_value": 1, "row_condition": "y > 1"},
    ):
        assert not plainly_right(kind, kwargs), kwargs
    assert not plainly_right("expect_column_median_to_be_between", {"column": "x", "min_value": 1})


def test_the_packaged_suites_are_read_without_great_expectations_and_others_with_it(tmp_path: Path) -> None:
    entry = {"type": "expect_column_median_to_be_between", "kwargs": {"column": "x", "min_value": 1}}
    other = tmp_path / "other.json"
    other.write_text(json.dumps({"name": "other", "expectations": [entry]}), encoding="utf-8")
    code = (
        "import sys; from pathlib import Path; from gauntlet.adapters.suite_files import load_suite\n"
        "for path in sys.argv[1:]: load_suite(Path(path)); print('great_expectations' in sys.modules)"
    )
    files = [*sorted(packaged_suites().rglob("*.json")), other]
    command = [sys.executable, "-c", code, *map(str, files)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.split() == [*["False"] * (len(files) - 1), "True"]
    assert load_suite(other).expectations[0].rule == "median_between"
