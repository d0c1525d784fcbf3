"""This module provides the catalogue: all gates, all saboteurs, and which of them a problem must face."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

from gauntlet.core.problem import Problem
from gauntlet.core.progress import Progress
from gauntlet.core.verdict import Verdict
from gauntlet.gates import (
    artefact,
    artefact_saboteurs,
    data,
    data_saboteurs,
    model,
    model_saboteurs,
    reproducibility,
    reproducibility_saboteurs,
    split,
    split_saboteurs,
)
from gauntlet.gates.expectations import expectation_gates, expectation_saboteurs
from gauntlet.gates.gate import Gate, Saboteur, Turn
from gauntlet.stages.candidate import Candidate

if TYPE_CHECKING:
    from gauntlet.adapters.suite_files import Suite

# The refusals that explain all others come first.
STANDING_GATES: tuple[Gate, ...] = (
    *split.GATES,
    *data.GATES,
    *model.GATES,
    *artefact.GATES,
    *reproducibility.GATES,
)
STANDING_SABOTEURS: tuple[Saboteur, ...] = (
    *split_saboteurs.SABOTEURS,
    *data_saboteurs.SABOTEURS,
    *model_saboteurs.SABOTEURS,
    *artefact_saboteurs.SABOTEURS,
    *reproducibility_saboteurs.SABOTEURS,
)


def gates_of(problem: Problem, suites: Mapping[str, Suite]) -> tuple[Gate, ...]:
    """Return the gates that a problem's candidates must pass, one for each expectation of its suites among them.

    Args:
        problem: The problem.
        suites: Its suites, by table.
    """
    return (*(gate for gate in STANDING_GATES if gate.applies(problem)), *expectation_gates(suites))


def saboteurs_of(problem: Problem, suites: Mapping[str, Suite]) -> tuple[Saboteur, ...]:
    """Return the saboteurs of a problem's gates."""
    names = {gate.name for gate in gates_of(problem, suites)}
    return tuple(s for s in (*STANDING_SABOTEURS, *expectation_saboteurs(suites)) if s.gate in names)


@dataclass(frozen=True)
class AllGates:
    """The gates as the stages know them."""

    def verdicts(self, candidate: Candidate, *, progress: Progress) -> tuple[Verdict, ...]:
        """Return the verdict of every gate that the candidate's problem has."""
        return judged(candidate, gates_of(candidate.problem, candidate.suites), progress=progress)

    def names(self, problem: Problem, *, suites: Mapping[str, Suite]) -> tuple[str, ...]:
        """Return the names of all gates that a problem must pass."""
        return tuple(gate.name for gate in gates_of(problem, suites))


def judged(candidate: Candidate, gates: Sequence[Gate], *, progress: Progress) -> tuple[Verdict, ...]:
    """Return the verdicts of some gates, in their order; two gates are asked at a time (see ``Gate.turn``)."""
    verdicts: dict[str, Verdict] = {}
    with progress.task("asking the gates", total=len(gates)) as task:

        def ask(turn: Turn) -> None:
            for gate in (gate for gate in gates if gate.turn == turn):
                verdicts[gate.name] = gate(candidate)
                task.advance(note=gate.name)

        with ThreadPoolExecutor(1, thread_name_prefix="gates") as pool:
            beside = pool.submit(ask, "beside")
            ask("in turn")
            beside.result()
        ask("alone")
    return tuple(verdicts[gate.name] for gate in gates)
