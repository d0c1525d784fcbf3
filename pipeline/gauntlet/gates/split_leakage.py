"""This module provides the gates on what tells a model more than it may know: the label, identifiers, later rows."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from gauntlet.core.encoding import Encoding, learn_encoding
from gauntlet.core.leakage import probe_leaks, probed_columns
from gauntlet.core.statistics.delong import AucEstimate, auc_estimate
from gauntlet.core.unfit_columns import UnfitColumn, find_unfitness
from gauntlet.core.verdict import Status, Verdict
from gauntlet.gates.gate import gate
from gauntlet.gates.split_rows import judged_rows, listed, no_rows_but
from gauntlet.stages.candidate import Candidate

NO_TARGET_LEAKAGE = "split::no_target_leakage"
NO_IDENTIFIER = "split::no_identifier_feature"
FITTED_ON_TRAIN = "split::preprocessing_fitted_on_train"

# An identifier predicts if its AUC lies above this with the interval of this one-sided level.
_IDENTIFIER_AUC = 0.55
_IDENTIFIER_LEVEL = 0.01
_LEAST_CLASS_ROWS = 2


@gate(
    NO_TARGET_LEAKAGE,
    bounds=("gates.split.maximum_feature_auc", "gates.split.maximum_tree_auc"),
    needs=("splits",),
    remedy="Find out how the named columns come to know the label. If they are known only after it, give them "
    'role = "ignored"; if their values are known before the label is, say so with known_before = true on the column.',
)
def no_target_leakage(candidate: Candidate) -> Verdict:
    """Guard that no feature gives the label away: alone, or a few together.

    Alone: the area under the ROC curve of ordering the training rows by a feature, in either direction and with missing
    values at either end, together with the share of the label that a rising curve of it explains; a text is ordered by
    its share of positives among training rows, and judged on the rows that models are chosen on. Together: a tree of
    depth 3, which finds labels hidden in ranges, and a line through all features (least squares), which finds a label
    that is split over two columns; both are fitted on training rows and judged on the rows that models are chosen on.
    A column with ``known_before = true`` is left out.
    """
    judged_rows(candidate)
    rules, columns = candidate.problem.gates.split, probed_columns(candidate.problem.features)
    train, later = candidate.splits.rows("train"), candidate.splits.rows(candidate.splits.selection)
    rows, bound = len(train.label), rules.maximum_feature_auc
    if not columns:
        sentence = "known_before is true for every feature, so none is probed"
        return Verdict(NO_TARGET_LEAKAGE, Status.PASS, sentence, 0.0, bound, rows)
    probes = probe_leaks(train, later, columns=columns, seed=candidate.seeds.integer(NO_TARGET_LEAKAGE))
    leak = probes.leak(rules)
    if leak is not None:
        return Verdict(NO_TARGET_LEAKAGE, Status.FAIL, leak.sentence, leak.auc, leak.bound, rows)
    best = max(probes.alone, key=lambda name: probes.alone[name].auc)
    auc = probes.alone[best].auc
    sentence = (
        f"the best feature alone, {best}, has an AUC of {auc:.4f}, a small tree has {probes.tree:.4f}, and a line "
        f"through all has {probes.line:.4f} and explains {max(0.0, probes.explained):.0%} of the label"
    )
    return Verdict(NO_TARGET_LEAKAGE, Status.PASS, sentence, auc, bound, rows)


@gate(
    NO_IDENTIFIER,
    bounds=("gates.split.maximum_distinct_share",),
    needs=("splits",),
    advisory="an identifier, or free text, that predicts nothing",
    remedy='Give an identifier role = "ignored". If its whole numbers are a measurement, give the column a resolution.',
)
def no_identifier_feature(candidate: Candidate) -> Verdict:
    """Guard that no feature names the row instead of telling something about it.

    An identifier is a column of whole numbers (without a ``resolution``) that repeat less than chance would or stand in
    the order of the file, a number with equal steps in that order, or a text that nearly never repeats. One that
    predicts is FAIL: then the order of the rows gives the label away. That is so if the column's order, in the
    direction of the training rows, has an AUC above 0.55 on the rows that models are chosen on with its whole interval
    (one-sided 1 %, divided by the number of identifiers). One that predicts nothing is WARN: a model can only learn it
    by heart.
    """
    frame = judged_rows(candidate)
    found = _unfit_columns(candidate, frame)
    if not found:
        sentence = f"none of the {len(candidate.splits.features)} features names the row"
        return Verdict(NO_IDENTIFIER, Status.PASS, sentence, 0.0, 0.0, len(frame))
    said = listed([f"{name} ({unfit.reason}: {unfit.sentence})" for name, unfit in found.items()])
    confidence = 1 - 2 * _IDENTIFIER_LEVEL / len(found)
    estimates = {name: _order_estimate(candidate, name) for name in found}
    lows = {name: estimate.interval(confidence)[0] for name, estimate in estimates.items() if estimate is not None}
    predicting = [name for name, low in lows.items() if low > _IDENTIFIER_AUC]
    if not predicting:
        sentence = f"{said}: a model can only learn this by heart"
        return Verdict(NO_IDENTIFIER, Status.WARN, sentence, float(len(found)), 0.0, len(frame))
    worst = max(predicting, key=lows.__getitem__)
    estimate = estimates[worst]
    auc = None if estimate is None else estimate.auc
    sentence = (
        f"{', '.join(predicting)} names the row and predicts the label (AUC {auc:.3f}, at least {lows[worst]:.3f}), so "
        f"the order of the rows gives it away; {said}"
    )
    return Verdict(NO_IDENTIFIER, Status.FAIL, sentence, auc, _IDENTIFIER_AUC, len(frame))


def _unfit_columns(candidate: Candidate, frame: pd.DataFrame) -> dict[str, UnfitColumn]:
    order = frame["source_row"].to_numpy(dtype=np.int64) if "source_row" in frame.columns else None
    share = candidate.problem.gates.split.maximum_distinct_share
    found = {
        column.name: find_unfitness(
            frame[column.name],
            kind=column.kind,
            measured=column.resolution is not None,
            order=order,
            maximum_distinct_share=share,
        )
        for column in candidate.problem.features
    }
    return {name: unfit for name, unfit in found.items() if unfit is not None and unfit.reason != "constant"}


def _order_estimate(candidate: Candidate, name: str) -> AucEstimate | None:
    """Return the AUC of a column's order on the selection rows; None where a class has fewer than two values there.

    The direction is that of the training rows, so that it is not chosen by the rows that judge.
    """
    ranks: dict[str, pd.Series] = {}
    labels: dict[str, NDArray[np.int8]] = {}
    for split in ("train", candidate.splits.selection):
        rows = candidate.splits.frame[candidate.splits.frame["split"] == split]
        present = rows[rows[name].notna()]
        ranks[split] = present[name].rank()
        labels[split] = present["label"].to_numpy(dtype=np.int8)
        if np.bincount(labels[split], minlength=2).min() < _LEAST_CLASS_ROWS:
            return None
    known = auc_estimate(ranks["train"], labels["train"])
    later = ranks[candidate.splits.selection]
    return auc_estimate(later if known.auc >= 0.5 else -later, labels[candidate.splits.selection])


@gate(
    FITTED_ON_TRAIN,
    needs=("splits", "models", "encoding"),
    remedy="Learn levels, means and scales from the training rows alone, and keep them with the model.",
)
def preprocessing_fitted_on_train(candidate: Candidate) -> Verdict:
    """Guard that the chosen model's encoding is what the training rows alone teach.

    The encoding is learnt again from the training rows, and compared column by column. What a model of another make
    learns inside itself cannot be looked into: without an encoding there is nothing to compare, and that is no PASS.
    """
    frame = judged_rows(candidate)
    encoding = candidate.model.encoding
    if encoding is None:
        sentence = f"the model {candidate.chosen} brings no encoding, so what it learnt of which rows cannot be checked"
        return Verdict(FITTED_ON_TRAIN, Status.CONFIG_ERROR, sentence)
    train = candidate.splits.rows("train")
    expected = learn_encoding(train.features, candidate.problem.features)
    unlike = _unlike(encoding, expected)
    levels = sum(len(column.levels) for column in expected.columns)
    rows = len(train.label)
    good = f"the encoding of {len(expected.columns)} features ({levels} levels) is what the {rows} training rows teach"
    fault = f"the encoding of {', '.join(unlike)} is not what the {rows} training rows teach"
    return no_rows_but(FITTED_ON_TRAIN, len(unlike), rows=len(frame), good=good, fault=fault)


def _unlike(given: Encoding, expected: Encoding) -> list[str]:
    """Return the features whose encoding differs, or stands in another place."""
    found, wanted = list(given.columns), list(expected.columns)
    places = range(max(len(found), len(wanted)))
    pairs = [(found[p] if p < len(found) else None, wanted[p] if p < len(wanted) else None) for p in places]
    return [column.name for pair in pairs if pair[0] != pair[1] and (column := pair[1] or pair[0]) is not None]
