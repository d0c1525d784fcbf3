"""The history of champions: who is, who was, and to whom a rollback returns."""

import pytest

from gauntlet.core.champion_history import ChampionHistory
from gauntlet.core.promotions import Promotion

pytestmark = pytest.mark.unit


def history(*steps):
    """The history of steps: ``+1`` promotes version 1, ``<1`` rolls back to it, ``x1`` is withdrawn, ``?1`` is open."""
    entries, champion = [], None
    for sequence, step in enumerate(steps, start=1):
        status = {"x": "withdrawn", "?": "claimed"}.get(step[0], "done")
        entries.append(
            Promotion(
                sequence=sequence,
                model="a.b.wine",
                kind="rollback" if step[0] == "<" else "promote",
                version=int(step[1:]),
                run_id="r",
                previous_version=champion,
                previous_sequence=sequence - 1,
                evidence=f"{sequence:064x}",
                artefact_digest="d",
                rows=9,
                split_table=None,
                claimed="t",
                settled=None if status == "claimed" else "t",
                status=status,
                reason="why" if status == "withdrawn" else "",
                claimant="c",
                key="k",
                chain="",
            )
        )
        champion = int(step[1:]) if status == "done" else champion
    return ChampionHistory(tuple(entries))


@pytest.mark.parametrize(
    ("steps", "champion", "predecessor"),
    [
        ("", None, None),
        ("x1", None, None),
        ("+1", 1, None),
        ("+1 +2", 2, 1),
        ("+1 x2 +3", 3, 1),
        ("+1 +2 ?3", 2, 1),
        ("+1 +2 <1", 1, None),
        ("+1 +2 +3 <2", 2, 1),
        ("+1 +2 +3 <2 <1", 1, None),
        ("+1 +2 <1 +3", 3, 1),
        ("+1 +2 <1 +2", 2, 1),
        ("+1 +2 +1", 1, 2),
        ("+1 +2 +1 <2", 2, 1),
        ("+1 +1", 1, None),
        ("+1 +2 +2", 2, 1),
    ],
)
def test_a_rollback_returns_to_the_champion_before_and_never_forth(steps, champion, predecessor):
    found = history(*steps.split())
    assert (found.champion and found.champion.version) == champion
    assert (found.predecessor and found.predecessor.version) == predecessor
    assert found.predecessor is None or found.predecessor.kind == "promote"


@pytest.mark.parametrize(
    ("version", "status", "sequence", "replaced_by"),
    [
        (1, "champion", 4, None),
        (2, "archived", 2, 3),
        (3, "archived", 3, 1),
        (4, "refused", None, None),
        (9, "refused", None, None),
    ],
)
def test_the_place_of_a_version(version, status, sequence, replaced_by):
    place = history("+1", "+2", "+3", "<1", "x4", "?5").place(version)
    assert (place.status, place.entry and place.entry.sequence, place.replaced_by) == (status, sequence, replaced_by)


def test_a_claim_counts_once_it_is_settled():
    before, open_claim = history("+1"), history("+1", "?2")
    claim = open_claim.open_claim
    assert (before.open_claim, claim.version, open_claim.last_sequence) == (None, 2, 2)
    for known in (before, open_claim):
        after = known.settled(claim)
        assert (after.champion.version, after.last_sequence, after.open_claim) == (2, 2, None)
        assert after.place(1).replaced_by == 2


def test_what_evidence_made_is_found_where_it_was_done():
    found = history("+1", "x2", "+3")
    assert found.made_by(f"{3:064x}").version == 3
    assert found.made_by(f"{2:064x}") is None
    assert history().last_sequence == 0
