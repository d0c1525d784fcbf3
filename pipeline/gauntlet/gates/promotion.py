"""This module provides the gates of a promotion: each looks at a candidate and gives one verdict.

A gate that breaks is CONFIG_ERROR, never PASS; and only PASS promotes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from types import MappingProxyType

from gauntlet.core.scores import auc
from gauntlet.core.verdict import Status, Verdict, at_least, evaluated
from gauntlet.stages.candidate import Candidate

Gate = Callable[[Candidate], Verdict]

CHOSEN_WITHOUT_TEST = "split::chosen_without_test"
EXPECTATIONS_HOLD = "data::expectations_hold"
AT_LEAST_MINIMUM = "model::auc_at_least_minimum"
AT_LEAST_BASELINE = "model::auc_at_least_baseline"
AT_LEAST_CHAMPION = "model::auc_at_least_champion"

_CHECKED_TABLES = frozenset({"raw", "curated"})


def judge(candidate: Candidate) -> tuple[Verdict, ...]:
    """Return the verdicts of all gates."""
    return tuple(evaluated(name, partial(gate, candidate)) for name, gate in GATES.items())


def chosen_without_test(candidate: Candidate) -> Verdict:
    """Guard that no test row took part in the choice of the model or of its threshold."""
    split, rows = candidate.split, len(candidate.rows.label)
    if split.protocol != "honest" or split.selection != "validation":
        used = float(split.rows.get("test", 0))
        sentence = (
            f"selected on test: under the protocol {split.protocol} the model and its threshold were chosen on the "
            'rows that judge them, so their scores prove nothing; use split.protocol = "honest"'
        )
        return Verdict(CHOSEN_WITHOUT_TEST, Status.FAIL, sentence, measured=used, bound=0, rows=rows)
    sentence = "the model and its threshold were chosen on validation rows; no test row took part"
    return Verdict(CHOSEN_WITHOUT_TEST, Status.PASS, sentence, measured=0, bound=0, rows=rows)


def expectations_hold(candidate: Candidate) -> Verdict:
    """Guard that the raw and the curated table were checked, and that every expectation of them holds."""
    gate, suites, ingest = EXPECTATIONS_HOLD, candidate.expectations.suites, candidate.ingest
    checks = [check for suite in suites for check in suite.checks]
    rows = sum(suite.rows for suite in suites)
    unchecked = _CHECKED_TABLES - {suite.table for suite in suites if suite.checks}
    if unchecked:
        sentence = f"no expectation was checked on {', '.join(sorted(unchecked))}"
        return Verdict(gate, Status.CONFIG_ERROR, sentence, float(len(checks)), None, rows)
    promised = {"raw": ingest.raw.rows, "curated": ingest.curated.rows}
    for suite in suites:
        if suite.rows != promised.get(suite.table):
            sentence = f"{suite.rows} rows of {suite.table} were checked, but the table has {promised.get(suite.table)}"
            return Verdict(gate, Status.CONFIG_ERROR, sentence, float(suite.rows), promised.get(suite.table), rows)
    holding, failed = sum(check.success for check in checks), [check.id for check in checks if not check.success]
    sentence = f"{holding} of {len(checks)} expectations hold" + (f"; not {', '.join(failed)}" if failed else "")
    status = Status.FAIL if failed or candidate.expectations.refusal else Status.PASS
    return Verdict(gate, status, sentence, float(holding), float(len(checks)), rows)


def auc_at_least_minimum(candidate: Candidate) -> Verdict:
    """Guard the least AUC on test that the problem asks for (``promotion.minimum_auc``)."""
    return at_least(
        AT_LEAST_MINIMUM,
        _auc(candidate, candidate.chosen),
        candidate.problem.promotion.minimum_auc,
        rows=len(candidate.rows.label),
        names=(f"AUC of {candidate.chosen} on test", "promotion.minimum_auc"),
    )


def auc_at_least_baseline(candidate: Candidate) -> Verdict:
    """Guard that the model orders the test rows at least as well as the baseline forest."""
    return at_least(
        AT_LEAST_BASELINE,
        _auc(candidate, candidate.chosen),
        _auc(candidate, candidate.baseline),
        rows=len(candidate.rows.label),
        names=(f"AUC of {candidate.chosen} on test", f"the baseline's ({candidate.baseline})"),
    )


def auc_at_least_champion(candidate: Candidate) -> Verdict:
    """Guard that the model orders the test rows at least as well as the champion; that there is none must be known."""
    gate, incumbent, rows = AT_LEAST_CHAMPION, candidate.incumbent, len(candidate.rows.label)
    measured = _auc(candidate, candidate.chosen)
    if incumbent.bootstrap:
        sentence = "bootstrap: the registry says that there is no champion yet, so there is none to compare with"
        return Verdict(gate, Status.PASS, sentence, measured, None, rows)
    if incumbent.fault is not None or incumbent.version is None or incumbent.probability is None:
        sentence = f"the champion cannot be compared with: {incumbent.fault or 'its probabilities are missing'}"
        return Verdict(gate, Status.CONFIG_ERROR, sentence, measured, None, rows)
    if incumbent.is_candidate:
        sentence = f"the candidate is the champion itself, version {incumbent.version.version}"
        return Verdict(gate, Status.PASS, sentence, measured, measured, rows)
    verdict = at_least(
        gate,
        measured,
        auc(incumbent.probability, candidate.rows.label),
        rows=rows,
        names=(f"AUC of {candidate.chosen} on test", f"the champion's (version {incumbent.version.version})"),
    )
    if incumbent.rows == candidate.split.table.fingerprint:
        return verdict
    # Whoever is refused for this must be able to see it; it can only make the gate stricter.
    note = "; the champion was fitted on another split and may know some of these rows, which flatters it"
    return replace(verdict, sentence=verdict.sentence + note)


def _auc(candidate: Candidate, model: str) -> float:
    return auc(candidate.probability[model], candidate.rows.label)


# The refusal that explains all others comes first.
GATES: Mapping[str, Gate] = MappingProxyType(
    {
        CHOSEN_WITHOUT_TEST: chosen_without_test,
        EXPECTATIONS_HOLD: expectations_hold,
        AT_LEAST_MINIMUM: auc_at_least_minimum,
        AT_LEAST_BASELINE: auc_at_least_baseline,
        AT_LEAST_CHAMPION: auc_at_least_champion,
    }
)
