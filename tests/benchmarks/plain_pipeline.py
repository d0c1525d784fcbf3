"""The model that a user of scikit-learn would fit: one pipeline, searched at random, on the same rows.

Numbers pass as they are, missing ones included; texts become at most 32 columns of 0 and 1. XGBoost's classifier is
searched with as many trials as Gauntlet's own search, fitted on the training rows and chosen on the validation rows.
The test rows are scored twice: by that model, and by the same parameters fitted on training and validation rows
together, as ``RandomizedSearchCV`` does when it is left to itself.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from gauntlet.core.seeding import Seeds

MOST_LEVELS = 32
SEED = 20


@dataclass(frozen=True)
class PlainScores:
    """The AUC of the plain pipeline on the test rows.

    Attributes:
        auc: Fitted on the training rows, as Gauntlet's models are.
        auc_refitted: The same parameters, fitted on the training and validation rows.
    """

    auc: float
    auc_refitted: float


def plain_scores(
    features: pd.DataFrame, label: NDArray[np.int64], split: NDArray[np.str_], *, trials: int
) -> PlainScores:
    """Search a plain pipeline, and return what its choice shows on the test rows.

    Args:
        features: The columns of a model, as pandas reads them.
        label: 1 for the positive class, else 0; one value a row.
        split: ``train``, ``validation`` or ``test``; one value a row.
        trials: The number of points to try.
    """
    import joblib  # noqa: PLC0415 - takes a while to import
    from sklearn.base import clone  # noqa: PLC0415 - takes a while to import
    from sklearn.metrics import roc_auc_score  # noqa: PLC0415
    from sklearn.model_selection import PredefinedSplit, RandomizedSearchCV  # noqa: PLC0415

    seed = Seeds(SEED).integer("plain_pipeline")
    developed = split != "test"
    rows, labels = features[developed], label[developed]
    folds = PredefinedSplit(np.where(split[developed] == "validation", 0, -1))
    search = RandomizedSearchCV(
        *(_pipeline(features, seed), _space()),
        n_iter=trials,
        scoring="roc_auc",
        cv=folds,
        refit=False,
        random_state=seed,
    )
    # XGBoost works outside of Python's lock, so threads do, and a pool of processes need not be started for each table.
    with joblib.parallel_config("threading", n_jobs=-1):
        search.fit(rows, labels)

    def fitted_on(chosen: NDArray[np.bool_]) -> float:
        model = clone(_pipeline(features, seed)).set_params(**search.best_params_)
        model.fit(features[chosen], label[chosen])
        test = split == "test"
        return float(roc_auc_score(label[test], model.predict_proba(features[test])[:, 1]))

    return PlainScores(auc=fitted_on(split == "train"), auc_refitted=fitted_on(developed))


def _pipeline(features: pd.DataFrame, seed: int) -> Any:
    from sklearn.compose import ColumnTransformer  # noqa: PLC0415 - takes a while to import
    from sklearn.pipeline import Pipeline  # noqa: PLC0415
    from sklearn.preprocessing import OneHotEncoder  # noqa: PLC0415
    from xgboost import XGBClassifier  # noqa: PLC0415

    texts = [name for name in features if not pd.api.types.is_numeric_dtype(features[name])]
    levels = OneHotEncoder(max_categories=MOST_LEVELS, handle_unknown="infrequent_if_exist", sparse_output=False)
    columns = ColumnTransformer([("texts", levels, texts)], remainder="passthrough")
    trees = XGBClassifier(tree_method="hist", n_jobs=1, random_state=seed)
    return Pipeline([("columns", columns), ("trees", trees)])


def _space() -> dict[str, Any]:
    from scipy.stats import loguniform, randint, uniform  # noqa: PLC0415 - takes a while to import

    return {
        "trees__learning_rate": loguniform(0.01, 0.3),
        "trees__n_estimators": randint(30, 300),
        "trees__max_depth": randint(1, 8),
        "trees__min_child_weight": loguniform(0.5, 20),
        "trees__subsample": uniform(0.5, 0.5),
        "trees__colsample_bytree": uniform(0.3, 0.7),
        "trees__reg_lambda": loguniform(0.1, 10),
    }
