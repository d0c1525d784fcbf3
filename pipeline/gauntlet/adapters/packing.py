"""This module provides the packing of fitted models as MLflow models, without any pickle."""

from __future__ import annotations

import importlib.metadata
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from gauntlet.core.problem import Problem
from gauntlet.core.results import ModelRecord
from gauntlet.core.state import State

if TYPE_CHECKING:
    from mlflow.models import ModelSignature

_EXAMPLE_ROWS = 5
_SHARED_REQUIREMENTS = ("mlflow", "numpy", "pandas")
_REQUIREMENTS = {"booster": ("xgboost-cpu",), "forest": ("scikit-learn", "skops")}
_CODE = Path(__file__).with_name("probability_model.py")


def log_packed(
    record: ModelRecord, *, state: State, problem: Problem, example: pd.DataFrame, tags: Mapping[str, str]
) -> str:
    """Log a fitted model into the active run, and return its address.

    It is "models from code": one Python file that MLflow copies, the model's own format (UBJ or skops), and the
    encoding as JSON.

    Args:
        record: The fitted model.
        state: The state folder with its files.
        problem: The problem, for the signature.
        example: Some rows of features; a few of them become the input example.
        tags: Tags of the logged model.
    """
    import mlflow  # noqa: PLC0415 - takes seconds to import

    info = mlflow.pyfunc.log_model(
        name=record.name,
        python_model=str(_CODE),
        artifacts={"encoding": str(state.path(record.encoding)), record.family: str(state.path(record.file))},
        signature=model_signature(problem),
        input_example=_example_rows(example),
        # Given, so that MLflow need not load the model in another process to find out.
        pip_requirements=requirements(record),
        tags=dict(tags),
    )
    return str(info.model_uri)


def model_signature(problem: Problem) -> ModelSignature:
    """Return what a model takes and gives: the features by name, and one double."""
    from mlflow.models import ModelSignature  # noqa: PLC0415 - takes seconds to import
    from mlflow.types import ColSpec, Schema, TensorSpec  # noqa: PLC0415 - takes seconds to import

    inputs: list[ColSpec | TensorSpec] = [
        ColSpec("string" if column.kind == "text" else "double", column.name, required=not column.nullable)
        for column in problem.features
    ]
    return ModelSignature(inputs=Schema(inputs), outputs=Schema([ColSpec("double")]))


def requirements(record: ModelRecord) -> list[str]:
    """Return what a serving environment must have, at the versions that the model was made with."""
    names = (*_SHARED_REQUIREMENTS, *_REQUIREMENTS[record.family])
    return [f"{name}=={importlib.metadata.version(name)}" for name in names]


def _example_rows(example: pd.DataFrame) -> pd.DataFrame:
    """Return a few rows, complete ones where there are any: JSON has no type for a column of nulls."""
    complete = example.dropna()
    chosen = complete if len(complete) else example
    return chosen.head(_EXAMPLE_ROWS).reset_index(drop=True)
