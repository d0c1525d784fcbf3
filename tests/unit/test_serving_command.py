"""The command `serve`: what it refuses before it serves anything."""

import importlib.util

import pytest

from gauntlet.cli_serve import serve
from gauntlet.core.errors import InputError, RefusedError, RequirementError
from gauntlet.serving.settings import ServerSettings

pytestmark = pytest.mark.unit

TOKEN = "0123456789abcdef"  # noqa: S105 - of no server but these


@pytest.fixture
def run(tmp_path, monkeypatch):
    """Run the command in a state folder without a champion, from which no server comes up."""
    monkeypatch.delenv("GAUNTLET_SERVE_TOKEN", raising=False)

    def run(*arguments):
        return serve.main(["--state", str(tmp_path), "--port", "0", *arguments], standalone_mode=False)

    return run


@pytest.fixture
def started(monkeypatch):
    """Catch the settings that a server would be started with."""
    found = []

    def start(_source, settings, *, access_log=None):
        found.append((settings, access_log))
        raise RefusedError("not started")

    monkeypatch.setattr("gauntlet.serving.server.start", start)
    return found


def test_without_a_champion_there_is_nothing_to_serve(run):
    with pytest.raises(RefusedError, match="has no champion yet"):
        run()


def test_without_a_state_folder_it_says_so(run):
    with pytest.raises(InputError, match="nowhere: no state folder"):
        run("--state", "nowhere")


def test_without_its_packages_it_names_the_extra(run, monkeypatch):
    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "uvicorn" else find(name))
    with pytest.raises(RequirementError, match=r"needs uvicorn, which is not installed: pip install 'gauntlet-mlops\["):
        run()


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1"])  # noqa: S104 - refused, not bound
def test_beyond_loopback_a_token_is_needed(run, started, monkeypatch, host):
    with pytest.raises(InputError, match="GAUNTLET_SERVE_TOKEN or give --token-file"):
        run("--host", host)
    assert started == []
    monkeypatch.setenv("GAUNTLET_SERVE_TOKEN", TOKEN)
    with pytest.raises(RefusedError, match="not started"):
        run("--host", host)
    assert [settings.token for settings, _ in started] == [TOKEN]


def test_a_token_file_stands_before_the_environment_and_its_last_line_break_counts_not(
    run, started, monkeypatch, tmp_path
):
    monkeypatch.setenv("GAUNTLET_SERVE_TOKEN", TOKEN)
    file = tmp_path / "token"
    file.write_text("f" * 32 + "\n", encoding="utf-8")
    with pytest.raises(RefusedError, match="not started"):
        run("--token-file", str(file))
    assert [settings.token for settings, _ in started] == ["f" * 32]


@pytest.mark.parametrize("text", ["", "\n", "short", "with spaces in it, long", "é" * 16, "a" * 20 + "\tb"])
def test_a_token_that_is_of_no_use_is_refused(run, started, tmp_path, text):
    file = tmp_path / "token"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(InputError, match="openssl rand -hex 32"):
        run("--token-file", str(file))
    with pytest.raises(InputError, match="cannot be read"):
        run("--token-file", str(tmp_path / "none"))
    assert started == []


def test_the_options_reach_the_server(run, started, tmp_path):
    options = ("--max-bytes", "5", "--max-rows", "6", "--timeout", "7", "--concurrency", "8", "--poll", "9")
    with pytest.raises(RefusedError, match="not started"):
        run(*options, "--drain", "10", "--access-log", str(tmp_path / "access.log"))
    ((settings, log),) = started
    limits = settings.limits
    assert (limits.body_bytes, limits.rows, limits.seconds, limits.concurrency) == (5, 6, 7.0, 8)
    assert (settings.poll_seconds, settings.drain_seconds, settings.token) == (9.0, 10.0, None)
    assert log is not None
    with pytest.raises(InputError, match="cannot be written"):
        run("--access-log", str(tmp_path))


def test_the_defaults_of_the_options_are_those_of_the_server(run, started):
    with pytest.raises(RefusedError, match="not started"):
        run("--port", str(ServerSettings().port))
    assert started == [(ServerSettings(), None)]
