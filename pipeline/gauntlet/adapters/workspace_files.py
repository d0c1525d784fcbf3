"""This module provides the files of a Databricks workspace: those in volumes, and notebooks in its tree."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from gauntlet.adapters.databricks_settings import DatabricksSettings
from gauntlet.core.errors import RequirementError
from gauntlet.core.problem import Names


@dataclass(frozen=True)
class WorkspaceFiles:
    """The files of one workspace.

    Attributes:
        settings: The workspace.
    """

    settings: DatabricksSettings

    def size(self, path: str) -> int | None:
        """Return the size of a volume's file in bytes; None if there is none."""
        from databricks.sdk.errors import NotFound  # noqa: PLC0415 - not every target needs it

        with self.settings.asked(f"for {path}"):
            try:
                return int(self.settings.client().files.get_metadata(path).content_length or 0)
            except NotFound:
                return None

    def put(self, file: Path, path: str) -> int:
        """Put a file into a volume, in place of what was there, and return its size in bytes.

        Raises:
            RequirementError: If the volume is not there or may not be written, or the file did not arrive whole.
        """
        with self.settings.asked(f"to keep {path}"), file.open("rb") as content:
            self.settings.client().files.upload(path, content, overwrite=True)
        expected, found = file.stat().st_size, self.size(path)
        if found != expected:
            raise RequirementError(f"{path}: {found} of {expected} bytes arrived; run the same command again")
        return expected

    def read(self, path: str) -> bytes | None:
        """Return what a volume's file holds; None if there is none."""
        from databricks.sdk.errors import NotFound  # noqa: PLC0415 - not every target needs it

        with self.settings.asked(f"for {path}"):
            try:
                contents = self.settings.client().files.download(path).contents
                return b"" if contents is None else contents.read()
            except NotFound:
                return None

    def names(self, folder: str) -> tuple[str, ...]:
        """Return the names of what lies in a volume's folder; none if there is no such folder."""
        from databricks.sdk.errors import NotFound  # noqa: PLC0415 - not every target needs it

        with self.settings.asked(f"what lies in {folder}"):
            try:
                return tuple(str(entry.name) for entry in self.settings.client().files.list_directory_contents(folder))
            except NotFound:
                return ()

    def make_folder(self, path: str) -> None:
        """Make a folder of the workspace's tree, with all above it, unless it is there."""
        with self.settings.asked(f"to make the folder {path}"):
            self.settings.client().workspace.mkdirs(path)

    def put_notebook(self, file: Path, path: str) -> None:
        """Put a notebook into the workspace's tree, in place of what was there.

        Args:
            file: An ``.ipynb`` file, or source that begins as Databricks exports it.
            path: Where it lies, with the file's ending, which the workspace takes away.
        """
        from databricks.sdk.service.workspace import ImportFormat  # noqa: PLC0415 - not every target needs it

        with self.settings.asked(f"to keep the notebook {path}"):
            self.settings.client().workspace.upload(path, file.read_bytes(), format=ImportFormat.AUTO, overwrite=True)


def volume_of(names: Names) -> str:
    """Return the path of a problem's volume."""
    return f"/Volumes/{names.catalog}/{names.schema_name}/{names.volume}"
