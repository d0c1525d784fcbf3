"""Made rows of the wine problem's three tables that meet every packaged expectation."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pandas as pd

ROWS = 120

_KEPT = "row_id string, source string, source_row long, synthetic boolean"
# Typical values; a row's own number moves each a little, so that no two rows are alike.
_TYPICAL = {
    "fixed_acidity": 7.0,
    "volatile_acidity": 0.3,
    "citric_acid": 0.3,
    "residual_sugar": 5.0,
    "chlorides": 0.05,
    "free_sulfur_dioxide": 30.0,
    "total_sulfur_dioxide": 115.0,
    "density": 0.995,
    "pH": 3.2,
    "sulphates": 0.5,
    "alcohol": 10.5,
}
_NUMBERS = ", ".join(f"{name} double" for name in _TYPICAL)


def raw_rows(spark: Any) -> Any:
    """Return a good raw table."""
    rows = _kept().assign(**_measured(), quality=[3 + i % 6 for i in range(ROWS)], is_red=[i % 4 == 0 for i in _all()])
    return _frame(spark, rows, f"{_KEPT}, {_NUMBERS}, quality int, is_red boolean")


def curated_rows(spark: Any) -> Any:
    """Return a good curated table."""
    colour, label = [float(i % 4 == 0) for i in _all()], [int(i % 5 == 0) for i in _all()]
    return _frame(
        spark,
        _kept().assign(**_measured(), is_red=colour, label=label),
        f"{_KEPT}, {_NUMBERS}, is_red double, label int",
    )


def prediction_rows(spark: Any) -> Any:
    """Return a good table of predictions."""
    rows = pd.DataFrame(
        {
            "row_id": [f"w{i}" for i in _all()],
            "probability": [i / ROWS for i in _all()],
            "decision": [int(i > ROWS / 2) for i in _all()],
            "model_name": "gauntlet.wine_quality.wine_classifier",
            "model_version": "1",
            "run_id": "run",
            "scored_at": datetime(2026, 11, 23, tzinfo=UTC),
            "synthetic": False,
            "threshold": 0.5,
        }
    )
    kinds = "row_id string, probability double, decision int, model_name string, model_version string, run_id string"
    return _frame(spark, rows, f"{kinds}, scored_at timestamp, synthetic boolean, threshold double")


def _all() -> range:
    return range(ROWS)


def _kept() -> pd.DataFrame:
    source = ["red" if i % 4 == 0 else "white" for i in _all()]
    return pd.DataFrame(
        {"row_id": [f"w{i}" for i in _all()], "source": source, "source_row": list(_all()), "synthetic": False}
    )


def _measured() -> dict[str, list[float]]:
    return {name: [value * (1 + i / 10_000) for i in _all()] for name, value in _TYPICAL.items()}


def _frame(spark: Any, rows: pd.DataFrame, schema: str) -> Any:
    names = [part.split()[0] for part in schema.split(", ")]
    return spark.createDataFrame(rows[names], schema)
