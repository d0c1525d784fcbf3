"""Rollback: the champion before the present one is champion again, as it was judged, whatever kills a try."""

from __future__ import annotations

import pytest

from gauntlet.adapters.evidence_store import evidence_path
from gauntlet.adapters.promotion_ledger import PromotionLedger
from gauntlet.adapters.registry import Registry
from gauntlet.core.errors import EvidenceError, RefusedError
from gauntlet.stages import champion_change, evidence_check
from tests.data.evidence_flips import flip_targets
from tests.data.promotion_race import promote_and_die
from tests.data.test_promotion import Killed, Point, kill_at

pytestmark = [
    pytest.mark.data,
    pytest.mark.local_only("copies a state folder with what target local keeps in it: tables, registry, ledger"),
]


@pytest.fixture
def world(contested):
    """Give each test a world with two champions, one after the other."""
    contested.promote_on_evidence()
    return contested


def _status(world, number):
    return world.versions()[number]["gauntlet.status"]


def test_the_former_champion_is_champion_again_and_the_ledger_says_so(world, contest):
    entry = world.roll_back()
    assert (entry.kind, entry.version, entry.previous_version, entry.sequence) == ("rollback", 1, 2, 3)
    assert entry.evidence == contest.first.judge.evidence_digest
    assert (entry.rows, entry.split_table) == (world.ingest.curated.rows, world.split.table)
    assert world.registry.version_of("champion") == contest.crowned.champion
    assert (_status(world, 1), _status(world, 2)) == ("champion", "archived")
    assert world.versions()[2]["gauntlet.replaced_by"] == "1"
    assert world.audit().findings == ()


def test_what_was_rolled_back_does_not_come_back_by_itself_but_on_a_new_judgement(world, contest):
    world.roll_back()
    before = world.written_down()
    with pytest.raises(EvidenceError, match=r"made version 2 champion before, and version 1 has followed since"):
        world.promote(contest.second)
    assert world.written_down() == before
    assert world.promote_on_evidence(contest.first.judge.evidence_digest).champion.version == 1
    back = world.crown_again(contest.second.judge.evidence_digest)
    assert (back.champion.version, back.sequence) == (2, 4)
    assert world.audit().findings == ()


def test_rollbacks_go_further_back_and_never_forth(world, contest):
    world.crown_again(contest.first.judge.evidence_digest)
    assert [world.roll_back().version for _ in range(2)] == [2, 1]
    before = world.written_down()
    with pytest.raises(RefusedError, match="version 1 is champion, and there is none before it to roll back to"):
        world.roll_back()
    assert world.written_down() == before


def test_without_any_champion_there_is_nothing_to_roll_back(contested):
    contested.context("look").state.promotions.unlink()
    with pytest.raises(RefusedError, match="no version is champion, and there is none before it"):
        contested.roll_back()


def test_old_evidence_is_good_enough_for_a_rollback(world, monkeypatch):
    def too_old(*_args, **_options):
        raise EvidenceError("too old")

    monkeypatch.setattr(evidence_check, "require_fresh", too_old)
    assert world.roll_back().version == 1


def _changed(path):
    content = path.read_bytes()
    path.write_bytes(bytes([content[0] ^ 1]) + content[1:])
    return content


def test_a_former_champion_whose_files_were_changed_stays_former(world, contest):
    before = world.written_down()
    path, name = flip_targets(world, contest.first.judge.evidence_digest)["artefact"][0]
    content = _changed(path)
    try:
        with pytest.raises(EvidenceError, match=f"version 1{name}"):
            world.roll_back()
    finally:
        path.write_bytes(content)  # the folder is the one of all copies of the contest
    assert world.written_down() == before
    assert world.roll_back().version == 1


@pytest.mark.parametrize("damage", [_changed, lambda path: path.unlink()], ids=["changed", "gone"])
def test_a_former_champion_whose_evidence_cannot_be_shown_stays_former(world, contest, damage):
    before = world.written_down()
    damage(evidence_path(world.champions.evidence.folder, contest.first.judge.evidence_digest))
    with pytest.raises(EvidenceError, match=r"the evidence (has changed|cannot be read)"):
        world.roll_back()
    assert world.written_down() == before


def test_a_former_champion_whose_ledger_entry_speaks_of_another_artefact_stays_former(contest):
    world, first = contest.world, contest.first.judge.evidence_digest
    world.enter_by_hand(world.judged_again(first), artefact_digest="another")
    world.crown_again(contest.second.judge.evidence_digest)
    with pytest.raises(EvidenceError, match="version 1: the ledger speaks of another artefact than its evidence"):
        world.roll_back()
    assert world.registry.version_of("champion").version == 2


def test_a_former_champion_that_comes_back_otherwise_stays_former(world, monkeypatch):
    def otherwise(*_args, **_options):
        raise RefusedError("it comes back otherwise")

    monkeypatch.setattr(champion_change, "read_back", otherwise)
    with pytest.raises(RefusedError, match="it comes back otherwise; version 2 is champion as before"):
        world.roll_back()
    assert world.registry.version_of("champion").version == 2
    assert (_status(world, 1), _status(world, 2)) == ("archived", "champion")
    assert world.audit().findings == ()


def test_an_alias_moved_by_hand_stops_a_rollback(world):
    world.registry.restore_alias("champion", None, expected=world.registry.version_of("champion"))
    with pytest.raises(RefusedError, match="names no version, but by the ledger version 2 is champion"):
        world.roll_back()


KILLS = {
    "after the claim": Point(PromotionLedger, "claim", after=True),
    "before the alias moves": Point(Registry, "move_alias", after=False),
    "after the alias moved": Point(Registry, "move_alias", after=True),
    "after the champion was read back": Point(champion_change, "read_back", after=True),
    "after the former champion was tagged": Point(Registry, "tag", after=True, call=2),
    "before the claim is settled": Point(PromotionLedger, "settle", after=False),
}


@pytest.fixture(scope="module")
def undisturbed(contest_template, tmp_path_factory):
    """Roll back without any kill: the state that all others must end in."""
    world = contest_template.copied(tmp_path_factory.mktemp("undisturbed") / "state").world
    world.promote_on_evidence()
    world.roll_back()
    return world.written_down()


@pytest.mark.parametrize("point", KILLS.values(), ids=KILLS)
def test_a_rollback_killed_anywhere_ends_in_the_same_state(world, undisturbed, monkeypatch, point):
    with monkeypatch.context() as patch:
        kill_at(patch, point)
        with pytest.raises(Killed):
            world.roll_back()
    world.roll_back()
    assert world.written_down() == undisturbed
    assert world.audit().findings == ()


def test_a_promotion_whose_process_died_is_undone_before_a_rollback(world, contest, tmp_path):
    promote_and_die(tmp_path, world.judged_again(contest.first.judge.evidence_digest), at="settle")
    assert world.registry.version_of("champion").version == 1
    entry = world.roll_back()
    assert (entry.version, entry.previous_version, entry.sequence) == (1, 2, 4)
    assert [each.status for each in world.champions.history().entries] == ["done", "done", "withdrawn", "done"]
    assert world.audit().findings == ()
