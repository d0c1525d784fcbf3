"""Write the hashed locks that CI installs from, or check that they say what the constraints say.

Usage: PYTHON ci/update_lock.py [--check]

The constraints pin versions, for whoever installs by the README; a lock has the SHA-256 of every file of them too, so
that what is installed is what was locked, whatever an index serves. ci/lock.txt holds the suite's tree, and
ci/lock_tools.txt what tests and builds are started with. Run ci/update_constraints.py first. With --check nothing is
written or fetched, and the exit code is 1 if a lock does not fit.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
import tempfile
import tomllib
import venv
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from suite import EXTRAS
from update_constraints import CONSTRAINTS, ROOT, Pins, canonical, declared

LOCK, TOOLS_LOCK = ROOT / "ci" / "lock.txt", ROOT / "ci" / "lock_tools.txt"
TOOLS = ("build", "hatchling", "tox")
HEADER = "# Every file of one tree for all supported Pythons. Written by ci/update_lock.py.\n"
_RESOLVER = "uv>=0.9,<1"
# The first Python 3.11 that all of the tree supports.
_OLDEST_PYTHON = "3.11.5"
_PIN = re.compile(r"(?P<name>[A-Za-z0-9._-]+)==(?P<version>[^\s;\\]+)")
_HASH = re.compile(r"--hash=sha256:[0-9a-f]{64}")


def resolve(uv: Path, *, arguments: Sequence[str], requirements: str | None = None) -> str:
    """Return the lines of a lock: the constraints' versions, with the hashes of all their files.

    Args:
        uv: The resolver.
        arguments: What to lock, as uv takes it; ``-`` for the requirements.
        requirements: Requirements, one a line.
    """
    command = [str(uv), "pip", "compile", *arguments, "--universal", "--python-version", _OLDEST_PYTHON]
    command += ["--generate-hashes", "-c", str(CONSTRAINTS)]
    command += ["--no-emit-index-url", "--no-header", "--no-annotate", "--quiet"]
    done = subprocess.run(command, input=requirements, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True)
    return done.stdout


def locked(text: str) -> dict[str, str]:
    """Return the version of each distribution that a lock holds, by name."""
    return {canonical(match["name"]): match["version"] for match in _PIN.finditer(text)}


def faults(text: str, *, pins: Pins, wanted: Iterable[str]) -> Iterator[str]:
    """Yield what is wrong with a lock, one sentence each.

    Args:
        text: The lock.
        pins: The constraints.
        wanted: The names of the distributions that it is for.
    """
    found = locked(text)
    for block in re.split(r"\n(?=\S)", text):
        name = _PIN.match(block)
        if name and not _HASH.search(block):
            yield f"{name['name']}: has no hash"
    for line in text.splitlines():
        if not (line.startswith("#") or _PIN.match(line) or _HASH.match(line.strip())):
            yield f"{line!r}: is neither a version nor a hash"
    for name, version in sorted(found.items()):
        pinned = set(pins.versions.get(name, {}).values())
        if pinned and version not in pinned:
            yield f"{name}: locked in version {version}, pinned to {', '.join(sorted(pinned))}"
    yield from (f"{name}: wanted, not locked" for name in sorted(set(wanted) - found.keys()))


def main(arguments: list[str] | None = None) -> int:
    """Write the locks, or check them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="write nothing; exit code 1 if a lock does not fit")
    if parser.parse_args(arguments).check:
        return _check()
    with tempfile.TemporaryDirectory() as folder:
        venv.EnvBuilder(with_pip=True, symlinks=True).create(folder)
        programs = Path(folder) / "bin"
        subprocess.run([str(programs / "python"), "-m", "pip", "install", "--quiet", _RESOLVER], check=True)
        extras = [word for extra in EXTRAS for word in ("--extra", extra)]
        tree = resolve(programs / "uv", arguments=["pyproject.toml", *extras])
        tools = resolve(programs / "uv", arguments=["-"], requirements="\n".join(TOOLS))
    for path, text in ((LOCK, tree), (TOOLS_LOCK, tools)):
        path.write_text(HEADER + text, encoding="utf-8")
        print(f"{path}: {len(locked(text))} distributions")
    return 0


def _check() -> int:
    pins = Pins.parse(CONSTRAINTS.read_text(encoding="utf-8"))
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    optional = project["project"]["optional-dependencies"]
    project["project"]["optional-dependencies"] = {extra: optional[extra] for extra in EXTRAS}
    code = 0
    for path, wanted in ((LOCK, declared(project)), (TOOLS_LOCK, frozenset(TOOLS))):
        found = list(faults(path.read_text(encoding="utf-8"), pins=pins, wanted=wanted))
        print(*found, f"{path.name}: {f'{len(found)} faults' if found else 'fits the constraints'}", sep="\n")
        code |= bool(found)
    return code


if __name__ == "__main__":
    sys.exit(main())
