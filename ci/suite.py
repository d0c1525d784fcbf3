"""Make the one installation that all tox environments share, unless it is there and up to date.

Usage: PYTHON ci/suite.py FOLDER

tox gives each environment a folder of its own and would install the whole tree, Spark included, once for each. So the
environments stay empty and call this first. What was installed is known by a digest of all that decides it: the
project's metadata, the lock, the extras and the Python. It is made anew when that changes, or when the last try
did not come to its end; settings of tools in pyproject.toml change nothing.
"""

from __future__ import annotations

import hashlib
import json
import sys
import tomllib
from pathlib import Path

from tool_environment import bring_up_to_date

ROOT = Path(__file__).resolve().parent.parent
LOCK = ROOT / "ci" / "lock.txt"
EXTRAS = ("local", "stack", "infra", "databricks", "serve", "notebook", "dev")


def stamp() -> str:
    """Return the digest of all that decides what an installation holds."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    tables = [project["build-system"], project["project"], project.get("tool", {}).get("hatch")]
    parts = [sys.version, sys.base_prefix, str(ROOT), EXTRAS, tables, LOCK.read_text(encoding="utf-8")]
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def main(arguments: list[str]) -> int:
    """Bring the installation up to date."""
    if len(arguments) != 1:
        print(__doc__, file=sys.stderr)
        return 2
    # Compiling all modules would take longer than compiling those that the tests import.
    tree = ["--no-compile", "--require-hashes", "-r", str(LOCK)]
    # The project itself has no hash; what builds it is in the tree.
    project = ["--no-compile", "--no-deps", "--no-build-isolation", "-e", str(ROOT)]
    return bring_up_to_date(Path(arguments[0]).resolve(), installations=[tree, project], wanted=stamp())


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
