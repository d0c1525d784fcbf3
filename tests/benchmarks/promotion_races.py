"""Two processes race for every number of the promotion ledger: each must have one winner, and none may be missing.

The race itself is a function, so that something larger than a claim (a whole promotion) can be raced in the same way.
"""

from __future__ import annotations

import multiprocessing
import os
import statistics
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

from gauntlet.adapters.promotion_ledger import PromotionLedger
from gauntlet.core.errors import RefusedError
from gauntlet.core.promotions import faults_of

MODEL = "local.races.wine"
_FSYNCS = 50

# A race, run in one process: its number, from 1, in; whether this process won it out.
Race = Callable[[int], bool]
# What makes the race inside each process: the folder that they share in. It must be a module's own function.
Contender = Callable[[Path], Race]


@dataclass(frozen=True)
class Outcome:
    """What came out of many races.

    Attributes:
        races: How many there were.
        wins: The numbers of the races that each process won.
        seconds: How long all of them took, from the first start together to the last end.
    """

    races: int
    wins: tuple[frozenset[int], ...]
    seconds: float

    @property
    def doubles(self) -> int:
        """How many races have more than one winner."""
        return sum(map(len, self.wins)) - len(frozenset().union(*self.wins))

    @property
    def unwon(self) -> int:
        """How many races have no winner."""
        return self.races - len(frozenset().union(*self.wins))


def promotion_races(races: int) -> dict[str, Any]:
    """Race for the numbers of a ledger on this machine's disk, with durable commits, and count what must not be."""
    with tempfile.TemporaryDirectory() as folder:
        disk = _fsync_milliseconds(Path(folder))
        outcome = raced(claim_and_settle, folder=Path(folder), races=races)
        entries = PromotionLedger(ledger_path(Path(folder))).entries(MODEL)
    faults = faults_of(entries)
    missing = set(range(1, races + 1)) - {entry.sequence for entry in entries if entry.status == "done"}
    first, second = outcome.wins
    return {
        "races": races,
        "won_by_first": len(first),
        "won_by_second": len(second),
        "doubles": outcome.doubles,
        "gaps": max(outcome.unwon, len(missing)),
        "faults": len(faults),
        "bounds_hold": not (outcome.doubles or outcome.unwon or missing or faults),
        "seconds": round(outcome.seconds, 1),
        "races_per_second": round(races / outcome.seconds, 1),
        "fsync_milliseconds": round(disk, 2),
    }


def raced(contender: Contender, *, folder: Path, races: int) -> Outcome:
    """Let two new processes run the same races, each started by both together, and return who won which.

    Args:
        contender: What makes the race in each process.
        folder: The folder that they share.
        races: How many races.

    Raises:
        RuntimeError: If a process broke off; it has printed why.
    """
    context = multiprocessing.get_context("spawn")
    processes: list[BaseProcess] = []
    answers: list[Connection] = []
    for end in context.Pipe():
        answer, answering = context.Pipe(duplex=False)
        processes.append(context.Process(target=_run, args=(contender, folder, races, end, answering)))
        processes[-1].start()
        # With these copies closed, a process that ends is noticed by the one that waits for it.
        end.close()
        answering.close()
        answers.append(answer)
    try:
        ended = [answer.recv() for answer in answers]
    except EOFError as error:
        raise RuntimeError("a process of the race broke off") from error
    finally:
        for process in processes:
            process.join()
    return Outcome(races, tuple(wins for wins, _ in ended), max(seconds for _, seconds in ended))


def ledger_path(folder: Path) -> Path:
    """Return where the ledger of the races is."""
    return folder / "promotions.db"


def claim_and_settle(folder: Path) -> Race:
    """Return the race for one number of the ledger: claim it and, as its winner, settle it."""
    ledger = PromotionLedger(ledger_path(folder))

    def race(number: int) -> bool:
        try:
            entry = ledger.claim(
                MODEL,
                expected=number - 1,
                kind="promote",
                version=number,
                run_id=f"run-{number}",
                previous_version=number - 1 or None,
                evidence=f"{number:064x}",
                artefact_digest=f"{number:064x}",
                rows=5320,
                split_table=None,
                key=f"{number:064x}",
            )
        except RefusedError:
            return False
        ledger.settle(entry)
        return True

    return race


def _run(contender: Contender, folder: Path, races: int, other: Connection, answering: Connection) -> None:
    race = contender(folder)
    wins: set[int] = set()
    _meet(other)
    started = time.perf_counter()
    for number in range(1, races + 1):
        if race(number):
            wins.add(number)
        _meet(other)
    answering.send((frozenset(wins), time.perf_counter() - started))


def _meet(other: Connection) -> None:
    """Wait until the other process is here as well."""
    other.send_bytes(b".")
    other.recv_bytes()


def _fsync_milliseconds(folder: Path) -> float:
    """Return the median time that one durable write takes; a claim and its settling wait for several."""
    seconds: list[float] = []
    with tempfile.TemporaryFile(dir=folder) as file:
        for _ in range(_FSYNCS):
            file.write(bytes(4096))
            file.flush()
            started = time.perf_counter()
            os.fsync(file.fileno())
            seconds.append(time.perf_counter() - started)
    return statistics.median(seconds) * 1000
