"""This module provides the origins of a problem's data: the places where its files are looked for, as frozen data."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from gauntlet.core.section import Section, TargetName


class FolderOrigin(Section):
    """A local folder that holds the sources' files: a path, or the name of the variable that holds one."""

    kind: Literal["folder"]
    path: str | None = None
    variable: str | None = None

    @model_validator(mode="after")
    def _one_of(self) -> FolderOrigin:
        if (self.path is None) == (self.variable is None):
            raise ValueError("give exactly one of path and variable")
        return self


class ArchiveOrigin(Section):
    """A ZIP archive over HTTPS that holds the sources' files."""

    kind: Literal["archive"]
    url: str
    sha256: str | None = Field(default=None, pattern=r"^[0-9a-f]{64}$")


class LinksOrigin(Section):
    """A folder over HTTPS: each source's file name is appended to the address."""

    kind: Literal["links"]
    base_url: str


class MountedOrigin(Section):
    """A path that exists on one kind of target only, such as Databricks' sample data, ``dbfs:/databricks-datasets``."""

    kind: Literal["mounted"]
    path: str
    targets: tuple[TargetName, ...] = ("databricks",)


class SyntheticOrigin(Section):
    """The embedded generator: calibrated on the real data, and marked as synthetic everywhere."""

    kind: Literal["synthetic"]
    generator: Literal["wine_quality"] = "wine_quality"
    rows: int = Field(default=6497, ge=100)


Origin = Annotated[
    FolderOrigin | ArchiveOrigin | LinksOrigin | MountedOrigin | SyntheticOrigin, Field(discriminator="kind")
]
