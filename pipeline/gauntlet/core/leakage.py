"""This module provides the leak probes: three simple models that no feature of an honest table lets near perfection.

One feature alone, a tree of depth 3, and a line through all features (least squares). Each is learnt on training rows;
the tree, the line and texts are judged on rows that were not learnt from. A label that is split over two columns, ``a``
and ``a + label / 2``, is invisible to the first two and plain to the third.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from gauntlet.core.encoding import Encoding, encode, learn_encoding
from gauntlet.core.gate_rules import SplitRules
from gauntlet.core.problem import Column
from gauntlet.core.seeding import Seeds

TREE_DEPTH = 3

# A line leaks if it explains more than this share of the held-out label's variance, too: an easy problem has a high AUC
# (breast cancer in scikit-learn: 0.99), while its answers stay away from 0 and 1 (there 0.75 is explained).
EXPLAINED = 0.9

# The same of one feature alone, fitted by a rising curve; breast cancer reaches an AUC of 0.986 and 0.848 by chance, a
# copy of the label with one wrong row in fifty 0.99 and 0.9.
EXPLAINED_ALONE = 0.85

# A column takes part in a leak of the line if its part of the answer varies so much, relative to the greatest part.
_LEAST_PART = 0.1

# A table with fewer rows of a class cannot be divided into rows to learn from and rows to judge on.
_LEAST_CLASS_ROWS = 4


@dataclass(frozen=True)
class LabelledRows:
    """Rows to learn from, or to judge on.

    Attributes:
        features: One column a feature; numbers as float64, texts as str or None.
        label: 0 or 1, one a row, of both classes.
    """

    features: pd.DataFrame
    label: NDArray[np.int8]


@dataclass(frozen=True)
class FeatureAlone:
    """What one feature tells of the label.

    Attributes:
        auc: The AUC of the better direction.
        explained: The share of the label's variance that a rising curve of the feature explains.
    """

    auc: float
    explained: float


@dataclass(frozen=True)
class Leak:
    """Columns that give the label away.

    Attributes:
        columns: The columns, by name.
        sentence: What they do, for people.
        auc: The area under the ROC curve that they reach.
        bound: The greatest that is not taken for a leak.
    """

    columns: tuple[str, ...]
    sentence: str
    auc: float
    bound: float


@dataclass(frozen=True)
class Probes:
    """What the three probes found.

    Attributes:
        alone: What each feature tells, by name.
        tree: The AUC of the tree.
        tree_columns: The features that the tree reads.
        line: The AUC of the line.
        explained: The share of the held-out label's variance that the line explains (R squared).
        line_columns: The features that the line rests on.
    """

    alone: Mapping[str, FeatureAlone]
    tree: float
    tree_columns: tuple[str, ...]
    line: float
    explained: float
    line_columns: tuple[str, ...]

    def leak(self, rules: SplitRules) -> Leak | None:
        """Return the first leak that a probe found; None if there is none."""
        giving = {
            name: found.auc
            for name, found in self.alone.items()
            if found.auc > rules.maximum_feature_auc and found.explained > EXPLAINED_ALONE
        }
        if giving:
            best = max(giving.values())
            like = ": it is as good as a copy of the label" if best == 1 else ""
            sentence = f"{', '.join(giving)} alone orders the rows with an AUC of {best:.4f}{like}"
            return Leak(tuple(giving), sentence, best, rules.maximum_feature_auc)
        bound = rules.maximum_tree_auc
        if self.tree > bound:
            used = ", ".join(self.tree_columns)
            sentence = f"a tree of depth {TREE_DEPTH} on {used} orders unseen rows with an AUC of {self.tree:.4f}"
            return Leak(self.tree_columns, sentence, self.tree, bound)
        if self.line > bound and self.explained > EXPLAINED:
            sentence = (
                f"a weighted sum of {', '.join(self.line_columns)} orders unseen rows with an AUC of {self.line:.4f}, "
                f"and explains {self.explained:.1%} of the label"
            )
            return Leak(self.line_columns, sentence, self.line, bound)
        return None


class Labelled(Protocol):
    """Rows with their labels: ``LabelledRows``, or a split's."""

    @property
    def features(self) -> pd.DataFrame:
        """One column a feature."""

    @property
    def label(self) -> NDArray[np.int8]:
        """0 or 1, one a row, of both classes."""


def probed_columns(columns: Sequence[Column]) -> tuple[Column, ...]:
    """Return the columns that are probed: all but those whose values are known before the label is."""
    return tuple(column for column in columns if not column.known_before)


def probe_leaks(train: Labelled, later: Labelled, *, columns: Sequence[Column], seed: int) -> Probes:
    """Return what the three probes find.

    Args:
        train: The rows to learn from.
        later: Other rows, to judge on.
        columns: The features to probe, at least one; see ``probed_columns``.
        seed: The seed of the tree.
    """
    encoding = learn_encoding(train.features, columns)
    tree, tree_columns = _tree(train, later, encoding, seed=seed)
    line, explained, line_columns = _line(train, later, encoding)
    return Probes(
        alone={column.name: _alone(column, train, later) for column in columns},
        tree=tree,
        tree_columns=tree_columns,
        line=line,
        explained=explained,
        line_columns=line_columns,
    )


def find_leaks(
    features: pd.DataFrame, label: ArrayLike, *, columns: Sequence[Column], rules: SplitRules, seed: int
) -> tuple[Leak, ...]:
    """Return all leaks of a table that is not divided yet, one after the other, each without the columns before it.

    Half of the rows (drawn with the seed, both classes alike) are learnt from, the others judged on.

    Args:
        features: The features, one column for each of ``columns``.
        label: 0 or 1, one a row.
        columns: The features' descriptions.
        rules: The gates' bounds.
        seed: The problem's seed.
    """
    truth, seeds = np.asarray(label, dtype=np.int8), Seeds(seed)
    if np.bincount(truth, minlength=2).min() < _LEAST_CLASS_ROWS:
        return ()
    # Every second row of each class, in a drawn order.
    drawn = np.lexsort((seeds.generator("leaks").random(len(truth)), truth))
    learnt, judged = (
        LabelledRows(features.iloc[part].reset_index(drop=True), truth[part]) for part in (drawn[::2], drawn[1::2])
    )
    found: list[Leak] = []
    left = probed_columns(columns)
    while left:
        leak = probe_leaks(learnt, judged, columns=left, seed=seeds.integer("leaks", "tree")).leak(rules)
        if leak is None:
            break
        found.append(leak)
        left = tuple(column for column in left if column.name not in leak.columns)
    return tuple(found)


def _alone(column: Column, train: Labelled, later: Labelled) -> FeatureAlone:
    values = train.features[column.name]
    if column.kind != "text":
        numbers = pd.to_numeric(values)
        found = [_rising(numbers.rank(na_option=end), train.label) for end in ("top", "bottom")]
        return max(found, key=lambda alone: alone.auc)
    label = pd.Series(train.label, dtype="float64")
    shares = label.groupby(values.fillna("").to_numpy()).mean()
    answer = later.features[column.name].fillna("").map(shares).astype("float64").fillna(label.mean())
    return FeatureAlone(_auc(answer.rank(), later.label), _explained(answer.to_numpy(), later.label))


def _rising(ranks: pd.Series, label: NDArray[np.int8]) -> FeatureAlone:
    from sklearn.isotonic import IsotonicRegression  # noqa: PLC0415 - takes a while to import

    auc = _auc(ranks, label)
    rises = bool(ranks.to_numpy()[label == 1].mean() >= ranks.mean())
    curve = IsotonicRegression(increasing=rises).fit(ranks, label)
    return FeatureAlone(auc, _explained(curve.predict(ranks), label))


def _explained(answer: NDArray[np.float64], label: NDArray[np.int8]) -> float:
    return float(1 - np.mean((label - answer) ** 2) / np.var(label))


def _auc(ranks: pd.Series, label: NDArray[np.int8]) -> float:
    """Return the area under the ROC curve in the better direction, from mid-ranks (Mann and Whitney's statistic)."""
    positives, negatives = int((label == 1).sum()), int((label == 0).sum())
    above = float(ranks.to_numpy()[label == 1].sum()) - positives * (positives + 1) / 2
    auc = above / (positives * negatives)
    return max(auc, 1 - auc)


def _tree(train: Labelled, later: Labelled, encoding: Encoding, *, seed: int) -> tuple[float, tuple[str, ...]]:
    """Return the AUC of a small tree, and the features that it reads."""
    from sklearn.tree import DecisionTreeClassifier  # noqa: PLC0415 - takes a while to import

    matrix = encode(train.features, encoding)
    if not matrix.shape[1]:
        return 0.5, ()
    tree = DecisionTreeClassifier(max_depth=TREE_DEPTH, random_state=seed).fit(matrix, train.label)
    probability = pd.Series(tree.predict_proba(encode(later.features, encoding))[:, 1])
    used = sorted({int(place) for place in tree.tree_.feature if place >= 0})
    names = dict.fromkeys(encoding.source_of(encoding.matrix_columns[place]) for place in used)
    return _auc(probability.rank(), later.label), tuple(names)


def _line(train: Labelled, later: Labelled, encoding: Encoding) -> tuple[float, float, tuple[str, ...]]:
    """Return the AUC and the share explained of a least-squares fit, and the features that it rests on."""
    # Not ``encode``: float32 would round the leak in a large number away.
    fitted, sources = _numbers(train.features, train.features, encoding)
    asked, _ = _numbers(train.features, later.features, encoding)
    middle, spread = fitted.mean(axis=0), fitted.std(axis=0)
    varying = spread > 0
    if not varying.any():
        return 0.5, 0.0, ()
    fitted, asked = ((part[:, varying] - middle[varying]) / spread[varying] for part in (fitted, asked))
    share = train.label.mean()
    weights = np.linalg.lstsq(fitted, train.label - share, rcond=None)[0]
    answer = share + asked @ weights
    # The columns are standardised, so a weight is how much its part of the answer varies.
    parts = pd.Series(np.abs(weights)).groupby(np.array(sources)[varying], sort=False).max()
    carrying = parts[parts >= _LEAST_PART * parts.max()].sort_values(ascending=False)
    return _auc(pd.Series(answer).rank(), later.label), _explained(answer, later.label), tuple(carrying.index)


def _numbers(train: pd.DataFrame, rows: pd.DataFrame, encoding: Encoding) -> tuple[NDArray[np.float64], list[str]]:
    """Return rows as float64, and the feature that each column comes from.

    A missing number becomes the training rows' median, beside a column that says whether it was missing; a text becomes
    one column for each of its frequent levels.
    """
    parts: list[NDArray[np.float64]] = []
    sources: list[str] = []
    for column in encoding.columns:
        values = rows[column.name]
        if column.kind == "number":
            numbers = pd.to_numeric(values).to_numpy(dtype=np.float64, na_value=np.nan)
            median = pd.to_numeric(train[column.name]).median()
            lacking = np.isnan(numbers)
            parts += [np.where(lacking, 0.0 if pd.isna(median) else median, numbers), lacking.astype(np.float64)]
            sources += [column.name, column.name]
        else:
            parts += [(values == level).to_numpy(dtype=np.float64, na_value=0.0) for level in column.levels]
            sources += [column.name] * len(column.levels)
    return np.column_stack(parts) if parts else np.empty((len(rows), 0)), sources
