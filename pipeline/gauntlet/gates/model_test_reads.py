"""This module provides the gate on the openings of the test split: for frozen choices only, and not too many."""

from __future__ import annotations

from gauntlet.core.verdict import Status, Verdict
from gauntlet.gates.gate import gate
from gauntlet.stages.candidate import Candidate


@gate(
    "model::test_reads_in_order",
    bounds=("gates.model.maximum_test_selections",),
    needs=("test_ledger", "splits"),
    remedy="The test split has been looked at in another way than by judging a frozen choice, or too often: its scores "
    "are no honest estimate any more. Bring new rows, or divide them anew with another seed.",
)
def test_reads_in_order(candidate: Candidate) -> Verdict:
    """Guard that the test split was opened for this choice, for frozen choices only, and for not too many.

    Read is the ledger of openings, whose lines are chained. Every choice that is judged on the same rows spends some of
    their honesty: who keeps the best of many has chosen on test. Reading the rows past the door is not seen here.
    """
    name, ledger = test_reads_in_order.name, candidate.test_ledger
    rows, bound = len(candidate.splits.rows("test").label), candidate.problem.gates.model.maximum_test_selections
    if ledger is None or ledger.fault is not None:
        why = "nobody keeps it" if ledger is None else ledger.fault
        return Verdict(name, Status.CONFIG_ERROR, f"the ledger of openings of the test split cannot be read: {why}")
    reads = [read for read in ledger.reads if read.split == ledger.split]
    selections = {read.selection for read in reads}
    loose = next((read for read in reads if read.selection not in ledger.frozen), None)
    if ledger.selection not in selections:
        fault = f"the test split was judged for the choice {ledger.selection[:12]}, but no opening for it is recorded"
    elif loose is not None:
        fault = (
            f"on {loose.time} the test split was opened for {loose.selection[:12]} ({loose.reason}), no frozen choice"
        )
    elif len(selections) > bound:
        fault = (
            f"the test split has judged {len(selections)} choices, more than gates.model.maximum_test_selections of "
            f"{bound}: it is worn out"
        )
    else:
        sentence = (
            f"the test split was opened {len(reads)} times, for {len(selections)} frozen choices (at most {bound})"
        )
        return Verdict(name, Status.PASS, sentence, float(len(selections)), float(bound), rows)
    return Verdict(name, Status.FAIL, fault, float(len(selections)), float(bound), rows)
