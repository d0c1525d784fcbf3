"""This module provides the base of every section of a problem file."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict

TargetName = Literal["local", "remote", "databricks"]


class Section(BaseModel):
    """The base of every section of a problem file: frozen, strict about unknown keys, and with finite numbers only."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)
