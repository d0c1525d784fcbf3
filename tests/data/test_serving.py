"""Serving the champion: only what was promoted is served, and a promotion or a rollback loses no request."""

from __future__ import annotations

import http.client
import json
import threading
from itertools import pairwise
from urllib.parse import urlsplit

import pytest

from gauntlet.adapters import registry
from gauntlet.adapters.artefact_copies import VerifiedCopy, copied_artefact
from gauntlet.adapters.registry import ARTEFACT_TAG, CHAMPION
from gauntlet.core.errors import EvidenceError, RefusedError
from gauntlet.serving.served_model import ChampionSource
from gauntlet.serving.server import start
from gauntlet.serving.settings import ServerSettings
from tests.served_models import split_body

pytestmark = [
    pytest.mark.data,
    pytest.mark.local_only("copies a state folder with what target local keeps in it: tables, registry, ledger"),
]

NEVER = 3600.0
VERSION = "x-gauntlet-model-version"
FIELDS = ("version", "run_id", "evidence", "artefact_digest", "rows", "split_table", "key")


def _source(world):
    return ChampionSource(world.champions)


def test_the_champion_answers_as_it_was_judged(contest):
    source = _source(contest.world)
    served = source.loaded(source.promoted())
    assert (served.version, served.sequence) == (contest.crowned.champion.version, contest.crowned.sequence)
    evidence = contest.world.champions.evidence.proven(served.evidence)
    assert served.artefact_digest == evidence.artefact.digest
    probe = evidence.probe
    body = json.dumps({"dataframe_split": {"columns": probe.columns, "data": probe.rows}}).encode()
    reply = served.scoring.quick_reply(body, "application/json", maximum_rows=99)
    assert tuple(json.loads(reply.content)["predictions"]) == probe.probability


def _name(registry, version):
    registry.tracking.client.set_registered_model_alias(registry.name, CHAMPION, str(version))


def test_neither_an_alias_moved_by_hand_nor_an_open_claim_is_followed(contest):
    world, source = contest.world, _source(contest.world)
    former = source.promoted()
    world.promote(contest.second, "second")
    kept, champions = source.promoted(), world.champions
    assert (former.version, kept.version) == (1, 2)
    _name(world.registry, former.version)
    with pytest.raises(RefusedError, match="somebody moved the alias by hand"):
        source.promoted()
    _name(world.registry, kept.version)
    champions.ledger.claim(
        champions.model,
        expected=kept.sequence,
        kind="rollback",
        previous_version=kept.version,
        **{name: getattr(former, name) for name in FIELDS},
    )
    _name(world.registry, former.version)  # as a rollback does, which is not settled yet
    assert source.promoted() == kept


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        (lambda folder: (folder / "artifacts/encoding.json").write_text("{}"), r"artifacts/encoding\.json has changed"),
        (lambda folder: (folder / "more.py").write_text("import this"), r"more\.py was added"),
        (lambda folder: (folder / "MLmodel").unlink(), r"MLmodel is missing"),
    ],
)
def test_files_that_are_not_those_that_were_promoted_are_never_loaded(contested, monkeypatch, change, fault):
    def altered(tracking, uri, *, folder):
        copy = copied_artefact(tracking, uri, folder=folder)
        change(copy)
        return copy

    source = _source(contested)
    monkeypatch.setattr(registry, "copied_artefact", altered)
    monkeypatch.setattr(VerifiedCopy, "load", lambda _copy: pytest.fail("it was loaded"))
    with pytest.raises(EvidenceError, match=f"version 1: {fault}"):
        source.loaded(source.promoted())


def test_a_version_whose_tag_speaks_of_another_artefact_is_refused(contest):
    world = contest.world
    world.registry.tag(contest.crowned.champion, {ARTEFACT_TAG: "0" * 64})
    source = _source(world)
    with pytest.raises(EvidenceError, match=f"the tag {ARTEFACT_TAG} speaks of another artefact"):
        source.loaded(source.promoted())


def test_a_promotion_without_its_evidence_is_refused(contest):
    champions = contest.world.champions
    source = _source(contest.world)
    (champions.evidence.folder / f"{source.promoted().evidence}.dsse.json").unlink()
    with pytest.raises(EvidenceError, match="the evidence cannot be read"):
        source.loaded(source.promoted())


def test_a_model_that_answers_otherwise_than_was_judged_is_refused(contest):
    world = contest.world
    kept = world.champions.history().champion
    probe = world.champions.evidence.proven(kept.evidence).probe
    other = probe.model_copy(update={"probability": (0.5, *probe.probability[1:])})
    world.enter_by_hand(world.resealed(world.judged_again(kept.evidence), probe=other))
    source = _source(world)
    with pytest.raises(EvidenceError, match="answers the evidence's probe rows otherwise"):
        source.loaded(source.promoted())


def test_a_promotion_and_a_rollback_lose_no_request(contest):
    world, over, answers = contest.world, threading.Event(), []
    body = split_body(world.test_rows()[[column.name for column in world.problem.features]].head(2))
    server = start(_source(world), ServerSettings(port=0, poll_seconds=NEVER))
    seen = {number: threading.Event() for number in (1, 2, 3)}

    def keep_asking():
        connection = http.client.HTTPConnection(urlsplit(server.address).netloc, timeout=60)
        while not over.is_set():
            connection.request("POST", "/invocations", body, {"Content-Type": "application/json"})
            answer = connection.getresponse()
            answers.append((answer.status, int(answer.getheader(VERSION)), answer.read()))
            seen.setdefault(answers[-1][1], threading.Event()).set()

    thread = threading.Thread(target=keep_asking)
    thread.start()
    try:
        first = server.watch.served.version
        assert seen[first].wait(60)
        assert world.promote(contest.second, "second").refusal is None
        assert server.watch.look()
        second = server.watch.served.version
        assert second != first
        assert seen[second].wait(60)
        seen[first].clear()
        world.roll_back()
        assert server.watch.look()
        assert seen[first].wait(60)
    finally:
        over.set()
        thread.join(60)
        server.stop()
        server.wait()
    assert {status for status, _, _ in answers} == {200}
    contents = {
        version: {content for _, number, content in answers if number == version} for version in (first, second)
    }
    assert all(len(given) == 1 for given in contents.values())
    assert contents[first] != contents[second]
    versions = [version for _, version, _ in answers]
    changes = [after for before, after in pairwise(versions) if before != after]
    assert changes == [second, first]
