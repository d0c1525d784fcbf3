"""This module provides two small sound plans, as ``terraform show -json`` prints them: Azure's and a workspace's."""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy
from typing import Any

from gauntlet.core.plan_rules import PlanRules
from gauntlet.core.problem_file import load_problem
from gauntlet.core.terraform_plan import plan_of
from gauntlet.gates.plan_edits import change_of, put
from gauntlet.gates.plan_gate import PlannedEnvironment

ACCOUNT, CLUSTER, JOB, ENDPOINT = (
    "azurerm_storage_account",
    "databricks_cluster",
    "databricks_job",
    "databricks_model_serving",
)
NAMES = load_problem().names["databricks"]
COMMANDS = {"gauntlet-mlops": frozenset({"gauntlet", "gauntlet-stage"})}
INFRA, WORKSPACE = "infra.json", "workspace.json"

OLD_SPELLING = {
    "num_workers": 0,
    "spark_conf": {"spark.databricks.cluster.profile": "singleNode", "spark.master": "local[*]"},
    "custom_tags": {"ResourceClass": "SingleNode"},
}
NEW_SPELLING = {"kind": "CLASSIC_PREVIEW", "is_single_node": True, "use_ml_runtime": True}
_LIBRARIES = (
    {"whl": "/Volumes/main/wine_quality/files/wheels/gauntlet_mlops-0.1.0-py3-none-any.whl", "pypi": []},
    {"whl": None, "pypi": [{"package": "mlflow==3.17.0", "repo": None}]},
)


def resource(kind: str, values: Mapping[str, Any], **change: Any) -> dict[str, Any]:
    """Return what a plan does with one new resource; ``change`` replaces parts of it."""
    made = {"actions": ["create"], "before": None, "after": dict(values), "after_unknown": {"id": True}}
    return {
        "address": f"{kind}.this",
        "mode": "managed",
        "type": kind,
        "name": "this",
        "change": {**made, "after_sensitive": {}, **change},
    }


def made_plan(*resources: dict[str, Any], **parts: Any) -> dict[str, Any]:
    """Return a plan of some resources; ``parts`` are further parts of the document."""
    marks = {"format_version": "1.2", "terraform_version": "1.11.4", "complete": True, "errored": False}
    return {**marks, "resource_changes": list(resources), "output_changes": {}, **parts}


def made_infra() -> dict[str, Any]:
    """Return a hardened plan of what lies in Azure."""
    account = {
        "name": "winedata",
        "is_hns_enabled": True,
        "allow_nested_items_to_be_public": False,
        "https_traffic_only_enabled": True,
        "min_tls_version": "TLS1_2",
        "public_network_access_enabled": True,
        "network_rules": [{"default_action": "Deny", "ip_rules": ["203.0.113.7"]}],
    }
    return made_plan(
        resource("azurerm_resource_group", {"name": "wine"}),
        resource(ACCOUNT, account),
        resource("azurerm_storage_container", {"name": "data", "container_access_type": "private"}),
        resource("azurerm_databricks_workspace", {"name": "wine", "sku": "premium"}),
        variables={"preset": {"value": "hardened"}, "sku": {"value": "premium"}},
        output_changes={"account": {"actions": ["create"], "after": "winedata", "after_sensitive": False}},
    )


def made_workspace() -> dict[str, Any]:
    """Return a plan of what lies in the workspace, with the names of the wine problem."""
    three_levels = {"catalog_name": NAMES.catalog, "schema_name": NAMES.schema_name}
    marked = {"after_sensitive": {"string_value": True}}
    return made_plan(
        resource("databricks_schema", {"catalog_name": NAMES.catalog, "name": NAMES.schema_name}),
        resource("databricks_volume", {**three_levels, "name": NAMES.volume, "volume_type": "MANAGED"}),
        resource("databricks_registered_model", {**three_levels, "name": NAMES.model}),
        resource("databricks_mlflow_experiment", {"name": NAMES.experiment}),
        resource("databricks_secret_scope", {"name": NAMES.secret_scope}),
        resource("databricks_secret", {"scope": NAMES.secret_scope, "string_value": "hush"}, **marked),
        resource(CLUSTER, _cluster() | NEW_SPELLING | {"autotermination_minutes": 20}),
        resource(JOB, _job()),
        resource(ENDPOINT, {"name": NAMES.endpoint, "config": [_serving()]}),
        variables={"sku": {"value": "premium"}, "vcpu_quota": {"value": 4}},
    )


def made_plans() -> dict[str, dict[str, Any]]:
    """Return both plans, by name."""
    return {INFRA: made_infra(), WORKSPACE: made_workspace()}


def changed(kind: str, /, *path: str | int, to: Any) -> dict[str, dict[str, Any]]:
    """Return both plans with one value of the first resource of a type changed."""
    documents = deepcopy(made_plans())
    name = INFRA if kind.startswith("azurerm_") else WORKSPACE
    put(change_of(documents[name], kind), path, to)
    return documents


def environment_of(documents: Mapping[str, Any], *, names: Any = NAMES, **rules: Any) -> PlannedEnvironment:
    """Return what the gates judge; ``rules`` are bounds."""
    return PlannedEnvironment(
        plans=tuple(plan_of(document, file=name) for name, document in documents.items()),
        rules=PlanRules(**rules),
        names=names,
        entry_points=COMMANDS,
    )


def _cluster() -> dict[str, Any]:
    return {
        "spark_version": "17.3.x-scala2.13",
        "node_type_id": "Standard_DS3_v2",
        "data_security_mode": "DATA_SECURITY_MODE_DEDICATED",
    }


def _job() -> dict[str, Any]:
    stages = ("ingest", "judge", "promote")
    tasks = [
        {
            "task_key": f"s{place}_{stage}",
            "depends_on": [] if place == 0 else [{"task_key": f"s{place - 1}_{stages[place - 1]}"}],
            "job_cluster_key": "pipeline",
            "existing_cluster_id": None,
            "python_wheel_task": [
                {"package_name": "gauntlet_mlops", "entry_point": "gauntlet-stage", "parameters": [stage, "--quiet"]}
            ],
            "library": deepcopy(list(_LIBRARIES)),
        }
        for place, stage in enumerate(stages)
    ]
    cluster = {"job_cluster_key": "pipeline", "new_cluster": [_cluster() | deepcopy(OLD_SPELLING)]}
    return {"name": "wine", "job_cluster": [cluster], "task": tasks, "parameter": [{"name": "state", "default": "/x"}]}


def _serving() -> dict[str, Any]:
    names = ("champion", "challenger")
    entities = [
        {"name": name, "entity_name": NAMES.registered_model, "entity_version": "1", "scale_to_zero_enabled": True}
        for name in names
    ]
    shares = zip(names, (90, 10), strict=True)
    routes = [{"served_entity_name": name, "traffic_percentage": share} for name, share in shares]
    return {"served_entities": entities, "traffic_config": [{"routes": routes}]}
