"""This module provides the commands about gates: what they are, and whether each of them can be red."""

from __future__ import annotations

import difflib
import tempfile
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.markup import escape

from gauntlet.commands.opening import RoadOptions, Steps, opened_road
from gauntlet.core.errors import ExitCode, InputError, RefusedError
from gauntlet.core.problem import Problem
from gauntlet.core.stage import setting
from gauntlet.terminal import Terminal

if TYPE_CHECKING:
    from gauntlet.gates.gate import Gate, Saboteur
    from gauntlet.gates.sabotage import SabotageOutcome

_SUGGESTIONS = 3
_STRICT = {
    False: "gates.strict = false: a WARN does not stop a promotion.",
    True: "gates.strict = true: a WARN counts as FAIL, also of the gates that otherwise only warn.",
}


def list_gates(options: RoadOptions, terminal: Terminal) -> int:
    """List the gates that a problem's candidates must pass."""
    problem = options.described()
    gates = _gates(options, problem)
    if terminal.machine:
        terminal.document({"gates": [_described(gate, problem) for gate in gates]})
        return ExitCode.DONE
    rows = [(gate.name, _first_line(gate.guards), _remarks(gate)) for gate in gates]
    terminal.table(("gate", "what it guards", ""), [tuple(map(escape, row)) for row in rows])
    terminal.say(_STRICT[problem.gates.strict])
    terminal.say("`gauntlet gates explain GATE` says more of one.")
    return ExitCode.DONE


def explain_gate(options: RoadOptions, terminal: Terminal, *, name: str) -> int:
    """Explain one gate: what it guards, its bounds and where they are set, what to do when it is red.

    Raises:
        InputError: If the problem has no such gate.
    """
    problem = options.described()
    by_name = {gate.name: gate for gate in _gates(options, problem)}
    gate = by_name.get(name)
    if gate is None:
        near = difflib.get_close_matches(name, by_name, n=_SUGGESTIONS, cutoff=0.4)
        hint = f"did you mean {', '.join(near)}?" if near else "see `gauntlet gates list`"
        raise InputError(f"{name}: the problem {problem.name} has no such gate; {hint}")
    said = _described(gate, problem)
    if terminal.machine:
        terminal.document(said)
        return ExitCode.DONE
    terminal.say(f"[bold]{escape(gate.name)}[/]")
    terminal.say(escape(gate.guards))
    terminal.say()
    for key, value in said["bounds"].items():
        terminal.say(f"bound: {escape(key)} = {escape(str(value))} (in the problem file)")
    if gate.advisory and not problem.gates.strict:
        terminal.say(f"It only warns of {escape(gate.advisory)}.")
    terminal.say(_STRICT[problem.gates.strict])
    if gate.slow:
        terminal.say("It fits models again, and is one of the slow gates.")
    for saboteur in said["saboteurs"]:
        terminal.say(f"tested by: {escape(saboteur['name'])} – {escape(saboteur['breaks'])}")
    terminal.say(f"when it is red: {escape(gate.remedy)}")
    return ExitCode.DONE


def run_sabotage(options: RoadOptions, terminal: Terminal, *, chosen: Sequence[str]) -> int:
    """Break a sound candidate in every way there is, and say which gates caught it.

    Raises:
        InputError: If a chosen saboteur does not exist.
        RefusedError: If there is no candidate to break.
        DataError: If the candidate does not pass its gates.
    """
    with opened_road(options, terminal, Steps()) as (road, _), tempfile.TemporaryDirectory() as folder:
        from gauntlet.gates.catalogue import saboteurs_of  # noqa: PLC0415 - after the lock, the log and the checks
        from gauntlet.gates.sabotage import sabotage  # noqa: PLC0415
        from gauntlet.judgement import prepared  # noqa: PLC0415

        judgement = prepared(road, workspace=Path(folder), reason="sabotage")
        if judgement.candidate is None:
            raise RefusedError(f"there is no candidate to break: {judgement.refusal}")
        saboteurs = saboteurs_of(road.problem, judgement.candidate.suites)
        outcomes = sabotage(
            judgement.candidate, judgement.gates, _chosen(saboteurs, chosen), progress=terminal.progress()
        )
    return _show_sabotage(outcomes, terminal)


def _chosen(saboteurs: Sequence[Saboteur], names: Sequence[str]) -> Sequence[Saboteur]:
    if not names:
        return saboteurs
    unknown = set(names) - {saboteur.name for saboteur in saboteurs}
    if unknown:
        raise InputError(
            f"there is no saboteur {', '.join(sorted(unknown))}; `gauntlet sabotage` without names runs all"
        )
    return [saboteur for saboteur in saboteurs if saboteur.name in names]


def _show_sabotage(outcomes: Sequence[SabotageOutcome], terminal: Terminal) -> int:
    missed = [outcome for outcome in outcomes if not outcome.caught]
    code = ExitCode.REFUSED if missed or not outcomes else ExitCode.DONE
    caught = len(outcomes) - len(missed)
    share = caught / len(outcomes) if outcomes else None
    if terminal.machine:
        terminal.document(
            {"saboteurs": [asdict(outcome) for outcome in outcomes], "share": share, "exit_code": int(code)}
        )
        return code
    rows = [
        (
            escape(outcome.name),
            escape(outcome.gate),
            f"[green]caught by {outcome.status}[/]" if outcome.caught else "[bold red]NOT CAUGHT[/]",
            escape(", ".join(outcome.others)),
        )
        for outcome in outcomes
    ]
    terminal.table(("saboteur", "gate that must catch it", "", "others that fired"), rows)
    for outcome in missed:
        terminal.say(
            f"[bold red]not caught:[/] {escape(outcome.name)}: {escape(outcome.gate)} said"
            f"{'' if outcome.status is None else f' {outcome.status}'}: {escape(outcome.sentence)}"
        )
    percent = "" if share is None else f" ({share:.1%})"
    terminal.say(f"{caught} of {len(outcomes)} saboteurs were caught{percent}.")
    return code


def _gates(options: RoadOptions, problem: Problem) -> tuple[Gate, ...]:
    from gauntlet.gates.catalogue import gates_of  # noqa: PLC0415 - keeps other commands fast
    from gauntlet.stages.problem_marks import suites_of  # noqa: PLC0415

    return gates_of(problem, suites_of(problem, problem_folder=options.problem_folder))


def _described(gate: Gate, problem: Problem) -> dict[str, Any]:
    from gauntlet.gates.catalogue import STANDING_SABOTEURS  # noqa: PLC0415 - keeps other commands fast

    return {
        "name": gate.name,
        "guards": gate.guards,
        "bounds": {key: setting(problem, key) for key in gate.bounds},
        "slow": gate.slow,
        "advisory": gate.advisory,
        "strict": problem.gates.strict,
        "remedy": gate.remedy,
        "saboteurs": [
            {"name": saboteur.name, "breaks": _first_line(saboteur.breaks)}
            for saboteur in STANDING_SABOTEURS
            if saboteur.gate == gate.name
        ],
    }


def _remarks(gate: Gate) -> str:
    return ", ".join(word for word, holds in (("slow", gate.slow), ("only warns", gate.advisory)) if holds)


def _first_line(text: str) -> str:
    return text.strip().splitlines()[0]
