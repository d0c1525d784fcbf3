"""The entries of the promotion ledger, and the walk over them."""

import pytest
from pydantic import ValidationError

from gauntlet.core.promotions import Promotion, champion_of, faults_of
from gauntlet.core.results import TableRef
from tests.promotion_attempts import evidence_of

pytestmark = pytest.mark.unit

TABLE = TableRef(name="split", full_name="a.b.split", format="delta", version=3, rows=90, fingerprint="f")
BASE = {
    "model": "a.b.wine",
    "kind": "promote",
    "run_id": "r",
    "evidence": "e" * 64,
    "artefact_digest": "d",
    "rows": 90,
    "split_table": TABLE,
    "claimed": "2026-01-01T00:00:00+00:00",
    "claimant": "host process 7 started 9 since 2026-01-01T00:00:00+00:00",
    "key": "k",
    "chain": "",
}
ENDINGS = {
    "claimed": {"settled": None},
    "done": {"settled": "2026-01-01T00:01:00+00:00"},
    "withdrawn": {"settled": "2026-01-01T00:01:00+00:00", "reason": "it did not come back"},
}


def made(sequence, version, previous, status="done", *, after=None, **changes):
    """An entry as the ledger would write it."""
    fields = {"sequence": sequence, "version": version, "previous_version": previous, "previous_sequence": sequence - 1}
    fields["evidence"] = evidence_of(max(version, 0))
    entry = Promotion(**BASE | fields | {"status": status} | ENDINGS[status] | changes)
    return entry.chained(after=after)


def history():
    """Versions 1 and 3 done, 2 withdrawn, then back to 1, then 5 open."""
    entries = []
    for version, previous, status, changes in (
        (1, None, "done", {}),
        (2, 1, "withdrawn", {}),
        (3, 1, "done", {}),
        (1, 3, "done", {"kind": "rollback"}),
        (5, 1, "claimed", {"split_table": None}),
    ):
        after = entries[-1] if entries else None
        entries.append(made(len(entries) + 1, version, previous, status, after=after, **changes))
    return entries


def changed(place, **changes):
    entries = history()
    entries[place] = entries[place].model_copy(update=changes)
    return entries


def rechained(*entries):
    """The entries with the chains that whoever forges a history would give them."""
    found = []
    for entry in entries:
        found.append(entry.chained(after=found[-1] if found else None))
    return tuple(found)


@pytest.mark.parametrize("length", range(6))
def test_a_history_as_the_ledger_writes_it_has_no_faults(length):
    assert faults_of(history()[:length]) == ()


@pytest.mark.parametrize(("length", "sequence"), [(0, None), (1, 1), (2, 1), (3, 3), (4, 4), (5, 4)])
def test_the_champion_is_the_last_done_entry(length, sequence):
    champion = champion_of(history()[:length])
    assert (champion and champion.sequence) == sequence


@pytest.mark.parametrize("place", range(4))
@pytest.mark.parametrize("name", sorted({*Promotion.model_fields} - {"signature"}))
def test_any_changed_field_of_an_earlier_entry_is_found(place, name):
    other = {"split_table": None, "settled": "2027", "previous_version": 9, "status": "withdrawn", "kind": "rollback"}
    entries = history()
    value = getattr(entries[place], name)
    if value == other.get(name):
        other |= {"status": "done", "kind": "promote"}
    changed_value = other[name] if name in other else value + (7 if isinstance(value, int) else "x")
    entries[place] = entries[place].model_copy(update={name: changed_value})
    assert faults_of(entries) != ()


@pytest.mark.parametrize(
    "name", sorted({*Promotion.model_fields} - {"claimant", "settled", "status", "reason", "signature"})
)
def test_any_fixed_field_of_the_last_entry_is_held_by_its_chain(name):
    value = getattr(history()[-1], name)
    other = {"split_table": TABLE, "kind": "rollback"}
    changes = {name: other[name] if name in other else value + (7 if isinstance(value, int) else "x")}
    assert not changed(4, **changes)[4].follows(history()[3])


@pytest.mark.parametrize("place", range(4))
def test_a_removed_entry_leaves_a_gap(place):
    entries = history()
    del entries[place]
    assert any(f"sequence {place + 1} is missing" in fault for fault in faults_of(entries))


def test_a_removed_entry_is_found_though_the_rest_was_numbered_anew():
    entries = history()
    del entries[1]
    anew = [
        entry.model_copy(update={"sequence": number, "previous_sequence": number - 1})
        for number, entry in enumerate(entries, start=1)
    ]
    assert any("sequence 2 does not fit its chain" in fault for fault in faults_of(anew))


@pytest.mark.parametrize(
    ("entries", "sentence"),
    [
        (rechained(made(2, 1, None)), "sequence 1 is missing: at the beginning comes sequence 2"),
        (rechained(made(1, 1, None), made(3, 2, 1)), "sequence 2 is missing: after sequence 1 comes sequence 3"),
        (rechained(made(1, 1, None), made(1, 2, 1)), "sequence 2 is missing: after sequence 1 comes sequence 1"),
        (rechained(made(1, 1, None, previous_sequence=4)), "sequence 1 says that it comes after sequence 4"),
        (
            rechained(made(1, 1, None), made(2, 2, 1, model="a.b.tea")),
            "sequence 2 belongs to a.b.tea, the one before it to a.b.wine",
        ),
        (
            rechained(made(1, 1, None, "claimed"), made(2, 2, None, "claimed")),
            "sequence 1 had not ended when sequence 2 was claimed; both are open claims",
        ),
        (
            rechained(made(1, 1, None, "claimed"), made(2, 2, None)),
            "sequence 1 had not ended when sequence 2 was claimed",
        ),
        (
            rechained(made(1, 1, None), made(2, 2, None)),
            "sequence 2 is to replace no version, but the champion before it is version 1",
        ),
        (
            rechained(made(1, 1, None, "withdrawn"), made(2, 2, 1)),
            "sequence 2 is to replace version 1, but the champion before it is no version",
        ),
        (
            rechained(made(1, 1, None), made(2, 2, 1, "withdrawn"), made(3, 2, 1, kind="rollback")),
            "sequence 3 rolls back to version 2, which is no former champion",
        ),
        (
            rechained(made(1, 1, None), made(2, 1, 1, kind="rollback")),
            "sequence 2 rolls back to version 1, which is no former champion",
        ),
        (
            rechained(made(1, 1, None), made(2, 2, 1, evidence=evidence_of(1))),
            "sequence 2 promotes on the evidence of sequence 1 once more",
        ),
        (rechained(made(1, 1, None, settled=None)), "sequence 1 is done, but has no time at which it ended"),
        (
            rechained(made(1, 1, None, "claimed", settled="2026")),
            "sequence 1 is an open claim, but has a time at which it ended",
        ),
        (
            rechained(made(1, 1, None, "withdrawn", reason="")),
            "sequence 1 is withdrawn without a reason for withdrawal",
        ),
        (rechained(made(1, 1, None, reason="why")), "sequence 1 is done with a reason for withdrawal"),
    ],
)
def test_a_fault_is_one_sentence(entries, sentence):
    assert faults_of(entries) == (sentence,)


def test_tries_of_one_attempt_differ_only_in_when_and_who():
    first, second = made(1, 2, None, "withdrawn"), made(3, 2, None, "claimed", claimant="another", claimed="2027")
    assert second.is_attempt_of(first)
    assert not made(3, 2, None, "claimed", evidence="0" * 64).is_attempt_of(first)


@pytest.mark.parametrize(
    "changes", [{"rows": 0}, {"version": 0}, {"sequence": 0}, {"evidence": ""}, {"key": ""}, {"status": "open"}]
)
def test_an_entry_that_says_nothing_cannot_be_made(changes):
    with pytest.raises(ValidationError, match=next(iter(changes))):
        Promotion(
            **BASE
            | {"sequence": 1, "version": 1, "previous_version": None, "previous_sequence": 0}
            | {"status": "claimed", "settled": None}
            | changes
        )
