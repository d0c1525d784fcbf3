"""Copies of models that tests made themselves, as whatever loads a model takes them."""

from __future__ import annotations

from pathlib import Path

from gauntlet.adapters.artefact_copies import VerifiedCopy
from gauntlet.adapters.artefact_files import file_digests


def own_copy(folder: Path) -> VerifiedCopy:
    """Return a folder that a test wrote as verified, as it is."""
    return VerifiedCopy.of(folder, files=file_digests(folder), what=str(folder))
