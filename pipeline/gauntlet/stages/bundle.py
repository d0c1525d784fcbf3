"""This module provides the making of evidence: what was judged, by its digests, and what every gate said, signed."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pandas as pd

from gauntlet import __version__
from gauntlet.adapters.dependencies import lock_digest
from gauntlet.adapters.evidence_store import evidence_path
from gauntlet.adapters.signing_keys import SigningKeys
from gauntlet.core.envelope import seal
from gauntlet.core.evidence import (
    ArtefactEvidence,
    Evidence,
    IncumbentEvidence,
    MetricEvidence,
    OpeningsEvidence,
    ProbeEvidence,
    TableEvidence,
    WaiverEvidence,
    statement,
)
from gauntlet.core.results import FileRef, TableRef, TestScores
from gauntlet.core.stage import code_digest
from gauntlet.core.state import write_bytes_atomically
from gauntlet.core.verdict import Verdict, is_number
from gauntlet.stages.candidate import Candidate
from gauntlet.stages.candidate_parts import Made
from gauntlet.stages.context import StageContext
from gauntlet.stages.problem_marks import problem_digest

PROBE_ROWS = 16


@dataclass(frozen=True)
class SealedEvidence:
    """Evidence as written.

    Attributes:
        file: Where it lies in the state folder.
        digest: The SHA-256 of its bytes, by which registry and ledger name it.
    """

    file: FileRef
    digest: str


def sealed_evidence(  # noqa: PLR0913 - what evidence is made of, each by name
    context: StageContext,
    made: Made,
    candidate: Candidate,
    *,
    gates: Sequence[str],
    verdicts: Sequence[Verdict],
    found: TestScores,
) -> SealedEvidence:
    """Write the signed evidence of a judgement.

    Args:
        context: The stage's context.
        made: What the stages left.
        candidate: What was judged.
        gates: The names of the gates that had to speak.
        verdicts: What they said, waivers among them.
        found: What the models show on the test split.

    Raises:
        RequirementError: If there is no usable key to sign with.
    """
    evidence = _evidence(context, made, candidate, gates=gates, verdicts=verdicts, found=found)
    content = seal(statement(evidence), SigningKeys(context.state.keys).private())
    mark = hashlib.sha256(content).hexdigest()
    path = evidence_path(context.state.evidence, mark)
    write_bytes_atomically(path, content)
    return SealedEvidence(context.state.file_ref(path), mark)


def _evidence(  # noqa: PLR0913 - as above
    context: StageContext,
    made: Made,
    candidate: Candidate,
    *,
    gates: Sequence[str],
    verdicts: Sequence[Verdict],
    found: TestScores,
) -> Evidence:
    problem, incumbent = context.problem, candidate.incumbent
    waivers = [verdict.waiver for verdict in verdicts if verdict.waiver is not None]
    return Evidence(
        schema_version=1,
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        problem=problem.name,
        problem_digest=problem_digest(problem),
        suite_digests={table: suite.digest for table, suite in candidate.suites.items()},
        code_digest=code_digest(),
        lock_digest=lock_digest(),
        gauntlet_version=__version__,
        target=context.target.name,
        protocol=made.split.protocol,
        seed=problem.seed,
        synthetic=made.ingest.source.synthetic,
        selection_digest=made.select.selection_digest,
        split_fingerprint=made.split.table.fingerprint,
        chosen=candidate.chosen,
        threshold=made.select.threshold,
        tables=tuple(_table(context, table) for table in (made.ingest.raw, made.ingest.curated, made.split.table)),
        artefact=ArtefactEvidence(
            model_uri=made.package.model_uri, model_digest=made.package.model_digest, files=made.package.files
        ),
        metrics=_metrics(verdicts, found),
        verdicts=tuple(verdict.record() for verdict in verdicts),
        waivers=tuple(WaiverEvidence(**waiver.model_dump(mode="json")) for waiver in waivers),
        incumbent=IncumbentEvidence(
            version=None if incumbent is None or incumbent.version is None else incumbent.version.version,
            sequence=0 if incumbent is None else incumbent.sequence,
        ),
        openings=_openings(candidate),
        probe=_probe(candidate),
        not_checked=(*context.target.not_checked, *made.split.not_checked),
        gates=tuple(gates),
    )


def _table(context: StageContext, table: TableRef) -> TableEvidence:
    return TableEvidence(
        name=table.name,
        full_name=table.full_name,
        format=table.format,
        version=table.version,
        rows=table.rows,
        fingerprint=table.fingerprint,
        files=context.target.tables.file_digests(table),
    )


def _metrics(verdicts: Sequence[Verdict], found: TestScores) -> tuple[MetricEvidence, ...]:
    """Return every number that was measured: the AUCs on test, and what each gate measured with its interval."""
    shown = [MetricEvidence(name=f"auc_test.{name}", value=value, interval=None) for name, value in found.auc.items()]
    judged = [
        MetricEvidence(name=v.gate, value=float(v.measured), interval=v.interval)
        for v in verdicts
        if v.measured is not None and is_number(v.measured) and not v.gate.startswith("data/")
    ]
    return (*shown, *judged)


def _openings(candidate: Candidate) -> OpeningsEvidence:
    reads = () if candidate.test_ledger is None else candidate.test_ledger.reads
    return OpeningsEvidence(count=len(reads), chain=reads[-1].chain if reads else None)


def _probe(candidate: Candidate) -> ProbeEvidence:
    """Return a few test rows with the candidate's answers, by which anybody can tell the model again without Spark."""
    features = candidate.splits.rows("test").features.head(PROBE_ROWS)
    return ProbeEvidence(
        columns=tuple(features.columns),
        rows=tuple(tuple(_plain(value) for value in row) for row in features.itertuples(index=False)),
        probability=tuple(float(value) for value in candidate.model.scorer.probability(features)),
    )


def _plain(value: Any) -> float | str | bool | None:
    if value is None or value is pd.NA or (isinstance(value, float) and np.isnan(value)):
        return None
    return value if isinstance(value, str | bool) else float(value)
