"""Resolve the project's dependencies into ci/constraints.txt, or check that the file covers them.

Usage: PYTHON ci/update_constraints.py [--upgrade] [--check]

It resolves for the interpreter that runs it, and merges: run it under every Python that the project supports. A version
that is the same for all has a plain line; one that is not has a marker. Present pins are kept where they still serve;
--upgrade resolves afresh. With --check nothing is written or fetched, and the exit code is 1 if a declared dependency
has no pin, or an installed one is not what its pin says.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import json
import re
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
CONSTRAINTS = ROOT / "ci" / "constraints.txt"
PYTHONS = ("3.11", "3.12", "3.13")
THIS_PYTHON = f"{sys.version_info.major}.{sys.version_info.minor}"
HEADER = "# One tree for all supported Pythons on Linux. Written by ci/update_constraints.py.\n"

# What installs the others, and the project itself, are nobody's dependencies.
_UNPINNED = frozenset({"pip", "setuptools", "wheel", "gauntlet-mlops"})
_LINE = re.compile(r"(?P<name>[A-Za-z0-9._-]+)==(?P<version>[^\s;]+)(?:\s*;\s*(?P<marker>.+))?")
_MARKERS: Mapping[frozenset[str], str] = {
    frozenset({"3.11"}): 'python_version < "3.12"',
    frozenset({"3.12"}): 'python_version == "3.12"',
    frozenset({"3.13"}): 'python_version >= "3.13"',
    frozenset({"3.11", "3.12"}): 'python_version < "3.13"',
    frozenset({"3.12", "3.13"}): 'python_version >= "3.12"',
    frozenset({"3.11", "3.13"}): 'python_version != "3.12"',
}


@dataclass
class Pins:
    """The pinned versions.

    Attributes:
        versions: The version of each distribution, by its name and the Python it is for.
        others: Lines about other platforms, which cannot be resolved here; written by hand and kept.
    """

    versions: dict[str, dict[str, str]] = field(default_factory=dict)
    others: list[str] = field(default_factory=list)

    @classmethod
    def parse(cls, text: str) -> Pins:
        """Return the pins of a file.

        Raises:
            ValueError: If a line is not of the form ``name==version`` with or without a marker.
        """
        pins = cls()
        for number, line in enumerate(text.splitlines(), 1):
            if not line.strip() or line.startswith("#"):
                continue
            match = _LINE.fullmatch(line.strip())
            if match is None:
                raise ValueError(f"line {number}: expected name==version, found {line!r}")
            marker = match["marker"]
            if marker is not None and "python_version" not in marker:
                pins.others.append(line.strip())
                continue
            for python in _pythons(marker):
                pins.versions.setdefault(canonical(match["name"]), {})[python] = match["version"]
        return pins

    def render(self) -> str:
        """Return the file's text: one line a distribution, or one for each version where Pythons differ."""
        lines = list(self.others)
        for name, versions in self.versions.items():
            for version in sorted(set(versions.values())):
                pythons = frozenset(python for python, found in versions.items() if found == version)
                lines.append(f"{name}=={version}" + (f" ; {_MARKERS[pythons]}" if pythons in _MARKERS else ""))
        return HEADER + "".join(f"{line}\n" for line in sorted(lines))

    def merge(self, resolved: Mapping[str, str], *, python: str) -> None:
        """Replace what was pinned for one Python."""
        for versions in self.versions.values():
            versions.pop(python, None)
        for name, version in resolved.items():
            self.versions.setdefault(name, {})[python] = version
        self.versions = {name: versions for name, versions in self.versions.items() if versions}

    def constraints(self, python: str) -> str:
        """Return the lines for one Python; a distribution pinned for other Pythons only keeps their newest version."""
        lines = (
            f"{name}=={versions[python] if python in versions else versions[max(versions)]}\n"
            for name, versions in self.versions.items()
        )
        return "".join(lines)


def canonical(name: str) -> str:
    """Return a distribution's name in the one spelling that package indexes compare."""
    return re.sub(r"[-_.]+", "-", name).lower()


def _pythons(marker: str | None) -> Iterable[str]:
    if marker is None:
        return PYTHONS
    for pythons, known in _MARKERS.items():
        if marker.strip() == known:
            return pythons
    raise ValueError(f"marker {marker!r} is none of those this script writes")


def declared(project: Mapping[str, Any]) -> frozenset[str]:
    """Return the names of all distributions that a pyproject table asks for, in any extra or to build."""
    groups = [
        project["build-system"]["requires"],
        project["project"]["dependencies"],
        *project["project"]["optional-dependencies"].values(),
    ]
    names = (re.match(r"[A-Za-z0-9._-]+", requirement) for group in groups for requirement in group)
    return frozenset(canonical(match[0]) for match in names if match)


def gaps(pins: Pins, *, wanted: Iterable[str], installed: Mapping[str, str], python: str) -> Iterator[str]:
    """Yield one sentence for each thing that the pins do not cover."""
    elsewhere = {canonical(line.split("==")[0]) for line in pins.others}
    for name in sorted(wanted):
        if name not in pins.versions and name not in elsewhere:
            yield f"{name}: declared in pyproject.toml, not pinned"
    for name, version in sorted(installed.items()):
        pinned = pins.versions.get(name, {}).get(python)
        if pinned is None:
            yield f"{name}: installed in version {version}, not pinned"
        elif pinned != version:
            yield f"{name}: installed in version {version}, pinned to {pinned}"


def installed_versions() -> dict[str, str]:
    """Return the versions of what is installed beside the running interpreter."""
    found = ((canonical(item.name), item.version) for item in importlib.metadata.distributions())
    return {name: version for name, version in found if name not in _UNPINNED}


def resolve(extras: Iterable[str], *, constraints: str) -> dict[str, str]:
    """Return what pip would install into an empty environment of the running interpreter."""
    with tempfile.TemporaryDirectory() as name:
        report, pinned = Path(name) / "report.json", Path(name) / "constraints.txt"
        pinned.write_text(constraints, encoding="utf-8")
        command = [sys.executable, "-m", "pip", "install", "--quiet", "--dry-run", "--ignore-installed"]
        command += ["--report", str(report), "-c", str(pinned), f"{ROOT}[{','.join(extras)}]"]
        subprocess.run(command, check=True)
        items = json.loads(report.read_text(encoding="utf-8"))["install"]
    found = {canonical(item["metadata"]["name"]): item["metadata"]["version"] for item in items}
    return {name: version for name, version in found.items() if name not in _UNPINNED}


def main(arguments: list[str] | None = None) -> int:
    """Write the file, or check it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--upgrade", action="store_true", help="do not keep present pins")
    parser.add_argument("--check", action="store_true", help="write nothing; exit code 1 if something is not covered")
    options = parser.parse_args(arguments)
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    pins = Pins.parse(CONSTRAINTS.read_text(encoding="utf-8")) if CONSTRAINTS.is_file() else Pins()
    if options.check:
        return _check(pins, project)
    if THIS_PYTHON not in PYTHONS:
        print(f"update_constraints: run it under one of Python {', '.join(PYTHONS)}", file=sys.stderr)
        return 2
    kept = "" if options.upgrade else pins.constraints(THIS_PYTHON)
    pins.merge(resolve(project["project"]["optional-dependencies"], constraints=kept), python=THIS_PYTHON)
    CONSTRAINTS.write_text(pins.render(), encoding="utf-8")
    print(f"{CONSTRAINTS}: {sum(THIS_PYTHON in v for v in pins.versions.values())} pins for Python {THIS_PYTHON}")
    return 0


def _check(pins: Pins, project: Mapping[str, Any]) -> int:
    found = list(gaps(pins, wanted=declared(project), installed=installed_versions(), python=THIS_PYTHON))
    for gap in found:
        print(gap)
    print(f"{CONSTRAINTS.name}: {f'{len(found)} gaps' if found else 'covers all that is declared and installed'}")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
