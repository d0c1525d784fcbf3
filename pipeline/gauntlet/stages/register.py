"""This module provides the registering of the baseline forest: a version with the alias ``baseline``, read back."""

from __future__ import annotations

from collections.abc import Mapping

from gauntlet.adapters.model_files import model_digest
from gauntlet.adapters.registry import BASELINE, MODEL_DIGEST_TAG, STATUS_TAG
from gauntlet.core.errors import RefusedError
from gauntlet.core.results import BaselineResult, ModelRecord, RegisterResult, SplitResult
from gauntlet.stages.context import StageContext
from gauntlet.stages.tags import ROWS_TAG, split_tags
from gauntlet.stages.training_rows import read_split
from gauntlet.stages.versions import TOLERANCE, Release, open_registry, readback, registered_version


def register(context: StageContext, *, split: SplitResult, baseline: BaselineResult) -> RegisterResult:
    """Register the forest, give it the alias ``baseline``, and load it back by that alias.

    Raises:
        RefusedError: If what comes back is another version, or has another AUC on the selection split.
    """
    registry, forest = open_registry(context), baseline.forest
    rows = read_split(context, split, split.selection)
    tags, current = split_tags(split), registry.version_of(BASELINE)
    if current is not None and _is(forest, registry.tags(current), rows_tag=tags[ROWS_TAG]):
        version = current
    else:
        version = registered_version(context, "register", Release(record=forest, example=rows.features, tags=tags))
        registry.move_alias(BASELINE, version, expected=current)
    found, auc = readback(registry, BASELINE, rows=rows)
    if found != version or not abs(auc - forest.auc_selection) <= TOLERANCE:
        raise RefusedError(
            f"{version.name}: version {version.version} was registered with AUC {forest.auc_selection!r}, but the "
            f"alias {BASELINE} gives version {found.version} with {auc!r}; see to the registry and run again"
        )
    registry.tag(version, {STATUS_TAG: "baseline"})
    return RegisterResult(model=version, auc_readback=auc)


def _is(forest: ModelRecord, tags: Mapping[str, str], *, rows_tag: str) -> bool:
    """Say whether a version's tags are those of a forest, fitted on the same rows."""
    return tags.get(MODEL_DIGEST_TAG) == model_digest(forest) and tags.get(ROWS_TAG) == rows_tag


def still_registered(context: StageContext, result: RegisterResult) -> str | None:
    """Return why an earlier result does not hold any more; None if it does.

    Raises:
        RequirementError: If the registry could not be asked.
    """
    found = open_registry(context).version_of(BASELINE)
    if found is None:
        return f"the registry has no {BASELINE} any more"
    if found != result.model:
        return f"version {found.version} is the {BASELINE} now, not {result.model.version}"
    return None
