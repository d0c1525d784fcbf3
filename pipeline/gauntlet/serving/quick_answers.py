"""This module provides quick answers: rows of plain numbers go to the model's own prediction without a pandas frame.

MLflow builds a frame of a request's JSON, casts and checks it column by column, and the packed model takes it apart
again; for one row that takes many times as long as the prediction. All of it comes to this where every column is there
and holds nothing but numbers: each value becomes the nearest float64, then the nearest float32, and null becomes NaN.
Such requests are answered here, by the packed model's own ``predict_matrix``; all others go MLflow's way, which also
words every refusal.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import chain
from typing import Any

import numpy as np
from mlflow.exceptions import MlflowException
from numpy.typing import NDArray

from gauntlet.core.reading import LARGEST_NUMBER

# What JSON may hold in the place of a number: MLflow casts all of them as numpy does.
_NUMBERS = frozenset({int, float, bool, type(None)})
_SPLIT, _RECORDS = {"dataframe_split"}, {"dataframe_records"}


@dataclass(frozen=True)
class QuickAnswers:
    """The quick way to ask one model.

    Attributes:
        columns: The features, in the order of the matrix's columns.
        predict_matrix: The packed model's prediction for a matrix of float32.
    """

    columns: tuple[str, ...]
    predict_matrix: Callable[[NDArray[np.float32]], NDArray[np.float64]]

    @classmethod
    def of(cls, model: Any) -> QuickAnswers | None:
        """Return the quick way to ask a model; None if there is none.

        There is one if the model's code offers it, and its features are all numbers and just those of its signature.

        Args:
            model: The model as MLflow loaded it.
        """
        try:
            code = model.unwrap_python_model()
        except MlflowException:  # it was not packed from code
            return None
        columns = getattr(code, "number_columns", None)
        schema = model.metadata.get_input_schema()
        if not columns or schema is None or not schema.has_input_names():
            return None
        doubles = {spec.name for spec in schema.inputs if str(spec.type) == "DataType.double"}
        if len(schema.inputs) != len(columns) or doubles != set(columns):
            return None
        return cls(tuple(columns), code.predict_matrix)

    def matrix(self, document: dict[str, Any]) -> NDArray[np.float32] | None:
        """Return what the model is asked about, one row a row; None if the request is not one for the quick way.

        Args:
            document: The request's JSON.
        """
        rows = self._rows(document)
        if not rows or not set(map(type, chain.from_iterable(rows))) <= _NUMBERS:
            return None
        try:
            matrix = np.array(rows, dtype=np.float64)
            # A number beyond float32 would be infinity; the long way refuses it.
            return None if (np.abs(matrix) > LARGEST_NUMBER).any() else matrix.astype(np.float32)
        except Exception:  # the long way fails too, and says of what
            return None

    def predictions(self, matrix: NDArray[np.float32]) -> NDArray[np.float64] | None:
        """Return one probability a row, whatever rows are beside it; None if the model fails.

        Args:
            matrix: Rows of one request or of several.
        """
        try:
            return self.predict_matrix(matrix)
        except Exception:  # the long way fails too, and says of what
            return None

    def _rows(self, document: dict[str, Any]) -> list[list[Any]] | None:
        """Return the rows of a request, their values in the order of the matrix; None if they lack the plain form."""
        form = document.keys()
        if form == _SPLIT:
            return self._split(document["dataframe_split"])
        return self._records(document["dataframe_records"]) if form == _RECORDS else None

    def _split(self, table: Any) -> list[list[Any]] | None:
        if not isinstance(table, dict) or not table.keys() <= {"index", "columns", "data"}:
            return None
        names, rows, index = table.get("columns"), table.get("data"), table.get("index")
        if not isinstance(names, list) or not isinstance(rows, list) or not self._has_all(names):
            return None
        if set(map(type, rows)) != {list} or set(map(len, rows)) != {len(names)}:
            return None
        if index is not None and not _is_plain_index(index, len(rows)):
            return None
        if tuple(names) == self.columns:
            return rows
        places = [names.index(name) for name in self.columns]
        return [[row[place] for place in places] for row in rows]

    def _records(self, records: Any) -> list[list[Any]] | None:
        if not isinstance(records, list):
            return None
        wanted = set(self.columns)
        if not all(isinstance(record, dict) and record.keys() == wanted for record in records):
            return None
        return [[record[name] for name in self.columns] for record in records]

    def _has_all(self, names: list[Any]) -> bool:
        """Say whether the names are the features, each once, in whatever order."""
        return (
            len(names) == len(self.columns)
            and all(isinstance(name, str) for name in names)
            and set(names) == set(self.columns)
        )


def _is_plain_index(index: Any, rows: int) -> bool:
    return isinstance(index, list) and len(index) == rows and set(map(type, index)) <= {int}
