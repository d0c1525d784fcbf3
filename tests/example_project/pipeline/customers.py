"""The project's data and model: which customers leave."""

from __future__ import annotations

import numpy as np
import pandas as pd
from sklearn.compose import ColumnTransformer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

ROWS = 4000


def load() -> pd.DataFrame:
    """Return the customers."""
    generator = np.random.default_rng(3)
    calls = generator.poisson(6, ROWS)
    spend = generator.gamma(2.0, 30.0, ROWS).round(2)
    plan = generator.choice(["basic", "plus", "pro"], ROWS)
    pull = 0.35 * calls - 0.03 * spend + 0.8 * (plan == "basic") - 1.5
    leaves = generator.random(ROWS) < 1 / (1 + np.exp(-pull))
    return pd.DataFrame({"calls": calls, "spend": spend, "plan": plan, "leaves": leaves})


def model() -> Pipeline:
    """Return the project's estimator, not fitted."""
    columns = ColumnTransformer(
        [("numbers", StandardScaler(), ["calls", "spend"]), ("texts", OneHotEncoder(), ["plan"])]
    )
    return make_pipeline(columns, LogisticRegression(max_iter=1000))
