"""The thread that records trials in MLflow."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from gauntlet.adapters.tracking import Tracking
from gauntlet.adapters.trial_runs import TrialRuns
from gauntlet.core.trials import TrialResult

pytestmark = pytest.mark.unit

RESULT = TrialResult(index=0, params={"rate": 0.1}, auc=0.8, best_iteration=3, seconds=0.5, started=100.0)


class Client:
    """What of MLflow's client is used; broken where asked."""

    def __init__(self, *, broken: bool = False) -> None:
        self.broken = broken
        self.made: list[dict[str, Any]] = []

    def create_run(self, experiment_id: str, **options: Any) -> Any:
        if self.broken:
            raise OSError("the server is gone")
        self.made.append(options)
        return SimpleNamespace(info=SimpleNamespace(run_id=str(len(self.made))))

    def log_batch(self, run_id: str, **options: Any) -> None:
        self.made[-1] |= options

    def set_terminated(self, run_id: str, **options: Any) -> None:
        self.made[-1] |= options


def runs(client: Client) -> TrialRuns:
    tracking: Any = SimpleNamespace(client=client, experiment_id="1")
    return TrialRuns(tracking, parent_run_id="p", stage="sweep", key="k")


def test_all_runs_are_written_when_the_context_ends() -> None:
    client = Client()
    with runs(client) as context:
        for _ in range(20):
            context.add(RESULT)
    assert len(client.made) == 20
    assert (client.made[0]["start_time"], client.made[0]["end_time"]) == (100_000, 100_500)


def test_an_error_of_the_thread_is_raised() -> None:
    with pytest.raises(OSError, match="the server is gone"), runs(Client(broken=True)) as context:
        context.add(RESULT)


def interrupted(context: TrialRuns) -> None:
    with context:
        context.add(RESULT)
        raise KeyboardInterrupt


def test_an_error_of_the_sweep_is_not_hidden_by_one_of_the_thread() -> None:
    with pytest.raises(KeyboardInterrupt):
        interrupted(runs(Client(broken=True)))


class PagedClient(Client):
    """A client whose searches return no more than two runs."""

    def __init__(self, runs_left: int, *, of_versions: tuple[str, ...] = ()) -> None:
        super().__init__()
        self.of_versions = of_versions
        self.left = [SimpleNamespace(info=SimpleNamespace(run_id=str(number))) for number in range(runs_left)]

    def get_experiment_by_name(self, name: str) -> Any:
        return SimpleNamespace(experiment_id="1")

    def search_runs(self, experiments: list[str], filter_string: str) -> list[Any]:
        return self.left[:2]

    def search_model_versions(self, filter_string: str) -> list[str]:
        return [run for run in self.of_versions if filter_string == f"run_id='{run}'"]

    def delete_run(self, run_id: str) -> None:
        self.left = [run for run in self.left if run.info.run_id != run_id]


def test_runs_of_a_killed_try_are_discarded_beyond_the_first_page(monkeypatch: pytest.MonkeyPatch) -> None:
    client = PagedClient(5)
    monkeypatch.setattr(Tracking, "client", client)
    Tracking(tracking_uri="t", registry_uri="r", experiment="e").discard_runs("k")
    assert client.left == []


def test_the_run_of_a_registered_version_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    client = PagedClient(5, of_versions=("1",))
    monkeypatch.setattr(Tracking, "client", client)
    Tracking(tracking_uri="t", registry_uri="r", experiment="e").discard_runs("k")
    assert [run.info.run_id for run in client.left] == ["1"]
