"""This module provides the tags that say what data a run or a model rests on; synthetic data is marked on all."""

from __future__ import annotations

from gauntlet.core.results import IngestResult, SplitResult

SYNTHETIC_TAG = "gauntlet.synthetic"
ROWS_TAG = "gauntlet.rows"


def source_tags(ingest: IngestResult) -> dict[str, str]:
    """Return the tags of what was read."""
    return {
        "gauntlet.data_source": ingest.source.description,
        SYNTHETIC_TAG: str(ingest.source.synthetic).lower(),
    }


def split_tags(split: SplitResult) -> dict[str, str]:
    """Return the tags of the rows, and of the protocol, by which a model was made."""
    return {
        "gauntlet.protocol": split.protocol,
        ROWS_TAG: split.table.fingerprint,
        SYNTHETIC_TAG: str(split.synthetic).lower(),
    }
