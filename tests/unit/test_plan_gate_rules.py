"""The gates on plans, case by case: what each takes for sound, what for broken, and what the rules change in it."""

import pytest

from gauntlet.core.verdict import Status
from gauntlet.gates.plan import GATES, not_judged
from gauntlet.gates.plan_edits import change_of
from tests.made_plan import (
    ACCOUNT,
    CLUSTER,
    INFRA,
    JOB,
    NEW_SPELLING,
    OLD_SPELLING,
    WORKSPACE,
    changed,
    environment_of,
    made_plan,
    made_plans,
    resource,
)

pytestmark = pytest.mark.unit

BY_NAME = {gate.name.removeprefix("plan::"): gate for gate in GATES}


def _asked(gate, documents, **rules):
    return BY_NAME[gate](environment_of(documents, **rules))


@pytest.mark.parametrize(
    ("spelling", "status"),
    [
        (OLD_SPELLING, Status.PASS),
        (NEW_SPELLING, Status.PASS),
        (OLD_SPELLING | NEW_SPELLING, Status.FAIL),
        (OLD_SPELLING | {"kind": "CLASSIC_PREVIEW"}, Status.FAIL),
        ({"num_workers": 0}, Status.FAIL),
        ({"num_workers": 2}, Status.PASS),
        ({"autoscale": [{"min_workers": 1, "max_workers": 2}]}, Status.PASS),
        (OLD_SPELLING | {"autoscale": [{"min_workers": 1, "max_workers": 2}]}, Status.FAIL),
        (NEW_SPELLING | {"spark_conf": {"spark.master": "local[*]"}}, Status.FAIL),
        ({"kind": "CLASSIC_PREVIEW", "use_ml_runtime": True, "num_workers": 2}, Status.PASS),
        ({"use_ml_runtime": True, "num_workers": 2}, Status.FAIL),
        # As a plan has it once it was applied: what is not set is "" or false.
        (OLD_SPELLING | {"kind": "", "is_single_node": False, "use_ml_runtime": False, "autoscale": []}, Status.PASS),
    ],
)
def test_a_single_node_has_one_spelling(spelling, status):
    document = made_plan(resource(CLUSTER, spelling))
    assert _asked("single_node_in_one_spelling", {"p": document}).status is status


@pytest.mark.parametrize(
    ("library", "status"),
    [
        ({"pypi": [{"package": "mlflow==3.17.0"}]}, Status.PASS),
        ({"pypi": [{"package": "mlflow[extras] == 3.17.0 ; python_version < '4'"}]}, Status.PASS),
        ({"pypi": [{"package": "mlflow"}]}, Status.FAIL),
        ({"pypi": [{"package": "mlflow>=3"}]}, Status.FAIL),
        ({"pypi": [{"package": "mlflow==3.*"}]}, Status.FAIL),
        ({"pypi": [{"package": "mlflow~=3.1"}]}, Status.FAIL),
        ({"pypi": [{"package": "git+https://example.org/x.git@" + "a" * 40}]}, Status.PASS),
        ({"pypi": [{"package": "git+https://example.org/x.git@main"}]}, Status.FAIL),
        ({"maven": [{"coordinates": "io.delta:delta-spark_2.13:4.4.0"}]}, Status.PASS),
        ({"maven": [{"coordinates": "io.delta:delta-spark_2.13"}]}, Status.FAIL),
        ({"maven": [{"coordinates": "io.delta:delta-spark_2.13:LATEST"}]}, Status.FAIL),
        ({"cran": [{"package": "forecast"}]}, Status.FAIL),
        ({"whl": "/Volumes/a/b/c/gauntlet_mlops-0.1.0-py3-none-any.whl"}, Status.PASS),
        ({"whl": "/Volumes/a/b/c/latest.whl"}, Status.FAIL),
        ({"jar": "/Volumes/a/b/c/tool-1.2.jar"}, Status.PASS),
    ],
)
def test_a_library_is_pinned_to_one_version(library, status):
    document = made_plan(resource("databricks_library", library))
    assert _asked("libraries_pinned", {"p": document}).status is status


@pytest.mark.parametrize(
    ("document", "status"),
    [
        (resource(CLUSTER, {"library": [{"pypi": [{"package": "x"}]}]}), Status.FAIL),
        (resource("databricks_cluster_policy", {"libraries": [{"pypi": [{"package": "x"}]}]}), Status.FAIL),
        (resource(JOB, {"environment": [{"spec": [{"dependencies": ["x==1", "y"]}]}]}), Status.FAIL),
        (
            resource(JOB, {"environment": [{"spec": [{"dependencies": ["x==1", "y-2.0-py3-none-any.whl"]}]}]}),
            Status.PASS,
        ),
        (resource(JOB, {"library": [{"pypi": [{"package": "x==1"}]}]}), Status.PASS),
    ],
)
def test_libraries_are_looked_for_wherever_they_stand(document, status):
    assert _asked("libraries_pinned", {"p": made_plan(document)}).status is status


def test_rules_change_bounds():
    eight = changed(CLUSTER, "node_type_id", to="Standard_DS4_v2")
    assert _asked("clusters_fit_vcpu_quota", eight, vcpu_quota=8).status is Status.PASS
    assert _asked("clusters_fit_vcpu_quota", made_plans(), quota_counts="together").status is Status.FAIL
    assert _asked("clusters_fit_vcpu_quota", made_plans(), quota_counts="together", vcpu_quota=8).status is Status.PASS
    assert _asked("clusters_fit_vcpu_quota", changed(CLUSTER, "node_type_id", to="X"), vcpus={"X": 2}).measured == 4
    slow = changed(CLUSTER, "autotermination_minutes", to=300)
    assert _asked("clusters_stop_by_themselves", slow, maximum_idle_minutes=300).status is Status.PASS
    loose = changed(JOB, "task", 0, "library", to=[{"requirements": "/r.txt", "pypi": [{"package": "x"}]}])
    assert _asked("libraries_pinned", loose, unpinned=["x", "/r.txt"]).status is Status.PASS
    plain = changed(CLUSTER, "data_security_mode", to="NONE")
    assert _asked("access_mode_suits_work", plain, unity_catalog=False).status is Status.PASS


def test_the_quota_is_what_the_plans_own_variable_says():
    documents = changed(CLUSTER, "node_type_id", to="Standard_DS4_v2")
    documents[WORKSPACE]["variables"]["vcpu_quota"] = {"value": 8}
    verdict = _asked("clusters_fit_vcpu_quota", documents)
    assert (verdict.status, verdict.measured, verdict.bound) == (Status.PASS, 8.0, 8.0)
    assert "all together would take 12" in verdict.sentence
    documents[WORKSPACE]["variables"] = {}
    assert _asked("clusters_fit_vcpu_quota", documents).bound == 4.0


@pytest.mark.parametrize(
    ("preset", "rule", "asked"),
    [
        ("hardened", None, True),
        ("dev", None, False),
        (None, None, False),
        ("dev", True, True),
        ("hardened", False, False),
    ],
)
def test_storage_must_be_closed_where_the_preset_or_the_rules_say_so(preset, rule, asked):
    documents = made_plans()
    documents[INFRA]["variables"]["preset"] = {"value": preset}
    environment = environment_of(documents, closed_storage=rule)
    assert BY_NAME["storage_network_closed"].concerns(environment) is asked
    assert any("must be closed" in sentence for sentence in not_judged(environment)) is not asked


@pytest.mark.parametrize(("action", "status"), [("Deny", Status.PASS), ("Allow", Status.FAIL)])
def test_network_rules_of_their_own_count_for_the_account_of_their_module(action, status):
    documents = changed(ACCOUNT, "network_rules", to=[])
    rules = resource("azurerm_storage_account_network_rules", {"default_action": action})
    rules["change"]["after_unknown"]["storage_account_id"] = True
    documents[INFRA]["resource_changes"].append(rules)
    assert _asked("storage_network_closed", documents).status is status
    rules["address"] = "module.other.azurerm_storage_account_network_rules.this"
    assert _asked("storage_network_closed", documents).status is Status.FAIL


@pytest.mark.parametrize(("public", "status"), [(False, Status.PASS), (True, Status.FAIL), (None, Status.FAIL)])
def test_an_account_without_public_access_is_closed(public, status):
    documents = changed(ACCOUNT, "network_rules", to=[])
    change_of(documents[INFRA], ACCOUNT)["after"]["public_network_access_enabled"] = public
    assert _asked("storage_network_closed", documents).status is status


def _lost(kind, **change):
    before = {"name": "x"}
    after = None if change["actions"] == ["delete"] else before
    return {"p": made_plan(resource(kind, {}, **{"before": before, "after": after, "after_unknown": {}, **change}))}


@pytest.mark.parametrize(
    ("kind", "change", "said"),
    [
        (
            ACCOUNT,
            {"actions": ["delete", "create"], "replace_paths": [["is_hns_enabled"]]},
            "because of is_hns_enabled",
        ),
        (
            "databricks_catalog",
            {"actions": ["create", "delete"], "replace_paths": [["a"], ["b", 0]]},
            "because of a, b[0]",
        ),
        ("databricks_volume", {"actions": ["create", "forget"]}, "the reason: not given"),
        ("databricks_mlflow_experiment", {"actions": ["delete"]}, "would be destroyed"),
        ("databricks_registered_model", {"actions": ["delete"]}, "would be destroyed"),
        ("azurerm_resource_group", {"actions": ["delete"]}, "would be destroyed"),
        ("azurerm_management_lock", {"actions": ["delete"]}, "would be destroyed"),
    ],
)
def test_nothing_that_holds_data_goes_away(kind, change, said):
    verdict = _asked("protected_resources_stay", _lost(kind, **change))
    assert verdict.status is Status.FAIL
    assert f"{kind}.this would be " in verdict.sentence
    assert said in verdict.sentence
    assert _asked("protected_resources_stay", _lost(kind, **change), replaceable=[f"{kind}.this"]).status is Status.PASS
    others = environment_of(_lost(kind, **change), protected=["databricks_token"])
    assert not BY_NAME["protected_resources_stay"].concerns(others)


def test_terraforms_own_reason_and_what_an_interrupted_replacement_left_are_told():
    documents = _lost(ACCOUNT, actions=["delete"])
    documents["p"]["resource_changes"][0] |= {"action_reason": "delete_because_no_resource_config", "deposed": "1a2b"}
    verdict = _asked("protected_resources_stay", documents)
    assert "(what an interrupted replacement left), the reason: delete_because_no_resource_config" in verdict.sentence


@pytest.mark.parametrize("actions", [["no-op"], ["update"], ["create"], ["forget"]])
def test_what_stays_passes(actions):
    assert _asked("protected_resources_stay", _lost(ACCOUNT, actions=actions)).status is Status.PASS


SECRETS = {
    "a token by its form": {"note": "see dapi" + "0" * 32},
    "a key by its form": {"note": "x;AccountKey=" + "A" * 60},
    "a signature": {"url": "https://x/?sv=1&sig=" + "a" * 30},
    "a private key": {"content": "-----BEGIN RSA PRIVATE KEY-----"},
    "a web token": {"x": "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.c2lnbmF0dXJlLWhlcmU"},
    "a password in an address": {"url": "postgres://me:hush@db"},
    "a password by its name": {"admin_password": "hush"},
    "an environment variable": {"spark_env_vars": {"API_TOKEN": "hush"}},
    "a setting of Spark": {"spark_conf": {"fs.azure.account.key.x.dfs.core.windows.net": "hush"}},
    "a nested value": {"block": [{"client_secret": "hush"}]},
}
NO_SECRETS = {
    "a reference": {"spark_env_vars": {"API_TOKEN": "{{secrets/gauntlet/token}}"}},
    "a name": {"secret_scope": "gauntlet", "key_vault_key_id": "x", "task_key": "x", "idempotency_token": "x"},
    "nothing": {"password": "", "token": None},
    "a number": {"token": 3},
}


@pytest.mark.parametrize("values", SECRETS.values(), ids=SECRETS)
def test_a_secret_in_the_clear_is_told_without_showing_it(values):
    verdict = _asked("no_secret_in_the_clear", {"p": made_plan(resource("some_thing", values))})
    assert verdict.status is Status.FAIL
    assert "some_thing.this: " in verdict.sentence
    assert not any(word in verdict.sentence for word in ("hush", "dapi0", "AAAA", "eyJ"))
    marked = resource("some_thing", values, after_sensitive=dict.fromkeys(values, True))
    assert _asked("no_secret_in_the_clear", {"p": made_plan(marked)}).status is Status.PASS


@pytest.mark.parametrize("values", NO_SECRETS.values(), ids=NO_SECRETS)
def test_what_is_no_secret_passes(values):
    assert _asked("no_secret_in_the_clear", {"p": made_plan(resource("some_thing", values))}).status is Status.PASS


@pytest.mark.parametrize("marked", [True, False])
def test_outputs_and_variables_must_be_marked_too(marked):
    declared = {"root_module": {"variables": {"admin_password": {"sensitive": marked}}}}
    document = made_plan(
        resource("some_thing", {}),
        output_changes={"api_key": {"actions": ["create"], "after": "hush", "after_sensitive": marked}},
        variables={"admin_password": {"value": "hush"}},
        configuration=declared,
    )
    verdict = _asked("no_secret_in_the_clear", {"p": document})
    assert verdict.status is (Status.PASS if marked else Status.FAIL)
    if not marked:
        assert {name for _, name in verdict.places} == {"output.api_key", "var.admin_password"}
        allowed = ["output.api_key", "var.admin_password"]
        assert _asked("no_secret_in_the_clear", {"p": document}, plain_values=allowed).status is Status.PASS
