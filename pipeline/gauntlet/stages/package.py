"""This module provides the packaging: the chosen model as one MLflow model, the very artefact that is judged."""

from __future__ import annotations

from pathlib import Path

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
    return PackageResult(
        model_uri=uri,
        model_digest=model_digest(select.chosen, threshold=select.threshold),
        files=file_digests(artefact_folder(context, uri)),
        run_id=run_id,
    )


def artefact_folder(context: StageContext, uri: str) -> Path:
    """Return the folder of a logged model's files; where they are remote, of a copy made for this.

    Raises:
        RequirementError: If they cannot be had.
    """
    return context.target.tracking.local_copy(uri)


def still_packaged(context: StageContext, result: PackageResult) -> str | None:
    """Return why an earlier result does not hold any more; None if it does."""
    try:
        files = file_digests(artefact_folder(context, result.model_uri))
    except Exception as error:  # whatever is wrong with it, it is packaged again
        return f"the artefact cannot be read ({type(error).__name__})"
    return None if files == result.files else "the artefact's files were changed"
