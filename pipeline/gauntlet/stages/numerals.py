"""This module provides the one way in which reports write numbers."""

from __future__ import annotations

import math

ABSENT = "–"


def auc(value: float | None) -> str:
    """Return an AUC, a probability or a cost with four decimals."""
    if value is None:
        return ABSENT
    return f"{value:.4f}" if math.isfinite(value) else "not a number"


def interval(ends: tuple[float, float] | None) -> str:
    """Return an interval with three decimals."""
    return ABSENT if ends is None else f"{ends[0]:.3f} … {ends[1]:.3f}".replace("-", "−")


def signed(value: float) -> str:
    """Return a difference with its sign and four decimals."""
    if not math.isfinite(value):
        return "not a number"
    return f"{value:+.4f}".replace("-", "−")


def count(value: int | None) -> str:
    """Return a whole number with separators of thousands."""
    return ABSENT if value is None else f"{value:,}"


def share(part: float, whole: float) -> str:
    """Return a part of a whole in percent."""
    return f"{100 * part / whole:.1f} %" if whole else ABSENT


def parameter(value: object) -> str:
    """Return a parameter or a value of a table."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int):
        return str(value)
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() and abs(value) < 1e6 else f"{value:.4g}"
    return ABSENT if value is None else str(value)


def cell(value: object) -> str:
    """Return a value of a table as it is; a missing one is said."""
    if isinstance(value, bool):
        return str(value).lower()
    return "missing" if value is None else str(value)


def plural(number: int, one: str, many: str = "") -> str:
    """Return a number with its noun."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"
