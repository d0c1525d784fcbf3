"""A fixed part of the benchmark of reader parity, without Spark, and that it sees what it looks for."""

from __future__ import annotations

from pathlib import Path

import pytest

from gauntlet.core.reading import CellReader
from gauntlet.serving import csv_requests
from tests.benchmarks.reader_parity import Found, compared, summary

pytestmark = pytest.mark.unit


@pytest.mark.parametrize("start", range(0, 40, 10))
def test_init_run_score_and_serve_read_a_file_alike(tmp_path: Path, start: int) -> None:
    for number in range(start, start + 10):
        found = compared(number, tmp_path / str(number))
        assert (found.refused, found.differences, found.failures) == ("", [], []), number
        assert found.cells


def test_a_reader_that_takes_a_category_for_missing_is_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Careless(CellReader):
        def read(self, text: str | None) -> object:
            return None if text in ("NA", "true", "TRUE", "1") else super().read(text)

    monkeypatch.setattr(csv_requests, "CellReader", Careless)
    found = [compared(number, tmp_path / str(number)) for number in range(1, 19)]
    assert any("the server reads None" in text for one in found for text in one.differences)


def test_a_reader_that_fails_is_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(csv_requests, "records", lambda *_, **__: 1 / 0)
    assert any("ZeroDivisionError" in text for text in compared(1, tmp_path / "1").failures)


def test_the_bounds_hold_only_if_nothing_is_wrong() -> None:
    assert summary([Found(1)], [], [])["bounds_hold"]
    assert not summary([Found(1, refused="no")], [], [])["bounds_hold"]
    assert not summary([Found(1)], ["differs"], [])["bounds_hold"]
    assert not summary([Found(1)], [], ["ended with 70"])["bounds_hold"]
