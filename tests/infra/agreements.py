"""This module provides the agreements between the pipeline and its infrastructure: what both sides must say alike.

One side is the problem file, the wheel's metadata and the lock; the other is a plan. An agreement is about one thing,
and knows all places of a plan that hold it, so that a change at one place breaks that agreement and no other.
"""

from __future__ import annotations

import importlib.metadata
import re
import tomllib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise
from pathlib import PurePosixPath
from typing import Any

import click
from packaging.requirements import Requirement
from packaging.utils import InvalidWheelFilename, canonicalize_name, parse_wheel_filename

from gauntlet import __version__
from gauntlet.adapters.registry import CHAMPION
from gauntlet.cli import stage
from gauntlet.core.origins import FolderOrigin
from gauntlet.core.planned_clusters import tasks_of
from gauntlet.core.planned_values import PlannedBlock, leaves
from gauntlet.core.problem import Names
from gauntlet.core.problem_file import load_problem
from gauntlet.core.section import TargetName
from gauntlet.core.stage_names import STAGE_NAMES
from gauntlet.core.terraform_plan import Plan, ResourceChange
from tests.infra.terraform_runs import ROOT

DISTRIBUTION = "gauntlet-mlops"
TARGET: TargetName = "databricks"
_LOCK = ROOT / "ci" / "constraints.txt"
# What a requirement's marker sees on a cluster.
_CLUSTER = {"sys_platform": "linux", "platform_system": "Linux", "platform_machine": "x86_64", "extra": ""}
_REFERENCE = re.compile(r"\{\{job\.parameters\.([^{}]+)\}\}")
_TOLD = 3

# A place of the plan, for people, and what stands there.
Found = Iterator[tuple[str, Any]]


@dataclass(frozen=True)
class Code:
    """What the pipeline's side says.

    Attributes:
        names: What things are called on target databricks.
        target: The target that has these names.
        data_variables: The environment variables that say where the data are.
        stages: The stages, in their order.
        champion: The alias of the model that is in use.
        package: The wheel's distribution.
        version: Its version.
        entry_points: Its console scripts whose function is there.
        pins: The versions that it is tested with, of what it needs on a cluster.
        command: What its entry point for tasks runs.
    """

    names: Names
    target: str
    data_variables: frozenset[str]
    stages: tuple[str, ...]
    champion: str
    package: str
    version: str
    entry_points: frozenset[str]
    pins: frozenset[str]
    command: click.Command


def read_code(overrides: Mapping[str, Any] | None = None) -> Code:
    """Return what the pipeline's side says.

    Args:
        overrides: Values that replace the problem file's, by dotted key.
    """
    problem = load_problem(overrides=overrides)
    distribution = importlib.metadata.distribution(DISTRIBUTION)
    scripts = distribution.entry_points.select(group="console_scripts")
    return Code(
        names=problem.names[TARGET],
        target=TARGET,
        data_variables=frozenset(
            origin.variable for origin in problem.origins if isinstance(origin, FolderOrigin) and origin.variable
        ),
        stages=STAGE_NAMES,
        champion=CHAMPION,
        package=canonicalize_name(distribution.metadata["Name"]),
        version=__version__,
        entry_points=frozenset(script.name for script in scripts if callable(script.load())),
        pins=_pins(),
        command=stage,
    )


def _pins() -> frozenset[str]:
    # Not the installed distribution's: a checkout that is installed once keeps the requirements of that day.
    required = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["dependencies"]
    locked = {canonicalize_name(pin.name): pin for pin in _for_cluster(_LOCK.read_text(encoding="utf-8").splitlines())}
    needed = {canonicalize_name(requirement.name) for requirement in _for_cluster(required)}
    return frozenset(f"{name}{locked[name].specifier}" for name in needed)


def _for_cluster(lines: Iterable[str]) -> Iterator[Requirement]:
    for line in lines:
        if line and not line.startswith("#"):
            requirement = Requirement(line)
            if requirement.marker is None or requirement.marker.evaluate(dict(_CLUSTER)):
                yield requirement


def _other(expected: Any, value: Any) -> str:
    return "" if value == expected else repr(value)


@dataclass(frozen=True)
class Agreement:
    """One thing that code and plan must say alike.

    Attributes:
        name: What it is about.
        place: Where the code says it.
        expected: What the code says.
        found: All places of a plan that say it, each with what stands there.
        differs: What to say of a place that does not agree, by what is expected and what was found; nothing if it does.
    """

    name: str
    place: str
    expected: Callable[[Code], Any]
    found: Callable[[Plan], Found]
    differs: Callable[[Any, Any], str] = _other

    def complaint(self, code: Code, plan: Plan) -> str:
        """Say where code and plan differ, with both places; nothing if they agree."""
        expected, found = self.expected(code), dict(self.found(plan))
        places: dict[str, list[str]] = {}
        for place, value in found.items():
            places.setdefault(self.differs(expected, value), []).append(place)
        wrong = [f"the plan has {what} at {_counted(where)}" for what, where in places.items() if what]
        if not found:
            wrong = ["the plan has none"]
        shown = sorted(expected) if isinstance(expected, frozenset) else expected
        return f"{self.name}: {self.place} has {shown!r}, but {'; '.join(wrong)}" if wrong else ""


def _counted(places: list[str]) -> str:
    more = f" and {len(places) - _TOLD} places more" if len(places) > _TOLD else ""
    return f"{', '.join(places[:_TOLD])}{more}"


@dataclass(frozen=True)
class _Located:
    """A place of the plan that names something of Unity Catalog: a schema, a volume or a model."""

    place: str
    catalog: Any
    schema: Any
    kind: str = "schema"
    name: Any = None


def _located(plan: Plan) -> Iterator[_Located]:
    for change in plan.planned("databricks_schema"):
        yield _Located(change.address, change.block.values["catalog_name"], change.block.values["name"])
    for kind, type_name in (("volume", "databricks_volume"), ("model", "databricks_registered_model")):
        for change in plan.planned(type_name):
            values = change.block.values
            yield _Located(change.address, values["catalog_name"], values["schema_name"], kind, values["name"])
    for entity in _served(plan):
        catalog, schema, model = _levels(str(entity.text("entity_name")).split("."))
        yield _Located(entity.place("entity_name"), catalog, schema, "model", model)
    for gateway in _nested(plan, "databricks_model_serving", "ai_gateway"):
        for table in gateway.blocks("inference_table_config"):
            yield _Located(table.label, table.text("catalog_name"), table.text("schema_name"))
    for place, text in _texts(plan):
        if text.startswith("/Volumes/"):
            catalog, schema, volume = _levels(text.split("/")[2:])
            yield _Located(place, catalog, schema, "volume", volume)


def _levels(parts: list[str]) -> tuple[str, str, str]:
    """Return the three levels that a name or path begins with; what it does not have is empty."""
    catalog, schema, name, *_ = [*parts, "", "", ""]
    return catalog, schema, name


def _texts(plan: Plan) -> Iterator[tuple[str, str]]:
    """Give every text of the plan, with its place."""
    for change in plan.planned():
        for path, value in leaves(change.after):
            if isinstance(value, str):
                yield PlannedBlock(change.address, {}, path[:-1]).place(str(path[-1])), value


def _nested(plan: Plan, type_name: str, name: str) -> Iterator[PlannedBlock]:
    for change in plan.planned(type_name):
        yield from change.block.blocks(name)


def _served(plan: Plan) -> Iterator[PlannedBlock]:
    for config in _nested(plan, "databricks_model_serving", "config"):
        yield from config.blocks("served_entities")


def _catalogs(plan: Plan) -> Found:
    yield from _names("databricks_catalog")(plan)
    yield from ((located.place, located.catalog) for located in _located(plan))


def _schemas(plan: Plan) -> Found:
    return ((located.place, located.schema) for located in _located(plan))


def _named(kind: str) -> Callable[[Plan], Found]:
    return lambda plan: ((located.place, located.name) for located in _located(plan) if located.kind == kind)


def _names(type_name: str) -> Callable[[Plan], Found]:
    return lambda plan: ((change.block.place("name"), change.block.text("name")) for change in plan.planned(type_name))


def _parts(plan: Plan) -> Found:
    for config in _nested(plan, "databricks_model_serving", "config"):
        yield config.label, tuple(entity.text("name") for entity in config.blocks("served_entities"))


def _variables(plan: Plan) -> Found:
    clusters = [change.block for change in plan.planned("databricks_cluster")]
    for shared in _nested(plan, "databricks_job", "job_cluster"):
        clusters += shared.blocks("new_cluster")
    return ((cluster.place("spark_env_vars"), frozenset(cluster.entries("spark_env_vars"))) for cluster in clusters)


def _wheel_tasks(plan: Plan) -> Iterator[tuple[ResourceChange, PlannedBlock, PlannedBlock]]:
    """Give the tasks that run a wheel: the job, the task, and what it runs."""
    for job in plan.planned("databricks_job"):
        for task in tasks_of(job.block):
            for wheel in task.blocks("python_wheel_task"):
                yield job, task, wheel


def _wheel_attribute(name: str) -> Callable[[Plan], Found]:
    return lambda plan: ((wheel.place(name), wheel.text(name)) for _, _, wheel in _wheel_tasks(plan))


def _packages(plan: Plan) -> Found:
    yield from ((place, canonicalize_name(str(name))) for place, name in _wheel_attribute("package_name")(plan))
    yield from ((place, name) for place, name, _ in _wheel_files(plan))


def _arguments(plan: Plan) -> Found:
    """Give each task's arguments, with the job's own values in place of the references that have one."""
    for job, _, wheel in _wheel_tasks(plan):
        values = {str(block.text("name")): str(block.text("default")) for block in job.block.blocks("parameter")}
        yield wheel.place("parameters"), [_filled(str(item), values) for item in wheel.items("parameters")]


def _filled(argument: str, values: Mapping[str, str]) -> str:
    return _REFERENCE.sub(lambda match: values.get(match[1], match[0]), argument)


def _targets(plan: Plan) -> Found:
    for place, arguments in _arguments(plan):
        yield place, dict(pairwise(arguments)).get("--target")


def _orders(plan: Plan) -> Found:
    """Give each job's stages in the order in which its tasks wait for one another."""
    for job in plan.planned("databricks_job"):
        following: dict[str | None, PlannedBlock] = {}
        for task in tasks_of(job.block):
            before = [str(block.text("task_key")) for block in task.blocks("depends_on")]
            following[before[0] if before else None] = task
        order: list[str] = []
        key: str | None = None
        while key in following and len(order) < len(following):
            task = following[key]
            order += [str(wheel.items("parameters")[0]) for wheel in task.blocks("python_wheel_task")]
            key = task.text("task_key")
        yield job.block.place("task"), tuple(order)


def _wheel_files(plan: Plan) -> Iterator[tuple[str, str, str]]:
    """Give each wheel that the plan names: the place, the distribution and the version in its file's name."""
    for place, text in _texts(plan):
        if text.endswith(".whl"):
            try:
                name, version, *_ = parse_wheel_filename(PurePosixPath(text).name)
            except InvalidWheelFilename:
                yield place, text, text
            else:
                yield place, name, str(version)


def _versions(plan: Plan) -> Found:
    return ((place, version) for place, _, version in _wheel_files(plan))


def _libraries(plan: Plan) -> Found:
    """Give what each cluster, and each task for itself or by its environment, installs from PyPI."""
    for change in plan.planned("databricks_cluster"):
        yield change.block.place("library"), _from_pypi(change.block)
    for job, task, _ in _wheel_tasks(plan):
        shared = [
            str(item)
            for environment in job.block.blocks("environment")
            if environment.text("environment_key") == task.text("environment_key")
            for spec in environment.blocks("spec")
            for item in spec.items("dependencies")
            if not str(item).endswith(".whl")
        ]
        yield task.place("library"), _from_pypi(task) | frozenset(shared)


def _from_pypi(block: PlannedBlock) -> frozenset[str]:
    return frozenset(
        str(package.text("package")) for library in block.blocks("library") for package in library.blocks("pypi")
    )


def _missing(expected: Any, value: Any) -> str:
    return "" if expected in value else repr(value)


def _not_one_of(expected: frozenset[str], value: Any) -> str:
    return "" if value in expected else repr(value)


def _lacks(expected: frozenset[str], value: frozenset[str]) -> str:
    return "" if expected <= value else f"only {sorted(value)}"


def _unlike(expected: frozenset[str], value: frozenset[str]) -> str:
    parts = (("no ", expected - value), ("", value - expected))
    return ", ".join(f"{word}{pin}" for word, pins in parts for pin in sorted(pins))


def _not_accepted(command: click.Command, arguments: list[str]) -> str:
    open_references = [match[0] for item in arguments for match in _REFERENCE.finditer(item)]
    if open_references:
        return f"{open_references[0]}, which is no parameter of the job,"
    try:
        with command.make_context("gauntlet stage", list(arguments)):
            return ""
    except click.ClickException as error:
        return f"{arguments}, of which the command says {error.format_message()!r}"


def _problem_file(key: str) -> str:
    return f"problems/wine_quality.toml: names.{TARGET}.{key}"


AGREEMENTS = (
    Agreement("catalog", _problem_file("catalog"), lambda code: code.names.catalog, _catalogs),
    Agreement("schema", _problem_file("schema"), lambda code: code.names.schema_name, _schemas),
    Agreement("volume", _problem_file("volume"), lambda code: code.names.volume, _named("volume")),
    Agreement("model", _problem_file("model"), lambda code: code.names.model, _named("model")),
    Agreement(
        "experiment",
        _problem_file("experiment"),
        lambda code: code.names.experiment,
        _names("databricks_mlflow_experiment"),
    ),
    Agreement(
        "endpoint", _problem_file("endpoint"), lambda code: code.names.endpoint, _names("databricks_model_serving")
    ),
    Agreement(
        "secret scope",
        _problem_file("secret_scope"),
        lambda code: code.names.secret_scope,
        _names("databricks_secret_scope"),
    ),
    Agreement("champion", "gauntlet/adapters/registry.py: CHAMPION", lambda code: code.champion, _parts, _missing),
    Agreement(
        "data variable",
        "problems/wine_quality.toml: origins, variable",
        lambda code: code.data_variables,
        _variables,
        _lacks,
    ),
    Agreement("package", "the wheel's metadata: Name", lambda code: code.package, _packages),
    Agreement(
        "entry point",
        "the wheel's metadata: console_scripts",
        lambda code: code.entry_points,
        _wheel_attribute("entry_point"),
        _not_one_of,
    ),
    Agreement("version", "gauntlet/__init__.py: __version__", lambda code: code.version, _versions),
    Agreement("libraries", "ci/constraints.txt", lambda code: code.pins, _libraries, _unlike),
    Agreement("stages", "gauntlet/core/stage_names.py: STAGE_NAMES", lambda code: code.stages, _orders),
    Agreement("options", "gauntlet/cli.py: stage", lambda code: code.command, _arguments, _not_accepted),
    Agreement("target", "gauntlet/core/section.py: TargetName", lambda code: code.target, _targets),
)
