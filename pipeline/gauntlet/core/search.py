"""This module provides the rules of a search: which parameters are tried in which ranges, how often, and how long."""

from __future__ import annotations

import difflib
from typing import Literal

from pydantic import Field, field_validator, model_validator

from gauntlet.core.section import Section

# XGBoost only warns of a parameter that it does not know, and searches as if it were not there. These are the numbers
# among its tree booster's parameters, each with its other name.
_OTHER_NAMES = {"eta": "learning_rate", "min_split_loss": "gamma", "lambda": "reg_lambda", "alpha": "reg_alpha"}
_WHOLE = frozenset(
    {"max_depth", "max_leaves", "max_bin", "num_parallel_tree", "max_cat_to_onehot", "max_cat_threshold"}
)
_REAL = frozenset(
    {"learning_rate", "gamma", "reg_lambda", "reg_alpha", "min_child_weight", "max_delta_step", "subsample"}
    | {"colsample_bytree", "colsample_bylevel", "colsample_bynode", "scale_pos_weight", "base_score"}
)
SEARCHABLE = _WHOLE | _REAL | frozenset(_OTHER_NAMES)


class Dimension(Section):
    """One dimension of the search space, in hyperopt's terms (``loguniform`` bounds are natural logarithms)."""

    distribution: Literal["uniform", "loguniform", "quniform", "qloguniform"]
    low: float
    high: float
    step: float | None = Field(default=None, gt=0)

    @model_validator(mode="after")
    def _ordered(self) -> Dimension:
        if not self.low < self.high:
            raise ValueError(f"low ({self.low:g}) must be less than high ({self.high:g})")
        if self.distribution.startswith("q") and self.step is None:
            raise ValueError(f"{self.distribution} needs a step")
        return self


class SweepRule(Section):
    """A search: its space, its budget, and the lag that makes it reproducible in parallel.

    Attributes:
        trials: How many points are tried.
        lag: Proposal i is made from the results of trials 0 … i - lag - 1 only; so up to ``lag`` trials run at once,
            and the number of workers changes nothing.
        trial_seconds: A trial that takes longer counts as failed; None sets no limit. XGBoost is stopped there, other
            models when they are done.
        max_failed_share: More failed trials than this share stop the sweep with an error.
        space: The model's parameters by name.
    """

    trials: int = Field(default=96, ge=1)
    lag: int = Field(default=8, ge=1)
    trial_seconds: float | None = Field(default=None, gt=0)
    max_failed_share: float = Field(default=0.2, ge=0, lt=1)
    space: dict[str, Dimension] = Field(min_length=1)


class BoostedSweepRule(SweepRule):
    """The search for XGBoost's parameters.

    Attributes:
        max_rounds: The most boosting rounds a trial may take.
        early_stopping_rounds: A trial stops after this many rounds without a better validation AUC.
    """

    max_rounds: int = Field(default=1000, ge=1)
    early_stopping_rounds: int = Field(default=50, ge=1)

    @field_validator("space")
    @classmethod
    def _known(cls, space: dict[str, Dimension]) -> dict[str, Dimension]:
        seen: dict[str, str] = {}
        for name, dimension in space.items():
            if name not in SEARCHABLE:
                near = difflib.get_close_matches(name, sorted(SEARCHABLE), n=2)
                hint = f"did you mean {' or '.join(near)}?" if near else f"it has {', '.join(sorted(SEARCHABLE))}"
                raise ValueError(f"XGBoost's trees have no parameter {name!r} to search; {hint}")
            meant = _OTHER_NAMES.get(name, name)
            if meant in seen:
                raise ValueError(f"{seen[meant]} and {name} are one parameter; keep one of them")
            seen[meant] = name
            whole = dimension.distribution.startswith("q") and float(dimension.step or 0).is_integer()
            if meant in _WHOLE and not whole:
                raise ValueError(f"{name} is a whole number; give it the distribution quniform with a whole step")
        return space
