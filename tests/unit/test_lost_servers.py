"""A server that is gone is the environment's fault: one clear error, and no defect of Gauntlet's."""

import pytest

from gauntlet.adapters.faults import explained
from gauntlet.core.errors import RequirementError

pytestmark = pytest.mark.unit


@pytest.mark.parametrize(
    ("text", "server"),
    [
        ("<_InactiveRpcError of RPC that terminated with: status = StatusCode.UNAVAILABLE>", "Spark's"),
        ("[INVALID_HANDLE.SESSION_NOT_FOUND] The handle is invalid. Session not found.", "Spark's"),
        ("API request to http://h:1/x failed with exception HTTPConnectionPool(host='h', port=1)", "MLflow's"),
        ("You are not authenticated. Please see https://www.mlflow.org/docs", "MLflow's"),
    ],
)
def test_a_lost_server_is_named_with_what_to_do(text, server):
    cause = Exception(text)
    wrapped = RuntimeError("a stage failed")
    wrapped.__cause__ = cause
    found = explained(wrapped)
    assert isinstance(found, RequirementError)
    assert str(found).startswith(f"{server} server is gone")
    assert "run again" in str(found)


def test_another_error_is_no_lost_server():
    assert explained(ValueError("a value is wrong")) is None
