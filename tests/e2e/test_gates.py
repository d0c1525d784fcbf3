"""`pytest -m gates` as a CI system runs it: a process of its own, green on sound data, else red with a sentence."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
import sarif_pydantic

pytestmark = [pytest.mark.e2e, pytest.mark.local_only("runs suites of their own")]

ROOT = Path(__file__).resolve().parents[2]
SMALL = [f"--gauntlet-set={setting}" for setting in ("sweep.trials=8", "sweep.lag=4", "sweep.max_rounds=120")]
SUITE = """
from gauntlet.testing import parametrize_with_gates

@parametrize_with_gates({problem})
def test_gate(gate):
    gate()
"""
_SECONDS = 900


@pytest.fixture
def pytest_gates(tmp_path):
    """Run a suite of one line in a folder of its own; its state is there too."""

    def run(*arguments, problem="", **changes):
        (tmp_path / "pytest.ini").write_text("[pytest]\naddopts = --strict-markers\n", encoding="utf-8")
        (tmp_path / "test_gates.py").write_text(SUITE.format(problem=problem), encoding="utf-8")
        command = [sys.executable, "-m", "pytest", "-m", "gates", *SMALL, *arguments]
        environment = {key: value for key, value in (os.environ | changes).items() if value is not None}
        done = subprocess.run(
            command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=_SECONDS, check=False
        )
        return done.returncode, done.stdout + done.stderr

    return run


def _verdicts(folder):
    found = json.loads((folder / "verdicts.json").read_text(encoding="utf-8"))["verdicts"]
    return {verdict["gate"]: verdict for verdict in found}


def test_on_synthetic_rows_every_gate_passes_and_the_files_for_machines_are_written(pytest_gates, tmp_path):
    code, said = pytest_gates(
        "--gauntlet-verdicts=verdicts.json", "--gauntlet-sarif=gates.sarif", "--junitxml=junit.xml",
        GAUNTLET_DATA_DIR=str(tmp_path / "nothing"), HTTPS_PROXY="http://127.0.0.1:9", https_proxy="http://127.0.0.1:9",
        GAUNTLET_CACHE_DIR=os.environ.get("GAUNTLET_CACHE_DIR"),
    )  # fmt: skip
    assert code == 0, said
    assert "gauntlet: sweep ran in" in said
    assert "what this run did not check" in said
    verdicts = _verdicts(tmp_path)
    assert {verdict["status"] for verdict in verdicts.values()} == {"PASS"}
    assert {"data/curated::alcohol::not_null", "model::auc_at_least_baseline"} <= verdicts.keys()
    log = sarif_pydantic.Sarif.model_validate_json((tmp_path / "gates.sarif").read_text(encoding="utf-8"))
    assert len(log.runs[0].results) == len(verdicts)
    assert 'name="test_gate[model::auc_at_least_baseline]"' in (tmp_path / "junit.xml").read_text(encoding="utf-8")


def test_data_that_breaks_an_expectation_makes_that_item_red_and_every_other_says_why(pytest_gates, tmp_path):
    rows = pd.DataFrame({"amount": [float(i % 90) for i in range(900)], "late": [i % 3 == 0 for i in range(900)]})
    rows.to_csv(tmp_path / "bills.csv", index=False)
    drafted = [sys.executable, "-m", "gauntlet", "init", "--from", "bills.csv", "--label", "late"]
    subprocess.run(drafted, cwd=tmp_path, check=True, capture_output=True)
    _adopt_range(tmp_path / "suites" / "bills" / "raw.json")
    rows.loc[7, "amount"] = 1e9
    rows.to_csv(tmp_path / "bills.csv", index=False)
    code, said = pytest_gates("--gauntlet-verdicts=verdicts.json", problem='"bills.toml"')
    assert code == 1, said
    verdicts = _verdicts(tmp_path)
    assert verdicts["data/raw::amount::between"]["status"] == "FAIL"
    assert verdicts["data/raw::amount::not_null"]["status"] == "PASS"
    assert verdicts["model::auc_at_least_baseline"]["status"] == "CONFIG_ERROR"
    assert "there is no candidate to judge" in verdicts["model::auc_at_least_baseline"]["sentence"]


def _adopt_range(path):
    """Make the drafted range of the amounts a hard one: every row must keep it, and a breach stops the run."""
    suite = json.loads(path.read_text(encoding="utf-8"))
    (entry,) = (one for one in suite["expectations"] if one["type"] == "expect_column_values_to_be_between")
    entry["severity"] = "critical"
    entry["kwargs"] |= {"min_value": 0, "max_value": 100, "mostly": 1.0}
    path.write_text(json.dumps(suite), encoding="utf-8")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--problem=nowhere.toml"], "nowhere.toml"),
        (["--target=remote"], "remote"),
        (["-k", "no_such_gate"], "deselected"),
    ],
    ids=["no problem file", "target that is not there", "no gate left"],
)
def test_what_cannot_be_judged_is_red_without_a_traceback(pytest_gates, arguments, said):
    code, text = pytest_gates(*arguments)
    assert code != 0
    assert said in text
    assert "Traceback" not in text
