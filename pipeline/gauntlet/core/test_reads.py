"""This module provides the ledger of openings of the test split: a line each, chained, so that none can vanish."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from filelock import FileLock
from pydantic import ValidationError

from gauntlet.core.canonical import digest
from gauntlet.core.errors import EvidenceError, InputError
from gauntlet.core.results import Record
from gauntlet.core.state import append_line, whole_lines

_START = "0" * 64


class TestRead(Record):
    """One opening of a test split.

    Attributes:
        time: When, in ISO's form.
        split: The fingerprint of the split.
        selection: The digest of the frozen choice that it was opened for.
        reason: Why, in a few words.
        stage_key: The key of the stage that asked.
        chain: The digest of this line and all before it.
    """

    __test__ = False  # not a test class, whatever pytest makes of its name

    time: str
    split: str
    selection: str
    reason: str
    stage_key: str
    chain: str

    def follows(self, before: str) -> bool:
        """Say whether the line's chain is the one that follows from the chain of the line before."""
        return self.chain == _chained(before, self)


def read_test_reads(path: Path) -> tuple[TestRead, ...]:
    """Return all openings; none if there is no ledger yet.

    A last line that was never written to its end stands for no opening: rows are given out only after it.

    Raises:
        InputError: If a line is no opening, or does not follow from those before it: one was changed or taken out.
    """
    reads: list[TestRead] = []
    before = _START
    for number, line in enumerate(whole_lines(path).decode().splitlines(), start=1):
        try:
            read = TestRead.model_validate_json(line)
        except ValidationError as error:
            raise InputError(f"{path}: line {number} is no opening of a test split; it was changed by hand") from error
        if not read.follows(before):
            raise InputError(
                f"{path}: line {number} does not follow from those before it; a line was changed or taken out"
            )
        reads.append(read)
        before = read.chain
    return tuple(reads)


def require_reads_go_on(reads: Sequence[TestRead], *, count: int, chain: str | None) -> None:
    """Make sure that openings go on from where they once were: none of the last lines was cut off since.

    A chain alone shows what was changed or taken out in its middle, and nothing of what was cut off at its end.

    Args:
        reads: All openings of today.
        count: How many there were then.
        chain: The digest of the last one of then; None if there was none.

    Raises:
        EvidenceError: If not.
    """
    if len(reads) < count or (count and reads[count - 1].chain != chain):
        raise EvidenceError(
            f"the ledger of test reads had {count} lines when the candidate was judged, and does not go on from them "
            f"now ({len(reads)} lines): lines were cut off or it was replaced; restore it from a copy"
        )


def record_test_read(path: Path, *, split: str, selection: str, reason: str, stage_key: str) -> TestRead:
    """Write an opening through to the disk, before the rows are given out.

    Raises:
        InputError: If the ledger was changed by hand.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(f"{path}.lock"):
        reads = read_test_reads(path)
        read = TestRead(
            time=datetime.now(UTC).isoformat(timespec="seconds"),
            split=split,
            selection=selection,
            reason=reason,
            stage_key=stage_key,
            chain="",
        )
        read = read.model_copy(update={"chain": _chained(reads[-1].chain if reads else _START, read)})
        append_line(path, json.dumps(read.model_dump(mode="json")))
    return read


def _chained(before: str, read: TestRead) -> str:
    return digest([before, read.model_dump(mode="json", exclude={"chain"})])
