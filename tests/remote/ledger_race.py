"""Processes that race for the numbers of a promotion ledger on a server."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path

from gauntlet.adapters.ledger_server import ServerLedger
from gauntlet.adapters.promotion_ledger import PromotionLedger
from gauntlet.adapters.remote_settings import MLFLOW_VARIABLE
from gauntlet.adapters.tracking import Tracking
from gauntlet.core.errors import RefusedError
from tests.benchmarks.promotion_races import MODEL, Race
from tests.promotion_attempts import ATTEMPT

_NAMES = (MLFLOW_VARIABLE, "MLFLOW_TRACKING_USERNAME", "MLFLOW_TRACKING_PASSWORD")


def tell(folder: Path, environment: Mapping[str, str]) -> None:
    """Tell the racing processes where the server is."""
    known = {name: environment[name] for name in _NAMES}
    (folder / "server.json").write_text(json.dumps(known), encoding="utf-8")


def race_on_server(folder: Path) -> Race:
    """Return the race for the next number; round n's winner makes version n champion."""
    known = json.loads((folder / "server.json").read_text(encoding="utf-8"))
    os.environ.update(known)
    address = known[MLFLOW_VARIABLE]
    ledger = PromotionLedger(ServerLedger(Tracking(address, address, "races")))
    ledger.entries(MODEL)

    def race(number: int) -> bool:
        champion = number - 1 if number > 1 else None
        try:
            claimed = ledger.claim(MODEL, **ATTEMPT, expected=number - 1, version=number, previous_version=champion)
        except RefusedError:
            return False
        ledger.settle(claimed)
        return True

    return race
