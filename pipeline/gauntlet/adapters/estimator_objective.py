"""This module provides the objective for scikit-learn's classifiers: any that gives probabilities can be searched."""

from __future__ import annotations

import importlib
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from gauntlet.adapters.objective import Matrices, PackedMatrices, Score
from gauntlet.core.canonical import digest
from gauntlet.core.errors import InputError
from gauntlet.core.trials import Trial

# Set for each trial: its seed, and one thread, so that trials of one machine do not fight for its cores.
_SEED, _THREADS = "random_state", "n_jobs"


@dataclass(frozen=True)
class EstimatorObjective:
    """A classifier of scikit-learn, or one that is built like them, fitted on one thread.

    Attributes:
        data: The rows.
        estimator: The class, by its full name: ``sklearn.ensemble.RandomForestClassifier``.
        settings: Its parameters that are not searched, by name.
    """

    data: PackedMatrices
    estimator: str
    settings: Mapping[str, Any] = field(default_factory=dict)

    @cached_property
    def identity(self) -> str:
        """The digest of the data, the class, its settings and scikit-learn's version."""
        import sklearn  # noqa: PLC0415 - takes a second to import

        return digest(
            {
                "objective": self.estimator,
                "data": self.data.digest,
                "settings": dict(self.settings),
                "scikit-learn": str(sklearn.__version__),
            }
        )

    def fault(self, parameters: Collection[str]) -> str | None:
        """Return which parameters the class does not have, or which are set already; None if all can be searched.

        Raises:
            InputError: If there is no such class, or it gives no probabilities.
        """
        known = self._class()().get_params()
        unknown = sorted((set(parameters) | set(self.settings)) - set(known))
        if unknown:
            return f"{self.estimator} has no parameter {', '.join(unknown)}; it has {', '.join(sorted(known))}"
        taken = sorted(set(parameters) & {*self.settings, _SEED, _THREADS})
        return f"{', '.join(taken)} of {self.estimator} cannot be searched: it is set already" if taken else None

    def prepare(self) -> Matrices:
        """Unpack the rows."""
        return self.data.unpack()

    def evaluate(self, trial: Trial, prepared: Matrices) -> Score:
        """Fit a classifier and return its AUC."""
        from sklearn.metrics import roc_auc_score  # noqa: PLC0415 - takes a second to import

        made = self._class()(**self.settings)
        own = {_SEED: trial.seed, _THREADS: 1}
        made.set_params(**trial.params, **{name: value for name, value in own.items() if name in made.get_params()})
        made.fit(prepared.train, prepared.train_label)
        predicted = made.predict_proba(prepared.selection)[:, 1]
        return Score(auc=float(roc_auc_score(prepared.selection_label, predicted)))

    def _class(self) -> Any:
        module, _, name = self.estimator.rpartition(".")
        try:
            found = getattr(importlib.import_module(module), name)
        except (ImportError, AttributeError, ValueError) as error:
            raise InputError(f"there is no classifier {self.estimator!r} ({error}); give its full name") from error
        if not all(hasattr(found, method) for method in ("fit", "predict_proba", "get_params", "set_params")):
            raise InputError(f"{self.estimator} is no classifier that gives probabilities (predict_proba)")
        return found
