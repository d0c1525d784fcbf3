"""This module provides what the commands do, apart from reading their options."""

from __future__ import annotations

import json
import subprocess
import sys
import webbrowser
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.markup import escape

from gauntlet.adapters.environment import examine
from gauntlet.commands.opening import RoadOptions, Steps, opened_road
from gauntlet.commands.verdict_lines import show_warnings_and_notes
from gauntlet.core.errors import ExitCode, InputError, RequirementError
from gauntlet.core.refusals import MOST_SHOWN, Reason
from gauntlet.core.results import ReportResult
from gauntlet.core.section import TargetName
from gauntlet.core.state import State, write_atomically
from gauntlet.core.summary import summary
from gauntlet.terminal import Terminal

if TYPE_CHECKING:
    from gauntlet.pipeline import Road


def run_road(options: RoadOptions, terminal: Terminal, steps: Steps, *, dry_run: bool = False) -> int:
    """Run the stages of a problem, or say what would run."""
    document = planned(options, terminal, steps) if dry_run else walked(options, terminal, steps)
    if terminal.machine:
        terminal.document(document)
    return int(document.get("exit_code", ExitCode.DONE))


def walked(options: RoadOptions, terminal: Terminal, steps: Steps) -> dict[str, Any]:
    """Run the stages of a problem, tell people how it ended, and return the documented summary.

    Raises:
        GauntletError: If a stage cannot do its work.
    """
    with opened_road(options, terminal, steps) as (road, run_folder):
        document = _walk(road, run_folder)
        _conclude(document, terminal)
    return document


def planned(options: RoadOptions, terminal: Terminal, steps: Steps) -> dict[str, Any]:
    """Return what would run and why, and show it to people; nothing is done.

    Raises:
        GauntletError: If the road cannot be opened.
    """
    with opened_road(options, terminal, steps) as (road, _):
        plan = road.plan()
        if not terminal.machine:
            terminal.table(("stage", "", "why"), [(p.name, p.state, p.reason) for p in plan])
    return {"stages": [{"name": p.name, "state": p.state, "reason": p.reason} for p in plan]}


def _walk(road: Road, run_folder: Path) -> dict[str, Any]:
    """Run the road, keep the summary, and return it."""
    outcome = road.run()
    document = summary(road.problem, outcome.results)
    written = outcome.results.get("report")
    document |= {
        "target": road.target.name,
        "report": str(road.state.path(written.file).resolve()) if isinstance(written, ReportResult) else None,
        "log": str((run_folder / "log.txt").resolve()),
        "not_checked": list(outcome.not_checked),
        "stages": {report.name: report.state for report in outcome.stages},
        "seconds": {report.name: report.seconds for report in outcome.stages},
        "exit_code": int(ExitCode.REFUSED if outcome.refusal else ExitCode.DONE),
    }
    keys = {report.name: report.key for report in outcome.stages if report.key}
    write_atomically(run_folder / "summary.json", json.dumps(document | {"keys": keys}, indent=2, ensure_ascii=False))
    return document


def _conclude(document: dict[str, Any], terminal: Terminal) -> None:
    done = [name for name, state in document["stages"].items() if state == "ran"]
    if not done:
        terminal.say("Nothing changed since the last run: no stage ran again (--fresh redoes all).")
    for gap in document["not_checked"]:
        terminal.say(f"[yellow]not checked:[/] {gap}")
    champion = document["champion"]
    if document["refusal"]:
        _say_refusal(document["reasons"], terminal)
    elif champion:
        terminal.say(
            f"[bold green]Champion:[/] {champion['model']} version {champion['version']}, "
            f"AUC {champion['auc_test']:.4f} on test (small forest {document['baseline']['auc']:.4f})"
        )
        show_warnings_and_notes(document, terminal)
    if document["report"]:
        terminal.say(f"Report: {document['report']}")


def _say_refusal(reasons: list[dict[str, str]], terminal: Terminal) -> None:
    """Show the gravest reasons, each with what answers it."""
    terminal.say("[bold red]Refused[/], nothing was promoted:")
    for number, reason in enumerate(reasons[:MOST_SHOWN], start=1):
        terminal.say(f"  {number}. {escape(Reason(**reason).told)}")
        terminal.say(f"     answer: [cyan]{escape(reason['answer'])}[/]")
    more = len(reasons) - MOST_SHOWN
    if more > 0:
        terminal.say(f"  and {more} more, in the report and with --json")


def show_environment(*, state: Path, target: TargetName, machine: bool, quiet: bool) -> int:
    """Show what the environment has and lacks."""
    terminal = Terminal(quiet=quiet, machine=machine)
    findings = examine(State(state), target=target)
    missing = any(finding.status == "missing" for finding in findings)
    if machine:
        terminal.document({"findings": [asdict(finding) for finding in findings], "ready": not missing})
    else:
        marks = {"ok": "[green]ok[/]", "missing": "[red]missing[/]", "optional": "[yellow]optional[/]"}
        rows = [(f.name, marks[f.status], escape(f.found), escape(f.advice)) for f in findings]
        terminal.table(("what", "", "found", "what to do"), rows)
    return ExitCode.ENVIRONMENT if missing else ExitCode.DONE


def clean_state(*, state: Path, yes: bool, machine: bool, quiet: bool) -> int:
    """Show or delete what no current result needs."""
    from gauntlet.adapters.housekeeping import delete, superseded  # noqa: PLC0415 - needed by this command only

    terminal = Terminal(quiet=quiet, machine=machine)
    folder = State(state)
    if not state.is_dir():
        raise InputError(f"{state}: no state folder; give the one that your runs used with --state")
    with folder.locked():
        garbage = superseded(folder)
        if yes:
            delete(garbage)
    freed = sum(item.bytes for item in garbage)
    if machine:
        items = [{"path": str(item.path), "bytes": item.bytes, "why": item.why} for item in garbage]
        terminal.document({"deleted": yes, "bytes": freed, "items": items})
        return ExitCode.DONE
    rows = [(str(item.path.relative_to(state)), f"{item.bytes / 2**20:,.1f} MB", item.why) for item in garbage]
    terminal.table(("what", "size", "why"), rows)
    terminal.say(f"{'Freed' if yes else 'Would free'} {freed / 2**20:,.1f} MB{'' if yes else '; --yes deletes'}.")
    return ExitCode.DONE


def find_report(*, state: Path, show: bool, machine: bool, quiet: bool) -> int:
    """Say where the last run's report is, and open it if asked."""
    terminal = Terminal(quiet=quiet, machine=machine)
    for path in sorted(State(state).runs.glob("*/summary.json"), reverse=True):
        report = json.loads(path.read_text(encoding="utf-8"))["report"]
        if report and Path(report).is_file():
            if machine:
                terminal.document({"report": report})
            else:
                terminal.say(report)
            if show:
                webbrowser.open(Path(report).as_uri())
            return ExitCode.DONE
    raise InputError(f"{state}: no run has left a report there; run `gauntlet run`, or give --state")


def serve_mlflow(*, state: Path, port: int, machine: bool, quiet: bool) -> int:
    """Serve MLflow's pages until interrupted."""
    database = State(state).mlflow.resolve() / "mlflow.db"
    if not database.is_file():
        raise InputError(f"{state}: holds no MLflow database; run `gauntlet run`, or give --state")
    from gauntlet.adapters.tracking import sqlite_address  # noqa: PLC0415 - for this command only

    terminal = Terminal(quiet=quiet, machine=machine)
    terminal.say(f"MLflow at http://127.0.0.1:{port} (Ctrl-C ends it)")
    command = [sys.executable, "-m", "mlflow", "ui", "--backend-store-uri", sqlite_address(database)]
    done = subprocess.run([*command, "--host", "127.0.0.1", "--port", str(port)], check=False)  # noqa: S603 - our own arguments
    if done.returncode != 0:
        raise RequirementError(f"MLflow's server ended with exit code {done.returncode}; is port {port} in use?")
    return ExitCode.DONE
