"""The wheel: what a cluster gets. It holds the package alone, asks for no Spark, and works from an empty folder."""

import email
import json
import subprocess
import zipfile
from configparser import ConfigParser
from pathlib import Path

import pytest

from gauntlet import __version__
from gauntlet.core.problem_file import load_problem
from tests.e2e.wheel_environment import built_wheel, environment_with

pytestmark = [pytest.mark.e2e, pytest.mark.local_only("looks at what the wheel brings to this machine")]

ROOT = Path(__file__).resolve().parents[2]
FIND = """
import json, gauntlet
from gauntlet.adapters.suite_files import find_suite, load_suite
from gauntlet.core.problem_file import load_problem

problem = load_problem()
paths = [find_suite(name, problem_folder=None) for name in problem.suites.by_table.values()]
expectations = {load_suite(path).name: len(load_suite(path).expectations) for path in paths}
print(json.dumps({"package": gauntlet.__file__, "problem": problem.name, "expectations": expectations}))
"""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """The wheel, built from this checkout without the network."""
    return built_wheel(tmp_path_factory.mktemp("dist"))


@pytest.fixture(scope="module")
def names(wheel):
    with zipfile.ZipFile(wheel) as archive:
        return set(archive.namelist())


@pytest.fixture(scope="module")
def dist_info(wheel):
    """Read a file of the wheel's metadata."""

    def read(name):
        with zipfile.ZipFile(wheel) as archive:
            return archive.read(f"gauntlet_mlops-{__version__}.dist-info/{name}").decode("utf-8")

    return read


@pytest.fixture(scope="module")
def python(wheel, tmp_path_factory):
    """The Python of an environment with the wheel in it."""
    return environment_with(wheel, tmp_path_factory.mktemp("fresh"))


def test_it_holds_the_package_and_nothing_else(names):
    tops = {name.split("/")[0] for name in names}
    assert tops == {"gauntlet", f"gauntlet_mlops-{__version__}.dist-info"}
    package = ROOT / "pipeline" / "gauntlet"
    files = {path for path in package.rglob("*") if path.is_file() and "__pycache__" not in path.parts}
    beside = {"suites": ROOT / "expectations", "infra_modules": ROOT / "infra_modules"}
    assert {name for name in names if name.startswith("gauntlet/")} == {
        *(f"gauntlet/{path.relative_to(package).as_posix()}" for path in files),
        *(
            f"gauntlet/{name}/{path.relative_to(folder).as_posix()}"
            for name, folder in beside.items()
            for path in folder.rglob("*")
            if path.is_file()
        ),
    }


def test_it_holds_the_problem_the_suites_and_the_type_marker(names):
    assert {"gauntlet/problems/wine_quality.toml", "gauntlet/py.typed"} <= names
    for suite in load_problem().suites.by_table.values():
        assert f"gauntlet/suites/{suite}.json" in names


def test_it_asks_for_spark_in_extras_only(dist_info):
    metadata = email.message_from_string(dist_info("METADATA"))
    required = metadata.get_all("Requires-Dist")
    spark = [line for line in required if line.lower().startswith(("pyspark", "delta", "databricks-connect"))]
    assert len(spark) == 4
    assert all(line.endswith(("extra == 'local'", "extra == 'stack'")) for line in spark)
    extras = {"local", "stack", "pytest", "infra", "databricks", "serve", "excel", "notebook", "fast", "tables", "dev"}
    assert set(metadata.get_all("Provides-Extra")) == extras
    assert any(line.startswith("hyperopt") for line in required), "newer clusters do not have it"
    assert not any("@" in line.split(";")[0] for line in required)


def test_its_entry_points_exist(dist_info):
    entries = ConfigParser()
    entries.read_string(dist_info("entry_points.txt"))
    assert dict(entries["console_scripts"]) == {
        "gauntlet": "gauntlet.cli:main",
        "gauntlet-stage": "gauntlet.cli:stage_main",
    }
    assert dict(entries["pytest11"]) == {"gauntlet": "gauntlet.plugin"}


@pytest.mark.parametrize(
    "command", [["-m", "gauntlet"], ["SCRIPTS/gauntlet"], ["SCRIPTS/gauntlet-stage"]], ids=" ".join
)
def test_its_commands_work_from_an_empty_folder(python, tmp_path, command):
    scripts = [word.replace("SCRIPTS", str(python.parent)) for word in command]
    done = subprocess.run([python, *scripts, "--help"], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "Usage: gauntlet" in done.stdout
    assert list(tmp_path.iterdir()) == []


def test_problem_and_suites_come_from_the_wheel(python, tmp_path):
    done = subprocess.run([python, "-c", FIND], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert Path(found["package"]).is_relative_to(python.parent.parent)
    assert found["problem"] == "wine_quality"
    assert set(found["expectations"]) == set(load_problem().suites.by_table.values())
    assert min(found["expectations"].values()) > 0
