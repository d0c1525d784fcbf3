"""This module provides the running stand-in: one process for both providers, and what leads Terraform to it."""

from __future__ import annotations

import json
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.infra.stand_in.facts import FOLDER, PROVIDERS, load

SERVER = Path(__file__).resolve().parent / "server.py"


@contextmanager
def running_stand_in(python: Path, *, facts_folder: Path = FOLDER) -> Iterator[dict[str, str]]:
    """Run the stand-in, and give the environment variables that make Terraform use it.

    Terraform is told to attach to a process that runs already, as a provider's developers do: so it neither downloads
    nor starts anything, and writes no lock file.

    Args:
        python: The interpreter of the stand-in's environment.
        facts_folder: Where the fact files are.

    Raises:
        RuntimeError: The server ended before it was ready.
    """
    # A socket's address may have 107 bytes at most, so it cannot lie in pytest's own folders.
    with tempfile.TemporaryDirectory(prefix="stand-in-", ignore_cleanup_errors=True) as sockets:
        command = [str(python), str(SERVER), str(facts_folder), sockets]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdin is not None
            assert process.stdout is not None
            try:
                ready = process.stdout.readline()
                if not ready:
                    raise RuntimeError(f"the stand-in ended with exit code {process.wait()} before it was ready")
                yield {"TF_REATTACH_PROVIDERS": json.dumps(_attachments(json.loads(ready), process.pid, facts_folder))}
            finally:
                process.stdin.close()
                process.wait(timeout=30)


def _attachments(addresses: dict[str, str], pid: int, facts_folder: Path) -> dict[str, object]:
    return {
        f"registry.terraform.io/{load(name, folder=facts_folder).source}": {
            "Protocol": "grpc",
            "ProtocolVersion": 6,
            "Pid": pid,
            "Test": True,
            "Addr": {"Network": "unix", "String": addresses[name]},
        }
        for name in PROVIDERS
    }
