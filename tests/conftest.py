"""The fixtures that several tiers share."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from pytest_spark.config import SparkConfigBuilder

from gauntlet.adapters.jars import delta_jars
from gauntlet.adapters.spark import importing_meanwhile, local_settings, use_this_python
from gauntlet.adapters.target import Target
from gauntlet.core.errors import GauntletError
from gauntlet.core.problem import Problem
from gauntlet.core.problem_file import load_problem
from gauntlet.core.state import State
from gauntlet.stages.context import StageContext
from gauntlet.testing.session_options import state_folder_of, target_of
from tests.session_target import SessionTarget
from tests.workspace_stand_in.server import Workspace, started

# A project of its own, with a suite that runs in a process of its own: tests/e2e/test_example_project.py.
collect_ignore = ["example_project"]


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the option that holds the infrastructure tests to the real providers."""
    parser.addoption(
        "--require-providers", action="store_true", help="Fail where the real Terraform providers cannot be had."
    )


def pytest_configure(config: pytest.Config) -> None:
    """Take the target from the environment: those that tests run must not find it there, unless they are given it."""
    config.option.gauntlet_target = target_of(config)
    os.environ.pop("GAUNTLET_TARGET", None)


@pytest.hookimpl(trylast=True)  # after pytest-randomly has shuffled them
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Where several processes share the tests, begin with what takes minutes, so that none of it is last."""
    if hasattr(config, "workerinput"):
        items.sort(key=lambda item: not any(item.get_closest_marker(tier) for tier in ("e2e", "gates", "remote")))


@pytest.fixture(scope="session")
def wine_problem() -> Problem:
    """The default problem with a small sweep."""
    return load_problem(overrides={"sweep.trials": 6, "sweep.lag": 4, "sweep.max_rounds": 40})


@pytest.fixture(scope="session")
def session_target(request: pytest.FixtureRequest) -> Iterator[SessionTarget]:
    """The target of ``--target``: where tests of tables, stages and roads run. No test branches on it."""
    name: Any = target_of(request.config)
    try:
        found = SessionTarget.of(name, state_folder_of(request.config))
    except GauntletError as error:
        pytest.exit(f"--target {name}: {error}", returncode=pytest.ExitCode.USAGE_ERROR)
    with pytest.MonkeyPatch.context() as patch:
        for variable, value in found.environment.items():
            patch.setenv(variable, value)
        yield found


@pytest.fixture(scope="session")
def spark(
    request: pytest.FixtureRequest, session_target: SessionTarget, tmp_path_factory: pytest.TempPathFactory
) -> Any:
    """The one Spark session of the test run: the target's; on ``local`` pytest-spark's, with the target's settings."""
    if session_target.name != "local":
        return session_target.open(load_problem(), State(session_target.state)).spark()
    use_this_python()
    settings = local_settings(jars=delta_jars(), warehouse=tmp_path_factory.mktemp("warehouse"), workers=2)
    conf = SparkConfigBuilder().get()
    for name, value in settings.items():
        conf.set(name, value)
    with importing_meanwhile():
        session = request.getfixturevalue("spark_session")
    session.sparkContext.setLogLevel("ERROR")
    return session


@pytest.fixture(scope="session")
def make_target(spark: Any, session_target: SessionTarget) -> Callable[[Problem, State], Target]:
    """Open the target for a problem and a state folder, with the session that all tests share."""
    return partial(session_target.open, session=spark)


@pytest.fixture(scope="session")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workspace]:
    """The stand-in for a Databricks workspace."""
    with started(Workspace(tmp_path_factory.mktemp("workspace"))) as workspace:
        yield workspace


@pytest.fixture
def signed_out(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> pytest.MonkeyPatch:
    """An environment that leads to no workspace."""
    for name in [name for name in os.environ if name.startswith(("DATABRICKS_", "ARM_", "MLFLOW_"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("DATABRICKS_CONFIG_FILE", str(tmp_path / "no-profiles"))
    monkeypatch.setenv("MLFLOW_DISABLE_TELEMETRY", "true")
    monkeypatch.setenv("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
    return monkeypatch


@pytest.fixture
def signed_in(workspace: Workspace, signed_out: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """An environment that leads to the stand-in and is let in."""
    for name, value in workspace.environment.items():
        signed_out.setenv(name, value)
    return signed_out


@pytest.fixture
def make_context(
    request: pytest.FixtureRequest, session_target: SessionTarget, tmp_path: Path
) -> Callable[..., StageContext]:
    """Make the context of a stage in a state folder of its own; ask for ``spark`` too where Spark is needed."""
    session = request.getfixturevalue("spark") if "spark" in request.fixturenames else None

    def make(problem: Problem, *, stage: str = "stage", key: str = "k" * 64, **options: Any) -> StageContext:
        state = State(tmp_path / "state")
        folder = state.stage_folder(stage, key)
        folder.mkdir(parents=True, exist_ok=True)
        target = session_target.open(problem, state, session=session)
        return StageContext(problem=problem, target=target, state=state, folder=folder, key=key, **options)

    return make
