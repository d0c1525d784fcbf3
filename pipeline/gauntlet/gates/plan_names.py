"""This module provides the gate that holds a plan's names against the pipeline's, as the problem file has them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from gauntlet.core.errors import DataError
from gauntlet.core.planned_values import PlannedBlock, UndeterminedError
from gauntlet.core.problem import Names
from gauntlet.core.terraform_plan import ResourceChange
from gauntlet.core.verdict import Verdict
from gauntlet.gates.plan_gate import Finding, PlannedEnvironment, concluded, plan_gate

NAMES_AGREE = "plan::names_agree_with_problem"


@dataclass(frozen=True)
class _Called:
    """One kind of thing that both the problem file and a plan name.

    Attributes:
        key: The problem file's key below ``names.databricks``.
        type: The type of resource.
        arguments: The arguments that make its whole name.
        wanted: What the problem file makes of it.
    """

    key: str
    type: str
    arguments: tuple[str, ...]
    wanted: Callable[[Names], tuple[str, ...]]


_CALLED = (
    _Called("catalog", "databricks_catalog", ("name",), lambda n: (n.catalog,)),
    _Called("schema", "databricks_schema", ("catalog_name", "name"), lambda n: (n.catalog, n.schema_name)),
    _Called(
        "volume",
        "databricks_volume",
        ("catalog_name", "schema_name", "name"),
        lambda n: (n.catalog, n.schema_name, n.volume),
    ),
    _Called(
        "model",
        "databricks_registered_model",
        ("catalog_name", "schema_name", "name"),
        lambda n: (n.catalog, n.schema_name, n.model),
    ),
    _Called("experiment", "databricks_mlflow_experiment", ("name",), lambda n: (n.experiment,)),
    _Called("endpoint", "databricks_model_serving", ("name",), lambda n: (n.endpoint,)),
    _Called("secret_scope", "databricks_secret_scope", ("name",), lambda n: (n.secret_scope,)),
)
_TYPES = tuple(called.type for called in _CALLED)


@plan_gate(
    NAMES_AGREE,
    applies=lambda environment: environment.names is not None and bool(environment.planned(*_TYPES)),
    lacking="no problem file to agree with (--problem), or nothing that it names",
    remedy="Change the name in one of the two places: the problem file's section names.databricks, or the variable "
    "that names the resource.",
)
def names_agree_with_problem(environment: PlannedEnvironment) -> Verdict:
    """Guard that what the pipeline will look for on target databricks is what the plan makes.

    Catalog, schema, volume, model, experiment, endpoint and secret scope, each with the names above it; and the model
    that an endpoint serves. Of several resources of a type one must be it. A type that no plan has is not looked at: it
    may be there already.
    """
    names = environment.names
    if names is None:
        raise DataError("no problem file was given, so there are no names to agree with")
    findings: list[Finding] = []
    present = [called for called in _CALLED if environment.planned(called.type)]
    for called in present:
        findings += _missing(called, names, environment.planned(called.type))
    findings += _served(names, environment)
    agreed = ", ".join(called.key for called in present)
    holds = f"names of the problem file that are planned as they are there ({agreed})"
    return concluded(NAMES_AGREE, environment, findings, count=len(present), holds=holds)


def _missing(called: _Called, names: Names, resources: tuple[ResourceChange, ...]) -> Iterator[Finding]:
    wanted = ".".join(called.wanted(names))
    planned: list[str] = []
    unknown: list[str] = []
    for resource in resources:
        try:
            planned.append(_whole_name(resource.block, called.arguments))
        except UndeterminedError as error:
            unknown.append(str(error))
    if wanted in planned:
        return
    first = resources[0]
    if unknown:
        yield Finding(f"{unknown[0]}, so whether it is {wanted} is not", first.file, first.address, undetermined=True)
        return
    where = " and ".join(resource.address for resource in resources)
    yield Finding(
        f"names.databricks.{called.key} of the problem file is {wanted}, but {where} plans {' and '.join(planned)}",
        first.file,
        first.address,
    )


def _served(names: Names, environment: PlannedEnvironment) -> Iterator[Finding]:
    """Give what the endpoint of the problem serves other than the problem's model."""
    for endpoint in environment.planned("databricks_model_serving"):
        if endpoint.block.values.get("name") != names.endpoint:
            continue
        for config in endpoint.block.blocks("config"):
            for entity in config.blocks("served_entities"):
                served = entity.text("entity_name")
                if served is not None and served != names.registered_model:
                    yield Finding(
                        f"names.databricks.model of the problem file is {names.registered_model}, but "
                        f"{entity.place('entity_name')} plans {served}",
                        endpoint.file,
                        endpoint.address,
                    )


def _whole_name(block: PlannedBlock, arguments: tuple[str, ...]) -> str:
    return ".".join(block.text(argument) or "nothing" for argument in arguments)
