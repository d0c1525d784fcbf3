"""This module provides the values of the stacks' variables that an environment's configuration stands for."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from typing import Any

from gauntlet.core.infra_config import CONFIG_FILE, STACKS, InfraConfig, InfraConfigError, StackName
from gauntlet.core.problem import Names


def stack_inputs(config: InfraConfig, names: Names) -> dict[StackName, dict[str, Any]]:
    """Return the values of each stack's variables.

    Args:
        config: The configuration.
        names: What things are called on target ``databricks``.

    Raises:
        InfraConfigError: If ``variables`` sets one that another key stands for.
    """
    made: Mapping[StackName, Iterator[tuple[str, str, Any]]] = {
        "infra": _infra(config),
        "workspace": _workspace(config, names),
    }
    inputs: dict[StackName, dict[str, Any]] = {}
    for stack in STACKS:
        further = config.variables.get(stack, {})
        inputs[stack] = {}
        for variable, key, value in made[stack]:
            if variable in further:
                raise InfraConfigError(
                    f"{CONFIG_FILE}: variables.{stack}.{variable}: {key} sets it; change that instead"
                )
            if value is not None:
                inputs[stack][variable] = value
        inputs[stack] |= further
    return inputs


def _infra(config: InfraConfig) -> Iterator[tuple[str, str, Any]]:
    """Give each variable, the key that stands for it, and its value; None leaves it at its default."""
    azure = config.azure
    yield "subscription_id", "azure.subscription_id", azure.subscription_id
    yield "location", "azure.region", azure.region
    yield "further_regions", "azure.further_regions", list(azure.further_regions) or None
    yield "resource_group_name", "azure.resource_group", azure.resource_group
    yield "storage_account_name", "azure.storage_account", azure.storage_account
    yield "workspace_name", "azure.workspace", azure.workspace
    yield "preset", "azure.preset", azure.preset
    yield "tags", "tags", _tags(config)


def _workspace(config: InfraConfig, names: Names) -> Iterator[tuple[str, str, Any]]:
    cluster, pipeline = config.cluster, config.pipeline
    for name, value in names.model_dump(by_alias=True).items():
        yield name, f"the problem file's names.databricks.{name}", value
    yield "node_type", "cluster.node_type", cluster.node_type
    yield "num_workers", "cluster.workers", cluster.workers
    yield "autotermination_minutes", "cluster.autotermination_minutes", cluster.autotermination_minutes
    yield "vcpu_quota", "azure.vcpu_quota", config.azure.vcpu_quota
    # Terraform takes a relative path from the stack's folder.
    wheel = None if pipeline.wheel is None else os.path.relpath(pipeline.wheel, config.stacks / "workspace")
    yield "wheel_file", "pipeline.wheel", wheel
    yield "wheel_version", "pipeline.wheel", pipeline.wheel_version
    yield "tags", "tags", _tags(config)


def _tags(config: InfraConfig) -> dict[str, str]:
    return {"project": "gauntlet", "environment": config.environment, "owner": config.owner} | config.tags
