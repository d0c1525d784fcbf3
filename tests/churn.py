"""A second data set for tests: nothing of it is a wine."""

from __future__ import annotations

import numpy as np
import pandas as pd

ROWS = 400


def make_churn() -> pd.DataFrame:
    """A table with texts, booleans, nullable integers, missing values and 5 % positives."""
    generator = np.random.Generator(np.random.PCG64(17))
    index = np.arange(ROWS)
    spend = np.round(generator.gamma(2.0, 30.0, ROWS), 2)
    frame = pd.DataFrame(
        {
            "customer id": [f"C-{number:04d}" for number in index],
            "Plan": generator.choice(["basic", "plus", 'pro "max"'], ROWS),
            "monthly spend (€)": np.where(index % 9 == 0, np.nan, spend),
            "auto pay": generator.random(ROWS) < 0.6,
            "2023 calls": pd.array(generator.integers(0, 30, ROWS), dtype="Int64"),
            "größe": generator.integers(150, 200, ROWS),
            "churned": np.where(index % 20 == 3, "yes", "no"),
        }
    )
    frame.loc[frame.index % 11 == 0, "2023 calls"] = pd.NA
    return frame
