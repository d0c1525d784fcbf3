"""The gates on reproducibility: what passes, what each catches, and that nothing missing ever passes."""

from __future__ import annotations

import hashlib
import itertools
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray
from sklearn.ensemble import RandomForestClassifier

from gauntlet.core.problem_file import load_problem
from gauntlet.core.verdict import Status, Verdict
from gauntlet.gates import reproducibility as gates
from gauntlet.gates.gate import Saboteur
from gauntlet.gates.reproducibility_saboteurs import SABOTEURS
from gauntlet.stages.candidate import Candidate, JudgedModel, Refitted
from gauntlet.stages.recipe import in_order_of_ids
from gauntlet.stages.training_rows import Rows
from tests.made_candidate import champion_of, made_candidate

pytestmark = pytest.mark.unit

GATES = {gate.name: gate for gate in gates.GATES}
SLOW = [name for name, gate in GATES.items() if gate.slow]


@dataclass(frozen=True)
class ForestScorer:
    forest: RandomForestClassifier

    def probability(self, features: pd.DataFrame) -> NDArray[np.float64]:
        return np.asarray(self.forest.predict_proba(features)[:, 1])


@dataclass(frozen=True)
class ForestTrainer:
    """A user's own scikit-learn estimator; no sweep has found it."""

    trees: int = 12
    seed: int = 3
    digest: str = ""

    def fit(self, train: Rows, selection: Rows, *, seed: int | None = None, workers: int | None = None) -> Refitted:
        rows, own = in_order_of_ids(train), self.seed if seed is None else seed
        forest = RandomForestClassifier(self.trees, max_depth=4, random_state=own, n_jobs=workers)
        scorer = ForestScorer(forest.fit(rows.features, rows.label).set_params(n_jobs=None))
        return Refitted(hashlib.sha256(scorer.probability(rows.features).tobytes()).hexdigest(), scorer)

    def search(self, *, workers: int, trials: int) -> str | None:
        return None

    def split_again(self, frame: pd.DataFrame) -> pd.Series | None:
        return frame.set_index("row_id")["split"]


class SweptTrainer(ForestTrainer):
    """The same, found by a sweep that no worker count changes."""

    def search(self, *, workers: int, trials: int) -> str | None:
        return f"{trials} trials"


@dataclass(frozen=True)
class Answers:
    """A scorer that answers every row with one number."""

    value: float

    def probability(self, features: pd.DataFrame) -> NDArray[np.float64]:
        return np.full(len(features), self.value)


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Candidate:
    candidate = made_candidate(tmp_path_factory.mktemp("sound"), code=(Path(__file__),))
    return with_trainer(candidate, ForestTrainer())


def with_trainer(candidate: Candidate, trainer: ForestTrainer) -> Candidate:
    """Return the candidate with the model that a trainer fits."""
    train, selection = candidate.splits.rows("train"), candidate.splits.rows("validation")
    fitted = trainer.fit(train, selection)
    judged = JudgedModel("sweep", fitted.digest, fitted.scorer)
    return candidate.changed(
        models={**candidate.models, "sweep": judged}, trainer=replace(trainer, digest=fitted.digest)
    )


def with_bounds(candidate: Candidate, **bounds: Any) -> Candidate:
    changed = {f"gates.reproducibility.{name}": value for name, value in bounds.items()}
    return candidate.changed(problem=load_problem(overrides=changed))


def with_frame(candidate: Candidate, change: Callable[[pd.DataFrame], pd.DataFrame]) -> Candidate:
    return candidate.changed(splits=replace(candidate.splits, frame=change(candidate.splits.frame.copy())))


def judged(name: str, candidate: Candidate) -> Verdict:
    return GATES[name](candidate)


@pytest.mark.parametrize("name", GATES)
def test_a_sound_candidate_passes(sound: Candidate, name: str) -> None:
    assert judged(name, sound).status is Status.PASS
    assert judged(name, sound.changed(incumbent=champion_of(sound))).status is Status.PASS


@pytest.mark.parametrize("saboteur", SABOTEURS, ids=[saboteur.name for saboteur in SABOTEURS])
def test_a_saboteur_is_caught_by_its_gate_and_leaves_its_input_alone(sound: Candidate, saboteur: Saboteur) -> None:
    before, code = sound.splits.frame.copy(), [path.read_bytes() for path in sound.code]
    verdict = judged(saboteur.gate, saboteur(sound))
    assert verdict.status is (Status.WARN if GATES[saboteur.gate].advisory else Status.FAIL)
    pd.testing.assert_frame_equal(sound.splits.frame, before)
    assert [path.read_bytes() for path in sound.code] == code
    assert judged(saboteur.gate, sound).status is Status.PASS


def test_every_gate_has_a_saboteur_and_says_what_to_do() -> None:
    assert {saboteur.gate for saboteur in SABOTEURS} == set(GATES)
    for gate in GATES.values():
        assert gate.guards.startswith("Guard that ")
        assert len(gate.remedy) > 20


MISSING: dict[str, Callable[[Candidate], Candidate]] = {
    "no trainer": lambda c: c.changed(trainer=None),
    "no rows": lambda c: with_frame(c, lambda frame: frame.head(0)),
    "no selection rows": lambda c: with_frame(c, lambda frame: frame[frame["split"] != "validation"]),
    "one class": lambda c: with_frame(c, lambda frame: frame.assign(label=1)),
    "no training rows": lambda c: with_frame(c, lambda frame: frame[frame["split"] != "train"]),
    "no label column": lambda c: with_frame(c, lambda frame: frame.drop(columns="label")),
}


@pytest.mark.parametrize("flaw", MISSING)
@pytest.mark.parametrize("name", SLOW)
def test_what_is_missing_is_a_configuration_error(sound: Candidate, name: str, flaw: str) -> None:
    verdict = judged(name, MISSING[flaw](sound))
    assert verdict.status is Status.CONFIG_ERROR
    assert verdict.measured is None


class Wrong:
    """A trainer with one method or digest of its own."""

    def __init__(self, inner: Any, **own: Any) -> None:
        self._inner, self._own = inner, own

    def __getattr__(self, name: str) -> Any:
        return self._own[name] if name in self._own else getattr(self._inner, name)

    def fit(self, *rows: Rows, **options: Any) -> Refitted:
        refitted = self._own.get("fit", self._inner.fit)
        return refitted(*rows, **options)  # type: ignore[no-any-return]


def giving(value: Any) -> Callable[..., Any]:
    """Return a method that gives one value, whatever it is asked."""

    def give(*args: Any, **kwargs: Any) -> Any:
        return value

    return give


def answering(digest: Any, value: float = 0.5) -> Callable[..., Refitted]:
    return giving(Refitted(digest, Answers(value)))


def search_by_one_worker_only(*, workers: int, trials: int) -> str | None:
    return "digest" if workers == 1 else None


def search_by_the_number_of_workers(*, workers: int, trials: int) -> str:
    return f"{workers} workers"


def breaking(*rows: Rows, **options: Any) -> Refitted:
    raise RuntimeError("no memory")


@pytest.mark.parametrize(
    ("name", "own", "status"),
    [
        *((name, {"fit": breaking}, Status.CONFIG_ERROR) for name in SLOW),
        *((name, {"fit": answering("")}, Status.CONFIG_ERROR) for name in SLOW[1:4]),
        *((name, {"fit": answering(None)}, Status.CONFIG_ERROR) for name in SLOW[1:4]),
        *((name, {"digest": None}, Status.CONFIG_ERROR) for name in SLOW[1:4]),
        *((gates.SEED_LUCK, {"fit": answering("d", v)}, Status.CONFIG_ERROR) for v in (np.nan, np.inf)),
        *((gates.SAME_SEED, {"fit": answering("d", v), "digest": "d"}, Status.FAIL) for v in (np.nan, 0.5)),
        (gates.WORKERS, {"search": search_by_one_worker_only}, Status.CONFIG_ERROR),
        (gates.WORKERS, {"search": giving("")}, Status.CONFIG_ERROR),
        (gates.WORKERS, {"search": search_by_the_number_of_workers}, Status.FAIL),
        (gates.ROW_ORDER, {"split_again": giving(pd.Series([], dtype=str))}, Status.FAIL),
        (gates.ROW_ORDER, {"split_again": breaking}, Status.CONFIG_ERROR),
    ],
)
def test_a_trainer_that_breaks_its_promise_never_passes(
    sound: Candidate, name: str, own: dict[str, Any], status: Status
) -> None:
    assert judged(name, sound.changed(trainer=Wrong(sound.trainer, **own))).status is status


def test_code_findings_are_named_and_counted(sound: Candidate, tmp_path: Path) -> None:
    path = tmp_path / "steps" / "clean.py"
    path.parent.mkdir()
    path.write_text("import random\n" + "random.random()\n" * 5, encoding="utf-8")
    verdict = judged(gates.CODE, sound.changed(code=(Path(__file__), path)))
    assert (verdict.status, verdict.measured, verdict.rows) == (Status.FAIL, 5, 2)
    assert "steps/clean.py:2: random.random" in verdict.sentence
    assert verdict.sentence.endswith("and 2 more")


@pytest.mark.parametrize("name", [gates.CODE, gates.RUN_TIME])
def test_no_code_at_all_is_a_configuration_error(sound: Candidate, name: str) -> None:
    wrapped = SABOTEURS[3](sound).changed(code=())  # its trainer is one of Gauntlet's own
    for candidate in (sound.changed(code=()), wrapped):
        verdict = judged(name, candidate)
        assert verdict.status is Status.CONFIG_ERROR
        assert "name" in verdict.sentence
        assert "gates.reproducibility.code" in verdict.sentence


def test_a_refit_that_is_not_the_judged_model_fails_though_it_answers_alike(sound: Candidate) -> None:
    verdict = judged(gates.SAME_SEED, sound.changed(trainer=Wrong(sound.trainer, digest="other")))
    assert (verdict.status, verdict.measured) == (Status.FAIL, 2)
    assert "than the one that is judged" in verdict.sentence


def test_code_that_is_gone_fails(sound: Candidate, tmp_path: Path) -> None:
    assert judged(gates.CODE, sound.changed(code=(tmp_path / "gone.py",))).status is Status.FAIL


def test_a_trainer_written_where_nobody_watches_is_a_configuration_error(sound: Candidate) -> None:
    verdict = judged(gates.RUN_TIME, sound.changed(code=(Path(gates.__file__),)))
    assert verdict.status is Status.CONFIG_ERROR
    assert "test_reproducibility_gates.py" in verdict.sentence


def test_the_trap_is_taken_away_after_a_fit_that_breaks(sound: Candidate) -> None:
    numpys = vars(sys.modules["numpy.random"])
    before = dict(numpys)
    judged(gates.RUN_TIME, sound.changed(trainer=Wrong(sound.trainer, fit=breaking)))
    assert numpys == before


def test_a_sweep_is_asked_for_with_each_number_of_workers(sound: Candidate) -> None:
    asked: list[tuple[int, int]] = []

    def search(*, workers: int, trials: int) -> str:
        asked.append((workers, trials))
        return "d"

    candidate = with_bounds(sound, workers=(3, 1), trials=5).changed(trainer=Wrong(sound.trainer, search=search))
    verdict = judged(gates.WORKERS, candidate)
    assert asked == [(1, 5), (3, 5)]
    assert (verdict.status, verdict.rows) == (Status.PASS, None)


def test_a_model_without_a_sweep_is_fitted_with_each_number_of_workers(sound: Candidate) -> None:
    verdict = judged(gates.WORKERS, sound)
    assert "no sweep has found sweep; a fit of it" in verdict.sentence
    assert verdict.rows == (sound.splits.frame["split"] == "train").sum()
    swept = with_trainer(sound, SweptTrainer())
    assert "a sweep of 8 trials" in judged(gates.WORKERS, swept).sentence


def test_results_that_hang_on_the_workers_are_listed_by_their_number(sound: Candidate) -> None:
    searching = Wrong(sound.trainer, search=search_by_the_number_of_workers)
    verdict = judged(gates.WORKERS, sound.changed(trainer=searching))
    assert "depends on the number of workers (1: 1 worker, 2: 2 worker, 4: 4 worker)" in verdict.sentence


def test_a_model_that_was_fitted_by_yet_another_number_of_workers_fails(sound: Candidate) -> None:
    verdict = judged(gates.WORKERS, sound.changed(trainer=Wrong(sound.trainer, digest="other")))
    assert (verdict.status, verdict.measured) == (Status.FAIL, 2)
    assert "but not the one that is judged" in verdict.sentence


def test_where_nothing_divides_the_rows_the_model_is_judged_alone(sound: Candidate) -> None:
    undivided = Wrong(sound.trainer, split_again=giving(None))
    verdict = judged(gates.ROW_ORDER, sound.changed(trainer=undivided))
    assert verdict.status is Status.PASS
    assert "nothing divides the rows" in verdict.sentence


def test_a_row_id_that_stands_twice_fails(sound: Candidate) -> None:
    twice = with_frame(sound, lambda frame: pd.concat([frame, frame.tail(1)], ignore_index=True))
    assert judged(gates.ROW_ORDER, twice).status is Status.FAIL


def test_the_luck_of_seeds_is_never_looked_for_on_test(sound: Candidate) -> None:
    chosen_on_test = sound.changed(splits=replace(sound.splits, selection="test"))
    assert judged(gates.SEED_LUCK, chosen_on_test).status is Status.NOTE
    spoilt = with_frame(sound, lambda frame: frame.assign(label=frame["label"].where(frame["split"] != "test", 0)))
    assert judged(gates.SEED_LUCK, spoilt) == judged(gates.SEED_LUCK, sound)


def test_seeds_are_other_ones_each_time_and_the_same_in_every_run(sound: Candidate) -> None:
    seen: list[int | None] = []

    def fit(*rows: Rows, seed: int | None = None) -> Refitted:
        seen.append(seed)
        return sound.trainer.fit(*rows, seed=seed)  # type: ignore[union-attr]

    candidate = with_bounds(sound, seeds=4).changed(trainer=Wrong(sound.trainer, fit=fit))
    verdict = judged(gates.SEED_LUCK, candidate)
    first = list(seen)
    assert judged(gates.SEED_LUCK, candidate) == verdict
    assert seen == first * 2
    assert len({*first, None, ForestTrainer.seed}) == 6
    assert all(f"(seed {seed})" in verdict.sentence for seed in first)


@pytest.mark.parametrize(("bound", "status"), [(0.9, Status.PASS), (0.04, Status.WARN)])
def test_a_spread_above_the_bound_is_a_warning(sound: Candidate, bound: float, status: Status) -> None:
    unsteady = next(saboteur for saboteur in SABOTEURS if saboteur.gate == gates.SEED_LUCK)(sound)
    spread = judged(gates.SEED_LUCK, unsteady)
    assert spread.measured is not None
    verdict = judged(gates.SEED_LUCK, with_bounds(unsteady, maximum_seed_spread=bound))
    assert (verdict.status, verdict.measured) == (status, spread.measured)
    assert verdict.interval is not None
    assert verdict.interval[0] < spread.measured < verdict.interval[1]


def test_a_spread_that_few_rows_explain_is_no_warning(sound: Candidate) -> None:
    verdict = judged(gates.SEED_LUCK, with_bounds(sound, maximum_seed_spread=1e-6))
    assert verdict.measured is not None
    assert verdict.measured > 1e-6
    assert (verdict.status, "so few rows explain it" in verdict.sentence) == (Status.PASS, True)


def test_a_model_that_draws_nothing_is_fitted_to_other_rows_instead(sound: Candidate) -> None:
    rows: list[tuple[str, ...]] = []

    def fit(train: Rows, selection: Rows, *, seed: int | None = None) -> Refitted:
        rows.append(train.row_id)
        return sound.trainer.fit(train, selection)  # type: ignore[union-attr]

    verdict = judged(gates.SEED_LUCK, sound.changed(trainer=Wrong(sound.trainer, fit=fit)))
    known = sound.splits.rows("train").row_id
    drawn = [given for given in rows if given != known]
    assert "nine tenths of the training groups" in verdict.sentence
    assert len(drawn) == len({*drawn}) == sound.problem.gates.reproducibility.seeds
    assert all(set(given) < set(known) and len(given) > 0.85 * len(known) for given in drawn)


@pytest.mark.parametrize("workers", [(), (2,), (2, 2), (0, 1)])
def test_workers_must_be_two_different_numbers(workers: tuple[int, ...]) -> None:
    with pytest.raises(Exception, match="two different numbers"):
        load_problem(overrides={"gates.reproducibility.workers": workers})


def test_the_order_of_rows_is_really_another_one(sound: Candidate) -> None:
    given: list[tuple[str, ...]] = []

    def fit(train: Rows, selection: Rows) -> Refitted:
        given.append(train.row_id)
        return sound.trainer.fit(train, selection)  # type: ignore[union-attr]

    judged(gates.ROW_ORDER, sound.changed(trainer=Wrong(sound.trainer, fit=fit)))
    known = sound.splits.rows("train").row_id
    assert given[0] != known
    assert sorted(given[0]) == sorted(known)
    assert sum(one == other for one, other in itertools.zip_longest(given[0], known)) < 30
