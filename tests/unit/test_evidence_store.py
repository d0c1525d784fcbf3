"""The store of evidence: what is not proven does not come out of it, and what comes from elsewhere is proven first."""

import hashlib
import os

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from gauntlet.adapters.evidence_store import EvidenceStore, evidence_path
from gauntlet.adapters.signing_keys import SigningKeys
from gauntlet.core.envelope import seal
from gauntlet.core.errors import EvidenceError, InputError, RequirementError
from gauntlet.core.evidence import Evidence, statement

pytestmark = pytest.mark.unit

SHA = "a" * 64
EVIDENCE = Evidence.model_validate(
    {
        "schema_version": 1,
        "created": "2026-07-01T12:00:00+00:00",
        "problem": "wine",
        "problem_digest": SHA,
        "suite_digests": {},
        "code_digest": SHA,
        "lock_digest": SHA,
        "gauntlet_version": "0.1",
        "target": "local",
        "protocol": "honest",
        "seed": 0,
        "synthetic": True,
        "selection_digest": SHA,
        "split_fingerprint": SHA,
        "chosen": "sweep",
        "threshold": 0.5,
        "tables": [
            {
                "name": "raw",
                "full_name": "a.b.raw",
                "format": "delta",
                "version": 0,
                "rows": 1,
                "fingerprint": SHA,
                "files": {},
            }
        ],
        "artefact": {"model_uri": "models:/m-1", "model_digest": SHA, "files": {"MLmodel": SHA}},
        "metrics": [],
        "verdicts": [],
        "waivers": [],
        "incumbent": {"version": None, "sequence": 0},
        "openings": {"count": 0, "chain": None},
        "probe": {"columns": ["x"], "rows": [[1.0]], "probability": [0.5]},
        "not_checked": [],
    }
)


@pytest.fixture
def store(tmp_path):
    keys = SigningKeys(tmp_path / "keys")
    keys.private()
    return EvidenceStore(folder=tmp_path / "evidence", keys=keys)


def written(store, *, folder=None, evidence=EVIDENCE, key=None, age=0):
    """Write evidence into a folder, and return its SHA-256."""
    content = seal(statement(evidence), key or store.keys.private())
    mark = hashlib.sha256(content).hexdigest()
    path = evidence_path(folder or store.folder, mark)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    os.utime(path, (1_800_000_000 - age,) * 2)
    return mark


def another(**changes):
    return EVIDENCE.model_copy(update={"chosen": "forest", **changes})


def test_proven_evidence_comes_out_as_it_went_in(store):
    assert store.proven(written(store)) == EVIDENCE


def test_evidence_under_the_name_of_other_evidence_is_refused(store):
    first, second = written(store), written(store, evidence=another())
    evidence_path(store.folder, first).write_bytes(evidence_path(store.folder, second).read_bytes())
    with pytest.raises(EvidenceError, match=f"the evidence has changed: its SHA-256 is {second}"):
        store.proven(first)


@pytest.mark.parametrize(
    ("key", "content", "sentence"),
    [
        (Ed25519PrivateKey.generate(), None, "which is none of the trusted ones"),
        (None, b"{}\n", "missing or unknown fields"),
    ],
)
def test_what_is_not_signed_as_it_should_be_is_refused_and_not_kept(store, tmp_path, key, content, sentence):
    mark = written(store, folder=tmp_path, key=key)
    file = evidence_path(tmp_path, mark).rename(tmp_path / "given.json")
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(EvidenceError, match=rf"given\.json: .*{sentence}"):
        store.kept(file)
    assert not store.folder.exists()


def test_evidence_that_is_not_there_is_refused(store):
    with pytest.raises(EvidenceError, match="the evidence cannot be read"):
        store.proven(SHA)


def test_without_a_key_nothing_is_proven(store):
    mark = written(store)
    store.keys.file.unlink()
    store.keys.public_file.unlink()
    with pytest.raises(RequirementError, match="there is no key to prove evidence with"):
        store.proven(mark)


def test_evidence_is_asked_for_by_its_digest_its_beginning_its_path_or_its_age(store, tmp_path):
    old, new = written(store, age=9), written(store, evidence=another())
    elsewhere = written(store, folder=tmp_path / "ci", evidence=another(seed=4))
    assert store.resolved(None) == new
    assert [store.resolved(given) for given in (old, old[:8])] == [old, old]
    assert store.resolved(str(evidence_path(tmp_path / "ci", elsewhere))) == elsewhere
    assert store.proven(elsewhere).seed == 4


def test_a_file_from_elsewhere_that_is_not_what_its_name_says_is_refused(store, tmp_path):
    mark = written(store, folder=tmp_path)
    renamed = evidence_path(tmp_path, mark).rename(evidence_path(tmp_path, SHA))
    with pytest.raises(EvidenceError, match=f"its SHA-256 is {mark}, not that of its name"):
        store.resolved(str(renamed))


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        (None, "holds no evidence; judge a candidate first"),
        ("0123abcd", "holds no evidence whose SHA-256 begins with 0123abcd"),
        ("no/such.json", "there is no such file; give the path of evidence, or its SHA-256"),
    ],
)
def test_evidence_that_nobody_has_is_an_input_error(store, given, sentence):
    with pytest.raises(InputError, match=sentence):
        store.resolved(given)
