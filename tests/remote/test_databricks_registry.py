"""Unity Catalog's registry and the promotion ledger by MLflow's real clients, against the stand-in.

With GAUNTLET_LIVE_SCHEMA (CATALOG.SCHEMA) and a workspace in the environment the same tests ask that workspace: none of
them looks into the stand-in. They leave a registered model and experiments with random names behind.
"""

import os
import secrets
from dataclasses import dataclass

import mlflow
import pandas as pd
import pytest
from mlflow.models import infer_signature

from gauntlet import cli
from gauntlet.adapters.databricks_target import DatabricksTarget
from gauntlet.adapters.promotion_ledger import PromotionLedger
from gauntlet.adapters.registry import CHAMPION, Registry
from gauntlet.core.errors import RefusedError, RequirementError
from gauntlet.core.problem_file import load_problem
from gauntlet.core.state import State
from tests.promotion_attempts import ATTEMPT
from tests.verified import own_copy
from tests.workspace_stand_in.server import Workspace, started

pytestmark = pytest.mark.remote

ROWS = pd.DataFrame({"alcohol": [9.5, 12.0]})
CODE = """
import mlflow


class Constant(mlflow.pyfunc.PythonModel):
    def predict(self, context, model_input, params=None):
        return [ANSWER] * len(model_input)


mlflow.models.set_model(Constant())
"""


@dataclass(frozen=True)
class Place:
    """Where the tests may work."""

    target: DatabricksTarget
    folder: object

    @property
    def registry(self):
        return Registry(self.target.tracking, self.target.names.registered_model)

    def logged(self, answer=1.0, *, signed=True):
        """Log a model that always gives the same answer, and return its address."""
        code = self.folder / f"answer_{answer}.py"
        code.write_text(CODE.replace("ANSWER", str(answer)), encoding="utf-8")
        tracking = self.target.tracking
        _ = tracking.client
        signature = infer_signature(ROWS, [answer]) if signed else None
        with mlflow.start_run(experiment_id=tracking.experiment_id):
            return mlflow.pyfunc.log_model(
                name="model", python_model=str(code), signature=signature, pip_requirements=["mlflow"]
            ).model_uri


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    folder, mark = tmp_path_factory.mktemp("registry"), secrets.token_hex(4)
    schema = os.environ.get("GAUNTLET_LIVE_SCHEMA", "main.wine_quality")
    overrides = {
        "names.databricks.catalog": schema.partition(".")[0],
        "names.databricks.schema": schema.partition(".")[2],
        "names.databricks.model": f"wine_{mark}",
        "names.databricks.experiment": f"/Shared/gauntlet-tests/{mark}",
    }
    found = Place(DatabricksTarget(problem=load_problem(overrides=overrides), state=State(folder)), folder)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
        patch.setenv("MLFLOW_DISABLE_TELEMETRY", "true")
        if "GAUNTLET_LIVE_SCHEMA" in os.environ:
            yield found
        else:
            with started(Workspace(folder)) as workspace:
                for name, value in workspace.environment.items():
                    patch.setenv(name, value)
                patch.setenv("DATABRICKS_CONFIG_FILE", str(folder / "no-profiles"))
                yield found
    mlflow.set_tracking_uri("")
    mlflow.set_registry_uri("")


@pytest.fixture(scope="module")
def version(place):
    """A version of a model that answers 1."""
    return place.registry.create(model_uri=place.logged(), tags={"gauntlet.model": "first"})


def _loaded(registry, version):
    with registry.artefact(version) as folder:
        return own_copy(folder).load()


def test_a_version_comes_back_by_its_alias_with_its_tags(place, version):
    registry = place.registry
    registry.move_alias(CHAMPION, version, expected=registry.version_of(CHAMPION))
    assert registry.version_of(CHAMPION) == version
    assert list(_loaded(registry, version).predict(ROWS)) == [1.0, 1.0]
    registry.tag(version, {"gauntlet.status": "champion", "gauntlet.model": None})
    assert registry.tags(version) == {"gauntlet.status": "champion"}
    assert registry.find_tagged({"gauntlet.status": "champion"}) == version
    registry.restore_alias(CHAMPION, None, expected=version)
    assert registry.version_of(CHAMPION) is None


def test_a_version_goes_through_signed_addresses_where_the_workspace_wants_it(place, monkeypatch):
    monkeypatch.setenv("MLFLOW_USE_DATABRICKS_SDK_MODEL_ARTIFACTS_REPO_FOR_UC", "false")
    made = place.registry.create(model_uri=place.logged(0.5), tags={})
    assert list(_loaded(place.registry, made).predict(ROWS)) == [0.5, 0.5]


def test_a_model_without_a_signature_becomes_no_version(place, version):
    before = [found.version for found, _ in place.registry.versions()]
    with pytest.raises(RequirementError, match="did not contain any signature metadata"):
        place.registry.create(model_uri=place.logged(2.0, signed=False), tags={})
    assert [found.version for found, _ in place.registry.versions()] == before


def test_names_have_three_levels(place):
    short = Registry(place.target.tracking, "wine_quality.wine_classifier")
    with pytest.raises(RequirementError, match="specify all three levels"):
        short.create(model_uri=place.logged(), tags={})


def test_there_are_no_stages(place, version):
    client, name, number = place.target.tracking.client, version.name, str(version.version)
    with pytest.raises(mlflow.MlflowException, match="unsupported for models in the Unity Catalog"):
        client.transition_model_version_stage(name, number, "Production")
    with pytest.raises(mlflow.MlflowException, match="unsupported for models in the Unity Catalog"):
        client.get_latest_versions(name, stages=["Production"])


def test_a_tags_name_with_a_dot_would_be_refused(place, version):
    with pytest.raises(mlflow.MlflowException, match="reserved characters"):
        place.target.tracking.client.set_model_version_tag(version.name, str(version.version), "gauntlet.x", "1")


def test_of_two_that_claim_a_number_one_gets_it(place):
    ledger, model = place.target.ledger, place.registry.name
    assert isinstance(ledger, PromotionLedger)
    with ledger.path.writing() as late:
        assert late.last(model) is None
        claimed = ledger.claim(model, **ATTEMPT, expected=0, version=1, previous_version=None)
        with pytest.raises(RefusedError, match=r"sequence 1 was claimed by process .* meanwhile"):
            late.insert(claimed.model_copy(update={"version": 2, "claimed": "later"}).chained(after=None))
    done = ledger.settle(claimed)
    assert ledger.entries(model) == (done,)


@pytest.mark.parametrize(
    ("command", "code", "says"),
    [
        (("audit",), 0, "0 entries of the ledger and 0 versions"),
        (("rollback",), 1, "no version is champion, and there is none before it"),
        (("promote",), 2, "evidence"),
    ],
)
def test_the_commands_about_champions_ask_the_workspace(place, capfd, command, code, says):
    names = place.target.names
    there = {"catalog": names.catalog, "schema": names.schema_name, "experiment": names.experiment}
    settings = [f"--set=names.databricks.{key}={value}" for key, value in (there | {"model": "nobody_s"}).items()]
    with pytest.raises(SystemExit) as caught:
        cli.main([*command, "--target", "databricks", "--state", str(place.folder), *settings])
    captured = capfd.readouterr()
    assert (caught.value.code, says in captured.out + captured.err) == (code, True), captured
    assert "Traceback" not in captured.err


def test_a_wrong_token_is_one_sentence_and_changes_nothing(place, version, monkeypatch):
    monkeypatch.setenv("DATABRICKS_TOKEN", "dapi-not-the-token")
    stranger = DatabricksTarget(problem=place.target.problem, state=place.target.state)
    with pytest.raises(RequirementError, match="refused the credentials") as caught:
        _ = stranger.tracking
    assert "dapi-not" not in str(caught.value)
