"""The look at the environment: what is missing is named with what to do, before anything is started."""

import json
import shutil
from collections import namedtuple

import pytest

from gauntlet import cli
from gauntlet.adapters import environment
from gauntlet.adapters.environment import examine, require
from gauntlet.adapters.jars import DELTA_MODULES, DELTA_VERSION, delta_jars
from gauntlet.adapters.java import java_program
from gauntlet.core.errors import RequirementError
from gauntlet.core.state import State

pytestmark = pytest.mark.unit

Usage = namedtuple("Usage", "total used free")


@pytest.fixture
def programs(tmp_path, monkeypatch):
    """Make the only folder on PATH; returns a function that puts a program there."""
    folder = tmp_path / "programs"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))
    monkeypatch.delenv("JAVA_HOME", raising=False)

    def put(name, output, *, code=0, into=folder):
        into.mkdir(parents=True, exist_ok=True)
        program = into / name
        program.write_text(f"#!/bin/sh\necho '{output}' >&2\nexit {code}\n", encoding="utf-8")
        program.chmod(0o755)
        return program

    return put


@pytest.fixture
def state(tmp_path):
    return State(tmp_path / "state")


def _finding(state, name, *, target="local"):
    (found,) = (finding for finding in examine(state, target=target) if finding.name == name)
    return found


def _run(capsys, *arguments):
    with pytest.raises(SystemExit) as caught:
        cli.main(list(arguments))
    captured = capsys.readouterr()
    return caught.value.code, captured.out, captured.err


@pytest.mark.parametrize(
    ("output", "status", "found"),
    [
        ('openjdk version "1.8.0_392"', "missing", "version 8"),
        ('openjdk version "11.0.21" 2023-10-17', "missing", "version 11"),
        ('openjdk version "17.0.9" 2023-10-17', "ok", "version 17"),
        ('java version "21" 2023-09-19 LTS', "ok", "version 21"),
        ('Picked up JAVA_TOOL_OPTIONS: -Xmx1g\nopenjdk version "25-ea"', "ok", "version 25"),
        (
            "The operation could not be completed. Unable to locate a Java Runtime.",
            "missing",
            "does not say its version",
        ),
        ("", "missing", "does not say its version"),
    ],
)
def test_java_is_judged_by_the_version_it_prints(programs, state, output, status, found):
    programs("java", output)
    java = _finding(state, "Java")
    assert java.status == status
    assert found in java.found
    assert ("install a Java 17 or newer runtime" in java.advice) is (status == "missing")


def test_a_java_that_cannot_be_started_is_missing(programs, state):
    program = programs("java", "")
    program.write_bytes(b"\x00no program")
    assert _finding(state, "Java").status == "missing"


def test_no_java_at_all_is_missing(programs, state):
    java = _finding(state, "Java")
    assert (java.status, java.found) == ("missing", "no java on PATH")
    assert "apt install default-jre-headless" in java.advice


def test_java_home_counts_before_path_as_it_does_for_spark(programs, state, tmp_path, monkeypatch):
    programs("java", 'openjdk version "21.0.1"')
    home = tmp_path / "jdk"
    programs("java", 'openjdk version "11.0.21"', into=home / "bin")
    monkeypatch.setenv("JAVA_HOME", str(home))
    assert java_program() == home / "bin" / "java"
    assert "version 11" in _finding(state, "Java").found


def test_a_wrong_java_home_is_named_and_path_does_not_make_it_good(programs, state, tmp_path, monkeypatch):
    programs("java", 'openjdk version "21.0.1"')
    monkeypatch.setenv("JAVA_HOME", str(tmp_path / "gone"))
    java = _finding(state, "Java")
    assert java.status == "missing"
    assert java.found == f"JAVA_HOME={tmp_path / 'gone'} holds no bin/java"
    assert java.advice == "unset JAVA_HOME or correct it"


def test_jars_are_resolved_with_the_java_of_java_home(programs, tmp_path, monkeypatch):
    """With Java in JAVA_HOME only, fetching the jars must not look for it on PATH."""
    home = tmp_path / "jdk"
    programs("java", "downloading: UnknownHostException", code=1, into=home / "bin")
    monkeypatch.setenv("JAVA_HOME", str(home))
    monkeypatch.setenv("GAUNTLET_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.delenv("GAUNTLET_JARS_DIR", raising=False)
    monkeypatch.setattr("gauntlet.adapters.jars._ivy_jar", lambda: tmp_path / "ivy.jar")
    with pytest.raises(RequirementError, match=r"could not be fetched \(downloading: UnknownHostException\)"):
        delta_jars()
    assert list((tmp_path / "cache" / "jars").iterdir()) == []


def test_a_jars_folder_without_the_jars_says_which_are_wanted(tmp_path, monkeypatch):
    monkeypatch.setenv("GAUNTLET_JARS_DIR", str(tmp_path))
    with pytest.raises(RequirementError, match=f"GAUNTLET_JARS_DIR={tmp_path}: must hold {DELTA_MODULES[0]}"):
        delta_jars()
    for name in DELTA_MODULES:
        (tmp_path / f"{name}-{DELTA_VERSION}.jar").touch()
    assert {jar.parent for jar in delta_jars()} == {tmp_path}


def test_a_full_disk_is_found_before_the_run(state, monkeypatch):
    monkeypatch.setattr(shutil, "disk_usage", lambda _: Usage(2**40, 2**40, 100 * 2**20))
    disk = _finding(state, "state folder")
    assert disk.status == "missing"
    assert "100 MB free" in disk.found
    assert "free at least 500 MB" in disk.advice
    monkeypatch.setattr(shutil, "disk_usage", lambda _: Usage(2**40, 0, 2**40))
    assert _finding(state, "state folder").status == "ok"


def test_a_state_folder_under_a_file_cannot_be_written(tmp_path):
    (tmp_path / "file").touch()
    disk = _finding(State(tmp_path / "file" / "state"), "state folder")
    assert disk.status == "missing"
    assert "cannot be written" in disk.found


def test_a_folder_without_write_permission_cannot_be_written(state, monkeypatch):
    monkeypatch.setattr(environment.os, "access", lambda *_: False)  # root may write anywhere
    assert _finding(state, "state folder").status == "missing"


@pytest.mark.parametrize(("version", "status"), [((3, 11, 2), "ok"), ((3, 13, 0), "ok"), ((3, 14, 0), "missing")])
def test_a_python_that_was_never_tried_is_refused(state, monkeypatch, version, status):
    monkeypatch.setattr(environment.sys, "version_info", version)
    assert _finding(state, "Python").status == status


def test_pyspark_not_installed_names_the_extra(state, monkeypatch):
    def absent(name):
        raise environment.importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(environment.importlib.metadata, "version", absent)
    pyspark = _finding(state, "pyspark")
    assert (pyspark.status, pyspark.advice) == ("missing", "pip install 'gauntlet-mlops[local]'")


def test_terraform_is_wanted_by_the_infrastructure_tests_only(programs, state):
    assert _finding(state, "Terraform").status == "optional"
    programs("terraform", "Terraform v1.9.8\non linux_amd64")
    assert (_finding(state, "Terraform").status, _finding(state, "Terraform").found) == ("ok", "1.9.8")
    programs("terraform", "Terraform v1.8.5\non linux_amd64")
    assert (_finding(state, "Terraform").status, _finding(state, "Terraform").found) == ("optional", "version 1.8.5")


def test_jars_not_fetched_yet_do_not_stop_a_run(programs, state, tmp_path, monkeypatch):
    programs("java", 'openjdk version "17.0.9"')
    monkeypatch.delenv("GAUNTLET_JARS_DIR", raising=False)
    monkeypatch.setenv("GAUNTLET_CACHE_DIR", str(tmp_path / "cache"))
    assert _finding(state, "Delta's jars").status == "optional"
    assert "gauntlet prepare" in _finding(state, "class archive").advice
    require(state, target="local")


def test_each_missing_thing_is_named(programs, state, monkeypatch):
    monkeypatch.setattr(shutil, "disk_usage", lambda _: Usage(2**40, 2**40, 0))
    with pytest.raises(RequirementError) as caught:
        require(state, target="remote")
    lines = str(caught.value).splitlines()
    assert [line.split(":")[0] for line in lines] == ["state folder", "cache folder", "target remote"]
    assert all(";" in line for line in lines)


def test_each_thing_that_a_local_run_lacks_is_named(programs, state, monkeypatch):
    monkeypatch.setattr(shutil, "disk_usage", lambda _: Usage(2**40, 2**40, 0))
    with pytest.raises(RequirementError) as caught:
        require(state, target="local")
    assert [line.split(":")[0] for line in str(caught.value).splitlines()] == ["Java", "state folder", "cache folder"]


def test_doctor_without_java_shows_what_to_install_and_ends_with_3(programs, capsys, state):
    code, out, err = _run(capsys, "doctor", "--state", str(state.root))
    assert code == 3
    assert "no java on PATH" in out
    assert "default-jre-headless" in out
    assert "Traceback" not in out + err
    code, out, _ = _run(capsys, "doctor", "--json", "--state", str(state.root))
    assert code == 3
    document = json.loads(out)
    assert document["ready"] is False
    assert {"name": "Java", "status": "missing"}.items() <= document["findings"][1].items()


def test_doctor_with_java_is_content(programs, capsys, state):
    programs("java", 'openjdk version "17.0.9"')
    code, out, _ = _run(capsys, "doctor", "--json", "--state", str(state.root))
    assert code == 0
    assert json.loads(out)["ready"] is True


def test_doctor_looks_at_the_target_of_the_environment(programs, capsys, state, monkeypatch):
    monkeypatch.setenv("GAUNTLET_TARGET", "remote")
    for name in ("GAUNTLET_REMOTE_SPARK", "GAUNTLET_REMOTE_MLFLOW"):
        monkeypatch.delenv(name, raising=False)
    code, out, _ = _run(capsys, "doctor", "--json", "--state", str(state.root))
    missing = [finding for finding in json.loads(out)["findings"] if finding["status"] == "missing"]
    assert (code, [finding["name"] for finding in missing]) == (3, ["target remote"])
    monkeypatch.setenv("GAUNTLET_TARGET", "mars")
    assert _run(capsys, "doctor", "--state", str(state.root))[0] == 2


@pytest.mark.parametrize("command", [("run",), ("run", "--dry-run"), ("stage", "ingest")])
def test_run_without_java_says_so_in_one_line_and_leaves_nothing(programs, capsys, state, command):
    code, out, err = _run(capsys, *command, "--state", str(state.root))
    assert code == 3
    assert out == ""
    advice = "install a Java 17 or newer runtime (Debian, Ubuntu: apt install default-jre-headless)"
    assert err.strip() == f"error: Java: no java on PATH; {advice}"
    assert not state.root.exists()


def test_doctor_leaves_nothing(programs, capsys, state, tmp_path, monkeypatch):
    monkeypatch.setenv("GAUNTLET_CACHE_DIR", str(tmp_path / "cache"))
    before = sorted(tmp_path.iterdir())
    _run(capsys, "doctor", "--state", str(state.root))
    assert sorted(tmp_path.iterdir()) == before
    assert not state.root.exists()
