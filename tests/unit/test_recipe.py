"""The recipe in memory: one seed gives one model, whatever the order of rows and the number of threads."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest

from gauntlet.core.errors import DataError
from gauntlet.core.problem import Costs, Problem
from gauntlet.core.problem_file import load_problem
from gauntlet.core.scores import best_threshold
from gauntlet.core.seeding import Seeds
from gauntlet.core.trials import best_trial, trials_digest
from gauntlet.stages.candidate import Splits
from gauntlet.stages.recipe import FittedRecipe, choose, fit_again, fit_recipe
from gauntlet.stages.training_rows import Rows
from tests.made_candidate import made_frame

pytestmark = pytest.mark.unit

OVERRIDES = {"sweep.trials": 5, "sweep.max_rounds": 40, "baseline.trees": 5, "baseline.reference_trees": 12}


@cache
def made() -> tuple[Problem, Rows, Rows]:
    problem = load_problem(overrides=OVERRIDES)
    features = tuple(column.name for column in problem.features)
    splits = Splits(made_frame(problem, rows=500), features, "honest", "validation")
    return problem, splits.rows("train"), splits.rows("validation")


@cache
def fitted() -> FittedRecipe:
    problem, train, selection = made()
    return fit_recipe(train, selection, problem=problem, seeds=Seeds(3))


def shuffled(rows: Rows) -> Rows:
    order = np.random.default_rng(2).permutation(len(rows.label))
    return Rows(
        features=rows.features.iloc[order].reset_index(drop=True),
        label=rows.label[order],
        row_id=tuple(rows.row_id[place] for place in order),
    )


def test_neither_the_order_of_rows_nor_threads_change_a_recipe() -> None:
    problem, train, selection = made()
    again = fit_recipe(shuffled(train), shuffled(selection), problem=problem, seeds=Seeds(3), threads=3)
    assert trials_digest(again.trials) == trials_digest(fitted().trials)
    assert (again.chosen.name, again.threshold) == (fitted().chosen.name, fitted().threshold)
    for one, other in zip(again.models, fitted().models, strict=True):
        assert (one.name, one.auc_selection) == (other.name, other.auc_selection)
        np.testing.assert_array_equal(
            one.fitted.probability(selection.features), other.fitted.probability(selection.features)
        )


def test_another_seed_gives_another_search() -> None:
    problem, train, selection = made()
    other = fit_recipe(train, selection, problem=problem, seeds=Seeds(4))
    assert trials_digest(other.trials) != trials_digest(fitted().trials)


def test_a_recipe_chooses_its_best_model_and_learns_something() -> None:
    _, _, selection = made()
    assert [model.name for model in fitted().models] == ["forest", "reference_forest", "sweep"]
    assert fitted().chosen.auc_selection == max(model.auc_selection for model in fitted().models) > 0.7
    np.testing.assert_array_equal(
        fitted().probability(selection.features), fitted().chosen.fitted.probability(selection.features)
    )


def test_the_booster_that_is_kept_is_the_one_that_the_search_judged() -> None:
    booster = fitted().models[-1]
    assert booster.auc_selection == best_trial(fitted().trials).auc
    _, train, _ = made()
    noisy = train.features * (1 + 1e-7)
    np.testing.assert_array_equal(booster.fitted.probability(noisy), booster.fitted.probability(train.features))


def test_without_costs_the_threshold_gives_both_classes_the_same_expected_cost() -> None:
    problem, train, selection = made()
    open_costs = problem.model_copy(update={"costs": None})
    found = fit_recipe(train, selection, problem=open_costs, seeds=Seeds(3))
    positives, negatives = (train.label == 1).sum(), (train.label == 0).sum()
    balanced = Costs(false_positive=1.0, false_negative=negatives / positives)
    given = found.probability(selection.features)
    assert found.chosen.name == fitted().chosen.name
    assert found.threshold == best_threshold(given, selection.label, balanced).threshold
    assert found.threshold != best_threshold(given, selection.label, Costs()).threshold


@pytest.mark.parametrize("place", range(3))
def test_a_models_parameters_fit_it_again(place: int) -> None:
    problem, train, selection = made()
    model = fitted().models[place]
    again = fit_again(
        train, selection, family=model.fitted.family, parameters=model.parameters, problem=problem, threads=2
    )
    np.testing.assert_array_equal(again.probability(selection.features), model.fitted.probability(selection.features))


def test_of_equally_good_models_the_first_is_chosen() -> None:
    label = np.array([0, 1, 0, 1], dtype=np.int8)
    good, bad = np.array([0.1, 0.8, 0.2, 0.9]), np.array([0.4, 0.3, 0.2, 0.1])
    choice = choose({"bad": bad, "simple": good, "equal": good / 2}, label, costs=Costs())
    assert choice.name == "simple"
    assert choice.auc == {"bad": 0.25, "simple": 1.0, "equal": 1.0}
    assert choice.best.cost == 0


def test_rows_without_identifiers_are_refused() -> None:
    problem, train, selection = made()
    with pytest.raises(DataError, match="each row needs its own"):
        fit_recipe(Rows(train.features, train.label, train.row_id[1:]), selection, problem=problem, seeds=Seeds(3))
