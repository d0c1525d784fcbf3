"""This module provides the sweep's proposals: hyperopt's TPE, made independent of how many trials run at once.

*Lag-L TPE*: proposal i is made from the results of trials 0 … i - L - 1 only, in index order, with a seed of its own.
Which trials happen to have finished, in what order and when, changes nothing; so up to L + 1 trials may run at once,
on any number of workers, and give the same sweep as one after another.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from gauntlet.core.canonical import digest
from gauntlet.core.search import Dimension, SweepRule
from gauntlet.core.seeding import Seeds
from gauntlet.core.trials import Trial, TrialResult

if TYPE_CHECKING:
    from hyperopt.base import Domain


class LagProposer:
    """The proposals of one sweep.

    Attributes:
        rule: The space, the budget and the lag.
        seeds: The source of each proposal's seed.
    """

    def __init__(self, rule: SweepRule, *, seeds: Seeds) -> None:
        self.rule = rule
        self.seeds = seeds
        self._documents: list[dict[str, Any]] = []

    @property
    def identity(self) -> str:
        """The digest of all that the proposals depend on, beside the results."""
        return digest(
            {
                "rule": self.rule.model_dump(mode="json"),
                "seed": self.seeds.root,
                "hyperopt": version("hyperopt"),
                "numpy": version("numpy"),
            }
        )

    def frontier(self, finished: Mapping[int, TrialResult]) -> int:
        """Return the first index that cannot be proposed yet, given the finished trials."""
        done = len(self._documents)
        while done in finished:
            done += 1
        return min(done + self.rule.lag + 1, self.rule.trials)

    def propose(self, index: int, *, finished: Mapping[int, TrialResult]) -> Trial:
        """Return trial ``index``, made from the trials that it may know of and no others.

        Args:
            index: The trial's place in the sweep.
            finished: Finished trials by index; those later than ``index - lag - 1`` are not looked at.

        Raises:
            KeyError: If a trial that the proposal needs is not finished.
        """
        known = max(0, index - self.rule.lag)
        for earlier in range(len(self._documents), known):
            self._documents.append(_document(finished[earlier]))
        params = _suggest(
            self._domain, index=index, documents=self._documents[:known], seed=self.seeds.integer("sweep", index)
        )
        return Trial(
            index=index,
            seed=fit_seed(self.seeds, index),
            params={name: _plain(params[name], dimension) for name, dimension in sorted(self.rule.space.items())},
        )

    @cached_property
    def space(self) -> dict[str, Any]:
        """The space as hyperopt describes it."""
        from hyperopt import hp  # noqa: PLC0415 - most commands search for nothing

        space = {}
        for name, dimension in self.rule.space.items():
            step = () if dimension.step is None or not dimension.distribution.startswith("q") else (dimension.step,)
            space[name] = getattr(hp, dimension.distribution)(name, dimension.low, dimension.high, *step)
        return space

    @cached_property
    def _domain(self) -> Domain:
        from hyperopt.base import Domain  # noqa: PLC0415 - most commands search for nothing

        return Domain(_never_called, self.space)


def fit_seed(seeds: Seeds, index: int) -> int:
    """Return the seed of whatever is random in the evaluation of trial ``index``."""
    return seeds.integer("sweep", index, "fit")


def _suggest(domain: Domain, *, index: int, documents: list[dict[str, Any]], seed: int) -> dict[str, float]:
    from hyperopt import tpe  # noqa: PLC0415 - most commands search for nothing
    from hyperopt.base import trials_from_docs  # noqa: PLC0415 - as above

    # A fresh history each time: hyperopt reads nothing else, and no state is left over from one call to the next.
    history = trials_from_docs(documents, validate=False)
    proposed = tpe.suggest([index], domain, history, seed, verbose=False)[0]
    return {name: float(values[0]) for name, values in proposed["misc"]["vals"].items()}


def _document(result: TrialResult) -> dict[str, Any]:
    """Return a result as hyperopt keeps it; without owners and times, which would differ from run to run."""
    from hyperopt.base import JOB_STATE_DONE, STATUS_FAIL, STATUS_OK  # noqa: PLC0415 - as above

    index, failed = result.index, result.auc is None
    outcome = {"status": STATUS_FAIL} if failed else {"status": STATUS_OK, "loss": -(result.auc or 0.0)}
    return {
        "tid": index,
        "state": JOB_STATE_DONE,
        "spec": None,
        "result": outcome,
        "misc": {
            "tid": index,
            "cmd": None,
            "workdir": None,
            "idxs": {name: [index] for name in result.params},
            "vals": {name: [float(value)] for name, value in result.params.items()},
        },
        "exp_key": None,
        "owner": None,
        "version": 0,
        "book_time": None,
        "refresh_time": None,
    }


def _plain(value: float, dimension: Dimension) -> float | int:
    whole = dimension.distribution.startswith("q") and float(dimension.step or 0).is_integer()
    return round(value) if whole else value


def _never_called(point: Any) -> float:
    raise NotImplementedError("the sweep evaluates its trials itself")
