"""The fixtures that several modules of promotions share."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.data.model_world import Contest, World, shared_contest


@pytest.fixture(scope="session")
def contest_template(spark: Any, tmp_path_factory: pytest.TempPathFactory) -> Contest:
    """The contest that the tests copy."""
    return shared_contest(tmp_path_factory, spark)


@pytest.fixture
def contest(contest_template: Contest, tmp_path: Path) -> Contest:
    """Give each test a contest of its own: a champion, and another model that was judged against it."""
    return contest_template.copied(tmp_path / "state")


@pytest.fixture
def contested(contest: Contest) -> World:
    """Give the contest's world."""
    return contest.world
