"""Answers: the quick way gives MLflow's bits, and whatever MLflow's own server accepts or refuses, ours does."""

import asyncio
import json
import re
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from mlflow.exceptions import MlflowException
from mlflow.pyfunc import scoring_server

from gauntlet.core.problem import Column
from gauntlet.core.problem_file import load_problem
from gauntlet.serving.batches import Batches
from gauntlet.serving.quick_answers import QuickAnswers
from gauntlet.serving.refusals import Refusal, reason_of
from tests.served_models import MIXED, NUMBERS, made_features, pack, scoring_of, split_body

pytestmark = pytest.mark.unit

JSON, CSV = "application/json", "text/csv"
NAMES = [column.name for column in NUMBERS]
ROWS = made_features(NUMBERS, rows=7, seed=5)
RECORDS = ROWS.to_dict("records")
GAPS = ROWS.mask(np.eye(7, 3, dtype=bool))


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return pack(tmp_path_factory.mktemp("numbers") / "model", load_problem())


@pytest.fixture(scope="module")
def scoring(folder):
    return scoring_of(folder)


@pytest.fixture(scope="module")
def mixed(tmp_path_factory):
    return scoring_of(pack(tmp_path_factory.mktemp("mixed") / "model", load_problem(), MIXED))


def _split(columns, data, **more):
    return json.dumps({"dataframe_split": {"columns": columns, "data": data, **more}}).encode()


def _records(records):
    return json.dumps({"dataframe_records": records}).encode()


QUICK = {
    "plain rows": split_body(ROWS),
    "one row": split_body(ROWS.head(1)),
    "columns in another order": split_body(ROWS[NAMES[::-1]]),
    "null in nullable and other columns": split_body(GAPS),
    "null alone": _split(NAMES, [[None, None, None]]),
    "whole numbers": _split(NAMES, [[1, 2, 3], [4, 5.5, 6]]),
    "whole numbers beyond a float64's": _split(NAMES, [[2**53 + 1, 2**63 - 1, 2**64 + 2**12 + 1], [1, 2**64 - 1, 9]]),
    "whole numbers among nulls": _split(NAMES, [[2**60 + 1, None, 1], [None, 2, None]]),
    "booleans": _split(NAMES, [[True, False, True], [1.5, None, 3]]),
    "NaN, as Python writes it": b'{"dataframe_split": {"columns": ["alcohol", "pH", "age"], "data": [[NaN, 1, 2]]}}',
    "numbers that are nothing to a float32": _split(NAMES, [[1e-300, -0.0, 5e-324]]),
    "a float64 between two float32": _split(NAMES, [[10.0 + 2**-21, 0.1, 1 / 3]]),
    "an index": split_body(ROWS.head(2), index=[5, 5]),
    "records": _records(RECORDS),
    "records with keys in another order": _records([dict(reversed(record.items())) for record in RECORDS]),
    "records with null": _records([{"alcohol": 1, "pH": None, "age": 2.5}]),
}

SLOW = {
    "a column too many": split_body(ROWS.assign(größe="übrig")),
    "a nullable column left out": split_body(ROWS[["alcohol", "age"]]),
    "numbers as texts": _split(NAMES, [["1.5", "2", "3"]]),
    "an index of texts": split_body(ROWS.head(1), index=["a"]),
    "no rows": split_body(ROWS.head(0)),
    "a row that is too short": _split(NAMES, [[1, 2, 3], [1, 2]]),
    "records, one of which lacks a key": _records([*RECORDS, {"alcohol": 1, "age": 2}]),
    "parameters": json.dumps({"dataframe_records": RECORDS, "params": {"depth": 3}}).encode(),
    "instances": json.dumps({"instances": RECORDS}).encode(),
    "inputs by column": json.dumps({"inputs": ROWS.to_dict("list")}).encode(),
    "inputs by row": json.dumps({"inputs": RECORDS}).encode(),
}

REFUSED = {
    "an empty body": b"",
    "no JSON": b'{"dataframe_split": ',
    "another encoding": '{"dataframe_records": "ü"}'.encode("latin-1"),
    "a list": b"[1, 2]",
    "a number": b"7",
    "no known form": b'{"rows": [[1, 2, 3]]}',
    "two forms": json.dumps({"instances": RECORDS, "dataframe_records": RECORDS}).encode(),
    "a column that is missing": split_body(ROWS[["pH", "age"]]),
    "a text for a number": _split(NAMES, [[1, "sour", 3]]),
    "a text for a number, by record": _records([{"alcohol": 1, "pH": "sour", "age": 2}]),
    "a text for a number, as instance": json.dumps({"instances": [{"alcohol": 1, "pH": "sour", "age": 2}]}).encode(),
    "a text for a number, as input": json.dumps({"inputs": {"alcohol": [1], "pH": ["sour"], "age": [2]}}).encode(),
    "a list for a number": _split(NAMES, [[1, [2], 3]]),
    "an object for a number": _records([{"alcohol": 1, "pH": {"a": 1}, "age": 2}]),
    "a row that is no list": _split(NAMES, [7]),
    "a column twice": _split([*NAMES, "pH"], [[1, 2, 3, 4]]),
    "an index of another length": split_body(ROWS.head(2), index=[1]),
    "an unknown key in split": split_body(ROWS, names=[]),
    "split as a list": b'{"dataframe_split": [[1, 2, 3]]}',
    "records as an object": b'{"dataframe_records": {"alcohol": 1}}',
    "no records": _records([]),
    "a number too large for a float64": _split(NAMES, [[10**400, 2, 3]]),
    "columns of other lengths": json.dumps({"inputs": {"alcohol": [1, 2], "pH": [1], "age": [1]}}).encode(),
}


def _mlflows(scoring, body, content_type):
    """Return the status and the body that MLflow's server answers with."""
    try:
        done = scoring_server.invocations(body, content_type, scoring.model, scoring.schema)
    except MlflowException as error:
        return error.get_http_status_code(), error.serialize_as_json().encode()
    except Exception:
        return 500, b""
    return done.status, done.response.encode()


def _same_as_mlflow(scoring, body, content_type=JSON):
    """Ask MLflow's server and ours, require the same answer, and return ours."""
    status, content = _mlflows(scoring, body, content_type)
    try:
        ours = scoring.reply(body, content_type, maximum_rows=1000)
    except Refusal as refusal:
        assert status >= 400, content
        return refusal
    assert (ours.status, ours.content) == (status, content)
    assert status == 200
    return ours


@pytest.mark.parametrize("name", QUICK)
def test_the_quick_way_takes_plain_numbers_and_gives_mlflows_bits(scoring, name):
    ours = _same_as_mlflow(scoring, QUICK[name])
    assert ours.way == "quick"
    assert scoring.quick_reply(QUICK[name], JSON, maximum_rows=1000) == ours
    assert replace(scoring, quick=None).reply(QUICK[name], JSON, maximum_rows=1000).content == ours.content


def test_requests_that_are_answered_together_get_what_each_gets_alone(scoring):
    bodies = [*QUICK.values(), SLOW["a column too many"], REFUSED["no JSON"], split_body(ROWS.head(1))]
    found = scoring.quick_replies([(body, JSON) for body in (*bodies, b"")] + [(bodies[0], CSV)], maximum_rows=7)
    assert [reply.content for reply in found[: len(QUICK)]] == [
        scoring.reply(body, JSON, maximum_rows=7).content for body in QUICK.values()
    ]
    long_way, refused, one_row, empty, csv = found[len(QUICK) :]
    assert (long_way, csv) == (None, None)
    assert (refused.status, empty.status) == (400, 400)
    assert (one_row.content, one_row.rows) == (scoring.reply(bodies[-1], JSON, maximum_rows=7).content, 1)
    assert scoring.quick_replies([(split_body(ROWS), JSON)] * 2, maximum_rows=6) == [None, None]


def test_a_model_that_fails_for_a_batch_leaves_all_of_it_to_the_long_way(scoring):
    def fail(_matrix):
        raise ValueError("too sour")

    broken = replace(scoring, quick=replace(scoring.quick, predict_matrix=fail))
    assert broken.quick_replies([(split_body(ROWS), JSON), (b"", JSON)], maximum_rows=9)[0] is None


def test_what_is_there_at_once_is_one_batch_of_its_model(scoring):
    asked = []

    def ask(matrix):
        asked.append(len(matrix))
        return scoring.quick.predict_matrix(matrix)

    first = replace(scoring, quick=replace(scoring.quick, predict_matrix=ask))
    second = replace(first)
    body = split_body(ROWS.head(1))

    async def ask_all():
        batches = Batches(maximum_rows=9)
        requests = [batches.quick_reply(model, body, JSON) for model in (first, first, first, second)]
        requests += [batches.quick_reply(second, b"[", JSON)]
        return await asyncio.gather(*requests, return_exceptions=True)

    *replies, refusal = asyncio.run(ask_all())
    assert asked == [3, 1]
    assert {reply.content for reply in replies} == {scoring.reply(body, JSON, maximum_rows=9).content}
    assert refusal.status == 400


@pytest.mark.parametrize("name", SLOW)
def test_everything_else_that_mlflow_answers_goes_its_way(scoring, name):
    assert scoring.quick_reply(SLOW[name], JSON, maximum_rows=1000) is None
    assert _same_as_mlflow(scoring, SLOW[name]).way == "mlflow"


@pytest.mark.parametrize("name", REFUSED)
def test_what_mlflows_server_refuses_ours_refuses_with_400(scoring, name):
    refusal = _same_as_mlflow(scoring, REFUSED[name])
    assert isinstance(refusal, Refusal)
    assert refusal.status == 400
    assert json.loads(refusal.content).keys() == {"error_code", "message"}


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("a column that is missing", "Model is missing inputs ['alcohol']"),
        ("a text for a number", "column pH"),
        ("a text for a number, by record", "column pH"),
        ("a text for a number, as instance", "column 'pH', row 0: not a number"),
        ("a text for a number, as input", "column 'pH', row 0: not a number"),
        ("a list for a number", "column pH"),
        ("no JSON", "the body is no valid JSON"),
    ],
)
def test_a_refusal_names_the_column_and_repeats_no_rows(scoring, name, words):
    with pytest.raises(Refusal) as caught:
        scoring.reply(REFUSED[name], JSON, maximum_rows=1000)
    assert words in caught.value.message
    assert "Failed to enforce schema of data" not in caught.value.message
    assert len(caught.value.message) < 600


@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        (CSV, ROWS.to_csv(index=False).encode()),
        (CSV, GAPS[NAMES[::-1]].to_csv(index=False).encode()),
        (f"{CSV}; charset=utf-8", ROWS.assign(größe="ü").to_csv(index=False).encode()),
        (CSV, ROWS.head(0).to_csv(index=False).encode()),
        (CSV, ROWS[["pH", "age"]].to_csv(index=False).encode()),
        (CSV, b"alcohol,pH,age\n1,sour,3\n"),
        (CSV, b""),
        (CSV, b"alcohol,pH,age\n\xff\n"),
        (f"{JSON}; charset=utf-8", split_body(ROWS)),
        (f"{JSON}; charset=latin-1", split_body(ROWS)),
        (f"{JSON}; form=split", split_body(ROWS)),
        ("text/html", b"<p>"),
        ("application/vnd.apache.parquet", b"PAR1"),
    ],
)
def test_csv_and_other_types_are_taken_as_mlflow_takes_them(scoring, content_type, body):
    found = _same_as_mlflow(scoring, body, content_type)
    assert found.status in (200, 400, 415)


def test_a_text_in_a_csv_is_refused_with_its_column(scoring):
    with pytest.raises(Refusal, match="column 'pH', row 1: not a number"):
        scoring.reply(b"alcohol,pH,age\n1,2,3\n1,sour,3\n", CSV, maximum_rows=9)


HOUSES = (
    Column(name="price", source_name="Preis in €", decimal=",", thousands=".", strip=("€",)),
    Column(name="sold", kind="boolean", true_words=("ja",), false_words=("nein",)),
    Column(name="year", source_name="Tag", kind="integer", dates=("%d.%m.%Y",), part="year"),
    Column(name="city", kind="text", nullable=True, missing=("?",)),
)
HOUSE_ROWS = pd.DataFrame(
    {
        "price": [1234.5, 7.0, -3.0],
        "sold": [1.0, 0.0, 1.0],
        "year": [2024.0, 1999.0, 2001.0],
        "city": ["NA", None, "Porto"],
    }
)


@pytest.fixture(scope="module")
def houses(tmp_path_factory):
    features = (Column(name="alcohol", source_name="x"), Column(name="pH", source_name="y"), *HOUSES)
    return scoring_of(pack(tmp_path_factory.mktemp("houses") / "model", load_problem(), features, readings=True))


@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        (
            CSV,
            'x,y,Preis in €,sold,Tag,city,other\n9,10,"1.234,5 €",ja,1.2.2024,NA,z\n9,10,€7,NEIN,31.12.1999,?,z\n'
            '9,10,"-3,0",Ja,1.1.2001,Porto,z\n'.encode(),
        ),
        (
            f"{CSV}; charset=latin-1",
            "alcohol;pH;price;sold;year;city\n9;10;1234,5;ja;2024;NA\n9;10;7;nein;1999;\n9;10;-3;ja;2001;Porto\n".encode(
                "latin-1"
            ),
        ),
    ],
)
def test_csv_is_read_by_the_keys_of_the_problem_file(houses, content_type, body):
    rows = HOUSE_ROWS.assign(alcohol=9.0, pH=10.0)
    expected = houses.reply(split_body(rows), JSON, maximum_rows=9)
    assert houses.reply(body, content_type, maximum_rows=9).content == expected.content


def test_the_category_na_stays_a_category(tmp_path_factory):
    columns = (*NUMBERS[:2], Column(name="city", kind="text", nullable=True))
    features = made_features(columns).assign(city=["NA", "Porto"] * 100)
    folder = pack(tmp_path_factory.mktemp("codes") / "model", load_problem(), columns, readings=True, features=features)
    ways = scoring_of(folder)
    body = features.head(40).to_csv(index=False).encode()
    assert (
        ways.reply(body, CSV, maximum_rows=99).content
        == ways.reply(split_body(features.head(40)), JSON, maximum_rows=99).content
    )


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"alcohol,pH,age\n1,2\n", "row 0 has another number of cells than the header"),
        (b'alcohol,pH,age\n1,"2,3\n', "a quote that is opened in the record of line 2 is never closed"),
        (b"alcohol,pH,pH,age\n1,2,2,3\n", "column 'pH' is there more than once"),
        (b"alcohol,pH,age\n1,2,3\n1,1e39,3\n", "column 'pH', row 1: beyond 3.4e38"),
        (b"alcohol,pH,age\n1,2,\xff\n", "the body is no utf-8 text at byte 19"),
    ],
)
def test_csv_that_cannot_be_read_is_refused_without_its_data(scoring, body, words):
    with pytest.raises(Refusal, match=re.escape(words)) as caught:
        scoring.reply(body, CSV, maximum_rows=9)
    assert caught.value.status == 400


@pytest.mark.parametrize(
    "body",
    [
        _split(NAMES, [[1, 2, 3], [1, 1e39, 3]]),
        _records([{"alcohol": 1, "pH": 2, "age": 3}, {"alcohol": 1, "pH": -1e39, "age": 3}]),
        json.dumps({"inputs": {"alcohol": [1, 1], "pH": [2, 1e300], "age": [3, 3]}}).encode(),
        b'{"dataframe_split": {"columns": ["alcohol", "pH", "age"], "data": [[1, 2, 3], [1, Infinity, 3]]}}',
    ],
)
def test_numbers_beyond_a_models_are_refused_in_every_form(scoring, body):
    for way in (scoring, replace(scoring, quick=None)):
        with pytest.raises(Refusal, match=r"column 'pH', row 1: beyond 3\.4e38, the largest number") as caught:
            way.reply(body, JSON, maximum_rows=9)
        assert caught.value.status == 400


def test_a_request_without_a_type_is_refused(scoring):
    with pytest.raises(Refusal, match="no Content-Type") as caught:
        scoring.reply(split_body(ROWS), None, maximum_rows=9)
    assert caught.value.status == 415


@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        (JSON, split_body(ROWS)),
        (JSON, _records(RECORDS)),
        (JSON, json.dumps({"instances": RECORDS}).encode()),
        (JSON, json.dumps({"inputs": ROWS.to_dict("list")}).encode()),
        (CSV, ROWS.to_csv(index=False).encode()),
    ],
)
def test_more_rows_than_allowed_are_refused_in_every_form(scoring, content_type, body):
    assert scoring.reply(body, content_type, maximum_rows=7).rows == 7
    with pytest.raises(Refusal, match="7 rows were sent, and 6 are allowed") as caught:
        scoring.reply(body, content_type, maximum_rows=6)
    assert caught.value.status == 413


def test_texts_go_mlflows_way_and_an_unknown_one_is_answered(mixed):
    assert mixed.quick is None
    frame = made_features(MIXED, rows=3).assign(city=["Porto", "Évora ☃", None])
    reply = mixed.reply(split_body(frame), JSON, maximum_rows=9)
    assert (reply.rows, reply.way) == (3, "mlflow")
    expected = mixed.model.predict(frame.astype({"city": object}))
    assert json.loads(reply.content)["predictions"] == list(expected)


def test_a_model_whose_code_offers_no_quick_way_has_none(scoring, monkeypatch):
    monkeypatch.delattr(type(scoring.model.unwrap_python_model()), "number_columns")
    assert QuickAnswers.of(scoring.model) is None


def test_a_model_that_takes_other_columns_than_it_signs_has_no_quick_way(scoring, monkeypatch):
    monkeypatch.setattr(type(scoring.model.unwrap_python_model()), "number_columns", ("alcohol", "pH"))
    assert QuickAnswers.of(scoring.model) is None


def test_a_model_that_fails_is_asked_mlflows_way_which_words_the_refusal(scoring):
    def fail(_matrix):
        raise ValueError("too sour")

    broken = replace(scoring, quick=replace(scoring.quick, predict_matrix=fail))
    assert broken.reply(split_body(ROWS), JSON, maximum_rows=9).way == "mlflow"


def test_mlflows_reasons_lose_the_data_whatever_it_holds():
    nasty = pd.DataFrame({"a": ["with schema 'x'. Error: no"]})
    message = (
        f"Failed to predict data '{nasty}'. \nError: Failed to enforce schema of data '{nasty}' with schema '[a]'."
    )
    assert reason_of(f"{message} Error: Model is missing inputs ['b'].") == "Model is missing inputs ['b']."
    assert len(reason_of("x" * 10_000)) < 600
