"""This module provides the answer to a request for predictions, in MLflow's scoring protocol.

Whatever JSON the quick way does not take goes through MLflow's own parser and its enforcement of the signature, so that
this server accepts and refuses what ``mlflow models serve`` does. CSV is read as the run reads files. A number that no
32-bit float holds is refused in any form: the model would see infinity.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pandas as pd
from mlflow.exceptions import MlflowException
from mlflow.protos.databricks_pb2 import INVALID_PARAMETER_VALUE
from mlflow.pyfunc import scoring_server
from numpy.typing import NDArray

from gauntlet.core.reading import LARGEST_NUMBER, TOO_LARGE
from gauntlet.serving.csv_requests import CsvRequests
from gauntlet.serving.quick_answers import QuickAnswers
from gauntlet.serving.refusals import Refusal, bad_request, reason_of, too_large, with_column

if TYPE_CHECKING:
    from mlflow.pyfunc import PyFuncModel
    from mlflow.types import Schema

JSON = "application/json"
CSV = "text/csv"

# How clients write the type of JSON that is taken the quick way.
_PLAIN_JSON = frozenset({JSON, f"{JSON}; charset=utf-8", f"{JSON};charset=utf-8", f"{JSON}; charset=UTF-8"})

Way = Literal["quick", "mlflow"]

# MLflow's own answer to a request; it has no type hints.
_invocations: Any = scoring_server.invocations


@dataclass(frozen=True)
class Reply:
    """What a request is answered with.

    Attributes:
        content: The body.
        rows: How many rows were asked about.
        way: How the answer was come by.
        status: The HTTP status.
        media_type: The body's type.
    """

    content: bytes
    rows: int
    way: Way
    status: int = 200
    media_type: str = JSON


@dataclass(frozen=True)
class Scoring:
    """One model, and the ways to ask it.

    Attributes:
        model: The model as MLflow loaded it.
        schema: What it takes.
        quick: The quick way; None if there is none.
        csv: The CSV that it takes; None if it does not name its columns.
    """

    model: PyFuncModel
    schema: Schema | None
    quick: QuickAnswers | None
    csv: CsvRequests | None = None

    @classmethod
    def of(cls, model: Any) -> Scoring:
        """Return the ways to ask a model.

        Args:
            model: The model as MLflow loaded it.
        """
        schema = model.metadata.get_input_schema()
        return cls(model, schema, QuickAnswers.of(model), CsvRequests.of(model.metadata.metadata, schema))

    def quick_reply(self, body: bytes, content_type: str | None, *, maximum_rows: int) -> Reply | None:
        """Return the answer to a request that can go the quick way; None for every other.

        Args:
            body: Its body.
            content_type: Its type, as the client says.
            maximum_rows: How many rows it may ask about.

        Raises:
            Refusal: If it is no JSON object.
        """
        (found,) = self.quick_replies([(body, content_type)], maximum_rows=maximum_rows)
        if isinstance(found, Refusal):
            raise found
        return found

    def quick_replies(
        self, requests: Sequence[tuple[bytes, str | None]], *, maximum_rows: int
    ) -> list[Reply | Refusal | None]:
        """Return what ``quick_reply`` gives for each of several requests, the refusals too, from one prediction.

        A prediction for a few rows takes hardly longer than for one.

        Args:
            requests: Body and type of each.
            maximum_rows: How many rows each may ask about.
        """
        matrices = [self._quick_matrix(body, kind, maximum_rows) for body, kind in requests]
        asked = [matrix for matrix in matrices if isinstance(matrix, np.ndarray)]
        if self.quick is None or not asked:
            return [matrix if isinstance(matrix, Refusal) else None for matrix in matrices]
        found = self.quick.predictions(np.concatenate(asked) if len(asked) > 1 else asked[0])
        replies: list[Reply | Refusal | None] = []
        start = 0
        for matrix in matrices:
            if not isinstance(matrix, np.ndarray):
                replies.append(matrix)
            elif found is None:
                replies.append(None)
            else:
                replies.append(_quick_answer(found[start : start + len(matrix)]))
                start += len(matrix)
        return replies

    def _quick_matrix(
        self, body: bytes, content_type: str | None, maximum_rows: int
    ) -> NDArray[np.float32] | Refusal | None:
        """Return what a request asks about; None if it is not one for the quick way, its refusal if it is no JSON."""
        if self.quick is None or content_type not in _PLAIN_JSON:
            return None
        try:
            document = _parsed(body)
        except Refusal as refusal:
            return refusal
        return None if _rows_of(document) > maximum_rows else self.quick.matrix(document)

    def reply(self, body: bytes, content_type: str | None, *, maximum_rows: int) -> Reply:
        """Return the answer to any request.

        Args:
            body: Its body.
            content_type: Its type, as the client says.
            maximum_rows: How many rows it may ask about.

        Raises:
            Refusal: If it is not answered.
        """
        if content_type is None:
            raise Refusal(415, "BAD_REQUEST", f"the request has no Content-Type; send {JSON} or {CSV}")
        media_type = content_type.partition(";")[0].strip()
        if media_type == CSV and self.csv is not None:
            document = self.csv.document(body, content_type)
            content_type = JSON
        elif media_type == JSON:
            document = _parsed(body)
        else:
            return self._through_mlflow(body, content_type, asked={}, maximum_rows=maximum_rows)
        found = self._quickly(document, maximum_rows) if content_type in _PLAIN_JSON else None
        return found or self._through_mlflow(document, content_type, asked=document, maximum_rows=maximum_rows)

    def _quickly(self, document: dict[str, Any], maximum_rows: int) -> Reply | None:
        if self.quick is None or _rows_of(document) > maximum_rows:
            return None
        matrix = self.quick.matrix(document)
        found = None if matrix is None else self.quick.predictions(matrix)
        return None if found is None else _quick_answer(found)

    def _through_mlflow(
        self, data: bytes | dict[str, Any], content_type: str, *, asked: dict[str, Any], maximum_rows: int
    ) -> Reply:
        model = _CountingModel(self.model, maximum_rows)
        try:
            done = _invocations(data, content_type, model, self.schema)
        except _TooManyRows:
            raise too_large(
                f"{model.rows} rows were sent, and {maximum_rows} are allowed; send fewer at once"
            ) from None
        except MlflowException as error:
            raise self._refusal(error, asked) from None
        if done.status >= 400:
            raise Refusal(done.status, "BAD_REQUEST", done.response)
        return Reply(done.response.encode(), model.rows, "mlflow", done.status, done.mimetype)

    def _refusal(self, error: MlflowException, asked: dict[str, Any]) -> Refusal:
        reason = with_column(reason_of(error.message), self.schema, asked)
        answer: Any = error
        return Refusal(answer.get_http_status_code(), str(answer.error_code), reason)


class _TooManyRows(MlflowException):  # MLflow's own errors pass through its server as they are
    """A request asks about more rows than it may."""


class _CountingModel:
    """A model that counts the rows it is asked about, between MLflow's parser and the enforcement of the signature."""

    def __init__(self, model: PyFuncModel, maximum_rows: int) -> None:
        self.metadata = model.metadata
        self.rows = 0
        self._model = model
        self._maximum = maximum_rows

    def predict(self, data: Any, params: dict[str, Any] | None = None) -> Any:
        """Return the model's predictions."""
        self.rows = _length(data)
        if self.rows > self._maximum:
            raise _TooManyRows("too many rows")
        _require_small_numbers(data)
        return self._model.predict(data, params=params)


def _require_small_numbers(data: Any) -> None:
    """Make sure that a table or a set of arrays holds no number that a 32-bit float does not."""
    columns = data.items() if isinstance(data, dict | pd.DataFrame) else ()
    for name, values in columns:
        numbers = np.asarray(values)
        if numbers.dtype.kind == "f" and bool((np.abs(numbers) > LARGEST_NUMBER).any()):
            place = int(np.argmax(np.abs(np.nan_to_num(numbers)) > LARGEST_NUMBER))
            fault = f"column {str(name)!r}, row {place}: {TOO_LARGE.removeprefix('is ')}"
            raise MlflowException(fault, error_code=INVALID_PARAMETER_VALUE)


def _parsed(body: bytes) -> dict[str, Any]:
    """Return a body's JSON object."""
    try:
        document = json.loads(body)
    except (ValueError, RecursionError) as error:
        reason = str(error)[:100] if isinstance(error, json.JSONDecodeError) else type(error).__name__
        raise bad_request(f"the body is no valid JSON ({reason})") from None
    if not isinstance(document, dict):
        raise bad_request(f"{scoring_server.REQUIRED_INPUT_FORMAT}; it is {_kind(document)}")
    return document


def _kind(value: Any) -> str:
    return "a list" if isinstance(value, list) else f"of type {type(value).__name__}"


def _rows_of(document: dict[str, Any]) -> int:
    """Return how many rows a request for the quick way has."""
    table = document.get("dataframe_split")
    rows = table.get("data") if isinstance(table, dict) else document.get("dataframe_records")
    return len(rows) if isinstance(rows, list) else 0


def _length(data: Any) -> int:
    """Return how many rows MLflow's parser has found."""
    if isinstance(data, dict):
        return max((len(values) for values in data.values() if isinstance(values, list) or np.ndim(values)), default=1)
    return len(data) if hasattr(data, "__len__") else 1


def _quick_answer(predictions: NDArray[np.float64]) -> Reply:
    return Reply(json.dumps({"predictions": predictions.tolist()}).encode(), len(predictions), "quick")
