"""This module provides the face that long work shows: a task that advances; silent unless somebody listens."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol


class Task(Protocol):
    """One piece of long work under way."""

    def advance(self, steps: int = 1, *, note: str = "") -> None:
        """Say that some steps are done, with a short note such as the best value so far; any thread may say it."""


class Progress(Protocol):
    """Where long work is shown."""

    @contextmanager
    def task(self, description: str, *, total: int) -> Iterator[Task]:
        """Open a task of so many steps."""


class SilentTask:
    """A task that nobody watches."""

    def advance(self, steps: int = 1, *, note: str = "") -> None:
        """Do nothing."""


class SilentProgress:
    """Progress that nobody watches: for tests, machines and ``--quiet``."""

    @contextmanager
    def task(self, description: str, *, total: int) -> Iterator[Task]:
        """Open a task that shows nothing."""
        yield SilentTask()
