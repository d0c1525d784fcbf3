"""This module provides the candidate: all that a gate may look at before it says yes or no.

A candidate is made of parts. A gate reads the parts that it needs; a saboteur replaces some of them by broken ones. A
part that is not there is None, and a gate that needs it says so (CONFIG_ERROR), never PASS.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol, cast

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from gauntlet.adapters.artefact_copies import VerifiedCopy
from gauntlet.adapters.checked_tables import CheckedTable
from gauntlet.adapters.packing import packing_fault
from gauntlet.core.encoding import Encoding
from gauntlet.core.errors import DataError, EvidenceError
from gauntlet.core.problem import Problem, SplitName
from gauntlet.core.problem import Protocol as SplitProtocol
from gauntlet.core.results import ModelVersion
from gauntlet.core.seeding import Seeds
from gauntlet.core.test_reads import TestRead
from gauntlet.core.verdict import Verdict
from gauntlet.stages.training_rows import Rows

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

    from gauntlet.adapters.suite_files import Suite


class Scorer(Protocol):
    """Whatever answers rows with probabilities."""

    def probability(self, features: pd.DataFrame) -> NDArray[np.float64]:
        """Return the probability of the positive class, one float64 a row."""


@dataclass(frozen=True)
class JudgedModel:
    """A model that takes part in a judgement.

    Attributes:
        name: What it is called: ``forest``, ``sweep``, ``champion`` …
        digest: The digest of what it decides.
        scorer: What answers.
        recorded_auc: The AUC on the selection split that was written down when it was fitted; None if none was.
        encoding: How features enter its matrix, learnt on training rows; None where the model takes them as they are.
    """

    name: str
    digest: str
    scorer: Scorer
    recorded_auc: float | None = None
    encoding: Encoding | None = None


@dataclass(frozen=True)
class Splits:
    """The rows of all splits.

    Attributes:
        frame: One row a row, in the table's stable order: ``row_id``, ``split``, ``group_id``, ``label`` (0 or 1), all
            features (numbers as float64, texts as str or None), and the columns that the problem's split names.
        features: The features' names, in the problem's order.
        protocol: How rows were divided.
        selection: The split on which models were chosen.
        spark: Gives the same rows as a Spark frame; None where there is no Spark.
    """

    frame: pd.DataFrame
    features: tuple[str, ...]
    protocol: SplitProtocol
    selection: SplitName
    spark: Callable[[], DataFrame] | None = None

    def rows(self, name: SplitName) -> Rows:
        """Return the rows of one split; none if there is no such split."""
        mine = self.frame[self.frame["split"] == name].reset_index(drop=True)
        return Rows(
            features=mine[list(self.features)],
            label=mine["label"].to_numpy(dtype=np.int8),
            row_id=tuple(mine["row_id"]),
        )

    def keys(self, name: SplitName) -> NDArray[np.uint64]:
        """Return a fingerprint of each row's features, one a row of a split; equal features, equal fingerprints."""
        return feature_keys(self.rows(name).features)


def feature_keys(features: pd.DataFrame) -> NDArray[np.uint64]:
    """Return a fingerprint of each row's features, the same in any process."""
    keys: NDArray[np.uint64] = pd.util.hash_pandas_object(features, index=False).to_numpy(dtype=np.uint64)
    return keys


@dataclass(frozen=True)
class Incumbent:
    """The champion that a candidate is compared with.

    Attributes:
        version: Its version; None if there is none.
        fault: Why it could not be looked up, loaded or asked; None if it could, or if there positively is none.
        is_candidate: Whether it is the very model that is judged.
        model: The champion's model; None if there is none, or it could not be loaded.
        training: The rows it was fitted on: ``row_id``, its features and ``label``; None if they cannot be had.
        curated_rows: The rows of the curated table when it was promoted; None if the ledger does not say.
        ledger_version: The version that the promotion ledger says is champion; None if it says that none is.
        sequence: The ledger's last sequence number; 0 if it has no entry.
    """

    version: ModelVersion | None = None
    fault: str | None = None
    is_candidate: bool = False
    model: JudgedModel | None = None
    training: pd.DataFrame | None = None
    curated_rows: int | None = None
    ledger_version: int | None = None
    sequence: int = 0

    @property
    def bootstrap(self) -> bool:
        """Whether there positively is no champion yet: registry and ledger both say so."""
        return self.version is None and self.ledger_version is None and self.fault is None


@dataclass(frozen=True)
class Artefact:
    """The packed model on disk.

    Attributes:
        uri: Its address in MLflow.
        folder: Where its files lie.
        files: The SHA-256 of each file when it was packed, by path relative to the folder.
        trust: ``data`` if loading it must run Gauntlet's own code only; ``code`` if it may run its own, as that of a
            model which a user hands in, or which a saboteur wrote.
    """

    uri: str
    folder: Path
    files: Mapping[str, str]
    trust: Literal["data", "code"] = "data"

    @cached_property
    def verified(self) -> VerifiedCopy:
        """The files as something may load them.

        Raises:
            DataError: If they are not as they were packed, or loading them would run code that is not trusted.
        """
        try:
            copy = VerifiedCopy.of(self.folder, files=self.files, what=str(self.folder))
            fault = None if self.trust == "code" else packing_fault(self.folder)
        except EvidenceError as error:
            fault = str(error)
        if fault is not None:
            raise DataError(f"not loaded: {fault}; see artefact::files_as_packed and artefact::no_pickle")
        return copy


@dataclass(frozen=True)
class Refitted:
    """A model that was fitted again, to be compared with the first.

    Attributes:
        digest: The digest of its fitted parts: equal for equal models, bit for bit.
        scorer: What answers.
    """

    digest: str
    scorer: Scorer


class Trainer(Protocol):
    """How the chosen model is fitted again: same parameters, other rows, labels or seeds.

    Equal arguments give equal models, bit for bit. So do the same rows in another order: a trainer brings them into an
    order of its own, by ``row_id``.
    """

    @property
    def digest(self) -> str:
        """The digest that ``fit`` gives on the candidate's own rows with the candidate's own seed."""

    def fit(self, train: Rows, selection: Rows, *, seed: int | None = None, workers: int | None = None) -> Refitted:
        """Fit the chosen model.

        Args:
            train: The rows to learn from.
            selection: The rows to stop early on, for a model that does.
            seed: Another seed; None takes the candidate's own.
            workers: How many threads or processes share the work, for a fit that can be shared; None takes the
                candidate's own number. It changes nothing in the model.
        """

    def fit_recipe(self, train: Rows, selection: Rows, *, seeds: Seeds) -> Scorer:
        """Repeat the whole recipe on other rows: the search, early stopping and the choice of a model.

        Args:
            train: The rows to learn from.
            selection: The rows to stop early and to choose on.
            seeds: The source of random draws.
        """

    def search(self, *, workers: int, trials: int) -> str | None:
        """Return the digest of a small sweep with so many workers; None for a model that no sweep has found."""

    def split_again(self, frame: pd.DataFrame) -> pd.Series | None:
        """Return each row's split, by ``row_id``, when the rows come in this order; None where nothing divides them."""


@dataclass(frozen=True)
class TestLedger:
    """Every opening of the test split, and the choices that were frozen.

    Attributes:
        reads: The openings, in the order of the ledger.
        frozen: The digests of all frozen choices that are known.
        selection: The digest of the choice that is judged.
        split: The fingerprint of the split that is judged.
        fault: Why the ledger cannot be read; None if it can.
    """

    __test__ = False  # not a test class, whatever pytest makes of its name

    reads: tuple[TestRead, ...]
    frozen: frozenset[str]
    selection: str
    split: str
    fault: str | None = None


@dataclass(frozen=True)
class Candidate:
    """A chosen model with the tables, rows and models that it is judged by.

    Attributes:
        problem: The problem, with the gates' bounds.
        chosen: The name of the chosen model.
        baseline: The name of the model that it must not be worse than.
        models: The candidate and those it is compared with, by name (the champion is in ``incumbent``).
        splits: The rows of all splits.
        threshold: Rows at or above this probability are decided positive; None for a model that decides nothing.
        tables: The tables ``raw``, ``curated`` and ``predictions`` (the curated rows as the artefact scores them); each
            behind a function, so that nobody waits for what no gate asks for.
        suites: The expectation suites, by table.
        incumbent: The champion to compare with; None where there is no registry.
        trainer: How the model is fitted again; None where it cannot be.
        artefact: The packed model; None where there is none.
        code: The Python files that the result depends on: the pipeline's own, and the user's stage code.
        test_ledger: Every opening of the test split; None where nobody keeps it.
        spark: Gives the Spark session; None where there is none.
        workspace: A folder for what a gate must write.
    """

    problem: Problem
    chosen: str
    baseline: str
    models: Mapping[str, JudgedModel]
    splits: Splits
    threshold: float | None
    tables: Mapping[str, Callable[[], CheckedTable]]
    suites: Mapping[str, Suite]
    incumbent: Incumbent | None
    trainer: Trainer | None
    artefact: Artefact | None
    code: tuple[Path, ...]
    test_ledger: TestLedger | None
    spark: Callable[[], SparkSession] | None
    workspace: Path
    _answers: dict[Any, Any] = field(default_factory=dict, repr=False, compare=False)

    @property
    def model(self) -> JudgedModel:
        """The chosen model.

        Raises:
            KeyError: If there is none of that name.
        """
        return self.models[self.chosen]

    @property
    def seeds(self) -> Seeds:
        """The source of random draws."""
        return Seeds(self.problem.seed)

    def answers(self, model: JudgedModel, split: SplitName = "test") -> NDArray[np.float64]:
        """Return what a model says of the rows of a split, one probability a row.

        Raises:
            DataError: If it says anything else than one double for each row.
        """
        return cast(
            "NDArray[np.float64]",
            self.remembered(
                f"answers to {split}",
                model.scorer,
                self.splits.frame,
                compute=lambda: checked_answers(model.scorer, self.splits.rows(split)),
            ),
        )

    def remembered(self, what: str, *owners: object, compute: Callable[[], Any]) -> Any:
        """Return what was computed before for the same owners, or compute it; candidates made by ``changed`` share it.

        Args:
            what: What is computed.
            owners: The objects that it depends on; they are compared by identity.
            compute: Computes it.
        """
        key = (what, *map(id, owners))
        if key not in self._answers:
            # The owners are kept, so that no other object can ever get their identities.
            self._answers[key] = (owners, compute())
        return self._answers[key][1]

    def changed(self, **parts: Any) -> Candidate:
        """Return the candidate with some parts replaced."""
        return replace(self, **parts)


def checked_answers(scorer: Scorer, rows: Rows) -> NDArray[np.float64]:
    """Return a scorer's answers, if they are one double a row.

    Raises:
        DataError: If they are anything else.
    """
    given = np.asarray(scorer.probability(rows.features))
    if given.shape != rows.label.shape or given.dtype != np.float64:
        raise DataError(
            f"the model answered {len(rows.label)} rows with {given.dtype} of shape {given.shape}; one double a row is "
            "expected"
        )
    return given


Judge = Callable[[Candidate], tuple[Verdict, ...]]


def names_of(candidate: Candidate) -> Sequence[str]:
    """Return the names of all models that are compared, the chosen one last."""
    return [name for name in candidate.models if name != candidate.chosen] + [candidate.chosen]
