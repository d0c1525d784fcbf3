"""Fresh databases of MLflow: copies of the first, with nothing of it but the schema."""

import sqlite3
from contextlib import closing

import pytest

from gauntlet.adapters.fresh_database import copy_fresh_database, keep_fresh_database
from gauntlet.adapters.tracking import Tracking

pytestmark = pytest.mark.unit


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    """An empty cache."""
    monkeypatch.setenv("GAUNTLET_CACHE_DIR", str(tmp_path / "cache"))
    return tmp_path / "cache" / "mlflow"


@pytest.fixture
def opened(tmp_path):
    """Open a database of its own name, and return its tracking."""

    def open_database(name):
        place = f"sqlite:///{tmp_path / name}/mlflow.db"
        tracking = Tracking(place, place, "wines", artifact_location=str(tmp_path / name / "artifacts"))
        assert tracking.client
        return tracking

    return open_database


def rows(path, statement):
    with closing(sqlite3.connect(path)) as database:
        return database.execute(statement).fetchall()


def test_the_second_is_a_copy_that_knows_nothing_of_the_first(opened, cache, tmp_path):
    first = opened("first")
    assert len(list(cache.iterdir())) == 1
    with first.stage_run("sweep", key="one"):
        pass
    second = opened("second")
    schemas = [
        rows(tmp_path / name / "mlflow.db", "SELECT sql FROM sqlite_master ORDER BY name")
        for name in ("first", "second")
    ]
    assert schemas[0] == schemas[1]
    assert [found.name for found in second.client.search_experiments()] == ["Default"]
    with second.stage_run("sweep", key="two") as run:
        pass
    assert second.client.get_run(run.info.run_id).info.status == "FINISHED"
    assert [found.info.run_id for found in second.client.search_runs([second.experiment_id])] == [run.info.run_id]


def test_what_is_kept_holds_no_path_and_no_run(opened, cache, tmp_path):
    opened("first")
    [kept] = cache.iterdir()
    assert rows(kept, "SELECT * FROM experiments") == rows(kept, "SELECT * FROM runs") == []
    assert str(tmp_path).encode() not in kept.read_bytes()


def test_one_that_somebody_works_with_already_is_not_kept(opened, cache, tmp_path):
    with opened("first").stage_run("sweep", key="one"):
        pass
    [kept] = cache.iterdir()
    kept.unlink()
    keep_fresh_database(tmp_path / "first" / "mlflow.db")
    assert not list(cache.iterdir())


def test_a_database_that_is_there_is_left_alone(opened, tmp_path):
    tracking = opened("first")
    identifier = tracking.experiment_id
    assert not copy_fresh_database(tmp_path / "first" / "mlflow.db")
    assert opened("first").experiment_id == identifier


def test_without_a_place_to_keep_it_mlflow_makes_its_own(opened, cache):
    cache.parent.mkdir()
    cache.write_text("no folder", encoding="utf-8")
    for name in ("first", "second"):
        assert opened(name).experiment_id
