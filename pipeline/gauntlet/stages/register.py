"""This module provides the registering of the baseline forest: a version with the alias ``baseline``, read back."""

from __future__ import annotations

from gauntlet.adapters.registry import BASELINE, STATUS_TAG
from gauntlet.core.errors import RefusedError
from gauntlet.core.results import BaselineResult, RegisterResult, SplitResult
from gauntlet.stages.context import StageContext
from gauntlet.stages.tags import split_tags
from gauntlet.stages.training_rows import read_split
from gauntlet.stages.versions import TOLERANCE, Release, open_registry, readback, registered_version


def register(context: StageContext, *, split: SplitResult, baseline: BaselineResult) -> RegisterResult:
    """Register the forest, give it the alias ``baseline``, and load it back by that alias.

    Raises:
        RefusedError: If what comes back is another version, or has another AUC on the selection split.
    """
    registry, forest = open_registry(context), baseline.forest
    rows = read_split(context, split, split.selection)
    release = Release(record=forest, example=rows.features, tags=split_tags(split))
    version = registered_version(context, "register", release)
    registry.move_alias(BASELINE, version, expected=registry.version_of(BASELINE))
    found, auc = readback(registry, BASELINE, rows=rows)
    if found != version or not abs(auc - forest.auc_selection) <= TOLERANCE:
        raise RefusedError(
            f"{version.name}: version {version.version} was registered with AUC {forest.auc_selection!r}, but the "
            f"alias {BASELINE} gives version {found.version} with {auc!r}; see to the registry and run again"
        )
    registry.tag(version, {STATUS_TAG: "baseline"})
    return RegisterResult(model=version, auc_readback=auc)


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
