"""Cleaning keeps the newest run, what promoted a champion, and unfinished work."""

import json

import pytest

from gauntlet.adapters.housekeeping import delete, superseded
from gauntlet.core.results import FileRef, ReportResult
from gauntlet.core.state import State

pytestmark = pytest.mark.unit


def _run(state, name, *, keys, promoted=False):
    folder = state.runs / name
    folder.mkdir(parents=True)
    document = {
        "champion": {"version": 1} if promoted else None,
        "stages": {"promote": "ran" if promoted else "refused"},
        "keys": {"report": keys},
    }
    (folder / "summary.json").write_text(json.dumps(document), encoding="utf-8")
    state.save_result("report", keys, ReportResult(file=FileRef(path="x", sha256="0")), parts={})
    return state.stage_folder("report", keys)


def test_only_what_nothing_current_needs_goes(tmp_path):
    state = State(tmp_path)
    champion = _run(state, "1", keys="a" * 64, promoted=True)
    older = _run(state, "2", keys="b" * 64)
    newest = _run(state, "3", keys="c" * 64)
    unfinished = state.stage_folder("sweep", "d" * 64)
    unfinished.mkdir(parents=True)
    (unfinished / "journal.jsonl").write_text("{}", encoding="utf-8")
    garbage = superseded(state)
    assert {item.path for item in garbage} == {older, state.runs / "2"}
    assert all(item.bytes > 0 and item.why for item in garbage)
    delete(garbage)
    assert not older.exists()
    assert champion.exists()
    assert newest.exists()
    assert unfinished.exists()
    assert superseded(state) == ()


def test_a_torn_summary_does_not_stop_the_cleaning(tmp_path):
    state = State(tmp_path)
    _run(state, "1", keys="a" * 64)
    broken = state.runs / "0"
    broken.mkdir()
    (broken / "summary.json").write_text("{", encoding="utf-8")
    assert {item.path for item in superseded(state)} == {broken}


def test_an_empty_folder_holds_no_garbage(tmp_path):
    assert superseded(State(tmp_path)) == ()
