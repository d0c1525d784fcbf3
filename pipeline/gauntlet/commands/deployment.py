"""This module provides the command that brings what a job needs into a workspace: wheel, suites, data, notebook.

The places are those of the Terraform module ml_assets, which does the same where everything else is Terraform's too.
"""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from rich.markup import escape

from gauntlet.adapters.databricks_settings import databricks_settings
from gauntlet.adapters.origin_files import checked_files
from gauntlet.adapters.suite_files import find_suite, load_suite
from gauntlet.adapters.workspace_files import WorkspaceFiles, volume_of
from gauntlet.core.errors import ExitCode, InputError, RequirementError
from gauntlet.core.problem import Problem
from gauntlet.core.problem_file import load_problem
from gauntlet.terminal import Terminal

Kind = Literal["wheel", "problem", "suite", "data", "notebook"]
_DISTRIBUTION = "gauntlet_mlops"


@dataclass(frozen=True)
class Deployment:
    """What is to be brought there.

    Attributes:
        problem: The problem file; None for the one in the wheel.
        wheel: The wheel; None takes the newest in ``dist``.
        data: The folder of the problem's source files; None brings none.
        notebook: A notebook; None brings none.
        folder: The workspace's folder for notebooks; None takes the experiment's.
    """

    problem: Path | None = None
    wheel: Path | None = None
    data: Path | None = None
    notebook: Path | None = None
    folder: str | None = None


@dataclass(frozen=True)
class Upload:
    """One file and its place.

    Attributes:
        kind: What it is.
        file: The file here.
        place: Where it goes.
    """

    kind: Kind
    file: Path
    place: str


def deploy(deployment: Deployment, terminal: Terminal) -> int:
    """Bring everything there; all of it is checked before the first byte is sent.

    Raises:
        InputError: If a file is missing, or is not what it is taken for.
        RequirementError: If the workspace cannot be reached, or refuses.
    """
    problem = load_problem(deployment.problem)
    if "databricks" not in problem.names:
        raise RequirementError("the problem says no names for target databricks; add a section [names.databricks]")
    names = problem.names["databricks"]
    folder = (deployment.folder or names.experiment.rpartition("/")[0]).rstrip("/")
    if not folder.startswith("/"):
        raise InputError(f"--folder {folder}: expected a path of the workspace, such as /Shared/gauntlet")
    uploads = tuple(_uploads(deployment, problem, volume=volume_of(names), folder=folder))
    settings = databricks_settings()
    files = WorkspaceFiles(settings)
    terminal.say(f"{escape(settings.host)} as {escape(settings.user())}")
    files.make_folder(folder)
    for upload in uploads:
        if upload.kind == "notebook":
            files.make_folder(upload.place.rpartition("/")[0])
            files.put_notebook(upload.file, upload.place)
        else:
            files.put(upload.file, upload.place)
        terminal.say(f"[green]✓[/] {upload.kind:<9}{escape(upload.place)}")
    if terminal.machine:
        sent = [{"kind": each.kind, "file": str(each.file), "place": each.place} for each in uploads]
        terminal.document({"host": settings.host, "folder": folder, "files": sent})
    return ExitCode.DONE


def _uploads(deployment: Deployment, problem: Problem, *, volume: str, folder: str) -> Iterator[Upload]:
    wheel = _wheel(deployment.wheel)
    yield Upload("wheel", wheel, f"{volume}/wheels/{wheel.name}")
    home = deployment.problem.resolve().parent if deployment.problem else None
    if deployment.problem is not None:
        yield Upload("problem", deployment.problem, f"{volume}/{deployment.problem.name}")
    # Beside a problem file its suites are found in the folder `suites`.
    for name in sorted(set(problem.suites.by_table.values())):
        suite = find_suite(name, problem_folder=home)
        load_suite(suite, free_sql=problem.suites.free_sql)
        yield Upload("suite", suite, f"{volume}/suites/{name}.json")
    if deployment.data is not None:
        yield from _data(deployment.data, problem, volume=volume)
    if deployment.notebook is not None:
        if not deployment.notebook.is_file():
            raise InputError(f"{deployment.notebook}: no such file; give a notebook with --notebook")
        yield Upload("notebook", deployment.notebook, f"{folder}/notebooks/{deployment.notebook.name}")


def _data(folder: Path, problem: Problem, *, volume: str) -> Iterator[Upload]:
    paths = {source.name: folder / source.file for source in problem.sources}
    checked_files(paths, problem.sources)
    for path in paths.values():
        files = [path] if path.is_file() else sorted(file for file in path.rglob("*") if file.is_file())
        for file in files:
            yield Upload("data", file, f"{volume}/data/{file.relative_to(folder).as_posix()}")


def _wheel(given: Path | None) -> Path:
    """Return the wheel, if it is one of this package."""
    found = given or max(
        Path("dist").glob(f"{_DISTRIBUTION}-*.whl"), key=lambda path: path.stat().st_mtime, default=None
    )
    if found is None:
        raise InputError("dist holds no wheel; make one with `python -m build --wheel`, or give it with --wheel")
    if not found.is_file():
        raise InputError(f"{found}: no such file; give a wheel with --wheel")
    try:
        with zipfile.ZipFile(found) as archive:
            inside = archive.namelist()
    except zipfile.BadZipFile as error:
        raise InputError(f"{found}: is no wheel ({error})") from error
    if not found.name.startswith(f"{_DISTRIBUTION}-") or "gauntlet/cli.py" not in inside:
        raise InputError(f"{found}: is no wheel of gauntlet-mlops; make one with `python -m build --wheel`")
    return found
