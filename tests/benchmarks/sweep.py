"""The sweep against hyperopt's own ways and against the machine's limit, in turns, on one split of the wines.

*Ours* is the stage's sweep through Spark, its child runs in MLflow included. The *anchor* is hyperopt's
``SparkTrials`` with the same space and model, at the better of two parallelisms; hyperopt's serial ``Trials`` stands
beside it. The *limit* is the time of the trials' fits, measured alone one after another, divided by the cores.
"""

from __future__ import annotations

import os
import statistics
import tempfile
import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from hyperopt import SparkTrials, Trials, fmin, tpe

from gauntlet.adapters.objective import BoostedTreesObjective, Score, run_trial
from gauntlet.adapters.sweep_engine import Search, run_sweep
from gauntlet.adapters.target import LocalTarget
from gauntlet.adapters.tpe import LagProposer, fit_seed
from gauntlet.adapters.trial_runs import TrialRuns
from gauntlet.core.problem import Problem
from gauntlet.core.problem_file import load_problem
from gauntlet.core.search import SweepRule
from gauntlet.core.seeding import Seeds
from gauntlet.core.state import State
from gauntlet.core.trials import Trial, TrialResult, trials_digest
from gauntlet.pipeline import Road
from gauntlet.stages.context import StageContext
from gauntlet.stages.sweep import learn

_PARALLELISMS = (2, 4)


def sweep(trials: int, anchor_trials: int, repeats: int) -> dict[str, Any]:
    """Measure whole sweeps.

    Args:
        trials: Trials of our sweep.
        anchor_trials: Trials of each of hyperopt's; fewer, because a trial takes it seconds.
        repeats: How often each is run, in turns.
    """
    with tempfile.TemporaryDirectory() as name:
        bench = _Bench.made(Path(name), trials=trials)
        bench.ours(trials=bench.problem.sweep.lag)  # Spark's workers are up from here on
        ours: list[tuple[float, str]] = []
        limit: list[float] = []
        anchors: dict[str, list[float]] = {}
        for _ in range(repeats):
            ours.append(bench.ours(trials=trials))
            limit.append(bench.fits_alone() / bench.cores)
            anchors.setdefault("serial", []).append(bench.serial(anchor_trials))
            for parallelism in _PARALLELISMS:
                seconds = bench.spark_trials(anchor_trials, parallelism=parallelism)
                anchors.setdefault(f"spark_trials_{parallelism}", []).append(seconds)
    whole = [taken for taken, _ in ours]
    middle = statistics.median(whole)
    each = {name: statistics.median(taken) / anchor_trials for name, taken in anchors.items()}
    anchor = min(value for name, value in each.items() if name.startswith("spark_trials"))
    return {
        "trials": trials,
        "anchor_trials": anchor_trials,
        "ours_seconds": round(middle, 2),
        "ours_seconds_min": round(min(whole), 2),
        "limit_seconds": round(statistics.median(limit), 2),
        "limit_seconds_min": round(min(limit), 2),
        "anchor_seconds": round(anchor * trials, 1),
        "anchor_seconds_a_trial": {name: round(value, 3) for name, value in each.items()},
        "speedup_over_anchor": round(anchor * trials / middle, 1),
        "ratio_to_limit": round(middle / statistics.median(limit), 3),
        "repeats": repeats,
        "different_digests": len({digest for _, digest in ours}),
    }


@dataclass
class _Bench:
    """What all sweeps of one measurement share."""

    problem: Problem
    target: LocalTarget
    objective: BoostedTreesObjective
    folder: Path
    cores: int
    results: tuple[TrialResult, ...] = ()
    runs: int = 0

    @classmethod
    def made(cls, folder: Path, *, trials: int) -> _Bench:
        """Divide the wines, and pack the rows that a sweep fits and chooses on."""
        problem = load_problem(overrides={"sweep.trials": trials})
        state = State(folder / "state")
        state.root.mkdir()
        target = LocalTarget(problem=problem, state=state)
        outcome = Road(problem=problem, target=target, state=state, last="split").run()
        context = StageContext(problem=problem, target=target, state=state, folder=folder, key="benchmark")
        _, objective = learn(context, outcome.results["split"])  # type: ignore[arg-type] # the stage's own result
        _ = target.tracking.experiment_id  # a fresh database of MLflow's is no part of a sweep
        return cls(problem, target, objective, folder, os.cpu_count() or 1)

    def ours(self, *, trials: int) -> tuple[float, str]:
        """Return the seconds and the digest of a sweep through Spark, recorded in MLflow."""
        self.runs += 1
        rule = self.problem.sweep.model_copy(update={"trials": trials})
        search = Search(self.objective, rule, Seeds(self.problem.seed), self.folder / f"{self.runs}.jsonl")
        spark = self.target.spark()
        started = time.perf_counter()
        with (
            self.target.tracking.stage_run("sweep", key=f"benchmark {self.runs}") as run,
            TrialRuns(self.target.tracking, parent_run_id=run.info.run_id, stage="sweep", key="benchmark") as runs,
        ):
            self.results = run_sweep(spark, search=search, on_result=runs.add)
        return time.perf_counter() - started, trials_digest(self.results)

    def fits_alone(self) -> float:
        """Return the sum of the seconds of the last sweep's fits, one after another with nothing beside."""
        seeds = Seeds(self.problem.seed)
        trials = [Trial(result.index, fit_seed(seeds, result.index), result.params) for result in self.results]
        again = [run_trial(self.objective, trial) for trial in trials]
        return sum(result.seconds for result in again)

    def serial(self, trials: int) -> float:
        """Return the seconds of hyperopt's serial search."""
        return self._hyperopt(trials, Trials())

    def spark_trials(self, trials: int, *, parallelism: int) -> float:
        """Return the seconds of hyperopt's search on Spark."""
        return self._hyperopt(trials, SparkTrials(parallelism=parallelism, spark_session=self.target.spark()))

    def _hyperopt(self, trials: int, memory: Any) -> float:
        objective = self.objective

        def loss(params: dict[str, float]) -> float:
            result = run_trial(objective, Trial(0, 1, {name: _whole(value) for name, value in params.items()}))
            return 1.0 if result.auc is None else -result.auc

        space = LagProposer(self.problem.sweep, seeds=Seeds(self.problem.seed)).space
        started = time.perf_counter()
        fmin(
            loss,
            space,
            algo=tpe.suggest,
            max_evals=trials,
            trials=memory,
            rstate=np.random.default_rng(self.problem.seed),
            show_progressbar=False,
            verbose=False,
        )
        return time.perf_counter() - started


def _whole(value: float) -> float | int:
    return int(value) if float(value).is_integer() else value


def proposals(sizes: Sequence[int]) -> dict[str, Any]:
    """Measure what a trial costs the driver as the history grows: hyperopt's proposal apart from all else.

    The trials themselves cost nothing, and run in this process.
    """
    rule = load_problem().sweep
    return {"proposals": [_grown(rule, trials) for trials in sizes]}


def _grown(rule: SweepRule, trials: int) -> dict[str, Any]:
    suggesting = 0.0
    plain: Callable[..., Trial] = LagProposer.propose

    def timed(self: LagProposer, index: int, **known: Any) -> Trial:
        nonlocal suggesting
        started = time.perf_counter()
        try:
            return plain(self, index, **known)
        finally:
            suggesting += time.perf_counter() - started

    with tempfile.TemporaryDirectory() as name:
        search = Search(_Free(), rule.model_copy(update={"trials": trials}), Seeds(1), Path(name) / "trials.jsonl")
        LagProposer.propose = timed  # type: ignore[method-assign]
        try:
            started = time.perf_counter()
            run_sweep(None, search=search)
            whole = time.perf_counter() - started
        finally:
            LagProposer.propose = plain  # type: ignore[method-assign]
    return {
        "trials": trials,
        "proposal_ms_a_trial": round(1000 * suggesting / trials, 2),
        "rest_ms_a_trial": round(1000 * (whole - suggesting) / trials, 3),
    }


@dataclass(frozen=True)
class _Free:
    """An objective that costs nothing."""

    identity: str = "free"

    def fault(self, parameters: Collection[str]) -> str | None:
        return None

    def prepare(self) -> Any:
        return None

    def evaluate(self, trial: Trial, prepared: Any) -> Score:
        return Score(auc=0.5 + 0.4 * float(np.mean([hash(float(v)) % 97 / 97 for v in trial.params.values()])))
