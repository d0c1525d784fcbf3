"""This module provides the configuration of one environment's infrastructure, as frozen data."""

from __future__ import annotations

import difflib
import re
from pathlib import Path
from typing import Literal, get_args

from pydantic import Field, JsonValue, ValidationInfo, field_validator, model_validator

from gauntlet.core.canonical import canonical_json
from gauntlet.core.checked_toml import checked, read_toml
from gauntlet.core.errors import InputError
from gauntlet.core.section import Section

StackName = Literal["infra", "workspace"]
STACKS: tuple[StackName, ...] = get_args(StackName)
CONFIG_FILE = "infra.toml"

_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
_STORAGE_ACCOUNT = re.compile(r"[a-z0-9]{3,24}")
_WHEEL = re.compile(r"\w+-(?P<version>[^-]+)(-\d[^-]*)?-[^-]+-[^-]+-[^-]+\.whl")
_RESOURCE_GROUP = re.compile(r"[-\w.()]{0,89}[-\w()]", re.ASCII)


class InfraConfigError(InputError):
    """The configuration of the infrastructure cannot be read or does not describe an environment."""


class AzureRules(Section):
    """What is made in Azure, and where.

    Attributes:
        subscription_id: The subscription.
        region: Its short name, such as ``westeurope``.
        further_regions: Regions that are newer than the modules' list of them.
        resource_group: The group that everything goes into.
        storage_account: The account of the data; its name is unique in all of Azure.
        workspace: The Databricks workspace.
        preset: How strictly the account and the workspace are set up.
        vcpu_quota: How many vCPUs the subscription may run at once in the region; a free trial has 4.
    """

    subscription_id: str
    further_regions: tuple[str, ...] = ()  # before the region, whose check reads it
    region: str
    resource_group: str
    storage_account: str
    workspace: str
    preset: Literal["dev", "hardened"] = "hardened"
    vcpu_quota: int = Field(default=4, ge=1)

    @field_validator("subscription_id")
    @classmethod
    def _is_uuid(cls, value: str) -> str:
        if not _UUID.fullmatch(value):
            raise ValueError(
                f"{value!r} is no subscription's id (8-4-4-4-12 hexadecimal digits); "
                "`az account show --query id --output tsv` prints yours"
            )
        return value

    @field_validator("storage_account")
    @classmethod
    def _is_account(cls, value: str) -> str:
        return _checked_account(value)

    @field_validator("resource_group")
    @classmethod
    def _is_group(cls, value: str) -> str:
        return _checked_group(value)

    @field_validator("workspace")
    @classmethod
    def _is_workspace(cls, value: str) -> str:
        if not re.fullmatch(r"[A-Za-z0-9_-]{3,64}", value):
            raise ValueError(f"{value!r}: Azure wants 3 to 64 letters, digits, hyphens or underscores")
        return value

    @field_validator("region")
    @classmethod
    def _known_region(cls, value: str, info: ValidationInfo) -> str:
        known = [*(info.context or {}).get("regions", ()), *info.data.get("further_regions", ())]
        if value not in known:
            near = difflib.get_close_matches(re.sub(r"[^a-z0-9]", "", value.lower()), known, n=3)
            hint = f"did you mean {' or '.join(near)}?" if near else "`az account list-locations` lists them"
            raise ValueError(f"{value!r} is no Azure region known here; {hint}")
        return value


class ClusterRules(Section):
    """The cluster that notebooks use, and the job's.

    Attributes:
        node_type: The VM size of every node.
        workers: Workers besides the driver; 0 is a single node.
        autotermination_minutes: An idle cluster ends after so many minutes.
    """

    node_type: str = Field(default="Standard_DS3_v2", pattern=r"^Standard_[A-Za-z0-9_-]+$")
    workers: int = Field(default=0, ge=0)
    autotermination_minutes: int = Field(default=20, ge=10, le=10000)


class PipelineRules(Section):
    """What runs in the workspace. Paths are from the folder of ``infra.toml``.

    Attributes:
        problem: The problem file, whose names on target ``databricks`` are made; None takes the wine problem that
            ships with the package.
        wheel: The wheel that is copied to the volume; None where a release puts it there.
    """

    problem: Path | None = None
    wheel: Path | None = None

    @field_validator("wheel")
    @classmethod
    def _is_wheel(cls, value: Path | None) -> Path | None:
        if value is not None and not _WHEEL.fullmatch(value.name):
            raise ValueError(f"{str(value)!r} is no wheel's name; `python -m build --wheel` makes one in dist/")
        return value

    @property
    def wheel_version(self) -> str | None:
        """The version that the wheel's name says; None without a wheel."""
        match = None if self.wheel is None else _WHEEL.fullmatch(self.wheel.name)
        return match["version"] if match else None


class BackendRules(Section):
    """Where Terraform keeps its state.

    Attributes:
        kind: ``azurerm`` is a blob container, with a lock; ``local`` is a file beside the stack, for a trial by one
            person.
        subscription_id: The account's subscription; by default the environment's.
        resource_group: The account's resource group.
        storage_account: The account; it is none that the stacks make.
        container: The container.
        key: The start of the blobs' names; by default the environment's name.
    """

    kind: Literal["azurerm", "local"] = "azurerm"
    subscription_id: str | None = None
    resource_group: str | None = None
    storage_account: str | None = None
    container: str | None = Field(default=None, pattern=r"^[a-z0-9](-?[a-z0-9]){2,62}$")
    key: str | None = Field(default=None, pattern=r"^[A-Za-z0-9][A-Za-z0-9/_.-]*$")

    @field_validator("storage_account")
    @classmethod
    def _is_account(cls, value: str | None) -> str | None:
        return None if value is None else _checked_account(value)

    @field_validator("resource_group")
    @classmethod
    def _is_group(cls, value: str | None) -> str | None:
        return None if value is None else _checked_group(value)

    @model_validator(mode="after")
    def _whole(self) -> BackendRules:
        missing = [name for name in ("resource_group", "storage_account", "container") if not getattr(self, name)]
        if self.kind == "azurerm" and missing:
            raise ValueError(f'kind = "azurerm" needs {", ".join(missing)} too')
        if self.kind == "local" and (len(missing) < 3 or self.subscription_id or self.key):
            raise ValueError('kind = "local" keeps the state beside each stack; remove the other keys')
        return self


class InfraConfig(Section):
    """One environment, checked.

    Attributes:
        environment: Its name; asked for before anything is destroyed.
        owner: Who answers for it; becomes a tag.
        stacks: The folder of the two stacks, from that of ``infra.toml``.
        tags: Further tags of everything that can have tags.
        variables: Further values of the stacks' variables, as Terraform takes them.
    """

    environment: str
    owner: str = Field(min_length=1)
    stacks: Path = Path("stacks")
    azure: AzureRules
    cluster: ClusterRules = ClusterRules()
    pipeline: PipelineRules = PipelineRules()
    backend: BackendRules
    tags: dict[str, str] = Field(default_factory=dict)
    variables: dict[StackName, dict[str, JsonValue]] = Field(default_factory=dict)

    @field_validator("environment")
    @classmethod
    def _is_name(cls, value: str) -> str:
        if not re.fullmatch(r"[a-z][a-z0-9-]{1,19}", value):
            raise ValueError(f"{value!r}: give 2 to 20 lower-case letters, digits and hyphens, a letter first")
        return value

    @field_validator("variables")
    @classmethod
    def _is_json(cls, value: dict[StackName, dict[str, JsonValue]]) -> dict[StackName, dict[str, JsonValue]]:
        try:
            canonical_json({str(stack): values for stack, values in value.items()})
        except ValueError:
            raise ValueError("Terraform takes no nan and no inf") from None
        return value

    @model_validator(mode="after")
    def _state_apart(self) -> InfraConfig:
        if self.backend.storage_account == self.azure.storage_account:
            raise ValueError(
                "backend.storage_account: the state cannot be kept in the account that the stack itself makes; "
                "infra_modules/examples/state_backend makes one for it"
            )
        return self


def load_infra_config(folder: Path, *, regions: tuple[str, ...]) -> InfraConfig:
    """Read an environment's configuration.

    Args:
        folder: The folder that holds ``infra.toml``.
        regions: The regions that the modules know.

    Raises:
        InfraConfigError: If it cannot be read, is not TOML, or does not describe an environment. The message names
            the file, each wrong key and what was expected there.
    """
    path = folder / CONFIG_FILE
    advice = f"`gauntlet infra init {folder}` writes one to fill in"
    document = read_toml(path, error=InfraConfigError, advice=advice)
    return checked(
        InfraConfig,
        document,
        path=path,
        error=InfraConfigError,
        known_keys="the commented file that `gauntlet infra init` writes",
        context={"regions": regions},
    )


def _checked_account(value: str) -> str:
    if not _STORAGE_ACCOUNT.fullmatch(value):
        plain = re.sub(r"[^a-z0-9]", "", value.lower())
        hint = f"; this would do: {plain!r}" if _STORAGE_ACCOUNT.fullmatch(plain) else ""
        raise ValueError(f"{value!r}: Azure wants 3 to 24 lower-case letters and digits, no capitals{hint}")
    return value


def _checked_group(value: str) -> str:
    if not _RESOURCE_GROUP.fullmatch(value):
        raise ValueError(
            f"{value!r}: Azure wants 1 to 90 letters, digits, hyphens, underscores, dots or brackets, no dot at the end"
        )
    return value
