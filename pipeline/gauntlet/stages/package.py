"""This module provides the packaging: the chosen model as one MLflow model, the very artefact that is judged."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from gauntlet.adapters.artefact_copies import copied_artefact
from gauntlet.adapters.artefact_files import file_digests
from gauntlet.adapters.model_files import model_digest
from gauntlet.adapters.registry import SELECTION_TAG
from gauntlet.core.results import PackageResult, SelectResult, SplitResult
from gauntlet.stages.context import StageContext
from gauntlet.stages.tags import split_tags
from gauntlet.stages.training_rows import read_split
from gauntlet.stages.versions import Release, logged_model


def package(context: StageContext, *, split: SplitResult, select: SelectResult) -> PackageResult:
    """Log the chosen model, and note the digest of each of its files.

    No version is registered yet: the gates judge these files, and the promotion registers these and no others.
    """
    release = Release(
        record=select.chosen,
        example=read_split(context, split, split.selection).features,
        tags={SELECTION_TAG: select.selection_digest, **split_tags(split)},
        threshold=select.threshold,
    )
    uri, run_id = logged_model(context, "package", release)
    with copied(context, uri) as folder:
        files = file_digests(folder)
    return PackageResult(
        model_uri=uri,
        model_digest=model_digest(select.chosen, threshold=select.threshold),
        files=files,
        run_id=run_id,
    )


@contextmanager
def copied(context: StageContext, uri: str) -> Iterator[Path]:
    """Give a copy of a logged model's files, which is gone afterwards.

    Raises:
        RequirementError: If they cannot be had.
    """
    with tempfile.TemporaryDirectory(prefix="gauntlet-model-") as folder:
        yield copied_artefact(context.target.tracking, uri, folder=Path(folder))


def still_packaged(context: StageContext, result: PackageResult) -> str | None:
    """Return why an earlier result does not hold any more; None if it does."""
    try:
        with copied(context, result.model_uri) as folder:
            files = file_digests(folder)
    except Exception as error:  # whatever is wrong with it, it is packaged again
        return f"the artefact cannot be read ({type(error).__name__})"
    return None if files == result.files else "the artefact's files were changed"
