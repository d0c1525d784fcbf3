"""The chosen model fitted again: the stages' own models bit for bit, whatever the rows' order and the workers."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gauntlet.adapters.model_files import load_fitted, save_model
from gauntlet.adapters.state_place import relocate
from gauntlet.core.canonical import file_digest
from gauntlet.core.errors import DataError
from gauntlet.core.problem_file import load_problem
from gauntlet.core.state import State
from gauntlet.stages.baseline import baseline
from gauntlet.stages.recipe import fit_recipe, in_order_of_ids
from gauntlet.stages.trainer import RoadTrainer
from gauntlet.stages.training_rows import Rows, read_split
from tests.data.trained_world import OVERRIDES, TrainedWorld, make_context, shared_world

pytestmark = pytest.mark.data

MODELS = ("sweep", "forest", "reference_forest")


@pytest.fixture(scope="module")
def world(spark: Any, make_target: Any, tmp_path_factory: pytest.TempPathFactory) -> TrainedWorld:
    return shared_world(tmp_path_factory, spark, make_target)


def picked(rows: Rows, places: Any) -> Rows:
    return Rows(
        features=rows.features.iloc[places].reset_index(drop=True),
        label=rows.label[places],
        row_id=tuple(np.array(rows.row_id)[places]),
    )


def shuffled(rows: Rows, seed: int) -> Rows:
    return picked(rows, np.random.default_rng(seed).permutation(len(rows.label)))


def both(world: TrainedWorld) -> tuple[Rows, Rows]:
    return world.splits.rows("train"), world.splits.rows("validation")


@pytest.mark.parametrize("workers", [None, 1, 3])
@pytest.mark.parametrize("name", MODELS)
def test_a_fit_gives_the_stages_model_bit_for_bit(world: TrainedWorld, name: str, workers: int | None) -> None:
    trainer, (train, selection) = world.trainer(name), both(world)
    for seed in (1, 2):
        fitted = trainer.fit(shuffled(train, seed), shuffled(selection, seed), workers=workers)
        assert fitted.digest == trainer.digest
    stored = load_fitted(world.records[name], state=trainer.context.state)
    np.testing.assert_array_equal(fitted.scorer.probability(selection.features), stored.probability(selection.features))


@pytest.mark.parametrize("part", ["threshold", "value", "children_left"])
def test_one_changed_number_in_one_tree_is_another_model(world: TrainedWorld, part: str) -> None:
    stored = load_fitted(world.records["forest"], state=world.context("look").state)
    before = stored.digest
    numbers = getattr(stored.model.estimators_[-1].tree_, part)
    numbers.flat[0] += 1 if part == "children_left" else np.spacing(numbers.flat[0])
    assert stored.digest != before


@pytest.mark.parametrize("name", MODELS)
def test_the_splits_rows_are_those_that_the_stages_read(world: TrainedWorld, name: str) -> None:
    trainer = world.trainer(name)
    rows = [read_split(trainer.context, world.split, part) for part in ("train", "validation")]
    assert trainer.fit(rows[0], rows[1]).digest == trainer.digest


def test_the_recipe_in_memory_gives_the_stages_models_bit_for_bit(world: TrainedWorld, tmp_path: Path) -> None:
    train, selection = both(world)
    found = fit_recipe(shuffled(train, 5), selection, problem=world.problem, seeds=world.context("look").seeds)
    for model in found.models:
        record = world.records[model.name]
        path = tmp_path / Path(record.file.path).name
        save_model(model.fitted, path)
        assert file_digest(path) == record.file.sha256
        assert (model.parameters, model.auc_selection) == (record.parameters, record.auc_selection)


@pytest.mark.parametrize("name", MODELS)
def test_another_row_less_is_another_model(world: TrainedWorld, name: str) -> None:
    trainer, (train, selection) = world.trainer(name), both(world)
    assert trainer.fit(picked(train, slice(1, None)), selection).digest != trainer.digest


def test_a_forests_seed_counts_and_is_counted_from_the_record(world: TrainedWorld) -> None:
    trainer, (train, selection) = world.trainer("forest"), both(world)
    own = int(trainer.record.parameters["random_state"])
    assert trainer.fit(train, selection, seed=own).digest == trainer.digest
    assert trainer.fit(train, selection, seed=own + 1).digest != trainer.digest


def test_the_number_of_workers_reaches_the_forest(world: TrainedWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    from sklearn.ensemble import RandomForestClassifier  # noqa: PLC0415 - the data tier need not import it

    seen: list[int | None] = []
    fit = RandomForestClassifier.fit

    def watched(self: Any, *args: Any) -> Any:
        seen.append(self.n_jobs)
        return fit(self, *args)

    monkeypatch.setattr(RandomForestClassifier, "fit", watched)
    world.trainer("forest").fit(*both(world), workers=3)
    assert seen[-1] == 3


def test_the_tutorials_forest_hangs_on_the_tables_order(world: TrainedWorld) -> None:
    train, selection = both(world)
    rows = {"train": len(train.label), "test": len(train.label) // 3}
    notebook = world.split.model_copy(update={"protocol": "notebook", "rows": rows})
    forest = baseline(world.context("notebook"), split=notebook).forest
    trainer = world.trainer("forest", split=notebook, record=forest)
    assert trainer.fit(train, selection).digest == trainer.digest != world.trainer("forest").digest
    assert trainer.fit(shuffled(train, 1), selection).digest != trainer.digest
    assert trainer.fit(picked(train, slice(9, None)), selection).digest != trainer.digest


def test_each_row_needs_its_own_identifier(world: TrainedWorld) -> None:
    train, selection = both(world)
    with pytest.raises(DataError, match="each row needs its own"):
        world.trainer("forest").fit(replace(train, row_id=train.row_id[1:]), selection)


def test_rows_in_order_of_their_identifiers_keep_what_belongs_to_them(world: TrainedWorld) -> None:
    rows = shuffled(world.splits.rows("train"), 3)
    ordered = in_order_of_ids(rows)
    assert list(ordered.row_id) == sorted(rows.row_id)
    place = rows.row_id.index(ordered.row_id[0])
    assert ordered.label[0] == rows.label[place]
    assert list(ordered.features.iloc[0]) == list(rows.features.iloc[place])


def test_a_forest_was_found_by_no_sweep(world: TrainedWorld) -> None:
    assert world.trainer("forest").search(workers=1, trials=4) is None


def test_a_small_sweep_is_the_same_for_any_number_of_workers_and_leaves_nothing(world: TrainedWorld) -> None:
    trainer = world.trainer("sweep")
    digests = {trainer.search(workers=workers, trials=5) for workers in (1, 3)}
    assert len(digests) == 1
    assert trainer.search(workers=3, trials=4) not in digests
    assert list(trainer.context.folder.iterdir()) == []


@pytest.mark.local_only("copies a state folder with what target local keeps in it")
def test_a_small_sweep_goes_on_where_the_journal_ends(world: TrainedWorld, tmp_path: Path) -> None:
    shutil.copytree(world.root, tmp_path / "state")
    relocate(State(tmp_path / "state"))
    context = make_context(tmp_path / "state", world.problem, "judge", world.target)
    trainer = world.trainer("sweep", context=context)
    whole = trainer.search(workers=2, trials=2)
    journal = context.state.path(trainer.record.file).with_name("trials.jsonl")
    journal.write_text("".join(journal.read_text(encoding="utf-8").splitlines(keepends=True)[:-1]), encoding="utf-8")
    assert trainer.search(workers=2, trials=2) != whole


def test_a_sweep_in_which_nothing_succeeds_says_so(world: TrainedWorld) -> None:
    problem = load_problem(overrides={**OVERRIDES, "sweep.trial_seconds": 1e-9, "sweep.max_failed_share": 0.9})
    trainer = RoadTrainer(world.context("judge", problem), world.records["sweep"], world.split)
    with pytest.raises(DataError, match="none of 4 trials succeeded"):
        trainer.search(workers=1, trials=4)


def test_rows_in_another_order_are_divided_as_before(world: TrainedWorld) -> None:
    frame = world.splits.frame
    again = world.trainer("sweep").split_again(frame.sample(frac=1, random_state=5))
    assert again is not None
    assert again.loc[list(frame["row_id"])].tolist() == frame["split"].tolist()
    assert again.index[:5].tolist() != frame["row_id"].tolist()[:5]
