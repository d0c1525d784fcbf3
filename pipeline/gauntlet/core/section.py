"""This module provides the base of every section of a problem file."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict

TargetName = Literal["local", "remote", "databricks"]


class Section(BaseModel):
    """The base of every section of a problem file: frozen, and strict about unknown keys."""

    model_config = ConfigDict(frozen=True, extra="forbid")
