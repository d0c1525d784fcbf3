"""This module provides what the commands do, apart from reading their options."""

from __future__ import annotations

import json
import subprocess
import sys
import tomllib
import traceback
import webbrowser
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.markup import escape

from gauntlet.adapters.environment import examine, require
from gauntlet.core.errors import ExitCode, GauntletError, InputError, RequirementError
from gauntlet.core.problem import Problem
from gauntlet.core.problem_file import load_problem
from gauntlet.core.results import ReportResult, StageResult
from gauntlet.core.section import TargetName
from gauntlet.core.state import State, write_atomically
from gauntlet.core.summary import sentence, summary
from gauntlet.terminal import Terminal

if TYPE_CHECKING:
    from gauntlet.pipeline import Road, StageReport


def run_road(  # noqa: PLR0913 - one argument an option of the command
    *,
    problem: Path | None,
    target: TargetName,
    protocol: str | None,
    seed: int | None,
    settings: tuple[str, ...],
    no_synthetic: bool,
    workers: int | None,
    wait: float,
    state: Path,
    machine: bool,
    quiet: bool,
    first: str | None,
    last: str,
    only: bool,
    dry_run: bool,
) -> int:
    """Run the stages of a problem, or say what would run."""
    terminal = Terminal(quiet=quiet, machine=machine)
    described = load_problem(problem, overrides=_overrides(settings, protocol=protocol, seed=seed))
    folder = State(state)
    require(folder, target=target)
    with folder.locked(wait_seconds=wait), _run_folder(folder, terminal) as run_folder:
        from gauntlet.adapters.target import open_target  # noqa: PLC0415 - after the lock, the log and the checks
        from gauntlet.pipeline import Road  # noqa: PLC0415

        road = Road(
            problem=described,
            target=open_target(target, problem=described, state=folder, workers=workers),
            state=folder,
            problem_folder=problem.resolve().parent if problem else None,
            synthetic_allowed=not no_synthetic,
            first=first,
            last=last,
            only=only,
            progress=terminal.progress(),
            listener=_Listener(terminal),
        )
        if dry_run:
            return _show_plan(road, terminal)
        return _walk(road, described, run_folder, terminal)


def _walk(road: Road, problem: Problem, run_folder: Path, terminal: Terminal) -> int:
    """Run the road, keep the summary, and show it."""
    outcome = road.run()
    document = summary(problem, outcome.results)
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
    if terminal.machine:
        terminal.document(document)
    _conclude(document, terminal)
    return int(document["exit_code"])


def _conclude(document: dict[str, Any], terminal: Terminal) -> None:
    done = [name for name, state in document["stages"].items() if state == "ran"]
    if not done:
        terminal.say("Nothing changed since the last run: no stage ran again (--fresh redoes all).")
    for gap in document["not_checked"]:
        terminal.say(f"[yellow]not checked:[/] {gap}")
    champion = document["champion"]
    if document["refusal"]:
        terminal.say(f"[bold red]Refused:[/] {escape(document['refusal'])}. Nothing was promoted.")
    elif champion:
        terminal.say(
            f"[bold green]Champion:[/] {champion['model']} version {champion['version']}, "
            f"AUC {champion['auc_test']:.4f} on test (small forest {document['baseline']['auc']:.4f})"
        )
    if document["report"]:
        terminal.say(f"Report: {document['report']}")


def _show_plan(road: Road, terminal: Terminal) -> int:
    plan = road.plan()
    if terminal.machine:
        terminal.document({"stages": [{"name": p.name, "state": p.state, "reason": p.reason} for p in plan]})
    else:
        terminal.table(("stage", "", "why"), [(p.name, p.state, p.reason) for p in plan])
    return ExitCode.DONE


class _Listener:
    """Shows one line a stage."""

    def __init__(self, terminal: Terminal) -> None:
        self._terminal = terminal

    def __call__(self, event: StageReport, result: StageResult) -> None:
        marks = {"ran": "[green]✓[/]", "up to date": "[dim]=[/]", "refused": "[red]✗[/]"}
        took = f"{event.seconds:6.1f} s" if event.state != "up to date" else "        "
        text = escape(sentence(result) if result.refusal is None else result.refusal)
        self._terminal.say(f"{marks.get(event.state, ' ')} {event.name:<13}{took}  {text}")


@contextmanager
def _run_folder(state: State, terminal: Terminal) -> Iterator[Path]:
    """Make a folder for one command's log and summary; an unknown error is explained by the log, not by a traceback."""
    folder = state.runs / datetime.now(UTC).strftime("%Y%m%dT%H%M%S.%fZ")
    log = folder / "log.txt"
    try:
        with terminal.noise_to(log):
            yield folder
    except (GauntletError, KeyboardInterrupt):
        raise
    except Exception as error:
        with log.open("a", encoding="utf-8") as stream:
            traceback.print_exc(file=stream)
        raise GauntletError(
            f"a defect in Gauntlet ({type(error).__name__}: {_first_line(error)}); please report it with {log}"
        ) from error


def _first_line(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return lines[0][:200] if lines else "no message"


def _overrides(settings: tuple[str, ...], *, protocol: str | None, seed: int | None) -> dict[str, Any]:
    """Return the problem's values that the command line replaces, by dotted key."""
    values: dict[str, Any] = {}
    for text in settings:
        key, equals, value = text.partition("=")
        if not equals or not key.strip():
            raise InputError(f"--set {text}: expected KEY=VALUE, for example sweep.trials=24")
        values[key.strip()] = _value(value.strip())
    if protocol is not None:
        values["split.protocol"] = protocol
    if seed is not None:
        values["seed"] = seed
    return values


def _value(text: str) -> Any:
    """Read a value as TOML does; what is no TOML value is a string."""
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text


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


def write_draft(  # noqa: PLR0913 - one argument an option of the command
    *,
    table: Path,
    label: str,
    positive: str | None,
    name: str | None,
    output: Path | None,
    state: Path,  # noqa: ARG001 - a common option, without use here
    machine: bool,
    quiet: bool,
) -> int:
    """Write a problem file and suites for a table."""
    from gauntlet.adapters.problem_draft import draft_problem  # noqa: PLC0415 - imports pandas

    terminal = Terminal(quiet=quiet, machine=machine)
    output = output or Path(f"{name or table.stem}.toml")
    draft = draft_problem(table, label=label, positive=positive, name=name, output=output)
    if machine:
        document = {"problem": str(draft.problem), "suites": [str(suite) for suite in draft.suites]}
        terminal.document(document | {"notes": list(draft.notes)})
    else:
        for path in (draft.problem, *draft.suites):
            terminal.say(f"wrote {path}")
        for note in draft.notes:
            terminal.say(escape(note))
        terminal.say(f"Read it, then: gauntlet run --problem {draft.problem}")
    return ExitCode.DONE


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
    terminal = Terminal(quiet=quiet, machine=machine)
    terminal.say(f"MLflow at http://127.0.0.1:{port} (Ctrl-C ends it)")
    command = [sys.executable, "-m", "mlflow", "ui", "--backend-store-uri", f"sqlite:///{database}"]
    done = subprocess.run([*command, "--host", "127.0.0.1", "--port", str(port)], check=False)  # noqa: S603 - our own arguments
    if done.returncode != 0:
        raise RequirementError(f"MLflow's server ended with exit code {done.returncode}; is port {port} in use?")
    return ExitCode.DONE
