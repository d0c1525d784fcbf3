"""``gauntlet stack``: what it says and refuses before any server is started."""

import json

import pytest

from gauntlet import cli
from gauntlet.adapters import stack_servers, stack_view
from gauntlet.adapters.stack import Stack, StackFile, address
from gauntlet.adapters.stack_database import with_driver
from gauntlet.adapters.stack_process import ServerProcess
from gauntlet.adapters.stack_servers import MlflowServer, Secrets, SparkServer, Storage
from gauntlet.core.errors import InputError, RequirementError
from gauntlet.core.state import State

pytestmark = pytest.mark.unit

SECRETS = Secrets("a-password", "a-token")


def _run(capsys, *arguments):
    with pytest.raises(SystemExit) as caught:
        cli.main(list(arguments))
    return caught.value.code, capsys.readouterr()


def _stale(folder):
    process = ServerProcess(process=2**22 + 1, started="1", port=1, log=folder / "spark.log")
    kept = StackFile(servers={"spark": process, "mlflow": process}, user="nobody", database="own")
    (folder / "stack").mkdir(parents=True)
    (folder / "stack/stack.json").write_text(kept.model_dump_json(), encoding="utf-8")


def test_a_stack_that_was_never_started_is_down_and_can_be_stopped(capsys, tmp_path):
    code, captured = _run(capsys, "stack", "status", "--state", str(tmp_path / "none"), "--json")
    servers = json.loads(captured.out)["servers"]
    assert (code, {name: server["status"] for name, server in servers.items()}) == (
        3,
        {"spark": "down", "mlflow": "down"},
    )
    assert _run(capsys, "stack", "down", "--state", str(tmp_path / "none"))[0] == 0
    assert not (tmp_path / "none").exists()


def test_servers_that_are_gone_are_said_to_be_gone_until_the_stack_is_stopped(capsys, tmp_path):
    _stale(tmp_path)
    code, captured = _run(capsys, "stack", "status", "--state", str(tmp_path), "--json")
    assert (code, json.loads(captured.out)["servers"]["spark"]["status"]) == (3, "gone")
    assert _run(capsys, "stack", "down", "--state", str(tmp_path))[0] == 0
    assert Stack(State(tmp_path)).known() is None


def test_the_data_of_a_stack_that_is_up_is_not_deleted(tmp_path):
    _stale(tmp_path)
    with pytest.raises(InputError, match="stack down"):
        Stack(State(tmp_path)).remove()


def test_a_damaged_stack_file_is_named(capsys, tmp_path):
    _stale(tmp_path)
    (tmp_path / "stack/stack.json").write_text("{", encoding="utf-8")
    code, captured = _run(capsys, "stack", "status", "--state", str(tmp_path))
    assert code == 3
    assert "stack.json: cannot be read" in captured.err


@pytest.mark.parametrize("server", ["spark", "mlflow"])
def test_no_server_has_the_clients_credentials_or_those_of_the_other(server, tmp_path, monkeypatch):
    for name in ("MLFLOW_TRACKING_PASSWORD", "AWS_SECRET_ACCESS_KEY", "GAUNTLET_SIGNING_KEY"):
        monkeypatch.setenv(name, "the client's")
    servers = {"spark": SparkServer, "mlflow": MlflowServer}
    environment = servers[server](Storage(tmp_path), SECRETS).environment()
    assert "the client's" not in environment.values()
    others = {"spark": "a-password", "mlflow": "a-token"}
    assert not [value for value in environment.values() if others[server] in value]


def test_no_secret_stands_on_a_command_line(tmp_path):
    given = "postgresql+psycopg2://mlflow:a-password@host/mlflow"
    command = MlflowServer(Storage(tmp_path), SECRETS, database=given).command(1)
    command += SparkServer(Storage(tmp_path), SECRETS).command(2)
    assert not [part for part in command if "a-password" in part or "a-token" in part]


def test_the_authentication_settings_are_for_their_owner_alone(tmp_path, monkeypatch):
    monkeypatch.setattr(stack_servers.importlib.util, "find_spec", lambda name: name)
    storage = Storage(tmp_path / "storage")
    storage.make()
    MlflowServer(storage, SECRETS, database="postgresql://u:50%25@h/n").prepare()
    settings = storage.mlflow / "authentication.ini"
    assert settings.stat().st_mode & 0o077 == 0
    assert "50%%25" in settings.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("database", "error", "says"),
    [
        ("mysql://u:secret@h/n", InputError, "PostgreSQL"),
        ("postgresql+none://u:secret@h/n", RequirementError, "none is"),
    ],
)
def test_a_database_that_cannot_be_used_is_refused_without_its_password(database, error, says, tmp_path, monkeypatch):
    monkeypatch.setattr(stack_servers.importlib.util, "find_spec", lambda name: None if name == "none" else name)
    with pytest.raises(error, match=says) as caught:
        MlflowServer(Storage(tmp_path), SECRETS, database=database).prepare()
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(("installed", "driver"), [({"psycopg2", "psycopg"}, "psycopg2"), ({"psycopg"}, "psycopg")])
def test_the_driver_is_named_since_it_differs_between_versions_of_sqlalchemy(installed, driver, monkeypatch):
    monkeypatch.setattr(stack_servers.importlib.util, "find_spec", lambda name: name if name in installed else None)
    assert with_driver("postgresql://u:p@h/n") == f"postgresql+{driver}://u:p@h/n"


def test_what_the_authentication_app_lacks_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr(stack_servers.importlib.util, "find_spec", lambda _: None)
    with pytest.raises(RequirementError, match="flask_wtf"):
        MlflowServer(Storage(tmp_path), SECRETS).prepare()


def test_a_user_that_is_not_there_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(stack_view.os, "geteuid", lambda: 0)
    with pytest.raises(InputError, match="no_such_user"):
        stack_view.server_view(storage=tmp_path, hidden=tmp_path, user="no_such_user")


def test_where_the_servers_run_as_the_client_does_it_is_said(tmp_path, monkeypatch):
    monkeypatch.setattr(stack_view.sys, "platform", "another")
    view = stack_view.server_view(storage=tmp_path, hidden=tmp_path)
    assert view.prefix == ()
    assert "by accident" in view.not_checked[0]


def test_spark_is_called_localhost_since_elsewhere_its_token_needs_tls():
    assert address("spark", 1) == "sc://localhost:1"
