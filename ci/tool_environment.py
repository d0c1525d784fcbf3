"""Make an environment for one tool whose packages do not go with the suite's, unless it is there and up to date.

Usage: PYTHON ci/tool_environment.py FOLDER REQUIREMENTS

REQUIREMENTS lists everything, one `name==version` a line, so that nothing is resolved. What was installed is known by a
digest of the list and of the Python; the environment is made anew when that changes, or when the last try did not end.
"""

from __future__ import annotations

import fcntl
import hashlib
import subprocess
import sys
import venv
from pathlib import Path

STAMP = "installed.txt"


def stamp(requirements: Path) -> str:
    """Return the digest of all that decides what the environment holds."""
    parts = [sys.version, sys.base_prefix, requirements.read_text(encoding="utf-8")]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def up_to_date(folder: Path, *, requirements: Path) -> bool:
    """Say whether the folder holds what would be installed today."""
    written = folder / STAMP
    return written.is_file() and written.read_text(encoding="utf-8") == stamp(requirements)


def install(folder: Path, *, requirements: Path) -> None:
    """Make the environment anew; its stamp is written last, so that a broken try is not taken for a whole one."""
    venv.EnvBuilder(clear=True, with_pip=True, symlinks=True).create(folder)
    command = [str(folder / "bin" / "python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*command, "--no-deps", "-r", str(requirements)], check=True)
    (folder / STAMP).write_text(stamp(requirements), encoding="utf-8")


def main(arguments: list[str]) -> int:
    """Bring the environment up to date."""
    if len(arguments) != 2:
        print(__doc__, file=sys.stderr)
        return 2
    folder, requirements = Path(arguments[0]).resolve(), Path(arguments[1]).resolve()
    folder.parent.mkdir(parents=True, exist_ok=True)
    with folder.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # `tox -p` and pytest-xdist start several at once
        if up_to_date(folder, requirements=requirements):
            return 0
        print(f"{folder.name}: installing {requirements.name}", file=sys.stderr, flush=True)
        try:
            install(folder, requirements=requirements)
        except subprocess.CalledProcessError as error:
            print(f"{folder.name}: pip ended with exit code {error.returncode}", file=sys.stderr)
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
