"""Promotion: one champion follows another on verified evidence alone, and whatever kills a try changes nothing."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, replace
from typing import Any

import mlflow
import numpy as np
import pytest
from mlflow.exceptions import MlflowException

from gauntlet.adapters.evidence_store import evidence_path
from gauntlet.adapters.promotion_ledger import PromotionLedger
from gauntlet.adapters.registry import Registry
from gauntlet.core.canonical import digest
from gauntlet.core.errors import EvidenceError, InputError, RefusedError, RequirementError
from gauntlet.core.promotions import faults_of
from gauntlet.stages import champion_change
from gauntlet.stages.champion_change import recovered
from gauntlet.stages.promote import still_champion
from tests.benchmarks.promotion_races import raced
from tests.data.promotion_race import prepare_race, promote_and_die, promotion_race, raced_world

pytestmark = [
    pytest.mark.data,
    pytest.mark.local_only("copies a state folder with what target local keeps in it: tables, registry, ledger"),
]


class Killed(BaseException):
    """Stands for kill -9: nothing of ours may catch it."""


def _features(world):
    return world.test_rows()[[column.name for column in world.problem.features]]


def _status(world, number):
    return world.versions()[number].get("gauntlet.status")


def _is_unchanged(world, before):
    assert world.written_down() == before
    assert world.audit().findings == ()


def test_the_first_champion_is_a_recorded_bootstrap_and_comes_back_equal(contest):
    world, result, chosen = contest.world, contest.crowned, contest.first.choice.select
    assert result.refusal is None
    assert (result.bootstrap, result.previous, result.sequence) == (True, None, 1)
    assert world.registry.version_of("champion") == result.champion
    assert result.auc_readback == contest.first.judge.scores.auc[chosen.chosen.name]
    tags = world.versions()[result.champion.version]
    assert tags["gauntlet.threshold"] == repr(chosen.threshold)
    assert tags["gauntlet.selection_digest"] == chosen.selection_digest
    assert tags["gauntlet.rows"] == world.split.table.fingerprint
    assert (tags["gauntlet.status"], tags["gauntlet.synthetic"]) == ("champion", "true")
    assert tags["gauntlet.evidence"] == contest.first.judge.evidence_digest
    (entry,) = world.champions.history().entries
    assert (entry.version, entry.rows, entry.split_table) == (1, world.ingest.curated.rows, world.split.table)
    assert entry.artefact_digest == tags["gauntlet.artefact_digest"]
    assert still_champion(world.context("promote"), result) is None
    assert world.audit().findings == ()


def test_a_better_model_replaces_the_champion_which_is_kept_and_archived(contest):
    world, first = contest.world, contest.crowned
    second = world.promote(contest.second)
    assert (second.previous, second.bootstrap, second.sequence) == (first.champion, False, 2)
    assert second.champion != first.champion
    assert world.registry.version_of("champion") == second.champion
    old = world.versions()[first.champion.version]
    assert (old["gauntlet.status"], old["gauntlet.replaced_by"]) == ("archived", str(second.champion.version))
    with world.champions.verified(world.champions.history().entries[0]) as (_, copy):
        assert copy.load().predict(_features(world)).shape == (len(world.test_rows()),)
    reason = f"version {second.champion.version} is champion now"
    assert still_champion(world.context("promote"), first) == reason
    assert world.audit().findings == ()


def test_a_judged_refusal_promotes_nothing_and_holds_against_the_same_champion(contest):
    world, before = contest.world, contest.world.written_down()
    judge = contest.second.judge.model_copy(update={"refusal": "it is worse"})
    result = world.promote(replace(contest.second, judge=judge))
    assert (result.refusal, result.champion, result.previous) == ("it is worse", None, contest.crowned.champion)
    _is_unchanged(world, before)
    context = world.context("promote")
    assert still_champion(context, result) is None
    world.registry.restore_alias("champion", None, expected=contest.crowned.champion)
    assert still_champion(context, result) == "the champion is another one now"


def test_a_second_try_and_an_equal_model_change_nothing(contest):
    world = contest.world
    promoted = world.promote_on_evidence(contest.second.judge.evidence_digest)
    before = world.written_down()
    assert world.promote_on_evidence(contest.second.judge.evidence_digest) == promoted
    assert world.crown_again(contest.second.judge.evidence_digest) == promoted
    assert world.promote(contest.second).champion == promoted.champion
    _is_unchanged(world, before)


def test_an_earlier_champion_that_is_judged_again_is_the_same_version(contest):
    world = contest.world
    second = world.promote_on_evidence()
    back = world.crown_again(contest.first.judge.evidence_digest)
    assert (back.champion, back.previous, back.sequence) == (contest.crowned.champion, second.champion, 3)
    assert (_status(world, 1), _status(world, 2)) == ("champion", "archived")
    assert "gauntlet.replaced_by" not in world.versions()[1]
    assert world.audit().findings == ()


def test_evidence_promotes_once(contest):
    world = contest.world
    world.promote_on_evidence()
    before = world.written_down()
    with pytest.raises(EvidenceError, match=r"made version 1 champion before, and version 2 has followed since"):
        world.promote_on_evidence(contest.first.judge.evidence_digest)
    _is_unchanged(world, before)


def test_the_newest_evidence_is_taken_and_some_from_elsewhere_is_kept(contest, tmp_path):
    world, mark = contest.world, contest.second.judge.evidence_digest
    elsewhere = evidence_path(tmp_path / "ci", mark)
    elsewhere.parent.mkdir()
    here = evidence_path(world.champions.evidence.folder, mark)
    shutil.move(here, elsewhere)
    assert world.promote_on_evidence(str(elsewhere)).sequence == 2
    assert here.read_bytes() == elsewhere.read_bytes()


def test_without_an_argument_nothing_is_promoted_if_two_models_could_be(contest):
    world, other = contest.world, contest.world.judge(contest.world.weak, "third")
    before = world.written_down()
    newest = other.judge.evidence_digest[:12]
    with pytest.raises(InputError, match=rf"2 models could be promoted .* `gauntlet promote {newest}`"):
        world.promote_on_evidence()
    _is_unchanged(world, before)
    world.judged_again(contest.second.judge.evidence_digest)  # the same model judged twice is one
    assert world.promote_on_evidence(contest.second.judge.evidence_digest).sequence == 2


@dataclass(frozen=True)
class Point:
    """A step of the promotion, and whether the kill comes before or after it."""

    owner: Any
    name: str
    after: bool
    call: int = 1


KILLS = {
    "before the version is made": Point(Registry, "create", after=False),
    "after the version is made": Point(Registry, "create", after=True),
    "before the claim": Point(PromotionLedger, "claim", after=False),
    "after the claim": Point(PromotionLedger, "claim", after=True),
    "before the alias moves": Point(Registry, "move_alias", after=False),
    "after the alias moved": Point(Registry, "move_alias", after=True),
    "after the champion was read back": Point(champion_change, "read_back", after=True),
    "after the new champion was tagged": Point(Registry, "tag", after=True, call=2),
    "after the old champion was tagged": Point(Registry, "tag", after=True, call=3),
    "after the claim was settled": Point(PromotionLedger, "settle", after=True),
}


def kill_at(patch, point):
    """Let a promotion die at a step."""
    original, calls = getattr(point.owner, point.name), []

    def deadly(*args, **options):
        calls.append(point.name)
        if len(calls) == point.call and not point.after:
            raise Killed
        result = original(*args, **options)
        if len(calls) == point.call:
            raise Killed
        return result

    patch.setattr(point.owner, point.name, deadly)


@pytest.fixture
def killed(contested, monkeypatch):
    """Return a function that promotes on the newest evidence, and is killed at a step."""

    def promote_and_die_here(point):
        with monkeypatch.context() as patch:
            kill_at(patch, point)
            with pytest.raises(Killed):
                contested.promote_on_evidence()

    return promote_and_die_here


@pytest.fixture(scope="module")
def undisturbed(contest_template, tmp_path_factory):
    """Promote the second model without any kill: the state that all others must end in."""
    world = contest_template.copied(tmp_path_factory.mktemp("undisturbed") / "state").world
    return world.promote_on_evidence(), world.written_down()


@pytest.mark.parametrize("point", KILLS.values(), ids=KILLS)
def test_a_promotion_killed_anywhere_ends_in_the_same_state(contested, killed, undisturbed, point):
    killed(point)
    result, state = undisturbed
    assert contested.promote_on_evidence() == result
    assert (result.champion.version, result.previous.version) == (2, 1)
    _is_unchanged(contested, state)


@pytest.mark.parametrize("point", ["after the version is made", "after the alias moved", "before the alias moves"])
def test_the_stage_too_goes_on_where_it_was_killed(contest, killed, undisturbed, point):
    killed(KILLS[point])
    result = contest.world.promote(contest.second)
    assert (result.champion.version, result.sequence) == (2, 2)
    assert result.auc_readback == contest.second.judge.scores.auc[contest.second.choice.select.chosen.name]
    _is_unchanged(contest.world, undisturbed[1])


def test_while_a_claim_is_open_the_audit_says_so_and_nothing_more(contested, killed):
    killed(KILLS["after the alias moved"])
    (finding,) = contested.audit().findings
    assert "version 2 was claimed at" in finding.what
    assert finding.where == "sequence 2"


@pytest.mark.parametrize("at", ["claim", "settle"])
def test_the_claim_of_a_dead_process_is_undone_by_the_next_that_promotes_something_else(contest, tmp_path, at):
    world, other = contest.world, contest.second.judge.evidence_digest
    promote_and_die(tmp_path, other, at=at)
    assert world.registry.version_of("champion").version == (1 if at == "claim" else 2)
    assert world.champions.history().open_claim.sequence == 2
    # The same files, but another judgement: to the ledger another attempt.
    result = world.promote_on_evidence(world.resealed(other, code_digest="0" * 64))
    assert (result.champion.version, result.previous.version, result.sequence) == (2, 1, 3)
    statuses = [entry.status for entry in world.champions.history().entries]
    assert statuses == ["done", "withdrawn", "done"]
    assert world.audit().findings == ()


def test_the_claim_of_a_dead_process_can_be_undone_alone(contest, tmp_path):
    world, before = contest.world, contest.world.registry.version_of("champion")
    promote_and_die(tmp_path, contest.second.judge.evidence_digest, at="settle")
    history = recovered(world.champions)
    assert world.registry.version_of("champion") == before
    assert (_status(world, 1), _status(world, 2)) == ("champion", "refused")
    assert "gauntlet.replaced_by" not in world.versions()[1]
    assert history.entries[-1].reason == "its process was gone before it had ended"
    assert recovered(world.champions) == history
    assert world.audit().findings == ()


def test_a_second_try_that_is_refused_puts_the_former_champion_back(contested, killed, monkeypatch):
    killed(KILLS["after the old champion was tagged"])
    assert (contested.registry.version_of("champion").version, _status(contested, 1)) == (2, "archived")
    monkeypatch.setattr("gauntlet.stages.evidence_check.require_fresh", _refuse)
    with pytest.raises(EvidenceError, match="too old"):
        contested.promote_on_evidence()
    assert contested.registry.version_of("champion").version == 1
    assert (_status(contested, 1), _status(contested, 2)) == ("champion", "refused")
    assert contested.champions.history().entries[-1].status == "withdrawn"
    assert contested.audit().findings == ()


def _refuse(*_args, **_options):
    raise EvidenceError("too old")


def _without_a_champion(contest):
    """Return a world in which nothing was ever promoted, and evidence that was judged there."""
    world = contest.world
    world.context("look").state.promotions.unlink()
    world.registry.restore_alias("champion", None, expected=contest.crowned.champion)
    world.registry.tag(contest.crowned.champion, {"gauntlet.status": "candidate"})
    return world.judged_again(contest.second.judge.evidence_digest)


READBACKS: dict[str, tuple[str, Callable[[Any], None], str]] = {
    "other files": (
        "gauntlet.stages.champion_change.VerifiedCopy.of",
        lambda *_, **__: _refuse(),
        r"was to come back by the alias champion, but too old",
    ),
    "other answers": (
        "mlflow.pyfunc.PyFuncModel.predict",
        lambda _self, frame: np.full(len(frame), 0.5),
        r"it answers 16 of the evidence's 16 probe rows otherwise than was judged",
    ),
    "no answers": (
        "gauntlet.stages.champion_change.VerifiedCopy.load",
        lambda _copy: (_ for _ in ()).throw(OSError("the store is gone")),
        r"cannot be loaded and asked .OSError: the store is gone.",
    ),
}


@pytest.mark.parametrize("crowned_before", [True, False])
@pytest.mark.parametrize("broken", READBACKS.values(), ids=READBACKS)
def test_a_model_that_comes_back_otherwise_is_not_left_as_champion(contest, monkeypatch, broken, crowned_before):
    world, evidence = contest.world, contest.second.judge.evidence_digest
    if not crowned_before:
        evidence = _without_a_champion(contest)
    before = world.registry.version_of("champion")
    place, function, sentence = broken
    kept = "version 1 is champion as before" if crowned_before else "there is no champion, as before"
    with monkeypatch.context() as patch:
        patch.setattr(place, function)
        with pytest.raises(RefusedError, match=f"{sentence}.*; {kept}"):
            world.promote_on_evidence(evidence)
    assert world.registry.version_of("champion") == before
    assert _status(world, 2) == "refused"
    entry = world.champions.history().entries[-1]
    assert (entry.version, entry.status) == (2, "withdrawn")
    # What was withdrawn changed nothing, so that the same evidence still promotes.
    assert world.promote_on_evidence(evidence).sequence == entry.sequence + 1
    assert world.audit().findings == ()


def test_the_stage_reads_the_test_rows_too_and_refuses_another_auc(contest, monkeypatch):
    world, before = contest.world, contest.world.registry.version_of("champion")
    monkeypatch.setattr("gauntlet.stages.promote.auc", lambda _answers, _label: 0.5)
    with pytest.raises(
        RefusedError, match=r"its AUC on the test rows is 0.5, and 0\.\d+ was judged; version 1 is champion"
    ):
        world.promote(contest.second)
    assert world.registry.version_of("champion") == before


def test_the_stage_refuses_evidence_of_another_run(contest):
    world, before = contest.world, contest.world.written_down()
    thawed = contest.second.choice.select.model_copy(update={"selection_digest": digest("another")})
    with pytest.raises(EvidenceError, match="the evidence is of another choice than this run has"):
        world.promote(contest.second, select=thawed)
    with pytest.raises(EvidenceError, match="of another artefact, artefact's files than"):
        world.promote(contest.second, package=contest.first.package)
    _is_unchanged(world, before)


def test_an_alias_that_cannot_be_put_back_leaves_the_claim_open_until_it_can(contested, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(champion_change, "read_back", _refuse)
        patch.setattr(Registry, "restore_alias", _unreachable)
        with pytest.raises(RequirementError, match=r"could not be put back .*sequence 2 .* stays claimed until it is"):
            contested.promote_on_evidence()
        assert contested.champions.history().open_claim.version == 2
    assert contested.promote_on_evidence().sequence == 2
    assert contested.audit().findings == ()


def _unreachable(*_args, **_options):
    raise RequirementError("the registry is gone")


def test_a_claim_that_was_lost_meanwhile_is_nobody_elses_business(contested, monkeypatch):
    def lost(ledger, claim):
        ledger.withdraw(claim, reason="another process thought this one gone")
        return original(ledger, claim)

    original = PromotionLedger.settle
    monkeypatch.setattr(PromotionLedger, "settle", lost)
    with pytest.raises(RefusedError, match="is no open claim of process"):
        contested.promote_on_evidence()
    assert [entry.status for entry in contested.champions.history().entries] == ["done", "withdrawn"]
    assert contested.registry.version_of("champion").version == 2  # whoever withdrew it would have put it back


def test_a_registry_that_does_not_answer_is_not_one_without_a_champion(contest, monkeypatch):
    world, before = contest.world, contest.world.written_down()

    def silent(*_args, **_options):
        raise MlflowException("connection refused")

    with monkeypatch.context() as patch:
        patch.setattr(mlflow.MlflowClient, "get_registered_model", silent)
        for asks in (world.promote_on_evidence, lambda: still_champion(world.context("promote"), contest.crowned)):
            with pytest.raises(RequirementError, match=r"could not be asked which version .* has the alias champion"):
                asks()
    _is_unchanged(world, before)


def test_an_alias_moved_by_hand_stops_a_promotion(contest):
    world = contest.world
    world.promote_on_evidence()
    registry = world.registry
    evidence = world.judged_again(contest.first.judge.evidence_digest)
    registry.move_alias("champion", contest.crowned.champion, expected=registry.version_of("champion"))
    with pytest.raises(RefusedError, match="names version 1, but by the ledger version 2 is champion; somebody moved"):
        world.promote_on_evidence(evidence)
    assert still_champion(world.context("promote"), contest.crowned) == "by the ledger version 2 is champion"


def test_the_claim_of_a_dead_process_stays_while_the_alias_names_something_else(contested, killed):
    killed(KILLS["after the alias moved"])
    contested.registry.restore_alias("champion", None, expected=contested.registry.version_of("champion"))
    with pytest.raises(RefusedError, match="names no version, but by the ledger version 1 is champion"):
        recovered(contested.champions)
    assert contested.registry.version_of("champion") is None
    assert contested.champions.history().open_claim.version == 2


def test_a_version_that_only_says_that_it_holds_the_judged_files_is_refused(contest):
    world, first = contest.world, contest.crowned.champion
    judged = world.champions.evidence.proven(contest.second.judge.evidence_digest)
    world.registry.tag(first, {"gauntlet.artefact_digest": judged.artefact.digest})
    with pytest.raises(EvidenceError, match=r"wine_classifier version 1: MLmodel has changed"):
        world.promote_on_evidence()
    assert world.champions.history().last_sequence == 1


def test_a_ledger_that_was_changed_by_hand_stops_promotions_and_rollbacks(contest):
    world = contest.world
    world.promote_on_evidence()
    evidence = world.judged_again(contest.first.judge.evidence_digest)
    with closing(sqlite3.connect(world.champions.ledger.path)) as connection, connection:
        connection.execute("UPDATE promotions SET rows = 1 WHERE sequence = 1")
    for change in (lambda: world.promote_on_evidence(evidence), world.roll_back):
        with pytest.raises(RefusedError, match=r"was changed by hand \(sequence 1 .*see `gauntlet audit`"):
            change()
    assert world.registry.version_of("champion").version == 2


def test_of_two_processes_one_wins_each_round_and_the_ledger_has_no_gap(contest_template, tmp_path):
    prepare_race(contest_template, folder=tmp_path)
    outcome = raced(promotion_race, folder=tmp_path, races=5)
    assert (outcome.doubles, outcome.unwon) == (0, 0)
    world = raced_world(tmp_path)
    entries = world.champions.history().entries
    assert [(entry.sequence, entry.status) for entry in entries] == [(number, "done") for number in range(1, 7)]
    assert faults_of(entries) == ()
    assert world.registry.version_of("champion").version == entries[-1].version
    assert world.audit().findings == ()
