"""This module provides copies of a model's files, and the one way to load a model: from a copy that was verified.

Where the store is a folder of this machine, MLflow gives out that very folder, and writes the file
``registered_model_meta`` into it at every load: nobody could hold such a folder against digests. So a copy is made,
without that file.

Loading a model runs its code. So a model is never loaded by an address, which may give other files tomorrow. It is
loaded only from a copy whose files have the digests of signed evidence, or of the run's own record.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from gauntlet.adapters.artefact_files import file_digests, no_compiled_code
from gauntlet.adapters.tracking import Tracking
from gauntlet.core.errors import RequirementError
from gauntlet.core.evidence import require_same_digests

if TYPE_CHECKING:
    from mlflow.pyfunc import PyFuncModel

# MLflow writes it anew whenever it gives a model out, and never reads it.
LOADING_NOTE = "registered_model_meta"


def copied_artefact(tracking: Tracking, uri: str, *, folder: Path) -> Path:
    """Copy a model's files into a folder, and return where they lie.

    Args:
        tracking: MLflow.
        uri: The address of a logged model or of a registered version.
        folder: An empty folder.

    Raises:
        RequirementError: If they cannot be had.
    """
    import mlflow  # noqa: PLC0415 - takes seconds to import

    os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
    _ = tracking.client
    mlflow.set_tracking_uri(tracking.tracking_uri)
    mlflow.set_registry_uri(tracking.registry_uri)
    try:
        copied = Path(
            mlflow.artifacts.download_artifacts(
                uri, dst_path=str(folder), tracking_uri=tracking.tracking_uri, registry_uri=tracking.registry_uri
            )
        )
    except Exception as error:
        reason = " ".join(str(error).split())[:300]
        raise RequirementError(
            f"the files of {uri} cannot be had ({type(error).__name__}: {reason}); see to MLflow's store and run again"
        ) from error
    (copied / LOADING_NOTE).unlink(missing_ok=True)
    return copied


@dataclass(frozen=True)
class VerifiedCopy:
    """A copy of a model's files whose digests were checked; every function that loads a model takes one.

    Attributes:
        folder: Where the files lie; nobody else writes there.
    """

    folder: Path

    @classmethod
    def of(cls, folder: Path, *, files: Mapping[str, str], what: str) -> VerifiedCopy:
        """Return a copy as verified, once it holds the files that were promised, all of them and no other.

        Args:
            folder: The copy.
            files: SHA-256 by path, from evidence or from the run's own record.
            what: What the files are, for the message.

        Raises:
            EvidenceError: If not; the message names the first file, by path, that is missing, was added or has changed.
        """
        require_same_artefact(files, folder, what=what)
        return cls(folder)

    def load(self) -> PyFuncModel:
        """Load the model; all files are read now, and none is added, not even compiled code beside the model's own."""
        import mlflow  # noqa: PLC0415 - takes seconds to import

        with no_compiled_code():
            model: PyFuncModel = mlflow.pyfunc.load_model(str(self.folder), suppress_warnings=True)
        return model


def require_same_artefact(expected: Mapping[str, str], folder: Path, *, what: str) -> None:
    """Make sure that a copy holds the files that were promised, all of them and no other.

    Args:
        expected: SHA-256 by path.
        folder: The copy.
        what: What the files are, for the message.

    Raises:
        EvidenceError: If not; the message names the first file, by path, that is missing, was added or has changed.
    """
    wanted = {path: mark for path, mark in expected.items() if path != LOADING_NOTE}
    require_same_digests(wanted, file_digests(folder), what=what)
