"""Candidates made of simulated tables by the product's own code, without Spark: draft, split, search, choice, gates.

The table is written as a CSV file, ``init`` drafts the problem, the stage's functions divide the rows, and the recipe
fits and chooses. What the benchmark adds is what a user of such a table would know: which column names the groups or
the time. Then the gates are asked that judge statistics, and those on the split.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pandas as pd

from gauntlet.adapters.problem_draft import draft_problem
from gauntlet.adapters.table_sketch import read_columns
from gauntlet.core.grouping import columns_of_split
from gauntlet.core.problem import Problem
from gauntlet.core.problem_file import load_problem
from gauntlet.core.scores import auc, best_threshold
from gauntlet.core.seeding import Seeds
from gauntlet.core.verdict import Verdict
from gauntlet.gates import model, split
from gauntlet.gates.gate import Gate
from gauntlet.gates.model_answer_saboteurs import Altered
from gauntlet.gates.model_parts import costs_of, threshold_of
from gauntlet.gates.reproducibility import seed_luck
from gauntlet.stages import split as split_stage
from gauntlet.stages.candidate import Artefact, Candidate, Incumbent, JudgedModel, Refitted, Scorer, Splits
from gauntlet.stages.context import StageContext
from gauntlet.stages.recipe import FittedRecipe, RecipeModel, fit_again, fit_recipe, in_order_of_ids
from gauntlet.stages.training_rows import Rows
from tests.benchmarks.simulated_tables import LABEL, SITE, SITES, SimulatedTable
from tests.made_candidate import made_test_ledger

TRIALS = 12
TABLE = "table.csv"
FLOOR = "model::auc_at_least_minimum"
# All that judge the split or the model from the rows and the answers alone; those that fit models come last.
GATES: tuple[Gate, ...] = (
    *sorted((*split.GATES, *model.GATES), key=lambda gate: (gate.slow, gate.name == FLOOR)),
    seed_luck,
)
# What a gate may need that is there before a model is fitted.
_BEFORE_FITTING = frozenset({"splits", "time", "groups"})


@dataclass(frozen=True)
class RecipeTrainer:
    """Fits the chosen model again, in memory.

    Attributes:
        problem: The problem.
        model: The chosen model.
    """

    problem: Problem
    model: RecipeModel
    digest: str = "in memory"

    def fit(self, train: Rows, selection: Rows, *, seed: int | None = None, workers: int | None = None) -> Refitted:
        """Fit the chosen model's parameters to other rows, or with another seed."""
        fitted = fit_again(
            in_order_of_ids(train),
            in_order_of_ids(selection),
            family=self.model.fitted.family,
            parameters=self.model.parameters,
            problem=self.problem,
            seed=seed,
            threads=1,
        )
        return Refitted(digest=self.digest, scorer=fitted)

    def fit_recipe(self, train: Rows, selection: Rows, *, seeds: Seeds) -> Scorer:
        """Fit, search and choose on other rows."""
        return fit_recipe(train, selection, problem=self.problem, seeds=seeds)

    def search(self, *, workers: int, trials: int) -> str | None:
        """Return None: no gate that is asked here searches."""
        return None

    def split_again(self, frame: pd.DataFrame) -> pd.Series | None:
        """Return None: no gate that is asked here divides rows."""
        return None


def drafted(
    table: SimulatedTable,
    folder: Path,
    *,
    seed: int,
    features: Iterable[str] = (),
    overrides: Mapping[str, Any] | None = None,
) -> Problem:
    """Return the problem that ``init`` drafts for a table, with what its user knows.

    Args:
        table: The table.
        folder: An empty folder to write the table and the draft into.
        seed: The problem's seed.
        features: Columns that the user takes for features whatever the draft says.
        overrides: Other keys that replace the draft's; a search has ``TRIALS`` trials unless they say otherwise.
    """
    path, output = folder / TABLE, folder / "table.toml"
    table.frame.to_csv(path, index=False)
    draft_problem(path, label=LABEL, positive="1", output=output)
    family, known = table.family, dict[str, Any]({"seed": seed, "sweep.trials": TRIALS})
    if family.groups is not None:
        known["split.groups"] = [family.groups]
    if family.time is not None:
        known["split.time"] = family.time
    problem = load_problem(output, overrides={**known, **(overrides or {})})
    roles = dict.fromkeys(features, "feature") | dict.fromkeys(filter(None, [family.groups]), "ignored")
    columns = [column.model_copy(update={"role": roles.get(column.name, column.role)}) for column in problem.columns]
    return problem.model_copy(update={"columns": tuple(columns)})


def divided(table: SimulatedTable, problem: Problem, folder: Path) -> Splits:
    """Return the table's rows as the stages read and divide them.

    Args:
        table: The table.
        problem: Its problem.
        folder: The folder that it was drafted in.

    Raises:
        DataError: If the rows cannot be divided.
    """
    frame = table.frame
    values = read_columns(folder / TABLE, source=problem.sources[0], columns=problem.columns)
    content = pd.util.hash_pandas_object(frame, index=False)
    repeat = content.groupby(content).cumcount()
    rows = pd.DataFrame({"row_id": [f"{key:016x}" + f"-{n}" * (n > 0) for key, n in zip(content, repeat, strict=True)]})
    for column in problem.features:
        text = column.kind == "text"
        rows[column.name] = values[column.name] if text else values[column.name].astype("float64")
    for name in columns_of_split(problem):
        rows[name] = values[name]
    rows["source_row"] = np.arange(len(rows))
    rows["label"] = frame[LABEL].astype(np.int8)
    context = cast("StageContext", SimpleNamespace(problem=problem, seeds=Seeds(problem.seed)))
    grouping = split_stage._grouping(rows, problem)
    rows["group_id"] = rows["row_id"].groupby(grouping.group).transform("min")
    rows["split"] = split_stage.split_names(rows, context)
    split_stage._require_both_classes(rows["split"].to_numpy(), rows["label"].to_numpy(), notebook=False)
    rows = rows.sort_values("row_id", kind="stable", ignore_index=True)
    return Splits(rows, tuple(column.name for column in problem.features), "honest", "validation")


def unfitted(problem: Problem, splits: Splits, folder: Path) -> Candidate:
    """Return a candidate without models."""
    return Candidate(
        problem=problem,
        chosen="none",
        baseline="forest",
        models={},
        splits=splits,
        threshold=None,
        tables={},
        suites={},
        incumbent=Incumbent(),
        trainer=None,
        artefact=Artefact(uri="models:/m-1", folder=folder, files={}),
        code=(),
        test_ledger=made_test_ledger(folder),
        spark=None,
        workspace=folder,
    )


def fitted(candidate: Candidate) -> Candidate:
    """Return the candidate after the whole recipe: forests, search, choice, threshold."""
    splits, problem = candidate.splits, candidate.problem
    recipe = fit_recipe(splits.rows("train"), splits.rows("validation"), problem=problem, seeds=Seeds(problem.seed))
    return candidate.changed(
        chosen=recipe.chosen.name,
        models=_models(recipe),
        threshold=recipe.threshold,
        trainer=RecipeTrainer(problem, recipe.chosen),
    )


def _models(recipe: FittedRecipe) -> Mapping[str, JudgedModel]:
    return {
        found.name: JudgedModel(found.name, found.name, found.fitted, found.auc_selection, found.fitted.encoding)
        for found in recipe.models
    }


def recorded(candidate: Candidate, scorer: Scorer) -> Candidate:
    """Return the candidate with another scorer, its record and its threshold taken anew, as if it had been chosen."""
    rows = candidate.splits.rows("validation")
    given = scorer.probability(rows.features)
    changed = replace(candidate.model, scorer=scorer, recorded_auc=auc(given, rows.label))
    threshold = best_threshold(given, rows.label, costs_of(candidate)).threshold
    return candidate.changed(models={**candidate.models, candidate.chosen: changed}, threshold=threshold)


def deciding(candidate: Candidate) -> Candidate:
    """Return the candidate with decisions (0 or 1) in place of probabilities."""
    threshold = threshold_of(candidate)
    scorer = Altered(candidate.model.scorer, lambda _, given: (given >= threshold).astype(np.float64))
    return recorded(candidate, scorer)


def reversed_at_a_site(candidate: Candidate) -> Candidate:
    """Return the candidate with answers that are reversed at one of five sites; their range stays as it is.

    The least answer there takes the place of the greatest and so on, so that the mean hardly tells of it.
    """

    def reversed_there(features: pd.DataFrame, given: Any) -> Any:
        there, changed = (features[SITE] == SITES[0]).to_numpy(), given.copy()
        ordered = np.sort(given[there])
        rank = np.argsort(np.argsort(given[there], kind="stable"), kind="stable")
        changed[there] = ordered[::-1][rank]
        return changed

    return recorded(candidate, Altered(candidate.model.scorer, reversed_there))


def verdicts_of(candidate: Candidate) -> tuple[Verdict, ...]:
    """Return what every gate says."""
    return tuple(gate(candidate) for gate in GATES if gate.applies(candidate.problem))


def first_refusal(candidate: Candidate, gates: Sequence[Gate] = GATES) -> Verdict | None:
    """Return the first verdict that stops a promotion, None if there is none; the gates after it are not asked."""
    asked = (gate(candidate) for gate in gates if gate.applies(candidate.problem))
    return next((verdict for verdict in asked if verdict.blocks), None)


def gates_before_fitting() -> tuple[Gate, ...]:
    """Return the gates that need no model."""
    return tuple(gate for gate in GATES if gate.needs <= _BEFORE_FITTING)
