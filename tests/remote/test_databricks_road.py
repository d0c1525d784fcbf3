"""The whole road on target ``databricks``, by the commands that a user outside the workspace runs.

The workspace is the stand-in, asked by the real clients of Databricks' SDK and of MLflow. In place of its cluster
stands Spark's own Connect server with Delta, a process of another user; in place of databricks-connect pyspark's own
client of it (``tests/workspace_stand_in/connect_client.py``). The data are read from where a workspace has its samples.
"""

import os
import shutil
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.commands import SMALL_ROAD, Ended
from tests.remote.conftest import Client, results_of
from tests.workspace_stand_in.connect_client import CATALOG, CLUSTER, RUNTIME, SCHEMA, Compute
from tests.workspace_stand_in.server import Workspace, started

pytestmark = pytest.mark.remote

OPTIONS = ("--target", "databricks", *SMALL_ROAD, "--set", f"names.databricks.catalog={CATALOG}")
MODEL = f"{SCHEMA}.wine_classifier"


@dataclass(frozen=True)
class Outside:
    """Somebody outside the workspace, who walked the road in it.

    Attributes:
        workspace: The workspace.
        client: Who asks it.
        state: Their state folder.
        walked: How the road ended.
    """

    workspace: Workspace
    client: Client
    state: Path
    walked: Ended

    def run(self, *arguments):
        return self.client.run(*arguments, *OPTIONS, "--state", self.state, "--json")


@pytest.fixture(scope="module")
def outside(stack, programs, tmp_path_factory):
    folder, mounts = tmp_path_factory.mktemp("outside"), stack.folder / "storage" / "mounts"
    samples = mounts / "databricks-datasets" / "wine-quality"
    samples.parent.mkdir(parents=True)
    if "GAUNTLET_DATA_DIR" in os.environ:
        shutil.copytree(os.environ["GAUNTLET_DATA_DIR"], samples)
    (mounts / "Volumes").mkdir()
    where = {status.name: status.address for status in stack.status()}
    compute = Compute(where["spark"], stack.secrets().token, mounts)
    workspace = Workspace(folder, SCHEMA, clusters={CLUSTER: f"{RUNTIME}.4.x-cpu-ml-scala2.12"})
    workspace.files.disk = mounts
    with started(workspace):
        known = programs | workspace.environment | compute.environment
        known |= {"DATABRICKS_CONFIG_FILE": str(folder / "no-profiles"), "GAUNTLET_CACHE_DIR": str(folder / "cache")}
        known.pop("GAUNTLET_DATA_DIR", None)
        client = Client(known, program="tests.workspace_stand_in.connect_client")
        walked = client.run("run", *OPTIONS, "--state", folder / "state", "--json", "--workers", "2")
        assert walked.code == 0, walked.err + walked.out
        yield Outside(workspace, client, folder / "state", walked)


def test_the_road_ends_with_a_champion_in_unity_catalog(outside):
    found, model = outside.walked.document, outside.workspace.models.models[MODEL]
    assert set(found["stages"].values()) == {"ran"}
    assert {verdict["status"] for verdict in found["verdicts"]} == {"PASS"}
    assert (found["champion"]["model"], found["champion"]["version"], found["champion"]["sequence"]) == (MODEL, 2, 1)
    assert found["champion"]["auc_readback"] == pytest.approx(found["champion"]["auc_test"], abs=1e-12)
    assert model.aliases == {"baseline": 1, "champion": 2}
    assert {version.status for version in model.versions.values()} == {"READY"}
    assert not [path for _, path in outside.workspace.calls if "stage" in path]
    assert "rows are compared" in " ".join(found["not_checked"])


def test_its_data_are_the_workspaces_samples(outside):
    data = outside.walked.document["data"]
    if "GAUNTLET_DATA_DIR" in os.environ:
        assert (data["origin"], data["source"]) == ("mounted", "mounted path dbfs:/databricks-datasets/wine-quality")
        staged = [path for path in outside.workspace.files.content if "/files/staging/" in path]
        assert sorted(Path(path).name for path in staged) == ["winequality-red.csv", "winequality-white.csv"]
    else:
        refused = " ".join(data["refused_origins"])
        assert "dbfs:/databricks-datasets/wine-quality/winequality-red.csv: Spark cannot read it" in refused


def test_its_tables_have_names_of_three_levels(outside):
    found = results_of(outside.state)
    places = [("ingest", "raw"), ("ingest", "curated"), ("split", "table"), ("score", "table")]
    names = [found[stage][name]["full_name"] for stage, name in places]
    assert names == [f"{SCHEMA}.{name}" for name in ("raw", "curated", "split", "predictions")]


def test_its_numbers_are_those_of_this_machine(outside, roads):
    here, there = results_of(roads.local), results_of(outside.state)
    assert there["sweep"]["trials_digest"] == here["sweep"]["trials_digest"]
    for name in ("forest", "reference"):
        assert there["baseline"][name]["auc_selection"] == here["baseline"][name]["auc_selection"]
    verdicts = [{v["gate"]: v["measured"] for v in found["judge"]["verdicts"]} for found in (here, there)]
    assert sorted(verdicts[0]) == sorted(verdicts[1])
    for gate, measured in verdicts[0].items():
        # What a model weighs and how long it thinks differ from one run to the next.
        assert gate.startswith("artefact") or verdicts[1][gate] == measured, gate


def test_its_ledger_is_experiments_in_order(outside):
    records = [path for path in outside.workspace.tree.entries if path.startswith(f"/Shared/gauntlet-ledger/{MODEL}/")]
    assert [path.rpartition("/")[2] for path in records] == ["00000001", "00000002"]  # claimed, settled
    audited = outside.run("audit")
    assert audited.code == 0, audited.err + audited.out


def test_running_again_does_nothing(outside):
    again = outside.run("run")
    assert again.code == 0, again.err
    assert set(again.document["stages"].values()) == {"up to date"}
    assert again.document["champion"] == outside.walked.document["champion"]
