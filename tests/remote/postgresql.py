"""A PostgreSQL server of the tests' own, on loopback, from the system's packages."""

from __future__ import annotations

import os
import pwd
import secrets
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from gauntlet.adapters.stack_servers import free_ports

_SECONDS = 60
# The server refuses to be root's.
_NOBODY = "nobody"


def _program(name: str) -> str:
    """Return where a program of PostgreSQL's is: Debian keeps those of the server off PATH."""
    found = shutil.which(name) or next(map(str, sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"))), None)
    if found is None:
        pytest.skip(f"PostgreSQL's {name} is not there; install the package postgresql")
    return found


@contextmanager
def postgresql_address() -> Iterator[str]:
    """Start a server with an empty database; yields its address, with user and password."""
    initialise, control = _program("initdb"), _program("pg_ctl")
    root = os.geteuid() == 0
    user = pwd.getpwnam(_NOBODY) if root else pwd.getpwuid(os.getuid())
    who = {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []} if root else {}
    (port,), password = free_ports(1), secrets.token_hex(8)
    with tempfile.TemporaryDirectory(prefix="gauntlet-postgresql-") as name:
        folder = Path(name)
        (folder / "password").write_text(password, encoding="utf-8")
        for path in (folder, folder / "password"):
            os.chown(path, user.pw_uid, user.pw_gid)

        def run(*command: str) -> None:
            done = subprocess.run(
                command,
                cwd=folder,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                timeout=_SECONDS,
                check=False,
                text=True,
                **who,
            )
            assert done.returncode == 0, done.stderr

        data = str(folder / "data")
        make = ("--auth=scram-sha-256", "--username=mlflow", f"--pwfile={folder}/password", "--encoding=UTF8")
        run(initialise, "-D", data, "--no-sync", *make)
        options = f"-p {port} -c listen_addresses=127.0.0.1 -c unix_socket_directories={folder} -c fsync=off"
        run(control, "-D", data, "-w", "-l", str(folder / "log"), "-o", options, "start")
        try:
            yield f"postgresql://mlflow:{password}@127.0.0.1:{port}/postgres"
        finally:
            run(control, "-D", data, "-w", "-m", "immediate", "stop")
