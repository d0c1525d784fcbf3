"""This module provides Terraform plans as typed data.

It reads what ``terraform show -json`` prints of a saved plan, and the ``test_plan`` messages of ``terraform test -json
-verbose``. Sensitive values stand in clear in both; they are only marked, so whoever prints one must ask first.
The format is Terraform's JSON output format, version 1.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from gauntlet.core.errors import InputError
from gauntlet.core.planned_values import Path as ValuePath
from gauntlet.core.planned_values import PlannedBlock, is_marked, merged

Action = Literal["no-op", "create", "read", "update", "delete", "forget"]

_FORMAT = "1"
_SHOW = "save one with `terraform plan -out=plan.bin`, print it with `terraform show -json plan.bin > plan.json`"


@dataclass(frozen=True)
class ResourceChange:
    """What a plan does with one resource.

    Attributes:
        file: The plan's name.
        address: The resource's address.
        type: Its type, such as ``databricks_cluster``.
        actions: What is done, in this order; a replacement is both ``delete`` and ``create``.
        before: Its values before; None if it is new.
        after: Its values afterwards, with ``UNKNOWN`` where they are known only after apply; None if it goes away.
        sensitive: The tree of marks of sensitive values afterwards.
        replace_paths: The arguments that force a replacement.
        reason: Terraform's own word for why, such as ``replace_because_cannot_update``.
        deposed: The key of an object that an interrupted replacement left; None for the current object.
    """

    file: str
    address: str
    type: str
    actions: tuple[Action, ...]
    before: Mapping[str, Any] | None = None
    after: Mapping[str, Any] | None = None
    sensitive: Any = False
    replace_paths: tuple[ValuePath, ...] = ()
    reason: str | None = None
    deposed: str | None = None

    @property
    def is_destroyed(self) -> bool:
        """Whether the object that is there now goes away, replaced or not."""
        return "delete" in self.actions

    @property
    def is_replaced(self) -> bool:
        """Whether a new object takes the place of the one that is there now, which is destroyed or left behind."""
        return "create" in self.actions and len(self.actions) > 1

    @property
    def block(self) -> PlannedBlock:
        """The values afterwards; none if the resource goes away."""
        return PlannedBlock(self.address, self.after or {})

    def is_sensitive(self, path: ValuePath) -> bool:
        """Say whether a value afterwards is marked as sensitive."""
        return is_marked(self.sensitive, path)


@dataclass(frozen=True)
class OutputChange:
    """What a plan does with one output.

    Attributes:
        file: The plan's name.
        name: The output's name.
        value: Its value afterwards, with ``UNKNOWN`` where it is known only after apply.
        sensitive: The tree of marks of sensitive values.
    """

    file: str
    name: str
    value: Any
    sensitive: Any = False

    def is_sensitive(self, path: ValuePath) -> bool:
        """Say whether a part of the value is marked as sensitive."""
        return is_marked(self.sensitive, path)


@dataclass(frozen=True)
class Plan:
    """One plan.

    Attributes:
        file: What it was read from, for people.
        resources: What is done with each managed resource, in the plan's order; data sources are left out.
        outputs: What is done with each output of the root module.
        variables: The root module's variables, defaults included; empty in plans of tests, which do not have them.
        sensitive_variables: Those that are declared sensitive.
        not_checked: What the plan leaves open, one sentence each.
    """

    file: str
    resources: tuple[ResourceChange, ...]
    outputs: tuple[OutputChange, ...] = ()
    variables: Mapping[str, Any] = field(default_factory=dict)
    sensitive_variables: frozenset[str] = frozenset()
    not_checked: tuple[str, ...] = ()

    def planned(self, *types: str) -> tuple[ResourceChange, ...]:
        """Return the resources of some types (of all, without types) that are there after apply."""
        return tuple(r for r in self.resources if r.after is not None and (not types or r.type in types))


class _Document(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class _Change(_Document):
    actions: tuple[Action, ...]
    before: Any = None
    after: Any = None
    after_unknown: Any = False
    after_sensitive: Any = False
    replace_paths: tuple[ValuePath, ...] = ()


class _Resource(_Document):
    address: str
    mode: Literal["managed", "data"]
    type: str
    change: _Change
    action_reason: str | None = None
    deposed: str | None = None


class _Variable(_Document):
    value: Any = None


class _Declaration(_Document):
    sensitive: bool = False


class _RootModule(_Document):
    variables: dict[str, _Declaration] = {}


class _Configuration(_Document):
    root_module: _RootModule = _RootModule()


class _PlanDocument(_Document):
    format_version: str
    errored: bool = False
    complete: bool | None = None
    resource_changes: tuple[_Resource, ...] = ()
    output_changes: dict[str, _Change] = {}
    variables: dict[str, _Variable] = {}
    configuration: _Configuration = _Configuration()


def read_plan(path: Path) -> Plan:
    """Read a plan from a file.

    Raises:
        InputError: If the file cannot be read or is no plan, or the plan failed or is incomplete. The message says
            what it is instead, and how to make one.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror}); {_SHOW}") from error
    return plan_of(parsed(content, file=str(path)), file=str(path))


def parsed(content: bytes, *, file: str) -> Any:
    """Return the JSON document of a plan's bytes.

    Raises:
        InputError: If they are no JSON document.
    """
    if content.startswith(b"PK"):
        raise InputError(
            f"{file}: a saved plan as Terraform keeps it, not JSON; print it: `terraform show -json {file} > plan.json`"
        )
    # Windows PowerShell writes UTF-16 when a program's output is sent to a file.
    encoding = "utf-16" if content.startswith((b"\xff\xfe", b"\xfe\xff")) else "utf-8-sig"
    try:
        text = content.decode(encoding)
    except UnicodeDecodeError as error:
        raise InputError(f"{file}: not text at byte {error.start}, so no plan; {_SHOW}") from error
    try:
        return json.loads(text, parse_constant=_no_number)
    except (ValueError, RecursionError) as error:
        if text.lstrip().startswith('{"@level"'):
            raise InputError(f"{file}: the messages of a command with -json, which are no plan; {_SHOW}") from error
        reason = "cut off or not JSON" if isinstance(error, ValueError) else "nested too deeply"
        raise InputError(f"{file}: {reason} ({error}), so no plan; {_SHOW}") from error


def plan_of(document: Any, *, file: str) -> Plan:
    """Return a plan from its JSON document.

    Args:
        document: What ``terraform show -json`` printed, or the ``test_plan`` of a message of ``terraform test``.
        file: What it was read from, for messages.

    Raises:
        InputError: If the document is no plan, or the plan failed or is incomplete.
    """
    read = _document(document, file)
    if read.errored:
        raise InputError(
            f"{file}: Terraform could not finish this plan, so it shows only a part; mend what `terraform plan` "
            "reports, and plan again"
        )
    if read.complete is False:
        raise InputError(
            f"{file}: the plan is incomplete (it was made with -target, or parts are deferred), so what it leaves out "
            "cannot be judged; apply it if it is needed first, then plan again without -target"
        )
    gaps = []
    if read.complete is None and "plan_format_version" not in document:
        gaps.append(f"Whether {file} is complete: its Terraform does not say (1.8 and later do).")
    return Plan(
        file=file,
        resources=tuple(_resource(entry, file) for entry in read.resource_changes if entry.mode == "managed"),
        outputs=tuple(_output(name, change, file) for name, change in read.output_changes.items()),
        variables={name: variable.value for name, variable in read.variables.items()},
        sensitive_variables=frozenset(
            name for name, declared in read.configuration.root_module.variables.items() if declared.sensitive
        ),
        not_checked=tuple(gaps),
    )


def plans_of_tests(text: str) -> dict[str, Plan]:
    """Return the plans in the messages of ``terraform test -json -verbose``, by ``FILE::RUN``.

    Only runs with ``command = plan`` have one. Lines that are no message (warnings of the program) are passed over.

    Raises:
        InputError: If one of them is no plan.
    """
    plans: dict[str, Plan] = {}
    for line in text.splitlines():
        try:
            message = json.loads(line)
        except ValueError:
            continue
        if isinstance(message, dict) and message.get("type") == "test_plan":
            name = f"{message.get('@testfile', '')}::{message.get('@testrun', '')}"
            plans[name] = plan_of(message.get("test_plan"), file=name)
    return plans


def _document(document: Any, file: str) -> _PlanDocument:
    if not isinstance(document, Mapping):
        raise InputError(f"{file}: JSON, but no plan; {_SHOW}")
    version = document.get("format_version", document.get("plan_format_version"))
    if "values" in document and "resource_changes" not in document:
        raise InputError(f"{file}: a state, not a plan: it says what is there, not what will be done; {_SHOW}")
    marks = ("resource_changes", "planned_values", "output_changes", "errored")
    if version is None or not any(mark in document for mark in marks):
        raise InputError(f"{file}: JSON, but no plan; {_SHOW}")
    if str(version).split(".", maxsplit=1)[0] != _FORMAT:
        raise InputError(f"{file}: a plan in format {version}; this version of Gauntlet reads format {_FORMAT}")
    try:
        return _PlanDocument.model_validate({**document, "format_version": str(version)})
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"]))
        raise InputError(f"{file}: no plan that can be read: {place}: {first['msg'].lower()}; {_SHOW}") from error


def _resource(entry: _Resource, file: str) -> ResourceChange:
    change = entry.change
    if not isinstance(change.after, Mapping | None) or not isinstance(change.before, Mapping | None):
        raise InputError(f"{file}: no plan that can be read: {entry.address} has values that are no object; {_SHOW}")
    return ResourceChange(
        file=file,
        address=entry.address,
        type=entry.type,
        actions=change.actions,
        before=change.before,
        after=None if change.after is None else merged(change.after, change.after_unknown),
        sensitive=change.after_sensitive,
        replace_paths=change.replace_paths,
        reason=entry.action_reason,
        deposed=entry.deposed,
    )


def _output(name: str, change: _Change, file: str) -> OutputChange:
    return OutputChange(file, name, merged(change.after, change.after_unknown), change.after_sensitive)


def _no_number(constant: str) -> Any:
    raise ValueError(f"{constant} is no number")
