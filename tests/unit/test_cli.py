"""The command: exit codes, one clear message, and JSON where a machine reads."""

import json
import subprocess
import sys

import click
import pytest

from gauntlet import cli
from gauntlet.commands import opening, road
from gauntlet.core.errors import DataError, ExitCode, GauntletError, RefusedError, RequirementError
from gauntlet.core.stage_names import STAGE_NAMES
from gauntlet.core.state import State

pytestmark = pytest.mark.unit


def _run(capsys, *arguments):
    with pytest.raises(SystemExit) as caught:
        cli.main(list(arguments))
    captured = capsys.readouterr()
    return caught.value.code, captured.out, captured.err


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (RefusedError("no"), 1),
        (DataError("bad table"), 2),
        (RequirementError("no Java"), 3),
        (GauntletError("a defect"), 70),
        (KeyboardInterrupt(), 130),
    ],
)
def test_every_kind_of_end_has_its_exit_code_and_no_traceback(capsys, monkeypatch, error, code):
    def fail(*_arguments, **_options):
        raise error

    monkeypatch.setattr(road, "run_road", fail)
    found, out, err = _run(capsys, "run")
    assert found == code
    assert out == ""
    assert err.strip().startswith("error: ")
    assert "Traceback" not in err
    found, out, err = _run(capsys, "run", "--json")
    assert json.loads(out)["exit_code"] == found == code


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("run", "--nonsense"), "No such option"),
        (("walk",), "No such command"),
        (("stage",), "Missing argument"),
        (("stage", "deploy"), "is not one of"),
        (("stage", "sweep", "--incremental"), "--incremental is for the stage score, not for sweep"),
        (("run", "--seed", "-1"), "Invalid value"),
        (("run", "--from", "score", "--until", "split"), "--from score comes after --until split"),
        (("run", "--set", "sweep.trials"), "expected KEY=VALUE"),
        (("run", "--set", "sweep.trials=-4"), "sweep.trials: input should be greater than or equal to 1"),
        (("run", "--problem", "none.toml"), "none.toml: cannot be read"),
        (("report", "--state", "nowhere"), "no run has left a report there"),
        (("clean", "--state", "nowhere"), "no state folder"),
        (("ui", "--state", "nowhere"), "holds no MLflow database"),
    ],
)
def test_a_users_mistake_is_one_message_and_exit_code_2(capsys, monkeypatch, tmp_path, arguments, message):
    monkeypatch.chdir(tmp_path)
    code, out, err = _run(capsys, *arguments)
    assert code == ExitCode.INPUT
    assert message in err
    assert "Traceback" not in err + out
    assert list(tmp_path.iterdir()) == []


def test_set_reads_values_as_toml_does():
    found = opening.overrides(
        ("a=1", "b.c=0.5", "d=true", "e=words of text", 'f="7"', "g=[1, 2]"), protocol="notebook", seed=3
    )
    assert found == {
        "a": 1,
        "b.c": 0.5,
        "d": True,
        "e": "words of text",
        "f": "7",
        "g": [1, 2],
        "split.protocol": "notebook",
        "seed": 3,
    }


def test_an_unknown_error_leaves_its_traceback_in_the_log_only(capsys, monkeypatch, tmp_path):
    monkeypatch.setattr(opening, "require", lambda *_, **__: None)
    monkeypatch.setattr("gauntlet.adapters.target.open_target", lambda *_, **__: 1 / 0)
    code, out, err = _run(capsys, "run", "--state", str(tmp_path / "state"))
    assert code == ExitCode.INTERNAL
    assert "a defect in Gauntlet (ZeroDivisionError: division by zero)" in err
    assert "Traceback" not in out + err
    (log,) = (tmp_path / "state" / "runs").glob("*/log.txt")
    assert "ZeroDivisionError" in log.read_text(encoding="utf-8")


def test_two_runs_at_once_on_one_state_folder_are_told_apart(capsys, monkeypatch, tmp_path):
    monkeypatch.setattr(opening, "require", lambda *_, **__: None)
    with State(tmp_path).locked():
        code, _, err = _run(capsys, "run", "--state", str(tmp_path))
    assert code == ExitCode.ENVIRONMENT
    assert "in use by process" in err


def test_every_command_has_help_and_the_help_names_the_exit_codes(capsys):
    code, out, _ = _run(capsys, "--help")
    assert code == 0
    assert "130 interrupted" in out
    for words in _commands(cli.cli):
        code, out, _ = _run(capsys, *words, "--help")
        assert code == 0
        assert "--json" in out


def _commands(group):
    for name, command in group.commands.items():
        if isinstance(command, click.Group):
            yield from ([name, *words] for words in _commands(command))
        else:
            yield [name]


def test_the_help_needs_no_heavy_import():
    code = (
        "import sys, gauntlet.cli; print([m for m in ('pyspark', 'mlflow', 'pandas', 'pydantic') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_the_command_knows_all_stages(capsys):
    _, out, _ = _run(capsys, "stage", "--help")
    assert "|".join(STAGE_NAMES) in "".join(out.split())


def test_a_jobs_entry_point_returns_after_success_and_exits_only_with_a_fault(capsys, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["gauntlet-stage", "--help"])
    cli.stage_main()
    assert "Usage: gauntlet stage" in capsys.readouterr().out
    monkeypatch.setattr(sys, "argv", ["gauntlet-stage", "no such stage"])
    with pytest.raises(SystemExit) as caught:
        cli.stage_main()
    assert caught.value.code == ExitCode.INPUT
