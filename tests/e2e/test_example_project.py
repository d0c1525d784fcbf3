"""The example project: it installs the wheel, and judges its own model from outside of this checkout."""

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.e2e.wheel_environment import built_wheel, environment_with

pytestmark = [pytest.mark.e2e, pytest.mark.local_only("is about another project, with settings of its own")]

EXAMPLE = Path(__file__).resolve().parents[1] / "example_project"


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    """A copy of the project, and the Python of an environment with the wheel in it."""
    folder = tmp_path_factory.mktemp("elsewhere") / "customers"
    shutil.copytree(EXAMPLE, folder, ignore=shutil.ignore_patterns("__pycache__", ".pytest_cache"))
    wheel = built_wheel(tmp_path_factory.mktemp("dist"))
    return folder, environment_with(wheel, tmp_path_factory.mktemp("environment"))


def _pytest(project, *arguments):
    folder, python = project
    done = subprocess.run(
        [python, "-m", "pytest", *arguments], cwd=folder, capture_output=True, text=True, check=False, timeout=300
    )
    return done.returncode, done.stdout + done.stderr


def test_its_model_is_judged_one_item_a_gate(project):
    code, said = _pytest(project)
    assert code == 0, said
    assert "what this run did not check" in said
    assert "test_model.py" in said


def test_its_package_called_pipeline_is_its_own(project):
    folder, python = project
    code = "import gauntlet, pipeline; print(gauntlet.__file__); print(pipeline.__file__)"
    done = subprocess.run([python, "-c", code], cwd=folder, capture_output=True, text=True, check=True)
    ours, its_own = map(Path, done.stdout.split())
    assert ours.is_relative_to(python.parent.parent)
    assert its_own.is_relative_to(folder)
