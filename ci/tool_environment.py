"""Make an environment for one tool whose packages do not go with the suite's, unless it is there and up to date.

Usage: PYTHON ci/tool_environment.py FOLDER REQUIREMENTS

REQUIREMENTS lists everything, one `name==version` a line, so that nothing is resolved. What was installed is known by a
digest of the list and of the Python; the environment is made anew when that changes, or when the last try did not end.
ci/suite.py makes the tests' own environment by the same function.
"""

from __future__ import annotations

import fcntl
import hashlib
import subprocess
import sys
import time
import venv
from collections.abc import Sequence
from pathlib import Path

STAMP = "installed.txt"


def stamp(requirements: Path) -> str:
    """Return the digest of all that decides what the environment holds."""
    parts = [sys.version, sys.base_prefix, requirements.read_text(encoding="utf-8")]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def up_to_date(folder: Path, *, wanted: str) -> bool:
    """Say whether the folder's stamp, written when its installation had ended, is the wanted one."""
    written = folder / STAMP
    return written.is_file() and written.read_text(encoding="utf-8") == wanted


def install(folder: Path, *, installations: Sequence[Sequence[str]], wanted: str) -> None:
    """Make the environment anew; its stamp is written last, so that a broken try is not taken for a whole one."""
    venv.EnvBuilder(clear=True, with_pip=True, symlinks=True).create(folder)
    command = [str(folder / "bin" / "python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    for options in installations:
        subprocess.run([*command, *options], check=True)
    (folder / STAMP).write_text(wanted, encoding="utf-8")


def bring_up_to_date(folder: Path, *, installations: Sequence[Sequence[str]], wanted: str) -> int:
    """Make an environment unless it is there and up to date; return the exit code.

    Args:
        folder: Its folder.
        installations: What pip is told to install, and how, one call after the other.
        wanted: The digest of all that decides what it holds.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    with folder.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # `tox -p` and pytest-xdist start several at once
        if up_to_date(folder, wanted=wanted):
            return 0
        print(f"{folder.name}: installing into {folder}", file=sys.stderr, flush=True)
        started = time.monotonic()
        try:
            install(folder, installations=installations, wanted=wanted)
        except subprocess.CalledProcessError as error:
            said = "what it said stands above"
            print(f"{folder.name}: pip ended with exit code {error.returncode}; {said}", file=sys.stderr)
            return 1
        print(f"{folder.name}: installed in {time.monotonic() - started:.0f} s", file=sys.stderr, flush=True)
    return 0


def main(arguments: list[str]) -> int:
    """Bring the environment up to date."""
    if len(arguments) != 2:
        print(__doc__, file=sys.stderr)
        return 2
    folder, requirements = Path(arguments[0]).resolve(), Path(arguments[1]).resolve()
    options = ["--no-deps", "-r", str(requirements)]
    return bring_up_to_date(folder, installations=[options], wanted=stamp(requirements))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
