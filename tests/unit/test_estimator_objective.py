"""scikit-learn's classifiers in a sweep: the forest and others, reproducible, refused before any worker runs."""

from pathlib import Path
from typing import Any

import pytest

from gauntlet.adapters.estimator_objective import EstimatorObjective
from gauntlet.adapters.objective import PackedMatrices, run_trial
from gauntlet.adapters.sweep_engine import Search, run_sweep
from gauntlet.core.errors import InputError
from gauntlet.core.search import SweepRule
from gauntlet.core.seeding import Seeds
from gauntlet.core.trials import Trial, trials_digest
from tests.unit.test_objective import made_matrices

pytestmark = pytest.mark.unit

FOREST = "sklearn.ensemble.RandomForestClassifier"
BOOSTING = "sklearn.ensemble.HistGradientBoostingClassifier"
SPACES = {
    FOREST: {"max_depth": {"distribution": "quniform", "low": 2, "high": 9, "step": 1}},
    BOOSTING: {"learning_rate": {"distribution": "loguniform", "low": -3, "high": 0}},
}
SETTINGS: dict[str, dict[str, Any]] = {FOREST: {"n_estimators": 5}, BOOSTING: {"max_iter": 5}}


def objective(estimator: str = FOREST, **settings: Any) -> EstimatorObjective:
    given = settings or SETTINGS.get(estimator, {})
    return EstimatorObjective(PackedMatrices.pack(made_matrices()), estimator, given)


@pytest.mark.parametrize("estimator", [FOREST, BOOSTING])
def test_a_classifier_can_be_swept_and_gives_the_same_sweep_again(tmp_path: Path, estimator: str) -> None:
    rule = SweepRule.model_validate({"trials": 6, "lag": 2, "space": SPACES[estimator]})
    runs = [
        run_sweep(None, search=Search(objective(estimator), rule, Seeds(seed), tmp_path / f"{number}.jsonl"))
        for number, seed in enumerate((3, 3, 4))
    ]
    assert all(result.failure is None and (result.auc or 0) > 0.6 for result in runs[0])
    assert trials_digest(runs[0]) == trials_digest(runs[1]) != trials_digest(runs[2])


def test_a_forest_draws_from_the_trials_own_seed() -> None:
    aucs = [run_trial(objective(), Trial(0, seed, {"max_depth": 4})).auc for seed in (1, 1, 2)]
    assert aucs[0] == aucs[1] != aucs[2]


def test_identity_knows_class_and_settings() -> None:
    identities = {objective().identity, objective(n_estimators=6).identity, objective(BOOSTING).identity}
    assert len(identities) == 3
    assert objective().identity == objective().identity


@pytest.mark.parametrize(
    ("parameters", "said"),
    [
        (["max_deep"], "has no parameter max_deep; it has .*max_depth"),
        (["n_estimators"], "n_estimators of .* cannot be searched: it is set already"),
        (["random_state"], "random_state of .* cannot be searched"),
    ],
)
def test_what_cannot_be_searched_is_told_before_any_trial(tmp_path: Path, parameters: list[str], said: str) -> None:
    space = dict.fromkeys(parameters, SPACES[FOREST]["max_depth"])
    rule = SweepRule.model_validate({"trials": 3, "space": space})
    journal = tmp_path / "trials.jsonl"
    with pytest.raises(InputError, match=said):
        run_sweep(None, search=Search(objective(), rule, Seeds(1), journal))
    assert not journal.exists()


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("sklearn.ensemble.NoSuchForest", "there is no classifier"),
        ("Forest", "give its full name"),
        ("sklearn.linear_model.LinearRegression", "no classifier that gives probabilities"),
    ],
)
def test_what_is_no_classifier_is_told(name: str, said: str) -> None:
    with pytest.raises(InputError, match=said):
        objective(name).fault(["max_depth"])
