"""Deliveries of a made source: ten columns of one heavy-tailed distribution, and a label."""

from __future__ import annotations

import numpy as np
import pandas as pd

COLUMNS = tuple(f"amount_{number}" for number in range(10))


def delivery(family: str, rows: int, generator: np.random.Generator) -> pd.DataFrame:
    """Return one delivery; ``lognormal`` has a log standard deviation of 1.5, ``pareto`` the index 2."""
    shape = (rows, len(COLUMNS))
    values = generator.lognormal(3.0, 1.5, shape) if family == "lognormal" else 10 * (1 + generator.pareto(2.0, shape))
    return pd.DataFrame(values, columns=list(COLUMNS)).assign(target=(generator.random(rows) < 0.3).astype(int))
