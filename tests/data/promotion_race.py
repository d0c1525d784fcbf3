"""Whole promotions in processes of their own: raced against each other, or killed on the way. Spark is not needed.

A race needs evidence for each process in every round. Judging takes Spark and seconds, so models that were judged once
are signed again, against the champion of the moment.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import signal
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from gauntlet.adapters.promotion_ledger import PromotionLedger
from gauntlet.core.errors import RefusedError
from gauntlet.core.evidence import IncumbentEvidence
from gauntlet.core.problem_file import load_problem
from tests.benchmarks.promotion_races import Race
from tests.data.model_world import OVERRIDES, Contest, World, freeze, make_context

_LANES = 2


def prepare_race(contest: Contest, *, folder: Path) -> None:
    """Copy a contest into a folder, with one more judged model; Spark is needed here.

    Three models are enough for two processes: one is champion, and each of them promotes one of the others.
    """
    world = contest.copied(folder / "state").world
    context = make_context(world.root, world.problem, "select", "third")
    third = freeze(context, world.split, world.weak.baseline, rounds=6, seed=3)
    judged = (contest.first, contest.second, world.judge(third, "third"))
    known = {"models": [each.judge.evidence_digest for each in judged], "before": contest.crowned.sequence}
    (folder / "race.json").write_text(json.dumps(known), encoding="utf-8")


def promotion_race(folder: Path) -> Race:
    """Return the race for the next promotion; each of the processes in the folder takes a model of its own.

    Whoever wins round n makes the n-th entry of the ledger. Both stand on evidence against the champion of the round
    before.
    """
    world, lane = raced_world(folder), _own_lane(folder)
    known = json.loads((folder / "race.json").read_text(encoding="utf-8"))
    models = {world.champions.evidence.proven(mark).artefact.digest: mark for mark in known["models"]}

    def race(number: int) -> bool:
        before = known["before"] + number - 1
        champion = world.champions.history().entries[before - 1]
        mine = [mark for artefact, mark in models.items() if artefact != champion.artefact_digest][lane]
        incumbent = IncumbentEvidence(version=champion.version, sequence=before)
        mark = world.resealed(mine, created=datetime.now(UTC).isoformat(timespec="seconds"), incumbent=incumbent)
        try:
            return world.promote_on_evidence(mark).sequence == before + 1
        except RefusedError:
            return False

    return race


def raced_world(folder: Path) -> World:
    """Return the world of a race, of which no stage's results are known."""
    unknown: Any = None
    root, problem = folder / "state", load_problem(overrides=OVERRIDES)
    return World(root, problem, ingest=unknown, split=unknown, weak=unknown, strong=unknown)


def promote_and_die(folder: Path, evidence: str, *, at: str) -> None:
    """Promote in a new process that is killed on the way.

    Args:
        folder: Holds the state folder ``state``.
        evidence: What to promote on.
        at: The ledger's step: ``claim``, after which it is killed, or ``settle``, before which it is.
    """
    process = multiprocessing.get_context("spawn").Process(target=_promote_and_die, args=(folder, evidence, at))
    process.start()
    process.join()
    if process.exitcode != -signal.SIGKILL:
        raise RuntimeError(f"the process ended with {process.exitcode}, not by the kill")


def _promote_and_die(folder: Path, evidence: str, step: str) -> None:
    original = getattr(PromotionLedger, step)

    def deadly(*args: Any, **options: Any) -> Any:
        if step == "claim":
            original(*args, **options)
        os.kill(os.getpid(), signal.SIGKILL)

    setattr(PromotionLedger, step, deadly)
    raced_world(folder).promote_on_evidence(evidence)


def _own_lane(folder: Path) -> int:
    for lane in range(_LANES):
        try:
            (folder / f"lane{lane}").mkdir()
        except FileExistsError:
            continue
        return lane
    raise RuntimeError(f"{folder}: more than {_LANES} processes race here")
