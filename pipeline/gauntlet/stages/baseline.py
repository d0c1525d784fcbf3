"""This module provides the baseline: the random forests that a model must beat."""

from __future__ import annotations

import os
from dataclasses import dataclass

import numpy as np
from sklearn.ensemble import RandomForestClassifier
from sklearn.model_selection import train_test_split

from gauntlet.adapters.model_files import save_forest
from gauntlet.adapters.sweep_engine import wake_workers
from gauntlet.core.encoding import Encoding, encode, learn_encoding
from gauntlet.core.problem import NotebookSplit
from gauntlet.core.results import BaselineResult, FileRef, ModelRecord, SplitResult
from gauntlet.core.scores import auc
from gauntlet.core.state import write_atomically
from gauntlet.stages.context import StageContext
from gauntlet.stages.tags import split_tags
from gauntlet.stages.training_rows import Rows, read_split

FOREST = "forest"
REFERENCE_FOREST = "reference_forest"


def baseline(context: StageContext, *, split: SplitResult) -> BaselineResult:
    """Fit the tutorial's small forest and a large one, and judge both on the split that models are chosen on."""
    rule = context.problem.baseline
    # For the sweep; the forests are fitted in this process.
    wake_workers(context.target.spark())
    forests = _Forests.prepare(context, split)
    records: list[ModelRecord] = []
    with context.progress.task("fitting forests", total=2) as task:
        for name, trees in ((FOREST, rule.trees), (REFERENCE_FOREST, rule.reference_trees)):
            records.append(forests.fit(name, trees=trees, seed=_seed(context, split, name)))
            task.advance(note=f"{name}: AUC {records[-1].auc_selection:.4f}")
    return BaselineResult(forest=records[0], reference=records[1], run_id=_log(context, split, records))


def _seed(context: StageContext, split: SplitResult, name: str) -> int:
    if split.protocol == "notebook":  # the tutorial's own number, for its own figures
        return context.problem.split.notebook.random_state
    return context.seeds.integer("baseline", name)


@dataclass(frozen=True)
class _Forests:
    """What both forests share: the rows, and their encoding."""

    context: StageContext
    train: Rows
    selection: Rows
    encoding: Encoding
    encoding_file: FileRef

    @classmethod
    def prepare(cls, context: StageContext, split: SplitResult) -> _Forests:
        """Read the rows, and learn the encoding on the training rows."""
        train, selection = read_split(context, split, "train"), read_split(context, split, split.selection)
        if split.protocol == "notebook":
            train = in_the_tutorials_order(train, split, context.problem.split.notebook)
        encoding = learn_encoding(train.features, context.problem.features)
        path = context.folder / "encoding.json"
        write_atomically(path, encoding.model_dump_json())
        return cls(context, train, selection, encoding, context.state.file_ref(path))

    def fit(self, name: str, *, trees: int, seed: int) -> ModelRecord:
        """Fit a forest, write it into the stage's folder, and judge it."""
        forest = fit_forest(self.train, self.encoding, trees=trees, seed=seed)
        path = self.context.folder / f"{name}.skops"
        save_forest(forest, path)
        probability = forest.predict_proba(encode(self.selection.features, self.encoding))[:, 1]
        return ModelRecord(
            name=name,
            family="forest",
            file=self.context.state.file_ref(path),
            encoding=self.encoding_file,
            parameters={"n_estimators": trees, "random_state": seed},
            auc_selection=auc(probability, self.selection.label),
            importances=self.encoding.shares(forest.feature_importances_),
        )


def fit_forest(
    train: Rows, encoding: Encoding, *, trees: int, seed: int, threads: int | None = None
) -> RandomForestClassifier:
    """Return a forest fitted on training rows; the same one for the same seed, bit for bit.

    Args:
        train: The training rows.
        encoding: How they enter the matrix.
        trees: How many trees.
        seed: The seed of the forest.
        threads: How many threads share the work, which changes nothing in the forest; None takes one for each core.
    """
    # Each tree has its own seed, so the number of threads changes nothing; scikit-learn takes integers only.
    jobs = (os.cpu_count() or 1) if threads is None else threads
    forest = RandomForestClassifier(n_estimators=trees, random_state=seed, n_jobs=jobs)
    forest.fit(encode(train.features, encoding), train.label)
    # While predicting, threads would add up the trees' answers in any order, and the last bits would differ.
    return forest.set_params(n_jobs=None)


def in_the_tutorials_order(train: Rows, split: SplitResult, rule: NotebookSplit) -> Rows:
    """Return training rows in the order in which ``train_test_split`` dealt them to the tutorial.

    A forest draws rows by their place, so its figures hang on that order. ``read_split`` gives the order of the files;
    dealing the places 0, 1, … once more gives the shuffled one.
    """
    dealt, _ = train_test_split(
        np.arange(sum(split.rows.values())), test_size=rule.test_fraction, random_state=rule.random_state
    )
    order = np.argsort(np.argsort(dealt))
    return Rows(
        features=train.features.iloc[order].reset_index(drop=True),
        label=train.label[order],
        row_id=tuple(train.row_id[place] for place in order),
    )


def _log(context: StageContext, split: SplitResult, records: list[ModelRecord]) -> str:
    with context.target.tracking.stage_run("baseline", key=context.key, tags=split_tags(split)) as run:
        client, run_id = context.target.tracking.client, str(run.info.run_id)
        for record in records:
            for name, value in record.parameters.items():
                client.log_param(run_id, f"{record.name}.{name}", value)
            client.log_metric(run_id, f"{record.name}.auc_selection", record.auc_selection)
            client.log_dict(run_id, record.importances, f"importances/{record.name}.json")
        client.log_metric(run_id, "auc_selection", records[0].auc_selection)
    return run_id
