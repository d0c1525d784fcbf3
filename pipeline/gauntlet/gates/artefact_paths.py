"""This module provides the gate on the ways to ask the packed model: in memory, as pyfunc and on Spark it is one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from gauntlet.adapters.artefact import Answer, SparkModel, answered, load_packed
from gauntlet.core.problem import Column
from gauntlet.core.verdict import Status, Verdict
from gauntlet.gates.artefact_answers import packed
from gauntlet.gates.gate import gate
from gauntlet.stages.candidate import Candidate, Scorer

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

_ROWS = 200
_PARTITIONS = 7
_NO_SUCH_TEXT = "gauntlet: a text that no row holds"
_MEMORY, _PYFUNC, _SPARK = "the model in memory", "pyfunc", "the Spark function"
_SQL = f"the SQL function on {_PARTITIONS} partitions"


@dataclass(frozen=True)
class Case:
    """One kind of rows that a model may be asked about.

    Attributes:
        name: What is peculiar about them, for people.
        frame: The rows, their index counted from 0.
        may_refuse: Whether the packed model may refuse them, if it does so whichever way it is asked.
    """

    name: str
    frame: pd.DataFrame
    may_refuse: bool = False


@gate(
    "artefact::paths_agree",
    bounds=("gates.artefact.maximum_difference",),
    needs=("artefact", "splits", "models", "spark"),
    remedy="Ask the artefact for the named rows in the named ways and compare: mlflow.pyfunc.load_model(...).predict, "
    "and gauntlet.adapters.spark_model.spark_function on Spark. Its code must take columns by name, and no answer may "
    "depend on other rows.",
)
def paths_agree(candidate: Candidate) -> Verdict:
    """Guard that the model answers alike in memory, as a pyfunc, as a Spark function and in SQL, whatever it is given.

    On Spark the very function is asked that scores. Asked are up to 200 test rows: as they are (Spark: in one partition
    and in seven), with columns in another order, with a column too many, of whole numbers, with missing values, with
    unknown texts, one row, and none.

    Where a signature says double, MLflow takes whole numbers of 32 bits, and of 64 bits if all are 0 or 1; it refuses
    other 64-bit whole numbers, and booleans, before the model's code is asked. There, and where values are missing in
    columns that are not nullable, pyfunc and Spark must either both answer as the model in memory does, or both refuse.
    """
    name, bound = "artefact::paths_agree", candidate.problem.gates.artefact.maximum_difference
    test = candidate.splits.rows("test")
    rows = test.features.head(_ROWS).reset_index(drop=True)
    if rows.empty:
        return Verdict(name, Status.CONFIG_ERROR, "there is no test row to ask the model about", None, bound, 0)
    if candidate.spark is None:
        return Verdict(name, Status.CONFIG_ERROR, "there is no Spark to ask the model on", None, bound, len(rows))
    cases = tuple(cases_of(rows, candidate.problem.features))
    given = _answers(candidate, cases, candidate.spark())
    said = [disagreement(case, given[case.name], row_id=test.row_id, bound=bound) for case in cases]
    faults = [fault for fault in said if fault is not None]
    apart = max((_apart(answers) for answers in given.values()), default=np.nan)
    if faults:
        more = f" (and {len(faults) - 1} more of {len(cases)} cases)" if len(faults) > 1 else ""
        return Verdict(name, Status.FAIL, f"{faults[0]}{more}", apart, bound, len(rows))
    refused = [case.name for case in cases if given[case.name][_PYFUNC].probability is None]
    note = f"; pyfunc and Spark alike refuse {' and '.join(refused)}" if refused else ""
    sentence = (
        f"in memory, as pyfunc, on Spark and in SQL the model answers alike in {len(cases) - len(refused)} cases of up "
        f"to {len(rows)} rows, at most {apart:g} apart{note}"
    )
    return Verdict(name, Status.PASS, sentence, apart, bound, len(rows))


def cases_of(rows: pd.DataFrame, features: tuple[Column, ...]) -> Iterator[Case]:
    """Yield the kinds of rows that a model is asked about; those that it may refuse come last.

    Args:
        rows: Some rows of features, their index counted from 0.
        features: The features.
    """
    rows = rows[[column.name for column in features]]
    texts = [column.name for column in features if column.kind == "text"]
    numbers = [column.name for column in features if column.kind != "text"]
    booleans = [column.name for column in features if column.kind == "boolean"]
    nullable = [column.name for column in features if column.nullable]
    others = [column.name for column in features if not column.nullable]
    whole = rows[numbers].fillna(0).round().clip(-(2**31), 2**31 - 1)
    left_out = nullable if others else nullable[1:]  # a struct needs a field
    yield Case("plain rows", rows)
    yield Case("columns in another order", rows[rows.columns[::-1]])
    yield Case("a column too many", pd.concat([pd.Series("?", rows.index, name="gauntlet_more"), rows], axis=1))
    yield Case("one row", rows.head(1))
    yield Case("no rows", rows.head(0))
    if numbers:
        yield Case("32-bit whole numbers", rows.assign(**whole.astype("int32")))
    if texts:
        yield Case("unknown texts", rows.assign(**dict.fromkeys(texts, _NO_SUCH_TEXT)))
    if nullable:
        yield Case("missing values in nullable columns", _with_gaps(rows, nullable))
    if left_out:
        yield Case("nullable columns left out", rows.drop(columns=left_out))
    if others:
        yield Case("missing values in columns that are not nullable", _with_gaps(rows, others), may_refuse=True)
    if numbers:
        yield Case("64-bit whole numbers", rows.assign(**whole.astype("int64")), may_refuse=True)
    if booleans:
        yield Case("booleans as 0 and 1", rows.assign(**(rows[booleans].fillna(0) != 0).astype("int64")))
    if booleans:
        yield Case("booleans", rows.assign(**(rows[booleans].fillna(0) != 0)), may_refuse=True)


def disagreement(case: Case, answers: Mapping[str, Answer], *, row_id: Sequence[str], bound: float) -> str | None:
    """Return how the ways to ask a model differ in one case; None if they do not.

    Args:
        case: The case.
        answers: What each way gave; the model in memory comes first.
        row_id: The rows' identifiers.
        bound: How far two probabilities may lie apart.
    """
    refusals = {way: answer.refusal for way, answer in answers.items() if answer.refusal is not None}
    given = {way: answer.probability for way, answer in answers.items() if answer.probability is not None}
    if case.may_refuse and not given.keys() - {_MEMORY}:
        return None
    if refusals:
        way, reason = next(iter(refusals.items()))
        others = f"{next(iter(given))} answers" if given else "so does every other way"
        return f"{case.name}: {way} refuses ({reason}), {'but ' if given else ''}{others}"
    reference = given[_MEMORY]
    for way, found in given.items():
        different = np.flatnonzero(~_within(found, reference, bound))
        if len(different):
            place = int(different[0])
            return (
                f"{case.name}: {way} answers {len(different)} of {len(found)} rows otherwise than {_MEMORY}; row "
                f"{row_id[place]}: {found[place]:.17g} instead of {reference[place]:.17g}"
            )
    return None


def _answers(candidate: Candidate, cases: tuple[Case, ...], spark: SparkSession) -> dict[str, dict[str, Answer]]:
    """Return what each way to ask gave, by case and way."""
    copy, scorer = packed(candidate).verified, candidate.model.scorer
    pyfunc, on_spark = load_packed(copy), SparkModel.load(spark, copy)
    spark_gave = on_spark.answers([case.frame for case in cases])
    given = {
        case.name: {
            _MEMORY: _in_memory(scorer, case.frame, candidate.splits.features),
            _PYFUNC: answered(pyfunc.predict, case.frame),
            _SPARK: answer,
        }
        for case, answer in zip(cases, spark_gave, strict=True)
    }
    plain = cases[0]
    if given[plain.name][_SPARK].probability is not None:  # else the same failure again, in seven tasks
        given[plain.name][_SQL] = on_spark.sql_answer(plain.frame, partitions=_PARTITIONS)
    return given


def _in_memory(scorer: Scorer, frame: pd.DataFrame, features: tuple[str, ...]) -> Answer:
    """Return the model's own answer; what was left out is missing, and no rows have no answers."""
    if frame.empty:
        return Answer(probability=np.empty(0))
    left_out = [name for name in features if name not in frame]
    return answered(scorer.probability, frame.reindex(columns=[*frame.columns, *left_out]))


def _with_gaps(rows: pd.DataFrame, columns: list[str]) -> pd.DataFrame:
    """Return the rows, each without the value of one of the columns in turn."""
    missing = {name: np.arange(len(rows)) % len(columns) == place for place, name in enumerate(columns)}
    return rows.assign(**{name: rows[name].mask(gaps) for name, gaps in missing.items()})


def _within(given: NDArray[np.float64], reference: NDArray[np.float64], bound: float) -> NDArray[np.bool_]:
    near: NDArray[np.bool_] = np.abs(given - reference) <= bound  # never true of NaN
    return near


def _apart(answers: Mapping[str, Answer]) -> float:
    """Return how far the answers of one case lie apart at most."""
    given = [answer.probability for answer in answers.values() if answer.probability is not None]
    return float(np.ptp(np.stack(given), axis=0).max()) if given and len(given[0]) else 0.0
