"""MLflow tracking: of several roads in one process, each keeps to its own place."""

from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from threading import Barrier

import mlflow
import pytest

from gauntlet.adapters.tracking import Tracking, artifact_address, sqlite_address, sqlite_file

pytestmark = pytest.mark.unit


def test_roads_side_by_side_each_write_and_close_their_own_run(tmp_path):
    meeting = Barrier(2, timeout=60)

    def walk(name):
        place = f"sqlite:///{tmp_path}/{name}/mlflow.db"
        tracking = Tracking(place, place, "e", artifact_location=str(tmp_path / name / "artifacts"))
        with suppress(ZeroDivisionError), tracking.stage_run("failed", key=f"{name} failed") as failed:
            meeting.wait()
            raise ZeroDivisionError
        with tracking.stage_run("stage", key=name) as run:
            meeting.wait()  # by now the fluent interface was pointed at both
            with tracking.fluent():
                mlflow.log_param("road", name)
            meeting.wait()
        found = [tracking.client.get_run(one.info.run_id) for one in (failed, run)]
        return [(one.info.status, one.data.params) for one in found]

    with ThreadPoolExecutor(2) as pool:
        found = list(pool.map(walk, ("first", "second")))
    assert found == [[("FAILED", {}), ("FINISHED", {"road": name})] for name in ("first", "second")]


@pytest.mark.parametrize("name", ["_a: 5% [b] .c", "x%20y", "a?b#c"])
def test_a_state_folder_may_have_any_name(tmp_path, name):
    folder = tmp_path / name
    place = sqlite_address(folder / "mlflow.db")
    tracking = Tracking(place, place, "e", artifact_location=artifact_address(folder / "artifacts"))
    assert sqlite_file(place) == folder / "mlflow.db"
    with tracking.stage_run("stage", key="k"):
        mlflow.log_text("kept", "note.txt")
        run = mlflow.active_run().info.run_id
    assert (folder / "mlflow.db").is_file()
    assert [file.read_text() for file in (folder / "artifacts").rglob("note.txt")] == ["kept"]
    assert tracking.client.get_run(run).info.status == "FINISHED"
