"""The road on servers: the results are those of this machine, and of two clients that promote at once one does."""

import json
import shutil

import pytest

from tests.benchmarks.promotion_races import raced
from tests.remote.conftest import SMALL_ROAD, ended
from tests.remote.ledger_race import race_on_server, tell

pytestmark = pytest.mark.remote


def _results(state):
    found = {}
    for path in state.glob("stages/*/*/result.json"):
        document = json.loads(path.read_text(encoding="utf-8"))
        found[document["stage"]] = document["result"]
    return found


def _numbers(result):
    """Return what a result says, without where and when it was made, and how long or large that was."""
    if isinstance(result, dict):
        kept = {name: value for name, value in result.items() if name not in PASSING}
        return {name: _numbers(value) for name, value in kept.items()}
    return [_numbers(value) for value in result] if isinstance(result, list) else result


# A path holds the key of a stage, which holds the target's name; the journal holds seconds, the log and evidence too.
PASSING = {"path", "run_id", "journal", "model_uri", "evidence", "evidence_digest", "files", "verdicts"}


def test_both_targets_give_the_same_results(roads):
    local, remote = _results(roads.local), _results(roads.remote)
    assert sorted(local) == sorted(remote)
    assert remote["sweep"]["trials_digest"] == local["sweep"]["trials_digest"]
    for stage, result in local.items():
        assert _numbers(remote[stage]) == _numbers(result), stage


def test_both_targets_give_the_same_verdicts(roads):
    def verdicts(state):
        return {v["gate"]: v["status"] for v in _results(state)["judge"]["verdicts"]}

    def measured(state):
        found = _results(state)["judge"]["verdicts"]
        # What a model weighs and how long it thinks differ from one run to the next.
        return {v["gate"]: v["measured"] for v in found if not v["gate"].startswith("artefact")}

    assert verdicts(roads.remote) == verdicts(roads.local)
    assert measured(roads.remote) == measured(roads.local)


def test_the_tables_files_on_the_server_are_held_against_the_evidence(stack, client, roads):
    options = ("--state", roads.remote, "--target", "remote", *SMALL_ROAD)
    files = sorted((stack.folder / "storage/tables").rglob("split/*.parquet"))
    whole = files[0].read_bytes()
    files[0].write_bytes(whole[:-9] + bytes([whole[-9] ^ 1]) + whole[-8:])
    try:
        done = client.run("evidence", "verify", *options)
    finally:
        files[0].write_bytes(whole)
    assert done.code == 1
    assert files[0].name in done.err


def test_of_two_clients_that_promote_at_once_one_does_and_goes_on(client, roads, tmp_path):
    options = ("--target", "remote", *SMALL_ROAD)
    states = {name: tmp_path / name for name in ("first", "second")}
    for state in states.values():
        shutil.copytree(roads.remote, state)
    running = {name: client.started("promote", "--state", state, *options) for name, state in states.items()}
    done = {name: ended(process) for name, process in running.items()}
    codes = {name: outcome.code for name, outcome in done.items()}
    assert sorted(codes.values()) == [0, 1], done
    # Each client may have made a version before one of them won.
    ((sequence, version, status),) = ledger = client.task("ledger", tmp_path)
    assert (sequence, status) == (1, "done")
    (winner,) = (name for name, code in codes.items() if code == 0)
    assert "Traceback" not in "".join(outcome.err for outcome in done.values())

    went_on = client.run("run", "--state", states[winner], *options, "--workers", "2", "--json")
    assert went_on.code == 0, went_on.err
    assert went_on.document["champion"]["version"] == version
    assert went_on.document["stages"]["score"] == "ran"
    assert client.run("audit", "--state", states[winner], *options).code == 0
    assert client.task("ledger", tmp_path) == ledger


def test_moving_the_alias_is_seen_by_a_warm_worker(client, tmp_path):
    found = client.task("alias", tmp_path)
    first, second = found["probability"]
    assert found["version"] == [1, 2]
    assert found["worker"][0] == found["worker"][1]
    assert set(found["form"]) == {"answer_arrow"}  # the worker asked neither MLflow nor the registry
    assert len(first) == len(second) == 60
    assert all((a > 0.5) != (b > 0.5) for a, b in zip(first, second, strict=True))


def test_two_processes_race_over_http_and_each_number_has_one_winner(client, tmp_path):
    tell(tmp_path, client.environment)
    outcome = raced(race_on_server, folder=tmp_path, races=12)
    assert (outcome.doubles, outcome.unwon) == (0, 0)
