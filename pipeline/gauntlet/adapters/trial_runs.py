"""This module provides the record of a sweep's trials in MLflow: one child run each, written beside the sweep."""

from __future__ import annotations

import queue
import threading
from types import TracebackType
from typing import Self

from gauntlet.adapters.tracking import STAGE_KEY_TAG, STAGE_TAG, Tracking
from gauntlet.core.trials import TrialResult

TRIAL_TAG = "gauntlet.trial"
FAILURE_TAG = "gauntlet.failure"
_PARENT_TAG = "mlflow.parentRunId"


class TrialRuns:
    """A context in which finished trials become child runs, in a thread of its own: the sweep never waits for MLflow.

    Leaving it waits until all are written. What goes wrong in the thread is raised by the next ``add`` or on leaving.
    """

    def __init__(self, tracking: Tracking, *, parent_run_id: str, stage: str, key: str) -> None:
        self._tracking = tracking
        self._parent_run_id = parent_run_id
        self._stage = stage
        self._key = key
        self._queue: queue.SimpleQueue[TrialResult | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._write_all, name="trial-runs", daemon=True)
        self._abandoned = threading.Event()
        self._error: Exception | None = None

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def add(self, result: TrialResult) -> None:
        """Hand over a finished trial."""
        self._raise_error()
        self._queue.put(result)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is not None:
            # The sweep broke off: its next try writes all runs anew, so what is waiting need not be written.
            self._abandoned.set()
        self._queue.put(None)
        self._thread.join()
        if error is None:
            self._raise_error()

    def _raise_error(self) -> None:
        if self._error is not None:
            raise self._error

    def _write_all(self) -> None:
        while (result := self._queue.get()) is not None:
            if self._error is not None or self._abandoned.is_set():
                continue
            try:
                self._write(result)
            except Exception as error:  # raised again in the sweep's own thread
                self._error = error

    def _write(self, result: TrialResult) -> None:
        from mlflow.entities import Metric, Param  # noqa: PLC0415 - takes seconds to import

        client = self._tracking.client
        started = round(result.started * 1000)
        ended = started + round(result.seconds * 1000)
        tags = {
            _PARENT_TAG: self._parent_run_id,
            STAGE_TAG: self._stage,
            STAGE_KEY_TAG: self._key,
            TRIAL_TAG: str(result.index),
        }
        if result.failure is not None:
            tags[FAILURE_TAG] = result.failure
        run = client.create_run(
            self._tracking.experiment_id, start_time=started, tags=tags, run_name=f"trial {result.index}"
        )
        measured = {"auc": result.auc, "best_iteration": result.best_iteration, "seconds": result.seconds}
        client.log_batch(
            run.info.run_id,
            metrics=[Metric(name, float(value), ended, 0) for name, value in measured.items() if value is not None],
            params=[Param(name, repr(value)) for name, value in result.params.items()],
        )
        status = "FAILED" if result.failure is not None else "FINISHED"
        client.set_terminated(run.info.run_id, status=status, end_time=ended)
