"""This module provides the columns of a scored table: what every prediction says of itself."""

from __future__ import annotations

PREDICTION_COLUMNS = (
    "row_id",
    "probability",
    "decision",
    "threshold",
    "model_name",
    "model_version",
    "run_id",
    "scored_at",
    "synthetic",
)
