"""This module provides the packed model as it is asked: by pandas frames, and by Spark as a function of a struct.

A model may refuse what it is asked; the refusal is kept as an answer, so that two ways of asking can be compared.

MLflow knows a model by the address of its folder, in Spark's warm workers too: whoever changes a file does it in a
folder of its own.
"""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from time import perf_counter
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray

from gauntlet.adapters.artefact_copies import VerifiedCopy
from gauntlet.adapters.spark_model import spark_function
from gauntlet.core.errors import DataError

if TYPE_CHECKING:
    from mlflow.models import ModelSignature
    from pyspark.sql import Column, DataFrame, SparkSession

SQL_FUNCTION = "gauntlet_asked_artefact"

_PLACE = "gauntlet_place"
_REASON_CHARACTERS = 200
# What MLflow says before the reason: the whole frame and the whole schema.
_PREAMBLE = re.compile(r"^.*with schema '.*?'\. Error: ")


@dataclass(frozen=True)
class Answer:
    """What a model gave for some rows, or why it gave nothing.

    Attributes:
        probability: One float64 a row; None where it refused.
        refusal: Why it refused; None where it answered.
    """

    probability: NDArray[np.float64] | None = None
    refusal: str | None = None


def answered(ask: Callable[[pd.DataFrame], Any], frame: pd.DataFrame) -> Answer:
    """Return what a model answers to a frame; anything but one float64 a row counts as a refusal.

    Args:
        ask: Asks the model.
        frame: The rows.
    """
    try:
        given = np.asarray(ask(frame))
    except Exception as error:  # what it refuses with is its answer
        return Answer(refusal=_reason(f"{type(error).__name__}: {error}"))
    if given.shape != (len(frame),) or given.dtype != np.float64:
        return Answer(refusal=f"{len(frame)} rows were answered with {given.dtype} of shape {given.shape}")
    return Answer(probability=given)


@dataclass(frozen=True)
class PackedModel:
    """A packed model, loaded by MLflow.

    Attributes:
        signature: What it says that it takes and gives; None if it says nothing.
        predict: MLflow's own way to ask it: the signature is enforced, then the model's code runs.
    """

    signature: ModelSignature | None
    predict: Callable[[pd.DataFrame], Any]


def load_packed(copy: VerifiedCopy) -> PackedModel:
    """Load a packed model.

    Raises:
        DataError: If it cannot be loaded.
    """
    with quiet_mlflow():
        try:
            model = copy.load()
        except Exception as error:
            reason = _reason(f"{type(error).__name__}: {error}")
            raise DataError(f"{copy.folder}: MLflow cannot load the model ({reason}); pack it again") from error

    def predict(frame: pd.DataFrame) -> Any:
        with quiet_mlflow():
            return model.predict(frame)

    return PackedModel(signature=model.metadata.signature, predict=predict)


@dataclass(frozen=True)
class SparkModel:
    """A packed model as a function of Spark.

    Attributes:
        spark: The session.
        function: A struct of features in, a double out.
    """

    spark: SparkSession
    function: Any

    @classmethod
    def load(cls, spark: SparkSession, copy: VerifiedCopy) -> SparkModel:
        """Make the function of a packed model."""
        with quiet_mlflow():
            return cls(spark, spark_function(spark, copy))

    def answers(self, asked: Sequence[pd.DataFrame]) -> list[Answer]:
        """Ask the function several frames in one task; what it refuses fails no job.

        The frames travel side by side as structs of one table, with the types that they have, and are handed to the
        function one after the other: it is loaded once, and once more after each refusal.

        Args:
            asked: The frames, their indices counted from 0; the longest comes first.
        """
        from pyspark.sql import functions as F  # noqa: N812, PLC0415 - pyspark's convention; imported where Spark is

        length = len(asked[0])
        wide = [frame.set_axis([_wide(n, name) for name in frame], axis=1) for n, frame in enumerate(asked)]
        # A shorter frame is filled up with its own rows, or with nothing, and cut again where it is asked.
        filled = [part.take(np.arange(length) % len(part)) if len(part) else part for part in wide]
        table = pd.concat([part.reset_index(drop=True) for part in filled], axis=1)
        structs = [
            F.struct(*[F.col(_wide(number, name)).alias(name) for name in frame]) for number, frame in enumerate(asked)
        ]
        guarded = _guarded(self.function, [len(frame) for frame in asked])
        rows = self._table(table).coalesce(1).select(_PLACE, guarded(*structs).alias("given")).collect()
        given = [row["given"] for row in sorted(rows, key=lambda row: int(row[_PLACE]))]
        return [
            _collected([(row[2 * number], row[2 * number + 1]) for row in given[: max(1, len(frame))]], len(frame))
            for number, frame in enumerate(asked)
        ]

    def sql_answer(self, frame: pd.DataFrame, *, partitions: int) -> Answer:
        """Ask the function by a name in SQL, the rows spread over so many partitions.

        Args:
            frame: The rows, their index counted from 0.
            partitions: How many.
        """
        from pyspark.sql import functions as F  # noqa: N812, PLC0415 - pyspark's convention; imported where Spark is

        def asked(rows: pd.DataFrame) -> NDArray[np.float64]:
            struct = F.struct(*[F.col(str(name)) for name in rows])
            table = self._table(rows).repartition(partitions)
            given = table.select(_PLACE, F.call_function(SQL_FUNCTION, struct).alias("given"))
            found: pd.DataFrame = given.toPandas()
            probability: NDArray[np.float64] = found.sort_values(_PLACE)["given"].to_numpy()
            return probability

        self.spark.udf.register(SQL_FUNCTION, self.function)
        try:
            return answered(asked, frame)
        finally:
            self.spark.sql(f"DROP TEMPORARY FUNCTION IF EXISTS {SQL_FUNCTION}")

    def _table(self, frame: pd.DataFrame) -> DataFrame:
        """Return a frame as a Spark table with the frame's own types, and with the rows' places."""
        schema = ", ".join(f"`{name}` {_sql_type(values)}" for name, values in frame.items())
        places = pd.Series(range(len(frame)), name=_PLACE, dtype="int32")
        return self.spark.createDataFrame(pd.concat([places, frame], axis=1), f"{_PLACE} int, {schema}")


def time_calls(
    ask: Callable[[pd.DataFrame], Any],
    rows: Sequence[pd.DataFrame],
    *,
    enough: float,
    clock: Callable[[], float] | None = None,
) -> tuple[float, ...]:
    """Return the time of each call of a model, in milliseconds; it is called once before to warm up.

    Args:
        ask: Asks the model.
        rows: What it is asked, in order.
        enough: Once more than half of the calls took longer than this many milliseconds no further call is made: the
            median of all would lie beyond it too.
        clock: Gives seconds; by default the finest clock of this machine.
    """
    clock = clock or perf_counter
    ask(rows[0])
    taken: list[float] = []
    for row in rows:
        start = clock()
        ask(row)
        taken.append(1000 * (clock() - start))
        if 2 * sum(time > enough for time in taken) > len(rows):
            break
    return tuple(taken)


@contextmanager
def quiet_mlflow() -> Iterator[None]:
    """Keep MLflow's hints and progress bars from the terminal for a while; errors are still raised."""
    logger, bar = logging.getLogger("mlflow"), "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR"
    level, shown = logger.level, os.environ.get(bar)
    logger.setLevel(logging.ERROR)
    os.environ[bar] = "false"
    try:
        yield
    finally:
        logger.setLevel(level)
        if shown is None:
            del os.environ[bar]
        else:
            os.environ[bar] = shown


def _guarded(function: Any, lengths: Sequence[int]) -> Callable[..., Column]:
    """Return a function that asks a model's about several structs, in its own form: a value or a reason for each."""
    from pyspark.sql.pandas import functions  # noqa: PLC0415 - imported where Spark is

    fields = [f"probability_{number} double, refusal_{number} string" for number in range(len(lengths))]
    asked = function.func

    # This runs in Spark's workers, where Gauntlet may not be installed: it must not name anything of this module.
    def given(batches: Sequence[Any]) -> Iterator[Any]:
        place = 0
        while place < len(batches):
            # MLflow passes over empty batches without a word.
            answers = asked(batch for batch in batches[place:] if len(batch))
            try:
                while place < len(batches):
                    yield np.asarray(next(answers)) if len(batches[place]) else np.empty(0)
                    place += 1
            except Exception as error:  # what it refuses with is its answer
                yield f"{type(error).__name__}: {error}"
                place += 1

    def columns(batches: Sequence[Any], rows: int) -> dict[str, pd.Series]:
        logging.getLogger("mlflow").setLevel(logging.ERROR)  # a worker writes to the terminal of a local session
        made = {}
        for number, found in enumerate(given(batches)):
            refusal = found if isinstance(found, str) else None
            if refusal is None and len(found) != len(batches[number]):
                refusal = f"{len(batches[number])} rows were answered with {len(found)} values"
            values = [] if refusal else list(found)
            made[f"probability_{number}"] = pd.Series(values, dtype="float64").reindex(range(rows))
            made[f"refusal_{number}"] = pd.Series([refusal] * rows, dtype="object")
        return made

    def ask_frames(batches: Iterator[tuple[pd.DataFrame, ...]]) -> Iterator[pd.DataFrame]:
        for batch in batches:
            structs = [batch] if isinstance(batch, pd.DataFrame) else batch  # a single struct comes as it is
            parts = [frame.head(length) for frame, length in zip(structs, lengths, strict=True)]
            yield pd.DataFrame(columns(parts, len(structs[0])))

    def ask_arrow(batches: Iterator[tuple[pa.Array, ...]]) -> Iterator[pa.Array]:
        for batch in batches:
            structs = [batch] if isinstance(batch, pa.Array) else batch
            parts = [array.slice(0, length) for array, length in zip(structs, lengths, strict=True)]
            made = columns(parts, len(structs[0]))
            kinds = [pa.string() if name.startswith("refusal") else pa.float64() for name in made]
            arrays = [pa.array(values, kind) for values, kind in zip(made.values(), kinds, strict=True)]
            yield pa.StructArray.from_arrays(arrays, names=list(made))

    takes_frames = function.evalType == functions.PandasUDFType.SCALAR_ITER
    # The kind of function is in its annotations; pyspark's own hints do not know of several structs.
    made: tuple[Any, Any] = (functions.pandas_udf, ask_frames) if takes_frames else (functions.arrow_udf, ask_arrow)
    wrapped: Callable[..., Column] = made[0](made[1], ", ".join(fields))
    return wrapped


def _collected(given: Sequence[tuple[float | None, str | None]], rows: int) -> Answer:
    """Return the answer that a column of values and a column of reasons hold."""
    refusals = [refusal for _, refusal in given if refusal is not None]
    if refusals:
        return Answer(refusal=_reason(refusals[0]))
    values = [np.nan if value is None else value for value, _ in given[:rows]]
    return Answer(probability=np.array(values, dtype=np.float64))


def _wide(number: int, name: object) -> str:
    return f"asked_{number}_{name}"


def _sql_type(values: pd.Series) -> str:
    kinds = pd.api.types
    if kinds.is_bool_dtype(values):
        return "boolean"
    if kinds.is_integer_dtype(values):
        return "int" if values.dtype.itemsize <= 4 else "bigint"
    return "double" if kinds.is_float_dtype(values) else "string"


def _reason(text: str) -> str:
    """Return an error's text on one line, without the data that MLflow puts before the reason."""
    line = " ".join(text.split())
    shown = _PREAMBLE.sub("", line)
    return shown if len(shown) <= _REASON_CHARACTERS else f"… {shown[-_REASON_CHARACTERS:]}"
