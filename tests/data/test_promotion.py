"""Promotion and scoring: one champion replaces the next, whatever kills a try, and only checked predictions show."""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from typing import Any

import mlflow
import numpy as np
import pytest
from chispa.dataframe_comparer import assert_df_equality
from mlflow.exceptions import MlflowException

from gauntlet.adapters.model_files import load_fitted
from gauntlet.adapters.registry import Registry
from gauntlet.core.canonical import digest
from gauntlet.core.errors import RefusedError, RequirementError
from gauntlet.core.verdict import Status, Verdict
from gauntlet.stages import promote as promote_module
from gauntlet.stages import versions as versions_module
from gauntlet.stages.promote import still_champion
from gauntlet.stages.score import score
from tests.data.model_world import expectations_result, shared_world, split_result

pytestmark = pytest.mark.data


class Killed(BaseException):
    """Stands for kill -9: nothing of ours may catch it."""


@pytest.fixture(scope="module")
def template(spark, tmp_path_factory):
    """Give the world that the tests copy."""
    return shared_world(tmp_path_factory, spark)


@pytest.fixture
def world(template, tmp_path):
    """Give each test a world of its own."""
    return template.copied(tmp_path / "state")


def _status(world, number):
    return world.versions()[number].get("gauntlet.status")


def _opened(world):
    ledger = world.context("look").state.test_reads
    return [json.loads(line) for line in ledger.read_text(encoding="utf-8").splitlines()] if ledger.exists() else []


def test_the_first_champion_is_a_recorded_bootstrap_and_comes_back_equal(world):
    assert _opened(world) == []
    result = world.promote(world.weak)
    assert result.refusal is None
    assert (result.bootstrap, result.previous) == (True, None)
    assert world.registry.version_of("champion") == result.champion
    chosen = world.weak.select.chosen.name
    assert result.auc_readback == result.scores.auc[chosen]
    assert set(result.scores.auc) == {"forest", "reference_forest", "sweep"}
    assert set(result.scores.roc) == set(result.scores.precision_recall) == {"forest", chosen}
    assert {verdict.status for verdict in result.verdicts} == {"PASS"}
    tags = world.versions()[result.champion.version]
    assert tags["gauntlet.threshold"] == repr(world.weak.select.threshold)
    assert tags["gauntlet.selection_digest"] == world.weak.select.selection_digest
    assert (tags["gauntlet.status"], tags["gauntlet.synthetic"]) == ("champion", "true")
    assert [entry["selection"] for entry in _opened(world)] == [world.weak.select.selection_digest]
    assert still_champion(world.context("promote"), result) is None


def test_a_better_model_replaces_the_champion_which_is_kept_and_archived(world):
    first = world.promote(world.weak, "first")
    second = world.promote(world.strong, "second")
    assert second.refusal is None
    assert second.previous == first.champion != second.champion
    assert not second.bootstrap
    assert second.scores.auc["champion"] == first.scores.auc[world.weak.select.chosen.name]
    assert world.registry.version_of("champion") == second.champion
    old = world.versions()[first.champion.version]
    assert (old["gauntlet.status"], old["gauntlet.replaced_by"]) == ("archived", str(second.champion.version))
    assert world.registry.load(first.champion).predict(_features(world)).shape == (len(world.test_rows()),)
    reason = f"version {second.champion.version} is champion now"
    assert still_champion(world.context("promote", "first"), first) == reason


def test_a_worse_model_does_not_replace_the_champion(world):
    first = world.promote(world.strong, "first")
    second = world.promote(world.weak, "second")
    assert second.champion is None
    assert "less than the champion's (version 1)" in second.refusal
    assert world.registry.version_of("champion") == first.champion == second.previous
    assert list(world.versions()) == [first.champion.version]
    context = world.context("promote", "second")
    assert still_champion(context, second) is None
    world.registry.restore_alias("champion", None, expected=first.champion)
    assert still_champion(context, second) == "the champion is another one now"


def test_a_second_try_and_an_equal_model_make_no_second_version(world):
    first = world.promote(world.strong)
    again = world.promote(world.strong)
    assert again == first
    other = world.promote(world.strong, "other")
    assert other.champion == first.champion
    assert other.verdicts[-1].sentence == "the candidate is the champion itself, version 1"
    assert list(world.versions()) == [1]
    assert _status(world, 1) == "champion"


def test_an_earlier_champion_that_comes_back_is_the_same_version(world):
    judge = _always(Status.PASS)
    first = world.promote(world.strong, "first", judge=judge)
    second = world.promote(world.weak, "second", judge=judge)
    back = world.promote(world.strong, "first", judge=judge)
    assert back.champion == first.champion
    assert back.previous == second.champion
    assert (_status(world, 1), _status(world, 2)) == ("champion", "archived")
    assert "gauntlet.replaced_by" not in world.versions()[1]


def _always(status):
    return lambda _candidate: (Verdict("a::gate", status, "it says so", measured=1.0),)


@dataclass(frozen=True)
class Point:
    """A step of the promotion, and whether the kill comes before or after it."""

    owner: Any
    name: str
    after: bool
    call: int = 1


KILLS = {
    "before the model is logged": Point(versions_module, "log_packed", after=False),
    "before the version is made": Point(versions_module, "log_packed", after=True),
    "after the version is made": Point(Registry, "create", after=True),
    "before the alias moves": Point(Registry, "move_alias", after=False),
    "after the alias moved": Point(Registry, "move_alias", after=True),
    "after the champion was read back": Point(promote_module, "readback", after=True),
    "after the new champion was tagged": Point(Registry, "tag", after=True, call=2),
    "after the old champion was tagged": Point(Registry, "tag", after=True, call=3),
}


@pytest.fixture(scope="module")
def crowned(template, tmp_path_factory):
    """Make a world with a champion, once."""
    world = template.copied(tmp_path_factory.mktemp("crowned") / "state")
    world.promote(world.weak, "first")
    return world


def _state_of(world):
    """Return what the registry shows, without what says only when."""
    aliases = world.registry.tracking.client.get_registered_model(world.registry.name).aliases
    return aliases, world.versions()


@pytest.fixture(scope="module")
def undisturbed(crowned, tmp_path_factory):
    """Promote the second model without any kill: the state that all others must end in."""
    world = crowned.copied(tmp_path_factory.mktemp("undisturbed") / "state")
    result = world.promote(world.strong, "second")
    return result, _state_of(world)


@pytest.mark.parametrize("point", KILLS.values(), ids=KILLS)
def test_a_promotion_killed_anywhere_ends_in_the_same_state(crowned, undisturbed, point, tmp_path, monkeypatch):
    world = crowned.copied(tmp_path / "state")
    original, calls = getattr(point.owner, point.name), []

    def deadly(*args, **options):
        calls.append(point.name)
        if len(calls) == point.call and not point.after:
            raise Killed
        result = original(*args, **options)
        if len(calls) == point.call:
            raise Killed
        return result

    with monkeypatch.context() as patch:
        patch.setattr(point.owner, point.name, deadly)
        with pytest.raises(Killed):
            world.promote(world.strong, "second")
    if mlflow.active_run() is not None:  # a real kill would have taken it along
        mlflow.end_run("FAILED")
    result = world.promote(world.strong, "second")
    expected, state = undisturbed
    assert _state_of(world) == state
    forget = {"champion", "previous"}
    assert result.model_dump(exclude=forget) == expected.model_dump(exclude=forget)
    assert (result.champion.version, result.previous.version) == (2, 1)
    runs = world.registry.tracking.client.search_runs(
        [world.registry.tracking.experiment_id], filter_string="tags.`gauntlet.stage` = 'promote'"
    )
    assert len(runs) == 2


def test_a_refusal_after_a_killed_try_puts_the_former_champion_back(crowned, tmp_path, monkeypatch):
    world = crowned.copied(tmp_path / "state")
    before = world.registry.version_of("champion")

    def dies(*_args, **_options):
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(promote_module, "readback", dies)
        with pytest.raises(Killed):
            world.promote(world.strong, "second")
    assert world.registry.version_of("champion").version == 2
    refused = world.promote(world.strong, "second", judge=_always(Status.FAIL))
    assert refused.champion is None
    assert world.registry.version_of("champion") == before == refused.previous
    assert _status(world, 2) == "refused"


@pytest.mark.parametrize("crowned_before", [True, False])
def test_a_model_that_comes_back_otherwise_is_not_left_as_champion(world, monkeypatch, crowned_before):
    before = world.promote(world.weak, "first").champion if crowned_before else None
    original = promote_module.readback

    def altered(*args, **options):
        version, measured = original(*args, **options)
        return version, measured - 1e-9

    monkeypatch.setattr(promote_module, "readback", altered)
    with pytest.raises(RefusedError, match=r"was to be champion, but version .* came back; .* as before"):
        world.promote(world.strong, "second")
    assert world.registry.version_of("champion") == before
    assert _status(world, 2 if crowned_before else 1) == "refused"


def test_a_model_that_cannot_be_loaded_back_is_not_left_as_champion(world, monkeypatch):
    def broken(*_args, **_options):
        raise OSError("the store is gone")

    monkeypatch.setattr(Registry, "load", broken)
    with pytest.raises(RefusedError, match=r"it cannot be loaded .OSError: the store is gone.; there is no champion"):
        world.promote(world.strong)
    assert world.registry.version_of("champion") is None


def test_a_registry_that_does_not_answer_is_not_one_without_a_champion(world, monkeypatch):
    def silent(*_args, **_options):
        raise MlflowException("connection refused")

    monkeypatch.setattr(mlflow.MlflowClient, "get_registered_model", silent)
    with pytest.raises(RequirementError, match=r"could not be asked which version .* has the alias champion"):
        world.promote(world.strong)
    assert _opened(world) == []
    with pytest.raises(RequirementError):
        still_champion(world.context("promote"), None)


def test_a_champion_that_cannot_be_loaded_stops_the_promotion(world):
    first = world.promote(world.weak, "first").champion
    source = world.registry.tracking.client.get_model_version(first.name, str(first.version)).source
    shutil.rmtree(mlflow.artifacts.download_artifacts(source), ignore_errors=True)
    result = world.promote(world.strong, "second")
    said = {verdict.gate: verdict.status for verdict in result.verdicts}
    assert said["model::auc_at_least_champion"] == "CONFIG_ERROR"
    assert "version 1 could not be loaded" in result.refusal
    assert not result.bootstrap
    assert world.registry.version_of("champion") == first
    assert still_champion(world.context("promote", "second"), result) == "a gate could not be evaluated the last time"


def test_no_verdicts_promote_nothing(world):
    result = world.promote(world.strong, judge=lambda _candidate: ())
    assert "silence promotes nothing" in result.refusal
    assert (result.champion, result.auc_readback, world.versions()) == (None, None, {})


def test_failed_expectations_promote_nothing(world):
    result = world.promote(world.strong, expectations=expectations_result(700, success=False))
    assert "0 of 2 expectations hold" in result.refusal
    assert world.versions() == {}


def test_a_model_chosen_on_test_is_scored_and_refused(world):
    split = split_result(world.split.table, notebook=True)
    result = world.promote(world.strong, split=split)
    assert result.refusal.startswith("selected on test: ")
    assert result.champion is None
    assert set(result.scores.auc) == {"forest", "reference_forest", "sweep"}
    assert world.registry.version_of("champion") is None


def test_the_test_split_does_not_open_for_a_choice_that_is_not_frozen(world):
    thawed = world.strong.select.model_copy(update={"selection_digest": digest("another")})
    choice = type(world.strong)(world.strong.baseline, thawed)
    with pytest.raises(RefusedError, match="opens for a frozen choice only"):
        world.promote(choice)
    assert _opened(world) == []
    assert world.versions() == {}


def _features(world):
    return world.test_rows()[[column.name for column in world.problem.features]]


def _probabilities(world, choice):
    """Return what a choice's model says of every curated row, by row_id, in memory."""
    frame = world.context("look").target.tables.read(world.ingest.curated).toPandas()
    fitted = load_fitted(choice.select.chosen, state=world.context("look").state)
    return dict(zip(frame["row_id"], fitted.probability(frame), strict=True))


def test_scoring_writes_a_probability_and_a_decision_for_every_row_and_is_usable_in_sql(world, spark):
    promoted = world.promote(world.strong)
    result = world.score(world.strong, promoted)
    assert result.refusal is None
    assert (result.rows, result.model) == (700, promoted.champion)
    assert result.suite.success
    tables = world.context("look").target.tables
    written = tables.read(result.table).toPandas()
    assert dict(zip(written["row_id"], written["probability"], strict=True)) == _probabilities(world, world.strong)
    assert set(written["threshold"]) == {world.strong.select.threshold} == {result.threshold}
    np.testing.assert_array_equal(written["decision"], written["probability"] >= result.threshold)
    assert result.positives == written["decision"].sum() > 0
    assert set(written["model_version"]) == {str(promoted.champion.version)}
    assert set(written["synthetic"]) == {True}
    assert written["scored_at"].nunique() == 1
    tables.read(world.ingest.curated).createOrReplaceTempView("curated_rows")
    features = ", ".join(column.name for column in world.problem.features)
    query = f"SELECT row_id, gauntlet_probability(struct({features})) AS probability FROM curated_rows"  # noqa: S608
    asked = spark.sql(query)
    kept = tables.read(result.table).select("row_id", "probability")
    assert_df_equality(asked, kept, ignore_row_order=True, ignore_nullable=True)
    assert asked.count() == 700


def test_after_the_alias_moved_a_warm_session_serves_the_new_version(world):
    # The address holds the version's number. Over Spark Connect MLflow would keep what it loaded for an alias's
    # address in the workers, and go on serving the old version.
    first = world.promote(world.weak, "first")
    old = world.score(world.weak, first, "first")
    second = world.promote(world.strong, "second")
    new = world.score(world.strong, second, "second")
    tables = world.context("look").target.tables
    for choice, result in ((world.weak, old), (world.strong, new)):
        written = tables.read(result.table).toPandas()
        assert dict(zip(written["row_id"], written["probability"], strict=True)) == _probabilities(world, choice)
        assert set(written["model_version"]) == {str(result.model.version)}
    assert _probabilities(world, world.weak) != _probabilities(world, world.strong)
    with pytest.raises(RefusedError, match=r"version 1 of .* was promoted, but the alias champion names version 2 now"):
        world.score(world.weak, first, "third")


def test_addresses_name_the_version_never_the_alias(world):
    version = world.promote(world.weak).champion
    assert world.registry.uri(version) == "models:/gauntlet.wine_quality.wine_classifier/1"


def test_predictions_that_fail_their_suite_are_not_published(world, tmp_path):
    promoted = world.promote(world.strong)
    tables = world.context("look").target.tables
    good = tables.write("predictions", tables.read(world.ingest.curated).select("row_id").limit(9))
    suites = tmp_path / "problem" / "suites" / "wine_quality"
    suites.mkdir(parents=True)
    rule = {"type": "expect_column_values_to_be_between", "kwargs": {"column": "probability", "max_value": 0.01}}
    (suites / "predictions.json").write_text(json.dumps({"name": "strict", "expectations": [rule]}), encoding="utf-8")
    context = world.context("score", "strict")
    strict = type(context)(**{**vars(context), "problem_folder": tmp_path / "problem"})
    result = score(strict, ingest=world.ingest, promote=promoted, select=world.strong.select)
    assert result.table is None
    assert "1 of 1 expectations failed: predictions::probability::between" in result.refusal
    assert result.refusal.endswith("nothing was published")
    assert tables.exists(good)
    assert not tables.exists(good.model_copy(update={"version": good.version + 1}))


def test_a_threshold_changed_by_hand_is_refused(world):
    promoted = world.promote(world.strong)
    world.registry.tag(promoted.champion, {"gauntlet.threshold": "0.5"})
    with pytest.raises(RefusedError, match=r"gauntlet.threshold of version 1 .* says 0.5"):
        world.score(world.strong, promoted)


def test_without_a_champion_nothing_is_scored(world):
    refused = world.promote(world.strong, judge=_always(Status.INCONCLUSIVE))
    with pytest.raises(RefusedError, match="nothing was promoted"):
        world.score(world.strong, refused)
