"""This module provides what Spark's workers run for a packed booster: Arrow batches in, probabilities out.

A worker may have neither Gauntlet nor a way to the registry, and importing MLflow would cost it seconds. So this module
imports neither, is sent to the workers by value, and carries the booster with it. It answers as MLflow does: columns
are taken by name and refused where the signature refuses them, then the packed code's encoding is made from Arrow's own
buffers. A test holds it bit for bit against the packed code (``probability_model``).
"""

from __future__ import annotations

import contextlib
import ctypes
import hashlib
import importlib
import os
import sys
import types
import zlib
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

# Where a worker's process keeps models between tasks: Spark sends a function anew with each.
_KEPT, _MOST_KEPT = "gauntlet_kept_models", 3
_WHOLE_NUMBER_BITS = 32


class BoosterFunction:
    """A packed booster with its encoding.

    Attributes:
        booster: The booster's UBJ, compressed with zlib.
        columns: The encoding of features, as the packed model's JSON has it.
        optional: The features that may be left out.
        slots: How many tasks run at once on a machine; None for one on each core.
        accelerated: Whether oneDAL's predictor (daal4py) takes the place of XGBoost's.
    """

    def __init__(
        self,
        booster: bytes,
        *,
        columns: list[dict[str, Any]],
        optional: frozenset[str],
        slots: int | None,
        accelerated: bool = False,
    ) -> None:
        """Take the parts; nothing is loaded before the first rows come."""
        self.booster, self.columns, self.optional = booster, columns, optional
        self.slots, self.accelerated = slots, accelerated
        self.mark = f"{hashlib.sha256(booster).hexdigest()} {slots} {accelerated}"

    def arrow(self, structs: Iterator[pa.Array]) -> Iterator[pa.Array]:
        """Answer batches of structs, as an Arrow function of Spark does."""
        predict: Callable[[np.ndarray], np.ndarray] | None = None
        for struct in structs:
            if len(struct) == 0:
                yield pa.array([], pa.float64())
                continue
            names = [field.name for field in struct.type]
            matrix = self.matrix(_by_name(names, struct.flatten()), rows=len(struct))
            predict = predict or self._predictor()
            yield pa.array(np.asarray(predict(matrix), dtype=np.float64))

    def pandas(self, frames: Iterator[pd.DataFrame]) -> Iterator[pd.Series]:
        """Answer frames, as a function of Spark's before 4.1 does, which knows no Arrow functions."""

        def structs() -> Iterator[pa.Array]:
            for frame in frames:
                yield pa.Table.from_pandas(frame, preserve_index=False).to_struct_array().combine_chunks()

        for answer in self.arrow(structs()):
            yield pd.Series(answer.to_numpy(zero_copy_only=False))

    def matrix(self, given: Mapping[str, pa.Array], *, rows: int) -> np.ndarray:
        """Return the matrix of so many rows: float32, NaN where a number is missing, zeros for an unknown text.

        Args:
            given: The columns by name; others than the features may be among them.
            rows: How many rows they have.

        Raises:
            ValueError: If a column is missing, has a type that the model does not take, or holds a number that a 32-bit
                float does not; it is named.
        """
        missing = [column["name"] for column in self.columns if column["name"] not in {*given, *self.optional}]
        if missing:
            raise ValueError(f"the model's inputs are not all there: {', '.join(missing)} missing")
        width = sum(len(column["levels"]) or 1 for column in self.columns)
        matrix = np.empty((rows, width), dtype=np.float32)
        place = 0
        for column in self.columns:
            name, levels, array = column["name"], column["levels"], given.get(column["name"])
            if column["kind"] == "number":
                matrix[:, place] = np.nan if array is None else _numbers(name, array)
                if np.isinf(matrix[:, place]).any():
                    raise ValueError(f"column {name} is beyond 3.4e38, the largest number that a model can take")
                place += 1
                continue
            texts = None if array is None else _texts(name, array)
            for level in levels:
                matrix[:, place] = 0 if texts is None else _is_level(texts, level)
                place += 1
        return matrix

    def _predictor(self) -> Callable[[np.ndarray], np.ndarray]:
        """Return the loaded model's predictor; a worker's process loads a model once, whatever tasks it is given."""
        kept: Any = sys.modules.setdefault(_KEPT, types.ModuleType(_KEPT))
        predictors: dict[str, Callable[[np.ndarray], np.ndarray]] = vars(kept).setdefault("predictors", {})
        if self.mark not in predictors:
            load = _accelerated if self.accelerated else _plain
            predictor = load(zlib.decompress(self.booster), threads=self._threads())
            for old in list(predictors)[: max(0, len(predictors) + 1 - _MOST_KEPT)]:
                del predictors[old]
            predictors[self.mark] = predictor
        return predictors[self.mark]

    def _threads(self) -> int:
        """Return the threads of one task, so that the tasks of a machine use its cores once."""
        affinity = getattr(os, "sched_getaffinity", None)
        cores = len(affinity(0)) if affinity else os.cpu_count() or 1
        return max(1, cores // (self.slots or cores))


def _plain(content: bytes, *, threads: int) -> Callable[[np.ndarray], np.ndarray]:
    """Return XGBoost's own predictor."""
    import xgboost  # noqa: PLC0415 - a second to import, in the worker

    with contextlib.suppress(AttributeError, OSError):
        # Spark sets OMP_NUM_THREADS to 1 in its workers, and XGBoost never takes more threads than OpenMP allows.
        ctypes.CDLL(xgboost.libpath.find_lib_path()[0]).omp_set_num_threads(threads)
    booster = xgboost.Booster(params={"nthread": threads})
    booster.load_model(bytearray(content))
    booster.set_param({"nthread": threads})
    predict: Callable[[np.ndarray], np.ndarray] = booster.inplace_predict
    return predict


def _accelerated(content: bytes, *, threads: int) -> Callable[[np.ndarray], np.ndarray]:
    """Return oneDAL's predictor, made from the booster."""
    import xgboost  # noqa: PLC0415 - a second to import, in the worker

    daal4py = importlib.import_module("daal4py")  # seconds to import, in the worker; an extra brings it
    daal4py.daalinit(threads)
    booster = xgboost.Booster()
    booster.load_model(bytearray(content))
    model = importlib.import_module("daal4py.mb").convert_model(booster)

    def predict(matrix: np.ndarray) -> np.ndarray:
        probability: np.ndarray = model.predict_proba(matrix)[:, 1]
        return probability

    return predict


def _by_name(names: list[str], arrays: list[pa.Array]) -> dict[str, pa.Array]:
    repeated = sorted({name for name in names if names.count(name) > 1})
    if repeated:
        raise ValueError(f"the model's inputs are taken by name, but {', '.join(repeated)} is there twice")
    return dict(zip(names, arrays, strict=True))


def _numbers(name: str, array: pa.Array) -> np.ndarray:
    """Return a column's numbers, NaN where one is missing; MLflow takes for a double what is taken here."""
    kind = array.type
    safe = pa.types.is_floating(kind) or (pa.types.is_integer(kind) and kind.bit_width <= _WHOLE_NUMBER_BITS)
    if not safe and not (pa.types.is_int64(kind) and pc.all(pc.is_in(array, pa.array([0, 1, None]))).as_py()):
        raise ValueError(f"column {name} is {kind}, but the model takes a double: cast it")
    found: np.ndarray = array.to_numpy(zero_copy_only=False)
    return found


def _texts(name: str, array: pa.Array) -> pa.Array:
    if pa.types.is_null(array.type):  # a frame's texts that are all missing
        return array.cast(pa.string())
    if not pa.types.is_string(array.type) and not pa.types.is_large_string(array.type):
        raise ValueError(f"column {name} is {array.type}, but the model takes a string: cast it")
    return array


def _is_level(texts: pa.Array, level: str) -> np.ndarray:
    equal: np.ndarray = pc.equal(texts, pa.scalar(level, texts.type)).fill_null(False).to_numpy(zero_copy_only=False)
    return equal
