"""This module provides the registering of the baseline forest: a version with the alias ``baseline``, read back."""

from __future__ import annotations

from pathlib import Path

from gauntlet.adapters.artefact_copies import VerifiedCopy
from gauntlet.adapters.artefact_files import file_digests
from gauntlet.adapters.model_files import model_digest
from gauntlet.adapters.packing import packing_fault
from gauntlet.adapters.registry import BASELINE, MODEL_DIGEST_TAG, STATUS_TAG, Registry
from gauntlet.core.errors import RefusedError
from gauntlet.core.results import BaselineResult, ModelRecord, ModelVersion, RegisterResult, SplitResult
from gauntlet.core.scores import auc
from gauntlet.stages.champions import named, number_of
from gauntlet.stages.context import StageContext
from gauntlet.stages.tags import ROWS_TAG, split_tags
from gauntlet.stages.training_rows import Rows, read_split
from gauntlet.stages.versions import TOLERANCE, Release, answers, open_registry, registered_version


def register(context: StageContext, *, split: SplitResult, baseline: BaselineResult) -> RegisterResult:
    """Register the forest, give it the alias ``baseline``, and load it back by that alias.

    Raises:
        RefusedError: If what comes back is another version, or has another AUC on the selection split.
    """
    registry, forest = open_registry(context), baseline.forest
    rows = read_split(context, split, split.selection)
    tags, current = split_tags(split), registry.version_of(BASELINE)
    release = Release(record=forest, example=rows.features, tags=tags)
    if current is not None and _holds(registry, current, forest, rows_tag=tags[ROWS_TAG]):
        version = current
    else:
        version = registered_version(context, "register", release)
    if version != current:
        registry.move_alias(BASELINE, version, expected=current)
    found = registry.version_of(BASELINE)
    measured = None if found is None else _readback(registry, found, forest=forest, rows=rows)
    if found != version or measured is None or not abs(measured - forest.auc_selection) <= TOLERANCE:
        raise RefusedError(
            f"{version.name}: version {version.version} was registered with AUC {forest.auc_selection!r}, but the "
            f"alias {BASELINE} gives {named(number_of(found))} with {measured!r}; see to the registry and run again"
        )
    registry.tag(version, {STATUS_TAG: "baseline"})
    return RegisterResult(model=version, auc_readback=measured)


def _readback(registry: Registry, version: ModelVersion, *, forest: ModelRecord, rows: Rows) -> float:
    """Return a version's AUC as anybody gets it through the registry, once it is shown to be the forest.

    Raises:
        RefusedError: If it is something else; nothing of it was loaded.
    """
    where = f"{version.name} version {version.version}"
    with registry.artefact(version) as folder:
        fault = _fault(folder, forest)
        if fault is not None:
            raise RefusedError(
                f"{where}: was not loaded, as {fault}; somebody changed the registry: delete this version and run again"
            )
        model = VerifiedCopy(folder).load()  # it was held against the run's record just now
        return auc(answers(model.predict(rows.features), rows=rows), rows.label)


def _fault(folder: Path, forest: ModelRecord) -> str | None:
    """Return why a version's files are not a forest as this version of Gauntlet packs it; None if they are.

    A version is found by its tags, which anybody can copy to another one. So its code must be what Gauntlet packs, and
    its data the run's own files.
    """
    recorded = {"artifacts/forest.skops": forest.file.sha256, "artifacts/encoding.json": forest.encoding.sha256}
    data = {path: mark for path, mark in file_digests(folder).items() if path.startswith("artifacts/")}
    return packing_fault(folder) or ("its data are not the forest's files" if data != recorded else None)


def _holds(registry: Registry, version: ModelVersion, forest: ModelRecord, *, rows_tag: str) -> bool:
    """Say whether a version is a forest, fitted on the same rows, as this version of Gauntlet packs it."""
    tags = registry.tags(version)
    if tags.get(MODEL_DIGEST_TAG) != model_digest(forest) or tags.get(ROWS_TAG) != rows_tag:
        return False
    with registry.artefact(version) as folder:
        return _fault(folder, forest) is None


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
