"""The terminal: our lines on the real streams, everybody else's in the log."""

import subprocess
import sys

import pytest

pytestmark = pytest.mark.unit

NOISE = """
import os, subprocess, sys
from pathlib import Path
from gauntlet.terminal import Terminal
terminal = Terminal(machine="--json" in sys.argv, quiet="--quiet" in sys.argv)
with terminal.noise_to(Path(sys.argv[1])):
    print("noise by print")
    os.write(2, b"noise by descriptor\\n")
    subprocess.run(["echo", "noise by a child"])
    terminal.say("a line for people")
    if terminal.machine:
        terminal.document({"a": "ü"})
print("after")
"""


def _run(tmp_path, *options):
    log = tmp_path / "folder" / "log.txt"
    done = subprocess.run(
        [sys.executable, "-c", NOISE, str(log), *options], capture_output=True, text=True, check=True, encoding="utf-8"
    )
    return done.stdout, done.stderr, log.read_text(encoding="utf-8")


def test_noise_goes_to_the_log_and_our_lines_to_the_terminal(tmp_path):
    out, err, log = _run(tmp_path)
    assert out == "a line for people\nafter\n"
    assert err == ""
    assert all(f"noise by {kind}" in log for kind in ("print", "descriptor", "a child"))
    assert "people" not in log


def test_a_machine_reads_json_alone_on_standard_output(tmp_path):
    out, err, _ = _run(tmp_path, "--json")
    assert out == '{\n  "a": "ü"\n}\nafter\n'
    assert err == "a line for people\n"


def test_quiet_shows_no_lines_for_people(tmp_path):
    out, err, _ = _run(tmp_path, "--quiet")
    assert (out, err) == ("after\n", "")
