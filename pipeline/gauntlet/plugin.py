"""This module provides the pytest plugin: the tier markers."""

from __future__ import annotations

import pytest

TIERS = {
    "unit": "pure code, no Spark, milliseconds a test",
    "data": "data and stages on a real local Spark",
    "gates": "whether a candidate may be promoted",
    "infra": "Terraform modules and plans",
    "remote": "separate Spark and MLflow servers",
    "e2e": "the whole road, as a user walks it",
}


def pytest_configure(config: pytest.Config) -> None:
    """Describe the tier markers."""
    for name, meaning in TIERS.items():
        config.addinivalue_line("markers", f"{name}: {meaning}")
