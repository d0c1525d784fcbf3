"""Servers of their own for this tier, and clients as they are elsewhere: other processes, without Java."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from gauntlet.adapters.remote_settings import MLFLOW_VARIABLE, SPARK_VARIABLE
from gauntlet.adapters.stack import Stack
from gauntlet.adapters.stack_servers import credentials
from gauntlet.core.state import State
from tests.commands import SMALL_ROAD, Ended
from tests.remote.outside import PROGRAM, TARGET, Outside, outside

_SECONDS = 900


@dataclass(frozen=True)
class Client:
    """Somebody who works with the servers from a folder of their own.

    Attributes:
        environment: Where programs and the data are, and, if it is not the stack's own folder, where the servers are.
        program: The module that is ``gauntlet`` there.
    """

    environment: dict[str, str] = field(repr=False)
    program: str = "gauntlet"

    def started(self, *arguments: str | Path, **changes: str) -> subprocess.Popen[str]:
        """Start a command of ``gauntlet``."""
        return self._process(self.program, *arguments, **changes)

    def run(self, *arguments: str | Path, **changes: str) -> Ended:
        """Run a command of ``gauntlet``."""
        return ended(self.started(*arguments, **changes))

    def task(self, name: str, *arguments: str | Path) -> Any:
        """Return what a task of ``tests/remote/client_tasks.py`` says."""
        done = ended(self._process("tests.remote.client_tasks", name, *arguments))
        assert done.code == 0, done.err
        return json.loads(done.out.splitlines()[-1])

    def _process(self, module: str, *arguments: str | Path, **changes: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-m", module, *(str(argument) for argument in arguments)],
            env=self.environment | changes,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )


def ended(process: subprocess.Popen[str]) -> Ended:
    """Wait for a command."""
    try:
        out, err = process.communicate(timeout=_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        raise
    return Ended(process.returncode, out, err)


@pytest.fixture(scope="session")
def programs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Give the environment of somebody without Java, whose data nobody else may read."""
    folder = tmp_path_factory.mktemp("client")
    folder.chmod(0o700)
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("MLFLOW_", "SPARK_"))}
    environment.pop("JAVA_HOME", None)
    data = os.environ.get("GAUNTLET_DATA_DIR")
    if data:
        shutil.copytree(data, folder / "data")
        environment["GAUNTLET_DATA_DIR"] = str(folder / "data")
    (folder / "programs").mkdir()
    (folder / "programs" / "sh").symlink_to("/bin/sh")
    return environment | {"PATH": str(folder / "programs")}


@pytest.fixture(scope="session")
def start_stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., Stack]]:
    """Start stacks with the command and its options; all are stopped in the end."""
    stacks: list[Stack] = []

    def start(*options: str) -> Stack:
        stack = Stack(State(tmp_path_factory.mktemp("stack")))
        stacks.append(stack)
        done = stack_command("up", stack, "--workers", "2", *options)
        assert done.code == 0, done.err
        return stack

    yield start
    for stack in stacks:
        stack.down()


def stack_command(name: str, stack: Stack, *options: str) -> Ended:
    """Run a command of ``gauntlet stack``, where Java is."""
    command = [sys.executable, "-m", "gauntlet", "stack", name, "--state", str(stack.state.root), "--json", *options]
    return ended(subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True))


@pytest.fixture(scope="session")
def stack(start_stack: Callable[..., Stack]) -> Stack:
    """The servers that most tests share."""
    return start_stack()


@pytest.fixture(scope="session")
def client(stack: Stack, programs: dict[str, str]) -> Client:
    """Somebody who was told where the shared servers are, and the password."""
    secrets = stack.secrets()
    assert secrets is not None
    where = {status.name: status.address for status in stack.status()}
    addresses = {SPARK_VARIABLE: where["spark"], MLFLOW_VARIABLE: where["mlflow"]}
    return Client(programs | addresses | dict(credentials(secrets)))


@dataclass(frozen=True)
class Roads:
    """The same small road on every target.

    Attributes:
        remote: The state folder of the road on the servers, up to the judgement.
        local: The state folder of the road on this machine, up to the judgement.
        databricks: The state folder of the whole road in the workspace.
        walked: How the road in the workspace ended.
        outside: Who walked it there.
    """

    remote: Path
    local: Path
    databricks: Path
    walked: Ended
    outside: Outside

    def in_workspace(self, *arguments: str) -> Ended:
        """Run a command on the road in the workspace."""
        client = Client(dict(self.outside.environment), PROGRAM)
        return client.run(*arguments, *TARGET, *SMALL_ROAD, "--state", self.databricks, "--json")


@pytest.fixture(scope="session")
def roads(
    stack: Stack, client: Client, programs: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Roads]:
    """Walk all roads at once: for most of its time a road keeps one core busy."""
    folders = [tmp_path_factory.mktemp(name) for name in ("remote", "local", "databricks")]
    remote, local, databricks = folders
    options = ("run", *SMALL_ROAD, "--json", "--workers", "2")
    here = Client(client.environment | {"PATH": os.environ["PATH"]} | _java())
    with outside(stack, programs, tmp_path_factory.mktemp("outside")) as somebody:
        running = (
            client.started(*options, "--until", "judge", "--target", "remote", "--state", remote),
            here.started(*options, "--until", "judge", "--target", "local", "--state", local),
            Client(dict(somebody.environment), PROGRAM).started(*options, *TARGET, "--state", databricks),
        )
        try:
            done = [ended(process) for process in running]
        finally:
            for process in running:
                process.kill()
        assert [one.code for one in done] == [0, 0, 0], "\n".join(one.err + one.out for one in done if one.code)
        yield Roads(remote, local, databricks, done[-1], somebody)


def results_of(state: Path) -> dict[str, Any]:
    """Return what each stage of a state folder found."""
    found: dict[str, Any] = {}
    for path in state.glob("stages/*/*/result.json"):
        document = json.loads(path.read_text(encoding="utf-8"))
        found[document["stage"]] = document["result"]
    return found


def _java() -> dict[str, str]:
    return {"JAVA_HOME": os.environ["JAVA_HOME"]} if "JAVA_HOME" in os.environ else {}
