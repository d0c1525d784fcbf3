"""The road on servers and in a workspace: the results are those of this machine, and of two that promote one does.

The workspace is the stand-in, asked by the real clients of Databricks' SDK and of MLflow. In place of its cluster
stands Spark's own Connect server with Delta, a process of another user; in place of databricks-connect pyspark's own
client of it (``tests/workspace_stand_in/connect_client.py``). Its data are read from where a workspace has its samples.
"""

import http.client
import json
import os
import shutil
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from gauntlet.adapters.databricks_target import LEDGER_FOLDER
from gauntlet.adapters.signing_keys import PROMOTER, SigningKeys
from gauntlet.core.state import State
from tests.benchmarks.promotion_races import raced
from tests.commands import SMALL_ROAD
from tests.remote.conftest import ended, results_of
from tests.remote.ledger_race import race_on_server, tell
from tests.workspace_stand_in.connect_client import SCHEMA

pytestmark = pytest.mark.remote

ON_SERVERS = ("--target", "remote", *SMALL_ROAD)
MODEL = f"{SCHEMA}.wine_classifier"


def _numbers(result):
    """Return what a result says, without where and when it was made, and how long or large that was."""
    if isinstance(result, dict):
        kept = {name: value for name, value in result.items() if name not in PASSING}
        return {name: _numbers(value) for name, value in kept.items()}
    return [_numbers(value) for value in result] if isinstance(result, list) else result


# A path holds the key of a stage, which holds the target's name; the journal holds seconds, the log and evidence too.
PASSING = {"path", "run_id", "journal", "model_uri", "evidence", "evidence_digest", "files", "verdicts"}


def test_both_targets_give_the_same_results(roads):
    local, remote = results_of(roads.local), results_of(roads.remote)
    assert sorted(local) == sorted(remote)
    assert remote["sweep"]["trials_digest"] == local["sweep"]["trials_digest"]
    for stage, result in local.items():
        assert _numbers(remote[stage]) == _numbers(result), stage


@pytest.mark.parametrize("target", ["remote", "databricks"])
def test_all_targets_give_the_same_verdicts(roads, target):
    here, there = (results_of(state)["judge"]["verdicts"] for state in (roads.local, getattr(roads, target)))
    assert {v["gate"]: v["status"] for v in there} == {v["gate"]: v["status"] for v in here}
    # What a model weighs and how long it thinks differ from one run to the next.
    alike = [[v for v in found if not v["gate"].startswith("artefact")] for found in (here, there)]
    assert {v["gate"]: v["measured"] for v in alike[1]} == {v["gate"]: v["measured"] for v in alike[0]}


def test_the_tables_files_on_the_server_are_held_against_the_evidence(stack, client, roads):
    options = ("--state", roads.remote, *ON_SERVERS)
    files = sorted((stack.folder / "storage/tables").rglob("gauntlet/wine_quality/split/*.parquet"))
    whole = files[0].read_bytes()
    files[0].write_bytes(whole[:-9] + bytes([whole[-9] ^ 1]) + whole[-8:])
    try:
        done = client.run("evidence", "verify", *options)
    finally:
        files[0].write_bytes(whole)
    assert done.code == 1
    assert files[0].name in done.err


@pytest.fixture(scope="module")
def promoting(client, roads, tmp_path_factory):
    """Let two clients promote at once; return each one's state folder and how its command ended, the winner first."""
    states = [tmp_path_factory.mktemp("clients") / name for name in ("first", "second")]
    shutil.copytree(roads.remote, states[0])
    # Those who promote to one server share the promoter's key.
    SigningKeys(State(states[0]).keys, PROMOTER).private()
    shutil.copytree(states[0], states[1])
    running = [client.started("promote", "--state", state, *ON_SERVERS) for state in states]
    done = [ended(process) for process in running]
    return sorted(zip(states, done, strict=True), key=lambda one: one[1].code)


def test_of_two_clients_that_promote_at_once_one_does_and_goes_on(client, promoting):
    assert [outcome.code for _, outcome in promoting] == [0, 1], promoting
    assert "Traceback" not in "".join(outcome.err for _, outcome in promoting)
    options = ("--state", promoting[0][0], *ON_SERVERS, "--json")
    went_on = client.run("run", "--until", "score", "--workers", "2", *options)
    assert went_on.code == 0, went_on.err
    assert went_on.document["champion"]["sequence"] == 1
    assert went_on.document["stages"]["score"] == "ran"
    # Each client may have made a version before one of them won; the ledger has the winner's alone.
    audited = client.run("audit", *options)
    assert (audited.code, audited.document["entries"]) == (0, 1), audited.out


def test_the_servers_champion_is_served_with_the_answers_it_was_judged_by(client, promoting):
    state, _ = promoting[0]
    process = client.started("serve", "--state", state, *ON_SERVERS, "--port", "0", "--json")
    try:
        described = json.loads(process.stdout.readline())
        shown = client.run("evidence", "show", described["evidence"], "--state", state, *ON_SERVERS, "--json")
        probe = shown.document["evidence"]["probe"]
        connection = http.client.HTTPConnection(urlsplit(described["address"]).netloc, timeout=60)
        body = json.dumps({"dataframe_split": {"columns": probe["columns"], "data": probe["rows"]}})
        connection.request("POST", "/invocations", body, {"Content-Type": "application/json"})
        answer = connection.getresponse()
        assert (answer.status, answer.getheader("x-gauntlet-model")) == (200, described["model"])
        assert json.loads(answer.read())["predictions"] == probe["probability"]
    finally:
        process.terminate()
        stopped = ended(process)
    assert stopped.code == 0, stopped.err


def test_moving_the_alias_is_seen_by_a_warm_worker(client, tmp_path):
    found = client.task("alias", tmp_path)
    first, second = found["probability"]
    assert found["version"] == [1, 2]
    assert found["worker"][0] == found["worker"][1]
    assert set(found["form"]) == {"answer_arrow"}  # the worker asked neither MLflow nor the registry
    assert len(first) == len(second) == 60
    assert all((a > 0.5) != (b > 0.5) for a, b in zip(first, second, strict=True))


def test_two_processes_race_over_http_and_each_number_has_one_winner(client, tmp_path):
    tell(tmp_path, client.environment)
    outcome = raced(race_on_server, folder=tmp_path, races=12)
    assert (outcome.doubles, outcome.unwon) == (0, 0)


# The road in the workspace.


def test_it_ends_with_a_champion_in_unity_catalog(roads):
    found, workspace = roads.walked.document, roads.outside.workspace
    model = workspace.models.models[MODEL]
    assert set(found["stages"].values()) == {"ran"}
    assert {verdict["status"] for verdict in found["verdicts"]} == {"PASS"}
    assert (found["champion"]["model"], found["champion"]["version"], found["champion"]["sequence"]) == (MODEL, 2, 1)
    assert found["champion"]["auc_readback"] == pytest.approx(found["champion"]["auc_test"], abs=1e-12)
    assert model.aliases == {"baseline": 1, "champion": 2}
    assert {version.status for version in model.versions.values()} == {"READY"}
    assert not [path for _, path in workspace.calls if "stage" in path]
    assert "rows are compared" in " ".join(found["not_checked"])


def test_its_data_are_the_workspaces_samples(roads):
    data = roads.walked.document["data"]
    if "GAUNTLET_DATA_DIR" in os.environ:
        assert (data["origin"], data["source"]) == ("mounted", "mounted path dbfs:/databricks-datasets/wine-quality")
        staged = [path for path in roads.outside.workspace.files.content if "/files/staging/" in path]
        # The texts that the reader found in the two files, in the order of the problem's sources.
        assert sorted(Path(path).name for path in staged) == ["source-0.parquet", "source-1.parquet"]
    else:
        refused = " ".join(data["refused_origins"])
        assert "dbfs:/databricks-datasets/wine-quality/winequality-red.csv: Spark cannot read it" in refused


def test_its_search_is_that_of_this_machine_on_tables_with_names_of_three_levels(roads):
    here, there = results_of(roads.local), results_of(roads.databricks)
    assert there["sweep"]["trials_digest"] == here["sweep"]["trials_digest"]
    assert there["baseline"]["forest"]["auc_selection"] == here["baseline"]["forest"]["auc_selection"]
    places = [("ingest", "raw"), ("ingest", "curated"), ("split", "table"), ("score", "table")]
    names = [there[stage][name]["full_name"] for stage, name in places]
    assert names == [f"{SCHEMA}.{name}" for name in ("raw", "curated", "split", "predictions")]


def test_its_ledger_is_experiments_in_order(roads):
    folder = f"{LEDGER_FOLDER}/{MODEL}/"
    records = [path for path in roads.outside.workspace.tree.entries if path.startswith(folder)]
    assert [path.removeprefix(folder) for path in records] == ["00000001", "00000002"]  # claimed, settled
    audited = roads.in_workspace("audit")
    assert audited.code == 0, audited.err + audited.out


def test_running_it_again_does_nothing(roads):
    again = roads.in_workspace("run")
    assert again.code == 0, again.err
    assert set(again.document["stages"].values()) == {"up to date"}
    assert again.document["champion"] == roads.walked.document["champion"]
