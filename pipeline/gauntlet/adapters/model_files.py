"""This module provides fitted models as files in the state folder: written byte for byte the same, and read again."""

from __future__ import annotations

import hashlib
import io
import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from gauntlet.core.canonical import digest, file_digest
from gauntlet.core.encoding import Encoding, encode
from gauntlet.core.errors import RefusedError
from gauntlet.core.results import ModelRecord
from gauntlet.core.state import State

if TYPE_CHECKING:
    from sklearn.ensemble import RandomForestClassifier

# All that a forest's file may hold beyond what skops trusts by itself.
TRUSTED_TYPES = ["sklearn.tree._tree.Tree"]
_EPOCH = (1980, 1, 1, 0, 0, 0)


def save_forest(forest: RandomForestClassifier, path: Path) -> None:
    """Write a forest with skops, so that equal forests give equal bytes.

    skops names what it writes by memory addresses and notes the time; here things are numbered in their order, and the
    time is left out. Without this a forest fitted again would look like another model.
    """
    import skops.io  # noqa: PLC0415 - takes a second to import, with scikit-learn

    with ZipFile(io.BytesIO(skops.io.dumps(forest))) as source:
        document = json.loads(source.read("schema.json"))
        files: dict[str, str] = {}
        _number(document, {}, files)
        with ZipFile(path, "w") as target:
            for old, new in files.items():
                _write(target, new, source.read(old))
            _write(target, "schema.json", json.dumps(document).encode("utf-8"))


def _number(node: Any, numbers: dict[int, int], files: dict[str, str]) -> None:
    """Replace memory addresses by numbers in the order of their first appearance, and note the files' new names."""
    if isinstance(node, list):
        for item in node:
            _number(item, numbers, files)
    elif isinstance(node, dict):
        if "__id__" in node:
            node["__id__"] = numbers.setdefault(node["__id__"], len(numbers))
        if isinstance(node.get("file"), str):
            old = node["file"]
            node["file"] = files.setdefault(old, f"{len(files)}{Path(old).suffix}")
        for item in node.values():
            _number(item, numbers, files)


def _write(target: ZipFile, name: str, content: bytes) -> None:
    info = ZipInfo(name, date_time=_EPOCH)
    info.compress_type = ZIP_DEFLATED
    target.writestr(info, content, compresslevel=3)


@dataclass(frozen=True)
class FittedModel:
    """A fitted model in memory.

    Attributes:
        family: What it is.
        encoding: The encoding of features.
        model: The forest or the booster.
    """

    family: Literal["forest", "booster"]
    encoding: Encoding
    model: Any

    def probability(self, features: pd.DataFrame) -> NDArray[np.float64]:
        """Return the probability of the positive class, one a row."""
        matrix = encode(features, self.encoding)
        if self.family == "booster":
            found = self.model.inplace_predict(matrix)
        else:
            found = self.model.predict_proba(matrix)[:, 1]
        return np.asarray(found, dtype=np.float64)

    @property
    def digest(self) -> str:
        """The digest of the fitted parts: equal for equal models bit for bit, in memory as read from a file."""
        found = hashlib.sha256(self.encoding.model_dump_json().encode())
        if self.family == "booster":
            found.update(self.model.save_raw("ubj"))
            return found.hexdigest()
        found.update(repr((self.model.get_params(), self.model.classes_.tolist(), self.model.n_features_in_)).encode())
        for fitted in self.model.estimators_:
            state = fitted.tree_.__getstate__()
            found.update(repr((fitted.random_state, state["max_depth"], state["node_count"])).encode())
            # Field by field: the bytes that pad a node are whatever the memory held.
            for name in state["nodes"].dtype.names:
                found.update(state["nodes"][name].tobytes())
            found.update(state["values"].tobytes())
        return found.hexdigest()


def load_fitted(record: ModelRecord, *, state: State) -> FittedModel:
    """Read a fitted model from the state folder (not from the registry).

    Raises:
        RefusedError: If a file is not the one that was recorded when the model was fitted.
    """
    for file in (record.encoding, record.file):
        if file_digest(state.path(file)) != file.sha256:
            raise RefusedError(
                f"{state.path(file)}: was changed since {record.name} was fitted; run again with --fresh"
            )
    encoding = Encoding.model_validate_json(state.path(record.encoding).read_text(encoding="utf-8"))
    return FittedModel(record.family, encoding, read_model(state.path(record.file), family=record.family))


def save_model(fitted: FittedModel, path: Path) -> None:
    """Write a fitted model as the stages do; equal models give equal bytes."""
    if fitted.family == "booster":
        fitted.model.save_model(path)
    else:
        save_forest(fitted.model, path)


def read_model(path: Path, *, family: Literal["forest", "booster"]) -> Any:
    """Read a forest or a booster from its file."""
    if family == "booster":
        import xgboost  # noqa: PLC0415 - takes a second to import

        return xgboost.Booster(params={"nthread": 1}, model_file=str(path))
    import skops.io  # noqa: PLC0415 - takes a second to import, with scikit-learn

    return skops.io.load(str(path), trusted=TRUSTED_TYPES)


def model_digest(record: ModelRecord, *, threshold: float | None = None) -> str:
    """Return the digest of what a model decides: its fitted parts, its encoding, and its threshold.

    Two versions of one digest give the same decisions, whatever run they come from.
    """
    return digest(
        {
            "family": record.family,
            "file": record.file.sha256,
            "encoding": record.encoding.sha256,
            "threshold": threshold,
        }
    )
