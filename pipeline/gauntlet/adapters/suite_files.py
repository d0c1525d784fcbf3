"""This module provides expectation suites as data: found by name, read, and refused where they would check nothing.

A suite is a plain Great Expectations suite (1.x) in JSON. Great Expectations itself drops an expectation that it does
not know, passes an empty suite, and takes bounds that bound nothing; here each of these is an error with a sentence.
"""

from __future__ import annotations

import difflib
import json
import logging
import os
import warnings
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from importlib import resources
from pathlib import Path, PurePosixPath
from types import ModuleType
from typing import Any, get_args

from gauntlet.adapters.known_expectations import plainly_right
from gauntlet.core.canonical import digest
from gauntlet.core.errors import ProblemFileError
from gauntlet.core.results import Severity

_SUITE_KEYS = ("name", "expectations", "meta", "id", "notes", "suite_parameters")
_EXPECTATION_KEYS = ("type", "kwargs", "meta", "id", "notes", "description", "severity", "rendered_content")
_SHORT_RULES = {
    "expect_table_columns_to_match_set": "columns_match",
    "expect_column_values_to_not_be_null": "not_null",
}
_RULE_PREFIXES = ("expect_", "column_values_to_be_", "column_values_to_", "column_to_", "column_", "table_")
# Why an argument that Great Expectations takes is refused here.
_REFUSED_KWARGS = {
    "row_condition": "a check of some rows only passes when no row meets the condition; check a column of its own",
    "condition_parser": "it belongs to row_condition, which is refused",
    "result_format": "Gauntlet chooses it",
    "catch_exceptions": "Gauntlet always catches them, and counts them as failures",
    "batch_id": "Gauntlet chooses the table",
}


@dataclass(frozen=True)
class Expectation:
    """One expectation of a suite.

    Attributes:
        name: ``column::rule``, unique in the suite; ``table::rule`` where it is about the table as a whole.
        type: Great Expectations' name of it.
        kwargs: Its arguments.
        why: Why it is asked, for people (``why`` in its ``meta``); empty where the suite does not say.
        severity: What a failure means, in Great Expectations' terms.
    """

    name: str
    type: str
    kwargs: Mapping[str, Any]
    why: str = field(default="", compare=False)
    severity: Severity = "critical"

    @property
    def rule(self) -> str:
        """The short name of what is asked."""
        return _rule(self.type)

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns whose values are read; none where it is about the table as a whole."""
        return _columns(self.type, self.kwargs)

    @property
    def named_columns(self) -> frozenset[str]:
        """All single columns that it is about, those whose existence alone is asked included."""
        named = self.kwargs.get("column")
        return frozenset((*self.columns, named) if isinstance(named, str) else self.columns)

    @property
    def column(self) -> str | None:
        """The column or columns, for people; None where it is about the table as a whole."""
        return "+".join(self.columns) or self.kwargs.get("column")


@dataclass(frozen=True)
class Suite:
    """A suite that was read and checked.

    Attributes:
        name: Its name.
        digest: The digest of its JSON; spaces and the order of keys do not count.
        expectations: What it asks.
        not_asked: What it holds besides, about columns that the problem ignores or does not have.
    """

    name: str
    digest: str
    expectations: tuple[Expectation, ...]
    not_asked: tuple[Expectation, ...] = ()

    def restricted(self, columns: Collection[str]) -> Suite:
        """Return the suite with the expectations about other columns than these set aside."""
        unknown = tuple(e for e in self.expectations if not e.named_columns <= set(columns))
        asked = tuple(e for e in self.expectations if e not in unknown)
        return replace(self, expectations=asked, not_asked=unknown)


def find_suite(name: str, *, problem_folder: Path | None) -> Path:
    """Return the file of a suite: beside the problem file first, then among the packaged ones.

    Args:
        name: The suite's name, such as ``wine_quality/raw``.
        problem_folder: The folder of the problem file; None for the packaged problem.

    Raises:
        ProblemFileError: If there is none; the message names the places that were looked at.
    """
    parts = PurePosixPath(name)
    if not name or parts.is_absolute() or ".." in parts.parts:
        raise ProblemFileError(f"suites: {name!r} is no suite's name; give one such as 'wine_quality/raw'")
    folders = [problem_folder / "suites", problem_folder / "expectations"] if problem_folder else []
    candidates = [folder / f"{name}.json" for folder in (*folders, packaged_suites())]
    for candidate in candidates:
        if candidate.is_file():
            return candidate
    looked = ", ".join(str(candidate) for candidate in candidates)
    raise ProblemFileError(f"suites: there is no suite {name!r}; looked for {looked}")


def packaged_suites() -> Path:
    """Return the folder of the suites that ship with the package."""
    packaged = Path(str(resources.files("gauntlet"))) / "suites"
    if packaged.is_dir():
        return packaged
    # An editable installation has no copy of its own: the suites are at the top of the checkout.
    return Path(__file__).resolve().parents[3] / "expectations"


def load_suite(path: Path, *, free_sql: bool = False) -> Suite:
    """Read a suite and check that each expectation is one that Great Expectations can evaluate.

    Args:
        path: Its file.
        free_sql: Whether it may hold expectations whose argument is a query.

    Raises:
        ProblemFileError: If the file cannot be read, is not a suite, asks for nothing, or has an unknown expectation
            or argument. The message names the file, the place and what was expected there.
    """
    document = read_suite_document(path, free_sql=free_sql)
    entries = document["expectations"]
    names = _numbered(map(entry_key, entries))
    return Suite(
        name=document["name"],
        digest=digest(document),
        expectations=tuple(
            Expectation(
                name=name,
                type=entry["type"],
                kwargs=entry.get("kwargs", {}),
                why=str(entry.get("meta", {}).get("why", "")),
                severity=entry.get("severity", "critical"),
            )
            for name, entry in zip(names, entries, strict=True)
        ),
    )


def read_suite_document(path: Path, *, free_sql: bool = False) -> dict[str, Any]:
    """Return a suite's JSON document, checked as ``load_suite`` does.

    Raises:
        ProblemFileError: As for ``load_suite``.
    """
    document = _read(path)
    mistakes = [f"{path}: {mistake}" for mistake in _mistakes(document, free_sql=free_sql)]
    if mistakes:
        raise ProblemFileError("\n".join(mistakes))
    return dict(document)


def entry_key(entry: Mapping[str, Any]) -> str:
    """Return ``column::rule`` of an entry; ``table::rule`` where it is about the table as a whole."""
    kind, kwargs = entry["type"], entry.get("kwargs", {})
    place = "+".join(_columns(kind, kwargs)) or kwargs.get("column") or "table"
    return f"{place}::{_rule(kind)}"


def import_great_expectations() -> ModuleType:
    """Import Great Expectations (seconds at the first call), without its analytics and its noise."""
    os.environ.setdefault("GX_ANALYTICS_ENABLED", "false")
    logger = logging.getLogger("great_expectations")
    if not logger.handlers:
        # Without any handler Python prints warnings to the terminal; a log file at the root still gets them.
        logger.addHandler(logging.NullHandler())
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import great_expectations  # noqa: PLC0415 - takes seconds to import

    return great_expectations


def _read(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"), parse_constant=_refuse_constant)
    except OSError as error:
        raise ProblemFileError(f"{path}: cannot be read ({error.strerror})") from error
    except UnicodeDecodeError as error:
        raise ProblemFileError(f"{path}: not UTF-8 text at byte {error.start}; save the file as UTF-8") from error
    except ValueError as error:
        raise ProblemFileError(f"{path}: not JSON: {error}") from error


def _refuse_constant(text: str) -> None:
    raise ValueError(f"{text} is no JSON number")


def _mistakes(document: Any, *, free_sql: bool) -> Iterator[str]:
    """Yield what is wrong with a suite's document, one sentence each."""
    if not isinstance(document, dict):
        yield "not a suite; expected an object with name and expectations"
        return
    yield from (f"{key}: unknown key; known are {', '.join(_SUITE_KEYS)}" for key in document if key not in _SUITE_KEYS)
    if not isinstance(document.get("name"), str) or not document["name"]:
        yield "name: expected a text, such as 'wine_quality/raw'"
    entries = document.get("expectations")
    if not isinstance(entries, list):
        yield "expectations: expected a list"
    elif not entries:
        yield "expectations: a suite without expectations checks nothing; add one"
    else:
        for number, entry in enumerate(entries, start=1):
            yield from (f"expectations[{number}]: {mistake}" for mistake in _entry_mistakes(entry, free_sql=free_sql))


def _entry_mistakes(entry: Any, *, free_sql: bool) -> Iterator[str]:
    if not isinstance(entry, dict):
        yield "expected an object with type and kwargs"
        return
    known = ", ".join(_EXPECTATION_KEYS)
    yield from (f"{key}: unknown key; known are {known}" for key in entry if key not in _EXPECTATION_KEYS)
    if not isinstance(entry.get("type"), str):
        yield "type: expected the name of an expectation, such as 'expect_column_values_to_be_between'"
    elif not isinstance(entry.get("kwargs", {}), dict):
        yield "kwargs: expected an object"
    elif not isinstance(entry.get("meta", {}), dict):
        yield "meta: expected an object"
    elif entry.get("severity", "critical") not in get_args(Severity):
        yield f"severity: expected one of {', '.join(get_args(Severity))}, not {entry['severity']!r}"
    else:
        yield from _argument_mistakes(entry["type"], entry.get("kwargs", {}), free_sql=free_sql)


def _argument_mistakes(kind: str, kwargs: Mapping[str, Any], *, free_sql: bool) -> Iterator[str]:
    """Yield what is wrong with an expectation's type and arguments, by Great Expectations' rules and our own."""
    if plainly_right(kind, kwargs):
        return
    import_great_expectations()
    from great_expectations.expectations import registry  # noqa: PLC0415 - takes seconds to import

    known = registry.list_registered_expectation_implementations()
    if kind not in known:
        close = difflib.get_close_matches(kind, known, n=1)
        yield f"{kind!r} is no expectation of Great Expectations" + (f"; did you mean {close[0]!r}?" if close else "")
        return
    refused = [key for key in kwargs if key in _REFUSED_KWARGS]
    yield from (f"{kind}: kwargs.{key}: not taken: {_REFUSED_KWARGS[key]}" for key in refused)
    model = registry.get_expectation_impl(kind)
    if not free_sql and any(name.endswith("_query") for name in model.__fields__):
        yield (
            f"{kind}: not taken: its SQL can read any file and call any Java method that Spark can; check a column "
            "of its own, or, if you trust all who may write the suite, set suites.free_sql = true in the problem file"
        )
        return
    findings = [*_model_findings(model, kwargs), *_empty_findings(model, kwargs)]
    yield from (f"{kind}: {finding}" for finding in findings)


def _model_findings(model: Any, kwargs: Mapping[str, Any]) -> list[str]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            model(**kwargs)
        # Great Expectations' models are of pydantic's first version, and some raise errors of their own.
        except Exception as error:
            details = error.errors() if hasattr(error, "errors") else [{"loc": ("__root__",), "msg": str(error)}]
            by_key = {".".join(str(part) for part in detail["loc"]): detail for detail in reversed(details)}
            return [_sentence(key, detail) for key, detail in sorted(by_key.items())]
    return []


def _sentence(key: str, detail: Mapping[str, Any]) -> str:
    kind = detail.get("type")
    if key == "__root__":
        return f"kwargs: {detail['msg']}"
    if kind == "value_error.missing":
        return f"kwargs.{key}: missing"
    if kind == "value_error.extra":
        return f"kwargs.{key}: unknown argument"
    return f"kwargs.{key}: {detail['msg']}"


def _empty_findings(model: Any, kwargs: Mapping[str, Any]) -> Iterator[str]:
    """Yield arguments that are well formed and let everything pass."""
    if {"min_value", "max_value"} <= model.__fields__.keys() and not {"min_value", "max_value"} & kwargs.keys():
        yield "kwargs: give min_value or max_value; without both everything passes"
    if kwargs.get("mostly") == 0:
        yield "kwargs.mostly: 0 lets everything pass"
    for key, value in kwargs.items():
        if value is None:
            yield f"kwargs.{key}: null says nothing; leave it out"
        elif isinstance(value, list | str) and not value:
            yield f"kwargs.{key}: empty"
        elif isinstance(value, dict) and "$PARAMETER" in value:
            yield f"kwargs.{key}: a parameter has no value here; write the value"


def _numbered(keys: Iterable[str]) -> list[str]:
    """Return the keys; one that repeats gets ``_2``, ``_3`` … in the file's order."""
    seen: Counter[str] = Counter()
    names: list[str] = []
    for key in keys:
        seen[key] += 1
        names.append(key if seen[key] == 1 else f"{key}_{seen[key]}")
    return names


def _rule(kind: str) -> str:
    if kind in _SHORT_RULES:
        return _SHORT_RULES[kind]
    text = kind
    for prefix in _RULE_PREFIXES:
        text = text.removeprefix(prefix)
    return text.replace("_to_be_", "_").replace("_to_", "_")


def _columns(kind: str, kwargs: Mapping[str, Any]) -> tuple[str, ...]:
    # The list of expect_table_columns_to_match_ordered_list is a promise, not columns to read.
    if kind.startswith("expect_table_") or kind == "expect_column_to_exist":
        return ()
    single = (kwargs.get(key) for key in ("column", "column_A", "column_B"))
    return tuple(name for name in (*single, *kwargs.get("column_list", ())) if isinstance(name, str))
