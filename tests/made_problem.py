"""A small problem of four columns for tests of origins, files and ingest."""

from __future__ import annotations

from typing import Any

from gauntlet.core.problem import Problem

COLUMNS: tuple[dict[str, Any], ...] = (
    {"name": "size"},
    {"name": "visits", "kind": "integer", "nullable": True},
    {"name": "member", "kind": "boolean"},
    {"name": "plan", "kind": "text", "source_name": "Price Plan", "nullable": True},
    {"name": "left", "kind": "text"},
)
NAMES = {"schema": "customers", "experiment": "c", "model": "customers", "endpoint": "customers"}
HEADER = "size,visits,member,Price Plan,left"


def make_problem(**parts: Any) -> Problem:
    """Return the problem with some of its parts replaced."""
    document: dict[str, Any] = {
        "name": "customers",
        "title": "Which customers leave?",
        "origins": [{"kind": "folder", "variable": "CUSTOMERS_DIR"}],
        "sources": [{"name": "shop", "file": "shop.csv"}],
        "columns": COLUMNS,
        "label": {"rule": 'left == "yes"'},
        "sweep": {"space": {"max_depth": {"distribution": "quniform", "low": 2, "high": 6, "step": 1}}},
        "suites": {"raw": "raw", "curated": "curated", "predictions": "predictions"},
        "names": {"local": NAMES, "remote": NAMES},
    }
    return Problem.model_validate({**document, **parts})
