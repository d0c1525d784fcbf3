"""This module provides the sentences that say what was seen where an expectation does not hold."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gauntlet.adapters.suite_files import Expectation

_LONGEST_REASON = 200
_EXAMPLES = 3


def raised_reason(exception_info: Mapping[str, Any] | None) -> str | None:
    """Return why an expectation could not be evaluated; None if it could.

    Great Expectations gives one exception, or one for each metric that could not be computed.
    """
    info = exception_info or {}
    found = [info, *(part for part in info.values() if isinstance(part, Mapping))]
    for part in found:
        if part.get("raised_exception"):
            lines = str(part.get("exception_message") or "an exception without a message").strip().splitlines()
            return f"could not be evaluated: {lines[0][:_LONGEST_REASON]}"
    return None


def observed_sentence(expectation: Expectation, result: Mapping[str, Any]) -> str:
    """Return what was seen, in a few words.

    Args:
        expectation: The expectation that does not hold.
        result: Great Expectations' result of it, in the format BASIC.
    """
    if "unexpected_count" in result:
        return _rows_sentence(expectation, result)
    mismatched = (result.get("details") or {}).get("mismatched")
    if isinstance(mismatched, Mapping):
        words = {"missing": "missing", "unexpected": "not expected"}
        parts = [f"{words[key]}: {', '.join(mismatched[key])}" for key in words if mismatched.get(key)]
        return "; ".join(parts)
    if "observed_value" in result:
        expected = _expected(expectation.kwargs)
        return f"observed {_text(result['observed_value'])}" + (f", expected {expected}" if expected else "")
    return "does not hold"


def _rows_sentence(expectation: Expectation, result: Mapping[str, Any]) -> str:
    fault = {
        "between": _outside(expectation.kwargs),
        "not_null": "without a value",
        "null": "with a value",
        "in_set": f"not in {{{', '.join(_text(value) for value in expectation.kwargs.get('value_set', ()))}}}",
        "unique": "with a value that others have too",
    }.get(expectation.rule, "otherwise than expected")
    sentence = f"{result['unexpected_count']} of {result.get('element_count', '?')} rows {fault}"
    # A value that occurs twice is listed twice; once is enough as an example.
    examples = [value for value in dict.fromkeys(map(_text, result.get("partial_unexpected_list") or ())) if value]
    if examples and expectation.rule != "not_null":
        sentence += f", e.g. {', '.join(examples[:_EXAMPLES])}"
    mostly = expectation.kwargs.get("mostly")
    return sentence if mostly is None else f"{sentence} (at least {100 * mostly:g} % must hold)"


def _expected(kwargs: Mapping[str, Any]) -> str:
    if "min_value" in kwargs or "max_value" in kwargs:
        return _bounds(kwargs)
    return ", ".join(_text(value) for key, value in kwargs.items() if key not in ("column", "mostly"))


def _outside(kwargs: Mapping[str, Any]) -> str:
    low, high = kwargs.get("min_value"), kwargs.get("max_value")
    if high is None:
        return f"below {_text(low)}"
    if low is None:
        return f"above {_text(high)}"
    return f"outside {_bounds(kwargs)}"


def _bounds(kwargs: Mapping[str, Any]) -> str:
    low, high = kwargs.get("min_value"), kwargs.get("max_value")
    if high is None:
        return f"at least {_text(low)}"
    if low is None:
        return f"at most {_text(high)}"
    return f"{_text(low)}…{_text(high)}"


def _text(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.6g}"
    return repr(value) if isinstance(value, str) else str(value)
