"""This module provides the gates on whether answers can be relied on: calibration, and noise of one measuring unit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from gauntlet.core.problem import Column, Problem
from gauntlet.core.statistics.calibration import calibration
from gauntlet.core.statistics.delong import paired_auc
from gauntlet.core.statistics.intervals import binomial_interval
from gauntlet.core.statistics.rows import probability_rows
from gauntlet.core.verdict import Status, Verdict, estimate_status, gravest
from gauntlet.gates.gate import gate
from gauntlet.gates.model_parts import chosen_on, confidence_of, normal_interval, spoken, threshold_of, too_few_rows
from gauntlet.stages.candidate import Candidate, checked_answers

# How much another way to compute a number may change it, relative to its value.
_ROUNDING = 1e-6
# A measuring unit of a larger share of a column's standard deviation tells levels apart.
_COARSE = 0.1


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
    bounds=("gates.model.maximum_flips", "gates.model.maximum_noise_loss", "gates.model.level"),
    needs=("models", "splits", "threshold"),
    applies=_has_numbers,
    remedy="Decisions hang on digits that no instrument measures: smooth the model (more trees, shallower ones), round "
    "the features, or check the columns' resolution in the problem file. NOTE: set resolution on measured columns.",
)
def stable_under_noise(candidate: Candidate) -> Verdict:
    """Guard that noise of one measuring unit changes few decisions and costs little AUC.

    A number of a column with a resolution is moved by a uniform draw from plus or minus that unit, and put back on the
    measuring grid (multiples of the unit). Where the unit is more than a tenth of the column's standard deviation on
    train it stays: one unit is another level there, and would turn the decisions of any good model. Numbers without a
    resolution are moved by a millionth of themselves, as rounding would move them, unless they are whole. Booleans,
    texts, missing values and whole numbers without a resolution stay.

    FAIL takes a share of turned decisions whose exact interval lies beyond its bound, or a loss of AUC beyond its bound
    whose interval (DeLong's paired one) excludes 0. The level is divided by the two, which for "at least one of them"
    is what Holm's correction does. A share or loss beyond its bound without that is WARN.
    """
    name, rules = stable_under_noise.name, candidate.problem.gates.model
    test, threshold = chosen_on(candidate), threshold_of(candidate)
    rows, train = candidate.splits.rows("test"), candidate.splits.rows("train").features
    fine = tuple(column for column in _numeric(candidate.problem.features) if not _is_coarse(column, train))
    noisy, words = _with_noise(rows.features, fine, generator=candidate.seeds.generator("gates", name))
    if not words:
        sentence = (
            "not judged: no feature can be moved, since booleans, texts, whole numbers without a resolution and "
            "columns of a few measuring units stay as they are; set resolution on the columns that are measured"
        )
        return Verdict(name, Status.NOTE, sentence, rows=test.rows)
    if few := too_few_rows(name, candidate, test):
        return few
    given = checked_answers(candidate.model.scorer, replace(rows, features=noisy))
    moved, _ = probability_rows(given, rows.label)
    turned = (moved >= threshold) != (test.probability >= threshold)
    confidence = 1 - rules.level  # one half of the level at each end
    flips, pair = float(turned.mean()), paired_auc(test.probability, moved, test.label)
    of_flips = binomial_interval(flips, test.rows, confidence=confidence)
    of_loss = normal_interval(pair.difference, pair.standard_error, confidence=confidence)
    by_flips = estimate_status(beyond=flips > rules.maximum_flips, excluded=of_flips[0] > rules.maximum_flips)
    by_loss = estimate_status(beyond=pair.difference > rules.maximum_noise_loss, excluded=of_loss[0] > 0)
    sentence = (
        f"noise of {words} turns {int(turned.sum())} of {test.rows} decisions ({flips:.4f}, "
        f"{spoken(of_flips, confidence=confidence)}, at most {rules.maximum_flips:.4f} allowed"
        f"{_example(rows.row_id, turned)}) and costs {pair.difference:.4f} of the AUC "
        f"({spoken(of_loss, confidence=confidence)}, at most {rules.maximum_noise_loss:.4f} allowed)"
    )
    if gravest((by_flips, by_loss)) is not by_flips:
        return Verdict(name, by_loss, sentence, pair.difference, rules.maximum_noise_loss, test.rows, of_loss)
    return Verdict(name, by_flips, sentence, flips, rules.maximum_flips, test.rows, of_flips)


def _with_noise(
    features: pd.DataFrame, columns: Sequence[Column], *, generator: np.random.Generator
) -> tuple[pd.DataFrame, str]:
    """Return features with noise on them, and what was moved, for people; empty if nothing was.

    The given frame stays as it is.
    """
    noisy, counts = features.copy(), {"one measuring unit": 0, "a millionth of each value": 0}
    for column in columns:
        values = features[column.name].to_numpy(dtype=np.float64, na_value=np.nan)
        moved = _moved(column, values, drawn=generator.uniform(-1, 1, len(values)))
        noisy[column.name] = moved
        if (moved != values)[~np.isnan(values)].any():
            counts["a millionth of each value" if column.resolution is None else "one measuring unit"] += 1
    words = [f"{noise} on {count} column{'s' if count > 1 else ''}" for noise, count in counts.items() if count]
    return noisy, " and ".join(words)


def _moved(column: Column, values: NDArray[np.float64], *, drawn: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return a column's values, moved; ``drawn`` holds a number from -1 to 1 for each."""
    if column.resolution is None:
        if column.kind == "integer":
            return values
        return np.where(values == np.rint(values), values, values * (1 + drawn * _ROUNDING))
    if column.kind == "integer":
        return np.asarray(values + np.rint(drawn) * max(1.0, np.rint(column.resolution)))
    before, after = np.rint(values / column.resolution), np.rint(values / column.resolution + drawn)
    per_unit = np.rint(1 / column.resolution)
    # 57 / 100 is the decimal number 0.57 as it is read from a file; 57 * 0.01 is not.
    on_grid = after / per_unit if np.isclose(per_unit * column.resolution, 1) else after * column.resolution
    return np.where(before == after, values, on_grid)


def _is_coarse(column: Column, train: pd.DataFrame) -> bool:
    """Say whether a column's unit is so large that moving a value by it is no noise."""
    if column.resolution is None:
        return False
    values = train[column.name].to_numpy(dtype=np.float64, na_value=np.nan)
    return bool(column.resolution > _COARSE * np.nanstd(values))


def _numeric(features: Sequence[Column]) -> tuple[Column, ...]:
    return tuple(column for column in features if column.kind in ("number", "integer"))


def _example(row_id: Sequence[str], turned: NDArray[np.bool_]) -> str:
    return f", such as row {row_id[int(np.argmax(turned))]}" if turned.any() else ""
