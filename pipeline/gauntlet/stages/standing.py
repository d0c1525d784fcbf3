"""This module provides how things stand when a promotion begins: who is champion, and whether a killed try is about."""

from __future__ import annotations

from dataclasses import dataclass

from gauntlet.adapters.registry import CHAMPION, MODEL_DIGEST_TAG, REPLACES_TAG, STATUS_TAG, Registry
from gauntlet.adapters.tracking import STAGE_KEY_TAG
from gauntlet.core.results import ModelVersion
from gauntlet.stages.candidate import Incumbent
from gauntlet.stages.tags import ROWS_TAG
from gauntlet.stages.training_rows import Rows
from gauntlet.stages.versions import answers

# What the tag STATUS_TAG says of a version.
CANDIDATE, CHAMPION_PROVEN, ARCHIVED, REFUSED = "candidate", "champion", "archived", "refused"


@dataclass(frozen=True)
class Standing:
    """What the alias ``champion`` names when the stage begins.

    Attributes:
        current: The version that the alias names; None if the registry says that there is none.
        before: The champion before the candidate: ``current``, or what it replaced if it is this stage's own.
        is_candidate: Whether ``current`` is the very model that is judged, made champion by another stage's key.
        unproven: Whether ``current`` is the judged model of a try that was killed before it was read back.
    """

    current: ModelVersion | None
    before: ModelVersion | None
    is_candidate: bool = False
    unproven: bool = False


def standing_of(registry: Registry, *, key: str, model_digest: str) -> Standing:
    """Return how things stand for a candidate.

    Args:
        registry: The registry.
        key: The stage's key.
        model_digest: The digest of the candidate.

    Raises:
        RequirementError: If the registry could not be asked.
    """
    current = registry.version_of(CHAMPION)
    if current is None:
        return Standing(current=None, before=None)
    tags = registry.tags(current)
    if tags.get(MODEL_DIGEST_TAG) != model_digest:
        return Standing(current=current, before=current)
    number = tags.get(REPLACES_TAG, "")
    own, proven = tags.get(STAGE_KEY_TAG) == key, tags.get(STATUS_TAG) == CHAMPION_PROVEN
    return Standing(
        current=current,
        before=registry.version(int(number)) if number else None,
        is_candidate=proven and not own,
        unproven=not proven,
    )


def incumbent_of(registry: Registry, standing: Standing, rows: Rows) -> Incumbent:
    """Return the champion to compare with, and what it says of the test rows."""
    version = standing.current if standing.is_candidate else standing.before
    if version is None:
        return Incumbent()
    try:
        probability = answers(registry.load(version).predict(rows.features), rows=rows)
    except Exception as error:  # a champion that cannot be asked is the gate's business
        reason = " ".join(str(error).split())[:300]
        fault = (
            f"version {version.version} could not be loaded and asked ({type(error).__name__}: {reason}); mend it, or "
            f"take the alias {CHAMPION} away from it"
        )
        return Incumbent(version=version, fault=fault, is_candidate=standing.is_candidate)
    fitted_on = registry.tags(version).get(ROWS_TAG)
    return Incumbent(version=version, probability=probability, is_candidate=standing.is_candidate, rows=fitted_on)


def withdraw(registry: Registry, standing: Standing) -> None:
    """Put the alias back if a killed try moved it and did not live to read the version back."""
    if standing.unproven and standing.current is not None:
        registry.restore_alias(CHAMPION, standing.before, expected=standing.current)
        registry.tag(standing.current, {STATUS_TAG: REFUSED})
