"""This module provides the recipe of a model in memory: forests, search and choice on given rows, without Spark.

The stages ``baseline``, ``sweep`` and ``select`` do the same on Spark and leave files; they share their parts with this
module. Whoever needs the whole recipe on other rows (a fold, a simulated table) calls ``fit_recipe``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from gauntlet.adapters.model_files import FittedModel
from gauntlet.adapters.objective import BoostedTreesObjective, Matrices, PackedMatrices, booster_parameters
from gauntlet.adapters.sweep_engine import Search, run_sweep
from gauntlet.adapters.tpe import fit_seed
from gauntlet.core import scores
from gauntlet.core.encoding import Encoding, encode, learn_encoding
from gauntlet.core.errors import DataError
from gauntlet.core.problem import Costs, Problem
from gauntlet.core.results import CostPoint
from gauntlet.core.seeding import Seeds
from gauntlet.core.trials import Trial, TrialResult, best_trial
from gauntlet.stages.baseline import FOREST, REFERENCE_FOREST, fit_forest
from gauntlet.stages.training_rows import Rows

BOOSTER = "sweep"

# What the record of a booster holds beside the point that was tried.
_NOT_SEARCHED = frozenset({*booster_parameters(Trial(index=0, seed=0, params={})), "rounds"})


@dataclass(frozen=True)
class RecipeModel:
    """One of the models that a recipe fits.

    Attributes:
        name: ``forest``, ``reference_forest`` or ``sweep``, as the stages name them.
        parameters: What it was fitted with; ``fit_again`` takes them.
        fitted: The model.
        auc_selection: Its AUC on the selection rows.
    """

    name: str
    parameters: Mapping[str, float | int | str]
    fitted: FittedModel
    auc_selection: float


@dataclass(frozen=True)
class FittedRecipe:
    """What a recipe leaves.

    Attributes:
        models: All models that were compared, the simpler first.
        chosen: The chosen one.
        threshold: Rows at or above this probability are decided positive.
        trials: All trials of the search, in index order.
    """

    models: tuple[RecipeModel, ...]
    chosen: RecipeModel
    threshold: float
    trials: tuple[TrialResult, ...]

    def probability(self, features: pd.DataFrame) -> NDArray[np.float64]:
        """Return the chosen model's probability of the positive class, one a row."""
        return self.chosen.fitted.probability(features)


@dataclass(frozen=True)
class Choice:
    """The chosen model and its threshold.

    Attributes:
        name: The chosen model.
        auc: Each model's AUC on the selection rows.
        best: The threshold, and its cost a row of the selection.
    """

    name: str
    auc: Mapping[str, float]
    best: CostPoint


def fit_recipe(train: Rows, selection: Rows, *, problem: Problem, seeds: Seeds, threads: int = 1) -> FittedRecipe:
    """Fit both forests, search for the best boosted trees, and choose a model and a threshold, in this process.

    With the rows and the seeds of a run it gives the run's models, bit for bit. The order of rows and the number of
    threads change nothing.

    Args:
        train: The rows to learn from.
        selection: The rows to stop early on and to choose by.
        problem: The problem: its features, search, forests and costs.
        seeds: The source of random draws.
        threads: How many threads fit a forest; a booster is always fitted by one.

    Raises:
        DataError: If there is not one identifier a row, rows of one class only, or too many trials fail.
    """
    train, selection = in_order_of_ids(train), in_order_of_ids(selection)
    encoding = learn_encoding(train.features, problem.features)
    found: list[tuple[str, dict[str, float | int | str], FittedModel]] = []
    for name, trees in ((FOREST, problem.baseline.trees), (REFERENCE_FOREST, problem.baseline.reference_trees)):
        seed = seeds.integer("baseline", name)
        forest = fit_forest(train, encoding, trees=trees, seed=seed, threads=threads)
        parameters: dict[str, float | int | str] = {"n_estimators": trees, "random_state": seed}
        found.append((name, parameters, FittedModel("forest", encoding, forest)))
    objective = boosted_objective(train, selection, encoding=encoding, problem=problem)
    trials = run_sweep(None, search=Search(objective=objective, rule=problem.sweep, seeds=seeds))
    winner = best_trial(trials)
    trial = Trial(index=winner.index, seed=fit_seed(seeds, winner.index), params=winner.params)
    booster = replace(objective, limit_seconds=None).fit(trial, objective.prepare()).model
    parameters = {**booster_parameters(trial), "rounds": booster.num_boosted_rounds()}
    found.append((BOOSTER, parameters, FittedModel("booster", encoding, booster)))
    given = {name: model.probability(selection.features) for name, _, model in found}
    costs = scores.costs_in_force(problem.costs, positive_share=float(train.label.mean()))
    choice = choose(given, selection.label, costs=costs)
    models = {name: RecipeModel(name, parameters, model, choice.auc[name]) for name, parameters, model in found}
    return FittedRecipe(tuple(models.values()), models[choice.name], choice.best.threshold, trials)


def choose(probability: Mapping[str, NDArray[np.float64]], label: NDArray[np.int8], *, costs: Costs) -> Choice:
    """Return the model with the highest AUC, of equal ones the first, and its threshold.

    Args:
        probability: Each model's answers to the selection rows; the simpler models first.
        label: The rows' labels.
        costs: What wrong decisions cost.

    Raises:
        DataError: If the rows have one class only, or an answer is no probability.
    """
    measured = {name: scores.auc(given, label) for name, given in probability.items()}
    name = max(measured, key=measured.__getitem__)  # max takes the first of equals
    return Choice(name, measured, scores.best_threshold(probability[name], label, costs))


def boosted_objective(
    train: Rows,
    selection: Rows,
    *,
    encoding: Encoding,
    problem: Problem,
    trees: Literal["best", "all"] = "best",
) -> BoostedTreesObjective:
    """Return the objective of a search for boosted trees on some rows.

    Args:
        train: The rows to learn from.
        selection: The rows to stop early on.
        encoding: How features enter the matrix, learnt on the training rows.
        problem: The problem, for the rules of its search.
        trees: Which trees predict; the tutorial takes all that were grown, also after the best iteration.
    """
    matrices = Matrices(
        train=encode(train.features, encoding),
        train_label=train.label,
        selection=encode(selection.features, encoding),
        selection_label=selection.label,
    )
    return BoostedTreesObjective(
        data=PackedMatrices.pack(matrices),
        max_rounds=problem.sweep.max_rounds,
        early_stopping_rounds=problem.sweep.early_stopping_rounds,
        limit_seconds=problem.sweep.trial_seconds,
        trees=trees,
    )


def fit_again(  # noqa: PLR0913 - what a fit depends on, each by name
    train: Rows,
    selection: Rows,
    *,
    family: Literal["forest", "booster"],
    parameters: Mapping[str, Any],
    problem: Problem,
    trees: Literal["best", "all"] = "best",
    seed: int | None = None,
    threads: int | None = None,
) -> FittedModel:
    """Fit a model of known parameters to other rows, or with another seed.

    Args:
        train: The rows to learn from, in the order in which the model sees them.
        selection: The rows to stop early on; a forest has no use for them.
        family: What it is.
        parameters: What the model was fitted with.
        problem: The problem.
        trees: Which of a booster's trees predict, see ``boosted_objective``.
        seed: Another seed; None takes the one among the parameters.
        threads: How many threads fit a forest; None takes one for each core.
    """
    encoding = learn_encoding(train.features, problem.features)
    if family == "forest":
        own = int(parameters["random_state"]) if seed is None else seed
        forest = fit_forest(train, encoding, trees=int(parameters["n_estimators"]), seed=own, threads=threads)
        return FittedModel(family, encoding, forest)
    objective = boosted_objective(train, selection, encoding=encoding, problem=problem, trees=trees)
    searched: dict[str, Any] = {name: value for name, value in parameters.items() if name not in _NOT_SEARCHED}
    trial = Trial(index=0, seed=int(parameters["seed"]) if seed is None else seed, params=searched)
    # The parameters kept the limit when they were found; how long this process takes is of no matter.
    fitted = replace(objective, limit_seconds=None).fit(trial, objective.prepare())
    return FittedModel(family, encoding, fitted.model)


def in_order_of_ids(rows: Rows) -> Rows:
    """Return rows in the order of their identifiers: a fit then does not depend on the order in which they came.

    Raises:
        DataError: If there is not one identifier a row.
    """
    if len(rows.row_id) != len(rows.label):
        raise DataError(f"recipe: {len(rows.row_id)} row_id for {len(rows.label)} rows; each row needs its own")
    order = sorted(range(len(rows.row_id)), key=rows.row_id.__getitem__)
    return Rows(
        features=rows.features.iloc[order].reset_index(drop=True),
        label=rows.label[order],
        row_id=tuple(rows.row_id[place] for place in order),
    )
