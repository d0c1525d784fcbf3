"""The promoter's signatures: a ledger that somebody else wrote, however well, promotes and serves nothing."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import replace

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from gauntlet.adapters.signing_keys import PROMOTER, SigningKeys
from gauntlet.core.errors import InputError, RefusedError, RequirementError
from gauntlet.serving.served_model import ChampionSource
from gauntlet.stages.audit import sign_ledger

pytestmark = [
    pytest.mark.data,
    pytest.mark.local_only("copies a state folder with what target local keeps in it: tables, registry, ledger"),
]


@pytest.fixture
def world(contested):
    """Give each test a world with two champions, one after the other."""
    contested.promote_on_evidence()
    return contested


def _enter(world, contest, *, keys):
    """Write another entry as the ledger itself does: with its chain and its head, and with these keys."""
    evidence = world.judged_again(contest.second.judge.evidence_digest)
    world.enter_by_hand(evidence, ledger=replace(world.champions.ledger, keys=keys), kind="promote")


def _as_an_earlier_version_wrote_it(world):
    """Take the signatures out of the file, and the column with them."""
    with closing(sqlite3.connect(world.champions.ledger.path)) as connection, connection:
        connection.execute("ALTER TABLE promotions DROP COLUMN signature")
        connection.execute("PRAGMA user_version = 1")
    for suffix in ("pem", "pub"):
        (world.context("look").state.keys / f"promotion_key.{suffix}").unlink()


def _seal(world):
    context = world.context("look")
    return sign_ledger(target=context.target, state=context.state)


READERS = {
    "serve": lambda contest: ChampionSource(contest.world.champions).promoted(),
    "promote": lambda contest: contest.world.crown_again(contest.first.judge.evidence_digest),
    "rollback": lambda contest: contest.world.roll_back(),
    "score": lambda contest: contest.world.score(contest.second.choice, contest.crowned),
}


@pytest.mark.parametrize("reader", READERS)
def test_an_entry_that_nobody_signed_is_refused(world, contest, reader):
    _enter(world, contest, keys=None)
    with pytest.raises(RefusedError, match="sequence 3 is done, and nobody signed it"):
        READERS[reader](contest)
    assert "sequence 3 is done, and nobody signed it" in {finding.what for finding in world.audit().findings}


@pytest.mark.parametrize("reader", READERS)
def test_an_entry_that_somebody_else_signed_is_refused(world, contest, tmp_path, reader):
    _enter(world, contest, keys=SigningKeys(tmp_path, PROMOTER))
    with pytest.raises(RefusedError, match="sequence 3: it was signed with the key"):
        READERS[reader](contest)
    assert any(finding.what.startswith("sequence 3: it was signed with") for finding in world.audit().findings)


def test_a_changed_signature_is_found(world):
    with closing(sqlite3.connect(world.champions.ledger.path)) as connection, connection:
        connection.execute(
            "UPDATE promotions SET signature = (SELECT signature FROM promotions WHERE sequence = 1) WHERE sequence = 2"
        )
    with pytest.raises(RefusedError, match="sequence 2: the signature is not that of the key"):
        world.champions.history()


def test_the_judges_key_signs_no_promotion(world, monkeypatch):
    judge = SigningKeys(world.context("look").state.keys)
    monkeypatch.setenv("GAUNTLET_TRUSTED_PROMOTERS", str(judge.public_file))
    with pytest.raises(RefusedError, match="sequence 1: it was signed with the key"):
        world.champions.history()


def test_who_promotes_needs_the_judges_public_key_alone(contested, tmp_path):
    judge = SigningKeys(contested.context("look").state.keys)
    judge.file.rename(tmp_path / "elsewhere.pem")
    assert contested.promote_on_evidence().champion.version == 2
    assert contested.roll_back().version == 1
    assert contested.audit().findings == ()
    assert not judge.file.exists()


def test_without_a_key_that_can_be_used_nothing_is_begun(contested, monkeypatch):
    before = contested.written_down()
    with monkeypatch.context() as patch:
        patch.setenv("GAUNTLET_PROMOTION_KEY", "")
        with pytest.raises(InputError, match="GAUNTLET_PROMOTION_KEY is set but empty"):
            contested.promote_on_evidence()
    assert contested.written_down() == before


def test_without_the_promoters_public_key_nothing_is_believed(world, tmp_path, monkeypatch):
    for suffix in ("pem", "pub"):
        (world.context("look").state.keys / f"promotion_key.{suffix}").rename(tmp_path / f"key.{suffix}")
    with pytest.raises(RequirementError, match="no key to prove promotions with; set GAUNTLET_TRUSTED_PROMOTERS"):
        ChampionSource(world.champions).promoted()
    monkeypatch.setenv("GAUNTLET_TRUSTED_PROMOTERS", str(tmp_path / "key.pub"))
    assert ChampionSource(world.champions).promoted().version == 2


def test_a_ledger_of_an_earlier_version_is_signed_once_and_goes_on(world, contest):
    _as_an_earlier_version_wrote_it(world)
    for read in READERS.values():
        with pytest.raises(RefusedError, match=r"no entry of .* is signed.*run `gauntlet audit --sign-ledger` once"):
            read(contest)
    (finding,) = world.audit().findings
    assert finding.advice == "run `gauntlet audit --sign-ledger` once, if nothing else is found"
    assert _seal(world) == 2
    assert world.audit().findings == ()
    assert ChampionSource(world.champions).promoted().version == 2
    with pytest.raises(RefusedError, match="are signed already"):
        _seal(world)
    assert world.roll_back().version == 1
    assert world.audit().findings == ()
    _enter(world, contest, keys=None)
    with pytest.raises(RefusedError, match="sequence 4 is done, and nobody signed it"):
        world.champions.history()


def test_a_ledger_with_another_fault_is_not_signed(world):
    _as_an_earlier_version_wrote_it(world)
    world.registry.tag(world.registry.version(1), {"gauntlet.status": "champion"})
    with pytest.raises(RefusedError, match=r"not signed, for the audit finds version 1: the tag gauntlet\.status"):
        _seal(world)
    assert not (world.context("look").state.keys / "promotion_key.pem").exists()


def test_the_signature_covers_what_a_promotion_says(world):
    key, trusted = Ed25519PrivateKey.generate(), SigningKeys(world.context("look").state.keys, PROMOTER).trusted()
    for entry in world.champions.history().entries:
        assert entry.signature_fault(trusted) is None
        for changed in ({"version": 9}, {"evidence": "0" * 64}, {"status": "withdrawn"}, {"settled": "2027"}):
            assert "the signature is not that" in entry.model_copy(update=changed).signature_fault(trusted)
        assert "none of the trusted ones" in entry.signed_by(key).signature_fault(trusted)
