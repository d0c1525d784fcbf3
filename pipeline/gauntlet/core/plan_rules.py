"""This module provides the bounds of the gates on Terraform plans, and the reading of the file that sets them.

Every bound has a default that suits a free trial; a TOML file (``gauntlet infra gate --rules FILE``) says where it
differs, and holds the waivers.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field, model_validator

from gauntlet.core.checked_toml import checked, read_toml
from gauntlet.core.errors import InputError
from gauntlet.core.gate_rules import Waiver
from gauntlet.core.section import Section

# What holds data, a model's history or other people's work: it does not come back by planning again.
PROTECTED_TYPES = (
    "azurerm_databricks_workspace",
    "azurerm_management_lock",
    "azurerm_resource_group",
    "azurerm_storage_account",
    "azurerm_storage_container",
    "azurerm_storage_data_lake_gen2_filesystem",
    "databricks_catalog",
    "databricks_mlflow_experiment",
    "databricks_registered_model",
    "databricks_schema",
    "databricks_secret_scope",
    "databricks_sql_table",
    "databricks_volume",
)


class PlanRules(Section):
    """The bounds of the gates on plans.

    Attributes:
        vcpu_quota: The vCPUs that may run at once in the region; by default what the plan's own variable
            ``vcpu_quota`` says, or the 4 of a free trial.
        quota_counts: Whether each cluster must fit the quota alone, or all of them together.
        vcpus: The vCPUs of virtual machine sizes that Gauntlet does not know.
        minimum_idle_minutes: A cluster that stops earlier than this is started again all the time.
        maximum_idle_minutes: A cluster that nobody uses stops after this time.
        closed_storage: Whether storage must be closed to the public network; by default where the plan's own variable
            ``preset`` is ``hardened``.
        unity_catalog: Whether every cluster must be able to use Unity Catalog.
        skus: The tiers that a workspace may have.
        protected: The types of resources that no plan may destroy or replace.
        replaceable: The addresses of protected resources that it may, after all.
        plain_values: Places of values that look like secrets and are none, as the gate's sentence names them.
        unpinned: Libraries that need no version of their own, as the gate's sentence names them.
        waivers: Gates that may say no for a while.
    """

    vcpu_quota: int | None = Field(default=None, ge=1)
    quota_counts: Literal["each", "together"] = "each"
    vcpus: dict[str, int] = Field(default={})
    minimum_idle_minutes: int = Field(default=10, ge=10, le=10_000)
    maximum_idle_minutes: int = Field(default=120, ge=10, le=10_000)
    closed_storage: bool | None = None
    unity_catalog: bool = True
    skus: tuple[str, ...] = Field(default=("premium", "trial"), min_length=1)
    protected: tuple[str, ...] = Field(default=PROTECTED_TYPES, min_length=1)
    replaceable: tuple[str, ...] = ()
    plain_values: tuple[str, ...] = ()
    unpinned: tuple[str, ...] = ()
    waivers: tuple[Waiver, ...] = ()

    @model_validator(mode="after")
    def _consistent(self) -> PlanRules:
        if self.minimum_idle_minutes > self.maximum_idle_minutes:
            raise ValueError(
                f"minimum_idle_minutes is {self.minimum_idle_minutes}, more than the {self.maximum_idle_minutes} of "
                "maximum_idle_minutes"
            )
        wrong = [size for size, vcpus in self.vcpus.items() if vcpus < 1]
        if wrong:
            raise ValueError(f"vcpus: at least 1 each; not so {', '.join(wrong)}")
        gates = [waiver.gate for waiver in self.waivers]
        twice = sorted({gate for gate in gates if gates.count(gate) > 1})
        if twice:
            raise ValueError(f"waivers: named twice: {', '.join(twice)}")
        return self


def load_plan_rules(path: Path | None) -> PlanRules:
    """Read the bounds from a TOML file.

    Args:
        path: The file; None takes the defaults.

    Raises:
        InputError: If the file cannot be read, is not TOML, or sets something that is no bound. The message names the
            file, each wrong key and what was expected there.
    """
    if path is None:
        return PlanRules()
    document = read_toml(path, error=InputError, advice="give --rules an existing file")
    known = f"{', '.join(PlanRules.model_fields)} (README explains them)"
    return checked(PlanRules, document, path=path, error=InputError, known_keys=known)
