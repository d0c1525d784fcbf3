"""This module provides saved plans: kept with what they were made from, so that another one is never applied."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from gauntlet.core.canonical import file_digest
from gauntlet.core.errors import InputError, RefusedError
from gauntlet.core.infra_config import StackName
from gauntlet.core.section import Section
from gauntlet.core.state import State, write_bytes_atomically


class PlanNote(Section):
    """What a saved plan was made from and found.

    Attributes:
        stack: The stack.
        environment: The environment.
        changes: Whether anything would change.
        plan: The SHA-256 of the plan's file.
        configuration: The digest of the stack's files and modules.
        terraform: The version of Terraform.
    """

    stack: StackName
    environment: str
    changes: bool
    plan: str
    configuration: str
    terraform: str


@dataclass(frozen=True)
class SavedPlan:
    """Where the plan of a stack is kept, in the state folder. Plans hold every value in the clear.

    Attributes:
        state: The state folder.
        environment: The environment.
        stack: The stack.
    """

    state: State
    environment: str
    stack: StackName

    @property
    def folder(self) -> Path:
        """The folder of the plan."""
        return self.state.root / "infra" / self.environment / self.stack

    @property
    def file(self) -> Path:
        """The plan, as Terraform keeps it."""
        return self.folder / "plan.tfplan"

    @property
    def document(self) -> Path:
        """The plan as JSON, for ``gauntlet infra gate``."""
        return self.folder / "plan.json"

    @property
    def _note(self) -> Path:
        return self.folder / "note.json"

    def keep(self, document: dict[str, Any], *, changes: bool, configuration: str, terraform: str) -> None:
        """Note what the plan that lies in ``file`` was made from; only then is there a plan to apply."""
        note = PlanNote(
            stack=self.stack,
            environment=self.environment,
            changes=changes,
            plan=file_digest(self.file),
            configuration=configuration,
            terraform=terraform,
        )
        # mkstemp, which writes it, makes files that only their owner may read.
        write_bytes_atomically(self.document, json.dumps(document).encode("utf-8"))
        write_bytes_atomically(self._note, note.model_dump_json(indent=1).encode("utf-8"))

    def note(self) -> PlanNote | None:
        """Return the note of the plan; None if there is no plan."""
        try:
            return PlanNote.model_validate_json(self._note.read_bytes())
        except (OSError, ValidationError):
            return None

    def require(self, *, configuration: str, folder: Path) -> PlanNote:
        """Return the note of a plan that may be applied.

        Args:
            configuration: The digest of the stack's files as they are now.
            folder: The stack's folder, for messages.

        Raises:
            InputError: If there is no plan.
            RefusedError: If it is not the plan that was shown, or its stack has changed since.
        """
        note = self.note()
        if note is None or not self.file.is_file():
            raise InputError(
                f"{folder}: no plan was made of this stack; run `gauntlet infra plan` and look at it first"
            )
        if file_digest(self.file) != note.plan:
            raise RefusedError(f"{self.file}: is not the plan that was shown; run `gauntlet infra plan` again")
        if configuration != note.configuration:
            raise RefusedError(
                f"{folder}: the plan is stale: the stack's files changed since it was made. Nothing was changed; run "
                "`gauntlet infra plan` again and look at what it says"
            )
        return note

    def discard(self) -> None:
        """Remove the plan."""
        for path in (self._note, self.file, self.document):
            path.unlink(missing_ok=True)
