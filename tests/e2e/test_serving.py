"""The command `serve` as a user runs it: it serves the champion, and ends when it is told to."""

import http.client
import json
import signal

import pytest

from tests.commands import SMALL_ROAD
from tests.scoring_servers import gauntlet_server

pytestmark = [pytest.mark.e2e, pytest.mark.local_only("serves the champion of a state folder")]

MODEL = "gauntlet.wine_quality.wine_classifier"


@pytest.fixture
def state(small_road):
    """The state folder of the small road."""
    folder, ended = small_road
    assert ended.code == 0, ended.out
    return folder / ".gauntlet"


def test_the_champion_is_served_until_sigterm_which_is_no_failure(gauntlet, small_road, state, tmp_path):
    folder, _ = small_road
    log = tmp_path / "access.log"
    with gauntlet_server(state, (*SMALL_ROAD, "--access-log", str(log))) as server:
        connection = http.client.HTTPConnection(server.host, timeout=60)
        connection.request("GET", "/model")
        mark = json.loads(connection.getresponse().read())["evidence"]
        probe = gauntlet("evidence", "show", mark, "--json", folder=folder).document["evidence"]["probe"]
        body = json.dumps({"dataframe_split": {"columns": probe["columns"], "data": probe["rows"]}})
        connection.request("POST", "/invocations", body, {"Content-Type": "application/json"})
        answer = connection.getresponse()
        assert answer.status == 200
        assert answer.getheader("x-gauntlet-model") == MODEL
        assert json.loads(answer.read())["predictions"] == probe["probability"]
        connection.request("GET", "/metrics")
        assert b'gauntlet_serve_answers_total{way="quick"} 1.0' in connection.getresponse().read()
        server.process.send_signal(signal.SIGTERM)
        out, _ = server.process.communicate(timeout=60)
        assert (server.process.returncode, out) == (0, "")
    assert [line.split()[2:5] for line in log.read_text(encoding="utf-8").splitlines()] == [
        ["/model", "200", "rows=0"],
        ["/invocations", "200", f"rows={len(probe['rows'])}"],
        ["/metrics", "200", "rows=0"],
    ]


def test_a_folder_without_a_champion_is_one_clear_error(gauntlet, tmp_path):
    (tmp_path / ".gauntlet").mkdir()
    ended = gauntlet("serve", "--json", folder=tmp_path)
    assert ended.code == ended.document["exit_code"] == 1
    assert "has no champion yet" in ended.document["error"]
    assert "Traceback" not in ended.err


def test_a_port_in_use_is_one_clear_error_and_ctrl_c_frees_it(gauntlet, small_road, state):
    with gauntlet_server(state, SMALL_ROAD) as server:
        port = server.host.rpartition(":")[2]
        ended = gauntlet("serve", *SMALL_ROAD, "--port", port, "--json", folder=small_road[0])
        server.process.send_signal(signal.SIGINT)
        server.process.communicate(timeout=60)
        assert server.process.returncode == 0
        with pytest.raises(ConnectionRefusedError):
            server.ask(b"")
    assert ended.code == 3
    assert f"127.0.0.1:{port}: the port is in use" in ended.document["error"]
