"""This module provides the stack: a Spark Connect server and an MLflow server on loopback, for target ``remote``.

Layout, below the state folder::

    stack/stack.json     which servers were started: process, port, log
    stack/secrets.json   the password and the token, for their owner alone
    stack/logs/          the servers' output
    stack/storage/       what the servers keep; the client needs no right to it
"""

from __future__ import annotations

import json
import secrets as random_secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

from filelock import FileLock, Timeout
from pydantic import BaseModel, ConfigDict, ValidationError

from gauntlet.adapters.stack_database import require_database
from gauntlet.adapters.stack_process import ServerProcess, start_server, wait_until_ready
from gauntlet.adapters.stack_servers import MlflowServer, Secrets, SparkServer, Storage, free_ports
from gauntlet.adapters.stack_view import DEFAULT_USER, ServerView, server_view
from gauntlet.core.errors import InputError, RequirementError
from gauntlet.core.state import State, write_atomically

ServerName = Literal["spark", "mlflow"]
SERVERS: tuple[ServerName, ...] = ("spark", "mlflow")
_LOCK_SECONDS = 300


class StackFile(BaseModel):
    """What is known of a stack that was started.

    Attributes:
        servers: Its servers.
        user: The user that they run as.
        database: Whether MLflow's tables are in a database that was given, or in files of its own.
        not_checked: What this stack cannot show, one sentence each.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    servers: dict[ServerName, ServerProcess]
    user: str
    database: Literal["given", "own"]
    not_checked: tuple[str, ...] = ()


@dataclass(frozen=True)
class StackOptions:
    """How a stack is to be started.

    Attributes:
        user: The user that the servers run as, where this process is root.
        database: An SQLAlchemy address of a PostgreSQL database for MLflow; None for SQLite files.
        workers: Spark's worker threads; None takes one a core.
    """

    user: str = DEFAULT_USER
    database: str | None = None
    workers: int | None = None


@dataclass(frozen=True)
class ServerStatus:
    """How a server stands.

    Attributes:
        name: The server.
        status: ``up`` (it answers), ``silent`` (it runs and does not answer), ``gone`` (it was started and runs no
            more), ``down`` (it was never started, or stopped).
        address: Where it is; empty if it is down.
        process: Its process; None if it is down.
        log: Its log; None if it is down.
    """

    name: ServerName
    status: Literal["up", "silent", "gone", "down"]
    address: str = ""
    process: int | None = None
    log: Path | None = None


@dataclass(frozen=True)
class Stack:
    """The stack of a state folder."""

    state: State

    @property
    def folder(self) -> Path:
        """Where all of it is kept."""
        return self.state.root.resolve() / "stack"

    def status(self) -> tuple[ServerStatus, ...]:
        """Return how each server stands."""
        known = self.known()
        return tuple(self._status(name, None if known is None else known.servers.get(name)) for name in SERVERS)

    def known(self) -> StackFile | None:
        """Return what was started; None if nothing was, or all was stopped.

        Raises:
            RequirementError: If that cannot be read.
        """
        path = self.folder / "stack.json"
        try:
            return StackFile.model_validate_json(path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return None
        except (OSError, ValidationError) as error:
            raise RequirementError(f"{path}: cannot be read; end the servers by hand and remove it") from error

    def secrets(self) -> Secrets | None:
        """Return the password and the token; None if there is no stack."""
        try:
            return Secrets(**json.loads((self.folder / "secrets.json").read_text(encoding="utf-8")))
        except FileNotFoundError:
            return None
        except (OSError, ValueError, TypeError) as error:
            raise RequirementError(f"{self.folder / 'secrets.json'}: cannot be read ({error})") from error

    def up(self, options: StackOptions) -> StackFile:
        """Start what is not up; a server that is up stays as it is.

        Raises:
            InputError: If the user or the database cannot be used.
            RequirementError: If something is missing, or a server does not come up; none is left half started.
        """
        with self._locked():
            known = self.known()
            kept = {} if known is None else dict(known.servers)
            up = {status.name for status in self.status() if status.status == "up"}
            if known is not None and up == set(SERVERS):
                return known
            _stop({name: server for name, server in kept.items() if name not in up})
            return self._start(options, kept, up=up)

    def down(self) -> None:
        """Stop the servers; what they keep stays.

        Raises:
            RequirementError: If a server does not end.
        """
        if not self.folder.is_dir():
            return
        with self._locked():
            known = self.known()
            if known is not None:
                _stop(known.servers)
                (self.folder / "stack.json").unlink()
            # What Spark unpacked for its sessions is of no use to the next ones.
            shutil.rmtree(self._storage.temporary, ignore_errors=True)

    def remove(self) -> None:
        """Delete all that a stopped stack left: its tables, runs, models, logs and secrets.

        Raises:
            InputError: If it is still up.
        """
        if self.known() is not None:
            raise InputError(f"{self.folder}: the stack is up; `gauntlet stack down` first")
        shutil.rmtree(self.folder, ignore_errors=True)

    @property
    def _storage(self) -> Storage:
        return Storage(self.folder / "storage")

    def _start(
        self, options: StackOptions, before: dict[ServerName, ServerProcess], *, up: set[ServerName]
    ) -> StackFile:
        """Start the servers that are not up, at the ports that they had."""
        if options.database is not None and "mlflow" not in up:
            require_database(options.database)
        view = server_view(storage=_made(self._storage.root), hidden=self.state.root.resolve(), user=options.user)
        storage = Storage(self._storage.root, owner=view.owner)
        storage.make()
        secrets = self._made_secrets()
        servers: dict[ServerName, SparkServer | MlflowServer] = {
            "spark": SparkServer(storage, secrets, workers=options.workers),
            "mlflow": MlflowServer(storage, secrets, database=options.database),
        }
        wanted = [name for name in SERVERS if name not in up]
        for name in wanted:
            servers[name].prepare()
        # A client that waits for a server to come back knows its old address.
        ports = free_ports(len(wanted), preferred=[before[name].port for name in wanted if name in before])
        running = {name: before[name] for name in SERVERS if name in up}
        started: dict[ServerName, ServerProcess] = {}
        try:
            for name, port in zip(wanted, ports, strict=True):
                started[name] = self._start_one(name, servers[name], port=port, view=view)
                self._keep(running | started, options, view)
            for name, process in started.items():
                self._await(servers[name], process)
        except BaseException:
            _stop(started)
            if running:
                self._keep(running, options, view)
            else:
                (self.folder / "stack.json").unlink(missing_ok=True)
            raise
        return self._keep(running | started, options, view)

    def _start_one(
        self, name: ServerName, server: SparkServer | MlflowServer, *, port: int, view: ServerView
    ) -> ServerProcess:
        return start_server(
            [*view.prefix, *server.command(port)],
            port=port,
            log=self.folder / "logs" / f"{name}.log",
            folder=Path("/") if view.owner else server.storage.home,
            environment=server.environment(),
        )

    def _await(self, server: SparkServer | MlflowServer, process: ServerProcess) -> None:
        def ready() -> bool:
            return server.is_ready(process.port)

        wait_until_ready(process, name=f"{server.name}'s server", ready=ready, seconds=server.wait_seconds)

    def _keep(self, servers: dict[ServerName, ServerProcess], options: StackOptions, view: ServerView) -> StackFile:
        kept = StackFile(
            servers=servers,
            user=view.user,
            database="own" if options.database is None else "given",
            not_checked=view.not_checked,
        )
        write_atomically(self.folder / "stack.json", kept.model_dump_json(indent=1))
        return kept

    def _made_secrets(self) -> Secrets:
        """Return the secrets; they are made once, since MLflow keeps its first password."""
        found = self.secrets()
        if found is not None:
            return found
        made = Secrets(password=random_secrets.token_urlsafe(24), token=random_secrets.token_urlsafe(24))
        # A temporary file of ours is open to its owner alone, and so is what it becomes.
        write_atomically(self.folder / "secrets.json", json.dumps(asdict(made)))
        return made

    def _status(self, name: ServerName, process: ServerProcess | None) -> ServerStatus:
        if process is None:
            return ServerStatus(name, "down")
        server = SparkServer if name == "spark" else MlflowServer
        answers = process.is_alive and server(self._storage, Secrets("", "")).is_ready(process.port)
        status: Literal["up", "silent", "gone"] = "up" if answers else "silent" if process.is_alive else "gone"
        return ServerStatus(name, status, address(name, process.port), process.process, process.log)

    @contextmanager
    def _locked(self) -> Iterator[None]:
        lock = FileLock(_made(self.folder) / "stack.lock")
        try:
            lock.acquire(timeout=_LOCK_SECONDS)
        except Timeout as error:
            raise RequirementError(f"{self.folder}: another process starts or stops this stack") from error
        try:
            yield
        finally:
            lock.release()


def address(name: ServerName, port: int) -> str:
    """Return where a client finds a server.

    Spark's has to be called ``localhost``: there pyspark sends its token without TLS, elsewhere it does not.
    """
    return f"sc://localhost:{port}" if name == "spark" else f"http://127.0.0.1:{port}"


def _stop(servers: dict[ServerName, ServerProcess]) -> None:
    for server in servers.values():
        server.stop()


def _made(folder: Path) -> Path:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise RequirementError(f"{folder}: cannot be made ({error.strerror}); give another --state") from error
    return folder
