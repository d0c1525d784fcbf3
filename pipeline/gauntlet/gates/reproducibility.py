"""This module provides the gates on reproducibility: one seed gives one model, whoever computes it and how often."""

from __future__ import annotations

import inspect
import math
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import NDArray

import gauntlet
from gauntlet.adapters.random_trap import RandomTrap
from gauntlet.core.errors import DataError
from gauntlet.core.random_calls import random_calls
from gauntlet.core.scores import auc
from gauntlet.core.statistics.delong import paired_auc
from gauntlet.core.statistics.intervals import normal_quantile, tail_of_difference
from gauntlet.core.verdict import Status, Verdict
from gauntlet.gates.gate import Gate, gate
from gauntlet.stages.candidate import Candidate, Trainer, checked_answers
from gauntlet.stages.training_rows import Rows

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

_SHOWN = 3
# Any number that is no divisor or multiple of what a table usually has.
_PARTITIONS = 7

CODE = "reproducibility::no_global_randomness_in_code"
RUN_TIME = "reproducibility::no_global_randomness_at_run_time"
SAME_SEED = "reproducibility::same_seed_same_model"
WORKERS = "reproducibility::workers_change_nothing"
ROW_ORDER = "reproducibility::row_order_changes_nothing"
SEED_LUCK = "reproducibility::seed_luck"


@gate(
    CODE,
    bounds=("gates.reproducibility.code",),
    needs=("code",),
    turn="beside",
    remedy="Hand a numpy Generator to whatever draws, made of a seed (numpy.random.default_rng(seed)), and give "
    "libraries integers drawn from it (random_state=int(generator.integers(2**31))).",
)
def no_global_randomness_in_code(candidate: Candidate) -> Verdict:
    """Guard that no file of the pipeline, or of the user's stage code, draws from global or unseeded randomness.

    The files of ``candidate.code`` are read as syntax trees, not run: numpy's and Python's global functions,
    ``RandomState``, generators without a seed, and draws of scikit-learn, pandas, SciPy and Spark without one, whatever
    names they were imported by. Limits: names that are computed, ``exec``, and what a library does by itself; for
    these see ``no_global_randomness_at_run_time``.
    """
    files = sorted(set(candidate.code))
    if not files:
        sentence = "there is no code to look at: name your stage code in gates.reproducibility.code"
        return Verdict(CODE, Status.CONFIG_ERROR, sentence, bound=0, rows=0)
    found = [call for path in files for call in random_calls(path)]
    if found:
        guilty = len({call.path for call in found})
        sentence = (
            f"{len(found)} {_plural(len(found), 'use')} of global randomness in {guilty} of {len(files)} files: "
            f"{_places((call.path, call.line, call.call) for call in found)}"
        )
        return Verdict(CODE, Status.FAIL, sentence, measured=float(len(found)), bound=0, rows=len(files))
    sentence = f"no use of global randomness in {len(files)} {_plural(len(files), 'file')}"
    return Verdict(CODE, Status.PASS, sentence, measured=0.0, bound=0, rows=len(files))


@gate(
    RUN_TIME,
    bounds=("gates.reproducibility.code",),
    needs=("trainer", "splits", "code"),
    slow=True,
    turn="alone",
    remedy="The sentence names the line that draws: hand a numpy Generator to it, made of a seed.",
)
def no_global_randomness_at_run_time(candidate: Candidate) -> Verdict:
    """Guard that no line of the pipeline, or of the user's stage code, uses global randomness while a model is fitted.

    The chosen model is fitted once more, and each call of numpy's and Python's global random functions, each
    ``RandomState`` and each generator without a seed is judged by the file that makes it; what libraries do with our
    integers passes. Limits: this process only, not Spark's workers; see ``gauntlet.adapters.random_trap``.
    """
    trainer, train = _trainer(candidate), candidate.splits.rows("train")
    unwatched = _unwatched_file(trainer, candidate.code)
    if not candidate.code or unwatched:
        sentence = unwatched or "there is no code to watch: name your stage code in gates.reproducibility.code"
        return Verdict(RUN_TIME, Status.CONFIG_ERROR, sentence, bound=0, rows=len(train.label))
    with RandomTrap(candidate.code) as trap:
        trainer.fit(train, _selection_rows(candidate))
    uses, rows = trap.uses, len(train.label)
    if uses:
        sentence = (
            f"while {candidate.chosen} was fitted, {len(uses)} {_plural(len(uses), 'place')} used global randomness: "
            f"{_places((use.path, use.line, use.function) for use in uses)}"
        )
        return Verdict(RUN_TIME, Status.FAIL, sentence, measured=float(len(uses)), bound=0, rows=rows)
    sentence = (
        f"{candidate.chosen} was fitted to {rows} rows, and none of {len(candidate.code)} files used global randomness"
    )
    return Verdict(RUN_TIME, Status.PASS, sentence, measured=0.0, bound=0, rows=rows)


@gate(
    SAME_SEED,
    needs=("trainer", "splits", "models"),
    slow=True,
    turn="beside",
    remedy="Look for what changes between two fits: a generator that is not made anew, a clock, the order of a set, "
    "threads that add numbers up in any order. Give every fit its own generator, made of the seed.",
)
def same_seed_same_model(candidate: Candidate) -> Verdict:
    """Guard that the chosen model, fitted twice with its own seed, is the same bit for bit, and is the one judged.

    Both digests must be equal to each other and to that of the chosen model, and the answers of a refitted model to the
    chosen model's on the split that models are chosen on. Limits: one machine, one set of library versions.
    """
    trainer, train, selection = _trainer(candidate), candidate.splits.rows("train"), _selection_rows(candidate)
    fitted = [trainer.fit(train, selection) for _ in range(2)]
    digests = [_digest(trainer.digest, "trainer.digest"), *(_digest(model.digest, "fit") for model in fitted)]
    rows, models = len(train.label), float(len(set(digests)))
    if digests[1] != digests[2]:
        sentence = f"{candidate.chosen}, fitted twice with one seed, became two models ({_short(digests[1:])})"
        return Verdict(SAME_SEED, Status.FAIL, sentence, measured=models, bound=1, rows=rows)
    if digests[0] != digests[1]:
        sentence = (
            f"{candidate.chosen}, fitted again, became another model each time ({_short(digests[1:2])}) than the one "
        )
        sentence += f"that is judged ({_short(digests[:1])})"
        return Verdict(SAME_SEED, Status.FAIL, sentence, measured=models, bound=1, rows=rows)
    judged = candidate.answers(candidate.model, candidate.splits.selection)
    apart = int((checked_answers(fitted[0].scorer, selection) != judged).sum())
    if apart:
        sentence = (
            f"{candidate.chosen}, fitted again, answers {apart} of {len(judged)} {candidate.splits.selection} rows "
            f"otherwise than the model that is judged, though its digest is the same ({_short(digests[:1])})"
        )
        return Verdict(SAME_SEED, Status.FAIL, sentence, measured=2.0, bound=1, rows=rows)
    sentence = (
        f"{candidate.chosen}, fitted twice to {rows} rows with its seed, is the model that is judged, bit for bit"
    )
    return Verdict(SAME_SEED, Status.PASS, sentence, measured=models, bound=1, rows=rows)


@gate(
    WORKERS,
    bounds=("gates.reproducibility.workers", "gates.reproducibility.trials"),
    needs=("trainer", "splits"),
    slow=True,
    remedy="Let neither a draw nor a decision depend on which worker comes first or how many there are: give each "
    "trial (each tree) a seed of its own by its number, and add floating-point numbers up in a fixed order.",
)
def workers_change_nothing(candidate: Candidate) -> Verdict:
    """Guard that the number of workers changes neither the trials of a sweep nor a fitted model.

    For a model that a sweep has found, a few of its trials are run with each number of workers, on the workers
    themselves. For any other model there is no sweep to run; it is fitted with each number of threads instead.
    """
    rules, trainer = candidate.problem.gates.reproducibility, _trainer(candidate)
    counts = sorted(set(rules.workers))
    searched = [trainer.search(workers=workers, trials=rules.trials) for workers in counts]
    found = [_digest(digest, "search") for digest in searched if digest is not None]
    if 0 < len(found) < len(searched):
        sentence = (
            f"a sweep was run with {len(found)} of {len(searched)} numbers of workers only: there is nothing to compare"
        )
        return Verdict(WORKERS, Status.CONFIG_ERROR, sentence, bound=1)
    rows = None
    what, same = f"a sweep of {rules.trials} trials", "the same trials and results"
    if not found:
        train, selection = candidate.splits.rows("train"), _selection_rows(candidate)
        fits = [trainer.fit(train, selection, workers=workers).digest for workers in counts]
        found = [_digest(trainer.digest, "trainer.digest"), *(_digest(digest, "fit") for digest in fits)]
        rows = len(train.label)
        what, same = f"no sweep has found {candidate.chosen}; a fit of it", "the model that is judged"
    results, listed = len(set(found)), ", ".join(map(str, counts))
    by_workers = found[-len(counts) :]
    if len(set(by_workers)) > 1:
        shown = ", ".join(f"{count}: {mark[:8]}" for count, mark in zip(counts, by_workers, strict=True))
        sentence = f"{what} depends on the number of workers ({shown})"
        return Verdict(WORKERS, Status.FAIL, sentence, measured=float(results), bound=1, rows=rows)
    if results > 1:
        sentence = (
            f"{what} gives one model with {listed} workers ({_short(found[1:2])}), but not the one that is judged"
        )
        return Verdict(WORKERS, Status.FAIL, sentence, measured=float(results), bound=1, rows=rows)
    sentence = f"{what} gives {same} with {listed} workers"
    return Verdict(WORKERS, Status.PASS, sentence, measured=float(results), bound=1, rows=rows)


@gate(
    ROW_ORDER,
    needs=("trainer", "splits"),
    slow=True,
    turn="beside",
    remedy="Bring rows into an order of their own, by row_id, before anything is drawn, dealt or added up: Spark hands "
    "them out in any order.",
)
def row_order_changes_nothing(candidate: Candidate) -> Verdict:
    """Guard that neither the order of rows nor the number of partitions changes the split or the chosen model.

    The table of all rows is read again in another order and, on Spark, other partitions. It is divided again, and the
    chosen model is fitted to the rows as they come: every row must be in its old split, and the model the same bit for
    bit. Limits: one other order.
    """
    trainer, known = _trainer(candidate), candidate.splits.frame
    shuffled = _shuffled(candidate)
    rows = len(known)
    if not known["row_id"].is_unique or sorted(shuffled["row_id"]) != sorted(known["row_id"]):
        sentence = (
            f"read again, the table has other rows than the {rows} that the candidate was given, or a row_id twice"
        )
        return Verdict(ROW_ORDER, Status.FAIL, sentence, measured=float(len(shuffled)), bound=float(rows), rows=rows)
    again = trainer.split_again(shuffled)
    moved = _moved(again, known)
    splits = replace(candidate.splits, frame=shuffled)
    refitted = trainer.fit(splits.rows("train"), splits.rows(splits.selection))
    other = _digest(refitted.digest, "fit") != _digest(trainer.digest, "trainer.digest")
    divided = "nothing divides the rows again" if again is None else f"all {rows} rows are in their old splits"
    if moved:
        divided = f"{len(moved)} of {rows} rows are in another split, such as {moved[0]}"
    model = f"{candidate.chosen} is {'another model' if other else 'the same model'}"
    sentence = f"with the rows in another order {divided}, and {model}"
    status = Status.FAIL if moved or other else Status.PASS
    return Verdict(ROW_ORDER, status, sentence, measured=float(len(moved) + other), bound=0, rows=rows)


@gate(
    SEED_LUCK,
    bounds=("gates.reproducibility.seeds", "gates.reproducibility.maximum_seed_spread", "gates.model.level"),
    needs=("trainer", "splits", "models"),
    slow=True,
    advisory="a spread between seeds: it says nothing of the estimate on test",
    turn="beside",
    remedy="The score hangs on the seed, so it says little of the next fit: take more trees or a smaller learning "
    "rate, or bring more rows. Do not look for a better seed.",
)
def seed_luck(candidate: Candidate) -> Verdict:
    """Guard that the chosen model is about as good with other seeds as with its own; more is a WARN.

    It is fitted with some other seeds, drawn from the problem's. A model that draws nothing while it is fitted (the
    same digest whatever the seed) is fitted to nine tenths of the training groups instead, drawn with that seed. The
    AUCs are those on the split that models are chosen on, never on test. WARN: the best lies further above the worst
    than ``maximum_seed_spread``, and further than so few rows explain (DeLong's paired test of the two at
    ``gates.model.level``, divided by the number of pairs that they were picked from).
    """
    rules, trainer, splits = candidate.problem.gates.reproducibility, _trainer(candidate), candidate.splits
    if splits.selection == "test":
        sentence = "not judged: the model was chosen on the test rows, and there are no other rows to compare seeds on"
        return Verdict(SEED_LUCK, Status.NOTE, sentence, bound=rules.maximum_seed_spread)
    train, selection = splits.rows("train"), _selection_rows(candidate)
    answers = {"its own seed": candidate.answers(candidate.model, splits.selection)}
    drawn = False
    for number in range(rules.seeds):
        seed = candidate.seeds.integer("reproducibility", "seed_luck", number)
        refitted = trainer.fit(train, selection, seed=seed)
        if refitted.digest == trainer.digest:
            drawn, rows = True, train.where(_nine_tenths(candidate, number))
            refitted = trainer.fit(rows, selection, seed=seed)
        answers[f"seed {seed}"] = checked_answers(refitted.scorer, selection)
    found = {name: auc(given, selection.label) for name, given in answers.items()}
    best, worst = max(found, key=found.__getitem__), min(found, key=found.__getitem__)
    pair, pairs = paired_auc(answers[best], answers[worst], selection.label), math.comb(len(answers), 2)
    level = candidate.problem.gates.model.level
    explained = tail_of_difference(pair.difference, pair.standard_error) * pairs >= level
    wide = pair.difference > rules.maximum_seed_spread
    reach = normal_quantile(1 - level / pairs) * pair.standard_error
    listed = ", ".join(f"{value:.4f} ({name})" for name, value in found.items())
    how = "fitted to nine tenths of the training groups, since seeds change nothing in it" if drawn else "refitted"
    judged = "more than" if wide and not explained else "more than, but so few rows explain it:" if wide else "within"
    sentence = (
        f"AUC of {candidate.chosen}, {how}, on {splits.selection}: {listed}; they lie {pair.difference:.4f} apart, "
        f"{judged} gates.reproducibility.maximum_seed_spread of {rules.maximum_seed_spread:g}"
    )
    status = Status.WARN if wide and not explained else Status.PASS
    interval = (max(0.0, pair.difference - reach), pair.difference + reach)
    return Verdict(
        SEED_LUCK, status, sentence, pair.difference, rules.maximum_seed_spread, len(selection.label), interval
    )


def _nine_tenths(candidate: Candidate, number: int) -> NDArray[np.bool_]:
    """Return which training rows are left when a tenth of their groups, drawn anew for each number, is left out."""
    frame = candidate.splits.frame
    groups = frame.loc[frame["split"] == "train", "group_id"].astype(str)
    names = np.array(sorted(groups.unique()), dtype=object)
    generator = candidate.seeds.generator("reproducibility", "seed_luck", "rows", number)
    left_out = generator.permutation(names)[: len(names) // 10]
    return np.asarray(~groups.isin(left_out), dtype=np.bool_)


def _trainer(candidate: Candidate) -> Trainer:
    if candidate.trainer is None:
        raise DataError("there is no trainer, so the model cannot be fitted again")
    for name in ("train", candidate.splits.selection):
        rows = candidate.splits.rows(name)
        if len(set(rows.label.tolist())) < 2:
            raise DataError(f"{name} has {len(rows.label)} rows, not of both classes: there is nothing to fit again")
    return candidate.trainer


def _selection_rows(candidate: Candidate) -> Rows:
    return candidate.splits.rows(candidate.splits.selection)


def _unwatched_file(trainer: Trainer, code: Sequence[Path]) -> str | None:
    """Return why the trap would not see a trainer; None if it would.

    Gauntlet's own trainers fit what others wrote, so it is those files that must be watched.
    """
    path = Path(inspect.getfile(inspect.unwrap(type(trainer).fit))).resolve()
    if path in {given.resolve() for given in code} or path.is_relative_to(Path(gauntlet.__file__).resolve().parent):
        return None
    return (
        f"{type(trainer).__name__} fits the model, and {path.name}, where it is written, is not among the {len(code)} "
        "files that are watched: name it in gates.reproducibility.code"
    )


def _digest(value: str, source: str) -> str:
    if not isinstance(value, str) or not value:
        raise DataError(f"{source} gave {value!r:.50} and no digest")
    return value


def _shuffled(candidate: Candidate) -> pd.DataFrame:
    """Return all rows in another order; from Spark, where there is one, in other partitions."""
    if candidate.splits.spark is None:
        generator = candidate.seeds.generator("reproducibility", "row_order")
        frame = candidate.splits.frame
        return frame.iloc[generator.permutation(len(frame))].reset_index(drop=True)
    return _scattered(candidate.splits.spark(), seed=candidate.seeds.integer("reproducibility", "row_order"))


def _scattered(table: DataFrame, *, seed: int) -> pd.DataFrame:
    from pyspark.sql import functions as F  # noqa: N812, PLC0415 - pyspark's convention; imported where Spark is

    # A key made of our seed and the row, because Spark's rand() hangs on the partitions.
    key = F.xxhash64(F.col("row_id"), F.lit(seed))
    frame: pd.DataFrame = table.repartition(_PARTITIONS).sortWithinPartitions(key).toPandas()
    return frame


def _moved(again: pd.Series | None, known: pd.DataFrame) -> list[str]:
    """Return the identifiers of the rows that are in another split than before, sorted."""
    if again is None:
        return []
    before = known.set_index("row_id")["split"]
    after = again.reindex(before.index)
    return sorted(before.index[(after != before).to_numpy()])


def _short(digests: Iterable[str]) -> str:
    return " and ".join(digest[:8] for digest in digests)


def _places(found: Iterable[tuple[Path, int, str]]) -> str:
    """Return the first places for people, and how many more there are."""
    shown = [f"{path.parent.name}/{path.name}:{line}: {what}" for path, line, what in found]
    more = f", and {len(shown) - _SHOWN} more" if len(shown) > _SHOWN else ""
    return ", ".join(shown[:_SHOWN]) + more


def _plural(count: int, word: str) -> str:
    return word if count == 1 else f"{word}s"


GATES: tuple[Gate, ...] = (
    no_global_randomness_in_code,
    no_global_randomness_at_run_time,
    same_seed_same_model,
    workers_change_nothing,
    row_order_changes_nothing,
    seed_luck,
)
