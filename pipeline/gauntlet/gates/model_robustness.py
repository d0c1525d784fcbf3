"""This module provides the gates on whether answers can be relied on: calibration, and noise of one measuring unit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from gauntlet.core.problem import Column, Problem
from gauntlet.core.statistics.calibration import calibration
from gauntlet.core.statistics.delong import paired_auc
from gauntlet.core.statistics.rows import probability_rows
from gauntlet.core.verdict import Status, Verdict, estimate_status
from gauntlet.gates.gate import gate
from gauntlet.gates.model_parts import chosen_on, confidence_of, normal_interval, spoken, threshold_of, too_few_rows
from gauntlet.stages.candidate import Candidate, checked_answers

# Where no column has a measuring unit: what another way to compute a number may change of it.
_ROUNDING = 1e-6


@gate(
    "model::calibrated",
    bounds=("gates.model.maximum_calibration_excess", "gates.model.level"),
    needs=("models", "splits"),
    remedy="Probabilities do not mean what they say: check that the model answers with probabilities, not decisions; "
    "grow fewer or shallower trees, or calibrate on the selection split. WARN: bring more test rows.",
)
def calibrated(candidate: Candidate) -> Verdict:
    """Guard that probabilities mean what they say: of rows given 0.3, about 30 % are positive.

    Measured is the excess: the expected calibration error (10 bins of equal size) less that of a perfectly calibrated
    model on as many rows, with a bootstrap interval. FAIL: the excess lies beyond its bound, and its interval excludes
    0. WARN: it lies beyond its bound. A model that answers 0 and 1 only gives decisions, whatever its error: FAIL.
    """
    name, test, confidence = calibrated.name, chosen_on(candidate), confidence_of(candidate)
    bound = candidate.problem.gates.model.maximum_calibration_excess
    if np.isin(test.probability, (0, 1)).all():
        wrong = float((test.probability != test.label).mean())
        sentence = f"{candidate.chosen} answers all {test.rows} test rows with 0 or 1: decisions, not probabilities"
        return Verdict(name, Status.FAIL, sentence, wrong, bound, test.rows)
    few = too_few_rows(name, candidate, test)
    if few is not None:
        return few
    found = calibration(
        test.probability,
        test.label,
        generator=candidate.seeds.generator("gates", name),
        confidence=confidence,
    )
    excess = found.excess
    status = estimate_status(beyond=excess.value > bound, excluded=excess.interval[0] > 0)
    words = {Status.PASS: "within", Status.WARN: "perhaps beyond", Status.FAIL: "beyond"}[status]
    sentence = (
        f"the calibration error of {candidate.chosen} on test is {found.error.value:.4f}, "
        f"{excess.value:+.4f} beyond the {found.expected_error:.4f} of a calibrated model "
        f"({spoken(excess.interval, confidence=confidence)}), {words} gates.model.maximum_calibration_excess of "
        f"{bound:.4f}; its Brier score is {found.brier.value:.4f} "
        f"({spoken(found.brier.interval, confidence=confidence)})"
    )
    return Verdict(name, status, sentence, excess.value, bound, test.rows, excess.interval)


def _has_numbers(problem: Problem) -> bool:
    return bool(_numeric(problem.features))


@gate(
    "model::stable_under_noise",
    bounds=("gates.model.maximum_flips", "gates.model.maximum_noise_loss", "gates.model.alpha"),
    needs=("models", "splits", "threshold"),
    applies=_has_numbers,
    remedy="Decisions hang on digits that no instrument measures: smooth the model (more trees, shallower ones), round "
    "the features, or check the columns' resolution in the problem file.",
)
def stable_under_noise(candidate: Candidate) -> Verdict:
    """Guard that noise of one measuring unit changes few decisions and costs little AUC.

    Each number of each test row is moved by a uniform draw from plus or minus its column's resolution (whole steps for
    whole numbers); booleans, texts and missing values stay. Where no column has a resolution, numbers are moved by a
    millionth of themselves, as rounding would. The share of decisions that turn is held against its bound, and the
    whole interval of the AUC's loss (DeLong's paired one) against its own.
    """
    name, rules = stable_under_noise.name, candidate.problem.gates.model
    test, threshold, confidence = chosen_on(candidate), threshold_of(candidate), confidence_of(candidate)
    rows = candidate.splits.rows("test")
    noise = _Noise.of(candidate.problem.features)
    noisy = noise.added(rows.features, generator=candidate.seeds.generator("gates", name))
    given = checked_answers(candidate.model.scorer, replace(rows, features=noisy))
    moved, _ = probability_rows(given, rows.label)
    turned = (moved >= threshold) != (test.probability >= threshold)
    flips, pair = float(turned.mean()), paired_auc(test.probability, moved, test.label)
    interval = normal_interval(pair.difference, pair.standard_error, confidence=confidence)
    sentence = (
        f"noise of {noise.words} turns {int(turned.sum())} of {test.rows} decisions ({flips:.4f}, at most "
        f"{rules.maximum_flips:.4f} allowed{_example(rows.row_id, turned)}) and costs {pair.difference:.4f} of the AUC "
        f"({spoken(interval, confidence=confidence)}, at most {rules.maximum_noise_loss:.4f} allowed)"
    )
    if flips > rules.maximum_flips or interval[0] > rules.maximum_noise_loss:
        status = Status.FAIL
    else:
        status = Status.PASS if interval[1] <= rules.maximum_noise_loss else Status.WARN
    return Verdict(name, status, sentence, flips, rules.maximum_flips, test.rows)


@dataclass(frozen=True)
class _Noise:
    """How far each number is moved.

    Attributes:
        columns: The columns that are moved.
        measured: Whether by their measuring units; else by a millionth of each value.
    """

    columns: tuple[Column, ...]
    measured: bool

    @classmethod
    def of(cls, features: Sequence[Column]) -> _Noise:
        """Return the noise that fits some features."""
        numbers = _numeric(features)
        measured = tuple(column for column in numbers if column.resolution is not None)
        return cls(measured or numbers, measured=bool(measured))

    @property
    def words(self) -> str:
        """What is done, for people."""
        count = f"{len(self.columns)} column{'s' if len(self.columns) > 1 else ''}"
        if self.measured:
            return f"one measuring unit on {count}"
        return f"a millionth of each value on {count} (no column has a resolution)"

    def added(self, features: pd.DataFrame, *, generator: np.random.Generator) -> pd.DataFrame:
        """Return features with noise on them; the given frame stays as it is."""
        noisy = features.copy()
        for column in self.columns:
            values = features[column.name].to_numpy(dtype=np.float64, na_value=np.nan)
            noisy[column.name] = values + self._step(column, values, generator)
        return noisy

    def _step(self, column: Column, values: NDArray[np.float64], generator: np.random.Generator) -> NDArray[np.float64]:
        drawn = generator.uniform(-1, 1, len(values))
        if column.resolution is None:
            return np.asarray(drawn * np.abs(values) * _ROUNDING)
        step = drawn * column.resolution
        return np.asarray(np.rint(step) if column.kind == "integer" else step)


def _numeric(features: Sequence[Column]) -> tuple[Column, ...]:
    return tuple(column for column in features if column.kind in ("number", "integer"))


def _example(row_id: Sequence[str], turned: NDArray[np.bool_]) -> str:
    return f", such as row {row_id[int(np.argmax(turned))]}" if turned.any() else ""
