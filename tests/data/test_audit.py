"""The audit: whatever was changed behind the ledger's back is found, said with its place, and left as it is."""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from gauntlet.adapters.evidence_store import evidence_path
from gauntlet.adapters.target import LocalTarget
from gauntlet.core.problem_file import load_problem
from gauntlet.core.state import State
from gauntlet.stages.audit import audit
from tests.data.evidence_flips import flip_targets

pytestmark = [
    pytest.mark.data,
    pytest.mark.local_only("copies a state folder with what target local keeps in it: tables, registry, ledger"),
]


@pytest.fixture
def world(contested):
    """Give each test a world with two champions, one after the other."""
    contested.promote_on_evidence()
    return contested


def _alias_to(number):
    def move(world, contest):
        registry = world.registry
        registry.restore_alias(
            "champion", registry.version(number) if number else None, expected=registry.version_of("champion")
        )

    return move


def _tag(number, **tags):
    def change(world, contest):
        world.registry.tag(world.registry.version(number), {f"gauntlet.{name}": value for name, value in tags.items()})

    return change


def _in_the_ledger(statement):
    def change(world, contest):
        with closing(sqlite3.connect(world.champions.ledger.path)) as connection, connection:
            connection.execute(statement)

    return change


def _no_ledger(world, contest):
    world.champions.ledger.path.unlink()


def _no_evidence(world, contest):
    evidence_path(world.champions.evidence.folder, contest.first.judge.evidence_digest).unlink()


def _other_evidence(world, contest):
    folder = world.champions.evidence.folder
    first, second = (evidence_path(folder, each.judge.evidence_digest) for each in (contest.first, contest.second))
    shutil.copy(second, first)


def _no_version(world, contest):
    world.registry.tracking.client.delete_model_version(world.registry.name, "1")


def _test_reads_cut(world, contest):
    path = world.context("look").state.test_reads
    lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
    path.write_text("".join(lines[:-1]), encoding="utf-8")


def _test_reads_changed(world, contest):
    path = world.context("look").state.test_reads
    path.write_text(path.read_text(encoding="utf-8").replace('"reason": "', '"reason": "not ', 1), encoding="utf-8")


# What is done by hand, and what the audit must say of it: what and where, by parts of the sentences.
FORGERIES = {
    "alias moved": (_alias_to(1), [("the alias names version 1, but by the ledger version 2 is champion", "champion")]),
    "alias gone": (_alias_to(None), [("the alias names no version, but by the ledger version 2", "champion")]),
    "ledger gone": (
        _no_ledger,
        [
            ("was signed when the ledger had 1 entries, and it has 0: entries were removed", "promotions.db"),
            ("the alias names version 2, but by the ledger no version is champion", "champion"),
            ("gauntlet.status is archived, but by the ledger it never was champion", "version 1"),
            ("gauntlet.status is champion, but by the ledger it never was champion", "version 2"),
        ],
    ),
    "entry changed": (
        _in_the_ledger("UPDATE promotions SET rows = 1 WHERE sequence = 1"),
        [
            ("sequence 1 does not fit its chain", "promotions.db"),
            ("sequence 2 does not fit its chain", "promotions.db"),
        ],
    ),
    "last entry changed": (
        _in_the_ledger("UPDATE promotions SET version = 1 WHERE sequence = 2"),
        [("is not the one that was written last", "promotions.db")],
    ),
    "entry gone": (
        _in_the_ledger("DELETE FROM promotions WHERE sequence = 1"),
        [
            ("sequence 1 is missing", "promotions.db"),
            ("sequence 2 is to replace version 1, but the champion before it is no version", "promotions.db"),
            ("gauntlet.status is archived, but by the ledger it never was champion", "version 1"),
        ],
    ),
    "evidence gone": (_no_evidence, [("the evidence cannot be read", "dsse.json")]),
    "evidence replaced": (_other_evidence, [("the evidence has changed: its SHA-256 is", "dsse.json")]),
    "test reads cut off": (_test_reads_cut, [("does not go on from them now", "test_reads.jsonl")]),
    "test reads changed": (_test_reads_changed, [("test_reads.jsonl: line 1", "test_reads.jsonl")]),
    "version gone": (_no_version, [("the version was champion, and the registry has it no more", "version 1")]),
    "status": (_tag(1, status="champion"), [("gauntlet.status is champion, but by the ledger it is archived", "1")]),
    "no status": (_tag(2, status=None), [("gauntlet.status is none, but by the ledger it is champion", "version 2")]),
    "evidence's tag": (_tag(2, evidence="0" * 64), [(f"gauntlet.evidence is {'0' * 64}, but by the", "version 2")]),
    "replaced by": (_tag(1, replaced_by="7"), [("gauntlet.replaced_by is 7, but by the ledger it is 2", "version 1")]),
    "threshold": (_tag(2, threshold="0.5"), [("gauntlet.threshold is 0.5, but what was judged is", "version 2")]),
    "model": (_tag(1, model_digest="0"), [("gauntlet.model_digest is 0, but what was judged is", "version 1")]),
}


@pytest.mark.parametrize(("forge", "expected"), FORGERIES.values(), ids=FORGERIES)
def test_what_was_changed_by_hand_is_found_and_nothing_else(world, contest, forge, expected):
    assert world.audit().sentence.endswith("were looked at: all is in order")
    forge(world, contest)
    before = _files(world)
    found = world.audit()
    assert len(found.findings) == len(expected), found.findings
    for finding, (what, where) in zip(found.findings, expected, strict=True):
        assert what in finding.what
        assert where in finding.where
        assert finding.advice
    assert found.sentence.endswith(f"were looked at: {len(expected)} findings")
    assert _files(world) == before


def _files(world):
    """Return the bytes of all that an audit could change."""
    state = world.context("look").state
    paths = [path for folder in (state.evidence, state.mlflow) for path in folder.rglob("*") if path.is_file()]
    return {path: path.read_bytes() for path in [*paths, *state.root.glob("promotions.db")]}


def test_a_changed_artefact_is_found(world, contest):
    path, name = flip_targets(world, contest.first.judge.evidence_digest)["artefact"][0]
    content = path.read_bytes()
    path.write_bytes(content + b" ")
    try:
        (finding,) = world.audit().findings
    finally:
        path.write_bytes(content)  # the folder is the one of all copies of the contest
    assert f"the artefact{name}" in finding.what
    assert finding.where == "sequence 1, version 1"
    assert world.audit().findings == ()


@pytest.mark.parametrize(
    ("damage", "said"), [(Path.unlink, "is missing"), (lambda path: path.write_bytes(b"PAR1"), "has changed")]
)
def test_a_table_that_is_gone_or_changed_is_said_and_nothing_else_hangs_on_it(world, contest, damage, said):
    assert world.audit().tables == ()
    files = {name: path for path, name in flip_targets(world, contest.second.judge.evidence_digest)["tables"]}
    name = min(files)
    damage(files[name])
    found = world.audit()
    assert found.findings == ()
    (finding,) = found.tables
    assert finding.where in name
    assert said in finding.what
    assert world.roll_back().version == 1


def test_an_entry_of_another_artefact_than_its_evidence_is_found(world, contest):
    world.enter_by_hand(world.judged_again(contest.second.judge.evidence_digest), artefact_digest="another")
    found = {(finding.what, finding.where) for finding in world.audit().findings}
    assert ("the ledger speaks of another artefact than its evidence", "sequence 3, version 2") in found


def test_a_tail_that_was_cut_off_with_all_its_traces_is_betrayed_by_later_evidence(world, contest):
    world.judged_again(contest.second.judge.evidence_digest)
    champions = world.champions
    first, second = champions.history().entries
    with closing(sqlite3.connect(champions.ledger.path)) as connection, connection:
        connection.execute("DELETE FROM promotions WHERE sequence = 2")
        connection.execute("UPDATE heads SET sequence = 1, seal = ?", (first.seal(),))
    versions = [champions.version(entry) for entry in (first, second)]
    champions.registry.restore_alias("champion", versions[0], expected=versions[1])
    champions.mark(champions.history(), 1, 2)
    champions.registry.tag(versions[1], {"gauntlet.status": None})
    (finding,) = world.audit().findings
    assert "was signed when the ledger had 2 entries, and it has 1: entries were removed" in finding.what


def test_evidence_that_no_trusted_key_has_signed_is_found(world, tmp_path, monkeypatch):
    other = tmp_path / "other.pem"
    public = Ed25519PrivateKey.generate().public_key()
    other.write_bytes(public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
    monkeypatch.setenv("GAUNTLET_TRUSTED_KEYS", str(other))
    found = world.audit()
    assert ["none of the trusted ones" in finding.what for finding in found.findings] == [True, True]


def test_a_rollback_and_a_withdrawn_entry_are_in_order(world):
    world.roll_back()
    found = world.audit()
    assert found.findings == ()
    assert found.sentence == (
        "3 entries of the ledger and 2 versions of gauntlet.wine_quality.wine_classifier were looked at: "
        "all is in order"
    )


def test_where_nothing_was_ever_promoted_all_is_in_order(tmp_path):
    problem, state = load_problem(), State(tmp_path / "state")
    found = audit(target=LocalTarget(problem=problem, state=state), state=state)
    assert (found.entries, found.versions, found.findings) == (0, 0, ())
