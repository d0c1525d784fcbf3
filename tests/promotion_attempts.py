"""Attempts at promotions, for tests of the promotion ledger."""

from __future__ import annotations

from typing import Any

from gauntlet.adapters.promotion_ledger import PromotionLedger
from gauntlet.core.promotions import Promotion, champion_of
from gauntlet.core.results import TableRef

WINE = "local.tests.wine"
TABLE = TableRef(name="split", full_name="a.b.split", format="delta", version=3, rows=5320, fingerprint="f")
ATTEMPT: dict[str, Any] = {
    "kind": "promote",
    "run_id": "run",
    "evidence": "e" * 64,
    "artefact_digest": "d" * 64,
    "rows": 5320,
    "split_table": TABLE,
    "key": "k",
}


def claim(ledger: PromotionLedger, version: int, *, model: str = WINE, **changes: Any) -> Promotion:
    """Claim the next number as one who has read the ledger just now."""
    entries = ledger.entries(model)
    champion = champion_of(entries)
    seen = {"expected": len(entries), "previous_version": champion.version if champion else None}
    own = {"version": version, "evidence": evidence_of(version)}
    return ledger.claim(model, **ATTEMPT | seen | own | changes)


def evidence_of(version: int) -> str:
    """Return a SHA-256 that stands for the evidence of a version; evidence promotes once."""
    return f"{version:064x}"


def promoted(ledger: PromotionLedger, *versions: int) -> None:
    """Make one version after the other champion."""
    for version in versions:
        ledger.settle(claim(ledger, version))
