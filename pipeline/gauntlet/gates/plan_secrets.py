"""This module provides the gate on secrets that stand in the clear in a plan, and so in state, logs and pages."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from gauntlet.core.planned_values import Path, leaves, path_text
from gauntlet.core.verdict import Verdict
from gauntlet.gates.plan_gate import Finding, PlannedEnvironment, concluded, plan_gate

NO_SECRET_IN_CLEAR = "plan::no_secret_in_the_clear"  # noqa: S105 - the name of a gate

# How attributes are called that hold a secret itself …
_NAMES = re.compile(
    r"(?i)(?:^|[_.\-])(?:passw(?:or)?d|secret|secret_?(?:key|value)|(?<!idempotency_)token|"
    r"(?:access|account|api|private|shared)_?key|connection_?string|sas(?:_?(?:url|token|uri))?|string_value)$"
    # Spark's settings for storage end with the account's host.
    r"|account\.(?:key|oauth2\.client\.secret)(?:\.|$)"
)
# … and what a secret looks like wherever it stands.
_FORMS = {
    "a Databricks token": re.compile(r"\bdapi[0-9a-f]{32}"),
    "a storage account's key": re.compile(r"AccountKey=[A-Za-z0-9+/]{40,}"),
    "a shared access signature": re.compile(r"[?&]sig=[A-Za-z0-9%+/]{20,}"),
    "a private key": re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----"),
    "a signed web token": re.compile(r"\beyJ[\w-]{10,}\.eyJ[\w-]{10,}\.[\w-]{10,}"),
    "a GitHub token": re.compile(r"\bgh[pousr]_[A-Za-z0-9]{36}"),
    "a password in an address": re.compile(r"\w+://[^/\s:@]+:[^/\s:@{}]+@"),
}
# Databricks puts the secret in its place only when something runs.
_REFERENCE = re.compile(r"\{\{secrets/[^}]+\}\}")


@plan_gate(
    NO_SECRET_IN_CLEAR,
    applies=lambda environment: bool(environment.planned()) or any(plan.outputs for plan in environment.plans),
    lacking="no resource and no output",
    bounds=("plain_values",),
    remedy="Put the secret into a secret scope and refer to it ({{secrets/scope/key}}), or mark the variable or output "
    "as sensitive; then change the secret, since it was shown. If it is none, list its place under plain_values in the "
    "rules.",
)
def no_secret_in_the_clear(environment: PlannedEnvironment) -> Verdict:
    """Guard that no resource, output or variable shows a secret in the clear.

    Looks at attributes that are called as secrets are, and for the forms of well-known secrets anywhere else. What is
    marked as sensitive, or refers to a secret scope, is none. The secret itself is never shown here. A secret that is
    neither called so nor of a known form is not found.
    """
    findings = [finding for finding, place in _shown(environment) if place not in environment.rules.plain_values]
    count = len(environment.planned()) + sum(len(plan.outputs) + len(plan.variables) for plan in environment.plans)
    holds = "resources, outputs and variables that show no secret which would be known as one"
    return concluded(NO_SECRET_IN_CLEAR, environment, findings, count=count, holds=holds)


def _shown(environment: PlannedEnvironment) -> Iterator[tuple[Finding, str]]:
    """Give the secrets that are shown, and the place of each."""
    for resource in environment.planned():
        for path, value in leaves(resource.after):
            if not resource.is_sensitive(path) and (what := _secret(path, value)):
                place = f"{resource.address}: {path_text(path)}"
                yield Finding(f"{place} shows {what}", resource.file, resource.address), place
    for plan in environment.plans:
        for output in plan.outputs:
            for path, value in leaves(output.value):
                if not output.is_sensitive(path) and (what := _secret((output.name, *path), value)):
                    place = f"output.{path_text((output.name, *path))}"
                    yield Finding(f"{place} shows {what}", plan.file, f"output.{output.name}"), place
        for name, given in plan.variables.items():
            for path, value in leaves(given):
                if name not in plan.sensitive_variables and (what := _secret((name, *path), value)):
                    place = f"var.{path_text((name, *path))}"
                    yield Finding(f"{place} shows {what}", plan.file, f"var.{name}"), place


def _secret(path: Path, value: Any) -> str | None:
    """Return what kind of secret a value is; None if it is none that would be known as one."""
    if not isinstance(value, str) or not value.strip() or _REFERENCE.fullmatch(value.strip()):
        return None
    for what, form in _FORMS.items():
        if form.search(value):
            return what
    name = next((step for step in reversed(path) if isinstance(step, str)), "")
    return f"a value that is called {name}" if _NAMES.search(name) else None
