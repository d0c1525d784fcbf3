"""Claimants: a process is known by host, number and start, and counts as gone only if that is sure or long ago."""

import dataclasses
import itertools
import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta

import pytest

from gauntlet.adapters import claimants
from gauntlet.adapters.claimants import claimant_of, this_process
from gauntlet.core.errors import RequirementError

pytestmark = pytest.mark.unit

WHO = "from gauntlet.adapters.claimants import this_process as t; import sys; print(t(), flush=True); sys.stdin.read()"
STAT = "{number} (a (strange) name) {state} " + " ".join(str(field) for field in range(4, 53))


@pytest.fixture
def other():
    """Another process of this host, and the claimant that it says it is."""
    with subprocess.Popen([sys.executable, "-c", WHO], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        yield process, claimant_of(process.stdout.readline().decode().strip())
        process.kill()


def ago(claimant, hours):
    return dataclasses.replace(claimant, since=(datetime.now(UTC) - timedelta(hours=hours)).isoformat())


def test_a_claimant_comes_back_from_its_text():
    mine = this_process()
    assert claimant_of(str(mine)) == mine
    assert mine.is_this_process
    assert not mine.is_gone(stale_seconds=-1)
    assert f"process {os.getpid()} on " in mine.phrase


@pytest.mark.parametrize(
    "text",
    [
        "",
        "host",
        "h process x started 1 since 2026-01-01T00:00:00+00:00",
        "h process 7 started 1 since today",
        "h process 7 started 1 since 2026-01-01",
    ],
)
def test_a_text_that_names_no_process_is_refused(text):
    with pytest.raises(RequirementError, match="names no process"):
        claimant_of(text)


def test_a_process_of_this_host_is_gone_when_it_has_ended_and_not_before(other):
    process, claimant = other
    assert claimant.process == process.pid
    assert not claimant.is_this_process
    assert not claimant.is_gone(stale_seconds=-1), "however long ago it took the claim"
    process.kill()
    process.wait()
    assert claimant.is_gone(stale_seconds=3600)


def test_a_number_that_was_used_again_is_another_process(other):
    _, claimant = other
    assert dataclasses.replace(claimant, started="1").is_gone(stale_seconds=3600)


@pytest.mark.parametrize(("hours", "gone"), [(0, False), (1, True)])
@pytest.mark.parametrize("changes", [{"host": "elsewhere"}, {"started": ""}])
def test_a_process_that_cannot_be_looked_at_is_gone_after_some_time(changes, hours, gone):
    claimant = dataclasses.replace(ago(this_process(), hours), **changes)
    assert claimant.is_gone(stale_seconds=1800) is gone
    assert not claimant.is_this_process


@pytest.mark.parametrize(("state", "started", "gone"), [("S", "22", False), ("S", "21", True), ("Z", "22", True)])
def test_the_start_is_field_22_of_stat_and_a_zombie_has_ended(tmp_path, monkeypatch, state, started, gone):
    for folder, number in (("self", 1), ("7", 7)):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "stat").write_text(STAT.format(number=number, state=state), encoding="utf-8")
    monkeypatch.setattr(claimants, "_PROC", tmp_path)
    claimant = dataclasses.replace(this_process(), process=7, started=started)
    assert claimant.is_gone(stale_seconds=3600) is gone


def test_hosts_of_one_name_differ_by_their_start_and_process_numbers(tmp_path, monkeypatch):
    hosts = []
    for boot, numbers in itertools.product(("boot 1", "boot 2"), ("pid:[1]", "pid:[2]")):
        folder = tmp_path / f"{boot} {numbers}"
        (folder / "sys/kernel/random").mkdir(parents=True)
        (folder / "sys/kernel/random/boot_id").write_text(boot, encoding="ascii")
        (folder / "self/ns").mkdir(parents=True)
        (folder / "self/ns/pid").symlink_to(numbers)
        monkeypatch.setattr(claimants, "_PROC", folder)
        hosts.append(this_process().host)
    assert len(set(hosts)) == 4
    assert len({host.split("/")[0] for host in hosts}) == 1


def test_a_process_that_proc_hides_is_looked_at_by_signal(tmp_path, monkeypatch, other):
    process, claimant = other
    (tmp_path / "self").mkdir()
    (tmp_path / "self/stat").touch()
    monkeypatch.setattr(claimants, "_host", lambda: claimant.host)
    monkeypatch.setattr(claimants, "_PROC", tmp_path)
    assert not claimant.is_gone(stale_seconds=3600), "it is there, whatever it is"
    process.kill()
    process.wait()
    assert claimant.is_gone(stale_seconds=3600)


PS = """#!/bin/sh
case "$4" in
  7) echo "S    Thu Jan  1 00:00:07 2026" ;;
  8) echo "Z    Thu Jan  1 00:00:08 2026" ;;
  9) exit 1 ;;
  *) echo "bad usage" >&2; exit 2 ;;
esac
"""


@pytest.mark.parametrize(
    ("process", "started", "gone"),
    [
        (7, "Thu Jan 1 00:00:07 2026", False),
        (7, "Thu Jan 1 00:00:06 2026", True),
        (8, "Thu Jan 1 00:00:08 2026", True),
        (9, "Thu Jan 1 00:00:09 2026", True),
        (10, "Thu Jan 1 00:00:10 2026", False),
    ],
)
def test_where_there_is_no_proc_ps_is_asked(tmp_path, monkeypatch, process, started, gone):
    (tmp_path / "ps").write_text(PS, encoding="utf-8")
    (tmp_path / "ps").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(claimants, "_PROC", tmp_path / "none")
    claimant = dataclasses.replace(this_process(), process=process, started=started)
    assert claimant.is_gone(stale_seconds=3600) is gone


def test_without_proc_and_ps_only_time_tells(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(claimants, "_PROC", tmp_path / "none")
    mine = this_process()
    assert mine.started == ""
    assert not mine.is_gone(stale_seconds=3600)
    assert ago(mine, 1).is_gone(stale_seconds=1800)
