"""The stack: real servers of another user, started once, with nothing of the client's."""

import os
import shutil

import pytest

from gauntlet.gates.data_breaks import ROWS
from tests.remote.conftest import stack_command

pytestmark = pytest.mark.remote


def test_a_stack_that_is_up_is_left_alone(stack):
    before = stack.known()
    done = stack_command("up", stack)
    assert done.code == 0
    assert {server["status"] for server in done.document["servers"].values()} == {"up"}
    assert stack.known() == before


def test_only_their_owner_reads_the_secrets(stack):
    assert (stack.folder / "secrets.json").stat().st_mode & 0o077 == 0
    assert (stack.folder / "storage").stat().st_mode & 0o077 == 0


def test_a_worker_is_another_user_without_credentials_that_sees_nothing_of_the_client(stack, client, tmp_path):
    assert shutil.which("java", path=client.environment["PATH"]) is None
    found = client.task("worker", tmp_path)
    assert not [name for name in found["environment"] if name.startswith("MLFLOW_TRACKING")]
    known = stack.known()
    apart = found["user"] != os.getuid()
    # Where nobody could be made another user, the stack says so, and a client's path may work by accident.
    assert apart == (known.not_checked == ())
    assert (found["sees the client's file"], found["reads the client's file"]) == (
        (False, "AnalysisException") if apart else (True, 1)
    )


def test_rows_are_made_and_tables_broken_on_the_server_too(client, tmp_path):
    assert client.task("made", tmp_path) == {"wines": 300, "broken": ROWS + 1, "missing": 1}
