"""This module provides the stages' names in their order, without any import, so that ``--help`` need not wait."""

STAGE_NAMES = (
    "ingest",
    "expectations",
    "explore",
    "split",
    "baseline",
    "register",
    "sweep",
    "select",
    "package",
    "judge",
    "promote",
    "score",
    "report",
)
