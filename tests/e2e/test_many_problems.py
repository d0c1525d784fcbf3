"""Several problems in one run, for real: one Spark, a state folder each, and one that fails beside the others."""

import json
import sqlite3
from pathlib import Path

import pytest

from gauntlet.core.problem_file import default_problem_path
from tests.churn import make_churn

pytestmark = [pytest.mark.e2e, pytest.mark.local_only("looks into the state folders of several problems")]

SMALL = ("--set", "baseline.reference_trees=20")
UNTIL_REGISTER = ["ingest", "expectations", "explore", "split", "baseline", "register"]


@pytest.fixture(scope="module")
def folder(gauntlet, tmp_path_factory):
    """A folder with three problems: wines, customers, and customers whose table was lost."""
    folder = tmp_path_factory.mktemp("many")
    (folder / "models").mkdir()
    make_churn().to_csv(folder / "churn.csv", index=False)
    options = ("--label", "churned", "--output", folder / "models" / "churn.toml", "--json")
    drafted = gauntlet("init", "--from", folder / "churn.csv", *options, folder=folder)
    assert drafted.code == 0, drafted.out
    text = (folder / "models" / "churn.toml").read_text(encoding="utf-8")
    lost = text.replace('"churn"', '"lost"').replace("churn.csv", "lost.csv")
    (folder / "models" / "lost.toml").write_text(lost, encoding="utf-8")
    (folder / "models" / "wine.toml").write_text(default_problem_path().read_text(encoding="utf-8"), encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def ended(gauntlet, folder):
    """The run of all three."""
    return gauntlet("run", "--problem", "models", "--until", "register", *SMALL, "--json", folder=folder)


def test_one_fails_and_the_others_come_to_their_end(ended):
    assert ended.code == ended.document["exit_code"] == 2, ended.err
    churn, lost, wine = ended.document["runs"]
    assert [churn["problem"], lost["problem"], wine["problem"]] == ["churn", "lost", "wine_quality"]
    for run in (churn, wine):
        assert run["exit_code"] == 0
        assert run["stages"] == dict.fromkeys(UNTIL_REGISTER, "ran")
    assert lost["exit_code"] == 2
    assert "lost.csv" in lost["error"]
    assert "how it ended" in ended.err


def test_each_has_a_registry_of_its_own_with_its_own_model(ended, folder):
    assert {path.name for path in (folder / ".gauntlet").iterdir()} == {"churn", "lost", "wine_quality", "runs"}
    found = {}
    for name in ("churn", "wine_quality"):
        with sqlite3.connect(folder / ".gauntlet" / name / "mlflow" / "mlflow.db") as registry:
            found[name] = [row[0] for row in registry.execute("SELECT name FROM model_versions")]
            places = [row[0] for row in registry.execute("SELECT artifact_uri FROM runs")]
        assert places
        assert all(f"/.gauntlet/{name}/mlflow/" in place for place in places)
    assert found["wine_quality"] == ["gauntlet.wine_quality.wine_classifier"]
    assert len(found["churn"]) == 1
    assert found["churn"] != found["wine_quality"]


def test_one_session_serves_them_all(ended, folder):
    whole = Path(ended.document["log"]).read_text(encoding="utf-8")
    # Spark's JVM says how it logs when it starts, and at no other time.
    assert whole.count("Setting default log level") == 1
    assert all(log.exists() for log in (folder / ".gauntlet").glob("*/runs/*/log.txt"))


def test_they_run_side_by_side_and_each_line_bears_its_problems_name(ended):
    lines = [line for line in ended.err.splitlines() if "✓" in line]
    at = {
        name: [place for place, line in enumerate(lines) if line.startswith(name)] for name in ("churn", "wine_quality")
    }
    assert [len(places) for places in at.values()] == [len(UNTIL_REGISTER)] * 2
    assert len(lines) == 2 * len(UNTIL_REGISTER)
    # One after the other, the last line of one would stand before the first of the other.
    assert max(at["churn"]) > min(at["wine_quality"])
    assert max(at["wine_quality"]) > min(at["churn"])


def test_a_problem_comes_to_the_same_results_as_alone(ended, folder, small_road):
    def results(root):
        files = [next(root.glob(f"stages/{stage}/*/result.json")) for stage in UNTIL_REGISTER[:-1]]
        found = [json.loads(file.read_text(encoding="utf-8")) for file in files]
        # The key holds the digests of all that the stage worked from; MLflow makes up the names of runs.
        return [(one["key"], {**one["result"], "run_id": ""}) for one in found]

    assert results(folder / ".gauntlet" / "wine_quality") == results(small_road[0] / ".gauntlet")


def test_again_nothing_is_done_twice(gauntlet, ended, folder):
    again = gauntlet("run", "--problem", "models", "--until", "register", *SMALL, "--dry-run", "--json", folder=folder)
    runs = json.loads(again.out)["runs"]
    assert again.code == 2
    assert [{stage["state"] for stage in run.get("stages", ())} for run in runs] == [
        {"up to date"},
        set(),
        {"up to date"},
    ]
