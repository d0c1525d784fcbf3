"""This module provides the sweep's engine: trials as Spark tasks, several at once, the same results as one by one."""

from __future__ import annotations

import os
import threading
import uuid
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from gauntlet.adapters.objective import Objective, run_trial
from gauntlet.adapters.tpe import LagProposer
from gauntlet.core.canonical import digest
from gauntlet.core.errors import DataError, InputError, RequirementError
from gauntlet.core.search import SweepRule
from gauntlet.core.seeding import Seeds
from gauntlet.core.trials import Journal, Trial, TrialResult

if TYPE_CHECKING:
    import pandas as pd
    from pyspark.sql import SparkSession

_SCHEMA = "result string"
_SHOWN_REASONS = 3
# What Spark says when the process of a Python worker is gone: the doing of a trial (memory, a crash), not of Spark.
_WORKER_DIED = ("Python worker exited unexpectedly", "ExecutorLostFailure")


class TrialRunner(Protocol):
    """Where a batch of trials is evaluated."""

    def run(self, trials: Sequence[Trial]) -> list[TrialResult]:
        """Evaluate the trials one after another and return their results."""

    def cancel(self) -> None:
        """Stop what is running, as far as that is possible."""


@dataclass(frozen=True)
class InProcessRunner:
    """Trials in this process."""

    objective: Objective
    limit_seconds: float | None = None

    def run(self, trials: Sequence[Trial]) -> list[TrialResult]:
        """Evaluate the trials here."""
        return [run_trial(self.objective, trial, limit_seconds=self.limit_seconds) for trial in trials]

    def cancel(self) -> None:
        """Do nothing: the running trial ends by itself."""


@dataclass(frozen=True)
class SparkRunner:
    """Each batch as one Spark job of one task, on classic Spark and Spark Connect alike.

    Attributes:
        spark: The session.
        objective: How a trial is evaluated; it travels with each task.
        limit_seconds: The most that a trial may take; None sets no limit.
        tag: The mark of this sweep's jobs, to cancel them by.
        cancelled: Set once nothing more is to be run.
    """

    spark: SparkSession
    objective: Objective
    limit_seconds: float | None = None
    tag: str = field(default_factory=lambda: f"gauntlet-sweep-{uuid.uuid4().hex}")
    cancelled: threading.Event = field(default_factory=threading.Event)

    def run(self, trials: Sequence[Trial]) -> list[TrialResult]:
        """Evaluate the trials in one task; if its Python worker dies, each alone, to find the one that kills it."""
        try:
            return self._job(trials)
        except Exception as error:
            if self.cancelled.is_set() or not _worker_died(error):
                raise
        if len(trials) > 1:
            return [result for trial in trials for result in self.run([trial])]
        return [_died(trials[0])]

    def cancel(self) -> None:
        """Cancel this sweep's jobs."""
        self.cancelled.set()
        self.spark.interruptTag(self.tag)

    def _job(self, trials: Sequence[Trial]) -> list[TrialResult]:
        objective, limit, batch = self.objective, self.limit_seconds, tuple(trials)

        def evaluate(frames: Iterator[pd.DataFrame]) -> Iterator[pd.DataFrame]:
            import pandas as pd  # noqa: PLC0415 - runs in Spark's worker

            for _ in frames:
                results = (run_trial(objective, trial, limit_seconds=limit) for trial in batch)
                yield pd.DataFrame({"result": [result.to_json() for result in results]})

        self.spark.addTag(self.tag)
        try:
            rows = self.spark.range(0, 1, 1, 1).mapInPandas(evaluate, _SCHEMA).collect()
        finally:
            self.spark.removeTag(self.tag)
        return [TrialResult.from_json(row["result"]) for row in rows]


def wake_workers(spark: SparkSession) -> None:
    """Have Spark start its Python workers beside other work; the first start in a session takes seconds.

    Args:
        spark: The session.
    """

    def wake() -> None:
        with suppress(Exception):  # what is wrong is told where they are needed
            spark.range(0, 1, 1, 1).mapInPandas(lambda frames: frames, "id bigint").collect()

    threading.Thread(target=wake, name="wake workers", daemon=True).start()


@dataclass(frozen=True)
class SweepPlan:
    """How a sweep's trials are put to work; it decides how long the sweep takes, and nothing else.

    Attributes:
        workers: How many tasks run at once.
        batch: The most trials in a task.
    """

    workers: int
    batch: int

    @classmethod
    def of(cls, rule: SweepRule, *, workers: int | None = None, batch: int | None = None) -> SweepPlan:
        """Return the plan for a number of workers.

        At most ``lag + 1`` trials can be under way. A task takes a worker's share of them: fewer trials a task mean
        more Spark jobs, more of them leave a worker idle until another's long task ends.
        """
        busy = min(workers or os.cpu_count() or 1, rule.lag + 1)
        return cls(workers=busy, batch=batch or max(1, rule.lag // busy))


@dataclass(frozen=True)
class Search:
    """What is searched for, and how; a sweep's results depend on the first three and on nothing else.

    Attributes:
        objective: How a trial is evaluated.
        rule: The space, the budget, the lag and how many failures are too many.
        seeds: The source of random draws.
        journal_path: Where finished trials are kept; None keeps them in memory only.
    """

    objective: Objective
    rule: SweepRule
    seeds: Seeds
    journal_path: Path | None = None

    @property
    def identity(self) -> str:
        """The digest of all that the results depend on."""
        proposals = LagProposer(self.rule, seeds=self.seeds).identity
        return digest({"objective": self.objective.identity, "proposals": proposals})


def run_sweep(
    spark: SparkSession | None,
    *,
    search: Search,
    workers: int | None = None,
    batch: int | None = None,
    on_result: Callable[[TrialResult], None] | None = None,
) -> tuple[TrialResult, ...]:
    """Run a sweep, or what its journal lacks, and return all results in index order.

    The number of workers, how trials are put together into tasks, how long they take, and how often the sweep was
    killed and started again change no result.

    Args:
        spark: The session whose workers evaluate the trials; None evaluates them one by one in this process.
        search: What is searched for.
        workers: How many tasks run at once; None takes one for each core here, as far as the lag allows.
        batch: The most trials in a task; None takes what keeps the workers busy.
        on_result: Called in this thread for each finished trial, those of the journal first.

    Raises:
        InputError: If the objective cannot be searched in this space.
        DataError: If so many trials failed that more than ``rule.max_failed_share`` of all do.
        RequirementError: If Spark cannot run them.
    """
    fault = search.objective.fault(search.rule.space)
    if fault is not None:
        raise InputError(f"sweep.space: {fault}")
    objective, limit = search.objective, search.rule.trial_seconds
    runner: TrialRunner = InProcessRunner(objective, limit) if spark is None else SparkRunner(spark, objective, limit)
    plan = SweepPlan.of(search.rule, workers=1 if spark is None else workers, batch=batch)
    return _Sweep(search, runner=runner, plan=plan, on_result=on_result).run()


class _Sweep:
    """One run of the engine: what is finished, what is under way, what comes next."""

    def __init__(
        self,
        search: Search,
        *,
        runner: TrialRunner,
        plan: SweepPlan,
        on_result: Callable[[TrialResult], None] | None,
    ) -> None:
        self._rule = search.rule
        self._proposer = LagProposer(search.rule, seeds=search.seeds)
        path = search.journal_path
        self._journal = None if path is None else Journal(path, identity=search.identity)
        self._runner = runner
        self._plan = plan
        self._on_result = on_result
        self._finished: dict[int, TrialResult] = {}
        self._failures: dict[int, str] = {}

    def run(self) -> tuple[TrialResult, ...]:
        """Evaluate all that the journal lacks."""
        for _, result in sorted(({} if self._journal is None else self._journal.start()).items()):
            self._count(result)
        waiting = deque(index for index in range(self._rule.trials) if index not in self._finished)
        with ThreadPoolExecutor(self._plan.workers, thread_name_prefix="sweep") as pool:
            running: set[Future[list[TrialResult]]] = set()
            try:
                while len(self._finished) < self._rule.trials:
                    while len(running) < self._plan.workers and (batch := self._next_batch(waiting)):
                        running.add(pool.submit(self._runner.run, batch))
                    done, running = wait(running, return_when=FIRST_COMPLETED)
                    self._collect(done)
            except BaseException:
                # An interrupt, a lost Spark, too many failures: what is finished is in the journal already.
                pool.shutdown(wait=False, cancel_futures=True)
                with suppress(Exception):
                    self._runner.cancel()
                raise
        return tuple(self._finished[index] for index in range(self._rule.trials))

    def _next_batch(self, waiting: deque[int]) -> list[Trial]:
        frontier = self._proposer.frontier(self._finished)
        batch: list[Trial] = []
        while waiting and waiting[0] < frontier and len(batch) < self._plan.batch:
            batch.append(self._proposer.propose(waiting.popleft(), finished=self._finished))
        return batch

    def _collect(self, done: set[Future[list[TrialResult]]]) -> None:
        errors = [error for future in done if (error := future.exception()) is not None]
        for future in done:
            if future.exception() is None:
                for result in future.result():
                    if self._journal is not None:
                        self._journal.append(result)
                    self._count(result)
        if errors:
            raise self._explained(errors[0]) from errors[0]

    def _count(self, result: TrialResult) -> None:
        self._finished[result.index] = result
        if self._on_result is not None:
            self._on_result(result)
        if result.failure is not None:
            self._failures[result.index] = result.failure
        if len(self._failures) > self._rule.max_failed_share * self._rule.trials:
            shown = sorted(self._failures.items())[:_SHOWN_REASONS]
            reasons = "; ".join(f"trial {index}: {failure}" for index, failure in shown)
            raise DataError(
                f"sweep: {len(self._failures)} of {self._rule.trials} trials failed, more than "
                f"sweep.max_failed_share = {self._rule.max_failed_share:g} allows ({reasons}); mend the cause and "
                "run again with --fresh"
            )

    def _explained(self, error: BaseException) -> BaseException:
        if not type(error).__module__.startswith(("pyspark", "py4j", "grpc")):
            return error
        first_line = (str(error).strip().splitlines() or [type(error).__name__])[0]
        return RequirementError(
            f"sweep: Spark could not run the trials: {first_line}; the {len(self._finished)} finished of "
            f"{self._rule.trials} are kept, so run again to go on"
        )


def _worker_died(error: Exception) -> bool:
    return any(sign in str(error) for sign in _WORKER_DIED)


def _died(trial: Trial) -> TrialResult:
    return TrialResult(
        index=trial.index,
        params=trial.params,
        auc=None,
        best_iteration=None,
        seconds=0.0,
        failure="its Python worker died (out of memory, or a crash in native code)",
    )
