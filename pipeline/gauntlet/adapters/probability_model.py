"""This module is the code of every registered model: features in, the probability of the positive class out.

MLflow copies this one file beside the model's data ("models from code"), and runs it wherever the model is served. So
it imports nothing of Gauntlet, and nothing is kept as a pickle: the booster is XGBoost's own UBJ, the forest skops, the
encoding JSON. The encoding repeats ``gauntlet.core.encoding.encode``; a test holds the two together.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import mlflow
import numpy as np
import pandas as pd

# All that a forest's file may hold beyond what skops trusts by itself.
TRUSTED_TYPES = ["sklearn.tree._tree.Tree"]

# How many threads a booster predicts with: this variable, else OpenMP's own (Spark sets it in its workers), else one.
# A worker that took all cores would fight with the other workers of its machine.
THREADS_VARIABLE = "GAUNTLET_MODEL_THREADS"


class ProbabilityModel(mlflow.pyfunc.PythonModel):  # type: ignore[name-defined, misc] # MLflow exports it lazily
    """A booster or a forest together with its encoding."""

    def load_context(self, context: Any) -> None:
        """Load the model's files, once in each process.

        Args:
            context: MLflow's; it says where the files ``encoding`` and ``booster`` or ``forest`` lie.
        """
        files = context.artifacts
        document = json.loads(Path(files["encoding"]).read_text(encoding="utf-8"))
        self._columns: list[dict[str, Any]] = document["columns"]
        if "booster" in files:
            import xgboost  # noqa: PLC0415 - only a booster's environment has it

            threads = int(os.environ.get(THREADS_VARIABLE) or os.environ.get("OMP_NUM_THREADS") or 1)
            self._model: Any = xgboost.Booster(params={"nthread": threads}, model_file=files["booster"])
            self._positive = self._model.inplace_predict
        else:
            import skops.io  # noqa: PLC0415 - only a forest's environment has it

            self._model = skops.io.load(files["forest"], trusted=TRUSTED_TYPES)
            self._positive = self._of_forest

    # MLflow leaves a frame to the signature; without any type hint it warns at every load.
    def predict(self, context: Any, model_input: pd.DataFrame, params: dict[str, Any] | None = None) -> np.ndarray:
        """Return the probability of the positive class, one float64 a row.

        Args:
            context: MLflow's; not needed any more.
            model_input: A frame with at least the features, in any order.
            params: None; the model has no parameters.
        """
        if len(model_input) == 0:
            return np.empty(0, dtype=np.float64)
        return self.predict_matrix(self._matrix(model_input))

    @property
    def number_columns(self) -> tuple[str, ...] | None:
        """The features in the order of the matrix's columns; None where texts are among them, which take several."""
        numbers = all(column["kind"] == "number" for column in self._columns)
        return tuple(column["name"] for column in self._columns) if numbers else None

    def predict_matrix(self, matrix: np.ndarray) -> np.ndarray:
        """Return the probability of the positive class, one float64 a row; whoever serves it may skip the frame.

        Args:
            matrix: At least one row of float32, NaN where a number is missing.
        """
        return np.asarray(self._positive(matrix), dtype=np.float64)

    def _of_forest(self, matrix: np.ndarray) -> np.ndarray:
        probability: np.ndarray = self._model.predict_proba(matrix)[:, 1]
        return probability

    def _matrix(self, frame: pd.DataFrame) -> np.ndarray:
        """Return the matrix of a frame: float32, NaN where a number is missing, zeros for an unknown text.

        The signature lets nullable columns be left out, and no others: one that is not there has no values.
        """
        parts: list[np.ndarray] = []
        for column in self._columns:
            name = column["name"]
            values = frame[name] if name in frame else pd.Series(np.nan, index=frame.index)
            if column["kind"] == "number":
                numbers = pd.to_numeric(values, errors="raise").to_numpy(dtype=np.float32, na_value=np.nan)
                if np.isinf(numbers).any():
                    raise ValueError(f"column {name} is beyond 3.4e38, the largest number that a model can take")
                parts.append(numbers)
            else:
                parts.extend((values == level).to_numpy(dtype=np.float32, na_value=0.0) for level in column["levels"])
        return np.column_stack(parts)


mlflow.models.set_model(ProbabilityModel())
