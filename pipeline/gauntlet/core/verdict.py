"""Verdicts of gates, and the decision that follows from several of them.

PASS, NOTE and WARN let a candidate be promoted; FAIL and CONFIG_ERROR do not. No verdicts at all promote nothing, and
one more verdict never turns a refusal into a promotion. A waiver lets a FAIL stand until a date; the verdict keeps its
status and shows the waiver.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import StrEnum

from gauntlet.core.errors import GauntletError
from gauntlet.core.gate_rules import Waiver
from gauntlet.core.results import VerdictRecord, WaiverRecord


class Status(StrEnum):
    """The level of a verdict, from the mildest to the gravest.

    Attributes:
        PASS: The candidate keeps the gate's rule.
        NOTE: The gate cannot judge this candidate, because the table is too small or a setting is left open. The
            message says from how many rows, or with which key, it could.
        WARN: An estimate lies beyond its bound, but chance may explain it. It is shown, signed into the evidence and
            listed at the promotion; ``gates.strict = true`` turns it into FAIL.
        FAIL: The candidate breaks the rule.
        CONFIG_ERROR: Something that the gate needs is missing, empty, not a number or broken.
    """

    PASS = "PASS"  # noqa: S105 - no password
    NOTE = "NOTE"
    WARN = "WARN"
    FAIL = "FAIL"
    CONFIG_ERROR = "CONFIG_ERROR"


# The levels that stop a promotion, unless a waiver covers them.
BLOCKING = frozenset({Status.FAIL, Status.CONFIG_ERROR})
# A waiver for what may be FAIL today and WARN tomorrow stays valid; nothing covers a gate that is broken.
WAIVABLE = frozenset({Status.WARN, Status.FAIL})

_BROKE = "the gate could not be evaluated"
_GRAVITY = {status: place for place, status in enumerate(Status)}


@dataclass(frozen=True)
class Verdict:
    """What one gate says.

    Attributes:
        gate: The gate's name, such as ``model::auc_at_least_baseline``.
        status: What it says.
        sentence: Why, for people, with the numbers.
        measured: What was measured; a PASS must have measured something.
        bound: What it was held against; None where there is nothing to compare with.
        rows: The number of rows that were looked at.
        interval: Where the measured value lies with some confidence; None where nothing is estimated.
        waiver: Who answers for a gate that says no, and until when; None if nobody does.
        rows_needed: From about how many rows of the table the gate could judge; None where that is not the matter.

    Raises:
        ValueError: If a PASS lacks its measurement or is waived, or one of the numbers is not finite.
    """

    gate: str
    status: Status
    sentence: str
    measured: float | None = None
    bound: float | None = None
    rows: int | None = None
    interval: tuple[float, float] | None = None
    waiver: Waiver | None = None
    rows_needed: int | None = None

    def __post_init__(self) -> None:
        if not self.sentence:
            raise ValueError(f"{self.gate}: a verdict needs a sentence")
        if self.waiver is not None and self.status not in WAIVABLE:
            raise ValueError(f"{self.gate}: {self.status} cannot be waived")
        if self.status is not Status.PASS:
            return
        if not is_number(self.measured):
            raise ValueError(f"{self.gate}: PASS, but what was measured is {self.measured}")
        if self.bound is not None and not is_number(self.bound):
            raise ValueError(f"{self.gate}: PASS, but the bound is {self.bound}")
        if self.rows is not None and self.rows <= 0:
            raise ValueError(f"{self.gate}: PASS, but no row was looked at")
        if self.interval is not None and not all(map(is_number, self.interval)):
            raise ValueError(f"{self.gate}: PASS, but the interval is {self.interval}")

    @property
    def blocks(self) -> bool:
        """Whether the verdict alone stops a promotion."""
        return self.status in BLOCKING and self.waiver is None

    def record(self) -> VerdictRecord:
        """Return the verdict as it is written; numbers that are not finite are left out."""
        return VerdictRecord(
            gate=self.gate,
            status=self.status.value,
            sentence=self.sentence,
            measured=self.measured if is_number(self.measured) else None,
            bound=self.bound if is_number(self.bound) else None,
            rows=self.rows,
            interval=self.interval if self.interval is not None and all(map(is_number, self.interval)) else None,
            waiver=None if self.waiver is None else WaiverRecord(**self.waiver.model_dump(mode="json")),
            rows_needed=self.rows_needed,
        )


def is_number(value: float | None) -> bool:
    """Say whether a value is there and finite."""
    return value is not None and math.isfinite(value)


def at_least(gate: str, measured: float | None, bound: float | None, *, rows: int, names: tuple[str, str]) -> Verdict:
    """Return the verdict that a measured value reaches a bound; a missing one is CONFIG_ERROR.

    Args:
        gate: The gate's name.
        measured: The value.
        bound: The least value that passes.
        rows: The number of rows that it was measured on.
        names: What was measured, and what the bound is, for the sentence ("AUC of sweep", "the baseline's").
    """
    subject, than = names
    if measured is None or bound is None or not (is_number(measured) and is_number(bound)) or rows <= 0:
        sentence = f"{subject} is {measured} and {than} is {bound} on {rows} rows: there is nothing to compare"
        return Verdict(gate, Status.CONFIG_ERROR, sentence, measured, bound, rows)
    reached = measured >= bound
    sentence = f"{subject} is {measured:.4f}, {'not less' if reached else 'less'} than {than} of {bound:.4f}"
    return Verdict(gate, Status.PASS if reached else Status.FAIL, sentence, measured, bound, rows)


def evaluated(gate: str, function: Callable[[], Verdict]) -> Verdict:
    """Return a gate's verdict; a gate that breaks, or answers with anything else, is CONFIG_ERROR.

    Args:
        gate: The gate's name.
        function: The gate, ready to be called.
    """
    try:
        verdict = function()
    except GauntletError as error:  # what the gate was given cannot be judged, and it says why
        return Verdict(gate, Status.CONFIG_ERROR, " ".join(str(error).split()) or "it cannot be judged")
    except Exception as error:  # whatever goes wrong in a gate must not promote
        reason = " ".join(str(error).split())[:300]
        return Verdict(gate, Status.CONFIG_ERROR, f"{_BROKE} ({type(error).__name__}: {reason})")
    if not isinstance(verdict, Verdict) or verdict.gate != gate:
        return Verdict(gate, Status.CONFIG_ERROR, f"the gate gave no verdict of its own but {verdict!r:.100}")
    return verdict


def estimate_status(*, beyond: bool, excluded: bool) -> Status:
    """Return the level of an estimate: FAIL takes both, WARN is a point beyond its bound alone.

    Args:
        beyond: Whether the point estimate lies beyond its bound.
        excluded: Whether its interval excludes what a sound model shows there (no loss, a difference of 0); where
            there is no such value, whether the whole interval lies beyond the bound.
    """
    return Status.PASS if not beyond else Status.FAIL if excluded else Status.WARN


def broke(verdict: Verdict) -> bool:
    """Say whether a verdict only says that its gate broke: it then tells nothing of the candidate."""
    return verdict.status is Status.CONFIG_ERROR and verdict.sentence.startswith(_BROKE)


def gravest(statuses: Iterable[Status]) -> Status:
    """Return the gravest of some levels."""
    return max(statuses, key=_GRAVITY.__getitem__)


def combined(verdicts: Iterable[Verdict]) -> Status:
    """Return the gravest status of several verdicts; a waived one counts as PASS, and none at all as CONFIG_ERROR."""
    counted = (verdict.status if verdict.waiver is None else Status.PASS for verdict in verdicts)
    return gravest(tuple(counted) or (Status.CONFIG_ERROR,))


def promotes(verdicts: Iterable[Verdict]) -> bool:
    """Say whether a candidate may be promoted: there are verdicts, and none of them blocks."""
    return combined(verdicts) not in BLOCKING


def refusal_of(verdicts: Iterable[Verdict]) -> str | None:
    """Return why a candidate may not be promoted, one sentence a gate that says no; None if it may."""
    given = tuple(verdicts)
    if promotes(given):
        return None
    said = [f"{verdict.sentence} ({verdict.gate})" for verdict in given if verdict.blocks]
    return "; ".join(said) or "no gate said anything of the candidate, and silence promotes nothing"
