"""Packed models without a registry, and sources that hand them out: what the tests of the server serve."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import mlflow
import numpy as np
import pandas as pd
import xgboost

from gauntlet.adapters import probability_model
from gauntlet.adapters.packing import model_signature, packed_readings
from gauntlet.core.encoding import encode, learn_encoding
from gauntlet.core.errors import RefusedError
from gauntlet.core.problem import Column, Problem
from gauntlet.core.promotions import Promotion
from gauntlet.serving.refusals import Refusal
from gauntlet.serving.scoring import Reply, Scoring
from gauntlet.serving.served_model import ServedModel
from tests.verified import own_copy

MODEL = "gauntlet.made.model"
NUMBERS = (Column(name="alcohol"), Column(name="pH", nullable=True), Column(name="age", kind="integer"))
MIXED = (*NUMBERS, Column(name="city", kind="text", nullable=True))


def made_features(columns: tuple[Column, ...], *, rows: int = 200, seed: int = 3) -> pd.DataFrame:
    """Return rows of features."""
    generator = np.random.default_rng(seed)
    return pd.DataFrame(
        {
            column.name: generator.choice(["Porto", "Vila Real"], rows)
            if column.kind == "text"
            else generator.normal(10, 3, rows).round(2)
            for column in columns
        }
    )


def pack(  # noqa: PLR0913 - each is a choice of some test
    folder: Path,
    problem: Problem,
    columns: tuple[Column, ...] = NUMBERS,
    *,
    rounds: int = 5,
    readings: bool = False,
    features: pd.DataFrame | None = None,
) -> Path:
    """Fit a booster, save it as the road packs it, and return its folder."""
    features = made_features(columns) if features is None else features
    encoding = learn_encoding(features, columns)
    label = (features["alcohol"] > features["pH"]).astype(int)
    matrix = xgboost.DMatrix(encode(features, encoding), label)
    booster = xgboost.train({"objective": "binary:logistic", "nthread": 1, "seed": 1}, matrix, num_boost_round=rounds)
    folder.mkdir(parents=True)
    booster.save_model(folder / "model.ubj")
    (folder / "encoding.json").write_text(encoding.model_dump_json(), encoding="utf-8")
    mlflow.pyfunc.save_model(
        folder / "packed",
        python_model=str(Path(probability_model.__file__)),
        artifacts={"encoding": str(folder / "encoding.json"), "booster": str(folder / "model.ubj")},
        signature=model_signature(problem.model_copy(update={"columns": columns})),
        metadata=packed_readings(problem.model_copy(update={"columns": columns})) if readings else None,
        pip_requirements=[],
        input_example=features.head(2),
    )
    return folder / "packed"


def scoring_of(folder: Path) -> Scoring:
    """Return the ways to ask a packed model."""
    return Scoring.of(own_copy(folder).load())


def served(scoring: Any, *, version: int = 1, sequence: int = 1, row_seconds: float = 0.0) -> ServedModel:
    """Return a version that is served."""
    return ServedModel(
        name=MODEL,
        version=version,
        sequence=sequence,
        chain=promotion(sequence, version=version).chain,
        artefact_digest="a" * 64,
        evidence="e" * 64,
        scoring=scoring,
        row_seconds=row_seconds,
    )


def promotion(number: int, *, version: int | None = None) -> Promotion:
    """Return the entry that made a version champion; by default the version has the entry's number."""
    entry = Promotion(
        sequence=number,
        model=MODEL,
        kind="promote",
        version=number if version is None else version,
        run_id="",
        previous_version=None,
        previous_sequence=number - 1,
        evidence="e" * 64,
        artefact_digest="a" * 64,
        rows=1,
        split_table=None,
        claimed="2026-01-01",
        settled="2026-01-01",
        status="done",
        claimant="host",
        key="key",
        chain="",
    )
    return entry.chained(after=None)


@dataclass
class MadeSource:
    """A source of models that the test moves by hand.

    Attributes:
        make: Makes the ways to ask a version.
        number: The number of the promotion; None for none.
        version: The version that is promoted; None for that of the promotion's number.
        fault: What is raised instead of handing out a model; None for nothing.
    """

    make: Callable[[int], Any]
    number: int | None = 1
    version: int | None = None
    fault: Exception | None = None
    loads: list[int] = field(default_factory=list)

    def promoted(self) -> Promotion:
        """Return the promotion."""
        if self.number is None:
            raise RefusedError("has no champion yet")
        return promotion(self.number, version=self.version)

    def loaded(self, promotion: Promotion) -> ServedModel:
        """Return the version."""
        if self.fault is not None:
            raise self.fault
        self.loads.append(promotion.version)
        made = served(self.make(promotion.version), version=promotion.version, sequence=promotion.sequence)
        return replace(made, row_seconds=0.0)


def split_body(frame: pd.DataFrame, **more: Any) -> bytes:
    """Return rows as a request of the form ``dataframe_split``; what is missing is null."""
    rows = [[None if pd.isna(value) else value for value in row] for row in frame.astype(object).values.tolist()]
    return json.dumps({"dataframe_split": {"columns": list(frame.columns), "data": rows, **more}}).encode()


class MadeScoring:
    """Answers with its version; the body ``wait`` is answered by a thread, once the test lets it.

    Attributes:
        asked: Set when a thread began to answer ``wait``.
        released: Lets it be answered.
    """

    def __init__(self, version: int) -> None:
        self.version = version
        self.asked = threading.Event()
        self.released = threading.Event()

    def quick_replies(
        self, requests: Sequence[tuple[bytes, str | None]], *, maximum_rows: int
    ) -> list[Reply | Refusal | None]:
        """Answer at once, but for those that are to wait."""
        return [None if body == b"wait" else self._reply(body) for body, _ in requests]

    def reply(self, body: bytes, content_type: str | None, *, maximum_rows: int) -> Reply:
        """Answer when the test lets it."""
        if body == b"wait":
            self.asked.set()
            assert self.released.wait(60)
        return self._reply(body)

    def _reply(self, body: bytes) -> Reply:
        if body == b"secret":
            raise ZeroDivisionError(body.decode())
        return Reply(str(self.version).encode(), rows=3, way="quick")
