"""The check of evidence: whatever it speaks of that is not so today stops the promotion, with a sentence of its own."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from gauntlet.core.envelope import seal
from gauntlet.core.errors import EvidenceError
from gauntlet.core.evidence import Evidence, IncumbentEvidence, statement
from gauntlet.core.problem_file import load_problem
from gauntlet.stages.evidence_check import Conditions, as_stored
from gauntlet.stages.promote import promote_on_evidence
from tests.data.evidence_flips import flip_targets, flipped
from tests.data.model_world import OVERRIDES, PASSING, MadeGates

pytestmark = [
    pytest.mark.data,
    pytest.mark.local_only("copies a state folder with what target local keeps in it: tables, registry, ledger"),
]


def _is_unchanged(world, before, *, found=()):
    assert world.written_down() == before
    assert [finding.what for finding in world.audit().findings] == list(found)


def _aged(evidence: Evidence) -> dict[str, Any]:
    return {"created": (datetime.now(UTC) - timedelta(hours=25)).isoformat(timespec="seconds")}


def _table(evidence: Evidence, **changes: Any) -> dict[str, Any]:
    first, *others = evidence.tables
    return {"tables": (first.model_copy(update=changes), *others)}


DIFFERENCES: dict[str, tuple[Callable[[Evidence], dict[str, Any]], str]] = {
    "age": (_aged, r"25\.0 hours old, and 24 are allowed"),
    "problem": (lambda _: {"problem_digest": "0" * 64}, "the problem wine_quality is not as it was judged"),
    "target": (lambda _: {"target": "databricks"}, "made on target databricks, not on local"),
    "suite": (lambda e: {"suite_digests": e.suite_digests | {"raw": "0" * 64}}, "expectation suites: raw has changed"),
    "missing gate": (lambda e: {"verdicts": e.verdicts[1:]}, "lacks the verdict of model::made"),
    "failed gate": (
        lambda e: {"verdicts": (e.verdicts[0].model_copy(update={"status": "FAIL"}), *e.verdicts[1:])},
        "said no, without a waiver: model::made",
    ),
    "champion": (
        lambda _: {"incumbent": IncumbentEvidence(version=7, sequence=1)},
        r"compared with version 7 \(sequence 1\), but by the ledger version 1 is champion now",
    ),
    "no champion": (
        lambda _: {"incumbent": IncumbentEvidence(version=None, sequence=0)},
        r"compared with no version \(sequence 0\), but by the ledger version 1 is champion now \(sequence 1\)",
    ),
    "earlier reign": (
        lambda _: {"incumbent": IncumbentEvidence(version=1, sequence=0)},
        r"compared with version 1 \(sequence 0\), but by the ledger version 1 is champion now \(sequence 1\)",
    ),
    "replaced ledger": (
        lambda _: {"incumbent": IncumbentEvidence(version=1, sequence=5)},
        "speaks of sequence 5 of the ledger, whose last is 1; the ledger was replaced",
    ),
    "table's name": (lambda e: _table(e, full_name="a.b.raw"), "table a.b.raw version 0: the table raw is called"),
    "table's rows": (lambda e: _table(e, rows=699), "its files hold 700 rows, the evidence says 699"),
    "table's files": (lambda e: _table(e, files={"no.parquet": "0" * 64}), "raw version 0: no.parquet is missing"),
    "split": (lambda _: {"split_fingerprint": "0" * 64}, "the evidence's split is not its table split"),
    "no split": (lambda e: {"tables": e.tables[:2]}, "the evidence names no table split"),
    "artefact": (
        lambda e: {"artefact": e.artefact.model_copy(update={"files": e.artefact.files | {"more.bin": "0" * 64}})},
        r"the artefact models:/m-\w+: more.bin is missing",
    ),
}


@pytest.mark.parametrize(("change", "sentence"), DIFFERENCES.values(), ids=DIFFERENCES)
def test_evidence_that_differs_from_today_promotes_nothing(contest, change, sentence):
    world, before = contest.world, contest.world.written_down()
    evidence = world.champions.evidence.proven(contest.second.judge.evidence_digest)
    with pytest.raises(EvidenceError, match=sentence):
        world.promote_on_evidence(mark := world.resealed(contest.second.judge.evidence_digest, **change(evidence)))
    removed = f"evidence {mark[:12]} was signed when the ledger had 5 entries, and it has 1: entries were removed"
    _is_unchanged(world, before, found=[removed] if "ledger was replaced" in sentence else [])


def test_evidence_signed_by_somebody_else_promotes_nothing(contest):
    world, store = contest.world, contest.world.champions.evidence
    evidence = store.proven(contest.second.judge.evidence_digest)
    forged = world.root / "forged.dsse.json"
    forged.write_bytes(seal(statement(evidence), Ed25519PrivateKey.generate()))
    with pytest.raises(EvidenceError, match="which is none of the trusted ones"):
        world.promote_on_evidence(str(forged))


def test_a_gate_that_is_new_since_the_judgement_stops_the_promotion(contest):
    world = contest.world
    with pytest.raises(EvidenceError, match="lacks the verdict of model::new"):
        world.promote(contest.second, gates=MadeGates(gates=(*PASSING.gates, "model::new")))


def test_another_problem_than_was_judged_promotes_nothing(contest):
    world, context = contest.world, contest.world.context("look")
    other = load_problem(overrides={**OVERRIDES, "promotion.evidence_hours": 12})
    with pytest.raises(EvidenceError, match="give the same --problem and --set"):
        promote_on_evidence(Conditions(other, context.target, PASSING), state=context.state)
    assert world.registry.version_of("champion") == contest.crowned.champion


def test_evidence_is_as_stored_however_old_whatever_the_gates_said_and_whoever_is_champion_now(contest):
    world, context, first = contest.world, contest.world.context("look"), contest.first.judge.evidence_digest
    world.promote_on_evidence()
    conditions, evidence = Conditions(world.problem, context.target, PASSING), world.champions.evidence.proven(first)
    old, refused = world.resealed(first, **_aged(evidence)), world.resealed(first, verdicts=())
    for mark in (first, old, refused):
        assert as_stored(world.champions, conditions, mark=mark) == world.champions.evidence.proven(mark)
    with pytest.raises(EvidenceError, match="its files hold 700 rows, the evidence says 699"):
        as_stored(world.champions, conditions, mark=world.resealed(first, **_table(evidence, rows=699)))


def test_no_flipped_byte_is_promoted_and_each_is_named(contest):
    world, mark = contest.world, contest.second.judge.evidence_digest
    before = world.written_down()
    outcome = flipped(
        lambda: world.promote_on_evidence(mark),
        flip_targets(world, mark),
        flips=60,
        generator=np.random.default_rng(20),
    )
    assert (outcome.flips, outcome.accepted, outcome.unnamed) == (60, (), ())
    assert set(outcome.files) == {"evidence", "artefact", "tables"}
    assert min(outcome.files.values()) >= 1
    _is_unchanged(world, before)
    assert world.promote_on_evidence(mark).sequence == 2


WITHOUT_SPARK = """
import json, sys
for name in ("pyspark", "pyspark.sql", "delta", "py4j"):
    sys.modules[name] = None
from pathlib import Path
from gauntlet.adapters.target import LocalTarget
from gauntlet.core.problem_file import load_problem
from gauntlet.core.state import State
from gauntlet.stages.audit import audit
from gauntlet.stages.evidence_check import Conditions
from gauntlet.stages.promote import promote_on_evidence
from gauntlet.stages.rollback import roll_back

class Gates:
    def names(self, problem, *, suites):
        return json.loads(sys.argv[3])

problem, state = load_problem(overrides=json.loads(sys.argv[2])), State(Path(sys.argv[1]))
target = LocalTarget(problem=problem, state=state)
promoted = promote_on_evidence(Conditions(problem, target, Gates()), state=state)
back = roll_back(target=target, state=state)
print(promoted.champion.version, back.version, len(audit(target=target, state=state).findings))
"""


def test_promotion_rollback_and_audit_need_no_spark(contested):
    command = [
        sys.executable,
        "-c",
        WITHOUT_SPARK,
        str(contested.root),
        json.dumps(OVERRIDES),
        json.dumps(PASSING.gates),
    ]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert done.stdout.split() == ["2", "1", "0"], done.stderr
