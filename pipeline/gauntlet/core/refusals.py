"""This module provides the reasons of a refused run, gravest first, each with the command or key that answers it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from gauntlet.core import results as r

MOST_SHOWN = 3

_IGNORED = 'role = "ignored" on the named column'
_PACK = "gauntlet run --from package"
# What answers a gate that blocks: a key of the problem file or a command. All others are explained by a command.
_ANSWERS: Mapping[str, str] = {
    "split::chosen_without_test": 'split.protocol = "honest"',
    "split::no_repeats_across_splits": 'split.repeats = "together", with split.protocol = "honest"',
    "split::no_near_repeats_across_splits": "split.near_repeats = true",
    "split::groups_kept_together": "split.groups",
    "split::time_order": "split.time",
    "split::no_target_leakage": f"{_IGNORED}, or known_before = true if it is known before the label",
    "split::no_identifier_feature": _IGNORED,
    "split::splits_alike": "split.time if the rows have an order in time, else another seed",
    "data::suites_check_something": "gauntlet suites sync",
    "data::schema_as_promised": "[[columns]], to describe the columns that the source has now",
    "data::no_empty_column": _IGNORED,
    "data::rows_not_fewer": "gates.data.maximum_row_loss",
    "data::no_drift": "[[waivers]] for this promotion, if the data has truly changed",
    "model::recorded_metrics_are_true": "gauntlet run --from baseline",
    "model::auc_at_least_minimum": "gates.model.minimum_auc",
    "model::champion_is_known": "gauntlet audit",
    "model::not_worse_than_champion": "gates.model.margins",
    "model::train_test_gap": "gates.model.maximum_gap",
    "model::threshold_is_cheapest": "gauntlet run --from select",
    "model::threshold_beats_trivial_decisions": "[costs]",
    "model::test_reads_in_order": "seed, for another split",
    "artefact::files_as_packed": _PACK,
    "artefact::requirements_locked": _PACK,
    "artefact::signature_fits_table": _PACK,
    "artefact::readback_equal": _PACK,
    "artefact::size_within_budget": "gates.artefact.maximum_megabytes",
    "artefact::latency_within_budget": "gates.artefact.maximum_milliseconds",
}
_EXPECTATION_ANSWER = "gauntlet suites sync for a drafted entry, else the entry in the suite's file"
_NEXT = {"promote": "gauntlet audit", "score": "gauntlet run --from score"}


@dataclass(frozen=True)
class Reason:
    """Why a run was refused.

    Attributes:
        source: The gate, the expectation or the stage that says so.
        sentence: What is wrong, with the numbers.
        answer: The command or the key of the problem file that answers it.
    """

    source: str
    sentence: str
    answer: str

    @property
    def told(self) -> str:
        """The sentence, with the gate or expectation that says so."""
        return f"{self.sentence} ({self.source})" if "::" in self.source else self.sentence


def answer_of(gate: str) -> str:
    """Return the command or the key of the problem file that answers a gate that blocks."""
    if gate.startswith("data/"):
        return _EXPECTATION_ANSWER
    return _ANSWERS.get(gate, f"gauntlet gates explain {gate}")


def reasons(stages: Mapping[str, r.StageResult | None]) -> tuple[Reason, ...]:
    """Return why a run was refused: the reasons of the first stage that says no, gravest first; none if all went well.

    Args:
        stages: The stages' results by name, in the order of the stages.
    """
    for name, result in stages.items():
        if result is not None and result.refusal is not None:
            return _of_stage(result) or (Reason(name, result.refusal, _NEXT.get(name, f"gauntlet run --from {name}")),)
    return ()


def headline(found: tuple[Reason, ...]) -> str:
    """Return the gravest reason in one line, with the number of the others."""
    more = len(found) - 1
    return found[0].told + (f"; and {more} more" if more else "")


def _of_stage(result: r.StageResult) -> tuple[Reason, ...]:
    if isinstance(result, r.JudgeResult):
        return tuple(
            Reason(v.gate, v.sentence, answer_of(v.gate)) for v in r.gravest_first(result.verdicts) if v.blocks
        )
    if isinstance(result, r.ExpectationsResult):
        checks = [check for suite in result.suites for check in suite.checks if check.blocks]
        return tuple(
            Reason(
                f"data/{check.id}",
                f"{check.column or 'the table'}: {check.observed or check.rule}",
                _EXPECTATION_ANSWER,
            )
            for check in checks
        )
    return ()
