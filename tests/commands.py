"""How commands end, and the options of the small road that several tiers walk."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

# A small search, whose champion may fall short of the margins of production.
SMALL_ROAD = (
    *("--set", "sweep.trials=8", "--set", "sweep.lag=4", "--set", "sweep.max_rounds=60"),
    *("--set", "baseline.reference_trees=20", "--set", "gates.reproducibility.trials=2"),
    *("--set", "gates.model.margins={auc=0.2,brier=0.1}"),
)


@dataclass(frozen=True)
class Ended:
    """How a command ended."""

    code: int
    out: str
    err: str

    @property
    def document(self) -> dict[str, Any]:
        """The JSON document on standard output."""
        document: dict[str, Any] = json.loads(self.out)
        return document
