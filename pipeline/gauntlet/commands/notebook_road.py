"""This module provides the road for notebooks: one stage a cell, shown as its line, its tables and its figures.

A cell asks for a stage by name; the engine does what is not done yet, exactly as ``gauntlet run --until`` does.
"""

from __future__ import annotations

import base64
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass, field, replace
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

from gauntlet.commands.opening import RoadOptions, Steps, opened_road
from gauntlet.core import results as r
from gauntlet.core.errors import InputError
from gauntlet.core.section import TargetName
from gauntlet.core.stage_names import STAGE_NAMES
from gauntlet.core.state import State
from gauntlet.core.summary import sentence, summary
from gauntlet.core.trials import read_journal
from gauntlet.terminal import Terminal

if TYPE_CHECKING:
    from gauntlet.pipeline import Outcome, Road, StageReport

# The widgets that a notebook gets in Databricks; elsewhere the environment variable says it, or the default holds.
_WIDGETS = {
    "target": ("GAUNTLET_TARGET", "local"),
    "state": ("GAUNTLET_STATE", ".gauntlet"),
    "settings": ("GAUNTLET_NOTEBOOK_SETTINGS", ""),
}

# Where the documented summary speaks of a stage.
_SECTIONS = {
    "ingest": "data",
    "expectations": "expectations",
    "split": "split",
    "baseline": "baseline",
    "sweep": "sweep",
    "select": "selection",
    "promote": "champion",
    "score": "score",
}

# What names places of one machine has no place in a notebook that others read.
_PRIVATE = frozenset({"source", "refused_origins"})

_TRIALS_SHOWN = 5

_COMPARED = (
    "protocol",
    "split.repeats_across",
    "split.selection",
    "baseline.auc",
    "sweep.trials",
    "sweep.best_auc_validation",
    "sweep.digest",
    "champion.version",
    "champion.auc_test",
    "refusal",
)


@dataclass(frozen=True)
class Table:
    """A small table for people.

    Attributes:
        headers: What stands above its columns.
        rows: Its cells, row by row.
    """

    headers: tuple[str, ...]
    rows: tuple[tuple[Any, ...], ...]

    def __repr__(self) -> str:
        return "\n".join(" | ".join(_cell(value) for value in row) for row in (self.headers, *self.rows))

    def _repr_html_(self) -> str:
        head = "".join(f"<th>{escape(name)}</th>" for name in self.headers)
        body = "".join(
            "<tr>" + "".join(f"<td style='text-align:left'>{escape(_cell(value))}</td>" for value in row) + "</tr>"
            for row in self.rows
        )
        return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


@dataclass(frozen=True)
class StageView:
    """What became of a stage, as a cell shows it.

    Attributes:
        name: The stage's name.
        state: ``ran``, ``up to date``, ``refused`` or ``not reached``.
        sentence: What it found, or why it says no.
        tables: Its numbers.
        figures: Its pictures: a title and the SVG.
    """

    name: str
    state: str
    sentence: str
    tables: tuple[Table, ...] = ()
    figures: tuple[tuple[str, bytes], ...] = ()

    def __repr__(self) -> str:
        return "\n".join([f"{self.name}: {self.state}. {self.sentence}", *map(repr, self.tables)])

    def _repr_html_(self) -> str:
        line = f"<p><b>{escape(self.name)}</b>: {escape(self.state)}. {escape(self.sentence)}</p>"
        pictures = "".join(
            f"<img alt='{escape(title, quote=True)}' style='max-width:100%'"
            f" src='data:image/svg+xml;base64,{base64.b64encode(drawing).decode('ascii')}'>"
            for title, drawing in self.figures
        )
        return line + "".join(table._repr_html_() for table in self.tables) + pictures


def notebook_options(dbutils: Any = None) -> RoadOptions:
    """Return what a notebook's widgets say; without widgets, what the environment's variables say.

    Args:
        dbutils: What Databricks puts into a notebook under this name; None elsewhere. The widgets are made at the first
            call and keep what somebody chose in them.

    Raises:
        InputError: If there is no such target.
    """
    said = {name: os.environ.get(variable, default) for name, (variable, default) in _WIDGETS.items()}
    if dbutils is not None:
        for name, value in said.items():
            dbutils.widgets.text(name, value)
        said = {name: str(dbutils.widgets.get(name)) for name in said}
    targets: dict[str, TargetName] = {name: name for name in get_args(TargetName)}
    if said["target"] not in targets:
        raise InputError(f"there is no target {said['target']!r}; choose {', '.join(targets)}")
    settings = tuple(said["settings"].split())
    return RoadOptions(target=targets[said["target"]], state=Path(said["state"]), settings=settings)


@dataclass
class NotebookRoad:
    """A road that a notebook walks stage by stage.

    Attributes:
        options: The problem, the target and the state folder.
        document: The summary of what was found so far, as ``gauntlet run --json`` prints it.
    """

    options: RoadOptions
    document: Mapping[str, Any] = field(default_factory=dict)

    def stage(self, name: str) -> StageView:
        """Bring the road up to this stage, and show what the stage found.

        Raises:
            InputError: If there is no such stage.
            GauntletError: If a stage cannot do its work. A refusal is no error: it is shown, and ends the road.
        """
        if name not in STAGE_NAMES:
            raise InputError(f"there is no stage {name!r}; the stages are {', '.join(STAGE_NAMES)}")
        with self._opened(name) as road:
            outcome = road.run()
            self.document = summary(road.problem, outcome.results)
            return _view(name, outcome, self.document, road.state)

    def rows(self, stage: str, *, count: int = 5) -> Table:
        """Show the first rows of the table that a finished stage left, in the order of their identifiers.

        Args:
            stage: ``ingest`` (the curated table), ``split`` or ``score``.
            count: How many rows.

        Raises:
            InputError: If the stage leaves no table, or did not come so far.
        """
        with self._opened(stage) as road:
            result = road.run().results.get(stage)
            table = getattr(result, "curated", None) or getattr(result, "table", None)
            if not isinstance(table, r.TableRef):
                raise InputError(f"stage {stage} left no table; there are tables after ingest, split and score")
            frame: Any = road.target.tables.read(table).orderBy("row_id").limit(count).toPandas()
        return Table(tuple(frame.columns), tuple(tuple(row) for row in frame.itertuples(index=False)))

    @contextmanager
    def _opened(self, last: str) -> Iterator[Road]:
        """Give the road up to a stage; what libraries print goes to the run's log.

        In a notebook ``sys.stdout`` and ``sys.stderr`` are not the process's own, so they are turned away as well.
        """
        with (
            opened_road(self.options, Terminal(quiet=True), Steps(last=last)) as (road, run_folder),
            (run_folder / "log.txt").open("a", encoding="utf-8") as log,
            redirect_stdout(log),
            redirect_stderr(log),
        ):
            yield replace(road, listener=_silent)


def side_by_side(*roads: NotebookRoad) -> Table:
    """Return the figures by which roads are compared, a column a road."""
    rows = [(key, *(_value(road.document, key) for road in roads)) for key in _COMPARED]
    headers = ("", *(str(road.document.get("protocol", "not walked yet")) for road in roads))
    return Table(headers, tuple(rows))


def _silent(_report: StageReport, _result: r.StageResult) -> None:
    """Show nothing: a cell shows what its call returns."""


def _view(name: str, outcome: Outcome, document: Mapping[str, Any], state: State) -> StageView:
    report = next(report for report in outcome.stages if report.name == name)
    result = outcome.results.get(name)
    if result is None:
        return StageView(name, report.state, outcome.refusal or report.reason)
    text = result.refusal or (_without_place(result) if isinstance(result, r.IngestResult) else sentence(result))
    tables = [table for table in (_facts(name, result, document), *_further(result, state)) if table.rows]
    figures = result.figures if isinstance(result, r.ExploreResult) else ()
    drawings = tuple((figure.title, state.path(figure.file).read_bytes()) for figure in figures)
    return StageView(name, report.state, text, tuple(tables), drawings)


def _without_place(result: r.IngestResult) -> str:
    marked = " (SYNTHETIC)" if result.source.synthetic else ""
    return f"{result.rows:,} rows{marked}; {result.duplicate_rows:,} repeats"


def _facts(name: str, result: r.StageResult, document: Mapping[str, Any]) -> Table:
    facts: Mapping[str, Any] = document.get(_SECTIONS.get(name, "")) or {}
    match result:
        case r.RegisterResult():
            facts = {"model": result.model.name, "version": result.model.version, "auc_readback": result.auc_readback}
        case r.PackageResult():
            facts = {"files": ", ".join(result.files), "model_digest": result.model_digest}
        case r.JudgeResult():
            facts = {f"auc of {model} on test": auc for model, auc in result.scores.auc.items()}
            facts |= {kind: len(document[kind]) for kind in ("warnings", "notes")}
            facts |= {"evidence": result.evidence_digest}
        case r.PromoteResult() if result.champion is not None:
            facts = {**facts, "promoted with warnings": [warning["gate"] for warning in document["warnings"]]}
        case r.ReportResult():
            facts = {"file in the state folder": result.file.path}
    kept = {key: value for key, value in facts.items() if key not in _PRIVATE and value is not None}
    return Table(("", "found"), tuple(kept.items()))


def _further(result: r.StageResult, state: State) -> Sequence[Table]:
    """Return what a stage leaves for people besides its facts."""
    match result:
        case r.ExploreResult() if result.head:
            missing = Table(("column", "missing values"), tuple(result.null_counts.items()))
            return (Table(tuple(result.head[0]), tuple(tuple(row.values()) for row in result.head)), missing)
        case r.BaselineResult():
            by_weight = sorted(result.forest.importances.items(), key=lambda item: -item[1])
            return (Table(("feature", "importance"), tuple(by_weight)),)
        case r.SweepResult():
            return (_best_trials(state.path(result.journal)),)
        case r.JudgeResult():
            rows = tuple(
                (v.gate, v.status if v.waiver is None else f"{v.status}, waived", v.sentence)
                for v in r.gravest_first(result.verdicts)
            )
            return (Table(("gate", "verdict", "why"), rows),)
    return ()


def _best_trials(journal: Path) -> Table:
    done = [trial for trial in read_journal(journal) if trial.auc is not None]
    best = sorted(done, key=lambda trial: (-(trial.auc or 0.0), trial.index))[:_TRIALS_SHOWN]
    names = tuple(best[0].params) if best else ()
    rows = tuple((trial.index, trial.auc, *(trial.params[name] for name in names)) for trial in best)
    return Table(("trial", "auc", *names), rows)


def _value(document: Mapping[str, Any], key: str) -> Any:
    value: Any = document
    for part in key.split("."):
        value = value.get(part) if isinstance(value, Mapping) else None
    return value


def _cell(value: Any) -> str:
    if isinstance(value, bool) or value is None:
        return {True: "yes", False: "no", None: "–"}[value]
    if isinstance(value, float):
        return f"{value:.4f}"
    if isinstance(value, Mapping):
        return ", ".join(f"{key} {_cell(inner)}" for key, inner in value.items())
    if isinstance(value, (list, tuple)):
        return ", ".join(map(_cell, value)) or "–"
    return str(value)
