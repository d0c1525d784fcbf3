"""Levels in signed evidence: what a promotion says of warnings and notes, and what older evidence still counts for."""

from __future__ import annotations

import json

import pytest

from gauntlet import cli
from gauntlet.core.errors import EvidenceError
from gauntlet.core.evidence import WaiverEvidence, statement
from gauntlet.core.results import WaiverRecord
from gauntlet.gates import catalogue
from gauntlet.serving.served_model import ChampionSource
from tests.data.model_world import OVERRIDES, PASSING

pytestmark = [
    pytest.mark.data,
    pytest.mark.local_only("copies a state folder with what target local keeps in it: tables, registry, ledger"),
]

WAIVER = {"gate": "split::made", "reason": "agreed on Monday", "owner": "Ada", "until": "2999-12-31"}
WARNING = {"gate": "split::made", "sentence": "perhaps [beyond] its bound"}


@pytest.fixture
def command(contested, capfd, monkeypatch):
    """Run a command on the world's state folder; return its exit code and its output."""
    monkeypatch.setattr(catalogue, "AllGates", lambda: PASSING)
    settings = [word for key, value in OVERRIDES.items() for word in ("--set", f"{key}={value}")]

    def run(*arguments):
        with pytest.raises(SystemExit) as caught:
            cli.main([*arguments, "--state", str(contested.root), *settings])
        return caught.value.code, capfd.readouterr().out

    return run


def _in_old_form(world, evidence, *, waived=False):
    """Return the SHA-256 of evidence as the version before NOTE and WARN signed it, with an undecided gate."""
    first, second = world.champions.evidence.proven(evidence).verdicts
    undecided = second.model_copy(
        update={"status": "INCONCLUSIVE", "waiver": WaiverRecord(**WAIVER) if waived else None}
    )
    waivers = (WaiverEvidence(**WAIVER),) if waived else ()
    whole = world.champions.evidence.proven(world.resealed(evidence, verdicts=(first, undecided), waivers=waivers))
    signed = statement(whole)
    for verdict in signed["predicate"]["verdicts"]:
        del verdict["rows_needed"]
    return world.sealed(signed)


def test_a_promotion_lists_the_warnings_and_notes_of_its_evidence_and_so_do_show_and_audit(contest, command):
    world, mark = contest.world, contest.second.judge.evidence_digest
    first, second = world.champions.evidence.proven(mark).verdicts
    warning = second.model_copy(update={"status": "WARN", "sentence": WARNING["sentence"]})
    mark = world.resealed(mark, verdicts=(first, warning))
    code, out = command("promote", mark)
    assert (code, world.registry.version_of("champion").version) == (0, 2)
    said = "promoted with 1 warning:\n  split::made: perhaps [beyond] its bound\n"
    assert f"P{said[1:]}" in out
    code, out = command("audit")
    assert (code, f"version 2 was {said}" in out) == (0, True)
    _, out = command("evidence", "show", mark)
    assert out.index("split::made") < out.index("model::made")
    for arguments in (("promote", mark), ("audit",), ("evidence", "show", mark)):
        document = json.loads(command(*arguments, "--json")[1])
        assert (document["warnings"], document["notes"]) == ([WARNING], [])


def test_a_note_is_counted_by_a_promotion_with_the_rows_that_it_needs(contest, command):
    world, mark = contest.world, contest.second.judge.evidence_digest
    first, second = world.champions.evidence.proven(mark).verdicts
    note = second.model_copy(update={"status": "NOTE", "rows_needed": 1300})
    code, out = command("promote", world.resealed(mark, verdicts=(first, note)))
    assert code == 0
    assert "1 note of gates that could not judge: split::made (from about 1,300 rows)" in out
    assert "warning" not in out


def test_older_evidence_with_an_undecided_gate_can_be_shown_and_promotes_nothing(contest, command):
    world, before = contest.world, contest.world.written_down()
    mark = _in_old_form(world, contest.second.judge.evidence_digest)
    code, out = command("evidence", "show", mark)
    assert (code, "INCONCLUSIVE" in out) == (0, True)
    with pytest.raises(EvidenceError, match="said no, without a waiver: split::made"):
        world.promote_on_evidence(mark)
    assert world.written_down() == before


def test_a_champion_made_on_older_evidence_is_audited_served_and_rolled_back_to(contest):
    world = contest.world
    made = world.promote_on_evidence(_in_old_form(world, contest.second.judge.evidence_digest, waived=True))
    assert (made.champion.version, world.audit().findings) == (2, ())
    source = ChampionSource(world.champions)
    assert source.loaded(source.promoted()).version == 2
    assert world.crown_again(contest.first.judge.evidence_digest).champion.version == 1
    assert world.roll_back().version == 2
    assert world.audit().findings == ()
