"""This module provides the files that drafts are written to: what would change, and what was edited and stays."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from gauntlet.core.canonical import digest
from gauntlet.core.errors import InputError
from gauntlet.core.state import write_atomically

_MARK = re.compile(r"^# Draft ([0-9a-f]{12}): .*\n\Z", re.MULTILINE)
_MEANS = "as long as the lines above are as they were drafted, `gauntlet init` may draft the file anew."


@dataclass(frozen=True)
class DraftedFile:
    """A file that was drafted, and the file that is there.

    Attributes:
        path: The file.
        before: What it holds now; None if there is none.
        after: What it is to hold.
        proposed: What a new draft holds; it differs from ``after`` where edits are kept.
        kept: What was edited and stays, for people.
    """

    path: Path
    before: str | None
    after: str
    proposed: str
    kept: tuple[str, ...] = ()

    @property
    def changes(self) -> bool:
        """Whether the file is to be written."""
        return self.before != self.after

    @property
    def diff(self) -> str:
        """The difference between what the file holds and what is to be written, or would be drafted, if any."""
        target = self.after if self.changes else self.proposed
        lines = difflib.unified_diff(
            (self.before or "").splitlines(),
            target.splitlines(),
            str(self.path),
            f"{self.path} (drafted)",
            lineterm="",
            n=1,
        )
        return "\n".join(lines)


def sealed(text: str) -> str:
    """Return a drafted text with its digest as the last line, a comment."""
    return f"{text}\n# Draft {_digest(text)}: {_MEANS}\n"


def drafted_problem_file(path: Path, text: str) -> DraftedFile:
    """Return what a drafted problem file does to the one that is there: one that was edited stays as it is.

    Args:
        path: The problem file.
        text: The new draft, sealed.

    Raises:
        InputError: If there is something else than a text file.
    """
    before = text_of(path)
    if before is None or is_untouched(before):
        return DraftedFile(path, before, text, text)
    return DraftedFile(path, before, before, text, kept=("the whole file, which was edited",))


def is_untouched(text: str) -> bool:
    """Return whether a text is a sealed draft that nobody has edited."""
    mark = _MARK.search(text)
    return mark is not None and mark.group(1) == _digest(text[: mark.start()].removesuffix("\n"))


def text_of(path: Path) -> str | None:
    """Return the text that a file holds; None if there is none.

    Raises:
        InputError: If it cannot be read as text.
    """
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise InputError(f"{path}: cannot be read ({reason}); move it, or choose another --output") from error


def write_all(files: Iterable[DraftedFile]) -> None:
    """Write the files that change, all of them or, where one cannot be written, none.

    Raises:
        InputError: If one cannot be written.
    """
    with ExitStack() as undo:
        for file in files:
            if not file.changes:
                continue
            try:
                write_atomically(file.path, file.after)
            except OSError as error:
                raise InputError(
                    f"{file.path}: cannot be written ({error.strerror}); choose another --output"
                ) from error
            if file.before is None:
                undo.callback(file.path.unlink)
            else:
                undo.callback(write_atomically, file.path, file.before)
        undo.pop_all()


def _digest(text: str) -> str:
    return digest(text)[:12]
