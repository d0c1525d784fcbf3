"""This module provides the commands about champions: evidence, promotion, rollback, audit. None of them needs Spark."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from rich.markup import escape

from gauntlet.commands.opening import RoadOptions, run_folder_of
from gauntlet.commands.verdict_lines import show_warnings_and_notes
from gauntlet.core.errors import ExitCode, InputError
from gauntlet.core.results import gravest_first
from gauntlet.core.state import State
from gauntlet.core.summary import warnings_and_notes
from gauntlet.terminal import Terminal

if TYPE_CHECKING:
    from gauntlet.core.evidence import Evidence
    from gauntlet.stages.evidence_check import Conditions


def show_evidence(options: RoadOptions, terminal: Terminal, *, given: str | None) -> int:
    """Show evidence, once its signature is proven.

    Raises:
        InputError: If there is no such evidence.
        EvidenceError: If it is not as it was signed.
    """
    with _conditions(options, terminal) as (conditions, state):
        from gauntlet.stages.champions import open_champions  # noqa: PLC0415 - after the lock and the log

        store = open_champions(conditions.target, state).evidence
        mark = store.resolved(given)
        evidence = store.proven(mark)
    document = evidence.model_dump(mode="json")
    if terminal.machine:
        terminal.document({"sha256": mark, "evidence": document} | warnings_and_notes(evidence.verdicts))
        return ExitCode.DONE
    terminal.say(f"[bold]evidence {mark}[/]")
    for name, value in _facts(evidence):
        terminal.say(f"{name:<12}{escape(value)}")
    rows = [
        (
            v.gate,
            v.status if v.waiver is None else f"{v.status}, waived",
            "" if v.measured is None else f"{v.measured:.6g}",
            "" if v.status == "PASS" else v.sentence,
        )
        for v in gravest_first(evidence.verdicts)
    ]
    terminal.table(("gate", "verdict", "measured", "why"), [tuple(map(escape, row)) for row in rows])
    return ExitCode.DONE


def hand_evidence_over(options: RoadOptions, terminal: Terminal, *, given: str | None) -> int:
    """Hand evidence to the CI system that this process runs in.

    Raises:
        InputError: If there is no such evidence, or no CI system.
        EvidenceError: If it is not as it was signed.
    """
    from gauntlet.adapters.ci_outputs import hand_over  # noqa: PLC0415 - keeps --help fast

    with _conditions(options, terminal) as (conditions, state):
        from gauntlet.stages.champions import open_champions  # noqa: PLC0415 - after the lock and the log

        store = open_champions(conditions.target, state).evidence
        mark = store.resolved(given)
        lines = hand_over(mark, store.proven(mark), environment=os.environ)
    for line in lines:
        print(line, file=sys.stderr if terminal.machine else sys.stdout)  # no terminal may break or colour it
    if terminal.machine:
        terminal.document({"sha256": mark})
    else:
        terminal.say(f"[green]✓[/] evidence {mark} was handed over")
    return ExitCode.DONE


def verify_evidence(options: RoadOptions, terminal: Terminal, *, given: str | None) -> int:
    """Hold evidence against what is stored now: the tables' files, the artefact's, the problem, the gates.

    Raises:
        InputError: If there is no such evidence.
        EvidenceError: If something differs; the message says what.
    """
    with _conditions(options, terminal) as (conditions, state):
        from gauntlet.stages.champions import open_champions  # noqa: PLC0415 - after the lock and the log
        from gauntlet.stages.evidence_check import as_stored  # noqa: PLC0415

        champions = open_champions(conditions.target, state)
        mark = champions.evidence.resolved(given)
        evidence = as_stored(champions, conditions, mark=mark)
    files = sum(len(table.files) for table in evidence.tables)
    sentence = (
        f"the evidence is as it was signed on {evidence.created}, with {len(evidence.verdicts)} verdicts; the problem, "
        f"{len(evidence.tables)} tables ({files} files) and {len(evidence.artefact.files)} files of the artefact fit it"
    )
    if terminal.machine:
        terminal.document({"sha256": mark, "verified": True, "sentence": sentence})
    else:
        terminal.say(f"[green]✓[/] {escape(sentence)}")
    return ExitCode.DONE


def promote_evidence(options: RoadOptions, terminal: Terminal, *, given: str | None) -> int:
    """Make the model champion that evidence speaks of.

    Raises:
        InputError: If there is no such evidence.
        RefusedError: If anything differs from the evidence, a gate said no, or somebody was faster.
    """
    with _conditions(options, terminal) as (conditions, state):
        from gauntlet.stages.champions import open_champions  # noqa: PLC0415 - after the lock and the log
        from gauntlet.stages.promote import promote_on_evidence  # noqa: PLC0415

        result = promote_on_evidence(conditions, state=state, evidence=given)
        store = open_champions(conditions.target, state).evidence
        verdicts = store.proven(store.resolved(given)).verdicts
    champion, previous = result.champion, result.previous
    document = {
        "model": champion.name if champion else None,
        "version": champion.version if champion else None,
        "previous_version": previous.version if previous else None,
        "sequence": result.sequence,
        "bootstrap": result.bootstrap,
    } | warnings_and_notes(verdicts)
    before = f"version {previous.version} was it before" if previous else "there was none before"
    code = _show(document, f"{document['model']} version {document['version']} is champion; {before}", terminal)
    show_warnings_and_notes(document, terminal)
    return code


def roll_back_champion(options: RoadOptions, terminal: Terminal) -> int:
    """Make the former champion champion again.

    Raises:
        RefusedError: If there is none, or it is not what it was.
    """
    with _conditions(options, terminal) as (conditions, state):
        from gauntlet.stages.rollback import roll_back  # noqa: PLC0415 - after the lock and the log

        entry = roll_back(target=conditions.target, state=state)
    document = {
        "model": entry.model,
        "version": entry.version,
        "previous_version": entry.previous_version,
        "sequence": entry.sequence,
        "evidence": entry.evidence,
    }
    sentence = (
        f"{entry.model} version {entry.version} is champion again; version {entry.previous_version} was rolled back"
    )
    return _show(document, sentence, terminal)


def audit_champions(options: RoadOptions, terminal: Terminal, *, sign: bool = False) -> int:
    """Walk registry and ledger, and say what is not in order: exit code 1; 4 if only tables are gone or changed.

    Args:
        options: The problem, the target and the state folder.
        terminal: Where it is said.
        sign: First sign the ledger of a version that did not sign, if nothing else is wrong.
    """
    with _conditions(options, terminal) as (conditions, state):
        from gauntlet.stages.audit import audit, sign_ledger  # noqa: PLC0415 - after the lock and the log

        if sign:
            count = sign_ledger(target=conditions.target, state=state)
            terminal.say(f"Signed {count} entries of the ledger.")
        found = audit(target=conditions.target, state=state)
    code = ExitCode.REFUSED if found.findings else ExitCode.TABLES_GONE if found.tables else ExitCode.DONE
    document = {
        "model": found.model,
        "entries": found.entries,
        "versions": found.versions,
        "findings": [asdict(finding) for finding in found.findings],
        "tables": [asdict(finding) for finding in found.tables],
        "champion": found.champion,
    } | warnings_and_notes(found.verdicts)
    if terminal.machine:
        terminal.document(document | {"exit_code": int(code)})
        return code
    if shown := (*found.findings, *found.tables):
        rows = [(escape(f.where), escape(f.what), escape(f.advice)) for f in shown]
        terminal.table(("where", "what", "what to do"), rows)
    terminal.say(escape(found.sentence))
    show_warnings_and_notes(document, terminal, subject=f"version {found.champion} was")
    return code


@contextmanager
def _conditions(options: RoadOptions, terminal: Terminal) -> Iterator[tuple[Conditions, State]]:
    """Give what champions are judged by, in a state folder that nobody else uses meanwhile."""
    problem, state = options.described(), State(options.state)
    if not options.state.is_dir():
        raise InputError(f"{options.state}: no state folder; give the one that your runs used with --state")
    with state.locked(wait_seconds=options.wait), run_folder_of(state, terminal):
        from gauntlet.adapters.target import open_target  # noqa: PLC0415 - after the lock and the log
        from gauntlet.gates.catalogue import AllGates  # noqa: PLC0415
        from gauntlet.stages.evidence_check import Conditions  # noqa: PLC0415

        target = open_target(options.target, problem=problem, state=state, workers=options.workers)
        yield Conditions(problem, target, AllGates(), options.problem_folder), state


def _facts(evidence: Evidence) -> Iterator[tuple[str, str]]:
    yield "created", evidence.created
    yield "problem", f"{evidence.problem}, protocol {evidence.protocol}, seed {evidence.seed}"
    yield "code", f"Gauntlet {evidence.gauntlet_version}, {evidence.code_digest[:12]}, lock {evidence.lock_digest[:12]}"
    yield "model", f"{evidence.chosen}, {evidence.artefact.model_uri}, {evidence.artefact.digest[:12]}"
    for table in evidence.tables:
        yield "table", f"{table.full_name} version {table.version}, {table.rows} rows, {table.fingerprint[:12]}"
    compared = evidence.incumbent.version
    yield "compared", "with no champion: there was none" if compared is None else f"with champion version {compared}"


def _show(document: dict[str, Any], sentence: str, terminal: Terminal) -> int:
    if terminal.machine:
        terminal.document(document)
    else:
        terminal.say(f"[bold green]✓[/] {escape(sentence)}")
    return ExitCode.DONE
