"""This module provides the saboteurs of the gates on reproducibility: code that draws, and trainers that cheat."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from gauntlet.core.errors import DataError
from gauntlet.core.seeding import Seeds
from gauntlet.gates import reproducibility as gates
from gauntlet.gates.gate import Saboteur, saboteur
from gauntlet.stages.candidate import Candidate, Refitted, Scorer, Trainer
from gauntlet.stages.training_rows import Rows

if TYPE_CHECKING:
    from types import ModuleType

_HIDDEN_DRAW = """

import numpy as _np


def _jitter(values):
    return values + _np.random.RandomState(7).normal(size=len(values))
"""
# The name is put together, so that reading the code tells nothing: only a run does.
_SEEDING_TRAINER = '''
"""A trainer of somebody who wants reproducible fits, and gets them for as long as nobody else draws."""

import importlib


class SeedingTrainer:
    def __init__(self, inner):
        self.inner = inner

    @property
    def digest(self):
        return self.inner.digest

    def fit(self, train, selection, *, seed=None, **options):
        importlib.import_module(".".join(["numpy", "random"])).seed(42)
        return self.inner.fit(train, selection, seed=seed, **options)

    def fit_recipe(self, train, selection, *, seeds):
        return self.inner.fit_recipe(train, selection, seeds=seeds)

    def search(self, *, workers, trials):
        return self.inner.search(workers=workers, trials=trials)

    def split_again(self, frame):
        return self.inner.split_again(frame)
'''


@dataclass(frozen=True)
class _Wrapping:
    """A trainer that leaves everything to another one; its kin change one thing.

    Attributes:
        inner: The sound trainer.
    """

    inner: Trainer

    @property
    def digest(self) -> str:
        """The digest of the chosen model."""
        return self.inner.digest

    def fit(self, train: Rows, selection: Rows, *, seed: int | None = None, workers: int | None = None) -> Refitted:
        """Fit as the sound trainer does."""
        return self.inner.fit(train, selection, seed=seed, workers=workers)

    def fit_recipe(self, train: Rows, selection: Rows, *, seeds: Seeds) -> Scorer:
        """Repeat the recipe as the trainer does."""
        return self.inner.fit_recipe(train, selection, seeds=seeds)

    def search(self, *, workers: int, trials: int) -> str | None:
        """Search as the sound trainer does."""
        return self.inner.search(workers=workers, trials=trials)

    def split_again(self, frame: pd.DataFrame) -> pd.Series | None:
        """Divide the rows as the sound trainer does."""
        return self.inner.split_again(frame)


@saboteur(gates.CODE)
def random_state_hidden_in_a_stage(candidate: Candidate) -> Candidate:
    """Add a function that draws from a RandomState to the end of a stage's file."""
    return _with_stage(candidate, "random_state_hidden_in_a_stage", lambda text: text + _HIDDEN_DRAW)


@saboteur(gates.CODE)
def stage_that_nobody_can_read(candidate: Candidate) -> Candidate:
    """Cut a stage's file short, so that what it draws cannot be known."""
    return _with_stage(candidate, "stage_that_nobody_can_read", lambda text: text + "\n\ndef _draw(rows:\n")


@saboteur(gates.RUN_TIME)
def global_seed_set_while_fitting(candidate: Candidate) -> Candidate:
    """Let the trainer, in a file of the user's code, set numpy's global seed before each fit."""
    path = _written(candidate, "global_seed_set_while_fitting", "seeding_trainer.py", _SEEDING_TRAINER)
    trainer: Trainer = _module_of(path).SeedingTrainer(_sound(candidate))
    return candidate.changed(trainer=trainer, code=(*candidate.code, path))


@dataclass(frozen=True)
class _ForgetfulTrainer(_Wrapping):
    fits: list[int] = field(default_factory=list)

    def fit(self, train: Rows, selection: Rows, *, seed: int | None = None, workers: int | None = None) -> Refitted:
        """Leave as many rows out as fits were done before."""
        forgotten = len(self.fits)
        self.fits.append(forgotten)
        return super().fit(_picked(train, slice(forgotten, None)), selection, seed=seed, workers=workers)


@saboteur(gates.SAME_SEED)
def row_forgotten_with_every_fit(candidate: Candidate) -> Candidate:
    """Let the trainer count its fits, and leave out one more training row each time."""
    return candidate.changed(trainer=_ForgetfulTrainer(_sound(candidate)))


@dataclass(frozen=True)
class _OtherRowsTrainer(_Wrapping):
    def fit(self, train: Rows, selection: Rows, *, seed: int | None = None, workers: int | None = None) -> Refitted:
        """Leave the first row out."""
        return super().fit(_picked(train, slice(1, None)), selection, seed=seed, workers=workers)


@saboteur(gates.SAME_SEED)
def judged_model_fitted_on_a_row_more(candidate: Candidate) -> Candidate:
    """Let the trainer fit the same model each time, but not the one that is judged: it lacks a training row."""
    return candidate.changed(trainer=_OtherRowsTrainer(_sound(candidate)))


@dataclass(frozen=True)
class _SharingTrainer(_Wrapping):
    def fit(self, train: Rows, selection: Rows, *, seed: int | None = None, workers: int | None = None) -> Refitted:
        """Fit to the first worker's share of the rows, as each worker would do before their models are put together."""
        share = slice(0, None) if workers is None else slice(0, None, workers)
        return super().fit(_picked(train, share), selection, seed=seed)

    def search(self, *, workers: int, trials: int) -> str | None:
        """Let each worker search by itself, with its share of the trials."""
        return super().search(workers=workers, trials=max(1, trials // workers))


@saboteur(gates.WORKERS)
def work_dealt_out_by_the_number_of_workers(candidate: Candidate) -> Candidate:
    """Deal the trials of the sweep, and the rows of a fit, out to the workers, each of them on its own."""
    return candidate.changed(trainer=_SharingTrainer(_sound(candidate)))


@dataclass(frozen=True)
class _HoldingBackTrainer(_Wrapping):
    fitted: str

    @property
    def digest(self) -> str:
        """The digest of the model that it fits to the rows in their own order."""
        return self.fitted

    def fit(self, train: Rows, selection: Rows, *, seed: int | None = None, workers: int | None = None) -> Refitted:
        """Hold back the last tenth of the rows, as they come."""
        kept = slice(0, len(train.label) - len(train.label) // 10)
        return super().fit(_picked(train, kept), selection, seed=seed, workers=workers)


@saboteur(gates.ROW_ORDER)
def last_rows_held_back_as_they_come(candidate: Candidate) -> Candidate:
    """Let the trainer hold back the last tenth of the training rows, whichever rows come last."""
    splits, trainer = candidate.splits, _HoldingBackTrainer(_sound(candidate), "")
    fitted = trainer.fit(splits.rows("train"), splits.rows(splits.selection)).digest
    return candidate.changed(trainer=replace(trainer, fitted=fitted))


@dataclass(frozen=True)
class _DealingTrainer(_Wrapping):
    splits: tuple[str, ...]

    def split_again(self, frame: pd.DataFrame) -> pd.Series | None:
        """Give each row the split that belongs to its place."""
        return pd.Series(self.splits, index=frame["row_id"])


@saboteur(gates.ROW_ORDER)
def rows_divided_by_their_place(candidate: Candidate) -> Candidate:
    """Divide the rows by the place at which they come, as a draw of places does."""
    splits = tuple(candidate.splits.frame["split"])
    return candidate.changed(trainer=_DealingTrainer(_sound(candidate), splits))


@dataclass(frozen=True)
class _LuckyTrainer(_Wrapping):
    def fit(self, train: Rows, selection: Rows, *, seed: int | None = None, workers: int | None = None) -> Refitted:
        """With another seed than the candidate's, learn from labels that were dealt out anew."""
        if seed is not None:
            generator = np.random.Generator(np.random.PCG64(seed))
            train = replace(train, label=generator.permutation(train.label))
        return super().fit(train, selection, seed=seed, workers=workers)


@saboteur(gates.SEED_LUCK)
def only_one_seed_is_good(candidate: Candidate) -> Candidate:
    """Let the model learn what there is to learn with the candidate's own seed only."""
    return candidate.changed(trainer=_LuckyTrainer(_sound(candidate)))


def _sound(candidate: Candidate) -> Trainer:
    if candidate.trainer is None:
        raise DataError("there is no trainer to put a worse one in the place of")
    return candidate.trainer


def _with_stage(candidate: Candidate, name: str, change: Callable[[str], str]) -> Candidate:
    """Return the candidate with a changed copy of one of its files in that file's place."""
    if not candidate.code:
        raise DataError("there is no code to hide anything in")
    stages = [path for path in candidate.code if path.parent.name == "stages" and path.name != "__init__.py"]
    chosen = (stages or candidate.code)[0]
    copy = _written(candidate, name, chosen.name, change(chosen.read_text(encoding="utf-8")))
    return candidate.changed(code=tuple(copy if path == chosen else path for path in candidate.code))


def _written(candidate: Candidate, folder: str, name: str, text: str) -> Path:
    path = candidate.workspace / folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def _module_of(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"gauntlet_sabotage_{path.stem}", path)
    if spec is None or spec.loader is None:
        raise DataError(f"{path} cannot be imported")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _picked(rows: Rows, places: slice) -> Rows:
    return Rows(
        features=rows.features.iloc[places].reset_index(drop=True),
        label=rows.label[places],
        row_id=rows.row_id[places],
    )


SABOTEURS: tuple[Saboteur, ...] = (
    random_state_hidden_in_a_stage,
    stage_that_nobody_can_read,
    global_seed_set_while_fitting,
    row_forgotten_with_every_fit,
    judged_model_fitted_on_a_row_more,
    work_dealt_out_by_the_number_of_workers,
    last_rows_held_back_as_they_come,
    rows_divided_by_their_place,
    only_one_seed_is_good,
)
