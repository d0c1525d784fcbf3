"""This module provides the packing of fitted models as MLflow models, without any pickle."""

from __future__ import annotations

import contextlib
import importlib.metadata
import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from gauntlet.adapters.artefact_files import no_compiled_code, pickles_in
from gauntlet.adapters.tracking import artifact_address
from gauntlet.core.problem import READINGS_KEY, Problem
from gauntlet.core.results import ModelRecord
from gauntlet.core.state import State

if TYPE_CHECKING:
    from mlflow.models import ModelSignature

_EXAMPLE_ROWS = 5
_SHARED_REQUIREMENTS = ("mlflow", "numpy", "pandas")
# XGBoost comes under two names: macOS and clusters have the second.
_XGBOOST = ("xgboost-cpu", "xgboost")
_REQUIREMENTS = {"booster": (_XGBOOST,), "forest": (("scikit-learn",), ("skops",))}
# How a fitted model's file is called, by its family.
_SUFFIXES = {".ubj": "booster", ".skops": "forest"}
_CODE = Path(__file__).with_name("probability_model.py")
_LOADER = "mlflow.pyfunc.loaders.code_model"


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

    # MLflow imports the model to try it on the example, before it takes the files.
    with no_compiled_code():
        info = mlflow.pyfunc.log_model(
            name=record.name,
            python_model=str(_CODE),
            artifacts={
                "encoding": artifact_address(state.path(record.encoding)),
                record.family: artifact_address(state.path(record.file)),
            },
            signature=model_signature(problem),
            metadata=packed_readings(problem),
            input_example=_example_rows(example),
            # Given, so that MLflow need not load the model in another process to find out.
            pip_requirements=requirements(record),
            tags=dict(tags),
        )
    return str(info.model_uri)


def packing_fault(folder: Path) -> str | None:
    """Return why loading a folder would run other code than Gauntlet's own; None if it would not.

    Args:
        folder: A packed model's folder.

    Raises:
        EvidenceError: If there is anything but files and folders, or something cannot be read.
    """
    pickles = pickles_in(folder)
    return f"{pickles[0]} holds a pickle" if pickles else code_fault(folder)


def code_fault(folder: Path) -> str | None:
    """Return why a folder's code is not what this version of Gauntlet packs; None if it is.

    MLflow runs what ``MLmodel`` names. Here that must be the packed code, which reads a booster or a forest and an
    encoding. Pickles are another matter.

    Args:
        folder: A packed model's folder.
    """
    from mlflow.models import Model  # noqa: PLC0415 - takes seconds to import

    try:
        flavors = Model.load(str(folder)).flavors
    except Exception as error:
        return f"its MLmodel cannot be read ({type(error).__name__})"
    flavor = flavors.get("python_function", {})
    if set(flavors) != {"python_function"} or flavor.get("loader_module") != _LOADER or flavor.get("code"):
        return "its MLmodel names other code than the packed one"
    code = folder / Path(flavor.get("model_code_path") or "none").name
    if not code.is_file() or code.read_bytes() != _CODE.read_bytes():
        return f"its code, {code.name}, is not what this version of Gauntlet packs"
    return None


def model_signature(problem: Problem) -> ModelSignature:
    """Return what a model takes and gives: the features by name, and one double."""
    from mlflow.models import ModelSignature  # noqa: PLC0415 - takes seconds to import
    from mlflow.types import ColSpec, Schema, TensorSpec  # noqa: PLC0415 - takes seconds to import

    inputs: list[ColSpec | TensorSpec] = [
        ColSpec("string" if column.kind == "text" else "double", column.name, required=not column.nullable)
        for column in problem.features
    ]
    return ModelSignature(inputs=Schema(inputs), outputs=Schema([ColSpec("double")]))


def packed_readings(problem: Problem) -> dict[str, str]:
    """Return what a model's server must know to read rows as the run did: the keys of its features."""
    keys = [column.model_dump(mode="json", exclude_defaults=True) for column in problem.features]
    return {READINGS_KEY: json.dumps(keys, ensure_ascii=False)}


def requirements(record: ModelRecord) -> list[str]:
    """Return what a serving environment must have, at the versions that the model was made with."""
    return [f"{name}=={importlib.metadata.version(name)}" for name in _distributions(record.family)]


def needed_distributions(folder: Path) -> tuple[str, ...]:
    """Return the distributions that a packed model in this folder cannot do without, by the names they have here.

    Args:
        folder: The packed model's folder; a booster's file ends in ``.ubj``, a forest's in ``.skops``.
    """
    families = {_SUFFIXES[path.suffix] for path in folder.rglob("*") if path.suffix in _SUFFIXES}
    return tuple(dict.fromkeys(name for family in sorted(families) for name in _distributions(family)))


def _distributions(family: str) -> list[str]:
    return [*_SHARED_REQUIREMENTS, *(_installed(names) for names in _REQUIREMENTS[family])]


def _installed(names: tuple[str, ...]) -> str:
    """Return the first of several names of one library under which it is installed; the first of all if none is."""
    for name in names:
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            importlib.metadata.version(name)
            return name
    return names[0]


def _example_rows(example: pd.DataFrame) -> pd.DataFrame:
    """Return a few rows, complete ones where there are any: JSON has no type for a column of nulls."""
    complete = example.dropna()
    chosen = complete if len(complete) else example
    return chosen.head(_EXAMPLE_ROWS).reset_index(drop=True)
