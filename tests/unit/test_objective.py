"""The objectives of a sweep: boosted trees, and what becomes of a trial that goes wrong."""

from __future__ import annotations

import dataclasses
import pickle
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.metrics import log_loss, roc_auc_score

from gauntlet.adapters.objective import (
    BoostedTreesObjective,
    Matrices,
    PackedMatrices,
    Score,
    area_under_curve,
    run_trial,
)
from gauntlet.core.search import SEARCHABLE
from gauntlet.core.trials import Trial
from tests.sweep_objectives import PatchyValley, UnevenValley, Valley

pytestmark = pytest.mark.unit

TRIAL = Trial(
    index=0,
    seed=11,
    params={"max_depth": 6, "learning_rate": 0.4, "reg_alpha": 0.01, "reg_lambda": 0.01, "min_child_weight": 0.5},
)


def made_matrices(seed: int = 0) -> Matrices:
    """Return rows with a missing value here and there, and labels that the first two columns explain in part."""
    generator = np.random.Generator(np.random.PCG64(seed))
    values = generator.normal(size=(500, 5)).astype(np.float32)
    label = (values[:, 0] - values[:, 1] + generator.normal(size=500) > 0.8).astype(np.int8)
    values[generator.random(values.shape) < 0.03] = np.nan
    return Matrices(train=values[:350], train_label=label[:350], selection=values[350:], selection_label=label[350:])


def boosted(matrices: Matrices | None = None, **changes: Any) -> BoostedTreesObjective:
    settings: dict[str, Any] = {"max_rounds": 60, "early_stopping_rounds": 10, **changes}
    return BoostedTreesObjective(data=PackedMatrices.pack(matrices or made_matrices()), **settings)


def travelled(value: Any) -> Any:
    """Return a value as it arrives at a worker."""
    return pickle.loads(pickle.dumps(value))  # noqa: S301 - our own bytes


def test_matrices_survive_their_journey() -> None:
    matrices = made_matrices()
    unpacked = travelled(PackedMatrices.pack(matrices)).unpack()
    for name, values in vars(matrices).items():
        np.testing.assert_array_equal(getattr(unpacked, name), values)
        assert getattr(unpacked, name).dtype == values.dtype


def test_the_digest_of_matrices_knows_their_values() -> None:
    matrices = made_matrices()
    label = matrices.train_label.copy()
    label[0] = 1 - label[0]
    changed = dataclasses.replace(matrices, train_label=label)
    assert PackedMatrices.pack(matrices).digest == PackedMatrices.pack(made_matrices()).digest
    assert PackedMatrices.pack(changed).digest != PackedMatrices.pack(matrices).digest


def test_a_trial_reports_what_the_model_that_is_kept_predicts() -> None:
    objective = boosted()
    prepared = objective.prepare()
    fitted = objective.fit(TRIAL, prepared)
    rows = prepared.rows
    assert fitted.model.num_boosted_rounds() == fitted.best_iteration + 1 < fitted.booster.num_boosted_rounds()
    predicted = fitted.uncalibrated.inplace_predict(rows.selection)
    assert run_trial(objective, TRIAL).auc == fitted.auc == roc_auc_score(rows.selection_label, predicted)
    calibrated = fitted.model.inplace_predict(rows.selection)
    assert roc_auc_score(rows.selection_label, calibrated) == pytest.approx(fitted.auc, abs=1e-5)
    assert log_loss(rows.selection_label, calibrated) < log_loss(rows.selection_label, predicted)


def test_the_tutorial_lets_all_trees_predict_as_they_are() -> None:
    objective = boosted(trees="all")
    prepared = objective.prepare()
    fitted = objective.fit(TRIAL, prepared)
    everything = fitted.booster.num_boosted_rounds()
    assert fitted.model.num_boosted_rounds() == everything > fitted.best_iteration + 1
    assert run_trial(objective, TRIAL).auc == area_under_curve(fitted.model, prepared.rows, trees=everything)
    assert fitted.auc != boosted().fit(TRIAL, prepared).auc


def test_a_saved_model_gives_the_same_auc_and_the_same_bytes(tmp_path: Path) -> None:
    from xgboost import Booster  # noqa: PLC0415 - takes a second to import

    objective = boosted()
    prepared = objective.prepare()
    files = [tmp_path / "one.ubj", tmp_path / "two.ubj"]
    for file in files:
        objective.fit(TRIAL, prepared).model.save_model(file)
    assert files[0].read_bytes() == files[1].read_bytes()
    loaded = Booster(model_file=files[0])
    kept = objective.fit(TRIAL, prepared).model
    expected = area_under_curve(kept, prepared.rows, trees=kept.num_boosted_rounds())
    assert area_under_curve(loaded, prepared.rows, trees=loaded.num_boosted_rounds()) == expected


def test_the_uncalibrated_model_answers_training_rows_as_it_was_fitted() -> None:
    objective = boosted()
    prepared = objective.prepare()
    fitted = objective.fit(TRIAL, prepared)
    own, train = fitted.booster[: fitted.trees], prepared.rows.train
    assert own.inplace_predict(train).tobytes() == fitted.uncalibrated.inplace_predict(train).tobytes()
    assert own.save_raw() != fitted.uncalibrated.save_raw()
    # It was stopped early on the log loss of the model that is kept, not on that of XGBoost's own thresholds.
    kept, others = (
        log_loss(prepared.rows.selection_label, model.inplace_predict(prepared.rows.selection).astype(float))
        for model in (fitted.uncalibrated, own)
    )
    assert fitted.booster.best_score == pytest.approx(kept, abs=1e-6)
    assert fitted.booster.best_score != pytest.approx(others, abs=1e-6)
    assert area_under_curve(own, prepared.rows, trees=fitted.trees) != pytest.approx(fitted.auc, abs=1e-4)
    noisy = train * (1 + np.float32(1e-6))
    for model in (fitted.uncalibrated, fitted.model):
        assert model.inplace_predict(noisy).tobytes() == model.inplace_predict(train).tobytes()


def test_thread_settings_of_the_environment_change_no_bit() -> None:
    code = (
        "from tests.unit.test_objective import TRIAL, boosted, run_trial\n"
        "r = run_trial(boosted(), TRIAL); print(repr(r.auc), r.best_iteration, r.failure)"
    )
    here = run_trial(boosted(), TRIAL)
    environment = {"OMP_NUM_THREADS": "3", "PYTHONPATH": ":".join(filter(None, sys.path))}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.split() == [repr(here.auc), str(here.best_iteration), "None"]


def test_an_exception_becomes_the_reason_on_one_line() -> None:
    result = run_trial(PatchyValley(), Trial(index=3, seed=0, params={"rate": 0.1, "depth": 4}))
    assert result.auc is None
    assert result.failure == "RuntimeError: no luck with trial 3"


def test_an_auc_that_is_no_number_is_a_failure() -> None:
    result = run_trial(PatchyValley(), Trial(index=5, seed=0, params={"rate": 0.1, "depth": 4}))
    assert (result.auc, result.best_iteration, result.failure) == (None, None, "its AUC is nan")


def test_a_parameter_that_xgboost_refuses_fails_its_trial() -> None:
    result = run_trial(boosted(), dataclasses.replace(TRIAL, params={"learning_rate": -1.0}))
    assert result.auc is None
    assert "learning_rate" in str(result.failure)


def test_a_fit_beyond_its_limit_is_stopped_and_fails() -> None:
    result = run_trial(boosted(limit_seconds=1e-9), TRIAL)
    assert result.auc is None
    assert result.failure == "TimeoutError: stopped in round 0 after 1e-09 s, the most that a trial may take"
    assert run_trial(boosted(limit_seconds=3600.0), TRIAL).auc == run_trial(boosted(), TRIAL).auc


def test_any_model_that_took_longer_than_its_limit_has_failed() -> None:
    trial = Trial(index=1, seed=0, params={"rate": 0.1, "depth": 4})
    assert run_trial(UnevenValley(), trial, limit_seconds=1e-9).failure == (
        "it took longer than 1e-09 s, the most that a trial may take"
    )
    assert run_trial(UnevenValley(), trial, limit_seconds=3600.0).failure is None


def test_the_searchable_parameters_are_ones_that_xgboost_has() -> None:
    from xgboost import XGBClassifier  # noqa: PLC0415 - takes a second to import

    known = set(XGBClassifier().get_params())
    assert SEARCHABLE - known == {"eta", "min_split_loss", "lambda", "alpha"}
    assert boosted().fault(TRIAL.params) is None
    assert "max_deep" in str(boosted().fault(["max_depth", "max_deep"]))


def test_a_failing_preparation_fails_the_trial() -> None:
    class Unprepared(Valley):
        def prepare(self) -> Any:
            raise MemoryError("too many rows")

    result = run_trial(Unprepared(identity="unprepared"), TRIAL)
    assert result.failure == "MemoryError: too many rows"


def test_preparation_happens_once_for_all_trials_of_an_objective() -> None:
    prepared: list[str] = []

    class Watched(Valley):
        def prepare(self) -> Any:
            prepared.append(self.identity)
            return 0.9

        def evaluate(self, trial: Trial, prepared: Any) -> Score:
            return Score(auc=prepared)

    for identity in ("first", "first", "second", "second", "first"):
        run_trial(Watched(identity=identity), TRIAL)
    assert prepared == ["first", "second", "first"]


def test_the_identity_names_all_that_a_trial_depends_on() -> None:
    objectives = [
        boosted(),
        boosted(made_matrices(seed=1)),
        boosted(max_rounds=61),
        boosted(early_stopping_rounds=11),
        boosted(trees="all"),
    ]
    assert len({objective.identity for objective in objectives}) == len(objectives)
    assert boosted().identity == travelled(boosted()).identity
