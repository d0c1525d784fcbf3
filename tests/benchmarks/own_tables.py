"""Real tables, from ``gauntlet init`` to the verdict of a default run, with no hand on any file.

Every table of ``package_tables`` is written as its package gives it, drafted by ``gauntlet init`` and run by
``gauntlet run``, several in one process. Beside it a plain scikit-learn pipeline is searched on the same rows
(``plain_pipeline``). What is found is kept in a journal, so that an interrupted benchmark goes on where it was; another
version of the code, or another number of trials, begins anew in a folder of its own.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

import gauntlet
from gauntlet.core.problem_file import load_problem
from gauntlet.core.results import JudgeResult, SelectResult, SplitResult
from gauntlet.core.state import State, append_line
from gauntlet.core.verdict import BLOCKING
from tests.benchmarks.package_tables import TABLES, PackageTable, write_table

DEFAULT_TRIALS = 96
TOGETHER = 8  # tables in one process and one Spark session; more would lose more if the process died
FLOOR = "model::auc_at_least_minimum"
# The gates that say no to single columns, beside the expectations of the data suites (``data/SUITE::COLUMN::RULE``).
COLUMN_GATES = ("split::no_identifier_feature", "split::no_target_leakage")
LEAST_PROMOTED = 0.9
MOST_AUC_LOST = 0.01


@dataclass(frozen=True)
class Refusal:
    """One reason why a run promoted nothing: the gate, and what it says."""

    gate: str
    sentence: str


@dataclass(frozen=True)
class Outcome:
    """What became of one table.

    Attributes:
        table: Its name.
        rows: Its rows.
        nature: Whether its columns can tell the label.
        init: The exit code of ``gauntlet init``.
        run: The exit code of ``gauntlet run``; None if there was nothing to run.
        error: The message of a command that ended without a verdict.
        refusals: Why nothing was promoted.
        warnings: The gates that say WARN.
        notes: The gates that say NOTE.
        waivers: The number of verdicts with a waiver.
        leaks_left: Columns that give the label away by construction and that ``init`` drafted as features.
        auc: The AUC of the chosen model on the test rows.
        plain_auc: That of the plain pipeline on the same rows.
        plain_auc_refitted: The same, fitted on the validation rows too.
        seconds: The seconds of the run's stages, added up; runs share the machine.
    """

    table: str
    rows: int
    nature: str
    init: int
    run: int | None = None
    error: str | None = None
    refusals: tuple[Refusal, ...] = ()
    warnings: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    waivers: int = 0
    leaks_left: tuple[str, ...] = ()
    auc: float | None = None
    plain_auc: float | None = None
    plain_auc_refitted: float | None = None
    seconds: float = 0.0

    @property
    def promoted(self) -> bool:
        """Whether the run ended with a champion."""
        return self.run == 0

    @property
    def refused_columns(self) -> tuple[Refusal, ...]:
        """The refusals that are about a column which ``init`` drafted."""
        return tuple(r for r in self.refusals if r.gate in COLUMN_GATES or r.gate.startswith("data/"))


_OUTCOME = TypeAdapter(Outcome)


@dataclass(frozen=True)
class Workplace:
    """The folder that the tables of one version of the code are run in.

    Attributes:
        root: The folder.
        trials: The trials of each search.
    """

    root: Path
    trials: int = DEFAULT_TRIALS

    @property
    def journal(self) -> Path:
        """The file of outcomes, one line a table."""
        return self.root / "outcomes.jsonl"

    def outcomes(self) -> dict[str, Outcome]:
        """Return what the journal holds, by table."""
        if not self.journal.exists():
            return {}
        lines = self.journal.read_text(encoding="utf-8").splitlines()
        return {outcome.table: outcome for outcome in map(_OUTCOME.validate_json, lines)}

    def problem_folder(self, table: PackageTable) -> Path:
        """Return the folder of a table's files."""
        return self.root / "problems" / table.name


def own_tables(folder: Path, *, trials: int = DEFAULT_TRIALS, only: Sequence[str] = ()) -> dict[str, Any]:
    """Run the tables that are not in the journal yet, and return what became of all of them.

    Args:
        folder: Where files, states and journal are kept; each version of the code has its own folder inside.
        trials: The trials of each search, and of the plain pipeline's.
        only: The names of the tables to run; none means all.
    """
    chosen = [table for table in TABLES if not only or table.name in only]
    if unknown := set(only) - {table.name for table in chosen}:
        raise SystemExit(f"unknown tables: {', '.join(sorted(unknown))}; package_tables.py lists them")
    place = Workplace(folder.resolve() / f"{_code_digest()}-{trials}", trials)
    place.root.mkdir(parents=True, exist_ok=True)
    known = place.outcomes()
    waiting = [table for table in chosen if table.name not in known]
    for start in range(0, len(waiting), TOGETHER):
        for outcome in _run_together(waiting[start : start + TOGETHER], place):
            append_line(place.journal, _OUTCOME.dump_json(outcome).decode())
            known[outcome.table] = outcome
            done = sum(table.name in known for table in chosen)
            print(f"{done}/{len(chosen)} {_sentence(outcome)}", file=sys.stderr, flush=True)
    return summarised([known[table.name] for table in chosen])


def summarised(outcomes: Sequence[Outcome]) -> dict[str, Any]:
    """Return one row a table, the reasons of all refusals, and the bounds with what was found."""
    found: dict[str, Any] = {"tables": [_row(outcome) for outcome in outcomes]}
    if refusals := list(_explained(outcomes)):
        found["refusals"] = refusals
    bounds = list(_bounds(outcomes))
    return found | {"bounds": bounds, "bounds_hold": all(bound["holds"] for bound in bounds)}


def _run_together(tables: Sequence[PackageTable], place: Workplace) -> Iterator[Outcome]:
    """Draft tables and run what could be drafted, in one process; yield the outcomes as they are measured."""
    drafted: dict[str, PackageTable] = {}
    for table in tables:
        code, message = _draft(table, place)
        if code == 0:
            drafted[table.name] = table
        else:
            yield Outcome(table.name, table.rows, table.nature, init=code, error=message)
    runs = _runs(list(drafted.values()), place)
    for name, table in drafted.items():
        yield _measured(table, runs[name], place)


def _draft(table: PackageTable, place: Workplace) -> tuple[int, str]:
    """Write a table, have its problem drafted, and return the exit code and the message of ``gauntlet init``."""
    from gauntlet.cli import main  # noqa: PLC0415 - only this command of the benchmarks needs it

    folder = place.problem_folder(table)
    folder.mkdir(parents=True, exist_ok=True)
    output = folder / f"{table.name}.toml"
    if output.exists():  # drafted by a benchmark that was interrupted
        return 0, ""
    file = write_table(table, folder)
    command = ["init", "--from", str(file), "--label", table.label, "--output", str(output), "--json"]
    command += [] if table.positive is None else ["--positive", table.positive]
    errors = io.StringIO()
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(errors):
        try:
            main(command)
        except SystemExit as ended:
            return int(ended.code or 0), errors.getvalue().strip()


def _runs(tables: Sequence[PackageTable], place: Workplace) -> dict[str, dict[str, Any]]:
    """Run drafted problems in one process, or, where that process dies, each in its own; return their documents."""
    if not tables:
        return {}
    command = [sys.executable, "-m", "gauntlet", "run", "--json", "--state", str(place.root / "states")]
    command += [] if place.trials == DEFAULT_TRIALS else ["--set", f"sweep.trials={place.trials}"]
    folders = {str(place.problem_folder(table) / f"{table.name}.toml"): table.name for table in tables}
    problems = [part for table in tables for part in ("--problem", str(place.problem_folder(table)))]
    done = subprocess.run([*command, *problems], capture_output=True, text=True, check=False)
    try:
        return {folders[run["file"]]: run for run in json.loads(done.stdout)["runs"]}
    except (ValueError, KeyError):
        if len(tables) > 1:
            return {name: run for table in tables for name, run in _runs([table], place).items()}
        return {tables[0].name: {"exit_code": done.returncode, "error": done.stderr[-2000:]}}


def _measured(table: PackageTable, run: Mapping[str, Any], place: Workplace) -> Outcome:
    """Return a table's outcome from the document of its run and from what the run left in its state folder."""
    verdicts = run.get("verdicts") or []
    blocking = [v for v in verdicts if v["status"] in BLOCKING and not v["waiver"]]
    refusals = [Refusal(v["gate"], v["sentence"]) for v in blocking]
    if run.get("refusal") and not refusals:  # a stage before the gates refused
        refusals = [Refusal("stage", run["refusal"])]
    problem = load_problem(place.problem_folder(table) / f"{table.name}.toml")
    sources = {_folded(column.source_name or column.name) for column in problem.features}
    state = State(place.root / "states" / problem.name)
    scores = _scores(table, state, place)
    return Outcome(
        table.name,
        table.rows,
        table.nature,
        init=0,
        run=int(run["exit_code"]),
        error=run.get("error"),
        refusals=tuple(refusals),
        warnings=tuple(v["gate"] for v in verdicts if v["status"] == "WARN"),
        notes=tuple(v["gate"] for v in verdicts if v["status"] == "NOTE"),
        waivers=sum(bool(v["waiver"]) for v in verdicts),
        leaks_left=tuple(leak for leak in table.leaks if _folded(leak) in sources),
        seconds=round(sum(run.get("seconds", {}).values()), 1),
        **scores,
    )


def _scores(table: PackageTable, state: State, place: Workplace) -> dict[str, float]:
    """Return the AUC of the chosen model and of the plain pipeline, as far as the run came."""
    split = next(state.results("split", SplitResult), None)
    judged, selected = (
        next(state.results("judge", JudgeResult), None),
        next(state.results("select", SelectResult), None),
    )
    if split is None or judged is None or selected is None:
        return {}
    from tests.benchmarks.plain_pipeline import plain_scores  # noqa: PLC0415 - imports pandas

    features, label, names = _rows(table, state, split, place)
    plain = plain_scores(features, label, names, trials=place.trials)
    ours = judged.scores.auc[selected.chosen.name]
    return {"auc": ours, "plain_auc": plain.auc, "plain_auc_refitted": plain.auc_refitted}


def _rows(table: PackageTable, state: State, split: SplitResult, place: Workplace) -> Any:
    """Return the rows that the run divided: features as pandas reads the table's file, labels, names of splits.

    Raises:
        SystemExit: If the rows of the state's table cannot be told to be those of the file.
    """
    import pandas as pd  # noqa: PLC0415 - takes a while to import

    problem = load_problem(place.problem_folder(table) / f"{table.name}.toml")
    files = sorted((state.root / "tables").glob(f"**/{split.table.name}/*.parquet"))
    kept = pd.concat([pd.read_parquet(file, columns=["source_row", "label", "split"]) for file in files])
    file = pd.read_csv(
        place.problem_folder(table) / f"{table.name}.csv", sep=problem.sources[0].delimiter, low_memory=False
    )
    rows = file.iloc[kept["source_row"]].reset_index(drop=True)
    by_name = {_folded(str(name)): name for name in file.columns}
    values = rows[by_name[_folded(table.label)]].astype(str)
    if len(kept) != split.table.rows or kept["label"].to_numpy().astype(int).tolist() != _labels(values, kept["label"]):
        raise SystemExit(f"{table.name}: the rows of table split are not those of the file")
    # Several features may come of one column of the file: the parts of a date.
    wanted = dict.fromkeys(by_name[_folded(column.source_name or column.name)] for column in problem.features)
    return rows[list(wanted)], kept["label"].to_numpy().astype(int), kept["split"].to_numpy().astype(str)


def _labels(values: Any, label: Any) -> list[int]:
    """Return for each row the label that the first row with its value has."""
    import pandas as pd  # noqa: PLC0415 - takes a while to import

    first = pd.Series(label.to_numpy().astype(int)).groupby(values.to_numpy()).first()
    return [int(value) for value in first.loc[values].to_numpy()]


def _folded(name: str) -> str:
    """Return a name by its letters and digits alone: names in tables are plainer than those in files."""
    return "".join(character for character in name.lower() if character.isalnum())


def _bounds(outcomes: Sequence[Outcome]) -> Iterator[dict[str, Any]]:
    """Yield the issue's bounds, what was found, and whether each holds."""
    sound = [o for o in outcomes if o.nature == "sound"]
    unpredictable = [o for o in outcomes if o.nature == "unpredictable"]
    gains = [o.auc - o.plain_auc for o in sound if o.auc is not None and o.plain_auc is not None]
    counted: list[tuple[str, float, str, bool]] = []

    def bound(what: str, found: float, limit: str, *, holds: bool) -> None:
        counted.append((what, found, limit, holds))

    drafted = _share(outcomes, lambda o: o.init == 0)
    bound("init ends with 0", drafted, "all", holds=drafted == 1)
    if sound:
        promoted = _share(sound, lambda o: o.promoted)
        bound("sound tables promoted", promoted, f">= {LEAST_PROMOTED}", holds=promoted >= LEAST_PROMOTED)
    columns = sum(bool(o.refused_columns) for o in outcomes)
    bound("tables with a drafted column refused", columns, "0", holds=columns == 0)
    waivers = sum(o.waivers for o in outcomes)
    bound("waivers", waivers, "0", holds=waivers == 0)
    if unpredictable:
        floored = _share(unpredictable, lambda o: any(r.gate == FLOOR for r in o.refusals))
        bound("unpredictable tables refused by the floor", floored, "all", holds=floored == 1)
    if gains:
        mean = sum(gains) / len(gains)
        bound("mean AUC less the plain pipeline's", mean, f">= -{MOST_AUC_LOST}", holds=mean >= -MOST_AUC_LOST)
    yield from ({"bound": w, "found": f, "limit": limit, "holds": holds} for w, f, limit, holds in counted)


def _share(outcomes: Sequence[Outcome], holds: Callable[[Outcome], bool]) -> float:
    return sum(map(holds, outcomes)) / len(outcomes) if outcomes else 1.0


def _row(outcome: Outcome) -> dict[str, Any]:
    return {
        "table": outcome.table,
        "rows": outcome.rows,
        "nature": outcome.nature,
        "init": outcome.init,
        "run": "" if outcome.run is None else outcome.run,
        "auc": "" if outcome.auc is None else outcome.auc,
        "plain": "" if outcome.plain_auc is None else outcome.plain_auc,
        "refitted": "" if outcome.plain_auc_refitted is None else outcome.plain_auc_refitted,
        "warn": len(outcome.warnings),
        "note": len(outcome.notes),
        "seconds": round(outcome.seconds),
        "ended": _ending(outcome),
    }


def _ending(outcome: Outcome) -> str:
    if outcome.promoted:
        return "promoted"
    if outcome.init:
        return "not drafted"
    return f"refused: {', '.join(r.gate for r in outcome.refusals)}" if outcome.refusals else "error"


def _explained(outcomes: Sequence[Outcome]) -> Iterator[dict[str, Any]]:
    """Yield every refusal, error and leak that was left, with its reason."""
    for outcome in outcomes:
        if outcome.error:
            why = " ".join(outcome.error.split())  # one line, as the other reasons are
            yield {"table": outcome.table, "gate": "init" if outcome.init else "run", "why": why}
        yield from ({"table": outcome.table, "gate": r.gate, "why": r.sentence} for r in outcome.refusals)
        for leak in outcome.leaks_left:
            yield {"table": outcome.table, "gate": "init", "why": f"{leak} gives the label away and is a feature"}


def _sentence(outcome: Outcome) -> str:
    aucs = f", AUC {outcome.auc:.4f}, plain {outcome.plain_auc:.4f}" if outcome.auc and outcome.plain_auc else ""
    return f"{outcome.table}: {_ending(outcome)}{aucs}, {outcome.seconds:.0f} s"


def _code_digest() -> str:
    """Return a short digest of the package's code: outcomes of one version say nothing of another."""
    digest = hashlib.sha256()
    root = Path(gauntlet.__file__).parent
    for file in sorted(root.rglob("*.py")) + sorted(root.rglob("*.j2")):
        digest.update(file.relative_to(root).as_posix().encode() + b"\0" + file.read_bytes())
    return digest.hexdigest()[:12]
