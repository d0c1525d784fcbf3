"""This module provides what Terraform complains of, and one clear error for each kind of complaint."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from shlex import quote
from typing import Any

from gauntlet.core.errors import GauntletError, InputError, RefusedError, RequirementError

_FRAME = re.compile(r"^[│╷╵]\s?", re.MULTILINE)
_COLOUR = re.compile(r"\x1b\[[0-9;]*m")
_PLAIN_ERROR = re.compile(r"^Error: (?P<summary>.*(?:\n(?!\s*$).*)*)(?P<rest>(?:.|\n)*)", re.MULTILINE)
# The HTTP backend gives the facts of the lock that was asked for, and of the one that is held its id only.
_OWN_LOCK = re.compile(r"already locked:\s+ID=(?P<id>\S+)")
_LOCK_FACT = re.compile(r"^\s*(ID|Operation|Who|Created):[ \t]*(\S.*?)\s*$", re.MULTILINE)


@dataclass(frozen=True)
class Diagnostic:
    """One complaint.

    Attributes:
        severity: ``error`` or ``warning``.
        summary: The headline.
        detail: What Terraform says under it; may be empty.
        place: The resource or the line that it is about; may be empty.
    """

    severity: str
    summary: str
    detail: str = ""
    place: str = ""

    @property
    def text(self) -> str:
        """All of it, for a search."""
        return f"{self.summary}\n{self.detail}"

    def __str__(self) -> str:
        """The complaint as one sentence for people, whitespace drawn together."""
        said = ": ".join(" ".join(part.split()) for part in (self.summary, self.detail) if part.strip())
        return f"{said} ({self.place})" if self.place else said


def messages(output: str) -> Iterator[dict[str, Any]]:
    """Give the JSON messages of a command's output; lines that are none (``init`` prints some) are passed over."""
    for line in output.splitlines():
        message = message_of(line)
        if message is not None:
            yield message


def message_of(line: str) -> dict[str, Any] | None:
    """Return the JSON message that a line is; None if it is none."""
    if not line.startswith("{"):
        return None
    try:
        message = json.loads(line)
    except ValueError:
        return None
    return message if isinstance(message, dict) else None


def diagnostics(output: str, errors: str) -> tuple[Diagnostic, ...]:
    """Return the complaints of a command, from its JSON lines or, where it has none, from the text for people.

    Args:
        output: Standard output.
        errors: Standard error.
    """
    found = [message["diagnostic"] for message in messages(output) if message.get("type") == "diagnostic"]
    if found:
        return tuple(diagnostic_of(one) for one in found)
    plain = _COLOUR.sub("", _FRAME.sub("", _COLOUR.sub("", errors)))
    match = _PLAIN_ERROR.search(plain)
    if match:
        return (Diagnostic("error", match["summary"].strip(), match["rest"].strip()),)
    return (Diagnostic("error", plain.strip()),) if plain.strip() else ()


def diagnostic_of(found: Mapping[str, Any]) -> Diagnostic:
    """Return the complaint that is one diagnostic of Terraform's JSON."""
    where = found.get("range")
    line = f"{where['filename']}:{where['start']['line']}" if where else ""
    place = ", ".join(part for part in (found.get("address") or "", line) if part)
    return Diagnostic(found["severity"], found["summary"], found.get("detail", ""), place)


@dataclass(frozen=True)
class _Kind:
    """A kind of complaint that is recognised.

    Attributes:
        pattern: What its text has.
        error: The error it becomes.
        sentence: What is wrong and what to do; ``{folder}`` is the stack's folder (``{quoted}`` for a
            shell), ``{said}`` Terraform's own words, ``{holder}`` and ``{lock}`` whose lock it is, and its id.
        commands: The commands whose complaints can be of this kind; all, if empty.
    """

    pattern: re.Pattern[str]
    error: type[GauntletError]
    sentence: str
    commands: tuple[str, ...] = ()


def _kind(pattern: str, error: type[GauntletError], sentence: str, *commands: str) -> _Kind:
    return _Kind(re.compile(pattern, re.IGNORECASE), error, sentence, commands)


# The first that fits is taken. The texts are Terraform's, of its azurerm backend, and of the two providers.
_KINDS = (
    _kind(
        r"state lock|state blob is already locked|LeaseAlreadyPresent",
        RequirementError,
        "{folder}: the state is locked{holder}. Wait for whoever works on it. If nobody does (it was killed), free it "
        "with `terraform -chdir={quoted} force-unlock {lock}`, and plan again",
    ),
    _kind(
        r"saved plan is stale|saved plan does not match|plan file|failed to load .* as a plan",
        RefusedError,
        "{folder}: the plan is stale: the state, or Terraform itself, changed since it was made. Nothing was changed; "
        "run `gauntlet infra plan` again and look at what it says",
    ),
    _kind(
        r"unsupported terraform core version",
        RequirementError,
        "{folder}: this Terraform is not of a version that the stack takes ({said}); install one from 1.9 up to, not "
        "including, 2.0",
    ),
    _kind(
        r"failed to query available provider packages|failed to install provider|inconsistent dependency lock file"
        r"|required plugins are not installed|missing required provider|could not connect to registry",
        RequirementError,
        "{folder}: Terraform's providers cannot be had ({said}); give it a network, or a provider mirror in the file "
        "that TF_CLI_CONFIG_FILE names",
    ),
    _kind(
        r"az login|azure ?cli|could not acquire access token|unable to build authorizer|AADSTS\d+",
        RequirementError,
        "{folder}: not logged in to Azure ({said}); run `az login`, or set ARM_CLIENT_ID, ARM_TENANT_ID and a secret "
        "or token of a service principal",
    ),
    _kind(
        r"cannot configure default credentials|cannot get access token|default auth:|authentication is not configured",
        RequirementError,
        "{folder}: not logged in to Databricks ({said}); run `az login` with an account of the workspace, or set "
        "DATABRICKS_TOKEN",
    ),
    _kind(
        r"AuthorizationPermissionMismatch|AuthorizationFailed|AuthorizationFailure|does not have authorization",
        RequirementError,
        "{folder}: whoever is logged in may not do this ({said}); ask for a role: Contributor and User Access "
        "Administrator on the subscription, Storage Blob Data Contributor on the state's account",
    ),
    _kind(
        r"failed to get existing workspaces|keys for storage account|ContainerNotFound|ResourceGroupNotFound"
        r"|required field is not set|no such host|error building ARM config|storage account .* not found",
        RequirementError,
        "{folder}: the backend, where the state is kept, is not there ({said}); make it once with "
        "infra_modules/examples/state_backend and give its names under [backend] in infra.toml, or keep the state in "
        'a file with kind = "local"',
        "init",
    ),
    _kind(
        r"backend initialization required|backend configuration changed|backend type changed",
        RequirementError,
        "{folder}: its state is kept elsewhere than infra.toml says ({said}); move it with `terraform -chdir={quoted} "
        "init -migrate-state`, or put [backend] back as it was",
    ),
    _kind(
        r"invalid value for variable|precondition failed|postcondition failed|no value for required variable"
        r"|validation error",
        InputError,
        "{folder}: {said}",
    ),
)


def explained(found: Sequence[Diagnostic], *, command: str, folder: Path) -> GauntletError:
    """Return the error that a failed command's complaints are.

    Args:
        found: Its complaints; warnings are passed over.
        command: The command, such as ``plan``.
        folder: The stack's folder.
    """
    errors = [one for one in found if one.severity == "error"]
    if not errors:
        return RequirementError(f"{folder}: terraform {command} failed and did not say why")
    for kind in _KINDS:
        fitting = [one for one in errors if kind.pattern.search(one.text)]
        if fitting and (not kind.commands or command in kind.commands):
            return kind.error(_sentence(kind, fitting, folder=folder))
    said = "; ".join(dict.fromkeys(str(one) for one in errors))
    then = ". What was done by then is in the state: plan again" if command == "apply" else ""
    return RequirementError(f"{folder}: terraform {command} failed: {said}{then}")


def _sentence(kind: _Kind, fitting: Sequence[Diagnostic], *, folder: Path) -> str:
    # What follows the first paragraph is advice for people at Terraform's own command line.
    first = [replace(one, detail=one.detail.strip().split("\n\n")[0]) for one in fitting]
    said = "; ".join(dict.fromkeys(str(one) for one in first))
    holder, lock = _lock(fitting[0].detail)
    return kind.sentence.format(folder=folder, quoted=quote(str(folder)), said=said, holder=holder, lock=lock)


def _lock(detail: str) -> tuple[str, str]:
    """Return who holds a lock, as far as it is told, and the lock's id."""
    own = _OWN_LOCK.search(detail)
    if own:
        return "", own["id"]
    facts = dict(_LOCK_FACT.findall(detail))
    told = f" by {facts.get('Who')}, since {facts.get('Created')}, for {facts.get('Operation')}" if facts else ""
    return told, facts.get("ID", "ID")
