"""How often the product refuses sound tables, and promotes broken ones, of simulated tables whose truth is known.

Each cell is one table of a family and a number of rows. It is drafted, divided, fitted and judged by the product's own
code (``simulated_candidates``). Beside it stand its twins: the same candidate or the same table, broken on purpose.

- ``copies``: test rows copied into the training rows.
- ``leak_copy``: a copy of the label as a feature; ``leak_in_two``: the label split over ``a`` and ``a + label / 2``.
- ``decisions``: answers of 0 and 1 in place of probabilities.
- ``permuted``: labels permuted before anything is done with the table.
- ``reversed_site``: answers reversed at one of five sites, which a column names.
- ``permuted_site``: labels permuted at one of five sites; printed only, as no bound applies.

The first four are made of every table, one of the last three of each in turn. A refusal is whatever stops a promotion,
a stage that raises an error included. The journal holds one line for each finished cell; its name carries the digest of
the product's code, so that a changed product is measured anew and an interrupted run goes on where it was.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import asdict, dataclass, replace
from multiprocessing import get_context
from pathlib import Path
from typing import Any, Literal

import numpy as np

import gauntlet
from gauntlet.core.canonical import digest, file_digest
from gauntlet.core.errors import GauntletError
from gauntlet.core.seeding import Seeds
from gauntlet.core.state import append_line
from gauntlet.core.verdict import Status, Verdict, promotes
from gauntlet.gates.split_saboteurs import test_rows_copied_into_train as copies_saboteur
from gauntlet.stages.candidate import Candidate
from tests.benchmarks.false_promotions import clopper_pearson
from tests.benchmarks.simulated_candidates import (
    FLOOR,
    TRIALS,
    deciding,
    divided,
    drafted,
    first_refusal,
    fitted,
    gates_before_fitting,
    reversed_at_a_site,
    unfitted,
    verdicts_of,
)
from tests.benchmarks.simulated_tables import FAMILIES, LABEL, SEED, SITE, SITES, SimulatedTable, simulated_table

Part = Literal["quarter", "all"]

ROWS = (300, 600, 1000, 5000, 50_000)
RARE = "rare_events"
SOUND = "sound"
FITTED_TWINS = ("permuted", "reversed_site", "permuted", "permuted_site")
NEVER_PROMOTED = ("copies", "leak_copy", "leak_in_two", "decisions")
# Tables of each family by number of rows. Large tables take most of the time, so the quarter has few of them, and no
# wide one of 50,000 rows: the search for near repeats compares nearly all pairs where there are 60 columns.
TABLES: dict[Part, dict[int, int]] = {
    "all": {300: 40, 600: 40, 1000: 40, 5000: 40, 50_000: 10},
    "quarter": {300: 10, 600: 10, 1000: 10, 5000: 6, 50_000: 1},
}
_NOT_IN_QUARTER = ("wide", 50_000)
_LONGEST_REASON = 300


@dataclass(frozen=True)
class Cell:
    """One table.

    Attributes:
        family: Its family.
        rows: Its number of rows.
        table: Its number among those of its family and size.
    """

    family: str
    rows: int
    table: int


@dataclass(frozen=True)
class Outcome:
    """What became of one candidate.

    Attributes:
        kind: ``sound``, or the twin.
        promoted: Whether nothing stops its promotion.
        levels: The gates that did not say PASS, with their levels; of a twin, only the first that refused.
        reasons: The sentences of those that refused.
    """

    kind: str
    promoted: bool
    levels: dict[str, str]
    reasons: dict[str, str]


@dataclass(frozen=True)
class Found:
    """A finished cell."""

    cell: Cell
    outcomes: tuple[Outcome, ...]
    seconds: float


def false_refusals(
    part: Part = "quarter", *, family: str | None = None, rows: int | None = None, processes: int = 2
) -> dict[str, Any]:
    """Judge the tables of a part, or what the journal lacks of it, and hold the rates against their bounds.

    Args:
        part: How many tables.
        family: Only this family; None takes all.
        rows: Only tables of so many rows; None takes all.
        processes: How many processes share the work.
    """
    # The longest first: none is left for a single process at the end.
    cells = [
        Cell(name, size, table)
        for size, tables in sorted(TABLES[part].items(), reverse=True)
        for table in range(tables)
        for name in FAMILIES
        if family in (None, name) and rows in (None, size) and (part == "all" or (name, size) != _NOT_IN_QUARTER)
    ]
    if not cells:
        sizes = ", ".join(map(str, TABLES[part]))
        raise SystemExit(f"false_refusals: the part {part} has no such tables; --rows takes one of {sizes}")
    path = Path("build") / "false_refusals" / f"{_identity()[:16]}.jsonl"
    print(f"journal: {path}", file=sys.stderr)
    found = _finished(path, cells)
    missing = [cell for cell in cells if cell not in found]
    for one in _judged(missing, processes=processes, done=len(found)):
        path.parent.mkdir(parents=True, exist_ok=True)
        append_line(path, json.dumps(asdict(one)))
        found[one.cell] = one
    return report([found[cell] for cell in cells])


def _identity() -> str:
    """Return the digest of all that a cell depends on."""
    own = Path(__file__).parent
    files = [*sorted(Path(gauntlet.__file__).parent.rglob("*.py")), *sorted(own.glob("simulated_*.py")), Path(__file__)]
    template = Path(gauntlet.__file__).parent / "problems" / "draft.toml.j2"
    return digest([TRIALS, *(file_digest(path) for path in (*files, template))])


def _finished(path: Path, cells: Iterable[Cell]) -> dict[Cell, Found]:
    wanted, found = set(cells), dict[Cell, Found]()
    for line in path.read_text(encoding="utf-8").splitlines() if path.exists() else ():
        try:
            document = json.loads(line)
            cell = Cell(**document["cell"])
            outcomes = tuple(Outcome(**outcome) for outcome in document["outcomes"])
        except (ValueError, KeyError, TypeError):
            continue  # a torn line of a killed run
        if cell in wanted:
            found[cell] = Found(cell, outcomes, document["seconds"])
    return found


def _judged(cells: Sequence[Cell], *, processes: int, done: int) -> Iterator[Found]:
    """Judge cells in processes of their own, and show how far it is."""
    from rich.console import Console  # noqa: PLC0415 - for people only
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn  # noqa: PLC0415

    if not cells:
        return
    os.environ["OMP_NUM_THREADS"] = "1"  # each process has one core
    columns = (
        TextColumn("tables"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("{task.fields[note]}"),
    )
    with (
        ProcessPoolExecutor(processes, mp_context=get_context("spawn")) as pool,
        Progress(*columns, console=Console(stderr=True)) as bars,
    ):
        task = bars.add_task("tables", total=done + len(cells), completed=done, note="")
        try:
            for future in as_completed([pool.submit(judged_cell, cell) for cell in cells]):
                found = future.result()
                sound = found.outcomes[0]
                note = f"{found.cell.family} {found.cell.rows}: {'promoted' if sound.promoted else 'refused'}"
                bars.update(task, advance=1, note=note)
                yield found
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def judged_cell(cell: Cell, *, overrides: Mapping[str, Any] | None = None) -> Found:
    """Return what becomes of a table and its twins.

    Args:
        cell: The table.
        overrides: Keys that replace those of the drafted problem.
    """
    started = time.perf_counter()
    kind = FITTED_TWINS[cell.table % len(FITTED_TWINS)]
    with tempfile.TemporaryDirectory() as folder:
        maker = _Maker(cell, Path(folder), overrides or {})
        sound = maker.drawn(site=False)
        candidates: dict[str, Candidate] = {}

        def remembered() -> Candidate:
            if SOUND not in candidates:
                candidates[SOUND] = fitted(maker.before_fitting(sound))
            return candidates[SOUND]

        outcomes = [
            _outcome(SOUND, lambda: verdicts_of(remembered())),
            _outcome("copies", lambda: _first(copies_saboteur(remembered()))),
            _outcome("decisions", lambda: _first(deciding(remembered()))),
            _outcome("leak_copy", lambda: maker.leaking(sound, in_two=False)),
            _outcome("leak_in_two", lambda: maker.leaking(sound, in_two=True)),
            _outcome(kind, lambda: maker.fitted_twin(kind)),
        ]
    return Found(cell, tuple(outcomes), time.perf_counter() - started)


@dataclass(frozen=True)
class _Maker:
    """Makes a cell's candidates.

    Attributes:
        cell: The cell.
        folder: Where drafts are written.
        overrides: Keys that replace those of the drafted problem.
    """

    cell: Cell
    folder: Path
    overrides: Mapping[str, Any]

    @property
    def seeds(self) -> Seeds:
        return Seeds(Seeds(SEED).integer("false_refusals", self.cell.family, self.cell.rows, self.cell.table))

    def drawn(self, *, site: bool) -> SimulatedTable:
        generator = self.seeds.generator("table")
        return simulated_table(self.cell.family, self.cell.rows, generator=generator, site=site)

    def before_fitting(self, table: SimulatedTable, features: Sequence[str] = ()) -> Candidate:
        folder = Path(tempfile.mkdtemp(dir=self.folder))
        seed = self.seeds.integer("problem")
        problem = drafted(table, folder, seed=seed, features=features, overrides=self.overrides)
        return unfitted(problem, divided(table, problem, folder), folder)

    def judged(self, table: SimulatedTable, features: Sequence[str] = ()) -> list[Verdict]:
        """Return the first refusal of a broken table; its model is fitted only if no gate refuses before."""
        candidate = self.before_fitting(table, features)
        early = first_refusal(candidate, gates_before_fitting())
        return _first(fitted(candidate)) if early is None else [early]

    def leaking(self, table: SimulatedTable, *, in_two: bool) -> list[Verdict]:
        """Judge the table with the label among its features: copied, or split over two columns."""
        frame, label = table.frame, table.frame[LABEL]
        if not in_two:
            return self.judged(replace(table, frame=frame.assign(leak=label)), ("leak",))
        # Neither column orders the label by itself; their difference does.
        base = np.round(self.seeds.generator("leak").normal(20, 5, len(frame)), 2)
        table = replace(table, frame=frame.assign(leak=base, leak_2=base + label / 2))
        return self.judged(table, ("leak", "leak_2"))

    def fitted_twin(self, kind: str) -> list[Verdict]:
        table = self.drawn(site=kind != "permuted")
        generator = self.seeds.generator("twin", kind)
        if kind == "reversed_site":
            return _first(reversed_at_a_site(fitted(self.before_fitting(table))))
        where = np.ones(len(table.frame), dtype=bool) if kind == "permuted" else table.frame[SITE] == SITES[0]
        frame = table.frame.copy()
        frame.loc[where, LABEL] = generator.permutation(frame.loc[where, LABEL].to_numpy())
        return self.judged(replace(table, frame=frame))


def _first(candidate: Candidate) -> list[Verdict]:
    verdict = first_refusal(candidate)
    return [Verdict("none", Status.PASS, "no gate refuses", 0.0)] if verdict is None else [verdict]


def _outcome(kind: str, judge: Callable[[], Sequence[Verdict]]) -> Outcome:
    """Return what becomes of a candidate; a stage that refuses the table counts as a gate of that name."""
    try:
        verdicts = judge()
    except GauntletError as error:
        sentence = " ".join(str(error).split()) or type(error).__name__
        verdicts = [Verdict("stage::error", Status.FAIL, sentence)]
    return Outcome(
        kind=kind,
        promoted=promotes(verdicts),
        levels={verdict.gate: verdict.status.value for verdict in verdicts if verdict.status is not Status.PASS},
        reasons={verdict.gate: verdict.sentence[:_LONGEST_REASON] for verdict in verdicts if verdict.blocks},
    )


@dataclass(frozen=True)
class Rate:
    """A rate held against its bound.

    Attributes:
        what: What is counted.
        count: How often it happened.
        of: Out of how many.
        share: The rate.
        interval: Its exact 95 % interval.
        bound: The greatest rate allowed; None where there is no bound.
        says: ``met`` if the whole interval keeps the bound, ``broken`` if none of it does, else ``undecided``.
    """

    what: str
    count: int
    of: int
    share: float
    interval: tuple[float, float]
    bound: float | None
    says: Literal["met", "broken", "undecided", "no bound"]

    @classmethod
    def counted(cls, what: str, happened: Sequence[bool], *, bound: float | None) -> Rate:
        """Return the rate of what happened, in at least one case."""
        count, of = sum(happened), len(happened)
        low, high = clopper_pearson(count, of)
        says: Literal["met", "broken", "undecided", "no bound"] = "no bound"
        if bound == 0:
            says = "broken" if count else "met"
        elif bound is not None:
            says = "broken" if low > bound else "met" if high <= bound else "undecided"
        return cls(what, count, of, count / of, (low, high), bound, says)


def report(found: Sequence[Found]) -> dict[str, Any]:
    """Return the rates of refusal and promotion, and whether any breaks its bound."""
    sound = [(one.cell, outcome) for one in found for outcome in one.outcomes if outcome.kind == SOUND]
    twins = [(one.cell, outcome) for one in found for outcome in one.outcomes if outcome.kind != SOUND]
    rates = [*_sound_rates(sound), *_gate_rates(sound), *_twin_rates(twins)]
    return {
        "tables": len(found),
        "trials": TRIALS,
        "seconds": round(sum(one.seconds for one in found), 1),
        "rates": [asdict(rate) for rate in rates],
        "levels_of_sound": _levels(sound),
        "refusals_of_sound": [
            {"family": cell.family, "rows": cell.rows, "table": cell.table, "gate": gate, "reason": reason}
            for cell, outcome in sound
            for gate, reason in outcome.reasons.items()
        ],
        "promoted_twins": [
            {"kind": outcome.kind, "family": cell.family, "rows": cell.rows, "table": cell.table}
            for cell, outcome in twins
            if outcome.promoted
        ],
        "bounds_hold": all(rate.says != "broken" for rate in rates),
    }


Judged = Sequence[tuple[Cell, Outcome]]


def _sound_rates(sound: Judged) -> Iterator[Rate]:
    refused = {cell: not outcome.promoted for cell, outcome in sound}
    asked: list[tuple[str, float | None, list[bool]]] = []
    for name in FAMILIES:
        own, least = {cell: no for cell, no in refused.items() if cell.family == name}, _least_rows(name)
        for size in ROWS:
            bound = 0.05 if size >= least else None
            asked.append((f"{name}, {size:,} rows", bound, [no for cell, no in own.items() if cell.rows == size]))
        judged = [no for cell, no in own.items() if cell.rows >= least]
        asked.append((f"{name}, from {least:,} rows", 0.05, judged))
    small = [no for cell, no in refused.items() if cell.rows == ROWS[0] and cell.family != RARE]
    asked.append((f"all but rare events, {ROWS[0]} rows", 0.15, small))
    asked.append(("all, from 5,000 rows", 0.01, [no for cell, no in refused.items() if cell.rows >= 5000]))
    for what, bound, happened in asked:
        if happened:
            yield Rate.counted(f"sound refused: {what}", happened, bound=bound)


def _least_rows(family: str) -> int:
    return 1000 if family == RARE else 600


def _gate_rates(sound: Judged) -> Iterator[Rate]:
    judged = [outcome for cell, outcome in sound if cell.rows >= _least_rows(cell.family)]
    for gate in sorted({gate for outcome in judged for gate in outcome.reasons}):
        refused = [gate in outcome.reasons for outcome in judged]
        yield Rate.counted(f"refusals by {gate}, from 600 rows", refused, bound=None if gate == FLOOR else 0.02)


def _twin_rates(twins: Judged) -> Iterator[Rate]:
    bounds = {"permuted": 0.02} | dict.fromkeys(NEVER_PROMOTED, 0.0)
    for kind in (*NEVER_PROMOTED, "permuted", "reversed_site", "permuted_site"):
        promoted = [outcome.promoted for _, outcome in twins if outcome.kind == kind]
        if promoted:
            yield Rate.counted(f"promoted: {kind}", promoted, bound=bounds.get(kind))
        large = [outcome.promoted for cell, outcome in twins if outcome.kind == kind and cell.rows >= 5000]
        if large and kind == "reversed_site":
            yield Rate.counted(f"promoted: {kind}, from 5,000 rows", large, bound=0.1)


def _levels(sound: Judged) -> list[dict[str, Any]]:
    """Return how often each gate gave each level, by number of rows; of gates that always say PASS nothing."""
    gates = sorted({gate for _, outcome in sound for gate in outcome.levels})
    levels = [level.value for level in Status if level is not Status.PASS]
    return [
        {"gate": gate, "rows": size, "tables": len(judged)}
        | {level: sum(outcome.levels.get(gate) == level for outcome in judged) for level in levels}
        for gate in gates
        for size in ROWS
        if (judged := [outcome for cell, outcome in sound if cell.rows == size])
        and any(gate in outcome.levels for outcome in judged)
    ]
