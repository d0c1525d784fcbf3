"""Parity: the same rows through pandas, pyfunc, Spark, our server and MLflow's give the same predictions.

JSON has no types of numbers: both servers cast what they get to the signature, where pyfunc and Spark refuse whole
numbers of 64 bits. So a case says which ways may refuse it; all others must answer as pandas does, bit for bit.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import mlflow
import numpy as np
import pandas as pd
import pytest
import skops.io
import xgboost

from gauntlet.adapters.artefact import Answer, SparkModel, answered, load_packed
from gauntlet.adapters.probability_model import TRUSTED_TYPES
from gauntlet.adapters.registry import CHAMPION
from gauntlet.adapters.target import LocalTarget
from gauntlet.core.encoding import Encoding, encode
from gauntlet.core.problem_file import load_problem
from gauntlet.core.state import State
from gauntlet.stages.champions import open_champions
from tests.scoring_servers import Server, gauntlet_server, mlflow_server
from tests.served_models import split_body
from tests.verified import own_copy

pytestmark = [pytest.mark.e2e, pytest.mark.local_only("holds ways of scoring on this machine against each other")]

PANDAS, PYFUNC, SPARK, OURS, MLFLOWS = "pandas", "pyfunc", "Spark", "gauntlet serve", "mlflow models serve"
TYPED = (PYFUNC, SPARK)
SERVERS = (OURS, MLFLOWS)


@dataclass(frozen=True)
class Case:
    """One kind of rows.

    Attributes:
        of: Makes them from good rows.
        refused: The ways that must refuse them; the others must answer.
    """

    of: Callable[[pd.DataFrame], pd.DataFrame]
    refused: tuple[str, ...] = ()


CASES = {
    "10,000 rows": Case(lambda rows: rows),
    "one row": Case(lambda rows: rows.head(1)),
    "no rows": Case(lambda rows: rows.head(0)),
    "columns in another order": Case(lambda rows: rows.head(50)[rows.columns[::-1]]),
    "nulls": Case(lambda rows: rows.head(60).mask(np.arange(60)[:, None] % 13 == np.arange(12))),
    "a row of nulls": Case(lambda rows: rows.head(1) * np.nan),
    "whole numbers of 32 bits": Case(lambda rows: rows.head(50).round().astype("int32")),
    "whole numbers of 64 bits": Case(lambda rows: rows.head(50).round().astype("int64"), refused=TYPED),
    "booleans": Case(lambda rows: rows.head(50).assign(is_red=rows["is_red"] > 0), refused=TYPED),
    "a column too many": Case(lambda rows: pd.concat([pd.Series(7.5, rows.index, name="more"), rows], axis=1).head(50)),
    "a unicode column too many": Case(lambda rows: rows.head(50).assign(größe="Évora ☃ 葡萄酒")),
    "a column that is missing": Case(
        lambda rows: rows.head(50).drop(columns="alcohol"), refused=(PANDAS, *TYPED, *SERVERS)
    ),
    "texts for numbers": Case(lambda rows: rows.head(50).assign(alcohol="vinho ☃"), refused=(PANDAS, *TYPED, *SERVERS)),
}


@dataclass(frozen=True)
class Ways:
    """The ways to ask the champion.

    Attributes:
        rows: Good rows.
        by_frame: The ways that take a frame.
        spark: The Spark function.
        servers: The servers.
    """

    rows: pd.DataFrame
    by_frame: dict[str, Callable[[pd.DataFrame], Any]]
    spark: SparkModel
    servers: dict[str, Server]

    def answers(self, frame: pd.DataFrame) -> dict[str, Answer]:
        """Return what each way gives for some rows."""
        frame = frame.reset_index(drop=True)
        given = {way: answered(ask, frame) for way, ask in self.by_frame.items()}
        given[SPARK] = self.spark.answers([frame])[0] if len(frame) else self._spark_of_none(frame)
        return given | {way: _served(server, split_body(frame)) for way, server in self.servers.items()}

    def _spark_of_none(self, frame: pd.DataFrame) -> Answer:
        """Ask for one row first, as Spark runs no function for none."""
        both = self.spark.answers([self.rows.head(1), frame])
        return both[1]


def records_of(frame: pd.DataFrame) -> bytes:
    """Return rows as a request of the form ``dataframe_records``."""
    table = json.loads(split_body(frame))["dataframe_split"]
    records = [dict(zip(table["columns"], row, strict=True)) for row in table["data"]]
    return json.dumps({"dataframe_records": records}).encode()


def _served(server: Server, body: bytes, content_type: str = "application/json") -> Answer:
    status, content = server.ask(body, content_type)
    document = json.loads(content)
    if status != 200:
        assert (status, document.keys() >= {"error_code", "message"}) == (400, True)
        return Answer(refusal=document["message"])
    return Answer(probability=np.array(document["predictions"], dtype=np.float64))


@pytest.fixture(scope="module")
def ways(small_road, spark):
    """The champion of the small road, by every way."""
    folder, ended = small_road
    assert ended.code == 0, ended.out
    state = State(folder / ".gauntlet")
    problem = load_problem()
    target = LocalTarget(problem=problem, state=state, workers=2)
    registry = open_champions(target, state).registry
    names = [column.name for column in problem.features]
    draw = np.random.default_rng(11)
    rows = pd.DataFrame(draw.normal(10, 4, (10_000, len(names))).round(3), columns=names)
    rows["is_red"] = draw.integers(0, 2, len(rows)).astype(float)
    with registry.artefact(registry.version_of(CHAMPION)) as artefact:
        copy = own_copy(artefact)
        packed = load_packed(copy)
        frames = {PANDAS: _in_memory(artefact), PYFUNC: packed.predict}
        with gauntlet_server(state.root) as ours, mlflow_server(artefact) as theirs:
            yield Ways(rows, frames, SparkModel.load(spark, copy), {OURS: ours, MLFLOWS: theirs})


def _in_memory(artefact) -> Callable[[pd.DataFrame], Any]:
    """Return the model as its own library loads it, asked with a frame that is encoded here."""
    files = mlflow.models.Model.load(str(artefact)).flavors["python_function"]["artifacts"]
    path = {name: artefact / file["path"] for name, file in files.items()}
    encoding = Encoding.model_validate_json(path["encoding"].read_text(encoding="utf-8"))
    if "booster" in path:
        predict = xgboost.Booster(params={"nthread": 1}, model_file=path["booster"]).inplace_predict
    else:
        forest = skops.io.load(path["forest"], trusted=TRUSTED_TYPES)
        predict = lambda matrix: forest.predict_proba(matrix)[:, 1]  # noqa: E731
    return lambda frame: (
        predict(encode(frame, encoding)).astype(np.float64) if len(frame) else np.empty(0, dtype=np.float64)
    )


@pytest.mark.parametrize("name", CASES)
def test_all_ways_give_the_same_predictions_or_refuse(ways, name):
    case = CASES[name]
    frame = case.of(ways.rows)
    given = ways.answers(frame)
    refused = {way: answer.refusal for way, answer in given.items() if answer.probability is None}
    assert refused.keys() == set(case.refused), refused
    expected = given[PANDAS].probability
    for way, answer in given.items():
        if way not in case.refused:
            assert answer.probability.tobytes() == expected.tobytes(), way
            assert len(answer.probability) == len(frame), way


@pytest.mark.parametrize("form", ["dataframe_records", "instances", "inputs by row", "inputs by column", "CSV"])
def test_both_servers_take_every_form_alike(ways, form):
    rows = ways.rows.head(40)
    records = rows.to_dict("records")
    bodies = {
        "dataframe_records": records_of(rows),
        "instances": json.dumps({"instances": records}).encode(),
        "inputs by row": json.dumps({"inputs": records}).encode(),
        "inputs by column": json.dumps({"inputs": rows.to_dict("list")}).encode(),
        "CSV": rows.to_csv(index=False).encode(),
    }
    content_type = "text/csv" if form == "CSV" else "application/json"
    given = [_served(server, bodies[form], content_type).probability for server in ways.servers.values()]
    expected = ways.by_frame[PANDAS](rows)
    assert [found.tobytes() for found in given] == [expected.tobytes()] * 2


def test_a_refusal_of_ours_names_the_column(ways):
    for name in ("a column that is missing", "texts for numbers"):
        frame = CASES[name].of(ways.rows)
        assert "alcohol" in _served(ways.servers[OURS], split_body(frame)).refusal
