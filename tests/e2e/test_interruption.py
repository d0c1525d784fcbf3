"""Killed anywhere and started again, a run ends in the same state."""

import signal
import subprocess
import time

import pytest

from tests.commands import SMALL_ROAD

pytestmark = [pytest.mark.e2e, pytest.mark.local_only("kills the process that Spark runs in")]

_SECONDS = 300


def _started(command, folder):
    return subprocess.Popen(
        command, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, start_new_session=True
    )


def _until(process, condition):
    """Wait until something is true of the state folder, or the process ends."""
    deadline = time.monotonic() + _SECONDS
    while process.poll() is None and time.monotonic() < deadline:
        if condition():
            return True
        time.sleep(0.02)
    return False


def _trials(folder):
    return sum(
        len(path.read_text(encoding="utf-8").splitlines()) for path in folder.glob(".gauntlet/stages/sweep/*/*.jsonl")
    )


@pytest.fixture
def killed_at(gauntlet_command, tmp_path):
    """Start a run and kill it, and its Spark, when a condition holds."""

    def kill(condition, *, by=signal.SIGKILL):
        process = _started(gauntlet_command("run", *SMALL_ROAD), tmp_path)
        assert _until(process, condition), process.communicate()[1]
        process.send_signal(by)
        _, err = process.communicate(timeout=60)
        return process.returncode, err

    return kill


def test_killed_and_interrupted_at_several_points_a_run_ends_in_the_same_state(
    gauntlet, killed_at, small_road, tmp_path
):
    stages = tmp_path / ".gauntlet" / "stages"
    killed_at((stages / "ingest").exists)
    code, said = killed_at(lambda: _trials(tmp_path) >= 2, by=signal.SIGINT)
    assert code == 130
    assert "interrupted; run the same command again" in said
    assert "Traceback" not in said
    killed_at(lambda: _trials(tmp_path) >= 4)
    killed_at((stages / "promote").exists)
    resumed = gauntlet("run", *SMALL_ROAD, "--json", folder=tmp_path)
    assert resumed.code == 0, resumed.err
    straight = small_road[1]
    # Evidence says when it was made, and one gate measures milliseconds.
    volatile = {"log", "stages", "seconds", "report", "evidence"}
    ends = [{k: v for k, v in ended.document.items() if k not in volatile} for ended in (resumed, straight)]
    for end in ends:
        end["score"].pop("table_version")
        end["verdicts"] = [(verdict["gate"], verdict["status"]) for verdict in end["verdicts"]]
    assert ends[0] == ends[1]
