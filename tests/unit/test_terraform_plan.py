"""Plans of Terraform as typed data: what is there, what is not known yet, what is marked, and what is no plan."""

import json

import pytest

from gauntlet.core.errors import DataError, InputError
from gauntlet.core.planned_clusters import clusters_of, tasks_of, vcpus_needed
from gauntlet.core.planned_values import UNKNOWN, PlannedBlock, UndeterminedError, is_marked, leaves, merged, path_text
from gauntlet.core.terraform_plan import parsed, plan_of, plans_of_tests, read_plan
from gauntlet.core.vm_sizes import vcpus_of
from tests.made_plan import CLUSTER, made_infra, made_plan, made_workspace, resource

pytestmark = pytest.mark.unit


def _block(**values):
    return PlannedBlock("some.thing", values)


def _written(tmp_path, content):
    path = tmp_path / "plan.json"
    path.write_bytes(content if isinstance(content, bytes) else json.dumps(content).encode())
    return path


def test_a_plan_has_its_resources_outputs_and_variables(tmp_path):
    plan = read_plan(_written(tmp_path, made_infra()))
    assert [change.type for change in plan.planned()][:2] == ["azurerm_resource_group", "azurerm_storage_account"]
    (account,) = plan.planned("azurerm_storage_account")
    assert account.address == "azurerm_storage_account.this"
    assert account.actions == ("create",)
    assert account.after["id"] is UNKNOWN
    assert account.block.text("name") == "winedata"
    assert [(output.name, output.value) for output in plan.outputs] == [("account", "winedata")]
    assert plan.variables == {"preset": "hardened", "sku": "premium"}
    assert plan.not_checked == ()


def test_data_sources_are_left_out_and_what_goes_away_is_not_planned():
    data = resource("databricks_node_type", {}) | {"mode": "data"}
    gone = resource("databricks_schema", {}, actions=["delete"], before={"name": "x"}, after=None, after_unknown={})
    plan = plan_of(made_plan(data, gone), file="p")
    assert [change.type for change in plan.resources] == ["databricks_schema"]
    assert plan.planned() == ()
    assert plan.resources[0].is_destroyed
    assert not plan.resources[0].is_replaced


@pytest.mark.parametrize(
    ("actions", "replaced", "destroyed"),
    [
        (["no-op"], False, False),
        (["update"], False, False),
        (["delete", "create"], True, True),
        (["create", "delete"], True, True),
        (["create", "forget"], True, False),
        (["forget"], False, False),
    ],
)
def test_a_replacement_is_one_in_either_order(actions, replaced, destroyed):
    entry = resource("databricks_volume", {"name": "x"}, actions=actions, replace_paths=[["storage", 0, "name"]])
    (change,) = plan_of(made_plan(entry), file="p").resources
    assert (change.is_replaced, change.is_destroyed) == (replaced, destroyed)
    assert path_text(change.replace_paths[0]) == "storage[0].name"


def test_the_plans_of_test_runs_are_read_by_file_and_run():
    document = {"plan_format_version": "1.2", "resource_changes": [resource(CLUSTER, {"num_workers": 0})]}
    messages = [
        {"type": "version", "terraform": "1.11.4"},
        {"type": "test_plan", "@testfile": "tests/a.tftest.hcl", "@testrun": "it_stops", "test_plan": document},
        {"type": "test_summary"},
    ]
    text = "\n".join(["Warning: a line of the program", *map(json.dumps, messages)])
    plans = plans_of_tests(text)
    assert list(plans) == ["tests/a.tftest.hcl::it_stops"]
    (plan,) = plans.values()
    assert [change.type for change in plan.resources] == [CLUSTER]
    assert plan.not_checked == ()


def test_a_plan_that_does_not_say_whether_it_is_complete_is_read_and_that_is_told():
    document = made_infra()
    del document["complete"]
    assert "complete" in plan_of(document, file="old.json").not_checked[0]


NO_PLANS = {
    "a state": ({"format_version": "1.0", "values": {"root_module": {}}}, "a state, not a plan"),
    "other JSON": ({"name": "x"}, "JSON, but no plan"),
    "a list": ([1], "JSON, but no plan"),
    "a number": (3, "JSON, but no plan"),
    "an errored plan": (made_plan(errored=True), "could not finish this plan"),
    "an incomplete plan": (made_plan(complete=False), "incomplete"),
    "another format": (made_plan(format_version="2.0"), "format 2.0"),
    "an unknown action": (made_plan(resource(CLUSTER, {}, actions=["explode"])), "resource_changes.0.change.actions.0"),
    "values of no object": (made_plan(resource(CLUSTER, {}, after="x")), "values that are no object"),
    "a change without actions": (
        {
            "format_version": "1.2",
            "resource_changes": [{"address": "a.b", "mode": "managed", "type": "a", "change": {}}],
        },
        "resource_changes.0.change.actions: field required",
    ),
    "the binary form": (b"PK\x03\x04....", "as Terraform keeps it, not JSON"),
    "messages": (b'{"@level":"info"}\n{"@level":"info"}\n', "messages of a command with -json"),
    "half a file": (b'{"format_version": "1.2", "resource_ch', "cut off or not JSON"),
    "nothing": (b"", "cut off or not JSON"),
    "no text": (b"\xff\x00\x80", "not text at byte"),
    "no number": (b'{"format_version": "1.2", "resource_changes": NaN}', "NaN is no number"),
    "a pit": (b"[" * 200_000, "nested too deeply"),
}


@pytest.mark.parametrize(("content", "said"), NO_PLANS.values(), ids=NO_PLANS)
def test_what_is_no_plan_is_one_sentence_that_says_what_it_is(tmp_path, content, said):
    with pytest.raises(InputError) as caught:
        read_plan(_written(tmp_path, content))
    assert said in str(caught.value)
    assert str(tmp_path / "plan.json") in str(caught.value)


def test_a_file_that_is_not_there_is_a_sentence_that_says_how_to_make_one(tmp_path):
    with pytest.raises(InputError, match=r"cannot be read .*terraform show -json"):
        read_plan(tmp_path / "none.json")


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_the_encodings_of_shells_are_read(encoding):
    assert parsed(json.dumps(made_infra()).encode(encoding), file="p")["format_version"] == "1.2"


def test_what_is_known_only_after_apply_stands_in_the_tree():
    values = {"name": "x", "rules": [{"action": "Deny"}, {}], "tags": None, "list": ["a", None]}
    unknown = {"id": True, "rules": [{"ips": True}, {"action": True}], "tags": {}, "list": [False, True], "block": True}
    assert merged(values, unknown) == {
        "name": "x",
        "id": UNKNOWN,
        "rules": [{"action": "Deny", "ips": UNKNOWN}, {"action": UNKNOWN}],
        "tags": None,
        "list": ["a", UNKNOWN],
        "block": UNKNOWN,
    }
    assert merged(None, False) is None


def test_a_mark_holds_for_all_below_it():
    marks = {"a": True, "b": [False, {"c": True}], "d": {}}
    marked = [("a",), ("a", "x", 0), ("b", 1, "c")]
    unmarked = [("b",), ("b", 0), ("b", 5), ("d", "x"), ("e",)]
    assert [is_marked(marks, path) for path in (*marked, *unmarked)] == [True] * 3 + [False] * 5
    assert is_marked(True, ("anything", 3))
    assert not is_marked(False, ("anything",))


def test_leaves_are_all_single_values_with_their_paths():
    found = {path_text(path): value for path, value in leaves({"a": [{"b": 1}, 2], "c": UNKNOWN, "d": {}})}
    assert found == {"a[0].b": 1, "a[1]": 2, "c": UNKNOWN}


def test_a_value_that_is_needed_and_unknown_is_named():
    block = PlannedBlock("module.job.databricks_job.this", {"task": [{"key": UNKNOWN}]})
    with pytest.raises(UndeterminedError, match=r"module.job.databricks_job.this: task\[0\].key is known only after"):
        block.blocks("task")[0].text("key")


@pytest.mark.parametrize("empty", [None, "", [], {}])
def test_what_is_not_set_is_none_however_terraform_writes_it(empty):
    block = _block(a=empty)
    assert not block.is_set("a")
    assert (block.text("a"), block.number("a"), block.flag("a")) == (None, None, None)
    assert (block.blocks("a"), block.items("a"), block.entries("a")) == ((), [], {})


def test_zero_and_false_are_values():
    assert _block(a=0).number("a") == 0
    assert _block(a=False).flag("a") is False


@pytest.mark.parametrize(
    ("asked", "value"),
    [
        ("text", 1),
        ("flag", "true"),
        ("number", "1"),
        ("number", True),
        ("entries", [1]),
        ("items", "x"),
        ("blocks", [1]),
    ],
)
def test_a_value_of_another_type_is_told_without_showing_it(asked, value):
    with pytest.raises(DataError, match=r"some\.thing: a.* is no "):
        getattr(_block(a=value), asked)("a")


@pytest.mark.parametrize("asked", ["blocks", "items", "entries"])
def test_blocks_that_are_known_only_after_apply_are_not_none(asked):
    with pytest.raises(UndeterminedError):
        getattr(_block(a=UNKNOWN), asked)("a")


def test_one_block_that_is_known_only_after_apply_is_named():
    with pytest.raises(UndeterminedError, match=r"some.thing: task\[1\]"):
        _block(task=[{}, UNKNOWN]).blocks("task")


def test_a_block_that_may_not_repeat_may_be_an_object():
    (block,) = _block(config={"a": 1}).blocks("config")
    assert block.label == "some.thing: config"


def test_clusters_are_those_of_jobs_and_of_repeated_tasks_too():
    document = made_workspace()
    (job,) = [entry for entry in document["resource_changes"] if entry["type"] == "databricks_job"]
    repeated = {"task_key": "inner", "new_cluster": [{"num_workers": 2}]}
    job["change"]["after"]["task"].append({"task_key": "outer", "for_each_task": [{"task": [repeated]}]})
    plan = plan_of(document, file="p")
    labels = [(cluster.block.label, cluster.runs_until_stopped) for cluster in clusters_of(plan)]
    assert labels == [
        ("databricks_cluster.this", True),
        ("databricks_job.this: job_cluster[0].new_cluster[0]", False),
        ("databricks_job.this: task[3].for_each_task[0].task[0].new_cluster[0]", False),
    ]
    (planned,) = plan.planned("databricks_job")
    assert [task.text("task_key") for task in tasks_of(planned.block)][-2:] == ["outer", "inner"]


@pytest.mark.parametrize(
    ("cluster", "vcpus"),
    [
        ({"node_type_id": "Standard_DS3_v2"}, 4),
        ({"node_type_id": "Standard_DS3_v2", "is_single_node": True, "num_workers": 7}, 4),
        ({"node_type_id": "Standard_DS3_v2", "driver_node_type_id": UNKNOWN, "num_workers": 1}, 8),
        ({"node_type_id": "Standard_DS3_v2", "driver_node_type_id": "Standard_DS4_v2", "num_workers": 2}, 16),
        ({"node_type_id": UNKNOWN, "driver_node_type_id": "Standard_DS4_v2", "num_workers": 0}, 8),
        ({"node_type_id": "Standard_DS3_v2", "autoscale": [{"min_workers": 1, "max_workers": 3}]}, 16),
        ({"node_type_id": "Standard_X1"}, 3),
    ],
)
def test_a_cluster_takes_its_driver_and_all_the_workers_that_it_may_have(cluster, vcpus):
    assert vcpus_needed(PlannedBlock("c", cluster), known={"Standard_X1": 3}) == vcpus


@pytest.mark.parametrize(
    ("cluster", "said"),
    [
        ({"node_type_id": UNKNOWN}, "node_type_id is known only after apply"),
        ({"node_type_id": None}, "node_type_id is not set"),
        ({"instance_pool_id": "p"}, "from a pool"),
        ({"instance_pool_id": UNKNOWN, "node_type_id": UNKNOWN}, "from a pool"),
        ({"node_type_id": "Standard_E8-4ds_v5"}, "whose vCPUs are not known here"),
        ({"node_type_id": "Standard_DS3_v2", "num_workers": UNKNOWN}, "num_workers is known only after apply"),
    ],
)
def test_a_cluster_whose_size_cannot_be_told_is_named(cluster, said):
    with pytest.raises(UndeterminedError, match=said):
        vcpus_needed(PlannedBlock("c", cluster))


@pytest.mark.parametrize(
    ("size", "vcpus"),
    [
        ("Standard_DS3_v2", 4),
        ("Standard_DS12_v2", 4),
        ("Standard_D3", 4),
        ("Standard_D15_v2", 20),
        ("Standard_D4ads_v5", 4),
        ("Standard_E20ds_v4", 20),
        ("Standard_F4s", 4),
        ("Standard_F72s_v2", 72),
        ("Standard_NC6s_v3", 6),
        ("Standard_NC24ads_A100_v4", 24),
        ("Standard_E8-4ds_v5", None),
        ("Standard_DS9_v2", None),
        ("m5.large", None),
        ("", None),
    ],
)
def test_sizes_have_their_vcpus_and_unknown_ones_none(size, vcpus):
    assert vcpus_of(size) == vcpus


def test_a_stated_size_goes_before_the_known_one():
    assert vcpus_of("Standard_DS3_v2", known={"Standard_DS3_v2": 5}) == 5
