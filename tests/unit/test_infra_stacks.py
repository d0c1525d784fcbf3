"""An environment's stacks on disk, the plans that are kept of them, and what a plan would do to them."""

import json
import re

import pytest

from gauntlet.adapters.infra_stacks import Stacks, packaged_modules
from gauntlet.adapters.saved_plan import SavedPlan
from gauntlet.core.errors import InputError, RefusedError
from gauntlet.core.infra_config import STACKS
from gauntlet.core.infra_inputs import stack_inputs
from gauntlet.core.kept_data import divided
from gauntlet.core.plan_summary import summarised
from gauntlet.core.problem_file import load_problem
from gauntlet.core.state import State
from gauntlet.core.terraform_plan import plan_of
from tests.infra_trial import LOCAL_STATE, write_config

pytestmark = pytest.mark.unit

_SOURCE = re.compile(r'\bsource\s*=\s*"(\.[^"]+)"')


@pytest.fixture
def stacks(tmp_path):
    return Stacks(tmp_path, write_config(tmp_path, LOCAL_STATE))


@pytest.fixture
def inputs(stacks):
    return stack_inputs(stacks.config, load_problem().names["databricks"])


@pytest.fixture
def written(stacks, inputs):
    stacks.write(inputs)
    return stacks


def test_the_copied_stacks_find_their_modules_and_no_test_or_state_is_copied(written):
    for name in STACKS:
        folder = written.folder(name)
        sources = [found for path in folder.glob("*.tf") for found in _SOURCE.findall(path.read_text())]
        assert sources
        for source in sources:
            assert (folder / source / "main.tf").is_file(), source
            assert (folder / source).resolve().parent == written.root / "modules"
    copied = {path.name for path in (written.root / "modules").iterdir() if path.is_dir()}
    assert copied == {path.name for path in packaged_modules().iterdir() if path.is_dir()} - {"examples"}
    assert not [
        path for path in written.root.rglob("*") if path.name in ("tests", ".terraform") or "tfstate" in path.name
    ]


def test_each_value_that_the_configuration_stands_for_is_a_variable_of_the_example(inputs):
    for name in STACKS:
        text = (packaged_modules() / "examples" / "complete" / name / "variables.tf").read_text()
        declared = set(re.findall(r'^variable "(\w+)"', text, re.MULTILINE))
        assert inputs[name].keys() <= declared


def test_a_stack_that_is_there_is_never_replaced(written, inputs):
    main = written.folder("infra") / "main.tf"
    main.write_text("# mine\n")
    assert written.write(inputs) == ()
    assert main.read_text() == "# mine\n"


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda folder: (folder / "terraform.auto.tfvars.json").write_text("{}"), "tfvars.json: is not what"),
        (lambda folder: (folder / "backend_override.tf").unlink(), "backend_override.tf: is not what"),
        (
            lambda folder: (folder / "backend.conf").write_text(
                "# Written by `gauntlet infra init` from infra.toml; edit that.\n"
            ),
            "backend.conf: is not what",
        ),
        (lambda folder: [path.unlink() for path in folder.glob("*.tf")], "no stack is there; run `gauntlet infra init"),
    ],
)
def test_a_stack_that_is_not_what_the_configuration_says_is_refused_by_file(written, inputs, spoil, message):
    written.require("infra", inputs)
    spoil(written.folder("infra"))
    with pytest.raises(InputError, match=message):
        written.require("infra", inputs)
    written.require("workspace", inputs)


def test_stack_workspace_is_given_the_outputs_that_it_has_a_variable_for(written):
    written.join({"workspace_url": "https://adb-1.1.azuredatabricks.net", "sku": "premium", "lock_enabled": True})
    joint = json.loads((written.folder("workspace") / "infra_outputs.auto.tfvars.json").read_text())
    assert joint == {"workspace_url": "https://adb-1.1.azuredatabricks.net", "sku": "premium"}


@pytest.mark.parametrize(
    ("path", "counts"),
    [
        ("stacks/infra/main.tf", True),
        ("stacks/infra/terraform.auto.tfvars.json", True),
        ("stacks/infra/notebooks/a.py", True),
        ("stacks/infra/.terraform.lock.hcl", True),
        ("modules/azure_base/main.tf", True),
        ("stacks/infra/terraform.tfstate", False),
        ("stacks/infra/terraform.tfstate.backup", False),
        ("stacks/infra/.terraform/providers/x", False),
        ("stacks/workspace/main.tf", False),
        ("modules/ml_cluster/main.tf", False),
    ],
)
def test_the_digest_of_a_stack_is_of_all_that_its_plan_is_made_from(written, path, counts):
    folder = written.folder("infra")
    (folder / ".terraform" / "modules").mkdir(parents=True)
    modules = [{"Key": "", "Dir": "."}, {"Key": "azure_base", "Dir": "../../modules/azure_base"}]
    (folder / ".terraform" / "modules" / "modules.json").write_text(json.dumps({"Modules": modules}))
    before = written.configuration_digest("infra")
    changed = written.root / path
    changed.parent.mkdir(parents=True, exist_ok=True)
    with changed.open("a") as stream:
        stream.write("\n")
    assert (written.configuration_digest("infra") != before) is counts


@pytest.fixture
def saved(tmp_path):
    plan = SavedPlan(State(tmp_path / "state"), "dev", "infra")
    plan.folder.mkdir(parents=True)
    plan.file.write_bytes(b"a plan")
    plan.keep({"a": 1}, changes=True, configuration="c1", terraform="1.11.4")
    return plan


def test_a_kept_plan_is_given_back_and_only_its_owner_can_read_it(saved, tmp_path):
    note = saved.require(configuration="c1", folder=tmp_path)
    assert (note.stack, note.environment, note.changes, note.terraform) == ("infra", "dev", True, "1.11.4")
    assert json.loads(saved.document.read_text()) == {"a": 1}
    assert saved.document.stat().st_mode & 0o77 == 0
    saved.discard()
    assert list(saved.folder.iterdir()) == []


@pytest.mark.parametrize(
    ("spoil", "error", "message"),
    [
        (lambda saved: saved.file.write_bytes(b"another"), RefusedError, "is not the plan that was shown"),
        (lambda saved: saved.file.unlink(), InputError, "no plan was made of this stack"),
        (lambda saved: (saved.folder / "note.json").write_text("{}"), InputError, "no plan was made"),
        (lambda saved: saved.discard(), InputError, "no plan was made"),
    ],
)
def test_a_plan_that_is_not_the_one_that_was_shown_is_refused(saved, tmp_path, spoil, error, message):
    spoil(saved)
    with pytest.raises(error, match=message):
        saved.require(configuration="c1", folder=tmp_path)


def test_a_plan_of_other_files_than_there_are_now_is_stale(saved, tmp_path):
    with pytest.raises(RefusedError, match="the plan is stale: the stack's files changed since it was made"):
        saved.require(configuration="c2", folder=tmp_path)


def _document(*changes, state=()):
    entries = [
        {"address": address, "mode": "managed", "type": address.split(".")[-2], "change": {"actions": actions, **rest}}
        for address, actions, rest in changes
    ]
    resources = [{"address": address, "depends_on": below} for address, below in state]
    module = {"child_modules": [{"resources": resources}]}
    return {
        "format_version": "1.2",
        "complete": True,
        "resource_changes": entries,
        "prior_state": {"values": {"root_module": module}},
    }


def test_a_summary_says_what_is_done_and_why_something_is_replaced():
    document = _document(
        ("a.made", ["create"], {"after": {}}),
        ("a.changed", ["update"], {"after": {}}),
        ("a.replaced", ["delete", "create"], {"after": {}, "replace_paths": [["location"], ["network", 0, "name"]]}),
        ("a.replaced_first", ["create", "delete"], {"after": {}}),
        ("a.gone", ["delete"], {}),
        ("a.let_go", ["forget"], {}),
        ("a.same", ["no-op"], {"after": {}}),
    )
    steps = summarised(plan_of(document, file="plan.json")).steps
    assert [(step.verb, step.address, step.note) for step in steps] == [
        ("make", "a.made", ""),
        ("change", "a.changed", ""),
        ("replace", "a.replaced", "forced by location, network[0].name"),
        ("replace", "a.replaced_first", ""),
        ("destroy", "a.gone", ""),
        ("forget", "a.let_go", ""),
    ]


def test_a_summary_says_what_each_cluster_takes_of_the_quota():
    node = {"node_type_id": "Standard_DS3_v2"}
    job = {"job_cluster": [{"job_cluster_key": "j", "new_cluster": [node | {"num_workers": 2}]}]}
    document = _document(
        ("m.databricks_cluster.one", ["create"], {"after": node | {"is_single_node": True}}),
        ("m.databricks_cluster.odd", ["create"], {"after": {"node_type_id": "Standard_Z9"}}),
        ("m.databricks_job.one", ["create"], {"after": job}),
    )
    clusters = summarised(plan_of(document, file="plan.json")).clusters
    assert [(need.place, need.vcpus) for need in clusters] == [
        ("m.databricks_cluster.one", 4),
        ("m.databricks_cluster.odd", None),
        ("m.databricks_job.one: job_cluster[0].new_cluster[0]", 12),
    ]
    assert "Standard_Z9" in clusters[1].note


def test_what_holds_data_and_what_it_lies_on_is_told_from_the_rest():
    going = [
        "m.databricks_schema.this",
        "m.databricks_volume.this[0]",
        "m.databricks_directory.d[0]",
        "m.databricks_job.j",
    ]
    state = [
        ("m.databricks_volume.this[0]", ["m.databricks_schema.this", "m.databricks_directory.d"]),
        ("m.databricks_job.j", ["m.databricks_cluster.c"]),
    ]
    document = _document(
        *((address, ["delete"], {}) for address in (*going, "m.databricks_cluster.c")),
        ("m.databricks_catalog.kept", ["no-op"], {"after": {}}),
        state=state,
    )
    division = divided(plan_of(document, file="plan.json"), document)
    assert division.data == ("m.databricks_schema.this", "m.databricks_volume.this[0]")
    assert division.base == ("m.databricks_directory.d[0]",)
    assert division.rest == ("m.databricks_job.j", "m.databricks_cluster.c")
