"""This module provides the store of evidence: signed envelopes in a folder, each named by the SHA-256 of its bytes."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path

from gauntlet.adapters.signing_keys import SigningKeys
from gauntlet.core.envelope import open_envelope
from gauntlet.core.errors import EvidenceError, InputError
from gauntlet.core.evidence import Evidence, evidence_of
from gauntlet.core.state import write_bytes_atomically

SUFFIX = ".dsse.json"
_DIGEST = re.compile(r"[0-9a-f]{64}")
_DIGEST_START = re.compile(r"[0-9a-f]{8,64}")


def evidence_path(folder: Path, mark: str) -> Path:
    """Return where the evidence of a SHA-256 lies."""
    return folder / f"{mark}{SUFFIX}"


@dataclass(frozen=True)
class EvidenceStore:
    """The evidence of all judgements.

    Attributes:
        folder: Where it lies.
        keys: The keys that may have signed it.
    """

    folder: Path
    keys: SigningKeys

    def proven(self, mark: str) -> Evidence:
        """Return the evidence of a SHA-256, once its bytes, its signature and its form are those that were sealed.

        Raises:
            EvidenceError: If they are not, or there is no such evidence.
            RequirementError: If there is no key to prove it with.
        """
        path = evidence_path(self.folder, mark)
        content = _read(path)
        found = hashlib.sha256(content).hexdigest()
        if found != mark:
            raise EvidenceError(f"{path}: the evidence has changed: its SHA-256 is {found}, not that of its name")
        return self._opened(content, where=path)

    def kept(self, file: Path) -> str:
        """Keep evidence that was made elsewhere, once it is proven, and return its SHA-256.

        Raises:
            EvidenceError: If it cannot be read or proven, or its name promises another SHA-256.
            RequirementError: If there is no key to prove it with.
        """
        content = _read(file)
        mark = hashlib.sha256(content).hexdigest()
        promised = file.name.removesuffix(SUFFIX)
        if _DIGEST.fullmatch(promised) and promised != mark:
            raise EvidenceError(f"{file}: the evidence has changed: its SHA-256 is {mark}, not that of its name")
        self._opened(content, where=file)
        path = evidence_path(self.folder, mark)
        if not path.exists():
            write_bytes_atomically(path, content)
        return mark

    def resolved(self, given: str | None) -> str:
        """Return the SHA-256 of evidence that somebody asks for; a file from elsewhere is kept here.

        Args:
            given: A path, or a SHA-256, whose first eight digits suffice; None for what was written last.

        Raises:
            EvidenceError: If a file cannot be proven.
            InputError: If there is no such evidence.
            RequirementError: If there is no key to prove it with.
        """
        if given is None:
            return self._newest()
        if _DIGEST_START.fullmatch(given) and not Path(given).exists():
            found = [path.name.removesuffix(SUFFIX) for path in self.folder.glob(f"{given}*{SUFFIX}")]
            if len(found) == 1:
                return found[0]
            raise InputError(f"{self.folder}: holds {len(found) or 'no'} evidence whose SHA-256 begins with {given}")
        if not Path(given).is_file():
            raise InputError(f"{given}: there is no such file; give the path of evidence, or its SHA-256")
        return self.kept(Path(given))

    def marks(self) -> tuple[str, ...]:
        """Return the SHA-256 of all evidence, what was written last first; none of it is proven."""
        files = sorted(self.folder.glob(f"*{SUFFIX}"), key=lambda path: path.stat().st_mtime_ns, reverse=True)
        return tuple(path.name.removesuffix(SUFFIX) for path in files)

    def _newest(self) -> str:
        marks = self.marks()
        if not marks:
            raise InputError(
                f"{self.folder}: holds no evidence; judge a candidate first with gauntlet run --until judge"
            )
        return marks[0]

    def _opened(self, content: bytes, *, where: Path) -> Evidence:
        trusted = self.keys.trusted()
        try:
            return evidence_of(open_envelope(content, trusted=trusted))
        except EvidenceError as error:
            raise EvidenceError(f"{where}: {error}") from error


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise EvidenceError(f"{path}: the evidence cannot be read ({error.strerror or error})") from error
