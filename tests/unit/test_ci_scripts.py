"""The scripts of ci/ and .ci/run: pins cover the tree, one installation is made when needed, nothing is assumed."""

import importlib.util
import os
import re
import shutil
import subprocess
import sys
import tomllib
import venv
from pathlib import Path

import pytest

pytestmark = pytest.mark.unit

ROOT = Path(__file__).resolve().parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def _script(name):
    spec = importlib.util.spec_from_file_location(f"ci_{name}", ROOT / "ci" / f"{name}.py")
    module = sys.modules[spec.name] = importlib.util.module_from_spec(spec)  # dataclasses look their module up there
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def update():
    return _script("update_constraints")


@pytest.fixture
def suite(monkeypatch):
    monkeypatch.syspath_prepend(ROOT / "ci")  # where it finds its sibling, as when it is run
    return _script("suite")


def test_the_constraints_are_plain_lines_without_addresses(update):
    text = update.CONSTRAINTS.read_text(encoding="utf-8")
    assert not re.search(r"://|@|--|\[", text)
    pins = update.Pins.parse(text)
    assert pins.render() == text
    assert len(pins.versions) > 100
    assert {python for versions in pins.versions.values() for python in versions} == set(update.PYTHONS)


def test_the_constraints_cover_what_is_declared(update):
    pins = update.Pins.parse(update.CONSTRAINTS.read_text(encoding="utf-8"))
    for python in update.PYTHONS:
        assert list(update.gaps(pins, wanted=update.declared(PROJECT), installed={}, python=python)) == []
    assert {"pyspark", "python-terraform", "pytest", "hatchling", "nbclient"} <= update.declared(PROJECT)


@pytest.fixture
def locks(monkeypatch):
    monkeypatch.syspath_prepend(ROOT / "ci")  # where it finds its siblings, as when it is run
    return _script("update_lock")


def test_the_locks_fit_the_constraints(locks, capsys):
    assert locks.main(["--check"]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "lock.txt: fits the constraints",
        "lock_tools.txt: fits the constraints",
    ]
    assert len(locks.locked(locks.LOCK.read_text(encoding="utf-8"))) > 150


HASH = f"--hash=sha256:{'a' * 64}"


@pytest.mark.parametrize(
    ("lock", "fault"),
    [
        (f"one==1 \\\n    {HASH}\ntwo==2\n", "two: has no hash"),
        (f"two==2\none==1 \\\n    {HASH}\n", "two: has no hash"),
        (f"one==2 \\\n    {HASH}\ntwo==2 \\\n    {HASH}\n", "one: locked in version 2, pinned to 1"),
        (f"one==1 \\\n    {HASH}\n", "two: wanted, not locked"),
        (f"--index-url https://elsewhere\none==1 \\\n    {HASH}\n", "is neither a version nor a hash"),
        ("one==1 \\\n    --hash=md5:0\n", "is neither a version nor a hash"),
    ],
)
def test_what_a_lock_lacks_is_named(locks, update, lock, fault):
    pins = update.Pins.parse("one==1\ntwo==2\n")
    sound = f"# made\none==1 \\\n    {HASH} \\\n    {HASH}\ntwo==2 ; python_version > '3' \\\n    {HASH}\n"
    assert list(locks.faults(sound, pins=pins, wanted=["one", "two"])) == []
    assert any(fault in found for found in locks.faults(lock, pins=pins, wanted=["one", "two"]))


def test_gaps_are_named(update):
    pins = update.Pins.parse('one==1\ntwo==2 ; python_version < "3.12"\nmac==1 ; sys_platform == "darwin"\n')
    gaps = update.gaps(
        pins,
        wanted=["one", "two", "mac", "three"],
        installed={"one": "1.1", "two": "2", "four": "4"},
        python="3.12",
    )
    assert list(gaps) == [
        "three: declared in pyproject.toml, not pinned",
        "four: installed in version 4, not pinned",
        "one: installed in version 1.1, pinned to 1",
        "two: installed in version 2, not pinned",
    ]


def test_pins_of_several_pythons_become_one_file(update):
    pins = update.Pins.parse('Old_Name==1\ngone==1\nmac==1 ; sys_platform == "darwin"\n')
    pins.merge({"old-name": "1", "differs": "1", "backport": "3"}, python="3.11")
    pins.merge({"old-name": "1", "differs": "2"}, python="3.12")
    assert "gone" in pins.versions, "Python 3.13 may still need it"
    pins.merge({"old-name": "1", "differs": "2"}, python="3.13")
    text = pins.render()
    assert text.splitlines()[1:] == [
        'backport==3 ; python_version < "3.12"',
        'differs==1 ; python_version < "3.12"',
        'differs==2 ; python_version >= "3.12"',
        'mac==1 ; sys_platform == "darwin"',
        "old-name==1",
    ]
    assert update.Pins.parse(text).versions == pins.versions
    assert "differs==1\n" in pins.constraints("3.11")
    assert "backport==3\n" in pins.constraints("3.13"), "a new need takes the version that the others have"


@pytest.mark.parametrize("line", ["requests", "requests>=2", "-r more.txt", 'one==1 ; python_version > "3.11"'])
def test_a_line_of_another_form_is_refused(update, line):
    with pytest.raises(ValueError, match=r"expected name==version|none of those"):
        update.Pins.parse(line)


def test_the_suite_is_installed_once_and_again_when_something_changed(suite, tmp_path, monkeypatch, capsys):
    root, folder = tmp_path / "project", tmp_path / "work" / "suite"
    (root / "ci").mkdir(parents=True)
    monkeypatch.setattr(suite, "ROOT", root)
    monkeypatch.setattr(suite, "LOCK", root / "ci" / "lock.txt")
    project = '[build-system]\nrequires = []\n[project]\nname = "{}"\n[tool.ruff]\nline-length = {}\n'
    (root / "pyproject.toml").write_text(project.format("a", 1), encoding="utf-8")
    suite.LOCK.write_text("one==1\n", encoding="utf-8")
    calls = []
    monkeypatch.setattr(venv.EnvBuilder, "create", lambda _, place: Path(place).mkdir(exist_ok=True))
    monkeypatch.setattr(subprocess, "run", lambda command, **_: calls.append(command))

    assert [suite.main([str(folder)]) for _ in range(2)] == [0, 0]
    assert len(calls) == 2
    assert calls[0][-3:] == ["--require-hashes", "-r", str(suite.LOCK)]
    assert {"--no-deps", "--no-build-isolation"} < set(calls[1])
    assert calls[1][-2:] == ["-e", str(root)]
    (root / "pyproject.toml").write_text(project.format("a", 2), encoding="utf-8")
    assert suite.main([str(folder)]) == 0
    assert len(calls) == 2, "how a tool is set up changes nothing that is installed"
    for path, text in ((root / "pyproject.toml", project.format("b", 2)), (suite.LOCK, "one==2\n")):
        path.write_text(text, encoding="utf-8")
        assert suite.main([str(folder)]) == 0
    assert len(calls) == 6

    def broken(command, **_):
        raise subprocess.CalledProcessError(7, command)

    suite.LOCK.write_text("one==3\n", encoding="utf-8")
    monkeypatch.setattr(subprocess, "run", broken)
    assert suite.main([str(folder)]) == 1
    assert "pip ended with exit code 7" in capsys.readouterr().err
    up_to_date = sys.modules["tool_environment"].up_to_date
    assert not up_to_date(folder, wanted=suite.stamp()), "a broken installation must not be taken for a whole one"


def test_sizes_are_sorted_and_summed(capsys):
    sizes = _script("sizes")
    assert sizes.main(["--top", "3"]) == 0
    *shown, total = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert len(shown) == 3
    values = [float(words[0]) for words in shown]
    assert values == sorted(values, reverse=True)
    assert values[0] > 0
    assert float(total[0]) >= sum(values)


@pytest.fixture
def bare_machine(tmp_path):
    """A clone on a machine with little else than a shell; returns a function that starts the script, and others."""
    clone, programs = tmp_path / "work" / "clone", tmp_path / "programs"
    (clone / ".ci").mkdir(parents=True)
    programs.mkdir()
    shutil.copy(ROOT / ".ci" / "run", clone / ".ci" / "run")
    (clone / "README.md").write_text(
        '# Title\n<!-- command: test -->\n```sh\necho "CI=$CI data=$GAUNTLET_DATA_DIR in $PWD" && echo 3 passed\n```\n',
        encoding="utf-8",
    )
    for name in ("bash", "sh", "sed", "head", "id", "dirname", "realpath", "find", "sort", "cat", "chmod"):
        (programs / name).symlink_to(shutil.which(name))

    def put(name, text):
        path = programs / name
        path.unlink(missing_ok=True)
        path.write_text(f"#!/bin/sh\n{text}\n", encoding="utf-8")
        path.chmod(0o755)

    def start(**variables):
        return subprocess.run(
            [shutil.which("bash"), str(clone / ".ci" / "run")],
            env={"PATH": str(programs), "HOME": str(tmp_path)} | variables,
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
        )

    put("python3", "exit 0")
    put("java", "echo 'openjdk version \"17.0.9\"' >&2")
    put("initdb", "exit 0")
    put("apt-get", f'echo "$@" >> {tmp_path}/apt.log')
    return start, put, clone, tmp_path / "apt.log"


def test_a_machine_that_has_everything_installs_nothing(bare_machine):
    start, _, clone, apt = bare_machine
    done = start()
    assert done.returncode == 0, done.stderr
    assert f"CI=true data= in {clone}" in done.stdout
    assert "3 passed" in done.stdout
    assert not apt.exists()


def test_the_real_data_is_used_where_it_lies_beside_the_clone(bare_machine):
    start, _, clone, _ = bare_machine
    data = clone.parent / "shared" / "data" / "wine-quality"
    data.mkdir(parents=True)
    assert f"data={data} in" in start().stdout
    assert "data=/elsewhere in" in start(GAUNTLET_DATA_DIR="/elsewhere").stdout
    assert "CI=false" in start(CI="false").stdout


def test_what_is_lacking_is_installed_by_root(bare_machine):
    start, put, _, apt = bare_machine
    put("id", "echo 0")
    put("java", "echo 'openjdk version \"11.0.2\"' >&2")
    install = f"""echo "$@" >> {apt}
case "$*" in
  *openjdk-17*) exit 100 ;;
  *openjdk-21*) printf '#!/bin/sh\\necho \\'openjdk version "21.0.1"\\' >&2\\n' > "$(dirname "$0")/java" ;;
esac"""
    put("apt-get", install.replace("\\'", "'\"'\"'"))
    done = start()
    assert done.returncode == 0, done.stdout + done.stderr
    first, *others = apt.read_text(encoding="utf-8").splitlines()
    assert first == "update -q"
    assert [line.split()[-1] for line in others] == ["openjdk-17-jre-headless", "openjdk-21-jre-headless"]
    assert "lacking: a Java 17 or newer runtime" in done.stdout


def test_without_rights_it_says_what_to_install(bare_machine):
    start, put, _, apt = bare_machine
    put("id", "echo 1000")
    put("java", "exit 127")
    done = start()
    assert done.returncode == 3
    assert "lacking: a Java 17 or newer runtime" in done.stdout
    assert "no rights to install packages; run as root or with sudo" in done.stderr
    assert not apt.exists()


def test_a_python_that_stays_too_old_is_named(bare_machine):
    start, put, _, apt = bare_machine
    put("id", "echo 0")
    put("python3", 'if [ "$1" = --version ]; then echo Python 3.10.12; else exit 1; fi')
    done = start()
    assert done.returncode == 3
    assert "python3 is Python 3.10.12; put Python 3.11 or newer, with venv, first on PATH" in done.stderr
    assert "python3-venv" in apt.read_text(encoding="utf-8")


def test_red_tests_make_it_red(bare_machine):
    start, _, clone, _ = bare_machine
    text = "<!-- command: test -->\n```sh\necho 1 failed && exit 4\n```\n"
    (clone / "README.md").write_text(text, encoding="utf-8")
    assert start().returncode == 4
    (clone / "README.md").write_text("nothing\n", encoding="utf-8")
    done = start()
    assert done.returncode == 3
    assert "has no block marked" in done.stderr


def test_the_script_can_be_executed():
    assert os.access(ROOT / ".ci" / "run", os.X_OK)
