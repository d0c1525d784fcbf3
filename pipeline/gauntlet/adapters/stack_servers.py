"""This module provides the two servers of the stack: their command lines, environments and how to ask if they are up.

Spark's is the Spark Connect server that pyspark carries, in a JVM of its own, and asks for a token. MLflow's is
``mlflow server`` with its authentication app; clients reach artefacts through it, so they need no right to its storage.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
import socket
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from gauntlet.adapters.connect_sessions import TOKEN_VARIABLE
from gauntlet.adapters.fresh_database import copy_fresh_database
from gauntlet.adapters.jars import delta_jars
from gauntlet.adapters.java import java_program
from gauntlet.adapters.spark import DAEMON_SETTING, STAGE_CODE_SETTING, local_settings
from gauntlet.adapters.stack_database import with_driver
from gauntlet.core.errors import RequirementError

ADMINISTRATOR = "gauntlet"
_CONNECT_CLASS = "org.apache.spark.sql.connect.service.SparkConnectServer"
_ASK_SECONDS = 3.0
_PASSED_ON = ("PATH", "LANG", "LC_ALL", "JAVA_HOME", "PYTHONPATH", "LD_LIBRARY_PATH")
# Without the cache each request hashes the password anew, which takes longer than what most of them ask for.
_AUTHENTICATION = """[mlflow]
default_permission = READ
database_uri = {database}
admin_username = {administrator}
authorization_function = mlflow.server.auth:authenticate_request_basic_auth
auth_cache_ttl_seconds = 60
"""


@dataclass(frozen=True)
class Secrets:
    """What a client must show.

    Attributes:
        password: The password of MLflow's user ``gauntlet``.
        token: Spark Connect's token.
    """

    password: str
    token: str


@dataclass(frozen=True)
class Storage:
    """The servers' own folder.

    Attributes:
        root: The folder.
        owner: The user and group that own it; None for those of this process.
    """

    root: Path
    owner: tuple[int, int] | None = None

    @property
    def home(self) -> Path:
        """Where the servers work."""
        return self.root / "home"

    @property
    def temporary(self) -> Path:
        """Their temporary folder."""
        return self.root / "tmp"

    @property
    def tables(self) -> Path:
        """The tables."""
        return self.root / "tables"

    @property
    def mlflow(self) -> Path:
        """MLflow's databases and artefacts."""
        return self.root / "mlflow"

    @property
    def jars(self) -> Path:
        """Copies of Delta's jars, which lie in a cache of the client's."""
        return self.root / "jars"

    def make(self) -> None:
        """Make the folders, each open to its owner alone.

        Raises:
            RequirementError: If they cannot be made.
        """
        try:
            for folder in (self.root, self.home, self.temporary, self.tables, self.mlflow, self.jars):
                folder.mkdir(parents=True, exist_ok=True)
                folder.chmod(0o700)
                self.own(folder)
        except OSError as error:
            raise RequirementError(f"{self.root}: cannot be made ({error.strerror})") from error

    def own(self, path: Path) -> None:
        """Give a path to the servers' user."""
        if self.owner is not None:
            os.chown(path, *self.owner)

    def environment(self) -> dict[str, str]:
        """Return the environment of a server: nothing of the client's but where programs and libraries are."""
        passed = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
        return passed | {
            "HOME": str(self.home),
            "TMPDIR": str(self.temporary),
            "PYTHONUNBUFFERED": "1",
            "MLFLOW_DISABLE_TELEMETRY": "true",
        }


@dataclass(frozen=True)
class SparkServer:
    """The Spark Connect server."""

    storage: Storage
    secrets: Secrets
    workers: int | None = None

    name = "Spark Connect"
    wait_seconds = 120.0

    def prepare(self) -> None:
        """Put Delta's jars where the server may read them.

        Raises:
            RequirementError: If Java, pyspark or the jars cannot be had.
        """
        if java_program() is None:
            raise RequirementError("Spark's server needs Java; run `gauntlet doctor`")
        if importlib.util.find_spec("pyspark") is None:
            raise RequirementError("pyspark is not installed; pip install 'gauntlet-mlops[stack]'")
        for jar in delta_jars():
            copy = self.storage.jars / jar.name
            shutil.copyfile(jar, copy)
            self.storage.own(copy)

    def command(self, port: int) -> list[str]:
        """Return the command line."""
        import pyspark  # noqa: PLC0415 - the extra [local] brings it

        jars = sorted(self.storage.jars.glob("*.jar"))
        settings = local_settings(jars=jars, warehouse=self.storage.tables, workers=self.workers)
        java = settings.pop("spark.driver.extraJavaOptions")
        memory = settings.pop("spark.driver.memory")
        # Its workers need no Gauntlet but the one that a session sends them.
        settings.pop(DAEMON_SETTING, None)
        # It lives long, for tables of any size.
        settings.pop(STAGE_CODE_SETTING, None)
        settings |= {
            "spark.driver.extraJavaOptions": f"{java} -Djava.io.tmpdir={self.storage.temporary}",
            "spark.local.dir": str(self.storage.temporary),
            "spark.log.level": "WARN",
            "spark.connect.grpc.binding.address": "127.0.0.1",
            "spark.connect.grpc.binding.port": str(port),
            # A client has no storage of its own there: it sends its files through the server.
            "spark.connect.copyFromLocalToFs.allowDestLocal": "true",
        }
        options = [part for name, value in settings.items() for part in ("--conf", f"{name}={value}")]
        submit = Path(pyspark.__file__).parent / "bin" / "spark-submit"
        return [str(submit), "--class", _CONNECT_CLASS, "--driver-memory", memory, *options, "spark-internal"]

    def environment(self) -> dict[str, str]:
        """Return the environment; it holds no credentials of MLflow's, so neither do the workers."""
        import pyspark  # noqa: PLC0415 - the extra [local] brings it

        return self.storage.environment() | {
            "SPARK_HOME": str(Path(pyspark.__file__).parent),
            "PYSPARK_PYTHON": sys.executable,
            TOKEN_VARIABLE: self.secrets.token,
        }

    def is_ready(self, port: int) -> bool:
        """Say whether it listens."""
        with socket.socket() as asked:
            asked.settimeout(_ASK_SECONDS)
            return asked.connect_ex(("127.0.0.1", port)) == 0


@dataclass(frozen=True)
class MlflowServer:
    """The MLflow server with its authentication app.

    Attributes:
        database: An SQLAlchemy address of a PostgreSQL database; None for SQLite files in the storage.
    """

    storage: Storage
    secrets: Secrets
    database: str | None = None

    name = "MLflow"
    wait_seconds = 120.0

    def prepare(self) -> None:
        """Write the authentication app's settings.

        Raises:
            InputError: If the database is none that this can use.
            RequirementError: If a library is missing.
        """
        if importlib.util.find_spec("flask_wtf") is None:
            raise RequirementError(
                "MLflow's authentication app lacks flask_wtf; pip install 'gauntlet-mlops[stack]' (or 'mlflow[auth]')"
            )
        settings = self._settings
        database = f"sqlite:///{self.storage.mlflow}/users.db"
        if self.database is not None:
            database = with_driver(self.database)
        elif copy_fresh_database(file := self.storage.mlflow / "mlflow.db") and file.exists():
            self.storage.own(file)
        # The % of an escaped character in an address would be the begin of a substitution.
        text = _AUTHENTICATION.format(database=database.replace("%", "%%"), administrator=ADMINISTRATOR)
        settings.unlink(missing_ok=True)
        descriptor = os.open(settings, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
            stream.write(text)
        self.storage.own(settings)

    def command(self, port: int) -> list[str]:
        """Return the command line; addresses with a password are in the environment instead."""
        artefacts = self.storage.mlflow / "artifacts"
        return [
            *(sys.executable, "-m", "mlflow", "server", "--app-name", "basic-auth"),
            *("--host", "127.0.0.1", "--port", str(port), "--workers", "1"),
            *("--serve-artifacts", "--artifacts-destination", str(artefacts)),
        ]

    def environment(self) -> dict[str, str]:
        """Return the environment, with what only MLflow's server may know."""
        database = f"sqlite:///{self.storage.mlflow}/mlflow.db" if self.database is None else with_driver(self.database)
        return self.storage.environment() | {
            # Its job queues serve language models, and would be seven processes more.
            "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
            "MLFLOW_BACKEND_STORE_URI": database,
            "MLFLOW_AUTH_CONFIG_PATH": str(self._settings),
            "MLFLOW_AUTH_ADMIN_USERNAME": ADMINISTRATOR,
            "MLFLOW_AUTH_ADMIN_PASSWORD": self.secrets.password,
            # Signs the forms of MLflow's pages; the same as long as the password is, so that they outlive a restart.
            "MLFLOW_FLASK_SERVER_SECRET_KEY": f"{self.secrets.password}/pages",
        }

    def is_ready(self, port: int) -> bool:
        """Say whether it answers."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=_ASK_SECONDS) as answer:
                return int(answer.status) == 200
        except (OSError, urllib.error.URLError):
            return False

    @property
    def _settings(self) -> Path:
        return self.storage.mlflow / "authentication.ini"


def free_ports(count: int, *, preferred: Sequence[int] = ()) -> tuple[int, ...]:
    """Return ports of loopback that nobody listens at, the preferred ones where they are free."""
    wanted: Iterator[int] = iter([*preferred, *([0] * count)][:count])
    held: list[socket.socket] = []
    try:
        for port in wanted:
            held.append(_bound(port) or _bound(0) or _none_free())
        return tuple(int(one.getsockname()[1]) for one in held)
    finally:
        for one in held:
            one.close()


def _bound(port: int) -> socket.socket | None:
    found = socket.socket()
    # A port whose connections are only being forgotten is free.
    found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        found.bind(("127.0.0.1", port))
    except OSError:
        found.close()
        return None
    return found


def _none_free() -> socket.socket:
    raise RequirementError("no port of 127.0.0.1 is free")


def credentials(secrets: Secrets) -> Mapping[str, str]:
    """Return the environment that a client needs to reach both servers."""
    return {
        "MLFLOW_TRACKING_USERNAME": ADMINISTRATOR,
        "MLFLOW_TRACKING_PASSWORD": secrets.password,
        TOKEN_VARIABLE: secrets.token,
    }
