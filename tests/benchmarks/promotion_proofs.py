"""Whole promotions raced between two processes, and single flipped bytes in what a promotion stands on.

Both start from a small made world with a champion and another judged model, on a real Spark, Delta and MLflow.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from gauntlet.core.problem_file import load_problem
from gauntlet.core.promotions import faults_of
from tests.benchmarks.promotion_races import raced
from tests.data.evidence_flips import flip_targets, flipped
from tests.data.model_world import OVERRIDES, Contest, World, make_context
from tests.data.promotion_race import prepare_race, promotion_race, raced_world


def whole_promotions(races: int) -> dict[str, Any]:
    """Let two processes promote different models at once, and count winners, gaps and faults of the ledger."""
    with _contest() as (contest, folder):
        prepare_race(contest, folder=folder)
        outcome = raced(promotion_race, folder=folder, races=races)
        entries = raced_world(folder).champions.history().entries
    done = [entry.sequence for entry in entries if entry.status == "done"]
    won = sum(map(len, outcome.wins))
    faults = faults_of(entries)
    gaps = sorted(set(range(1, races + 2)) - set(done))
    return {
        "promotions": races,
        "won_by_first": len(outcome.wins[0]),
        "won_by_second": len(outcome.wins[1]),
        "doubles": outcome.doubles,
        "refused": 2 * races - won,
        "gaps": len(gaps),
        "faults": len(faults),
        "bounds_hold": not (outcome.doubles or outcome.unwon or gaps or faults),
        "seconds": round(outcome.seconds, 1),
    }


def evidence_flips(flips: int) -> dict[str, Any]:
    """Flip one byte after another in evidence, artefact and tables, and count what was promoted all the same."""
    with _contest() as (contest, _):
        world, mark = contest.world, contest.second.judge.evidence_digest
        found = flipped(
            lambda: world.promote_on_evidence(mark),
            flip_targets(world, mark),
            flips=flips,
            generator=np.random.default_rng(500),
        )
    return {
        "flips": found.flips,
        **{f"files_of_{kind}": number for kind, number in found.files.items()},
        "accepted": len(found.accepted),
        "refusals_naming_no_file": len(found.unnamed),
        "bounds_hold": not (found.accepted or found.unnamed),
    }


@contextmanager
def _contest() -> Iterator[tuple[Contest, Path]]:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        context = make_context(folder / "made", load_problem(overrides=OVERRIDES), "ingest")
        yield Contest.make(World.make(folder / "made", context.target.spark())), folder
