"""This module provides the plugin's fixtures; whatever they need is imported when a test asks for them."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import pytest

if TYPE_CHECKING:
    import pandas as pd
    from pyspark.sql import DataFrame, SparkSession

    from gauntlet.adapters.registry import Registry
    from gauntlet.adapters.target import Target
    from gauntlet.core.problem import Problem
    from gauntlet.core.results import TableRef
    from gauntlet.gates.gate import Saboteur
    from gauntlet.stages.candidate import Candidate, Incumbent
    from gauntlet.stages.training_rows import Rows

__all__ = [
    "candidate",
    "champion",
    "frozen_test_rows",
    "gauntlet_problem",
    "gauntlet_spark",
    "gauntlet_target",
    "make_registry",
    "make_table",
    "saboteurs",
]

_Thing = TypeVar("_Thing")


def factory(
    create: Callable[..., _Thing], remove: Callable[[_Thing], None], *, name: str
) -> Iterator[Callable[..., _Thing]]:
    """Yield a function that makes things, and remove them when the test is over, the last first.

    Every thing is tried to be removed; what goes wrong is raised together at the end, so that nothing is left behind in
    silence.

    Args:
        create: Makes a thing.
        remove: Takes it away.
        name: What the things are called in an error.

    Raises:
        ExceptionGroup: If some could not be removed.
    """
    made: list[_Thing] = []

    def make(*arguments: Any, **options: Any) -> _Thing:
        thing = create(*arguments, **options)
        made.append(thing)
        return thing

    yield make
    errors: list[Exception] = []
    for thing in reversed(made):
        try:
            remove(thing)
        except Exception as error:
            errors.append(error)
    if errors:
        raise ExceptionGroup(f"{name}: {len(errors)} of {len(made)} could not be removed", errors)


def _road(request: pytest.FixtureRequest) -> Any:
    from gauntlet.testing.gate_items import judgements_of  # noqa: PLC0415 - imports the gates

    return judgements_of(request.config).road(None)


@pytest.fixture(scope="session")
def gauntlet_problem(request: pytest.FixtureRequest) -> Problem:
    """The problem of ``--problem``, of the ini file, or the packaged one.

    Example:
        ::

            def test_costs_are_agreed(gauntlet_problem):
                assert gauntlet_problem.costs.false_negative == 3.0
    """
    problem: Problem = _road(request).problem
    return problem


@pytest.fixture(scope="session")
def gauntlet_target(request: pytest.FixtureRequest) -> Target:
    """The target of ``--target``: where Spark, the tables and MLflow are. No test branches on it.

    Example:
        ::

            def test_names_have_three_levels(gauntlet_target):
                assert gauntlet_target.names.registered_model.count(".") == 2
    """
    target: Target = _road(request).target
    return target


@pytest.fixture(scope="session")
def gauntlet_spark(request: pytest.FixtureRequest) -> SparkSession:
    """The one Spark session of the test run: pytest-spark's, with the target's settings.

    Example:
        ::

            def test_spark_counts(gauntlet_spark):
                assert gauntlet_spark.range(3).count() == 3
    """
    from pytest_spark.config import SparkConfigBuilder  # noqa: PLC0415 - only where Spark is used

    from gauntlet.adapters.spark import importing_meanwhile  # noqa: PLC0415 - only where Spark is used

    target: Target = _road(request).target
    if not target.spark_settings:  # a server's session, which is not started here
        return target.spark()
    conf = SparkConfigBuilder().get()
    for name, value in target.spark_settings.items():
        conf.set(name, value)
    with importing_meanwhile():
        session: SparkSession = request.getfixturevalue("spark_session")
    session.sparkContext.setLogLevel("ERROR")
    return session


@pytest.fixture(scope="session")
def candidate(request: pytest.FixtureRequest) -> Candidate:
    """The candidate of the session's problem; it is made, with progress, when no test asked for it before.

    Example:
        ::

            def test_the_candidate_is_not_the_baseline(candidate):
                assert candidate.chosen != candidate.baseline
    """
    from gauntlet.testing.conformance import Source  # noqa: PLC0415 - imports the gates
    from gauntlet.testing.gate_items import judgements_of  # noqa: PLC0415 - imports the gates

    judgement = judgements_of(request.config).judgement(Source(None))
    if judgement.candidate is None:
        pytest.fail(f"there is no candidate: {judgement.refusal}")
    return judgement.candidate


@pytest.fixture(scope="session")
def champion(candidate: Candidate) -> Incumbent:
    """The champion that the candidate is compared with; ``champion.bootstrap`` says that there positively is none yet.

    Example:
        ::

            def test_registry_and_ledger_agree(champion):
                assert champion.bootstrap or champion.version.version == champion.ledger_version
    """
    if candidate.incumbent is None:
        pytest.fail("there is no registry to ask for a champion")
    return candidate.incumbent


@pytest.fixture(scope="session")
def frozen_test_rows(candidate: Candidate) -> Rows:
    """The test rows of the candidate: features, label and identifiers; the opening is in the ledger of test reads.

    Example:
        ::

            def test_both_classes_are_there(frozen_test_rows):
                assert set(frozen_test_rows.label) == {0, 1}
    """
    return candidate.splits.rows("test")


@pytest.fixture
def make_table(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Callable[..., TableRef]]:
    """Make tables that are gone when the test is over: ``make_table(frame, name="rows")``.

    Args of the function: a Spark or pandas frame, and the table's short name. On target ``local`` they lie in a
    temporary folder; on a server among the target's tables, under a name of their own, and where its catalog does not
    know them an empty table is left behind.

    Example:
        ::

            def test_a_table_knows_its_rows(make_table):
                assert make_table(pd.DataFrame({"a": [1, 2]})).rows == 2
    """
    import shutil  # noqa: PLC0415 - only where tables are made

    from gauntlet.adapters.tables import DeltaTables  # noqa: PLC0415 - only where tables are made

    spark = request.getfixturevalue("gauntlet_spark")
    target: Target = request.getfixturevalue("gauntlet_target")
    here = DeltaTables(root=tmp_path / "tables", names=target.names, spark=lambda: spark)

    def create(frame: DataFrame | pd.DataFrame, *, name: str = "rows") -> TableRef:
        rows = frame if hasattr(frame, "sparkSession") else spark.createDataFrame(frame)
        if target.spark_settings:
            return here.write(name, rows)
        return target.tables.write(f"{name}_{uuid.uuid4().hex[:12]}", rows)

    def remove(table: TableRef) -> None:
        if target.spark_settings:
            shutil.rmtree(here.folder(table), ignore_errors=False)
            return
        location = target.tables.location(table)
        spark.sql(f"{'DELETE FROM' if location.startswith('delta.`') else 'DROP TABLE'} {location}")

    yield from factory(create, remove, name="tables")


@pytest.fixture
def make_registry(gauntlet_problem: Problem, tmp_path: Path) -> Iterator[Callable[..., Registry]]:
    """Make model registries in a temporary folder: ``make_registry("one")``; each is empty and nobody else's.

    Example:
        ::

            def test_a_new_registry_has_no_champion(make_registry):
                assert make_registry().version_of("champion") is None
    """
    import shutil  # noqa: PLC0415 - only where registries are made

    from gauntlet.adapters.registry import Registry  # noqa: PLC0415 - only where registries are made
    from gauntlet.adapters.tracking import Tracking  # noqa: PLC0415 - only where registries are made

    def create(name: str = "registry") -> Registry:
        folder = tmp_path / name
        address = f"sqlite:///{folder}/mlflow.db"
        tracking = Tracking(address, address, "tests", artifact_location=str(folder / "artifacts"))
        return Registry(tracking, next(iter(gauntlet_problem.names.values())).registered_model)

    def remove(registry: Registry) -> None:
        folder = Path(registry.tracking.tracking_uri.removeprefix("sqlite:///")).parent
        if folder.exists():
            shutil.rmtree(folder)

    yield from factory(create, remove, name="registries")


@pytest.fixture(scope="session")
def saboteurs(candidate: Candidate) -> tuple[Saboteur, ...]:
    """All saboteurs of the candidate's gates: functions that break a candidate on purpose.

    Example:
        ::

            def test_a_saboteur_changes_a_copy(candidate, saboteurs):
                assert saboteurs[0](candidate) is not candidate
    """
    from gauntlet.gates.catalogue import saboteurs_of  # noqa: PLC0415 - imports the gates

    return saboteurs_of(candidate.problem, candidate.suites)
