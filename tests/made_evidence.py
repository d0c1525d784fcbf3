"""Evidence as tests need it: whole and valid, with what a test changes of it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from gauntlet.core.evidence import Evidence
from gauntlet.core.results import VerdictRecord

A, B = "a" * 64, "b" * 64
CREATED = datetime(2026, 7, 1, 12, tzinfo=UTC)


def made_verdict(gate: str, status: str = "PASS") -> VerdictRecord:
    """Return a verdict."""
    return VerdictRecord(gate=gate, status=status, sentence=f"it says {status}")


def made_table(**changes: Any) -> dict[str, Any]:
    """Return what evidence says of a table."""
    whole = {"name": "raw", "full_name": "main.wine.raw", "format": "delta", "version": 0, "rows": 5}
    return {**whole, "fingerprint": A, "files": {"part-0.parquet": B}, **changes}


def made_evidence(**changes: Any) -> Evidence:
    """Return evidence of two verdicts that say yes."""
    whole = {
        "schema_version": 1,
        "created": CREATED.isoformat(timespec="seconds"),
        "problem": "wine",
        "problem_digest": A,
        "suite_digests": {"raw": A},
        "code_digest": A,
        "lock_digest": B,
        "gauntlet_version": "0.1.0",
        "target": "local",
        "protocol": "honest",
        "seed": 7,
        "synthetic": False,
        "selection_digest": A,
        "split_fingerprint": B,
        "chosen": "sweep",
        "threshold": 0.25,
        "tables": [made_table()],
        "artefact": {"model_uri": "models:/m-1", "model_digest": A, "files": {"MLmodel": A, "artifacts/model.ubj": B}},
        "metrics": [{"name": "auc", "value": 0.9, "interval": [0.85, 0.95]}],
        "verdicts": [made_verdict("a::one"), made_verdict("a::two")],
        "waivers": [],
        "incumbent": {"version": None, "sequence": 0},
        "openings": {"count": 0, "chain": None},
        "probe": {"columns": ["alcohol", "city"], "rows": [[9.5, "Porto"], [None, True]], "probability": [0.5, 1.0]},
        "not_checked": ["nothing was scored"],
    }
    return Evidence.model_validate({**whole, **changes})
