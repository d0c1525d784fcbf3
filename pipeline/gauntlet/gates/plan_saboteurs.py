"""This module provides the saboteurs of the gates on plans: each breaks a plan in the way that a gate is there for."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

from gauntlet.core.planned_values import Path
from gauntlet.gates import plan_changes, plan_names, plan_secrets, plan_serving, plan_storage
from gauntlet.gates.plan_compute_saboteurs import SABOTEURS as COMPUTE_SABOTEURS
from gauntlet.gates.plan_edits import at, change_of, first_path, put
from gauntlet.gates.plan_sabotage import PlanSaboteur, plan_saboteur

Document = dict[str, Any]


@plan_saboteur(plan_changes.HAS_RESOURCES)
def all_resources_taken_away(document: Document) -> None:
    """Leave a plan without any resource."""
    document["resource_changes"] = []


@plan_saboteur(plan_changes.PROTECTED_STAY)
def storage_account_replaced_behind_an_argument(document: Document) -> None:
    """Replace the storage account because of one changed argument, as the upgrade of a module might."""
    _replace(document, plan_storage.ACCOUNT, argument="is_hns_enabled", actions=["delete", "create"])


@plan_saboteur(plan_changes.PROTECTED_STAY)
def volume_replaced_by_a_new_one_first(document: Document) -> None:
    """Replace the volume, the new one made before the old one goes."""
    _replace(document, "databricks_volume", argument="volume_type", actions=["create", "delete"])


@plan_saboteur(plan_changes.PROTECTED_STAY)
def schema_destroyed(document: Document) -> None:
    """Destroy the schema, as taking it out of the configuration does."""
    change = change_of(document, "databricks_schema")
    change.update(actions=["delete"], before=change["after"], after=None, after_unknown={})


@plan_saboteur(plan_secrets.NO_SECRET_IN_CLEAR)
def storage_key_put_out(document: Document) -> None:
    """Put the storage account's key out as a plain output."""
    key = "AccountKey=" + "A" * 86 + "=="
    outputs = document.setdefault("output_changes", {})
    outputs["storage"] = {"actions": ["create"], "before": None, "after": key, "after_sensitive": False}


@plan_saboteur(plan_secrets.NO_SECRET_IN_CLEAR)
def token_in_environment_of_cluster(document: Document) -> None:
    """Give a cluster its token in an environment variable."""
    change = change_of(document, "databricks_cluster")
    put(change, ("spark_env_vars",), {"DATABRICKS_TOKEN": "dapi" + "0" * 32})


@plan_saboteur(plan_storage.NO_PUBLIC_BLOB_ACCESS)
def blobs_made_public(document: Document) -> None:
    """Let the account's blobs be read without signing in."""
    put(change_of(document, plan_storage.ACCOUNT), ("allow_nested_items_to_be_public",), True)


@plan_saboteur(plan_storage.NO_PUBLIC_BLOB_ACCESS)
def container_made_public(document: Document) -> None:
    """Let a container's blobs be read without signing in."""
    put(change_of(document, plan_storage.CONTAINER), ("container_access_type",), "blob")


@plan_saboteur(plan_storage.ENCRYPTED_IN_TRANSIT)
def https_turned_off(document: Document) -> None:
    """Let the account answer without encryption."""
    put(change_of(document, plan_storage.ACCOUNT), ("https_traffic_only_enabled",), False)


@plan_saboteur(plan_storage.ENCRYPTED_IN_TRANSIT)
def tls_of_1999_allowed(document: Document) -> None:
    """Let the account speak TLS 1.0."""
    put(change_of(document, plan_storage.ACCOUNT), ("min_tls_version",), "TLS1_0")


@plan_saboteur(plan_storage.STORAGE_NETWORK_CLOSED)
def storage_opened_to_everybody(document: Document) -> None:
    """Open the account to the public network."""
    change = change_of(document, plan_storage.ACCOUNT)
    put(change, ("public_network_access_enabled",), True)
    put(change, ("network_rules",), [{"default_action": "Allow", "ip_rules": []}])


@plan_saboteur(plan_serving.WORKSPACE_TIER)
def workspace_made_standard(document: Document) -> None:
    """Take the workspace tier without Unity Catalog and serving: the tutorial's own failure."""
    put(change_of(document, plan_serving.WORKSPACE), ("sku",), "standard")


@plan_saboteur(plan_serving.WORKSPACE_TIER)
def standard_tier_stated(document: Document) -> None:
    """Tell the stack of workspace objects that its workspace is of the standard tier."""
    change_of(document, plan_serving.ENDPOINT, "databricks_schema")
    document.setdefault("variables", {})["sku"] = {"value": "standard"}


@plan_saboteur(plan_serving.TRAFFIC)
def traffic_of_110_percent(document: Document) -> None:
    """Give one route ten percent more."""
    change, route = _route(document)
    put(change, (*route, "traffic_percentage"), at(change, (*route, "traffic_percentage")) + 10)


@plan_saboteur(plan_serving.TRAFFIC)
def route_to_nothing(document: Document) -> None:
    """Let a route lead to an entity that the endpoint does not serve."""
    change, route = _route(document)
    put(change, (*route, "served_model_name"), None)
    put(change, (*route, "served_entity_name"), "nobody")


@plan_saboteur(plan_serving.SCALES_TO_ZERO)
def endpoint_kept_awake(document: Document) -> None:
    """Let an endpoint run, and cost, when nobody asks it."""
    change = change_of(document, plan_serving.ENDPOINT)
    entity = first_path(change, "config", "served_entities")
    put(change, (*entity, "scale_to_zero_enabled"), False)


@plan_saboteur(plan_names.NAMES_AGREE)
def schema_renamed(document: Document) -> None:
    """Rename the schema in the plan alone."""
    put(change_of(document, "databricks_schema"), ("name",), "wines_of_another_team")


@plan_saboteur(plan_names.NAMES_AGREE)
def endpoint_serves_another_model(document: Document) -> None:
    """Let the endpoint serve a model of another schema."""
    change = change_of(document, plan_serving.ENDPOINT)
    entity = first_path(change, "config", "served_entities")
    put(change, (*entity, "entity_name"), "main.another_schema.wine_classifier")


SABOTEURS: tuple[PlanSaboteur, ...] = (
    all_resources_taken_away,
    storage_account_replaced_behind_an_argument,
    volume_replaced_by_a_new_one_first,
    schema_destroyed,
    storage_key_put_out,
    token_in_environment_of_cluster,
    blobs_made_public,
    container_made_public,
    https_turned_off,
    tls_of_1999_allowed,
    storage_opened_to_everybody,
    workspace_made_standard,
    standard_tier_stated,
    *COMPUTE_SABOTEURS,
    traffic_of_110_percent,
    route_to_nothing,
    endpoint_kept_awake,
    schema_renamed,
    endpoint_serves_another_model,
)


def _replace(document: Document, kind: str, *, argument: str, actions: list[str]) -> None:
    change = change_of(document, kind)
    before = deepcopy(change["after"])
    before[argument] = "another value"
    change.update(actions=actions, before=before, replace_paths=[[argument]])


def _route(document: Document) -> tuple[dict[str, Any], Path]:
    change = change_of(document, plan_serving.ENDPOINT)
    return change, first_path(change, "config", "traffic_config", "routes")
