"""Sessions on Spark Connect servers: one for all roads of a process, replaced where the server has forgotten it."""

from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

import pytest
from pyspark.sql import SparkSession

from gauntlet.adapters import connect_sessions
from gauntlet.adapters.connect_sessions import close_at_exit, shared_session

pytestmark = pytest.mark.unit


class StandInSession:
    """A session that answers what it is told to."""

    def __init__(self):
        self.answer = "UTC"
        self.client = SimpleNamespace(is_closed=False, close=self._close)
        self.conf = SimpleNamespace(get=self._get)

    def _close(self):
        self.client.is_closed = True

    def _get(self, name):
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


@pytest.fixture(autouse=True)
def made(monkeypatch):
    """A builder of sessions in place of pyspark's, and no session of other tests; gives those that were made."""
    made = []

    def create():
        made.append(StandInSession())
        return made[-1]

    builder = SimpleNamespace(remote=lambda _address: SimpleNamespace(create=create))
    monkeypatch.setattr(SparkSession, "builder", builder)
    monkeypatch.setattr(connect_sessions, "_SESSIONS", {})
    monkeypatch.setattr(connect_sessions, "_OTHERS", [])
    return made


def test_all_threads_get_the_one_that_was_prepared_once(made):
    prepared = []
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda _: shared_session("sc://here", prepare=prepared.append), range(8)))
    assert len({id(session) for session in found}) == len(made) == len(prepared) == 1


def test_another_server_or_another_token_is_another_session(made, monkeypatch):
    for address, token in (("sc://here", "one"), ("sc://there", "one"), ("sc://here", "two"), ("sc://here", "one")):
        monkeypatch.setenv("SPARK_CONNECT_AUTHENTICATE_TOKEN", token)
        shared_session(address, prepare=lambda _: None)
    assert len(made) == 3


@pytest.mark.parametrize("how", ["forgotten by the server", "closed"])
def test_one_that_is_no_more_is_replaced(made, how):
    first = shared_session("sc://here", prepare=lambda _: None)
    if how == "closed":
        first.client.close()
    else:
        first.answer = RuntimeError("[INVALID_HANDLE.SESSION_NOT_FOUND] The handle is invalid.")
    assert shared_session("sc://here", prepare=lambda _: None) is made[1]
    assert first.client.is_closed


def test_a_server_that_does_not_answer_is_an_error_and_its_session_is_kept(made):
    first = shared_session("sc://here", prepare=lambda _: None)
    first.answer = ConnectionError("refused")
    with pytest.raises(ConnectionError):
        shared_session("sc://here", prepare=lambda _: None)
    first.answer = "UTC"
    assert shared_session("sc://here", prepare=lambda _: None) is first


def test_one_that_cannot_be_prepared_is_closed(made):
    def refuse(_session):
        raise PermissionError

    with pytest.raises(PermissionError):
        shared_session("sc://here", prepare=refuse)
    assert made[0].client.is_closed
    assert shared_session("sc://here", prepare=lambda _: None) is made[1]


def test_in_the_end_all_are_closed(made):
    for address in ("sc://here", "sc://there"):
        shared_session(address, prepare=lambda _: None)
    of_another_kind = StandInSession()
    for _ in range(2):
        close_at_exit(of_another_kind)
    assert not of_another_kind.client.is_closed
    connect_sessions._close_all()
    assert all(session.client.is_closed for session in (*made, of_another_kind))
