"""This module provides the gates on the champion: who it is, and that the candidate is not worse."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from gauntlet.core.errors import DataError
from gauntlet.core.scores import auc
from gauntlet.core.statistics.comparison import Comparison, ComparisonRule, compare
from gauntlet.core.verdict import Status, Verdict
from gauntlet.gates.gate import gate
from gauntlet.gates.model_parts import Answered, answered, chosen_on
from gauntlet.stages.candidate import Candidate, Incumbent, JudgedModel, feature_keys

_REPETITIONS = 2000
_STATUS = {"yes": Status.PASS, "no": Status.FAIL, "undecided": Status.FAIL}


@gate(
    "model::champion_is_known",
    needs=("incumbent",),
    remedy="Run `gauntlet audit`: it walks the promotion ledger, names the version that must be champion, and says how "
    "to bring registry and ledger together.",
)
def champion_is_known(candidate: Candidate) -> Verdict:
    """Guard that the registry and the promotion ledger name the same champion, or both say that there is none.

    "No champion yet" needs both to say so: a registry that does not answer, a lost ledger, or an alias that was moved
    by hand would else let the next candidate in without a comparison.
    """
    name, incumbent = champion_is_known.name, _incumbent(candidate)
    if incumbent.bootstrap:
        after = f" after {incumbent.sequence} entries" if incumbent.sequence else ""
        sentence = f"bootstrap: the registry and the ledger{after} both say that there is no champion yet"
        return Verdict(name, Status.PASS, sentence, float(incumbent.sequence))
    if incumbent.fault is not None:
        return Verdict(name, Status.CONFIG_ERROR, f"the champion could not be asked: {incumbent.fault}")
    registry = None if incumbent.version is None else incumbent.version.version
    ledger = incumbent.ledger_version
    if registry is None or registry != ledger:
        sentence = (
            f"the registry says that {_named(registry)} is champion, the ledger says {_named(ledger)}; one of them was "
            "changed without the other, so run `gauntlet audit`"
        )
        return Verdict(name, Status.CONFIG_ERROR, sentence, registry, ledger)
    sentence = f"the registry and the ledger both say that version {ledger} is champion"
    return Verdict(name, Status.PASS, sentence, registry, ledger)


@gate(
    "model::not_worse_than_champion",
    bounds=(
        "gates.model.against_champion",
        "gates.model.margins",
        "gates.model.effect",
        "gates.model.alpha",
        "gates.model.power",
        "gates.model.minimum_class_rows",
    ),
    needs=("models", "splits", "incumbent"),
    remedy="The champion is better: keep it. No decision: the test rows are too few for these margins; bring "
    "more rows, or say with wider margins how much worse you would accept.",
)
def not_worse_than_champion(candidate: Candidate) -> Verdict:
    """Guard that the candidate is not worse than the champion (or is better, where the problem asks for that).

    Both answer the same test rows. Rows whose features are among the champion's own training rows are left out: it
    could know them by heart. (With ``split.repeats = "by chance"`` only rows that were among them.) Not to be worse by
    more than the margins must be shown by a paired test of non-inferiority (DeLong's for the AUC, paired differences
    for the Brier score, and a paired bootstrap for both; Holm's correction); that no difference was found is not
    enough. Where the rows are too few to decide, there is no decision: the champion stays, and the message says from
    how many rows of the table there could be one. Rows that the champion was chosen on, but not fitted on, stay in.
    """
    name, incumbent, test = not_worse_than_champion.name, _incumbent(candidate), chosen_on(candidate)
    if incumbent.bootstrap:
        sentence = "bootstrap: there is no champion yet, so there is none to compare with"
        return Verdict(name, Status.PASS, sentence, auc(test.probability, test.label), None, test.rows)
    if incumbent.fault is not None or incumbent.version is None or incumbent.model is None:
        sentence = f"the champion cannot be compared with: {incumbent.fault or 'its model is missing'}"
        return Verdict(name, Status.CONFIG_ERROR, sentence, None, None, test.rows)
    if incumbent.is_candidate:
        sentence = f"the candidate is the champion itself, version {incumbent.version.version}"
        return Verdict(name, Status.PASS, sentence, 0.0, None, test.rows)
    unknown = _unknown_to_champion(candidate, incumbent.training)
    left_out = test.rows - int(unknown.sum())
    against = f"champion: version {incumbent.version.version}; {left_out} of {test.rows} test rows are left out"
    why = f"{against}, as the champion was fitted on them"
    if len(np.unique(test.label[unknown])) < 2:
        sentence = f"No decision, the champion stays: too few test rows are new to the champion to compare on ({why})"
        return Verdict(name, Status.FAIL, sentence, None, None, int(unknown.sum()))
    comparison = _compared(candidate, test, incumbent.model, unknown)
    sentence = f"{comparison.sentence} ({why if left_out else against})"
    if comparison.rows_needed is None:
        return _verdict_of(comparison, sentence)
    needed = math.ceil(comparison.rows_needed * len(candidate.splits.frame) / comparison.rows)
    decide = f"a table of about {needed} such rows, compared on {comparison.rows_needed}, would decide"
    verdict = _verdict_of(comparison, f"No decision, the champion stays: {sentence}; {decide}")
    return replace(verdict, rows_needed=needed)


def _compared(candidate: Candidate, test: Answered, champion: JudgedModel, unknown: NDArray[np.bool_]) -> Comparison:
    rules = candidate.problem.gates.model
    rule = ComparisonRule(
        question=rules.against_champion,
        margins={str(metric): margin for metric, margin in rules.margins.items()},
        alpha=rules.alpha,
        power=rules.power,
        effect=rules.effect,
        minimum_positives=rules.minimum_class_rows,
        minimum_negatives=rules.minimum_class_rows,
        repetitions=max(_REPETITIONS, math.ceil(len(rules.margins) / rules.alpha)),
    )
    return compare(
        test.probability[unknown],
        answered(candidate, champion).probability[unknown],
        test.label[unknown],
        rule=rule,
        generator=candidate.seeds.generator("gates", not_worse_than_champion.name),
    )


def _verdict_of(comparison: Comparison, sentence: str) -> Verdict:
    name, status = not_worse_than_champion.name, _STATUS[comparison.decision]
    found = {metric.metric: metric for metric in comparison.metrics}.get("auc")
    if found is None:
        return Verdict(name, status, sentence, rows=comparison.rows)
    return Verdict(name, status, sentence, found.difference, found.bound, comparison.rows, found.interval)


def _unknown_to_champion(candidate: Candidate, training: pd.DataFrame | None) -> NDArray[np.bool_]:
    """Return which test rows the champion was not fitted on, by their features.

    Where rows repeat each other by chance, nearly all features are known to every model; there a row counts as known if
    its identifier was among the champion's rows. That takes a champion that has the features of the candidate.

    Raises:
        DataError: If the champion's training rows are not known.
    """
    test = candidate.splits.rows("test")
    shared = [] if training is None else [name for name in test.features.columns if name in training.columns]
    if training is None or training.empty or not shared:
        raise DataError(
            "the rows that the champion was fitted on cannot be had, so nobody knows which test rows are new to it; "
            "bring back the split table that the promotion ledger names for it"
        )
    by_chance = candidate.problem.split.repeats == "by chance"
    if by_chance and "row_id" in training.columns and len(shared) == len(test.features.columns):
        return ~np.isin(np.array(test.row_id), training["row_id"].to_numpy(dtype=str))
    # A hash depends on the type: true and 1.0 are the same value here.
    fitted = feature_keys(training[shared].astype(test.features[shared].dtypes))
    return ~np.isin(feature_keys(test.features[shared]), fitted)


def _incumbent(candidate: Candidate) -> Incumbent:
    """Return what is known of the champion.

    Raises:
        DataError: If nobody asked; that is not "there is none".
    """
    if candidate.incumbent is None:
        raise DataError("no registry was asked for the champion, and that is not the same as having none")
    return candidate.incumbent


def _named(version: int | None) -> str:
    return "nobody" if version is None else f"version {version}"
