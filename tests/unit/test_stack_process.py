"""The stack's processes: known by number and start time, ended with their children, and never confused with others."""

import os
import subprocess
import sys

import pytest

from gauntlet.adapters.claimants import start_of
from gauntlet.adapters.stack_process import ServerProcess, start_server, wait_until_ready
from gauntlet.adapters.stack_servers import free_ports
from gauntlet.core.errors import RequirementError

pytestmark = pytest.mark.unit

# Starts a child in a process group of its own, as Spark's Python workers do, and says so.
WITH_A_STRAY_CHILD = """
import os, subprocess, sys, time
child = subprocess.Popen(["sleep", "600"], preexec_fn=lambda: os.setpgid(0, 0))
print(child.pid, flush=True)
time.sleep(600)
"""


@pytest.fixture
def start(tmp_path):
    """Start a Python program as a server; all are stopped in the end."""
    servers = []

    def started(program, *, port=1):
        command = [sys.executable, "-c", program]
        server = start_server(command, port=port, log=tmp_path / "logs/a.log", folder=tmp_path, environment=os.environ)
        servers.append(server)
        return server

    yield started
    for server in servers:
        server.stop()


def _ready(server, said):
    wait_until_ready(server, name="it", ready=lambda: said in server.log.read_text(), seconds=30)


def test_a_server_is_stopped_with_a_child_that_left_its_group(start):
    server = start(WITH_A_STRAY_CHILD)
    _ready(server, "\n")
    child = int(server.log.read_text())
    assert server.is_alive
    assert start_of(child)
    server.stop()
    assert not server.is_alive
    assert not start_of(child)


def test_the_children_of_a_server_that_was_killed_are_stopped(start):
    server = start(WITH_A_STRAY_CHILD)
    _ready(server, "\n")
    child = int(server.log.read_text())
    os.kill(server.process, 9)
    wait_until_ready_ended(server)
    assert start_of(child)
    server.stop()
    assert not start_of(child)


def wait_until_ready_ended(server):
    with pytest.raises(RequirementError, match="ended while it was starting"):
        wait_until_ready(server, name="it", ready=lambda: False, seconds=30)


def test_a_server_that_does_not_listen_to_the_signal_is_killed(start, monkeypatch):
    monkeypatch.setattr("gauntlet.adapters.stack_process.STOP_SECONDS", 0.2)
    server = start("import signal, time\nsignal.signal(15, signal.SIG_IGN)\nprint('up', flush=True)\ntime.sleep(600)")
    _ready(server, "up")
    server.stop()
    assert not server.is_alive


def test_a_number_that_went_to_another_process_is_left_alone(tmp_path):
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE, start_new_session=True) as other:
        stale = ServerProcess(process=other.pid, started="1", port=1, log=tmp_path / "a.log")
        assert not stale.is_alive
        stale.stop()
        assert other.poll() is None
        other.kill()


def test_a_server_that_ends_is_explained_by_its_log(start):
    server = start("print('the port is taken'); raise SystemExit(4)")
    with pytest.raises(RequirementError, match=r"(?s)MLflow ended while it was starting.*the port is taken"):
        wait_until_ready(server, name="MLflow", ready=lambda: False, seconds=30)


def test_a_server_that_never_answers_is_given_up(start):
    server = start("import time\nprint('thinking', flush=True)\ntime.sleep(600)", port=4711)
    _ready(server, "thinking")
    with pytest.raises(RequirementError, match=r"(?s)does not answer at port 4711 after 0 s.*thinking"):
        wait_until_ready(server, name="it", ready=lambda: False, seconds=0.1)


def test_a_program_that_is_not_there_is_named(tmp_path):
    with pytest.raises(RequirementError, match="no_such_program: cannot be started"):
        start_server(["no_such_program"], port=1, log=tmp_path / "a.log", folder=tmp_path, environment={})


def test_ports_are_free_and_the_preferred_one_is_taken_where_it_is():
    first, second = free_ports(2)
    assert first != second
    assert free_ports(2, preferred=[second])[0] == second
