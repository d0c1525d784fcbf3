"""The gates on plans: sound plans pass, each flaw is caught by its gate, and what cannot be told never passes."""

import math
from copy import deepcopy
from dataclasses import replace

import pytest

from gauntlet.core.errors import DataError
from gauntlet.core.verdict import Status, Verdict, broke, combined
from gauntlet.gates.plan import GATES, not_judged, plan_verdicts
from gauntlet.gates.plan_edits import change_of
from gauntlet.gates.plan_gate import plan_gate
from gauntlet.gates.plan_sabotage import plan_saboteur, sabotage_plans
from gauntlet.gates.plan_saboteurs import SABOTEURS
from tests.made_plan import (
    ACCOUNT,
    CLUSTER,
    ENDPOINT,
    INFRA,
    JOB,
    WORKSPACE,
    changed,
    environment_of,
    made_infra,
    made_plan,
    made_plans,
    made_workspace,
    resource,
)

pytestmark = pytest.mark.unit

BY_NAME = {gate.name.removeprefix("plan::"): gate for gate in GATES}
WHEEL = ("task", 0, "python_wheel_task", 0)
NEW_CLUSTER = ("job_cluster", 0, "new_cluster", 0)
ROUTES = ("config", 0, "traffic_config", 0, "routes")
ENTITY = ("config", 0, "served_entities", 0)
PROFILE = {"spark.databricks.cluster.profile": "singleNode"}


def _asked(gate, documents, **rules):
    return BY_NAME[gate](environment_of(documents, **rules))


def _unknown(kind, name):
    """Return both plans with one attribute of the first resource of a type known only after apply."""
    documents = made_plans()
    change = change_of(documents[INFRA if kind.startswith("azurerm_") else WORKSPACE], kind)
    change["after"].pop(name, None)
    change["after_unknown"][name] = True
    return documents


def test_sound_plans_pass_every_gate():
    environment = environment_of(made_plans())
    verdicts = plan_verdicts(environment)
    assert [verdict.gate for verdict in verdicts] == [gate.name for gate in GATES]
    assert [(v.gate, v.sentence) for v in verdicts if v.status is not Status.PASS] == []
    assert not_judged(environment) == ()
    assert all(math.isfinite(verdict.measured) and verdict.rows > 0 for verdict in verdicts)


@pytest.mark.parametrize("gate", GATES, ids=lambda gate: gate.name)
def test_a_gate_says_what_it_guards_what_to_do_and_which_bounds_it_has(gate):
    assert gate.name.startswith("plan::")
    assert gate.guards.startswith("Guard ")
    assert len(gate.remedy) > 20
    rules = environment_of({}).rules
    assert all(hasattr(rules, key) for key in gate.bounds)


def test_names_are_unique_and_the_gates_with_a_saboteur_are_all_gates():
    assert len({gate.name for gate in GATES}) == len(GATES)
    assert len({saboteur.name for saboteur in SABOTEURS}) == len(SABOTEURS)
    assert {saboteur.gate for saboteur in SABOTEURS} == {gate.name for gate in GATES}


@pytest.fixture(scope="module")
def outcomes():
    tried = sabotage_plans(made_plans(), GATES, SABOTEURS, against=environment_of({}))
    return {outcome.name: outcome for outcome in tried}


@pytest.mark.parametrize("saboteur", SABOTEURS, ids=lambda saboteur: saboteur.name)
def test_each_saboteur_is_caught_by_its_gate(outcomes, saboteur):
    outcome = outcomes[saboteur.name]
    assert outcome.caught, outcome.sentence
    assert outcome.gate == saboteur.gate


def test_a_saboteur_leaves_the_sound_plan_as_it_is():
    before = made_plans()
    documents = deepcopy(before)
    sabotage_plans(documents, GATES, SABOTEURS, against=environment_of({}))
    assert documents == before


def test_sabotage_needs_sound_plans_and_tells_what_it_could_not_break():
    broken = changed(CLUSTER, "autotermination_minutes", to=0)
    with pytest.raises(DataError, match=r"1 say no: workspace\.json: databricks_cluster\.this"):
        sabotage_plans(broken, GATES, SABOTEURS, against=environment_of({}))

    @plan_saboteur("plan::plan_has_resources")
    def nothing_found(document):
        """Break what is not there."""
        change_of(document, "azurerm_key_vault")

    (outcome,) = sabotage_plans(made_plans(), GATES, [nothing_found], against=environment_of({}))
    assert not outcome.caught
    assert "no azurerm_key_vault to break" in outcome.sentence


FLAWS = (
    ("no_public_blob_access", ACCOUNT, ("allow_nested_items_to_be_public",), None, "is not set, and true by default"),
    ("no_public_blob_access", "azurerm_storage_container", ("container_access_type",), "container", "is container"),
    ("encrypted_in_transit", ACCOUNT, ("https_traffic_only_enabled",), None, "answers without encryption"),
    ("encrypted_in_transit", ACCOUNT, ("min_tls_version",), None, "not set, not TLS1_2"),
    ("encrypted_in_transit", ACCOUNT, ("min_tls_version",), "TLS1_1", "is TLS1_1"),
    ("storage_network_closed", ACCOUNT, ("network_rules",), [], "it has no network_rules"),
    ("storage_network_closed", ACCOUNT, ("network_rules", 0, "default_action"), "Allow", "is Allow"),
    ("storage_network_closed", ACCOUNT, ("network_rules", 0, "ip_rules"), ["0.0.0.0/0"], "which is everybody"),
    (
        "workspace_tier_suffices",
        "azurerm_databricks_workspace",
        ("sku",),
        "standard",
        "and databricks_schema.this needs",
    ),
    ("workspace_tier_suffices", "azurerm_databricks_workspace", ("sku",), None, "is not set"),
    ("clusters_stop_by_themselves", CLUSTER, ("autotermination_minutes",), 0, "is 0, which means never"),
    ("clusters_stop_by_themselves", CLUSTER, ("autotermination_minutes",), None, "is not set"),
    ("clusters_stop_by_themselves", CLUSTER, ("autotermination_minutes",), 121, "must be 10 to 120"),
    ("clusters_stop_by_themselves", CLUSTER, ("autotermination_minutes",), 9, "must be 10 to 120"),
    ("clusters_fit_vcpu_quota", CLUSTER, ("node_type_id",), "Standard_DS4_v2", "takes 8 vCPUs (driver and 0 workers)"),
    (
        "clusters_fit_vcpu_quota",
        JOB,
        (*NEW_CLUSTER, "num_workers"),
        1,
        "(driver and 1 worker), more than the quota of 4",
    ),
    ("single_node_in_one_spelling", CLUSTER, ("spark_conf",), PROFILE, "mixes two spellings"),
    ("single_node_in_one_spelling", CLUSTER, ("custom_tags",), {"ResourceClass": "SingleNode"}, "mixes two spellings"),
    ("single_node_in_one_spelling", CLUSTER, ("kind",), None, "without kind"),
    ("single_node_in_one_spelling", CLUSTER, ("is_single_node",), False, "the workspace refuses it"),
    (
        "single_node_in_one_spelling",
        CLUSTER,
        ("num_workers",),
        1,
        "is a single node by is_single_node, and has workers",
    ),
    ("single_node_in_one_spelling", JOB, (*NEW_CLUSTER, "custom_tags"), {}, "half of the old spelling"),
    ("single_node_in_one_spelling", JOB, (*NEW_CLUSTER, "num_workers"), 2, "and has up to 2 workers"),
    ("access_mode_suits_work", CLUSTER, ("data_security_mode",), None, "cannot use Unity Catalog"),
    ("access_mode_suits_work", CLUSTER, ("data_security_mode",), "NONE", "cannot use Unity Catalog"),
    ("access_mode_suits_work", CLUSTER, ("data_security_mode",), "USER_ISOLATION", "needs a dedicated cluster"),
    ("libraries_pinned", JOB, ("task", 0, "library", 0, "whl"), "/Volumes/a/b/c/gauntlet_mlops.whl", "not pinned"),
    ("tasks_form_an_order", JOB, ("task", 1, "task_key"), "s0_ingest", "2 tasks are called s0_ingest"),
    ("tasks_form_an_order", JOB, ("task", 0, "depends_on"), [{"task_key": "s0_ingest"}], "in a circle"),
    ("tasks_form_an_order", JOB, ("task", 1, "depends_on"), [{"task_key": "gone"}], "waits for gone"),
    ("one_compute_a_task", JOB, ("task", 0, "existing_cluster_id"), "1", "can run on one of them only"),
    (
        "one_compute_a_task",
        JOB,
        ("task", 0, "job_cluster_key"),
        "other",
        "job cluster other, which the job does not have",
    ),
    ("one_compute_a_task", JOB, ("task", 0, "environment_key"), "e", "which is for serverless tasks"),
    ("one_compute_a_task", JOB, ("task", 0, "job_cluster_key"), None, "has nothing to run on"),
    (
        "wheel_entry_points_exist",
        JOB,
        (*WHEEL, "entry_point"),
        "run",
        "calls run of gauntlet-mlops, which has gauntlet,",
    ),
    ("wheel_entry_points_exist", JOB, (*WHEEL, "entry_point"), None, "calls nothing"),
    ("wheel_tasks_name_stages", JOB, (*WHEEL, "parameters"), [], "names no stage"),
    ("wheel_tasks_name_stages", JOB, (*WHEEL, "parameters", 0), "deploy", "names deploy"),
    ("stages_follow_their_order", JOB, ("task", 1, "depends_on"), [], "judge (task s1_judge) does not wait for ingest"),
    ("traffic_adds_up", ENDPOINT, (*ROUTES, 0, "traffic_percentage"), 80, "80 + 10 = 90 %"),
    ("traffic_adds_up", ENDPOINT, (*ROUTES, 0, "traffic_percentage"), None, "nothing + 10"),
    ("traffic_adds_up", ENDPOINT, (*ROUTES, 0, "served_entity_name"), "challenger", "several routes to challenger"),
    ("traffic_adds_up", ENDPOINT, (*ROUTES, 0, "served_entity_name"), "nobody", "it serves challenger, champion"),
    ("traffic_adds_up", ENDPOINT, ("config", 0, "traffic_config"), [], "no traffic_config"),
    ("serving_scales_to_zero", ENDPOINT, (*ENTITY, "scale_to_zero_enabled"), None, "costs, all the time"),
    (
        "names_agree_with_problem",
        "databricks_schema",
        ("name",),
        "other",
        "is main.wine_quality, but databricks_schema.this",
    ),
    ("names_agree_with_problem", "databricks_volume", ("catalog_name",), "other", "plans other.wine_quality.files"),
    ("names_agree_with_problem", "databricks_registered_model", ("name",), "m", "names.databricks.model"),
    ("names_agree_with_problem", "databricks_mlflow_experiment", ("name",), "/x", "names.databricks.experiment"),
    ("names_agree_with_problem", "databricks_secret_scope", ("name",), "x", "names.databricks.secret_scope"),
    ("names_agree_with_problem", ENDPOINT, ("name",), "x", "names.databricks.endpoint"),
    ("names_agree_with_problem", ENDPOINT, (*ENTITY, "entity_name"), "a.b.c", "entity_name plans a.b.c"),
)


@pytest.mark.parametrize(("gate", "kind", "path", "value", "said"), FLAWS)
def test_a_flaw_is_a_fail_that_says_where_it_is(gate, kind, path, value, said):
    verdict = _asked(gate, changed(kind, *path, to=value))
    assert verdict.status is Status.FAIL, verdict.sentence
    assert said in verdict.sentence
    file = INFRA if kind.startswith("azurerm_") else WORKSPACE
    assert verdict.sentence.startswith(f"{file}: ")
    assert (file, f"{kind}.this") in verdict.places


@pytest.mark.parametrize(
    ("gate", "kind", "name"),
    [
        ("no_public_blob_access", ACCOUNT, "allow_nested_items_to_be_public"),
        ("encrypted_in_transit", ACCOUNT, "min_tls_version"),
        ("storage_network_closed", ACCOUNT, "network_rules"),
        ("workspace_tier_suffices", "azurerm_databricks_workspace", "sku"),
        ("clusters_stop_by_themselves", CLUSTER, "autotermination_minutes"),
        ("clusters_fit_vcpu_quota", CLUSTER, "node_type_id"),
        ("single_node_in_one_spelling", CLUSTER, "spark_conf"),
        ("access_mode_suits_work", CLUSTER, "data_security_mode"),
        ("libraries_pinned", JOB, "task"),
        ("tasks_form_an_order", JOB, "task"),
        ("one_compute_a_task", JOB, "task"),
        ("wheel_entry_points_exist", JOB, "task"),
        ("wheel_tasks_name_stages", JOB, "task"),
        ("stages_follow_their_order", JOB, "task"),
        ("traffic_adds_up", ENDPOINT, "config"),
        ("serving_scales_to_zero", ENDPOINT, "config"),
        ("names_agree_with_problem", "databricks_schema", "name"),
    ],
)
def test_what_is_known_only_after_apply_fails_and_is_named(gate, kind, name):
    environment = environment_of(_unknown(kind, name))
    assert BY_NAME[gate].concerns(environment)
    verdict = BY_NAME[gate](environment)
    assert verdict.status is Status.FAIL
    assert verdict.sentence.startswith("the plan cannot tell")
    assert f"{kind}.this: {name} is known only after apply" in verdict.sentence


@pytest.mark.parametrize(
    ("gate", "kind", "path", "value", "said"),
    [
        ("access_mode_suits_work", CLUSTER, ("data_security_mode",), "DATA_SECURITY_MODE_AUTO", "to the workspace"),
        ("clusters_fit_vcpu_quota", CLUSTER, ("node_type_id",), "Standard_E8-4ds_v5", "vCPUs are not known here"),
        (
            "libraries_pinned",
            JOB,
            ("task", 0, "library"),
            [{"requirements": "/r.txt"}],
            "a file that is not in the plan",
        ),
        ("wheel_tasks_name_stages", JOB, (*WHEEL, "parameters"), ["{{job.parameters.s}}"], "only when the job runs"),
        ("stages_follow_their_order", JOB, (*WHEEL, "parameters"), ["{{job.parameters.s}}"], "only when the job runs"),
        ("traffic_adds_up", ENDPOINT, (*ENTITY, "name"), None, "an entity's name is not known yet"),
    ],
)
def test_what_a_plan_cannot_tell_fails_and_says_so(gate, kind, path, value, said):
    verdict = _asked(gate, changed(kind, *path, to=value))
    assert verdict.status is Status.FAIL
    assert "the plan cannot tell" in verdict.sentence
    assert said in verdict.sentence


def test_a_fault_is_told_before_what_cannot_be_told():
    documents = _unknown(ACCOUNT, "min_tls_version")
    change_of(documents[INFRA], ACCOUNT)["after"]["https_traffic_only_enabled"] = False
    verdict = _asked("encrypted_in_transit", documents)
    assert verdict.status is Status.FAIL
    assert "known only after apply" not in verdict.sentence


@pytest.mark.parametrize(
    ("gate", "kind", "path", "value"),
    [
        ("no_public_blob_access", "azurerm_storage_container", ("container_access_type",), None),
        ("encrypted_in_transit", ACCOUNT, ("min_tls_version",), "TLS1_3"),
        ("storage_network_closed", ACCOUNT, ("network_rules", 0, "ip_rules"), []),
        ("workspace_tier_suffices", "azurerm_databricks_workspace", ("sku",), "trial"),
        ("clusters_stop_by_themselves", CLUSTER, ("autotermination_minutes",), 10),
        ("clusters_stop_by_themselves", CLUSTER, ("autotermination_minutes",), 120),
        ("single_node_in_one_spelling", CLUSTER, ("custom_tags",), {"team": "wine"}),
        ("access_mode_suits_work", CLUSTER, ("data_security_mode",), "SINGLE_USER"),
        ("access_mode_suits_work", JOB, (*NEW_CLUSTER, "data_security_mode"), "USER_ISOLATION"),
        ("one_compute_a_task", JOB, ("task", 0, "task_key"), "other"),
        ("traffic_adds_up", ENDPOINT, ("config", 0, "traffic_config", 0, "routes"), []),
        ("wheel_entry_points_exist", JOB, (*WHEEL, "package_name"), "somebody_elses"),
        ("names_agree_with_problem", ENDPOINT, (*ENTITY, "entity_name"), None),
    ],
)
def test_the_neighbour_of_a_flaw_passes(gate, kind, path, value):
    documents = changed(kind, *path, to=value)
    if path[-1] == "routes":  # one entity needs no split
        change_of(documents[WORKSPACE], ENDPOINT)["after"]["config"][0]["served_entities"].pop()
    assert _asked(gate, documents).status is Status.PASS


def test_a_tier_that_another_stack_has_is_taken_from_the_variable():
    alone = {WORKSPACE: made_workspace()}
    assert _asked("workspace_tier_suffices", alone).status is Status.PASS
    alone[WORKSPACE]["variables"]["sku"] = {"value": "standard"}
    verdict = _asked("workspace_tier_suffices", alone)
    assert verdict.status is Status.FAIL
    assert "var.sku is standard" in verdict.sentence
    del alone[WORKSPACE]["variables"]["sku"]
    assert not BY_NAME["workspace_tier_suffices"].concerns(environment_of(alone))


def test_serverless_tasks_run_in_an_environment_of_the_job():
    task = {"task_key": "a", "environment_key": "e", "python_wheel_task": [{"package_name": "x", "entry_point": "y"}]}
    job = {"task": [task], "environment": [{"environment_key": "e"}]}
    assert _asked("one_compute_a_task", {"p": made_plan(resource(JOB, job))}).status is Status.PASS
    task["environment_key"] = "f"
    assert "environment f" in _asked("one_compute_a_task", {"p": made_plan(resource(JOB, job))}).sentence
    task |= {"environment_key": "e", "library": [{"whl": "x-1-py3-none-any.whl"}]}
    assert (
        "is serverless and has libraries" in _asked("one_compute_a_task", {"p": made_plan(resource(JOB, job))}).sentence
    )
    job = {"task": [{"task_key": "a", "condition_task": [{"op": "EQUAL_TO"}]}]}
    assert _asked("one_compute_a_task", {"p": made_plan(resource(JOB, job))}).status is Status.PASS


def test_a_stage_may_wait_for_the_one_before_it_through_other_tasks():
    documents = made_plans()
    tasks = change_of(documents[WORKSPACE], JOB)["after"]["task"]
    tasks.insert(1, {"task_key": "between", "depends_on": [{"task_key": "s0_ingest"}], "job_cluster_key": "pipeline"})
    tasks[2]["depends_on"] = [{"task_key": "between"}]
    assert _asked("stages_follow_their_order", documents).status is Status.PASS


def test_a_package_that_is_not_installed_has_no_commands():
    environment = replace(environment_of(made_plans()), entry_points={})
    verdict = BY_NAME["wheel_entry_points_exist"](environment)
    assert verdict.status is Status.FAIL
    assert "it is not installed here" in verdict.sentence


def test_plans_without_resources_pass_nothing():
    verdicts = plan_verdicts(environment_of({"p": made_plan()}))
    assert [(verdict.gate, verdict.status) for verdict in verdicts] == [
        ("plan::plan_has_resources", Status.CONFIG_ERROR)
    ]
    both = plan_verdicts(environment_of({INFRA: made_infra(), "empty.json": made_plan()}))
    assert combined(both) is Status.CONFIG_ERROR
    assert "empty.json" in both[0].sentence
    assert combined(plan_verdicts(environment_of({}))) is Status.CONFIG_ERROR


def test_gates_that_have_nothing_to_judge_are_told_and_give_no_verdict():
    environment = environment_of({INFRA: made_infra()}, names=None)
    judged = {verdict.gate for verdict in plan_verdicts(environment)}
    told = {sentence.split(": ")[0] for sentence in not_judged(environment)}
    assert judged | told == {gate.name for gate in GATES}
    assert judged & told == set()
    assert "plan::names_agree_with_problem" in told
    anyway = [gate(environment) for gate in GATES if gate.name in told]
    assert {verdict.status for verdict in anyway} == {Status.CONFIG_ERROR}
    assert not any(broke(verdict) for verdict in anyway)


def test_a_gate_that_breaks_or_says_nothing_of_its_own_is_a_config_error():
    def made(function):
        return plan_gate("plan::x", remedy="-", applies=lambda _: 1 / 0, lacking="-")(function)

    @made
    def broken(environment):
        """Guard nothing."""
        return 1 / 0

    @made
    def foreign(environment):
        """Guard nothing."""
        return Verdict("plan::y", Status.PASS, "-", measured=1.0)

    for gate in (broken, foreign):
        assert gate.concerns(environment_of({}))
        assert gate(environment_of({})).status is Status.CONFIG_ERROR
    with pytest.raises(ValueError, match="needs a docstring"):
        made(lambda _: None)


@pytest.mark.parametrize(
    ("kind", "path", "value"),
    [
        (CLUSTER, ("autotermination_minutes",), "twenty"),
        (ENDPOINT, ("config",), "x"),
        (JOB, ("task", 0, "task_key"), None),
    ],
)
def test_values_of_the_wrong_type_are_a_config_error(kind, path, value):
    verdicts = plan_verdicts(environment_of(changed(kind, *path, to=value)))
    assert combined(verdicts) is Status.CONFIG_ERROR


def test_many_faults_are_counted():
    clusters = [resource(CLUSTER, {}) | {"address": f"databricks_cluster.c[{place}]"} for place in range(9)]
    verdict = _asked("clusters_stop_by_themselves", {"p": made_plan(*clusters)})
    assert (verdict.measured, verdict.rows, len(verdict.places)) == (9.0, 9, 9)
    assert verdict.sentence.endswith("; and 5 more")
