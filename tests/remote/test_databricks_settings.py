"""Which workspace is meant and who asks: found as the real SDK finds it, each mistake one sentence."""

import sys

import pytest

from gauntlet.adapters.databricks_settings import databricks_settings
from gauntlet.core.errors import ExitCode, RequirementError
from tests.workspace_stand_in.server import CLIENT, TOKEN, USER

pytestmark = pytest.mark.remote


def test_a_token_in_the_environment_lets_in_and_is_never_shown(workspace, signed_in):
    settings = databricks_settings()
    assert (settings.host, settings.kind, settings.user()) == (workspace.host, "pat", USER)
    assert TOKEN not in repr(settings) + str(settings)


def test_a_profile_lets_in(workspace, signed_out, tmp_path):
    profiles = tmp_path / "databrickscfg"
    profiles.write_text(f"[wine]\nhost = {workspace.host}\ntoken = {TOKEN}\ncluster_id = 0101-1\n", encoding="utf-8")
    signed_out.setenv("DATABRICKS_CONFIG_FILE", str(profiles))
    signed_out.setenv("DATABRICKS_CONFIG_PROFILE", "wine")
    settings = databricks_settings()
    assert (settings.user(), settings.cluster, settings.serverless) == (USER, "0101-1", False)
    signed_out.setenv("DATABRICKS_CONFIG_PROFILE", "beer")
    with pytest.raises(RequirementError, match=r"no workspace to log in to .*has no beer profile"):
        databricks_settings()


def test_oauth_of_a_service_principal_lets_in(workspace, signed_out):
    signed_out.setenv("DATABRICKS_HOST", workspace.host)
    signed_out.setenv("DATABRICKS_CLIENT_ID", CLIENT[0])
    signed_out.setenv("DATABRICKS_CLIENT_SECRET", CLIENT[1])
    settings = databricks_settings()
    assert (settings.kind, settings.user()) == ("oauth-m2m", USER)
    signed_out.setenv("DATABRICKS_CLIENT_SECRET", "not-the-secret")
    with pytest.raises(RequirementError, match=r"refused the credentials \(oauth-m2m: invalid_client") as caught:
        databricks_settings().user()
    assert "not-the-secret" not in str(caught.value)


def test_a_refused_token_is_one_sentence_without_the_token(workspace, signed_in):
    signed_in.setenv("DATABRICKS_TOKEN", "dapi-not-the-token")
    with pytest.raises(
        RequirementError, match=r"refused the credentials \(pat: Invalid access token\); renew"
    ) as caught:
        databricks_settings().user()
    assert caught.value.exit_code == ExitCode.ENVIRONMENT
    assert "dapi-not" not in str(caught.value)
    assert "\n" not in str(caught.value)


def test_nobody_saying_where_it_is_is_one_sentence(signed_out):
    with pytest.raises(
        RequirementError, match=r"no workspace to log in to .* set DATABRICKS_HOST and DATABRICKS_TOKEN"
    ):
        databricks_settings()


def test_a_host_that_does_not_answer_is_one_sentence(signed_in):
    signed_in.setenv("DATABRICKS_HOST", "http://127.0.0.1:9")
    with pytest.raises(RequirementError, match=r"http://127\.0\.0\.1:9: no answer when asked who asks"):
        databricks_settings(retry_seconds=1).user()


def test_without_the_sdk_the_extra_is_named(signed_in):
    signed_in.setitem(sys.modules, "databricks.sdk.core", None)
    with pytest.raises(RequirementError, match=r"pip install 'gauntlet-mlops\[databricks\]'"):
        databricks_settings()
