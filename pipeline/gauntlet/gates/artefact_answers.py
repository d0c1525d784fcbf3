"""This module provides the gates on what the packed model answers: one probability a row, the very one, soon enough."""

from __future__ import annotations

from statistics import median

import numpy as np

from gauntlet.adapters.artefact import answered, load_packed, time_calls
from gauntlet.core.errors import DataError
from gauntlet.core.verdict import Status, Verdict, estimate_status, is_number
from gauntlet.gates.gate import gate
from gauntlet.stages.candidate import Artefact, Candidate

# Enough for a median that one slow call does not move.
_CALLS = 21


def packed(candidate: Candidate) -> Artefact:
    """Return the packed model.

    Raises:
        DataError: If there is none.
    """
    if candidate.artefact is None:
        raise DataError("there is no packed model to judge; pack the chosen model first")
    return candidate.artefact


@gate(
    "artefact::output_is_one_probability",
    needs=("artefact", "splits"),
    remedy="Let the packed code return the probability of the positive class as a one-dimensional float64 array, such "
    "as predict_proba(...)[:, 1]; decisions are made from it elsewhere.",
)
def output_is_one_probability(candidate: Candidate) -> Verdict:
    """Guard that the artefact answers each test row with one float64 from 0 to 1, and not with the decision.

    If each is exactly 0 or 1 they are decisions: the pyfunc of a classifier gives labels unless told otherwise.
    """
    name, test = "artefact::output_is_one_probability", candidate.splits.rows("test")
    rows = len(test.row_id)
    if rows == 0:
        return Verdict(name, Status.CONFIG_ERROR, "there is no test row to ask the artefact about", rows=rows)
    answer = answered(load_packed(packed(candidate).verified).predict, test.features)
    if answer.probability is None:
        return Verdict(name, Status.FAIL, f"no probability for each row: {answer.refusal}", rows=rows)
    given = answer.probability
    wrong = ~((given >= 0) & (given <= 1))
    if wrong.any():
        place = int(np.flatnonzero(wrong)[0])
        sentence = (
            f"{int(wrong.sum())} of {rows} answers are no probability, the first {given[place]} for test row {place}"
        )
        return Verdict(name, Status.FAIL, sentence, float(wrong.sum()), 0, rows)
    if np.isin(given, (0.0, 1.0)).all():
        sentence = f"all {rows} answers are exactly 0 or 1: the artefact gives the decision, not the probability"
        return Verdict(name, Status.FAIL, sentence, float(rows), 0, rows)
    sentence = f"{rows} test rows have one float64 each, from {given.min():.4f} to {given.max():.4f}"
    return Verdict(name, Status.PASS, sentence, 0, 0, rows)


@gate(
    "artefact::readback_equal",
    bounds=("gates.artefact.maximum_difference",),
    needs=("artefact", "splits", "models"),
    remedy="The artefact is not the model that was chosen: pack it again with --from package. If its code was changed, "
    "hold it against gauntlet.core.encoding.",
)
def readback_equal(candidate: Candidate) -> Verdict:
    """Guard that the artefact, loaded from its files, answers the test rows as the chosen model in memory does.

    Compared are float64 values; a bound of 0 asks for equal bits.
    """
    name, bound = "artefact::readback_equal", candidate.problem.gates.artefact.maximum_difference
    test = candidate.splits.rows("test")
    rows = len(test.row_id)
    if rows == 0:
        return Verdict(name, Status.CONFIG_ERROR, "there is no test row to ask the artefact about", None, bound, rows)
    expected = candidate.answers(candidate.model)
    if not np.isfinite(expected).all():
        sentence = f"the model in memory gives {int((~np.isfinite(expected)).sum())} of {rows} rows no finite answer"
        return Verdict(name, Status.CONFIG_ERROR, sentence, None, bound, rows)
    answer = answered(load_packed(packed(candidate).verified).predict, test.features)
    if answer.probability is None:
        return Verdict(name, Status.FAIL, f"the artefact does not answer: {answer.refusal}", None, bound, rows)
    apart = np.abs(answer.probability - expected)
    different = ~(apart <= bound)  # NaN is different
    if different.any():
        place = int(np.flatnonzero(different)[0])
        sentence = (
            f"{int(different.sum())} of {rows} answers differ from the model in memory by more than {bound:g}; row "
            f"{test.row_id[place]}: {answer.probability[place]:.17g} instead of {expected[place]:.17g}"
        )
        return Verdict(name, Status.FAIL, sentence, float(apart.max()), bound, rows)
    sentence = f"loaded from its files the model answers {rows} test rows as in memory, at most {apart.max():g} apart"
    return Verdict(name, Status.PASS, sentence, float(apart.max()), bound, rows)


@gate(
    "artefact::latency_within_budget",
    bounds=("gates.artefact.maximum_milliseconds",),
    needs=("artefact", "splits"),
    turn="alone",
    remedy="Look for what the packed code does at every call instead of once in load_context; else fit fewer trees, or "
    "raise gates.artefact.maximum_milliseconds.",
)
def latency_within_budget(candidate: Candidate) -> Verdict:
    """Guard the time of an answer to one row, in milliseconds, the model loaded and warm.

    Measured in this process through MLflow's pyfunc, the signature's enforcement included; a server adds its own. WARN:
    the median call takes longer than the bound. FAIL: every call does, the fastest too; a busy machine makes calls
    slow, but hardly all of them.
    """
    name, bound = "artefact::latency_within_budget", candidate.problem.gates.artefact.maximum_milliseconds
    features = candidate.splits.rows("test").features
    if features.empty:
        return Verdict(name, Status.CONFIG_ERROR, "there is no test row to ask the artefact about", None, bound, 0)
    model = load_packed(packed(candidate).verified)
    rows = [features.iloc[[number % len(features)]] for number in range(_CALLS)]
    taken = time_calls(model.predict, rows, enough=bound)
    measured, fastest = median(taken), min(taken)
    if not is_number(measured):
        return Verdict(name, Status.CONFIG_ERROR, f"the clock gave {measured} ms", measured, bound, _CALLS)
    sentence = (
        f"one row takes {measured:.2f} ms (median of up to {_CALLS} calls, the fastest {fastest:.2f} ms), "
        f"{'within' if measured <= bound else 'more than'} the {bound:g} ms of gates.artefact.maximum_milliseconds"
    )
    status = estimate_status(beyond=measured > bound, excluded=fastest > bound)
    return Verdict(name, status, sentence, measured, bound, _CALLS, (fastest, max(taken)))
