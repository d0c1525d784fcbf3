"""The class archive of Spark's JVM: used where it is whole and fits this Java and these jars, else not."""

import json
import shlex
import subprocess
from pathlib import Path

import pytest

from gauntlet.adapters import class_archive
from gauntlet.adapters.class_archive import archive_at_hand, recording_options, sharing_options, write_archive
from gauntlet.adapters.spark import local_settings
from gauntlet.core.errors import RequirementError

pytestmark = pytest.mark.unit


@pytest.fixture(autouse=True)
def java(tmp_path, monkeypatch):
    """A Java of our own, and an empty cache in a folder whose name holds a blank."""
    program = tmp_path / "java home" / "bin" / "java"
    program.parent.mkdir(parents=True)
    program.write_text("#!/bin/sh\n", encoding="utf-8")
    monkeypatch.setenv("JAVA_HOME", str(program.parent.parent))
    monkeypatch.setenv("GAUNTLET_CACHE_DIR", str(tmp_path / "a cache"))
    return program


@pytest.fixture
def jars(tmp_path):
    """A jar."""
    jar = tmp_path / "delta.jar"
    jar.write_bytes(b"classes")
    return [jar]


@pytest.fixture
def recording(monkeypatch):
    """A recording that writes what it is told to, in place of a JVM; returns the commands that were run."""
    run = []

    def record(command, **_options):
        run.append(command)
        Path(command[3]).write_bytes(b"archive")
        return subprocess.CompletedProcess(command, 0, "", "")

    monkeypatch.setattr(class_archive.subprocess, "run", record)
    return run


def test_without_an_archive_java_is_told_nothing(jars):
    assert sharing_options(jars) == ""
    assert not archive_at_hand(jars)


def test_a_written_archive_is_used(jars, recording):
    archive = write_archive(jars)
    assert recording[0][4:] == [str(jar) for jar in jars]
    assert archive.read_bytes() == b"archive"
    assert f"-XX:SharedArchiveFile={archive}" in shlex.split(sharing_options(jars))
    assert archive_at_hand(jars)
    assert sorted(path.suffix for path in archive.parent.iterdir()) == [".jsa", ".json"]


@pytest.mark.parametrize("content", [b"archiv", b"archive and more", b""])
def test_an_archive_of_another_size_is_not_used(jars, recording, content):
    archive = write_archive(jars)
    archive.write_bytes(content)
    assert sharing_options(jars) == ""


@pytest.mark.parametrize("stamp", ["", "{}", "[]", "null", json.dumps({"size": "7"})])
def test_an_archive_whose_size_is_not_known_is_not_used(jars, recording, stamp):
    archive = write_archive(jars)
    archive.with_suffix(".json").write_text(stamp, encoding="utf-8")
    assert sharing_options(jars) == ""


def test_another_java_or_another_jar_wants_another_archive(jars, java, recording, tmp_path):
    write_archive(jars)
    (tmp_path / "more.jar").write_bytes(b"more")
    assert not archive_at_hand([*jars, tmp_path / "more.jar"])
    java.write_text("#!/bin/sh\n# another version\n", encoding="utf-8")
    assert not archive_at_hand(jars)


def test_a_changed_jar_wants_another_archive_and_the_old_one_goes(jars, recording):
    first = write_archive(jars)
    other = first.with_name("of-another-installation.jsa")
    other.write_bytes(b"archive")
    jars[0].write_bytes(b"other classes")
    assert not archive_at_hand(jars)
    second = write_archive(jars)
    assert second != first
    assert not first.exists()
    assert archive_at_hand(jars)
    assert other.exists()


def test_a_recording_without_an_archive_is_an_error_and_leaves_nothing(jars, monkeypatch, tmp_path):
    def fail(command, **_options):
        return subprocess.CompletedProcess(command, 1, "", "a warning\nno space left on device")

    monkeypatch.setattr(class_archive.subprocess, "run", fail)
    with pytest.raises(RequirementError, match="no space left on device"):
        write_archive(jars)
    assert not list((tmp_path / "a cache" / "classes").iterdir())


def test_without_java_there_is_nothing_to_write_for(jars, java):
    java.unlink()
    with pytest.raises(RequirementError, match="gauntlet doctor"):
        write_archive(jars)


def test_a_session_uses_the_archive_and_has_delta_on_the_class_path(jars, recording, tmp_path):
    archive = write_archive(jars)
    settings = local_settings(jars=jars, warehouse=tmp_path)
    assert f'"-XX:SharedArchiveFile={archive}"' in settings["spark.driver.extraJavaOptions"]
    assert settings["spark.driver.extraClassPath"] == str(jars[0])


def test_a_recording_session_does_not_use_the_archive_that_it_writes(jars, recording, tmp_path):
    write_archive(jars)
    options = recording_options(tmp_path / "new.jsa")
    java = local_settings(jars=jars, warehouse=tmp_path, options=options)["spark.driver.extraJavaOptions"]
    assert "SharedArchiveFile" not in java
    assert f'"-XX:ArchiveClassesAtExit={tmp_path / "new.jsa"}"' in java


@pytest.mark.parametrize(("data_bytes", "quick"), [(0, True), (10_000_000, True), (1_000_000_000, False)])
def test_java_compiles_thoroughly_and_spark_whole_queries_only_for_much_data(jars, tmp_path, data_bytes, quick):
    settings = local_settings(jars=jars, warehouse=tmp_path, data_bytes=data_bytes)
    assert ("-XX:TieredStopAtLevel=1" in settings["spark.driver.extraJavaOptions"].split()) == quick
    assert settings.get("spark.sql.codegen.wholeStage", "true") == ("false" if quick else "true")
