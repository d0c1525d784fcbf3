"""Objectives for the tests of the sweep: quick, and each with one peculiarity."""

from __future__ import annotations

import math
import os
import signal
import time
from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Any

from gauntlet.adapters.objective import Score
from gauntlet.core.search import SweepRule
from gauntlet.core.trials import Trial

SPACE = {
    "rate": {"distribution": "loguniform", "low": -3, "high": 0},
    "depth": {"distribution": "quniform", "low": 2, "high": 40, "step": 1},
}


def sweep_rule(**changes: Any) -> SweepRule:
    """Return a rule whose sweep is long enough to leave hyperopt's 20 random first proposals."""
    return SweepRule.model_validate({"trials": 36, "lag": 4, "space": SPACE, **changes})


@dataclass(frozen=True)
class Valley:
    """A smooth AUC with one best point; the floor under the other objectives."""

    identity: str = "valley"

    def fault(self, parameters: Collection[str]) -> str | None:
        return None if set(parameters) == set(SPACE) else "a valley has a rate and a depth"

    def prepare(self) -> Any:
        return 0.9

    def evaluate(self, trial: Trial, prepared: Any) -> Score:
        rate, depth = float(trial.params["rate"]), float(trial.params["depth"])
        auc = prepared - 0.05 * abs(math.log(rate) + 1.3) - 0.002 * abs(depth - 17) + (trial.seed % 97) * 1e-6
        return Score(auc=auc, best_iteration=round(depth))


@dataclass(frozen=True)
class UnevenValley(Valley):
    """Trials of very different length, so that they finish out of order: this is what the tests are about."""

    def evaluate(self, trial: Trial, prepared: Any) -> Score:
        end = time.perf_counter() + 0.006 * (trial.index * 7 % 5)
        while time.perf_counter() < end:
            pass
        return super().evaluate(trial, prepared)


@dataclass(frozen=True)
class PatchyValley(UnevenValley):
    """Some trials raise, some give NaN."""

    identity: str = "patchy valley"

    def evaluate(self, trial: Trial, prepared: Any) -> Score:
        if trial.index % 7 == 3:
            raise RuntimeError(f"no luck\nwith trial {trial.index}")
        if trial.index % 7 == 5:
            return Score(auc=math.nan)
        return super().evaluate(trial, prepared)


@dataclass(frozen=True)
class ForgetfulValley(UnevenValley):
    """A sabotage: the AUC depends on how many trials this process has seen before."""

    identity: str = "forgetful valley"

    def evaluate(self, trial: Trial, prepared: Any) -> Score:
        seen = int(os.environ.get("GAUNTLET_TEST_TRIALS_SEEN", "0"))
        os.environ["GAUNTLET_TEST_TRIALS_SEEN"] = str(seen + 1)
        score = super().evaluate(trial, prepared)
        return Score(auc=score.auc - 1e-4 * seen, best_iteration=score.best_iteration)


@dataclass(frozen=True)
class DeadlyValley(Valley):
    """One trial ends the process that evaluates it, as native code out of memory does."""

    identity: str = "deadly valley"

    def evaluate(self, trial: Trial, prepared: Any) -> Score:
        if trial.index == 2:
            os.kill(os.getpid(), signal.SIGKILL)
        return super().evaluate(trial, prepared)


@dataclass(frozen=True)
class CountedValley(UnevenValley):
    """Remembers which trials were evaluated in this process, and is killed where it is told to be."""

    killed_at: int | None = None
    evaluated: list[int] = field(default_factory=list)

    def evaluate(self, trial: Trial, prepared: Any) -> Score:
        if trial.index == self.killed_at:
            os.kill(os.getpid(), signal.SIGKILL)
        self.evaluated.append(trial.index)
        return super().evaluate(trial, prepared)
