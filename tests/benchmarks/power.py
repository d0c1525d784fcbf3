"""How often each gate that judges an estimate catches damage of a known size, by the number of rows.

Sound candidates of one family of simulated tables (``simulated_candidates``) are damaged, and the gate that is there
for the damage is asked. Some damages are the project's saboteurs, others are weaker and of a stated size. Caught is
FAIL; of a gate that only warns, WARN. Tables that the damage cannot be made of count as not caught.
"""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from gauntlet.core.errors import GauntletError
from gauntlet.core.problem import Column, Costs
from gauntlet.core.seeding import Seeds
from gauntlet.core.verdict import Status
from gauntlet.gates import model_answer_saboteurs as answers
from gauntlet.gates import model_choice_saboteurs as choices
from gauntlet.gates import split_saboteurs as splits
from gauntlet.gates.gate import SabotageFunction
from gauntlet.gates.model_answer_saboteurs import answering
from gauntlet.gates.model_champion_saboteurs import _champion_of
from gauntlet.gates.split_rows import with_rows
from gauntlet.stages.candidate import Candidate, feature_keys
from tests.benchmarks.false_promotions import clopper_pearson
from tests.benchmarks.simulated_candidates import GATES, divided, drafted, fitted, reversed_at_a_site, unfitted
from tests.benchmarks.simulated_tables import SEED, SITE, SITES, simulated_table

FAMILY = "texts"
ROWS = (300, 600, 1000, 5000, 50_000)
LARGEST_TABLES = 5

Answers = NDArray[np.float64]


def _blurred(candidate: Candidate, share: float) -> Candidate:
    """Mix the log-odds with noise that is a function of the row; ``share`` of the variance is noise."""

    def blurred(features: pd.DataFrame, given: Answers) -> Answers:
        odds = np.log(np.clip(given, 1e-6, 1 - 1e-6) / np.clip(1 - given, 1e-6, 1))
        noise = _noise(features) * odds.std() + odds.mean()
        mixed = np.sqrt(1 - share) * (odds - odds.mean()) + np.sqrt(share) * (noise - odds.mean()) + odds.mean()
        return np.asarray(1 / (1 + np.exp(-mixed)))

    return answering(candidate, blurred)


def _noise(features: pd.DataFrame) -> Answers:
    """Return a standard normal number for each row, the same whenever the row is asked."""
    from scipy.special import ndtri  # noqa: PLC0415 - takes a while to import

    return np.asarray(ndtri((feature_keys(features) / 2.0**64) * (1 - 2e-9) + 1e-9))


def _too_sure(candidate: Candidate, factor: float) -> Candidate:
    def sharpened(_features: pd.DataFrame, given: Answers) -> Answers:
        odds = np.log(np.clip(given, 1e-6, 1 - 1e-6) / np.clip(1 - given, 1e-6, 1))
        return np.asarray(1 / (1 + np.exp(-factor * odds)))

    return answering(candidate, sharpened)


def _permuted_at_a_site(candidate: Candidate) -> Candidate:
    def permuted(features: pd.DataFrame, given: Answers) -> Answers:
        there, changed = (features[SITE] == SITES[0]).to_numpy(), given.copy()
        changed[there] = given[there][np.argsort(_noise(features[there]), kind="stable")]
        return changed

    return answering(candidate, permuted)


def _label_with_errors(candidate: Candidate, wrong: float) -> Candidate:
    frame = candidate.splits.frame
    generator = candidate.seeds.generator("power", "label_with_errors")
    turned = generator.random(len(frame)) < wrong
    return _with_numbers(candidate, leak=np.where(turned, 1 - frame["label"], frame["label"]))


def _label_in_two(candidate: Candidate) -> Candidate:
    frame = candidate.splits.frame
    base = np.round(candidate.seeds.generator("power", "label_in_two").normal(20, 5, len(frame)), 2)
    return _with_numbers(candidate, leak=base, leak_2=base + frame["label"].to_numpy() / 2)


def _with_numbers(candidate: Candidate, **values: NDArray[Any]) -> Candidate:
    columns = (*candidate.problem.columns, *(Column(name=name) for name in values))
    problem = candidate.problem.model_copy(update={"columns": columns})
    numbers = {name: column.astype(np.float64) for name, column in values.items()}
    return with_rows(candidate, candidate.splits.frame.assign(**numbers), problem=problem)


def _test_moved(candidate: Candidate, deviations: float) -> Candidate:
    frame = candidate.splits.frame.copy()
    name = next(column.name for column in candidate.problem.features if column.kind == "number")
    moved = frame[name] + deviations * frame[name].std() * (frame["split"] == "test")
    return with_rows(candidate, frame.assign(**{name: moved}))


def _worse_than_champion(candidate: Candidate, share: float) -> Candidate:
    """Let the sound model be the champion, fitted on the same rows, and blur the candidate."""
    known = _champion_of(candidate.changed(baseline=candidate.chosen))
    return _blurred(candidate.changed(incumbent=known), share)


def _with_costs(candidate: Candidate, damage: SabotageFunction) -> Candidate:
    return damage(candidate.changed(problem=candidate.problem.model_copy(update={"costs": Costs()})))


@dataclass(frozen=True)
class Damage:
    """A damage, and the gate that is there for it."""

    gate: str
    name: str
    function: Callable[[Candidate], Candidate]


DAMAGES: tuple[Damage, ...] = (
    Damage("model::auc_at_least_minimum", "fitted on shuffled labels", answers.labels_shuffled_for_training),
    Damage("model::auc_at_least_minimum", "answers reversed", answers.answers_reversed),
    Damage("model::auc_at_least_baseline", "fitted on shuffled labels", answers.labels_shuffled_for_training),
    Damage("model::auc_at_least_baseline", "half of the answers is noise", partial(_blurred, share=0.5)),
    Damage("model::better_than_trivial_models", "one answer for all", answers.same_answer_for_all),
    Damage("model::better_than_trivial_models", "a single feature's model", answers.one_feature_for_all),
    Damage("model::better_than_trivial_models", "fitted on shuffled labels", answers.labels_shuffled_for_training),
    Damage("model::shuffled_labels_teach_nothing", "labels leak into fitting", answers.labels_leak_into_fitting),
    Damage("model::train_test_gap", "training rows by heart", answers.training_rows_known_by_heart),
    Damage("model::calibrated", "decisions for probabilities", answers.decisions_instead_of_probabilities),
    Damage("model::calibrated", "half the way to the rarer class", answers.much_too_sure_of_the_rarer_class),
    Damage("model::calibrated", "log-odds doubled", partial(_too_sure, factor=2.0)),
    Damage("model::every_slice_holds", "reversed at one of 5 sites", reversed_at_a_site),
    Damage("model::every_slice_holds", "permuted at one of 5 sites", _permuted_at_a_site),
    Damage("model::every_slice_holds", "reversed in half a range", answers.half_a_range_reversed),
    Damage("model::stable_under_noise", "last digit decides", answers.answers_hang_on_the_last_digit),
    Damage(
        "model::threshold_beats_trivial_decisions",
        "every row accepted",
        partial(_with_costs, damage=choices.every_row_accepted),
    ),
    Damage(
        "model::threshold_beats_trivial_decisions",
        "decisions reversed",
        partial(_with_costs, damage=choices.decisions_reversed),
    ),
    Damage(
        "model::not_worse_than_champion", "a fifth of the answers is noise", partial(_worse_than_champion, share=0.2)
    ),
    Damage("model::not_worse_than_champion", "half of the answers is noise", partial(_worse_than_champion, share=0.5)),
    Damage("split::splits_alike", "test moved by half a deviation", partial(_test_moved, deviations=0.5)),
    Damage("split::splits_alike", "test moved by a deviation", partial(_test_moved, deviations=1.0)),
    Damage("split::splits_alike", "an eighth of the positives", splits.positives_kept_for_train),
    Damage("split::no_target_leakage", "the label", partial(_label_with_errors, wrong=0.0)),
    Damage("split::no_target_leakage", "the label, 2 % wrong", partial(_label_with_errors, wrong=0.02)),
    Damage("split::no_target_leakage", "the label, 5 % wrong", partial(_label_with_errors, wrong=0.05)),
    Damage("split::no_target_leakage", "the label in two columns", _label_in_two),
    Damage("split::no_target_leakage", "the label in a range", splits.label_hidden_in_a_range),
    Damage("split::no_identifier_feature", "the number of the row", splits.identifier_as_feature),
    Damage("split::no_identifier_feature", "a text for each row", splits.text_identifier_as_feature),
)


def power(tables: int, *, rows: int | None = None, processes: int = 2) -> dict[str, Any]:
    """Damage so many tables of each size (a few of the largest), and return each gate's power.

    Args:
        tables: How many tables of each size.
        rows: Only tables of so many rows; None takes all sizes.
        processes: How many processes share the work.
    """
    os.environ["OMP_NUM_THREADS"] = "1"  # each process has one core
    sizes = [size for size in ROWS if rows in (None, size)]
    caught: dict[int, list[list[bool]]] = {}
    with ProcessPoolExecutor(processes, mp_context=get_context("spawn")) as pool:
        for size in sizes:
            count = min(tables, LARGEST_TABLES) if size == max(ROWS) else tables
            caught[size] = list(pool.map(caught_in, [size] * count, range(count)))
            print(f"{size} rows: {count} tables", file=sys.stderr, flush=True)
    lines = [
        {"gate": damage.gate, "damage": damage.name}
        | {f"{size:,} rows": _share([table[place] for table in found]) for size, found in caught.items()}
        for place, damage in enumerate(DAMAGES)
    ]
    return {"family": FAMILY, "tables": tables, "tables_of_the_largest": min(tables, LARGEST_TABLES), "power": lines}


def _share(caught: Sequence[bool]) -> str:
    """Return the share with its exact 95 % interval, in percent."""
    low, high = clopper_pearson(sum(caught), len(caught))
    return f"{sum(caught) / len(caught):.0%} ({low:.0%} to {high:.0%})"


def caught_in(rows: int, table: int, damages: Sequence[Damage] = DAMAGES) -> list[bool]:
    """Return which damages are caught in one table.

    Args:
        rows: The table's number of rows.
        table: Its number.
        damages: The damages.
    """
    seeds = Seeds(Seeds(SEED).integer("power", rows, table))
    drawn = simulated_table(FAMILY, rows, generator=seeds.generator("table"), site=True)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        problem = drafted(drawn, folder, seed=seeds.integer("problem"))
        candidate = fitted(unfitted(problem, divided(drawn, problem, folder), folder))
        return [_caught(candidate, damage) for damage in damages]


def _caught(candidate: Candidate, damage: Damage) -> bool:
    gate = next(gate for gate in GATES if gate.name == damage.gate)
    try:
        verdict = gate(damage.function(candidate))
    except GauntletError:
        return False
    return verdict.blocks or (bool(gate.advisory) and verdict.status is Status.WARN)
