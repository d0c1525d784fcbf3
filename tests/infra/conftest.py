"""The fixtures of the infrastructure tests, and the closing line that says with which providers they ran.

For tests over plans: ask for ``example_plan`` and call it with an example's path below ``infra_modules/examples``::

    def test_job_runs_on_the_workspace(example_plan):
        plan = example_plan("complete/workspace")      # what `terraform show -json` gives; made once a session

The variables of an example's plan stand in ``example_variables.toml``. ``providers`` gives the environment for a run of
one's own (``tests/infra/terraform_runs.py``). No test asks which tier it runs in.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from gauntlet import cli
from tests.infra.prepared import Prepared
from tests.infra.providers import NoProvidersError, Providers, chosen_providers
from tests.infra_trial import LOCAL_STATE, write_config, write_stacks

# A real subscription is used where somebody names one, and nothing is skipped where nobody does.
collect_ignore = [] if "GAUNTLET_LIVE_SUBSCRIPTION" in os.environ else ["test_live.py"]

_RESOURCES = """
resource "terraform_data" "{name}" {{
  input = var.tags
}}
"""
_SAID = pytest.StashKey[list[str]]()


@pytest.fixture(scope="session")
def providers(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Providers]:
    """The real providers where Terraform can get them, else the stand-in, which ``--require-providers`` refuses."""
    said = request.config.stash.setdefault(_SAID, [])
    require_real = bool(request.config.getoption("--require-providers", default=False))
    try:
        with chosen_providers(tmp_path_factory.mktemp("providers"), require_real=require_real) as chosen:
            said[:] = [chosen.summary, *(f"not checked: {sentence}" for sentence in chosen.not_checked)]
            yield chosen
    except NoProvidersError as error:
        said[:] = [f"not checked: everything that needs Terraform; {error}"]
        if require_real:
            pytest.fail(str(error))
        pytest.skip(f"not checked: {error}")


@pytest.fixture(scope="session")
def prepared(
    request: pytest.FixtureRequest, providers: Providers, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Prepared]:
    """The outcomes of Terraform over the modules; all that this session's items ask for are begun at once."""
    prepared = Prepared(tmp_path_factory.mktemp("terraform"), providers=providers)
    # One of several processes (pytest-xdist) knows all items, and runs a part of them: it waits for what it is asked.
    if not hasattr(request.config, "workerinput"):
        marks = (mark for item in request.session.items for mark in item.iter_markers("needs_terraform"))
        prepared.begin(dict.fromkeys(mark.args for mark in marks))
    try:
        yield prepared
    finally:
        prepared.close()


@pytest.fixture
def example_plan(prepared: Prepared) -> Callable[[str], dict[str, Any]]:
    """Make an example's plan, or return the one that was made; by its path below ``infra_modules/examples``."""
    return prepared.plan


@pytest.fixture
def shell(
    providers: Providers, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., tuple[Any, str, str]]:
    """Run `gauntlet infra` in the environment of these tests; returns exit code, standard output and error."""
    for name in list(os.environ):
        if name.startswith(("ARM_", "TF_", "DATABRICKS_")):
            monkeypatch.delenv(name)
    for name, value in providers.apply_environment.items():
        monkeypatch.setenv(name, value)

    def run(*arguments: object) -> tuple[Any, str, str]:
        with pytest.raises(SystemExit) as caught:
            cli.main(["infra", *map(str, arguments)])
        captured = capsys.readouterr()
        assert "Traceback" not in captured.err
        return caught.value.code, captured.out, captured.err

    return run


@pytest.fixture
def trial(tmp_path: Path, shell: Callable[..., tuple[Any, str, str]]) -> Callable[..., tuple[Any, str, str]]:
    """An environment without providers in the folder ``infra``; returns what runs a command on it."""
    folder = tmp_path / "infra"
    write_config(folder, LOCAL_STATE)
    write_stacks(folder, infra=_RESOURCES.format(name="base"), workspace=_RESOURCES.format(name="job"))

    def run(command: str, *options: object) -> tuple[Any, str, str]:
        return shell(command, folder, "--state", tmp_path / "state", *options)

    assert run("init")[0] == 0
    return run


@pytest.fixture
def made(trial: Callable[..., tuple[Any, str, str]]) -> Callable[..., tuple[Any, str, str]]:
    """The same, with both stacks made."""
    for command in ("plan", "create", "plan", "create"):
        assert trial(command)[0] == 0
    return trial


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "needs_terraform(kind, name): an outcome of Terraform that the test asks for")


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Hand the closing line to the process that prints it, where pytest-xdist runs the tests in others."""
    if hasattr(session.config, "workeroutput"):
        session.config.workeroutput["providers"] = session.config.stash.get(_SAID, [])


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    said = getattr(node, "workeroutput", {}).get("providers")
    if said:
        node.config.stash[_SAID] = said


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Say which providers the infrastructure tests ran with, and what was therefore not checked."""
    said = config.stash.get(_SAID, [])
    if said:
        terminalreporter.section("providers")
        for line in said:
            terminalreporter.line(line)
