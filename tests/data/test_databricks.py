"""Target ``databricks``: champions by the real clients against the stand-in, and tables with three-level names.

The stand-in has no Spark. So the champions' tables are those of target ``local`` here, and Unity Catalog's are tried on
the local session, whose own catalog has three-level names too.
"""

from __future__ import annotations

from dataclasses import replace
from functools import cached_property
from pathlib import Path
from urllib.parse import urlsplit

import mlflow
import pytest
from mlflow.entities import ExperimentTag

from gauntlet.adapters.databricks_settings import databricks_settings
from gauntlet.adapters.databricks_tables import UnityTables
from gauntlet.adapters.databricks_target import LEDGER_FOLDER, DatabricksTarget
from gauntlet.adapters.tables import Tables
from gauntlet.core.errors import RefusedError, RequirementError
from gauntlet.core.problem_file import load_problem
from tests.data.model_world import OVERRIDES, Contest, local_target, shared_world
from tests.workspace_stand_in.server import Workspace, started

pytestmark = [pytest.mark.data, pytest.mark.local_only("has a target of its own, on the local session")]

SCHEMA = "gauntlet.wine_quality"
MODEL = f"{SCHEMA}.wine_classifier"
RECORD = "gauntlet.ledger_record"


class LocalTables(DatabricksTarget):
    """Target ``databricks`` with the tables of this machine."""

    @cached_property
    def tables(self) -> Tables:
        """The tables in the state folder."""
        return local_target(self.problem, self.state).tables


@pytest.fixture(scope="module")
def workspace(tmp_path_factory):
    """The stand-in, for the whole module, and an environment that is let in."""
    with pytest.MonkeyPatch.context() as patch, started(Workspace(tmp_path_factory.mktemp("w"), SCHEMA)) as workspace:
        for name, value in workspace.environment.items():
            patch.setenv(name, value)
        patch.setenv("DATABRICKS_CONFIG_FILE", str(workspace.folder / "no-profiles"))
        yield workspace
    mlflow.set_tracking_uri("")
    mlflow.set_registry_uri("")


@pytest.fixture(scope="module")
def contest(workspace, spark, tmp_path_factory):
    """Two models that were judged there; the first is champion."""
    problem = load_problem(overrides=OVERRIDES | {"names.databricks.catalog": "gauntlet"})
    world = shared_world(tmp_path_factory, spark).copied(tmp_path_factory.mktemp("databricks") / "state")
    return Contest.make(replace(world, problem=problem, target=LocalTables))


def test_champions_follow_one_another_and_go_back_in_unity_catalog(contest, workspace, monkeypatch):
    world, model = contest.world, workspace.models.models[MODEL]
    assert world.context("look").target.name == "databricks"
    assert contest.crowned.champion.name == MODEL
    assert model.aliases == {"champion": 1}
    second = world.promote_on_evidence()
    assert (second.champion.version, second.previous.version, second.sequence) == (2, 1, 2)
    assert model.aliases == {"champion": 2}
    assert model.versions[1].tags["gauntlet_status"] == "archived"
    with monkeypatch.context() as patch:
        patch.setattr(model, "aliases", {"champion": 1})
        with pytest.raises(RefusedError, match="somebody moved the alias by hand"):
            world.roll_back()
    back = world.roll_back()
    assert (back.version, back.previous_version, back.sequence) == (1, 2, 3)
    assert model.aliases == {"champion": 1}
    assert world.audit().findings == ()


def _records(workspace):
    return sorted(path for path in workspace.tree.entries if path.startswith(f"{LEDGER_FOLDER}/{MODEL}/"))


def test_the_ledger_is_experiments_that_nobody_can_make_twice(contest, workspace):
    records = _records(workspace)
    assert [path.rpartition("/")[2] for path in records] == [f"{n + 1:08d}" for n in range(len(records))]
    assert len(records) == 2 * len(contest.world.champions.history().entries)
    with pytest.raises(mlflow.MlflowException) as caught:
        contest.world.registry.tracking.client.create_experiment(records[-1])
    assert caught.value.error_code == "RESOURCE_ALREADY_EXISTS"


def _moved(workspace, patch):
    patch.setattr(workspace.models.models[MODEL], "aliases", {})


def _tagged(workspace, patch):
    version = workspace.models.models[MODEL].versions[1]
    patch.setattr(version, "tags", version.tags | {"gauntlet_threshold": "0.01"})


def _changed(workspace, patch):
    path = f"/Models/{MODEL.replace('.', '/')}/1/MLmodel"
    patch.setitem(workspace.files.content, path, workspace.files.content[path] + b"\n")


@pytest.mark.parametrize(
    ("sabotage", "says"),
    [
        (_moved, "the alias names no version, but by the ledger version 1 is champion"),
        (_tagged, "the tag gauntlet.threshold is 0.01, but what was judged is"),
        (_changed, "MLmodel"),
    ],
)
def test_what_is_changed_by_hand_in_the_registry_is_found(contest, workspace, monkeypatch, sabotage, says):
    sabotage(workspace, monkeypatch)
    assert says in "\n".join(finding.what for finding in contest.world.audit().findings)


def test_a_record_of_the_ledger_that_is_changed_stops_everything(contest, workspace):
    store = workspace.tracking.store
    experiment = store.get_experiment_by_name(_records(workspace)[0])
    before = experiment.tags[RECORD]
    store.set_experiment_tag(experiment.experiment_id, ExperimentTag(RECORD, before.replace('"rows":7', '"rows":8')))
    try:
        with pytest.raises(RequirementError, match="was changed or removed by hand"):
            contest.world.roll_back()
        (finding,) = contest.world.audit().findings
        assert "was changed or removed by hand" in finding.what
    finally:
        store.set_experiment_tag(experiment.experiment_id, ExperimentTag(RECORD, before))


@pytest.fixture
def tables(spark, workspace):
    """Tables with three-level names, of the session's own catalog."""
    names = load_problem().names["databricks"].model_copy(update={"catalog": "spark_catalog", "schema_name": "unity"})
    spark.sql("CREATE SCHEMA IF NOT EXISTS spark_catalog.unity")
    return UnityTables(names=names, spark=lambda: spark, settings=databricks_settings)


def test_a_table_is_written_read_and_held_against_evidence_by_its_rows_while_its_files_are_there(tables, spark):
    rows = spark.createDataFrame([("a", 1.0), ("b", 2.0)], "row_id string, alcohol double").coalesce(1)
    table = tables.write("split", rows, note={"run": "1"})
    assert (table.full_name, table.rows) == ("spark_catalog.unity.split", 2)
    assert tables.location(table) == table.full_name
    digests = tables.file_digests(table)
    assert len(digests) == 1
    assert tables.digests_of(table, digests) == digests
    assert tables.digests_of(table, ["another"]) == {}
    assert tables.rows_of(table, digests) == 2
    newer = tables.write("split", rows.withColumn("alcohol", rows.alcohol + 1))
    assert set(tables.file_digests(newer).values()) != set(digests.values())
    assert tables.digests_of(table, digests) == digests
    assert [row.alcohol for row in tables.read(table).orderBy("row_id").collect()] == [1.0, 2.0]
    no_version = table.model_copy(update={"version": 9})
    assert (tables.exists(table), tables.exists(no_version)) == (True, False)
    assert tables.digests_of(no_version, digests) == {}
    (address,) = tables.read(table).inputFiles()

    Path(urlsplit(address).path).unlink()
    assert tables.digests_of(table, digests) == {}


def test_files_for_spark_go_to_the_volume_once(workspace, tmp_path):
    names = load_problem().names["databricks"].model_copy(update={"catalog": "gauntlet"})
    tables = UnityTables(names=names, spark=lambda: None, settings=databricks_settings)
    (tmp_path / "wine.csv").write_text("a;b\n1;2\n", encoding="utf-8")
    place = tables.staged(tmp_path / "wine.csv")
    assert place.startswith("/Volumes/gauntlet/wine_quality/files/staging/")
    assert workspace.files.text(place) == "a;b\n1;2\n"
    workspace.calls.clear()
    assert tables.staged(tmp_path / "wine.csv") == place
    assert tables.staged(Path(place)) == place
    assert "PUT" not in {method for method, _ in workspace.calls}
