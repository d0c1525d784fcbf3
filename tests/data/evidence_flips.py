"""Single flipped bytes in what a promotion stands on: each must be refused, and its message must name the file."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from gauntlet.adapters.artefact_copies import LOADING_NOTE
from gauntlet.adapters.evidence_store import evidence_path
from gauntlet.core.canonical import file_digest
from gauntlet.core.errors import RefusedError
from gauntlet.stages.champion_change import table_reference
from tests.data.model_world import World


@dataclass(frozen=True)
class Flips:
    """What came of many flipped bytes.

    Attributes:
        flips: How many bytes were flipped, one at a time.
        files: How many files they were in, by kind.
        accepted: The places whose flip did not stop the promotion.
        unnamed: The places whose flip stopped it with a message that does not name the file, with the message.
    """

    flips: int
    files: dict[str, int]
    accepted: tuple[str, ...]
    unnamed: tuple[str, ...]


def flip_targets(world: World, evidence: str) -> dict[str, list[tuple[Path, str]]]:
    """Return the files that evidence vouches for, and how a message must name each, by kind."""
    store, target = world.champions.evidence, world.context("look").target
    proven = store.proven(evidence)
    logged = target.tracking.client.get_logged_model(proven.artefact.model_uri.rpartition("/")[2])
    artefact = Path(logged.artifact_location.removeprefix("file://"))
    tables = [(table, target.tables.folder(table_reference(table))) for table in proven.tables]
    envelope = evidence_path(store.folder, evidence)
    return {
        "evidence": [(envelope, str(envelope))],
        # MLflow writes its own note anew at every load, and nothing ever reads it.
        "artefact": [
            (artefact / name, f": {name} has changed") for name in proven.artefact.files if name != LOADING_NOTE
        ],
        "tables": [
            (folder / name, f"{table.full_name} version {table.version}: {name} has changed")
            for table, folder in tables
            for name in table.files
        ],
    }


def flipped(
    promote: Callable[[], object],
    targets: dict[str, list[tuple[Path, str]]],
    *,
    flips: int,
    generator: np.random.Generator,
) -> Flips:
    """Flip one byte after another, each put back after it, and try to promote with each.

    Args:
        promote: Promotes; it must raise a RefusedError.
        targets: The files, as ``flip_targets`` returns them.
        flips: How many bytes.
        generator: Chooses kind, file, place and bits.
    """
    accepted: list[str] = []
    unnamed: list[str] = []
    touched: dict[str, set[Path]] = {kind: set() for kind in targets}
    for _ in range(flips):
        kind = str(generator.choice(sorted(targets)))
        path, name = targets[kind][int(generator.integers(len(targets[kind])))]
        before = file_digest(path)
        content = bytearray(path.read_bytes())
        place, bits = int(generator.integers(len(content))), int(generator.integers(1, 256))
        content[place] ^= bits
        touched[kind].add(path)
        where = f"{path} byte {place} by {bits:#04x}"
        try:
            path.write_bytes(content)
            promote()
            accepted.append(where)
        except RefusedError as error:
            if name not in str(error):
                unnamed.append(f"{where}: {error}")
        finally:
            content[place] ^= bits
            path.write_bytes(content)
        if file_digest(path) != before:
            raise RuntimeError(f"{path}: was not put back as it was")
    return Flips(flips, {kind: len(paths) for kind, paths in touched.items()}, tuple(accepted), tuple(unnamed))
