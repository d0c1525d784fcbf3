"""This module provides saboteurs of the choice: of its threshold, and of when the test split was opened for it."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from gauntlet.core.canonical import digest
from gauntlet.core.errors import DataError, InputError
from gauntlet.core.problem import Costs
from gauntlet.core.scores import best_threshold
from gauntlet.core.statistics.cost import expected_cost
from gauntlet.core.test_reads import read_test_reads, record_test_read
from gauntlet.gates.gate import Saboteur, saboteur
from gauntlet.gates.model_answer_saboteurs import answering
from gauntlet.gates.model_parts import chosen_on, costs_of, threshold_of
from gauntlet.stages.candidate import Candidate, TestLedger


@saboteur("model::threshold_is_cheapest")
def threshold_moved(candidate: Candidate) -> Candidate:
    """Move the threshold half the way to 0 or to 1, whichever is dearer, after it was chosen."""
    rows, threshold = chosen_on(candidate, candidate.splits.selection), threshold_of(candidate)

    def cost(moved: float) -> float:
        return expected_cost(rows.probability, rows.label, threshold=moved, costs=costs_of(candidate))

    return candidate.changed(threshold=max(threshold / 2, (threshold + 1) / 2, key=cost))


@saboteur("model::threshold_is_cheapest")
def costs_of_misses_ignored(candidate: Candidate) -> Candidate:
    """Choose the threshold as if it cost nothing to miss a positive row."""
    rows = chosen_on(candidate, candidate.splits.selection)
    best = best_threshold(rows.probability, rows.label, Costs(false_positive=1, false_negative=0))
    return candidate.changed(threshold=best.threshold)


@saboteur("model::threshold_beats_trivial_decisions")
def every_row_accepted(candidate: Candidate) -> Candidate:
    """Decide every row positive, where only a false positive costs anything."""
    return _with_costs(candidate, Costs(false_positive=1, false_negative=0)).changed(threshold=0.0)


@saboteur("model::threshold_beats_trivial_decisions")
def decisions_reversed(candidate: Candidate) -> Candidate:
    """Decide each row the other way round."""
    if candidate.problem.costs is None:
        candidate = _with_costs(candidate, Costs())
    reversed_answers = answering(candidate, lambda _, given: 1 - given)
    return reversed_answers.changed(threshold=1 - threshold_of(candidate))


def _with_costs(candidate: Candidate, costs: Costs) -> Candidate:
    return candidate.changed(problem=candidate.problem.model_copy(update={"costs": costs}))


@saboteur("model::test_reads_in_order")
def test_opened_before_the_choice(candidate: Candidate) -> Candidate:
    """Open the test split for a choice that was never frozen, before the one that was."""
    ledger = _ledger_of(candidate)
    return candidate.changed(test_ledger=_opened_for(candidate, [digest("a look at test"), ledger.selection]))


@saboteur("model::test_reads_in_order")
def opening_not_recorded(candidate: Candidate) -> Candidate:
    """Judge test rows without a word in the ledger."""
    return candidate.changed(test_ledger=replace(_ledger_of(candidate), reads=()))


@saboteur("model::test_reads_in_order")
def test_worn_out(candidate: Candidate) -> Candidate:
    """Judge more frozen choices on the same test rows than one test split may."""
    ledger, most = _ledger_of(candidate), candidate.problem.gates.model.maximum_test_selections
    choices = [*(digest(f"choice {number}") for number in range(most)), ledger.selection]
    opened = _opened_for(candidate, choices)
    return candidate.changed(test_ledger=replace(opened, frozen=ledger.frozen | frozenset(choices)))


@saboteur("model::test_reads_in_order")
def opening_taken_out_of_the_ledger(candidate: Candidate) -> Candidate:
    """Take the first opening out of the ledger's file."""
    ledger = _ledger_of(candidate)
    path = _written(candidate, [digest("a look at test"), ledger.selection])
    path.write_text("".join(path.read_text(encoding="utf-8").splitlines(keepends=True)[1:]), encoding="utf-8")
    try:
        reads, fault = read_test_reads(path), None
    except InputError as error:
        reads, fault = (), str(error)
    return candidate.changed(test_ledger=replace(ledger, reads=reads, fault=fault))


def _ledger_of(candidate: Candidate) -> TestLedger:
    if candidate.test_ledger is None:
        raise DataError("the candidate has no ledger of openings to sabotage")
    return candidate.test_ledger


def _opened_for(candidate: Candidate, choices: Sequence[str]) -> TestLedger:
    """Return a ledger in which the test split was opened for these choices."""
    return replace(_ledger_of(candidate), reads=read_test_reads(_written(candidate, choices)))


def _written(candidate: Candidate, choices: Sequence[str]) -> Path:
    """Write a ledger of openings for these choices, and return its path; the candidate's own stays as it is."""
    path = Path(tempfile.mkdtemp(dir=candidate.workspace)) / "test_reads.jsonl"
    for choice in choices:
        record_test_read(
            path, split=_ledger_of(candidate).split, selection=choice, reason="sabotage", stage_key="sabotage"
        )
    return path


CHOICE_SABOTEURS: tuple[Saboteur, ...] = (
    threshold_moved,
    costs_of_misses_ignored,
    every_row_accepted,
    decisions_reversed,
    test_opened_before_the_choice,
    opening_not_recorded,
    test_worn_out,
    opening_taken_out_of_the_ledger,
)
