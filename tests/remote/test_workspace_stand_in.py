"""The stand-in refuses what a workspace refuses, whatever a client leaves unchecked."""

import io

import pytest
import requests
from databricks.sdk import WorkspaceClient
from databricks.sdk.errors import AlreadyExists, DatabricksError, NotFound, PermissionDenied

from tests.workspace_stand_in.server import TOKEN

pytestmark = [pytest.mark.remote, pytest.mark.usefixtures("signed_in")]

MODELS = "/api/2.0/mlflow/unity-catalog"
FILE = "/Volumes/main/wine_quality/files/a.csv"


@pytest.fixture
def client():
    return WorkspaceClient()


@pytest.mark.parametrize(
    ("credentials", "status", "code"),
    [({}, 401, "401"), ({"Authorization": "Basic eDp5"}, 401, "401"), ({"Authorization": "Bearer x"}, 403, "403")],
)
@pytest.mark.parametrize("path", ["/api/2.2/jobs/list", f"/api/2.0/fs/files{FILE}", f"{MODELS}/nothing", "/nothing"])
def test_nobody_gets_in_without_the_right_token(workspace, path, credentials, status, code):
    before = len(workspace.calls)
    answer = requests.get(workspace.host + path, headers=credentials, timeout=10)
    assert (answer.status_code, answer.json()["error_code"]) == (status, code)
    assert len(workspace.calls) == before
    assert TOKEN not in answer.text


def test_a_version_without_a_signature_is_never_ready(client):
    name = "main.wine_quality.unsigned"
    client.api_client.do("POST", f"{MODELS}/registered-models/create", body={"name": name})
    client.api_client.do("POST", f"{MODELS}/model-versions/create", body={"name": name, "source": "dbfs:/x"})
    version = {"name": name, "version": "1"}
    for text in ("flavors: {}\n", "signature: {inputs: '[]'}\n"):
        client.files.upload("/Models/main/wine_quality/unsigned/1/MLmodel", io.BytesIO(text.encode()), overwrite=True)
        with pytest.raises(DatabricksError, match="signature of inputs and outputs"):
            client.api_client.do("POST", f"{MODELS}/model-versions/finalize", body=version)
    with pytest.raises(DatabricksError, match="is not ready"):
        client.api_client.do("POST", f"{MODELS}/registered-models/alias", body=version | {"alias": "champion"})
    text = "signature: {inputs: '[{}]', outputs: '[{}]'}\n"
    client.files.upload("/Models/main/wine_quality/unsigned/1/MLmodel", io.BytesIO(text.encode()), overwrite=True)
    client.api_client.do("POST", f"{MODELS}/model-versions/finalize", body=version)
    with pytest.raises(PermissionDenied, match="cannot be written any more"):
        client.files.upload("/Models/main/wine_quality/unsigned/1/MLmodel", io.BytesIO(b""), overwrite=True)


@pytest.mark.parametrize("name", ["wine", "quality.wine", "main.wine_quality.wine.red", "main.wine_quality.red wine"])
def test_names_of_models_have_three_levels(client, name):
    with pytest.raises(DatabricksError, match="specify all three levels"):
        client.api_client.do("POST", f"{MODELS}/registered-models/create", body={"name": name})


def test_a_schema_or_volume_that_is_not_there_is_told(client):
    with pytest.raises(NotFound, match=r"Schema 'main\.other' does not exist"):
        client.api_client.do("POST", f"{MODELS}/registered-models/create", body={"name": "main.other.wine"})
    with pytest.raises(NotFound, match=r"Volume 'main\.other\.files' does not exist"):
        client.files.upload("/Volumes/main/other/files/a.csv", io.BytesIO(b"x"))


def test_the_registry_with_stages_is_closed(client):
    with pytest.raises(PermissionDenied, match="without stages"):
        client.api_client.do("POST", "/api/2.0/mlflow/model-versions/transition-stage", body={"name": "wine"})


def test_what_is_there_is_replaced_only_when_that_is_asked_for(client):
    client.files.upload(FILE, io.BytesIO(b"1"), overwrite=True)
    with pytest.raises(AlreadyExists):
        client.files.upload(FILE, io.BytesIO(b"2"), overwrite=False)
    assert client.files.download(FILE).contents.read() == b"1"


def test_experiments_have_paths_in_folders_that_are_there(client):
    for name, says in (("wine", "must be an absolute path"), ("/Shared/nowhere/wine", "does not exist")):
        with pytest.raises(DatabricksError, match=says):
            client.api_client.do("POST", "/api/2.0/mlflow/experiments/create", body={"name": name})
