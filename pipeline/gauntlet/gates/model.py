"""This module provides the gates on the model, in the order of the report."""

from __future__ import annotations

from gauntlet.gates.gate import Gate
from gauntlet.gates.model_auc import auc_at_least_baseline, recorded_metrics_are_true, train_test_gap
from gauntlet.gates.model_champion import champion_is_known, not_worse_than_champion
from gauntlet.gates.model_costs import threshold_beats_trivial_decisions, threshold_is_cheapest
from gauntlet.gates.model_floor import auc_at_least_minimum
from gauntlet.gates.model_learning import better_than_trivial_models, shuffled_labels_teach_nothing
from gauntlet.gates.model_robustness import calibrated, stable_under_noise
from gauntlet.gates.model_slices import every_slice_holds
from gauntlet.gates.model_test_reads import test_reads_in_order

GATES: tuple[Gate, ...] = (
    recorded_metrics_are_true,
    auc_at_least_minimum,
    auc_at_least_baseline,
    champion_is_known,
    not_worse_than_champion,
    better_than_trivial_models,
    shuffled_labels_teach_nothing,
    train_test_gap,
    calibrated,
    every_slice_holds,
    stable_under_noise,
    threshold_is_cheapest,
    threshold_beats_trivial_decisions,
    test_reads_in_order,
)
