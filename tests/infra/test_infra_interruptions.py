"""`gauntlet infra` met in the middle: a lock that somebody holds, Ctrl-C, a kill of either process.

What is written to a FIFO decides when a resource is done, so that a command can be met in the middle without waiting
for a time.
"""

import os
import select
import shutil
import signal
import subprocess
import sys
import threading
from contextlib import suppress
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from gauntlet.adapters.terraform import Terraform, find_terraform
from gauntlet.core.errors import RequirementError
from tests.infra_trial import names_in, plan_document

pytestmark = pytest.mark.infra

# Opening a FIFO waits for the other side. The first says that the resource is under way, and by which Terraform; the
# second lets it go on.
_HELD = """
resource "terraform_data" "held" {{
  provisioner "local-exec" {{
    command = "echo $PPID > {folder}/reached; read line < {folder}/go_on"
  }}
}}
"""


@pytest.fixture
def held(tmp_path, trial):
    """The same, with a plan of a resource that waits in the middle; returns the folder of the two FIFOs."""
    folder = tmp_path / "fifos"
    folder.mkdir()
    for name in ("reached", "go_on"):
        os.mkfifo(folder / name)
    with (tmp_path / "infra" / "stacks" / "infra" / "main.tf").open("a") as stream:
        stream.write(_HELD.format(folder=folder))
    assert trial("plan")[0] == 0
    return folder


@dataclass(frozen=True)
class Creating:
    """`gauntlet infra create` in a process of its own, and the process of its Terraform."""

    gauntlet: subprocess.Popen
    terraform: int


@pytest.fixture
def creating(tmp_path, held):
    """It is met while the held resource is under way."""
    command = [sys.executable, "-m", "gauntlet", "infra", "create", tmp_path / "infra", "--state", tmp_path / "state"]
    pipe = subprocess.PIPE
    process = subprocess.Popen(command, stdout=pipe, stderr=pipe, text=True, start_new_session=True)
    terraform = int(_read_from(held / "reached", process))
    yield Creating(process, terraform)
    process.kill()
    process.communicate()
    with suppress(ProcessLookupError):
        os.killpg(terraform, signal.SIGKILL)


def _read_from(fifo, process):
    """Return what is written to a FIFO, unless the process that is to cause it has ended."""
    descriptor = os.open(fifo, os.O_RDONLY | os.O_NONBLOCK)
    try:
        while not select.select([descriptor], [], [], 0.1)[0]:
            assert process.poll() is None, process.communicate()
        return os.read(descriptor, 100)
    finally:
        os.close(descriptor)


def test_a_locked_state_is_said_with_who_holds_it_and_how_to_free_it(trial, creating, held, tmp_path):
    code, _, err = trial("plan")
    assert code == 3
    assert err.count("error: ") == 1
    assert "the state is locked by " in err
    assert "for OperationTypeApply" in err
    assert f"terraform -chdir={tmp_path / 'infra' / 'stacks' / 'infra'} force-unlock " in err
    (held / "go_on").write_text("\n")
    assert creating.gauntlet.wait() == 0
    assert [one["changes"] for one in plan_document(trial, "--stack", "infra")["stacks"]] == [False]


def test_an_interrupt_lets_terraform_save_its_state_and_free_the_lock(trial, creating, tmp_path):
    os.killpg(creating.gauntlet.pid, signal.SIGINT)  # as Ctrl-C does: to all of the group
    out, err = creating.gauntlet.communicate()
    assert creating.gauntlet.returncode == 130
    assert "Terraform finishes what is under way and saves its state" in out
    assert "Traceback" not in err
    assert names_in(tmp_path) == ["base", "held"]  # what was under way is there, and marked for another try
    document = plan_document(trial, "--stack", "infra")
    assert [step["verb"] for step in document["stacks"][0]["steps"]] == ["replace"]


def test_terraform_killed_in_the_middle_loses_no_state_and_is_one_clear_error(trial, creating, tmp_path):
    os.kill(creating.terraform, signal.SIGKILL)
    _, err = creating.gauntlet.communicate()
    assert creating.gauntlet.returncode == 3
    assert err.count("error: ") == 1
    assert "terraform apply was killed by signal 9; what was under way may have been made" in err
    # The held resource may be in the state or not; what was finished is, and is not made again.
    assert "base" in names_in(tmp_path)
    (planned,) = plan_document(trial, "--stack", "infra")["stacks"]
    assert {step["address"] for step in planned["steps"]} <= {"terraform_data.held"}


def test_terraform_goes_on_to_its_end_when_gauntlet_is_killed(creating, held, tmp_path):
    creating.gauntlet.kill()
    creating.gauntlet.wait()
    (held / "go_on").write_text("\n")
    # It still holds the lock; whoever comes next waits for it.
    waiting = [shutil.which("terraform"), "plan", "-detailed-exitcode", "-lock-timeout=60s", "-input=false"]
    stack = tmp_path / "infra" / "stacks" / "infra"
    after = subprocess.run(waiting, cwd=stack, capture_output=True, text=True, check=False)
    assert after.returncode == 0, after.stdout + after.stderr
    assert names_in(tmp_path) == ["base", "held"]


@pytest.fixture
def state_server():
    """Terraform's HTTP backend: unlike a file's lock, one of it outlives whoever took it, as a lease in Azure does."""
    held = {}

    class Handler(BaseHTTPRequestHandler):
        def _answer(self, code, body=b""):
            self.send_response(code)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def _body(self):
            return self.rfile.read(int(self.headers.get("Content-Length", 0)))

        def do_GET(self):
            self._answer(200, held["state"]) if "state" in held else self._answer(404)

        def do_POST(self):
            held["state"] = self._body()
            self._answer(200)

        def do_LOCK(self):
            wanted = self._body()
            if "lock" in held:
                return self._answer(423, held["lock"])
            held["lock"] = wanted
            return self._answer(200)

        def do_UNLOCK(self):
            self._body()
            held.pop("lock", None)
            self._answer(200)

        def log_message(self, *_arguments):
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/"
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_lock_that_a_killed_terraform_left_is_reported_with_what_frees_it(shell, state_server, tmp_path):
    (tmp_path / "main.tf").write_text(
        f'terraform {{\n  backend "http" {{\n    address = "{state_server}"\n    lock_address = "{state_server}"\n'
        f'    unlock_address = "{state_server}"\n  }}\n}}\n'
        'resource "terraform_data" "a" {\n  provisioner "local-exec" {\n    command = "kill -9 $PPID"\n  }\n}\n'
    )
    terraform, plan = Terraform(tmp_path, program=find_terraform()), tmp_path / "plan"
    terraform.init()
    assert terraform.plan(plan).changes
    with pytest.raises(RequirementError, match=r"terraform apply was killed by signal 9; .* may still be locked"):
        terraform.apply(plan)
    with pytest.raises(RequirementError, match="the state is locked") as caught:
        terraform.plan(plan)
    (advice,) = [part for part in str(caught.value).split("`") if "force-unlock" in part]
    program, *arguments, lock = advice.split()
    subprocess.run([shutil.which(program), *arguments, "-force", lock], check=True, capture_output=True)
    assert terraform.plan(plan).changes
