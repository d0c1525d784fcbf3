"""This module provides the gate on the packed model's requirements: what a server must install before it answers."""

from __future__ import annotations

import platform
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from gauntlet.adapters.dependencies import installed_versions
from gauntlet.adapters.packing import needed_distributions
from gauntlet.core.verdict import Status, Verdict
from gauntlet.gates.artefact_answers import packed
from gauntlet.gates.gate import gate
from gauntlet.stages.candidate import Candidate

_PIN = re.compile(r"(?P<name>[A-Za-z0-9][A-Za-z0-9._-]*)(\[[^\]]*\])?\s*==\s*(?P<version>[A-Za-z0-9.!+_-]+)")
_PYTHON = re.compile(r"^python:\s*(\S+)\s*$", re.MULTILINE)
_CONDA_PIP = re.compile(r"^- pip:\n((?:[ ]+- .*\n?)*)", re.MULTILINE)


@gate(
    "artefact::requirements_locked",
    needs=("artefact",),
    remedy="Pack the model again in the environment that it is judged in, with every requirement pinned by ==: another "
    "version may answer otherwise, and would not have been judged.",
)
def requirements_locked(candidate: Candidate) -> Verdict:
    """Guard that the artefact pins all it needs (==), Python included, at the versions that it is judged with.

    Read are requirements.txt, the pip section of conda.yaml, which must say the same, and python_env.yaml. That a model
    needs something is known of XGBoost's and skops' files, beside MLflow, numpy and pandas; what else its code imports
    is not looked for.
    """
    name, folder = "artefact::requirements_locked", packed(candidate).folder
    lines = _lines(folder / "requirements.txt")
    if not lines:
        return Verdict(name, Status.FAIL, f"{folder}: requirements.txt is missing or empty, so nothing is pinned", 0)
    faults = [
        *_pin_faults(lines, installed_versions()),
        *_missing(lines, needed_distributions(folder)),
        *_conda_faults(folder / "conda.yaml", lines),
        *_python_faults(folder / "python_env.yaml"),
    ]
    if faults:
        return Verdict(name, Status.FAIL, "; ".join(faults[:3]), float(len(faults)), 0)
    sentence = f"{len(lines)} requirements and Python {platform.python_version()} are pinned as they are installed"
    return Verdict(name, Status.PASS, sentence, 0, 0)


def _lines(path: Path) -> list[str]:
    """Return the requirements of a file, without comments; none if there is no such file."""
    if not path.is_file():
        return []
    texts = (line.split("#", 1)[0].strip() for line in path.read_text(encoding="utf-8").splitlines())
    return [text for text in texts if text]


def _pin_faults(lines: Sequence[str], installed: Mapping[str, str]) -> Iterator[str]:
    for line in lines:
        pin = _PIN.fullmatch(line)
        if pin is None:
            yield f"requirements.txt: {line!r} pins no version with =="
            continue
        found = installed.get(_normalised(pin["name"]))
        if found is None:
            yield f"requirements.txt asks for {line}, which is not installed here"
        elif found != pin["version"]:
            yield f"requirements.txt asks for {line}, but {found} is installed, which the model is judged with"


def _missing(lines: Sequence[str], needed: Sequence[str]) -> Iterator[str]:
    listed = {_normalised(re.split(r"[^A-Za-z0-9._-]", line, maxsplit=1)[0]) for line in lines}
    for distribution in needed:
        if _normalised(distribution) not in listed:
            yield f"requirements.txt leaves out {distribution}, which the model needs"


def _conda_faults(path: Path, lines: Sequence[str]) -> Iterator[str]:
    """Say where conda's list differs; it need not be there, as nobody installs from a list that is not."""
    if not path.is_file():
        return
    section = _CONDA_PIP.search(path.read_text(encoding="utf-8"))
    listed = re.findall(r"^\s+- (.+?)\s*$", section[1], re.MULTILINE) if section else []
    different = sorted({*listed} ^ {*lines})
    if different:
        yield f"conda.yaml and requirements.txt do not say the same: {', '.join(different[:3])}"


def _python_faults(path: Path) -> Iterator[str]:
    asked = _PYTHON.search(path.read_text(encoding="utf-8")) if path.is_file() else None
    if asked is None:
        yield "python_env.yaml names no version of Python"
    elif asked[1] != platform.python_version():
        yield f"python_env.yaml asks for Python {asked[1]}, but the model is judged with {platform.python_version()}"


def _normalised(name: str) -> str:
    """Return a distribution's name as package indexes compare it."""
    return re.sub(r"[-_.]+", "-", name).lower()
