"""This module provides the road: the stages in their order, and the engine that does only what is not done yet.

A stage's result is kept under the digest of all that it depends on. A run asks each stage in turn: is the result under
today's digest complete, and is what it names still there? If so the stage is up to date; else it runs. Killed at any
point, a run therefore continues where it was.
"""

from __future__ import annotations

import importlib
import shutil
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import nullcontext
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Literal

from gauntlet.adapters.faults import explained
from gauntlet.adapters.jars import cache_folder
from gauntlet.adapters.origins import Fetched, fetch
from gauntlet.adapters.suite_files import find_suite
from gauntlet.adapters.target import Target
from gauntlet.core import results as r
from gauntlet.core.canonical import JsonValue, digest, file_digest
from gauntlet.core.errors import InputError
from gauntlet.core.problem import Problem
from gauntlet.core.progress import Progress, SilentProgress
from gauntlet.core.stage import changes, key_parts, references
from gauntlet.core.stage_names import STAGE_NAMES
from gauntlet.core.state import State
from gauntlet.stages.context import StageContext

StageState = Literal["ran", "up to date", "refused", "would run", "not reached"]


@dataclass(frozen=True)
class Stage:
    """One stage of the road.

    Attributes:
        name: Its name, also that of its module and function.
        summary: What it does, in a few words.
        result: The type of its result.
        needs: The stages whose results its function takes.
        settings: The parts of the problem that it reads, by dotted name.
        always: Whether it runs even after a refusal (the report).
        alone: Whether it uses what a process has only once (see ``Tracking.alone``), so that of several roads in one
            process only one is at such a stage.
    """

    name: str
    summary: str
    result: type[r.StageResult]
    needs: tuple[str, ...] = ()
    settings: tuple[str, ...] = ()
    always: bool = False
    alone: bool = True

    @property
    def module(self) -> Any:
        """The stage's module, imported when it is needed: some import libraries that take seconds."""
        return importlib.import_module(f"gauntlet.stages.{self.name}")


STAGES: tuple[Stage, ...] = (
    Stage(
        "ingest",
        "read the sources, merge them, set bad rows aside",
        r.IngestResult,
        settings=("sources", "columns", "label", "max_bad_rows", "names", "split.groups", "split.time"),
        alone=False,
    ),
    Stage("expectations", "check the raw and the curated table", r.ExpectationsResult, needs=("ingest",)),
    Stage(
        "explore",
        "draw the data",
        r.ExploreResult,
        needs=("ingest", "expectations"),
        settings=("columns", "label", "sources"),
    ),
    Stage(
        "split",
        "divide the rows; repeats stay together",
        r.SplitResult,
        needs=("ingest",),
        settings=("split", "seed", "columns", "sources"),
        alone=False,
    ),
    Stage(
        "baseline",
        "fit the random forests",
        r.BaselineResult,
        needs=("split",),
        settings=("baseline", "split.notebook", "seed", "columns"),
        alone=False,
    ),
    Stage(
        "register",
        "register the forest under the alias baseline",
        r.RegisterResult,
        needs=("split", "baseline"),
        settings=("names", "columns"),
    ),
    Stage(
        "sweep",
        "search XGBoost's parameters",
        r.SweepResult,
        needs=("split",),
        settings=("sweep", "seed", "columns"),
        alone=False,
    ),
    Stage(
        "select",
        "freeze the choice and its threshold",
        r.SelectResult,
        needs=("split", "baseline", "sweep"),
        settings=("costs",),
        alone=False,
    ),
    Stage(
        "package",
        "pack the choice as the artefact that is judged",
        r.PackageResult,
        needs=("split", "select"),
        settings=("names", "columns"),
    ),
    Stage(
        "judge",
        "open the test split, ask every gate, sign the evidence",
        r.JudgeResult,
        needs=("ingest", "split", "baseline", "select", "package"),
        settings=tuple(name for name in Problem.model_fields if name not in ("title", "attribution", "origins")),
    ),
    Stage(
        "promote",
        "verify the evidence, move the alias champion",
        r.PromoteResult,
        needs=("ingest", "split", "select", "package", "judge"),
        settings=("promotion", "names", "columns"),
    ),
    Stage(
        "score",
        "score the curated table with the champion",
        r.ScoreResult,
        needs=("ingest", "split", "promote", "select"),
        settings=("names", "columns", "scoring"),
    ),
    Stage(
        "report",
        "write the report",
        r.ReportResult,
        needs=STAGE_NAMES[:-1],
        settings=tuple(Problem.model_fields),
        always=True,
    ),
)


# What tells whether a kept result still holds where more than tables and files is concerned.
_STILL = {
    "register": "still_registered",
    "package": "still_packaged",
    "judge": "still_judged",
    "promote": "still_champion",
}


@dataclass(frozen=True)
class StageReport:
    """What became of one stage in a run: its state, why, the seconds it took, and the key of its result."""

    name: str
    state: StageState
    reason: str = ""
    seconds: float = 0.0
    key: str = ""


@dataclass(frozen=True)
class Outcome:
    """What became of a run."""

    results: Mapping[str, r.StageResult]
    stages: tuple[StageReport, ...]
    not_checked: tuple[str, ...] = ()

    @property
    def refusal(self) -> str | None:
        """Why the run says no; None if it does not."""
        for result in self.results.values():
            if result.refusal is not None:
                return result.refusal
        return None


@dataclass(frozen=True)
class Road:
    """A problem on a target, with what a run may do.

    Attributes:
        problem: The problem.
        target: The target.
        state: The state folder.
        problem_folder: Where the problem's suites lie; None for the packaged problem.
        synthetic_allowed: Whether generated data may stand in.
        first: Redo this stage and all after it, done or not; None redoes nothing that is done.
        last: Stop after this stage.
        only: Run the last stage alone, and require that those before it are done.
        incremental: Score only rows that have no prediction; where there is none, scoring is done.
        progress: Where long work is shown.
        listener: Told of each stage and its result when it is done or found done.
    """

    problem: Problem
    target: Target
    state: State
    problem_folder: Path | None = None
    synthetic_allowed: bool = True
    first: str | None = None
    last: str = STAGE_NAMES[-1]
    only: bool = False
    incremental: bool = False
    progress: Progress = field(default_factory=SilentProgress)
    listener: Callable[[StageReport, r.StageResult], None] = lambda _report, _result: None

    def run(self) -> Outcome:
        """Run what is not up to date.

        Raises:
            GauntletError: If a stage cannot do its work; what was done stays done.
        """
        results: dict[str, r.StageResult] = {}
        reports: list[StageReport] = []
        fetched = self.fetch()
        refused = False
        for stage in self._wanted():
            if refused and not stage.always:
                reports.append(StageReport(stage.name, "not reached", "an earlier stage refused"))
                continue
            parts = self._parts(stage, results, fetched)
            reason = self._reason_to_run(stage, parts)
            if reason is None:
                result = self._kept(stage, parts)
                state: StageState = "refused" if result.refusal else "up to date"
                report = StageReport(stage.name, state, result.refusal or "", key=digest(parts))
            else:
                if self.only and stage.name != self.last:
                    raise InputError(f"stage {stage.name} must run first ({reason}): gauntlet stage {stage.name}")
                started = time.monotonic()
                result = self._execute(stage, parts, results, fetched)
                seconds = round(time.monotonic() - started, 2)
                state = "refused" if result.refusal else "ran"
                report = StageReport(stage.name, state, result.refusal or reason, seconds, digest(parts))
            results[stage.name] = result
            refused = refused or result.refusal is not None
            reports.append(report)
            self.listener(report, result)
        gaps = [gap for result in results.values() for gap in result.not_checked] + list(self.target.not_checked)
        return Outcome(results=results, stages=tuple(reports), not_checked=tuple(dict.fromkeys(gaps)))

    def plan(self) -> tuple[StageReport, ...]:
        """Say what ``run`` would do and why, and do nothing."""
        results: dict[str, r.StageResult] = {}
        reports: list[StageReport] = []
        fetched = self.fetch()
        for stage in self._wanted():
            ahead = [name for name in stage.needs if name not in results]
            if ahead:
                reports.append(StageReport(stage.name, "would run", f"{ahead[0]} runs before it"))
                continue
            parts = self._parts(stage, results, fetched)
            reason = self._reason_to_run(stage, parts)
            if reason is None:
                results[stage.name] = self._kept(stage, parts)
                reports.append(StageReport(stage.name, "up to date"))
            else:
                reports.append(StageReport(stage.name, "would run", reason))
        return tuple(reports)

    def fetch(self) -> Fetched:
        """Find the data: the first origin that gives all sources."""
        return fetch(
            self.problem,
            target_name=self.target.name,
            cache=cache_folder(),
            synthetic_allowed=self.synthetic_allowed,
            spark=self.target.spark,
        )

    def _wanted(self) -> Iterator[Stage]:
        for stage in STAGES:
            yield stage
            if stage.name == self.last:
                return

    def _parts(self, stage: Stage, results: Mapping[str, r.StageResult], fetched: Fetched) -> dict[str, str]:
        outside: dict[str, JsonValue] = {"the target": self.target.name}
        if stage.name == "ingest":
            outside["the data"] = fetched.source.model_dump(mode="json", include={"synthetic", "files"})
            if fetched.source.synthetic:
                outside["the seed"] = self.problem.seed
                outside["the rows asked for"] = [origin.model_dump(mode="json") for origin in self.problem.origins]
        if stage.name == "report":
            outside["what the target cannot check"] = list(self.target.not_checked)
        outside |= {f"the suite {name}": mark for name, mark in self._suites(stage.name).items()}
        inputs = {name: results[name] for name in stage.needs if name in results}
        return key_parts(stage.name, problem=self.problem, settings=stage.settings, inputs=inputs, outside=outside)

    def _suites(self, stage: str) -> dict[str, str]:
        suites = self.problem.suites
        names = {
            "expectations": (suites.raw, suites.curated),
            "judge": (suites.raw, suites.curated, suites.predictions),
            "score": (suites.predictions,),
        }.get(stage, ())
        return {name: file_digest(find_suite(name, problem_folder=self.problem_folder)) for name in names}

    def _reason_to_run(self, stage: Stage, parts: Mapping[str, str]) -> str | None:
        """Return why a stage must run; None if it is up to date."""
        forced = self.first is not None and STAGE_NAMES.index(stage.name) >= STAGE_NAMES.index(self.first)
        alone = self.only and stage.name == self.last and not (self.incremental and stage.name == "score")
        if alone or forced:
            return "asked for"
        result = self.state.result(stage.name, digest(parts), stage.result)
        if result is not None:
            return self._reason_gone(stage, digest(parts), result)
        before = self.state.parts(stage.name)
        if before is None:
            return "never run"
        changed = changes(before, parts)
        return f"{', '.join(changed)} changed" if changed else "not complete"

    def _reason_gone(self, stage: Stage, key: str, result: r.StageResult) -> str | None:
        """Return what of a complete result is no longer there; None if all is."""
        for reference in references(result):
            if isinstance(reference, r.TableRef) and not self.target.tables.exists(reference):
                return f"table {reference.full_name} version {reference.version} is gone"
            if isinstance(reference, r.FileRef) and not self._intact(reference):
                return f"{reference.path} is gone or was changed"
        still = _STILL.get(stage.name)
        if still is None:
            return None
        with self.target.tracking.alone():
            reason: str | None = getattr(stage.module, still)(self._context(stage, key), result)
        return reason

    def _intact(self, file: r.FileRef) -> bool:
        path = self.state.path(file)
        return path.is_file() and file_digest(path) == file.sha256

    def _kept(self, stage: Stage, parts: Mapping[str, str]) -> r.StageResult:
        result = self.state.result(stage.name, digest(parts), stage.result)
        if result is None:  # it was there a moment ago: somebody else writes into this folder
            raise InputError(f"{self.state.root}: the result of {stage.name} vanished; is another run using it?")
        return result

    def _execute(
        self, stage: Stage, parts: Mapping[str, str], results: Mapping[str, r.StageResult], fetched: Fetched
    ) -> r.StageResult:
        key = digest(parts)
        folder = self.state.stage_folder(stage.name, key)
        if (folder / "result.json").exists():  # done before and asked for again: nothing of it may leak in
            shutil.rmtree(folder)
        context = self._context(stage, key)
        function: Callable[..., r.StageResult] = getattr(stage.module, stage.name)
        if stage.name == "ingest":
            function = partial(function, fetched=fetched)
        elif stage.name in ("judge", "promote"):
            # The gates lie above the stages: what a stage may know of them is put in here.
            function = partial(function, gates=importlib.import_module("gauntlet.gates.catalogue").AllGates())
        try:
            folder.mkdir(parents=True, exist_ok=True)
            with self.target.tracking.alone() if stage.alone else nullcontext():
                result = function(context, **{name: results[name] for name in stage.needs if name in results})
            self.state.save_result(stage.name, key, result, parts=parts)
        except Exception as error:
            known = explained(error)
            if known is None or known is error:
                raise
            raise known from error
        return result

    def _context(self, stage: Stage, key: str) -> StageContext:
        return self.context(folder=self.state.stage_folder(stage.name, key), key=key)

    def context(self, *, folder: Path, key: str) -> StageContext:
        """Return the context of work on this road: a stage's, or that of a judgement beside it."""
        return StageContext(
            problem=self.problem,
            target=self.target,
            state=self.state,
            folder=folder,
            key=key,
            synthetic_allowed=self.synthetic_allowed,
            incremental=self.incremental,
            problem_folder=self.problem_folder,
            progress=self.progress,
        )
