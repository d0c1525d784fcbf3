"""This module provides the use of waivers: who answers for which "no", and which waivers are themselves wrong."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import date

from gauntlet.core.gate_rules import Waiver
from gauntlet.core.verdict import WAIVABLE, Status, Verdict

PREFIX = "waiver::"


def waived(verdicts: Iterable[Verdict], waivers: Iterable[Waiver], *, today: date) -> tuple[Verdict, ...]:
    """Return the verdicts with their waivers, and a CONFIG_ERROR for each waiver that is wrong.

    A waiver is wrong if it has expired, names no gate that was judged, or is not needed: a gate that passes, or one
    that is broken, which nobody can answer for.

    Args:
        verdicts: What the gates said.
        waivers: Who answers for what.
        today: The day on which a waiver must still hold.
    """
    given, by_gate = tuple(verdicts), {waiver.gate: waiver for waiver in waivers}
    faults = {
        gate: _fault(next((v for v in given if v.gate == gate), None), waiver, today)
        for gate, waiver in by_gate.items()
    }
    standing = {gate: waiver for gate, waiver in by_gate.items() if faults[gate] is None}
    return (
        *(replace(v, waiver=standing[v.gate]) if v.gate in standing and v.status in WAIVABLE else v for v in given),
        *(
            Verdict(f"{PREFIX}{gate}", Status.CONFIG_ERROR, f"the waiver {fault}")
            for gate, fault in faults.items()
            if fault is not None
        ),
    )


def _fault(verdict: Verdict | None, waiver: Waiver, today: date) -> str | None:
    if waiver.until < today:
        return f"of {waiver.owner} expired on {waiver.until}: mend what {waiver.gate} found, or agree on a new date"
    if verdict is None:
        return f"of {waiver.owner} names {waiver.gate}, which is no gate of this problem: see `gauntlet gates list`"
    if verdict.status in (Status.PASS, Status.NOTE):
        return f"of {waiver.owner} is not needed, {waiver.gate} is {verdict.status}: take it out"
    if verdict.status not in WAIVABLE:
        return f"of {waiver.owner} cannot stand: {waiver.gate} is {verdict.status}, and nobody can answer for that"
    return None
