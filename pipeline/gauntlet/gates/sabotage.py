"""This module provides the test of the gates by sabotage: each saboteur breaks a sound candidate, and must be caught.

A gate depends on the parts of a candidate that it reads, and on nothing else. So which parts each gate reads is noted
while it judges the sound candidate; where a saboteur left all of them alone, the verdict is known without asking again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

from gauntlet.core.errors import DataError
from gauntlet.core.progress import Progress
from gauntlet.core.verdict import BLOCKING, Status, Verdict, broke
from gauntlet.gates.gate import Gate, Saboteur
from gauntlet.stages.candidate import Candidate

_PARTS = frozenset(part.name for part in fields(Candidate) if not part.name.startswith("_"))


@dataclass(frozen=True)
class SabotageOutcome:
    """What became of one saboteur.

    Attributes:
        name: The saboteur's name.
        gate: The gate that must catch it.
        caught: Whether that gate gave FAIL, or CONFIG_ERROR for a reason of its own; for what a gate never fails for
            (``Gate.advisory``) WARN. A gate that broke, or a NOTE, has caught nothing.
        sentence: What the gate said, or why the saboteur could not do its work.
        others: The other gates that said no, without those that fit models again and those of single expectations.
        status: The level of the gate's verdict; None if the gate or the broken candidate does not exist.
    """

    name: str
    gate: str
    caught: bool
    sentence: str
    others: tuple[str, ...]
    status: Status | None = None


@dataclass(frozen=True)
class _Seen:
    """A gate's verdict on the sound candidate, and the parts that it read for it."""

    verdict: Verdict
    parts: frozenset[str]


def sabotage(
    candidate: Candidate, gates: Sequence[Gate], saboteurs: Sequence[Saboteur], *, progress: Progress
) -> tuple[SabotageOutcome, ...]:
    """Let each saboteur break the candidate, and say whether its gate caught it.

    Args:
        candidate: A sound candidate.
        gates: All of its gates.
        saboteurs: The saboteurs.
        progress: Where the work is shown.

    Raises:
        DataError: If the candidate is not sound: a gate that says no anyway can catch nothing.
    """
    by_name = {gate.name: gate for gate in gates}
    wanted = {saboteur.gate for saboteur in saboteurs}
    watched = [gate for gate in gates if gate.name in wanted or _is_bystander(gate)]
    with progress.task("judging the sound candidate", total=len(watched)) as task:
        seen: dict[str, _Seen] = {}
        for gate in watched:
            seen[gate.name] = _traced(gate, candidate)
            task.advance(note=gate.name)
    unsound = [entry.verdict for entry in seen.values() if entry.verdict.status in BLOCKING]
    if unsound:
        said = "; ".join(f"{verdict.sentence} ({verdict.gate})" for verdict in unsound[:3])
        raise DataError(f"sabotage needs a candidate that passes every gate, and {len(unsound)} say no: {said}")
    outcomes: list[SabotageOutcome] = []
    with progress.task("sabotage", total=len(saboteurs)) as task:
        for saboteur in saboteurs:
            outcomes.append(_tried(saboteur, candidate, by_name, seen))
            task.advance(note=saboteur.name)
    return tuple(outcomes)


def _is_bystander(gate: Gate) -> bool:
    return not gate.slow and not gate.name.startswith("data/")


def _tried(
    saboteur: Saboteur, candidate: Candidate, gates: Mapping[str, Gate], seen: Mapping[str, _Seen]
) -> SabotageOutcome:
    gate = gates.get(saboteur.gate)
    if gate is None:
        return SabotageOutcome(saboteur.name, saboteur.gate, False, "there is no such gate", ())
    try:
        broken = saboteur(candidate)
    except Exception as error:  # a saboteur that fails proves nothing of its gate
        reason = f"the saboteur could not do its work ({type(error).__name__}: {error})"
        return SabotageOutcome(saboteur.name, saboteur.gate, False, reason, ())
    changed = {part for part in _PARTS if getattr(broken, part) is not getattr(candidate, part)}
    verdict = _verdict(gate, broken, changed, seen)
    bystanders = [other for other in gates.values() if _is_bystander(other) and other.name != gate.name]
    others = [other.name for other in bystanders if _verdict(other, broken, changed, seen).status in BLOCKING]
    catching = BLOCKING | {Status.WARN} if gate.advisory else BLOCKING
    # A gate that warned of the sound candidate as well has not noticed anything.
    caught = verdict.status in catching and not broke(verdict) and verdict.status is not seen[gate.name].verdict.status
    return SabotageOutcome(saboteur.name, saboteur.gate, caught, verdict.sentence, tuple(others), verdict.status)


def _verdict(gate: Gate, broken: Candidate, changed: set[str], seen: Mapping[str, _Seen]) -> Verdict:
    known = seen[gate.name]
    return gate(broken) if changed & known.parts else known.verdict


def _traced(gate: Gate, candidate: Candidate) -> _Seen:
    """Return a gate's verdict, and which parts of the candidate it read."""
    read: set[str] = set()

    class Traced(Candidate):
        """A candidate that notes which of its parts are read."""

        def __getattribute__(self, name: str) -> Any:
            if name in _PARTS:
                read.add(name)
            return object.__getattribute__(self, name)

    traced = object.__new__(Traced)
    for name, value in vars(candidate).items():
        object.__setattr__(traced, name, value)
    return _Seen(gate(traced), frozenset(read))
