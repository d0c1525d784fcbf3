"""The tasks of a job: the entry point of the wheel, called as a wheel task calls it, with the options of ml_job."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path

import hcl2
import pytest

from gauntlet.core.problem_file import default_problem_path
from gauntlet.core.stage_names import STAGE_NAMES
from tests.e2e.wheel_environment import ROOT, built_wheel, environment_with

pytestmark = [pytest.mark.e2e, pytest.mark.local_only("runs a job's tasks by the wheel, on this machine")]

MODULE = ROOT / "infra_modules" / "ml_job"
SECONDS = 600
# Each task is a process of its own on a cluster. Where one stage hands over to the next is in the state folder either
# way, so that two processes for thirteen tasks show what thirteen would, with eleven fewer starts of Spark.
PROCESSES = (("ingest", "package"), ("judge", "report"))

# A wheel task looks the entry point up by the package's name, puts the parameters behind the program's name, and calls
# it. What it returns is success; a SystemExit, whatever its code, may be taken for a failure.
CALLS = """
import importlib.metadata, json, sys

package, name, tasks = json.loads(sys.argv[1])
(entry,) = importlib.metadata.distribution(package).entry_points.select(group="console_scripts", name=name)
function = entry.load()
ends = []
for parameters in tasks:
    sys.argv = [name, *parameters]
    try:
        function()
        ends.append("returned")
    except SystemExit as error:
        ends.append(f"SystemExit {error.code}")
import gauntlet
print("ENDS", json.dumps({"ends": ends, "package": gauntlet.__file__}), flush=True)
"""

# How main.tf puts a task's options together, without blanks; `task_parameters` does the same.
OPTIONS = (
    '${concat(["--target",var.target],flatten([fornameinsort(keys(local.job_parameters)):'
    '["--${replace(name,"_","-")}","{{job.parameters.${name}}}"]]),var.synthetic_data?[]:["--no-synthetic"])}'
)

SMALL = {
    "trials = 96": "trials = 8",
    "lag = 8": "lag = 4",
    "max_rounds = 1000": "max_rounds = 60",
    "reference_trees = 300": "reference_trees = 20",
    "margins = { auc = 0.02, brier = 0.01 }": "margins = { auc = 0.2, brier = 0.1 }",
}


def _blocks(file, kind):
    options = hcl2.SerializationOptions(strip_string_quotes=True, with_comments=False, explicit_blocks=False)
    with (MODULE / file).open(encoding="utf-8") as text:
        return hcl2.load(text, serialization_options=options)[kind]


@pytest.fixture(scope="module")
def defaults():
    """The defaults of the module's variables."""
    return {name: body.get("default") for block in _blocks("variables.tf", "variable") for name, body in block.items()}


@pytest.fixture(scope="module")
def python(tmp_path_factory):
    """The Python of an environment with the wheel in it, without the checkout."""
    return environment_with(built_wheel(tmp_path_factory.mktemp("dist")), tmp_path_factory.mktemp("cluster"))


@pytest.fixture(scope="module")
def job_parameters(tmp_path_factory):
    """The job parameters and their values for this run, as somebody who starts the job gives them."""
    folder = tmp_path_factory.mktemp("volume")
    text = default_problem_path().read_text(encoding="utf-8")
    for before, after in SMALL.items():
        assert text.count(f"\n{before}") == 1, before
        text = text.replace(f"\n{before}", f"\n{after}")
    (folder / "wine.toml").write_text(f"{text}\n[gates.reproducibility]\ntrials = 2\n", encoding="utf-8")
    return {"problem": str(folder / "wine.toml"), "state": str(folder / "state"), "seed": "20261123"}


@pytest.fixture(scope="module")
def task_parameters(job_parameters, real_data):
    """Give a task's parameters, as main.tf puts them together; a job refuses generated rows unless told otherwise."""
    passed: list[str] = []
    for name in sorted(job_parameters):
        passed += [f"--{name.replace('_', '-')}", job_parameters[name]]

    def parameters(stage):
        return [stage, "--target", "local", *passed, *(["--no-synthetic"] if real_data else [])]

    return parameters


@pytest.fixture(scope="module")
def called(python, defaults, tmp_path_factory):
    """Call the entry point once for each list of parameters, in one process; return how each call ended."""

    def call(*tasks):
        what = json.dumps([defaults["package_name"], defaults["entry_point"], tasks])
        done = subprocess.run(
            [python, "-I", "-c", CALLS, what],
            cwd=tmp_path_factory.mktemp("driver"),
            capture_output=True, text=True, timeout=SECONDS, check=False,
        )  # fmt: skip
        (line,) = re.findall(r"^ENDS (.*)$", done.stdout, re.MULTILINE) or [done.stdout + done.stderr]
        found = json.loads(line)
        assert Path(found["package"]).is_relative_to(python.parent.parent), "the wheel's code runs, not the checkout's"
        return found["ends"], done.stdout + done.stderr

    return call


@pytest.fixture(scope="module")
def job(called, defaults, task_parameters):
    """Run the job: all tasks in their order. Return how each ended, and what was printed."""
    stages, ends, printed = defaults["stages"], {}, ""
    for first, last in PROCESSES:
        part = stages[stages.index(first) : stages.index(last) + 1]
        ended, text = called(*map(task_parameters, part))
        ends |= dict(zip(part, ended, strict=True))
        printed += text
    return ends, printed


@pytest.fixture(scope="module")
def summaries(job, job_parameters):
    """The summary that each task left, in the order of the tasks."""
    files = sorted(Path(job_parameters["state"], "runs").glob("*/summary.json"))
    return [json.loads(file.read_text(encoding="utf-8")) for file in files]


def test_the_module_passes_options_in_the_way_this_test_does():
    (block,) = _blocks("main.tf", "locals")
    assert re.sub(r"\s+", "", str(block["options"])) == OPTIONS
    text = (MODULE / "main.tf").read_text(encoding="utf-8")
    assert "parameters   = concat([task.value.stage], local.options)" in text


def test_the_module_runs_the_stages_in_their_order(defaults):
    assert tuple(defaults["stages"]) == STAGE_NAMES


def test_each_task_ends_by_returning(job):
    ends, printed = job
    assert ends == dict.fromkeys(STAGE_NAMES, "returned"), printed


def test_each_task_did_its_own_stage_and_no_other(summaries):
    ran = [[name for name, state in summary["stages"].items() if state == "ran"] for summary in summaries]
    assert ran == [[name] for name in STAGE_NAMES]
    assert [list(summary["stages"])[-1] for summary in summaries] == list(STAGE_NAMES)


def test_the_job_ends_with_a_champion_a_scored_table_and_a_report(summaries, real_data):
    last = summaries[-1]
    assert last["refusal"] is None
    assert last["seed"] == 20261123
    assert last["data"]["synthetic"] is not real_data
    assert last["sweep"]["trials"] == 8
    assert last["champion"]["sequence"] == 1
    assert last["score"]["rows"] == last["data"]["rows"]
    assert last["score"]["model_version"] == last["champion"]["version"]
    assert Path(last["report"]).is_file()


def test_a_task_that_cannot_work_ends_with_its_exit_code(called, task_parameters, tmp_path):
    early = task_parameters("split")
    early[early.index("--state") + 1] = str(tmp_path / "empty")
    nonsense = [*task_parameters("ingest"), "--nonsense", "1"]
    ends, printed = called(["deploy"], nonsense, early)
    assert ends == ["SystemExit 2"] * 3, printed
    assert "stage ingest must run first" in printed
    assert "Traceback" not in printed
