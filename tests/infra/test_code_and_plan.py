"""Code and plan agree: what the pipeline calls a thing is what the complete example makes, and the other way round."""

from __future__ import annotations

import copy
from dataclasses import replace

import click
import pytest

from gauntlet.core.terraform_plan import plan_of
from tests.infra.agreements import AGREEMENTS, read_code
from tests.infra.prepared import example_variables
from tests.infra.terraform_runs import Terraform, copied_modules

EXAMPLE = "complete/workspace"
NAMES = [agreement.name for agreement in AGREEMENTS]
WHEELS = "/Volumes/main/wine_quality/files/wheels"
SCHEMA, VOLUME, MODEL = "databricks_schema", "databricks_volume", "databricks_registered_model"
CLUSTER, JOB, ENDPOINT = "databricks_cluster", "databricks_job", "databricks_model_serving"

pytestmark = [pytest.mark.infra, pytest.mark.needs_terraform("plan", EXAMPLE)]

# What is renamed in the plan: the agreement that must break, the type of the resource, the place in it, the new value.
RENAMED_IN_PLAN = (
    ("catalog", "databricks_catalog", ("name",), "other"),
    ("catalog", SCHEMA, ("catalog_name",), "other"),
    ("catalog", VOLUME, ("catalog_name",), "other"),
    ("catalog", MODEL, ("catalog_name",), "other"),
    ("catalog", ENDPOINT, ("config", 0, "served_entities", 1, "entity_name"), "other.wine_quality.wine_classifier"),
    ("catalog", JOB, ("parameter", 0, "default"), "/Volumes/other/wine_quality/files/state"),
    ("schema", SCHEMA, ("name",), "other"),
    ("schema", ENDPOINT, ("ai_gateway", 0, "inference_table_config", 0, "schema_name"), "other"),
    ("schema", CLUSTER, ("spark_env_vars", "GAUNTLET_DATA_DIR"), "/Volumes/main/other/files/data"),
    ("volume", VOLUME, ("name",), "other"),
    ("volume", JOB, ("parameter", 0, "default"), "/Volumes/main/wine_quality/other/state"),
    ("model", MODEL, ("name",), "other"),
    ("model", ENDPOINT, ("config", 0, "served_entities", 0, "entity_name"), "main.wine_quality.other"),
    ("experiment", "databricks_mlflow_experiment", ("name",), "/Shared/gauntlet/other"),
    ("endpoint", ENDPOINT, ("name",), "other"),
    ("secret scope", "databricks_secret_scope", ("name",), "other"),
    ("champion", ENDPOINT, ("config", 0, "served_entities", 0, "name"), "best"),
    ("data variable", CLUSTER, ("spark_env_vars",), {"DATA": "/Volumes/main/wine_quality/files/data"}),
    ("package", JOB, ("task", 3, "python_wheel_task", 0, "package_name"), "gauntlet"),
    ("entry point", JOB, ("task", 3, "python_wheel_task", 0, "entry_point"), "gauntlet-stages"),
    ("package", JOB, ("task", 3, "library", 0, "whl"), f"{WHEELS}/gauntlet-0.1.0-py3-none-any.whl"),
    ("version", JOB, ("task", 3, "library", 0, "whl"), f"{WHEELS}/gauntlet_mlops-0.0.9-py3-none-any.whl"),
    ("libraries", JOB, ("task", 3, "library", 1, "pypi", 0, "package"), "click==8.0.0"),
    ("libraries", JOB, ("task", 3, "library"), []),
    ("libraries", CLUSTER, ("library", 0, "pypi", 0, "package"), "click==8.0.0"),
    ("stages", JOB, ("task", 9, "python_wheel_task", 0, "parameters", 0), "select"),
    ("stages", JOB, ("task", 10, "depends_on", 0, "task_key"), "s09_package"),
    ("options", JOB, ("task", 3, "python_wheel_task", 0, "parameters", -1), "--no-generated"),
    ("options", JOB, ("parameter", 0, "name"), "state_folder"),
    ("target", JOB, ("task", 3, "python_wheel_task", 0, "parameters", 2), "local"),
)
# What is renamed in the problem file, by dotted key.
RENAMED_IN_PROBLEM = (
    ("catalog", "names.databricks.catalog", "other"),
    ("schema", "names.databricks.schema", "other"),
    ("volume", "names.databricks.volume", "other"),
    ("model", "names.databricks.model", "other"),
    ("experiment", "names.databricks.experiment", "/Shared/gauntlet/other"),
    ("endpoint", "names.databricks.endpoint", "other"),
    ("secret scope", "names.databricks.secret_scope", "other"),
    ("data variable", "origins", [{"kind": "folder", "variable": "DATA"}]),
)
# What changes elsewhere in the code.
CHANGED_IN_CODE = (
    ("champion", {"champion": "best"}),
    ("package", {"package": "gauntlet"}),
    ("entry point", {"entry_points": frozenset({"gauntlet"})}),
    ("version", {"version": "0.0.9"}),
    ("libraries", {"pins": frozenset({"click==8.0.0"})}),
    ("stages", {"stages": ("ingest", "report")}),
    ("options", {"command": click.Command("stage", params=[click.Argument(["name"])])}),
    ("target", {"target": "remote"}),
)


@pytest.fixture(scope="module")
def code():
    return read_code()


@pytest.fixture
def document(example_plan):
    return example_plan(EXAMPLE)


@pytest.fixture
def plan(document):
    return plan_of(document, file="plan.json")


def complaints(code, plan):
    said = {agreement.name: agreement.complaint(code, plan) for agreement in AGREEMENTS}
    return {name: sentence for name, sentence in said.items() if sentence}


def renamed(document, type_name, path, value):
    """Return a copy of a plan with one value of its first resource of a type replaced."""
    document = copy.deepcopy(document)
    change = next(change for change in document["resource_changes"] if change["type"] == type_name)
    change["change"]["after_unknown"].pop(path[0], None)
    place = change["change"]["after"]
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = value
    return plan_of(document, file="plan.json"), change["address"]


@pytest.mark.parametrize("agreement", AGREEMENTS, ids=NAMES)
def test_code_and_plan_agree(agreement, code, plan):
    complaint = agreement.complaint(code, plan)
    assert not complaint, complaint


@pytest.mark.parametrize("compute", ["job_cluster", "serverless"])
def test_they_agree_on_every_compute_of_the_job(compute, code, providers, tmp_path):
    terraform = Terraform(
        copied_modules(tmp_path / "infra_modules") / "examples" / EXAMPLE, environment=providers.plan_environment
    )
    terraform.init()
    document = terraform.plan(variables=example_variables(EXAMPLE) | {"job_compute": compute})
    assert complaints(code, plan_of(document, file="plan.json")) == {}


@pytest.mark.parametrize(
    ("name", "place"),
    [(name, place) for name, *place in RENAMED_IN_PLAN],
    ids=[f"{name}: {type_name}.{path[0]}" for name, type_name, path, _ in RENAMED_IN_PLAN],
)
def test_renaming_in_the_plan_breaks_one_agreement(name, place, code, document):
    plan, address = renamed(document, *place)
    broken = complaints(code, plan)
    assert list(broken) == [name]
    assert AGREEMENTS[NAMES.index(name)].place in broken[name]
    assert address in broken[name]


@pytest.mark.parametrize(("name", "key", "value"), RENAMED_IN_PROBLEM, ids=[name for name, _, _ in RENAMED_IN_PROBLEM])
def test_renaming_in_the_problem_file_breaks_one_agreement(name, key, value, plan):
    broken = complaints(read_code({key: value}), plan)
    assert list(broken) == [name]
    assert key.rpartition(".")[0] in broken[name]


@pytest.mark.parametrize(("name", "change"), CHANGED_IN_CODE, ids=[name for name, _ in CHANGED_IN_CODE])
def test_changing_the_code_breaks_one_agreement(name, change, code, plan):
    assert list(complaints(replace(code, **change), plan)) == [name]


@pytest.mark.parametrize("agreement", AGREEMENTS, ids=NAMES)
def test_a_plan_without_the_thing_does_not_agree(agreement, code, plan):
    assert "the plan has none" in agreement.complaint(code, replace(plan, resources=()))


def test_every_agreement_is_broken_from_both_sides():
    assert {name for name, *_ in RENAMED_IN_PLAN} == set(NAMES)
    assert sorted(name for name, *_ in (*RENAMED_IN_PROBLEM, *CHANGED_IN_CODE)) == sorted(NAMES)


def test_the_pins_cover_all_that_the_wheel_needs(code):
    assert {"mlflow", "great-expectations", "xgboost-cpu"} <= {pin.partition("==")[0] for pin in code.pins}
    assert not {"pyspark", "xgboost", "pytest"} & {pin.partition("==")[0] for pin in code.pins}
