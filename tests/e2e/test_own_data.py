"""Anybody's table: drafted, run, and bad input refused with one line and nothing half-written."""

import json

import numpy as np
import pandas as pd
import pytest

pytestmark = pytest.mark.e2e

SMALL = ("--set", "sweep.trials=6", "--set", "sweep.lag=4", "--set", "sweep.max_rounds=60")
# A network that is off: every connection is refused at once, but those to servers on this machine.
OFFLINE = dict.fromkeys(("HTTPS_PROXY", "HTTP_PROXY", "https_proxy", "http_proxy"), "http://127.0.0.1:9") | (
    dict.fromkeys(("NO_PROXY", "no_proxy"), "127.0.0.1,localhost")
)
WINE_HEADER = (
    '"fixed acidity";"volatile acidity";"citric acid";"residual sugar";"chlorides";"free sulfur dioxide";'
    '"total sulfur dioxide";"density";"pH";"sulphates";"alcohol";"quality"'
)
WINE_ROW = "7.4;0.7;0;1.9;0.076;11;34;0.9978;3.51;0.56;9.4;5"


def _write_table(path, *, rows=1500):
    """Write a table with texts, booleans, integers, missing values and about 5 % positives, which can be learnt."""
    generator = np.random.default_rng(11)
    spend = generator.gamma(2.0, 30.0, rows).round(2)
    calls = generator.integers(0, 40, rows)
    plan = generator.choice(["basic", "plus", "pro"], rows)
    risk = calls / 8 - spend / 60 + 2.0 * (plan == "basic") + generator.normal(0, 0.5, rows)
    table = pd.DataFrame(
        {
            "plan": plan,
            "spend": np.where(generator.random(rows) < 0.05, np.nan, spend),
            "auto pay": generator.random(rows) < 0.6,
            "calls": pd.array(calls, dtype="Int64"),
            "churned": np.where(risk > np.quantile(risk, 0.95), "yes", "no"),
        }
    )
    table.loc[generator.random(rows) < 0.05, "calls"] = pd.NA
    table.to_csv(path, index=False)
    return path


def test_a_table_with_texts_booleans_and_missing_values_becomes_a_champion(gauntlet, tmp_path):
    table = _write_table(tmp_path / "churn.csv")
    drafted = gauntlet("init", "--from", table, "--label", "churned", "--json", folder=tmp_path)
    assert drafted.code == 0, drafted.out
    ended = gauntlet("run", "--problem", drafted.document["problem"], *SMALL, "--json", folder=tmp_path, **OFFLINE)
    assert ended.code == 0, ended.out
    found = ended.document
    assert found["data"]["synthetic"] is False
    assert found["expectations"]["failed"] == []
    assert found["split"]["repeats_across"] == 0
    # The table is sound, and the floor repeats the recipe in folds where test holds few positive rows.
    refused = [verdict for verdict in found["verdicts"] if verdict["status"] in ("FAIL", "CONFIG_ERROR")]
    assert refused == []
    assert (ended.code, found["champion"]["version"], found["score"]["rows"]) == (0, 2, 1500)


def test_without_network_and_files_the_synthetic_rows_step_in_and_say_so(gauntlet, tmp_path):
    none = {"GAUNTLET_DATA_DIR": str(tmp_path / "nothing"), "GAUNTLET_CACHE_DIR": str(tmp_path / "cache")}
    refused = gauntlet("run", "--no-synthetic", "--json", folder=tmp_path, **OFFLINE, **none)
    assert refused.code == 2
    assert all(kind in refused.document["error"] for kind in ("folder", "archive", "links"))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "empty"),
        (WINE_HEADER.encode(), "header"),
        (f"{WINE_HEADER}\n{WINE_ROW}\n".replace(";", ",").encode(), "delimiter"),
        (f"{WINE_HEADER}\n{WINE_ROW}\n".encode("utf-16"), "UTF-16"),
        (b"<!DOCTYPE html><html><body>Not found</body></html>", "HTML"),
        (f"{WINE_HEADER};extra\n{WINE_ROW};1\n".encode(), "extra"),
        (f"{WINE_HEADER}\n{WINE_ROW}\n".replace('"alcohol";', "").replace("9.4;", "").encode(), "alcohol"),
    ],
    ids=["empty", "header only", "wrong delimiter", "UTF-16", "HTML", "extra column", "missing column"],
)
def test_a_bad_file_is_one_error_with_exit_code_2_and_no_table(gauntlet, tmp_path, content, message):
    for name in ("winequality-red.csv", "winequality-white.csv"):
        (tmp_path / name).write_bytes(content)
    sources = [
        {"name": name, "file": f"winequality-{name}.csv", "delimiter": ";", "constants": {"is_red": name == "red"}}
        for name in ("red", "white")
    ]
    inline = "[" + ", ".join(_toml(source) for source in sources) + "]"
    ended = gauntlet(
        *("run", "--no-synthetic", "--json", "--set", f"sources={inline}"),
        folder=tmp_path,
        GAUNTLET_DATA_DIR=str(tmp_path),
        GAUNTLET_CACHE_DIR=str(tmp_path / "cache"),
        **OFFLINE,
    )
    assert ended.code == 2
    assert message in ended.document["error"]
    assert "Traceback" not in ended.out + ended.err
    assert not (tmp_path / ".gauntlet" / "tables").exists()


def _toml(value):
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key} = {_toml(item)}" for key, item in value.items()) + "}"
    return json.dumps(value)
