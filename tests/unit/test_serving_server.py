"""The running server: no request is lost when the version changes or the server stops, and limits hold."""

import http.client
import io
import json
import logging
import socket
import threading
from contextlib import contextmanager
from urllib.parse import urlsplit

import mlflow
import pytest
from prometheus_client.parser import text_string_to_metric_families

from gauntlet.core.errors import EvidenceError, InputError, RefusedError, RequirementError
from gauntlet.serving.access import StreamLog
from gauntlet.serving.server import start
from gauntlet.serving.settings import Limits, ServerSettings
from tests.served_models import MODEL, MadeScoring, MadeSource

pytestmark = pytest.mark.unit

TOKEN = "0123456789abcdef"  # noqa: S105 - of no server but these
VERSION = "x-gauntlet-model-version"


class Client:
    """One connection, kept alive."""

    def __init__(self, server):
        self._connection = http.client.HTTPConnection(urlsplit(server.address).netloc, timeout=60)

    def ask(self, path="/invocations", body=None, *, method=None, **headers):
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        self._connection.request(method or ("POST" if body is not None else "GET"), path, body, sent)
        answer = self._connection.getresponse()
        return answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read()

    def close(self):
        self._connection.close()


class Made:
    """Versions by number, each with its scoring."""

    def __init__(self):
        self.scoring = {}

    def __call__(self, number):
        return self.scoring.setdefault(number, MadeScoring(number))


@contextmanager
def serving(source=None, *, log=None, **changes):
    limits = Limits(**{name: changes.pop(name) for name in tuple(changes) if name in Limits.__annotations__})
    settings = ServerSettings(**{"port": 0, "poll_seconds": 3600.0, "limits": limits, **changes})
    server = start(source or MadeSource(Made()), settings, access_log=log)
    try:
        yield server
    finally:
        server.stop()
        server.wait()


@contextmanager
def background(function):
    """Run something in a thread, and hand out what it gave."""
    found = []
    thread = threading.Thread(target=lambda: found.append(function()))
    thread.start()
    try:
        yield found
    finally:
        thread.join(60)
        assert not thread.is_alive()


def _accepts(server):
    try:
        socket.create_connection(("127.0.0.1", urlsplit(server.address).port), 60).close()
    except ConnectionError:
        return False
    return True


def _metrics(server, **headers):
    text = Client(server).ask("/metrics", **headers)[2].decode()
    return {
        (sample.name, *sample.labels.values()): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def test_the_routes_are_mlflows_and_every_answer_names_the_version():
    with serving() as server:
        client = Client(server)
        assert client.ask("/ping")[::2] == client.ask("/health")[::2] == (200, b"\n")
        assert client.ask("/version")[2].decode() == mlflow.__version__
        status, headers, content = client.ask(body=b"rows")
        assert (status, content, headers[VERSION], headers["x-gauntlet-model"]) == (200, b"1", "1", MODEL)
        model = json.loads(client.ask("/model")[2])
        assert (model["model"], model["version"], model["sequence"]) == (MODEL, 1, 1)
        assert {"artefact_digest", "evidence"} < model.keys()
        assert client.ask("/nothing")[0] == 404
        assert client.ask("/invocations")[0] == 405
        assert json.loads(client.ask("/nothing")[2])["error_code"] == "ENDPOINT_NOT_FOUND"


def test_no_request_is_lost_while_another_version_takes_over():
    source, over, seen = MadeSource(Made()), threading.Event(), {1: threading.Event(), 2: threading.Event()}

    def keep_asking():
        client, answers = Client(server), []
        while not over.is_set():
            status, headers, content = client.ask(body=b"rows")
            answers.append((status, headers[VERSION], content))
            seen[int(content)].set()
        return answers

    with serving(source) as server, background(keep_asking) as first, background(keep_asking) as second:
        try:
            assert seen[1].wait(60)
            source.number = 2
            assert server.watch.look()
            assert seen[2].wait(60)
        finally:
            over.set()
    for answers in (*first, *second):
        assert {status for status, _, _ in answers} == {200}
        assert all(version.encode() == content for _, version, content in answers)
        assert [version for _, version, _ in answers] == sorted(version for _, version, _ in answers)


def test_a_request_keeps_the_version_that_it_began_with():
    source = MadeSource(made := Made())
    with serving(source) as server, background(lambda: Client(server).ask(body=b"wait")) as found:
        assert made.scoring[1].asked.wait(60)
        source.number = 2
        assert server.watch.look()
        assert Client(server).ask(body=b"rows")[2] == b"2"
        made.scoring[1].released.set()
    assert [(status, headers[VERSION], content) for status, headers, content in found] == [(200, "1", b"1")]


def test_the_watch_looks_by_itself():
    source = MadeSource(Made())
    with serving(source, poll_seconds=0.01) as server:
        client = Client(server)
        source.number = 2
        while client.ask(body=b"rows")[2] != b"2":
            pass
        assert source.loads == [1, 2]


@pytest.mark.parametrize("fault", [EvidenceError("its artefact: model.ubj has changed"), ZeroDivisionError("x")])
def test_what_cannot_be_served_is_counted_and_logged_once_and_the_served_version_stays(fault, caplog):
    source = MadeSource(Made())
    with serving(source) as server, caplog.at_level(logging.INFO, "gauntlet.serving"):
        source.number, source.fault = 2, fault
        assert not any(server.watch.look() for _ in range(3))
        assert Client(server).ask(body=b"rows")[2] == b"1"
        assert _metrics(server)["gauntlet_serve_reload_failures_total",] == 3
        assert len([line for line in caplog.messages if str(fault) in line]) == 1
        source.fault = None
        assert server.watch.look()
        assert not server.watch.look()
        assert Client(server).ask(body=b"rows")[2] == b"2"
        assert source.loads == [1, 2]


def test_a_champion_that_is_gone_leaves_the_served_version():
    source = MadeSource(Made())
    with serving(source) as server:
        source.number = None
        assert not server.watch.look()
        assert Client(server).ask(body=b"rows")[2] == b"1"


def test_a_stop_answers_what_is_in_work_and_takes_nothing_more():
    source = MadeSource(made := Made())
    with serving(source) as server, background(lambda: Client(server).ask(body=b"wait")) as found:
        assert made.scoring[1].asked.wait(60)
        server.stop()
        while _accepts(server):
            pass
        assert found == []
        made.scoring[1].released.set()
        server.wait()
    assert [(status, content) for status, _, content in found] == [(200, b"1")]


def test_a_second_stop_cuts_off_what_is_in_work():
    source = MadeSource(made := Made())

    def ask():
        try:
            return Client(server).ask(body=b"wait")[0]
        except (ConnectionError, http.client.HTTPException):
            return 0

    with serving(source) as server, background(ask) as found:
        assert made.scoring[1].asked.wait(60)
        server.stop()
        server.stop()
        server.wait()
        made.scoring[1].released.set()
    assert found in ([500], [0])


def test_a_body_that_is_too_large_is_413_whether_its_length_is_told_or_not():
    with serving(body_bytes=1000) as server:
        assert Client(server).ask(body=b"x" * 1000)[0] == 200
        for body in (b"x" * 1001, b"x" * 2_000_000, iter([b"x" * 600, b"x" * 600])):
            status, headers, content = Client(server).ask(body=body)
            assert (status, headers["connection"]) == (413, "close")
            assert "1000 bytes" in json.loads(content)["message"]


def test_a_body_that_does_not_arrive_is_408():
    with serving(seconds=0.05) as server, socket.create_connection(("127.0.0.1", urlsplit(server.address).port)) as raw:
        raw.sendall(b"POST /invocations HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nabc")
        assert raw.makefile("rb").readline().startswith(b"HTTP/1.1 408 ")


def test_an_answer_that_takes_too_long_is_504_and_keeps_its_place_until_its_thread_is_done():
    with serving(MadeSource(made := Made()), seconds=0.05, concurrency=1) as server:
        client = Client(server)
        assert client.ask(body=b"wait")[0] == 504
        status, headers, _ = client.ask(body=b"rows")
        assert (status, headers["retry-after"]) == (503, "1")
        assert Client(server).ask("/ping")[0] == 200
        assert _metrics(server)["gauntlet_serve_requests_in_work",] == 1
        made.scoring[1].released.set()
        while _metrics(server)["gauntlet_serve_requests_in_work",]:
            pass
        assert Client(server).ask(body=b"rows")[0] == 200


def test_more_requests_than_allowed_at_once_are_told_to_come_again():
    with (
        serving(MadeSource(made := Made()), concurrency=1) as server,
        background(lambda: Client(server).ask(body=b"wait")) as found,
    ):
        assert made.scoring[1].asked.wait(60)
        assert Client(server).ask(body=b"rows")[0] == 503
        made.scoring[1].released.set()
    assert found[0][0] == 200


def test_a_token_is_asked_for_everywhere_but_at_the_health_checks():
    with serving(token=TOKEN) as server:
        assert Client(server).ask("/ping")[0] == Client(server).ask("/health")[0] == 200
        for path in ("/invocations", "/version", "/model", "/metrics", "/nothing"):
            for shown in ({}, {"Authorization": TOKEN}, {"Authorization": f"Bearer {TOKEN}x"}, {"Authorization": "é"}):
                status, headers, content = Client(server).ask(path, b"rows", **shown)
                assert (status, headers["www-authenticate"]) == (401, "Bearer")
                assert json.loads(content)["error_code"] == "UNAUTHENTICATED"
        right = {"Authorization": f"Bearer {TOKEN}"}
        assert Client(server).ask(body=b"rows", **right)[::2] == (200, b"1")
        metrics = _metrics(server, **right)
        assert metrics["gauntlet_serve_requests_total", "401", "/model"] == 4
        assert metrics["gauntlet_serve_requests_total", "401", "other"] == 4
    assert TOKEN not in repr(ServerSettings(token=TOKEN))


def test_the_metrics_count_requests_rows_versions_and_reloads():
    source = MadeSource(Made())
    with serving(source) as server:
        client = Client(server)
        for body in (b"rows", b"rows", b"secret"):
            client.ask(body=body)
        before = _metrics(server)
        assert before["gauntlet_serve_model", MODEL, "1"] == 1
        source.number = 2
        server.watch.look()
        found = _metrics(server)
    assert found["gauntlet_serve_requests_total", "200", "/invocations"] == 2
    assert found["gauntlet_serve_requests_total", "500", "/invocations"] == 1
    assert found["gauntlet_serve_request_seconds_count",] == 3
    assert found["gauntlet_serve_rows_total",] == 6
    assert found["gauntlet_serve_answers_total", "quick"] == 2
    assert (found["gauntlet_serve_reloads_total",], found["gauntlet_serve_promotion_sequence",]) == (1, 2)
    assert found["gauntlet_serve_model", MODEL, "2"] == 1
    assert ("gauntlet_serve_model", MODEL, "1") not in found


def test_another_version_under_the_same_number_is_served():
    """As in a ledger that was restored from a copy and then promoted another version."""
    source = MadeSource(Made())
    with serving(source) as server:
        assert not server.watch.look()
        source.version = 7
        assert server.watch.look()
        assert (server.watch.served.sequence, server.watch.served.version) == (1, 7)
        assert not server.watch.look()


def test_a_defect_is_500_without_data_in_answer_or_log(caplog):
    with serving() as server:
        status, _, content = Client(server).ask(body=b"secret")
        assert (status, json.loads(content)["error_code"]) == (500, "INTERNAL_ERROR")
        assert "ZeroDivisionError" in caplog.text
        assert "secret" not in content.decode() + caplog.text
        assert Client(server).ask(body=b"rows")[0] == 200


def test_the_access_log_has_a_line_a_request_and_no_data():
    stream = io.StringIO()
    with serving(log=StreamLog(stream)) as server:
        Client(server).ask("/invocations?secret=1", b"rows")
        Client(server).ask("/secret")
    lines = [line.split()[1:] for line in stream.getvalue().splitlines()]
    assert [line[:4] for line in lines] == [
        ["POST", "/invocations", "200", "rows=3"],
        ["GET", "other", "404", "rows=0"],
    ]
    stream.close()
    StreamLog(stream).line(method="GET", route="other", status=404, rows=0, seconds=0.1)  # raises nothing


@pytest.mark.parametrize(
    ("changes", "source", "error", "message"),
    [
        ({"host": "192.0.2.1"}, MadeSource(Made()), InputError, "is no address of this machine"),
        ({"host": "no.such.host.invalid"}, MadeSource(Made()), InputError, "cannot be looked up"),
        ({}, MadeSource(Made(), number=None), RefusedError, "no champion yet"),
        ({}, MadeSource(Made(), fault=EvidenceError("changed")), EvidenceError, "changed"),
    ],
)
def test_a_server_that_cannot_serve_says_why(changes, source, error, message):
    with pytest.raises(error, match=message):
        start(source, ServerSettings(**{"port": 0, **changes}))


def test_a_server_that_ends_before_it_answers_is_an_error(monkeypatch):
    monkeypatch.setattr("uvicorn.Server.run", lambda _server, **_options: None)
    with pytest.raises(RequirementError, match="the server ended at once"):
        start(MadeSource(Made()), ServerSettings(port=0))


def test_a_port_in_use_is_told():
    with serving() as server:
        port = urlsplit(server.address).port
        with pytest.raises(RequirementError, match=f"127.0.0.1:{port}: the port is in use"):
            start(MadeSource(Made()), ServerSettings(port=port))


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.8.8", "::1", "localhost"])
def test_loopback_is_known(host):
    assert ServerSettings(host=host).is_loopback


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.4", "localhost.example.com"])  # noqa: S104 - none is bound
def test_everything_else_is_not_loopback(host):
    assert not ServerSettings(host=host).is_loopback
