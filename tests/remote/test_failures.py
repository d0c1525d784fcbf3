"""What goes wrong between client and servers: one clear error, nothing half done, and a run that goes on."""

import os
import signal
import socket

import pytest

from gauntlet.adapters.claimants import start_of
from gauntlet.adapters.problem_draft import draft_problem
from tests.churn import make_churn
from tests.remote.conftest import Client, ended, stack_command

pytestmark = pytest.mark.remote


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("MLFLOW_TRACKING_PASSWORD", "refused the password of gauntlet"),
        ("SPARK_CONNECT_AUTHENTICATE_TOKEN", "SPARK_CONNECT_AUTHENTICATE_TOKEN is its token"),
    ],
)
def test_a_wrong_password_or_token_is_one_clear_error(client, tmp_path, name, says):
    done = client.run("run", "--target", "remote", "--state", tmp_path / "state", **{name: "not-the-secret"})
    assert done.code == 3
    assert says in done.err
    assert "not-the-secret" not in done.err
    assert "Traceback" not in done.err
    assert not list((tmp_path / "state").rglob("result.json"))


def test_a_server_that_goes_in_the_middle_is_told_and_the_run_goes_on_when_it_is_back(start_stack, programs, tmp_path):
    table = tmp_path / "churn.csv"
    make_churn().to_csv(table, index=False)
    problem = draft_problem(table, label="churned", name="churn", output=tmp_path / "churn.toml").problem
    stack = start_stack()
    # The client of the stack's own folder need not be told where the servers are.
    client = Client(programs)
    options = ("--problem", problem, "--target", "remote", "--state", stack.state.root)
    walk = ("run", "--until", "expectations", *options)
    before = stack.known().servers
    running = client.started(*walk)
    assert any("ingest" in line for line in running.stdout)
    os.killpg(before["spark"].process, signal.SIGKILL)
    stopped = ended(running)
    assert stopped.code == 3, stopped.err
    assert "Spark's server" in stopped.err
    assert "Traceback" not in stopped.err
    assert stack_command("status", stack).document["servers"]["spark"]["status"] == "gone"

    assert stack_command("up", stack).code == 0
    after = stack.known().servers
    assert after["mlflow"] == before["mlflow"]
    assert after["spark"].port == before["spark"].port
    went_on = client.run(*walk, "--json")
    assert went_on.code == 0, went_on.err
    assert went_on.document["stages"]["ingest"] == "up to date"
    assert went_on.document["stages"]["expectations"] == "ran"

    os.killpg(after["mlflow"].process, signal.SIGKILL)
    lost = client.run("audit", *options)
    assert lost.code == 3, lost.err
    assert "Traceback" not in lost.err

    assert stack_command("down", stack).code == 0
    for server in (*before.values(), *after.values()):
        assert not start_of(server.process)
        with socket.socket() as asked:
            assert asked.connect_ex(("127.0.0.1", server.port)) != 0
    assert not [path for path in (stack.folder / "storage").iterdir() if path.name == "tmp"]
    assert stack_command("status", stack).code == 3


@pytest.fixture(scope="module")
def problems(tmp_path_factory):
    """A folder with three problems, of which one has lost its table."""
    folder = tmp_path_factory.mktemp("many")
    (folder / "models").mkdir()
    for name in ("first", "lost", "second"):
        table = folder / f"{name}.csv"
        make_churn().to_csv(table, index=False)
        draft_problem(table, label="churned", name=name, output=folder / "models" / f"{name}.toml")
    (folder / "lost.csv").unlink()
    return folder


def test_of_several_problems_in_one_run_one_fails_and_the_others_come_to_their_end(client, problems):
    options = ("--problem", problems / "models", "--target", "remote", "--state", problems / "state", "--json")
    done = client.run("run", "--until", "expectations", *options)
    assert done.code == 2, done.err
    first, lost, second = done.document["runs"]
    assert [run["exit_code"] for run in (first, lost, second)] == [0, 2, 0]
    assert "lost.csv" in lost["error"]
    for run in (first, second):
        assert run["stages"] == {"ingest": "ran", "expectations": "ran"}
        assert run["expectations"]["failed"] == []
    again = client.run("run", "--until", "expectations", *options)
    assert [run.get("stages", {}) for run in again.document["runs"]] == [
        {"ingest": "up to date", "expectations": "up to date"},
        {},
        {"ingest": "up to date", "expectations": "up to date"},
    ]
