"""Make the one installation that all tox environments share, unless it is there and up to date.

Usage: PYTHON ci/suite.py FOLDER

tox gives each environment a folder of its own and would install the whole tree, Spark included, once for each. So the
environments stay empty and call this first. What was installed is known by a digest of all that decides it: the
project's metadata, the constraints, the extras and the Python. It is made anew when that changes, or when the last try
did not come to its end; settings of tools in pyproject.toml change nothing.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import subprocess
import sys
import time
import tomllib
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
CONSTRAINTS = ROOT / "ci" / "constraints.txt"
EXTRAS = ("local", "stack", "infra", "dev")
STAMP = "installed.txt"


def stamp() -> str:
    """Return the digest of all that decides what an installation holds."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    tables = [project["build-system"], project["project"], project.get("tool", {}).get("hatch")]
    parts = [sys.version, sys.base_prefix, str(ROOT), EXTRAS, tables, CONSTRAINTS.read_text(encoding="utf-8")]
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def up_to_date(folder: Path) -> bool:
    """Say whether the folder holds what would be installed today."""
    written = folder / STAMP
    return written.is_file() and written.read_text(encoding="utf-8") == stamp()


def install(folder: Path) -> None:
    """Make the environment anew; its stamp is written last, so that a broken try is not taken for a whole one."""
    venv.EnvBuilder(clear=True, with_pip=True, symlinks=True).create(folder)
    # Compiling all modules would take longer than compiling those that the tests import.
    options = ["--quiet", "--no-compile", "--disable-pip-version-check", "-c", str(CONSTRAINTS)]
    command = [str(folder / "bin" / "python"), "-m", "pip", "install", *options]
    subprocess.run([*command, "-e", f"{ROOT}[{','.join(EXTRAS)}]"], check=True)
    (folder / STAMP).write_text(stamp(), encoding="utf-8")


def main(arguments: list[str]) -> int:
    """Bring the installation up to date."""
    if len(arguments) != 1:
        print(__doc__, file=sys.stderr)
        return 2
    folder = Path(arguments[0]).resolve()
    folder.parent.mkdir(parents=True, exist_ok=True)
    with folder.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # `tox -p` starts several at once
        if up_to_date(folder):
            return 0
        print(f"suite: installing into {folder}", flush=True)
        started = time.monotonic()
        try:
            install(folder)
        except subprocess.CalledProcessError as error:
            print(f"suite: pip ended with exit code {error.returncode}; what it said stands above", file=sys.stderr)
            return 1
        print(f"suite: installed in {time.monotonic() - started:.0f} s", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
