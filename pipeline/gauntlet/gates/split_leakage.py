"""This module provides the gates on what tells a model more than it may know: the label, identifiers, later rows."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from gauntlet.core.encoding import Encoding, encode, learn_encoding
from gauntlet.core.problem import Column
from gauntlet.core.verdict import Status, Verdict
from gauntlet.gates.gate import gate
from gauntlet.gates.split_rows import judged_rows, no_rows_but
from gauntlet.stages.candidate import Candidate
from gauntlet.stages.training_rows import Rows

NO_TARGET_LEAKAGE = "split::no_target_leakage"
NO_IDENTIFIER = "split::no_identifier_feature"
FITTED_ON_TRAIN = "split::preprocessing_fitted_on_train"

_TREE_DEPTH = 3


@gate(
    NO_TARGET_LEAKAGE,
    bounds=("gates.split.maximum_feature_auc", "gates.split.maximum_tree_auc"),
    needs=("splits",),
    remedy="Find out how the named feature comes to know the label; if it is known only afterwards, give it "
    'role = "ignored". If it truly is that good, you need no model.',
)
def no_target_leakage(candidate: Candidate) -> Verdict:
    """Guard that no feature gives the label away: alone, or a few together.

    Alone: the area under the ROC curve of ordering the training rows by a feature, in either direction and with missing
    values at either end; a text is ordered by its share of positives among training rows, and judged on the rows that
    models are chosen on. Together: a tree of depth 3, which reads at most seven features, fitted on training rows and
    judged on the rows that models are chosen on; it finds labels hidden in ranges, too.
    """
    judged_rows(candidate)
    rules = candidate.problem.gates.split
    train, later = candidate.splits.rows("train"), candidate.splits.rows(candidate.splits.selection)
    alone = {column.name: _auc_alone(column, train, later) for column in candidate.problem.features}
    best = max(alone, key=alone.__getitem__)
    rows = len(train.label)
    if alone[best] > rules.maximum_feature_auc:
        giving = [name for name, auc in alone.items() if auc > rules.maximum_feature_auc]
        like = ": it is as good as a copy of the label" if alone[best] == 1 else ""
        sentence = f"{', '.join(giving)} alone orders the rows with an AUC of {alone[best]:.4f}{like}"
        bound = rules.maximum_feature_auc
        return Verdict(NO_TARGET_LEAKAGE, Status.FAIL, sentence, alone[best], bound, rows)
    seed = candidate.seeds.integer(NO_TARGET_LEAKAGE)
    tree, used = _tree_auc(train, later, candidate.problem.features, seed=seed)
    if tree > rules.maximum_tree_auc:
        sentence = f"a tree of depth {_TREE_DEPTH} on {', '.join(used)} orders unseen rows with an AUC of {tree:.4f}"
        return Verdict(NO_TARGET_LEAKAGE, Status.FAIL, sentence, tree, rules.maximum_tree_auc, rows)
    sentence = f"the best feature alone, {best}, has an AUC of {alone[best]:.4f}, and a small tree has {tree:.4f}"
    return Verdict(NO_TARGET_LEAKAGE, Status.PASS, sentence, alone[best], rules.maximum_feature_auc, rows)


def _auc_alone(column: Column, train: Rows, later: Rows) -> float:
    values = train.features[column.name]
    if column.kind != "text":
        ordered = pd.to_numeric(values)
        return max(_auc(ordered.rank(na_option=end), train.label) for end in ("top", "bottom"))
    label = pd.Series(train.label, dtype="float64")
    shares = label.groupby(values.fillna("")).mean()
    seen = later.features[column.name].fillna("").map(shares).astype("float64")
    return _auc(seen.fillna(label.mean()).rank(), later.label)


def _auc(ranks: pd.Series, label: NDArray[np.int8]) -> float:
    """Return the area under the ROC curve in the better direction, from mid-ranks (Mann and Whitney's statistic)."""
    positives, negatives = int((label == 1).sum()), int((label == 0).sum())
    above = float(ranks.to_numpy()[label == 1].sum()) - positives * (positives + 1) / 2
    auc = above / (positives * negatives)
    return max(auc, 1 - auc)


def _tree_auc(train: Rows, later: Rows, columns: tuple[Column, ...], *, seed: int) -> tuple[float, list[str]]:
    from sklearn.tree import DecisionTreeClassifier  # noqa: PLC0415 - takes a while to import

    encoding = learn_encoding(train.features, columns)
    tree = DecisionTreeClassifier(max_depth=_TREE_DEPTH, random_state=seed)
    tree.fit(encode(train.features, encoding), train.label)
    probability = pd.Series(tree.predict_proba(encode(later.features, encoding))[:, 1])
    used = sorted({place for place in tree.tree_.feature if place >= 0})
    names = dict.fromkeys(encoding.source_of(encoding.matrix_columns[place]) for place in used)
    return _auc(probability.rank(), later.label), list(names)


@gate(
    NO_IDENTIFIER,
    bounds=("gates.split.maximum_distinct_share",),
    needs=("splits",),
    remedy='Give an identifier role = "ignored". If its whole numbers are a measurement, give the column a resolution.',
)
def no_identifier_feature(candidate: Candidate) -> Verdict:
    """Guard that no feature names the row instead of telling something about it.

    A text, or a column of whole numbers without a ``resolution``, with nearly as many distinct values as there are rows
    is an identifier: a model can only learn it by heart. A column with a resolution is a measurement.
    """
    frame, bound = judged_rows(candidate), candidate.problem.gates.split.maximum_distinct_share
    names = [column.name for column in candidate.problem.features if _may_identify(column, frame[column.name])]
    shares = {name: frame[name].nunique() / len(frame) for name in names}
    if not shares:
        sentence = (
            f"none of the {len(candidate.splits.features)} features is a text or a whole number without resolution"
        )
        return Verdict(NO_IDENTIFIER, Status.PASS, sentence, 0.0, bound, len(frame))
    worst = max(shares, key=shares.__getitem__)
    said = f"{worst} has {frame[worst].nunique()} distinct values in {len(frame)} rows"
    if shares[worst] <= bound:
        return Verdict(NO_IDENTIFIER, Status.PASS, f"the most of all: {said}", shares[worst], bound, len(frame))
    named = [name for name, share in shares.items() if share > bound]
    sentence = f"{', '.join(named)} may be an identifier: {said}, such as {frame[worst].dropna().iloc[0]}"
    return Verdict(NO_IDENTIFIER, Status.FAIL, sentence, shares[worst], bound, len(frame))


def _may_identify(column: Column, values: pd.Series) -> bool:
    if column.kind in ("text", "boolean") or column.resolution is not None:
        return column.kind == "text"
    present = pd.to_numeric(values).dropna()
    return bool((present == np.floor(present)).all())


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
