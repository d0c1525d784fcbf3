"""Several problems in one run on the servers: one session for all, and one that fails beside the others."""

import pytest

from gauntlet.adapters.problem_draft import draft_problem
from tests.churn import make_churn

pytestmark = pytest.mark.remote


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder with three problems, of which one has lost its table."""
    folder = tmp_path_factory.mktemp("many")
    (folder / "models").mkdir()
    for name in ("first", "lost", "second"):
        table = folder / f"{name}.csv"
        make_churn().to_csv(table, index=False)
        draft_problem(table, label="churned", name=name, output=folder / "models" / f"{name}.toml")
    (folder / "lost.csv").unlink()
    return folder


def test_they_run_side_by_side_and_one_fails_alone(client, folder):
    options = ("--problem", folder / "models", "--target", "remote", "--state", folder / "state", "--json")
    done = client.run("run", "--until", "expectations", *options)
    assert done.code == 2, done.err
    first, lost, second = done.document["runs"]
    assert [run["exit_code"] for run in (first, lost, second)] == [0, 2, 0]
    assert "lost.csv" in lost["error"]
    for run in (first, second):
        assert run["stages"] == {"ingest": "ran", "expectations": "ran"}
        assert run["expectations"]["failed"] == []
    again = client.run("run", "--until", "expectations", *options)
    assert [run.get("stages", {}) for run in again.document["runs"]] == [
        {"ingest": "up to date", "expectations": "up to date"},
        {},
        {"ingest": "up to date", "expectations": "up to date"},
    ]
