"""This module provides the rules of a search: which parameters are tried in which ranges, how often, and how long."""

from __future__ import annotations

import difflib
import math
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
_SHARES = frozenset(
    {"learning_rate", "subsample", "colsample_bytree", "colsample_bylevel", "colsample_bynode", "base_score"}
)
# Beyond these, logarithmic bounds are taken for raw values that were not converted.
_LARGEST_VALUE = 1e6
_LARGEST_RATIO = 10.0


class Dimension(Section):
    """One dimension of the search space, in hyperopt's terms (``loguniform`` bounds are natural logarithms)."""

    distribution: Literal["uniform", "loguniform", "quniform", "qloguniform"]
    low: float
    high: float
    step: float | None = Field(default=None, gt=0)

    @property
    def logarithmic(self) -> bool:
        """Whether the bounds are natural logarithms of the values."""
        return self.distribution.endswith("loguniform")

    @property
    def values(self) -> tuple[float, float]:
        """The least and the greatest value of the parameter itself."""
        return (math.exp(self.low), math.exp(self.high)) if self.logarithmic else (self.low, self.high)

    @model_validator(mode="after")
    def _ordered(self) -> Dimension:
        if not self.low < self.high:
            raise ValueError(f"low ({self.low:g}) must be less than high ({self.high:g})")
        if self.logarithmic:
            self._refuse_raw_bounds()
        if not self.distribution.startswith("q"):
            if self.step is not None:
                raise ValueError(f"{self.distribution} takes no step; use q{self.distribution}, or remove step")
            return self
        if self.step is None:
            raise ValueError(f"{self.distribution} needs a step")
        least, greatest = self.values
        if self.step > greatest - least:
            raise ValueError(f"step ({self.step:g}) is larger than the range of the values, {least:g} to {greatest:g}")
        return self

    def _refuse_raw_bounds(self) -> None:
        too_large = self.high > math.log(_LARGEST_VALUE)
        if not too_large and not 0 < self.low * _LARGEST_RATIO <= self.high:
            return
        means = f"above {_LARGEST_VALUE:g}" if too_large else "from {:.4g} to {:.4g}".format(*self.values)
        raise ValueError(
            f"the bounds of {self.distribution} are natural logarithms, so low = {self.low:g} and high = {self.high:g} "
            f"mean values {means}; {_logarithms(self.low, self.high)}"
        )


def _logarithms(low: float, high: float) -> str:
    """Return the advice on how to write raw bounds."""
    if low <= 0:
        return "give the logarithms of the values"
    return f"for values from {low:g} to {high:g} write low = {math.log(low):.3f}, high = {math.log(high):.3f}"


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
            _refuse_values(name, dimension, largest=1.0 if meant in _SHARES else math.inf)
        return space


def _refuse_values(name: str, dimension: Dimension, *, largest: float) -> None:
    """Refuse values that XGBoost does not take: negative ones, and shares above 1."""
    least, greatest = dimension.values
    if least < 0:
        raise ValueError(f"{name} is never negative, but its low is {dimension.low:g}")
    if greatest <= largest:
        return
    if dimension.logarithmic:
        raise ValueError(
            f"{name} is at most {largest:g}, but high = {dimension.high:g} is a natural logarithm and means "
            f"{greatest:.4g}; {_logarithms(dimension.low, dimension.high)}"
        )
    raise ValueError(f"{name} is at most {largest:g}, but its high is {dimension.high:g}")
