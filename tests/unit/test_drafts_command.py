"""The commands `gauntlet init` and `gauntlet suites sync`: what they print for people and for machines."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from gauntlet import cli
from tests.churn import make_churn

pytestmark = pytest.mark.unit

Run = Callable[..., tuple[int, str]]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Run:
    make_churn().to_csv(tmp_path / "churn.csv", index=False)
    monkeypatch.chdir(tmp_path)

    def ran(*arguments: str) -> tuple[int, str]:
        with pytest.raises(SystemExit) as caught:
            cli.main(list(arguments))
        return int(caught.value.code or 0), capfd.readouterr().out

    return ran


INIT = ("init", "--from", "churn.csv", "--label", "churned")


def test_init_prints_the_columns_the_forecast_and_the_next_command(run: Run) -> None:
    code, out = run(*INIT)
    lines = [" ".join(line.split()) for line in out.splitlines()]
    assert code == 0
    assert any(line.startswith("column read as role why") for line in lines)
    assert any(
        line.startswith("customer id text ignored identifier: 400 different texts in 400 rows") for line in lines
    )
    assert 'churned text label churned == "yes"' in lines
    assert any(line.startswith("400 rows, 5.0% positive; the test split gets about 80") for line in lines)
    assert any(line.startswith("Cannot be judged at this size: ") for line in lines)
    assert lines[-1] == "Next: gauntlet run --problem churn.toml"


def test_init_prints_the_same_as_data(run: Run) -> None:
    code, out = run(*INIT, "--json")
    document = json.loads(out)
    assert code == 0
    assert document["problem"] == "churn.toml"
    assert len(document["suites"]) == 3
    assert [file["change"] for file in document["files"]] == ["written"] * 4
    assert document["columns"][0]["role"] == "ignored"
    assert document["forecast"]["rows"] == 400
    assert document["forecast"]["sentences"][0].startswith("400 rows, 5.0% positive")
    assert document["next"] == "gauntlet run --problem churn.toml"


def test_init_again_keeps_edits_shows_the_difference_and_is_no_error(run: Run, tmp_path: Path) -> None:
    run(*INIT)
    assert run(*INIT)[1].count("unchanged: ") == 4
    problem = tmp_path / "churn.toml"
    problem.write_text(problem.read_text(encoding="utf-8").replace("seed = 1 ", "seed = 2 "), encoding="utf-8")
    code, out = run(*INIT)
    assert code == 0
    assert "kept as edited: the whole file" in out
    assert "\n-seed = 2 " in out
    assert "seed = 2 " in problem.read_text(encoding="utf-8")


def test_suites_sync_checks_and_writes(run: Run, tmp_path: Path) -> None:
    run(*INIT)
    problem = tmp_path / "churn.toml"
    text = problem.read_text(encoding="utf-8")
    problem.write_text(text.replace('name = "Plan"\n', 'name = "Plan"\nrole = "ignored"\n'), encoding="utf-8")
    code, out = run("suites", "sync", "--problem", "churn.toml", "--check")
    assert code == 1
    assert "would write suites/churn/raw.json" in out
    assert [line for line in out.splitlines() if line.startswith('-    {"type"')]
    assert run("suites", "sync", "--problem", "churn.toml")[0] == 0
    code, out = run("suites", "sync", "--problem", "churn.toml", "--check", "--json")
    assert (code, json.loads(out)["changed"]) == (0, False)
