"""An environment made and destroyed in a real subscription: collected only where GAUNTLET_LIVE_SUBSCRIPTION is set.

It costs money for minutes, takes half an hour, and needs `az login` with the right to make resource groups. What it
makes carries the tag ``delete_after``, by which a cleaning job can find what a test that was killed has left.
"""

from __future__ import annotations

import json
import os
import secrets
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.infra_trial import LOCAL_STATE, write_config

pytestmark = pytest.mark.infra

_HOURS = 4


@pytest.fixture
def environment(tmp_path: Path) -> Iterator[Callable[..., dict[str, Any]]]:
    """An environment of a name of its own; gives what runs a command on it, and destroys all that was made."""
    name = f"gauntlet{secrets.token_hex(4)}"
    write_config(
        tmp_path / "infra",
        LOCAL_STATE
        | {
            "environment": f'"{name}"',
            "azure.subscription_id": json.dumps(os.environ["GAUNTLET_LIVE_SUBSCRIPTION"]),
            "azure.region": json.dumps(os.environ.get("GAUNTLET_LIVE_REGION", "westeurope")),
            "azure.resource_group": f'"rg-{name}"',
            "azure.storage_account": f'"{name}"',
            "azure.workspace": f'"{name}"',
            "tags.delete_after": f'"{datetime.now(UTC) + timedelta(hours=_HOURS):%Y-%m-%dT%H:%MZ}"',
            "variables.workspace.create_catalog": "true",
        },
    )

    def run(command: str, *options: str) -> dict[str, Any]:
        words = [sys.executable, "-m", "gauntlet", "infra", command, "infra", "--json", *options]
        done = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        document: dict[str, Any] = json.loads(done.stdout)
        return document

    try:
        yield run
    finally:
        run("destroy", "--include-data", "--auto-approve")


def test_an_environment_is_made_planned_empty_and_destroyed(environment: Callable[..., dict[str, Any]]) -> None:
    environment("init")
    for _ in range(2):  # the workspace's own stack is planned once there is a workspace
        environment("plan")
        environment("create")
    again = environment("plan")
    assert [stack["changes"] for stack in again["stacks"]] == [False, False]
    made = environment("outputs", "--write")
    assert made["outputs"]["infra"]["workspace_url"].startswith("https://adb-")
    assert made["outputs"]["workspace"]["cluster_id"]
