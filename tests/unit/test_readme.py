"""The README: its commands are ones that exist, its links lead somewhere, its tables say what the code says."""

import re
import shlex
import subprocess
import sys
from dataclasses import fields
from functools import cache
from pathlib import Path

import click
import pytest

from gauntlet import cli
from gauntlet.core import results
from gauntlet.core.errors import ExitCode
from gauntlet.core.problem_file import load_problem
from gauntlet.core.refusals import Reason
from gauntlet.core.stage_names import STAGE_NAMES
from gauntlet.core.summary import summary

pytestmark = pytest.mark.unit

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
MADE_ELSEWHERE = {".github/report.png"}
TOX_ENVIRONMENTS = {"lint", "tests", "unit", "data", "gates", "infra", "e2e", "remote"}


def commands(text):
    """Yield the commands of all shell blocks, those joined by && apart, without comments and redirections."""
    for block in re.findall(r"^```(?:sh|console)\n(.*?)^```", text, flags=re.DOTALL | re.MULTILINE):
        for line in block.splitlines():
            for command in line.removeprefix("$ ").split(" && "):
                words = shlex.split(command, comments=True)
                if words:
                    yield [words[0].removeprefix(".venv/bin/"), *words[1:]]


def inline_commands(text):
    """Yield the gauntlet commands that stand in running text."""
    for found in re.findall(r"`(gauntlet [^`]+)`", re.sub(r"^```.*?^```", "", text, flags=re.DOTALL | re.MULTILINE)):
        yield shlex.split(found)


def parse_gauntlet(words):
    """Parse a gauntlet command as the program would, without running it."""
    group = click.Context(cli.cli, info_name="gauntlet")
    name, command, rest = cli.cli.resolve_command(group, words)
    context = command.make_context(name, list(rest), parent=group)
    if isinstance(command, click.Group):
        name, command, rest = command.resolve_command(context, [*context._protected_args, *context.args])
        return command.make_context(name, list(rest), parent=context)
    return context


ALL = [*commands(README), *inline_commands(README)]


def _starting_with(program):
    return [words[1:] for words in ALL if words[0] == program]


@pytest.mark.parametrize("words", _starting_with("gauntlet"), ids=" ".join)
def test_each_gauntlet_command_is_one_that_exists(words):
    # `gauntlet init --positive …` in running text leaves out what the blocks show.
    if words[0] == "init" and "--from" not in words:
        words = [*words, "--from", "table.csv", "--label", "label"]
    assert parse_gauntlet(words).command.name in words[:2]


@pytest.mark.parametrize("words", [["run", "--nonsense"], ["walk"], ["stage", "deploy"], ["run", "--seed", "x"]])
def test_a_command_that_does_not_exist_would_be_found(words):
    with pytest.raises(click.UsageError):
        parse_gauntlet(words)


@pytest.mark.parametrize("words", _starting_with("tox"), ids=" ".join)
def test_each_tox_command_names_an_environment_of_tox_ini(words):
    ours = words[: words.index("--")] if "--" in words else words
    assert ours == [] or (ours[0] == "-e" and ours[1] in TOX_ENVIRONMENTS and len(ours) == 2)


def test_tox_ini_has_these_environments(tmp_path):
    command = [
        sys.executable,
        "-m",
        "tox",
        "list",
        "--no-desc",
        "-c",
        str(ROOT / "tox.ini"),
        "--workdir",
        str(tmp_path),
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert set(done.stdout.split()) == TOX_ENVIRONMENTS


@pytest.mark.parametrize("words", _starting_with("pytest"), ids=" ".join)
def test_each_pytest_command_chooses_a_tier_that_has_tests(words):
    assert words[0] == "-m"
    assert list((ROOT / "tests" / words[1].split()[0]).glob("test_*.py"))


@cache
def help_of(called):
    """Return what a script says of itself; each is asked once, for some import for seconds."""
    command = [sys.executable, *called, "--help"]
    return subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT).stdout


@pytest.mark.parametrize("words", _starting_with("python"), ids=" ".join)
def test_each_script_takes_its_options(words):
    called, options = (words[:2], words[2:]) if words[0] == "-m" else (words[:1], words[1:])
    help_text = help_of(tuple(called))
    for option in options:
        assert option.isdecimal() or option in help_text


def test_the_two_commands_use_what_is_there():
    run, test = (
        re.search(rf"^<!-- command: {name} -->\n```sh\n(.*)\n```$", README, re.MULTILINE) for name in ("run", "test")
    )
    assert run, "the main command must be one line in its marked block"
    assert test, "the test command must be one line in its marked block"
    for block in (run[1], test[1]):
        assert block.startswith("python3 -m venv .venv && .venv/bin/pip install -q -c ci/constraints.txt ")
    assert (ROOT / "ci" / "constraints.txt").is_file()
    assert run[1].endswith(" && .venv/bin/gauntlet run")
    assert test[1].endswith(" && .venv/bin/tox")


def test_no_command_goes_unchecked():
    known = {"gauntlet", "tox", "pytest", "python", "python3", "pip", "terraform", "curl"}
    assert {words[0] for words in ALL} == known


def test_links_and_pictures_lead_somewhere():
    targets = {target for target in re.findall(r"\]\(([^)#]+)", README) if "://" not in target}
    assert {"LICENSE", "expectations/README.md"} <= targets
    assert [target for target in sorted(targets - MADE_ELSEWHERE) if not (ROOT / target).exists()] == []


def test_the_tables_name_all_stages_and_exit_codes():
    rows = re.findall(r"^\| `(\w+)` \|", README.split("## The road")[1].split("\n## ")[0], re.MULTILINE)
    assert tuple(rows) == STAGE_NAMES
    codes = re.findall(r"^\| (\d+) \|", README.split("## Exit codes")[1], re.MULTILINE)
    assert [int(code) for code in codes] == sorted(ExitCode)


def test_the_documented_keys_are_those_of_the_summary():
    section = README.split("## For machines")[1].split("## Tests")[0]
    documented = {
        key: re.findall(r"`(\w+)`", rest)
        for keys, rest in re.findall(r"^\| (`.+?) \|(.*)\|$", section, re.MULTILINE)
        for key in re.findall(r"`(\w+)`", keys)
    }
    found = summary(load_problem(), {})
    # These are added by the command: they are not about results.
    added = {"target", "report", "log", "not_checked", "stages", "seconds", "exit_code"}
    assert documented.keys() == found.keys() | added
    assert documented["verdicts"] == list(results.VerdictRecord.model_fields)
    code = (ROOT / "pipeline" / "gauntlet" / "core" / "summary.py").read_text(encoding="utf-8")
    assert documented["reasons"] == [part.name for part in fields(Reason)]
    inner = {key for name in documented.keys() - added - {"verdicts", "reasons"} for key in documented[name]}
    assert {"auc_readback", "duplicate_rows"} <= inner
    assert sorted(key for key in inner if f'"{key}"' not in code) == []


def test_variables_named_are_ones_that_are_read():
    readers = [*(ROOT / "pipeline" / "gauntlet").rglob("*.py")]
    readers += [path for tier in ("infra", "remote") for path in (ROOT / "tests" / tier).glob("*.py")]
    code = "".join(path.read_text(encoding="utf-8") for path in readers)
    code += (ROOT / "pipeline" / "gauntlet" / "problems" / "wine_quality.toml").read_text(encoding="utf-8")
    named = set(re.findall(r"GAUNTLET_[A-Z_]+", README))
    assert len(named) >= 5
    assert sorted(name for name in named if f'"{name}"' not in code) == []
