"""This module provides the gates on planned storage: who can reach it, and how."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from gauntlet.core.planned_values import UNKNOWN, PlannedBlock, UndeterminedError
from gauntlet.core.terraform_plan import ResourceChange
from gauntlet.core.verdict import Verdict
from gauntlet.gates.plan_gate import (
    Finding,
    PlannedEnvironment,
    concluded,
    found_in,
    found_in_block,
    has_planned,
    plan_gate,
)

NO_PUBLIC_BLOB_ACCESS = "plan::no_public_blob_access"
ENCRYPTED_IN_TRANSIT = "plan::encrypted_in_transit"
STORAGE_NETWORK_CLOSED = "plan::storage_network_closed"

ACCOUNT = "azurerm_storage_account"
CONTAINER = "azurerm_storage_container"
NETWORK_RULES = "azurerm_storage_account_network_rules"
_TLS = ("TLS1_2", "TLS1_3")
_EVERYBODY = ("0.0.0.0", "0.0.0.0/0", "0.0.0.0/1", "128.0.0.0/1")  # noqa: S104 - what is looked for, not listened on


@plan_gate(
    NO_PUBLIC_BLOB_ACCESS,
    applies=has_planned(ACCOUNT, CONTAINER),
    lacking="no storage account or container",
    remedy="Set allow_nested_items_to_be_public = false on the account, and leave container_access_type at private.",
)
def no_public_blob_access(environment: PlannedEnvironment) -> Verdict:
    """Guard that nobody can read a blob without signing in.

    The account must say so itself: the provider's default allowed it up to version 4 and forbids it from version 5 on.
    """
    accounts, containers = environment.planned(ACCOUNT), environment.planned(CONTAINER)
    findings = [*found_in(accounts, _account_allows_public), *found_in(containers, _container_is_public)]
    count = len(accounts) + len(containers)
    holds = "storage accounts and containers whose blobs nobody reads without signing in"
    return concluded(NO_PUBLIC_BLOB_ACCESS, environment, findings, count=count, holds=holds)


@plan_gate(
    ENCRYPTED_IN_TRANSIT,
    applies=has_planned(ACCOUNT),
    lacking="no storage account",
    remedy='Set https_traffic_only_enabled = true and min_tls_version = "TLS1_2" on the account.',
)
def encrypted_in_transit(environment: PlannedEnvironment) -> Verdict:
    """Guard that storage answers over HTTPS only, with TLS 1.2 or later.

    Checkov's check CKV_AZURE_3 looks for an argument that azurerm 4 renamed, so it passes an account without HTTPS.
    """
    accounts = environment.planned(ACCOUNT)
    holds = "storage accounts that answer over HTTPS with TLS 1.2 or later only"
    findings = found_in(accounts, _account_is_not_encrypted)
    return concluded(ENCRYPTED_IN_TRANSIT, environment, findings, count=len(accounts), holds=holds)


def _must_be_closed(environment: PlannedEnvironment) -> bool:
    asked = environment.rules.closed_storage
    closed = environment.variable("preset") == "hardened" if asked is None else asked
    return closed and bool(environment.planned(ACCOUNT))


@plan_gate(
    STORAGE_NETWORK_CLOSED,
    applies=_must_be_closed,
    lacking='no storage account that must be closed (variable preset = "hardened", or closed_storage = true)',
    bounds=("closed_storage",),
    remedy='Set public_network_access_enabled = false, or network_rules with default_action = "Deny" and the addresses '
    "that may come in.",
)
def storage_network_closed(environment: PlannedEnvironment) -> Verdict:
    """Guard that storage is closed to the public network, where the preset is hardened or the rules ask for it.

    An account is closed if it has no public access at all, or denies by default and lets in chosen addresses only.
    Rules in a resource of their own count for the account that they name, or for that of the same module if the plan
    cannot say yet which one they name.
    """
    accounts = environment.planned(ACCOUNT)
    findings: list[Finding] = []
    for account in accounts:
        rules = tuple(_rules_of(account, environment))
        findings += found_in_block(account, account.block, partial(_is_open, separate=rules))
    holds = "storage accounts closed to the public network"
    return concluded(STORAGE_NETWORK_CLOSED, environment, findings, count=len(accounts), holds=holds)


def _account_allows_public(account: PlannedBlock) -> Iterator[str]:
    allowed = account.flag("allow_nested_items_to_be_public")
    if allowed is not False:
        said = "is true" if allowed else "is not set, and true by default up to azurerm 4"
        yield f"{account.place('allow_nested_items_to_be_public')} {said}: blobs can be made public"


def _container_is_public(container: PlannedBlock) -> Iterator[str]:
    access = container.text("container_access_type") or "private"
    if access != "private":
        yield f"{container.place('container_access_type')} is {access}: anybody can read its blobs"


def _account_is_not_encrypted(account: PlannedBlock) -> Iterator[str]:
    if account.flag("https_traffic_only_enabled") is not True:
        yield f"{account.place('https_traffic_only_enabled')} is not true: it answers without encryption"
    version = account.text("min_tls_version")
    if version not in _TLS:
        yield f"{account.place('min_tls_version')} is {version or 'not set'}, not {' or '.join(_TLS)}"


def _is_open(account: PlannedBlock, *, separate: tuple[PlannedBlock, ...]) -> Iterator[str]:
    if account.flag("public_network_access_enabled") is False:
        return
    rules = (*account.blocks("network_rules"), *separate)
    if not rules:
        yield f"{account.label} is open to the public network: it has no network_rules"
    for rule in rules:
        action = rule.text("default_action")
        if action != "Deny":
            yield f"{rule.place('default_action')} is {action or 'not set'}: the public network can reach it"
        entries = rule.items("ip_rules")
        if UNKNOWN in entries:
            raise UndeterminedError(f"{rule.place('ip_rules')} is known only after apply")
        everybody = [entry for entry in entries if entry in _EVERYBODY]
        if everybody:
            yield f"{rule.place('ip_rules')} lets in {', '.join(everybody)}, which is everybody"


def _rules_of(account: ResourceChange, environment: PlannedEnvironment) -> Iterator[PlannedBlock]:
    """Give the network rules that an account has in resources of their own."""
    identifier = account.block.values.get("id")
    for rules in environment.planned(NETWORK_RULES):
        named = rules.block.values.get("storage_account_id")
        known = isinstance(named, str) and isinstance(identifier, str)
        if named == identifier if known else _module(rules) == _module(account):
            yield rules.block


def _module(resource: ResourceChange) -> str:
    return resource.address.rpartition(f"{resource.type}.")[0]
