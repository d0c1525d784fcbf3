"""This module provides ``parametrize_with_gates``: one pytest item for each gate that a problem or pipeline must pass.

Importing it costs nothing: Spark, MLflow and the gates are imported when items are collected.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import pytest

if TYPE_CHECKING:
    from gauntlet.testing.user_pipeline import Pipeline

MARK = "gauntlet_source"

_Test = TypeVar("_Test", bound=Callable[..., Any])


@dataclass(frozen=True)
class Source:
    """What a test asks to be judged.

    Attributes:
        subject: A problem file, a pipeline, or None for what the command line and the ini file name.
        expected_failures: Gates that may say no: why, and until which day.
    """

    subject: Path | Pipeline | None
    expected_failures: Mapping[str, tuple[str, date]] = field(default_factory=dict)


def parametrize_with_gates(
    subject: str | Path | Pipeline | None = None,
    *,
    expected_failures: Mapping[str, tuple[str, str | date]] | None = None,
) -> Callable[[_Test], _Test]:
    """Give a test one item for each gate, in its argument ``gate``; calling that asks the gate.

    The items carry the marker ``gates``, those that fit models again ``slow_gates`` too.

    Args:
        subject: A problem file; or a ``Pipeline``; None takes the problem of ``--problem``, of the ini option
            ``gauntlet_problem``, or the one that ships with the package.
        expected_failures: Gates that may say no for a while: ``{gate: (reason, "2027-01-31")}``. Such an item is an
            expected failure; it fails when the day is over, when the gate passes, or when there is no such gate.

    Raises:
        ValueError: If a reason is missing, or a day is no date.
    """
    source = Source(
        subject=Path(subject) if isinstance(subject, str) else subject,
        expected_failures={
            gate: _expected(gate, reason, until) for gate, (reason, until) in (expected_failures or {}).items()
        },
    )

    def decorated(test: _Test) -> _Test:
        marked: _Test = getattr(pytest.mark, MARK)(source)(test)
        judged: _Test = pytest.mark.gates(marked)
        return judged

    return decorated


def _expected(gate: str, reason: str, until: str | date) -> tuple[str, date]:
    if not reason.strip():
        raise ValueError(f"expected_failures: {gate} needs a reason")
    return reason, until if isinstance(until, date) else date.fromisoformat(until)
