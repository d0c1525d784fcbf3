"""`gauntlet deploy`, `gauntlet job run` and `gauntlet doctor --target databricks`, with the real SDK."""

import json
import sys
import types
import zipfile
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from gauntlet import cli
from gauntlet.adapters import databricks_compute
from gauntlet.adapters.databricks_compute import fault_of_client, open_session
from gauntlet.adapters.databricks_settings import databricks_settings
from gauntlet.adapters.workspace_files import WorkspaceFiles
from gauntlet.core.errors import RequirementError
from tests.workspace_stand_in.jobs import End, Job
from tests.workspace_stand_in.server import USER

pytestmark = [pytest.mark.remote, pytest.mark.usefixtures("signed_in")]

VOLUME = "/Volumes/main/wine_quality/files"
STATE = f"{VOLUME}/state"
STAGES = ("ingest", "judge", "promote", "score", "report")


@pytest.fixture
def run(capsys):
    """Run a command in this process."""

    def run(*arguments):
        with pytest.raises(SystemExit) as caught:
            cli.main([str(argument) for argument in arguments])
        captured = capsys.readouterr()
        return caught.value.code, captured.out, captured.err

    return run


# Deploying.


@pytest.fixture
def wheel(tmp_path):
    """A file that could be the wheel."""
    path = tmp_path / "gauntlet_mlops-0.1.0-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("gauntlet/cli.py", "")
    return path


@pytest.fixture
def data(tmp_path):
    """A folder with a table that is none of the problem's."""
    (tmp_path / "table.csv").write_text("x,label\n1,1\n2,0\n", encoding="utf-8")
    return tmp_path


def test_everything_that_a_job_needs_is_brought_to_its_place(workspace, run, wheel, data):
    notebook = data / "tour.ipynb"
    notebook.write_text('{"cells": [], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}', encoding="utf-8")
    code, out, err = run("deploy", "--wheel", wheel, "--notebook", notebook, "--folder", "/Shared/wine", "--json")
    assert code == 0, err
    places = {(file["kind"], file["place"]) for file in json.loads(out)["files"]}
    assert places == {
        ("wheel", f"{VOLUME}/wheels/{wheel.name}"),
        *(("suite", f"{VOLUME}/suites/wine_quality/{name}.json") for name in ("raw", "curated", "predictions")),
        *(("data", f"{VOLUME}/data/winequality-{colour}.csv") for colour in ("red", "white")),
        ("notebook", "/Shared/wine/notebooks/tour.ipynb"),
    }
    for kind, place in places:
        assert kind == "notebook" or place in workspace.files.content
    assert workspace.files.content[f"{VOLUME}/wheels/{wheel.name}"] == wheel.read_bytes()
    assert workspace.tree.entries["/Shared/wine/notebooks/tour"].kind == "NOTEBOOK"
    assert run("deploy", "--wheel", wheel, "--folder", "/Shared/wine")[0] == 0


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (lambda folder: {"--wheel": folder / "none.whl"}, "no such file; give a wheel"),
        (lambda folder: {"--wheel": folder / "table.csv"}, "table.csv: is no wheel"),
        (lambda folder: {"--data": folder}, "winequality-red.csv"),
        (lambda folder: {"--notebook": folder / "none.ipynb"}, "none.ipynb: no such file"),
        (lambda _: {"--folder": "Shared"}, "expected a path of the workspace"),
    ],
)
def test_nothing_is_sent_when_one_file_is_wrong(workspace, run, wheel, data, spoil, says):  # noqa: PLR0913, PLR0917
    workspace.calls.clear()
    options = {"--wheel": wheel} | spoil(data)
    found, _, err = run("deploy", *(part for pair in options.items() for part in pair))
    assert (found, says in err) == (2, True), err
    assert "Traceback" not in err
    assert workspace.calls == []


def test_a_file_that_did_not_arrive_whole_is_told(workspace, run, wheel, monkeypatch):
    monkeypatch.setattr(WorkspaceFiles, "size", lambda _self, _path: 1)
    code, _, err = run("deploy", "--wheel", wheel)
    assert code == 3
    assert f"1 of {wheel.stat().st_size} bytes arrived" in err


def test_a_volume_that_is_not_there_is_one_clear_error(workspace, run, wheel, monkeypatch):
    monkeypatch.setattr(workspace.files, "volumes", ())
    code, _, err = run("deploy", "--wheel", wheel)
    assert code == 3
    assert "Volume 'main.wine_quality.files' does not exist" in err


def test_a_wrong_token_deploys_nothing(workspace, run, wheel, monkeypatch):
    monkeypatch.setenv("DATABRICKS_TOKEN", "dapi-not-the-token")
    workspace.calls.clear()
    code, out, err = run("deploy", "--wheel", wheel)
    assert (code, workspace.calls) == (3, [])
    assert "refused the credentials" in err
    assert "dapi-not" not in out + err


# The job.


def _leaves(workspace, stage, *, refusal=None, verdicts=(), after=1.0):
    """Return what lets a task leave a summary on the volume, as the stage does."""

    def leave(state):
        moment = (datetime.now(UTC) + timedelta(seconds=after)).strftime("%Y%m%dT%H%M%S.%fZ")
        summary = {
            "stages": {stage: "refused" if refusal else "ran"},
            "refusal": refusal,
            "verdicts": [{"status": status} for status in verdicts],
            "exit_code": 1 if refusal else 0,
        }
        workspace.files.put(f"{state}/runs/{moment}/summary.json", summary)

    return leave


@pytest.fixture
def job(workspace) -> Iterator[Job]:
    """A job whose stages all go well, unless a test says otherwise."""
    made = Job("wine-quality", STAGES, {"state": STATE, "seed": "1"})
    made.ends["judge"] = [End(leaves=_leaves(workspace, "judge", verdicts=("PASS", "PASS")))]
    workspace.jobs.add(made)
    yield made
    workspace.jobs.jobs.clear()
    for path in [path for path in workspace.files.content if path.startswith(STATE)]:
        del workspace.files.content[path]


def test_a_job_is_followed_to_its_end_with_its_stages_verdicts(workspace, run, job):
    code, out, err = run("job", "run", "wine-quality", "--parameter", "seed=7", "--interval", "0")
    assert code == 0, err
    lines = out.splitlines()
    assert lines[0].startswith("wine-quality: run ")
    assert [line.split()[1] for line in lines[1:6]] == list(STAGES)
    assert "2 PASS" in lines[2]
    assert lines[-1] == "Done: 5 stages."
    assert max(workspace.jobs.runs.items())[1].parameters == {"state": STATE, "seed": "7"}


def test_a_stage_that_refuses_is_exit_code_1_though_the_report_makes_the_run_a_success(workspace, run, job):
    leaves = _leaves(workspace, "judge", refusal="2 of 9 gates say no: model::auc", verdicts=("FAIL", "PASS"))
    job.ends["judge"] = [End("FAILED", error="SystemExit: 1", leaves=leaves)]
    code, out, _ = run("job", "run", "wine-quality", "--interval", "0", "--json")
    assert code == 1
    document = json.loads(out)
    assert document["exit_code"] == 1
    assert {name: stage["state"] for name, stage in document["stages"].items()} == {
        "ingest": "done",
        "judge": "failed",
        "promote": "skipped",
        "score": "skipped",
        "report": "done",
    }
    assert document["stages"]["judge"]["said"] == "2 of 9 gates say no: model::auc"
    assert document["stages"]["judge"]["verdicts"] == {"FAIL": 1, "PASS": 1}


@pytest.mark.parametrize(
    ("end", "code", "says"),
    [
        (End("FAILED", error="SystemExit: 2", logs="starting\nerror: no such column\n"), 2, "error: no such column"),
        (End("FAILED", error="SystemExit: 1", logs="✗ judge  refused"), 1, "✗ judge  refused"),
        (End("FAILED", error="ModuleNotFoundError: No module named 'skops'"), 3, "No module named 'skops'"),
        (End("FAILED", error="SystemExit: 0"), 3, "SystemExit: 0"),
        (End("TIMEDOUT"), 3, "the workspace does not say why"),
        (End("CANCELED"), 3, ""),
    ],
)
def test_a_task_that_left_no_summary_is_explained_by_its_output_and_never_a_success(run, job, end, code, says):
    job.ends["judge"] = [end]
    found, out, _ = run("job", "run", "wine-quality", "--interval", "0")
    assert (found, says in out) == (code, True), out


def test_a_summary_of_an_earlier_run_says_nothing_of_this_one(workspace, run, job):
    _leaves(workspace, "judge", verdicts=("PASS",), after=-3600)(STATE)
    job.ends["judge"] = [End("FAILED", error="SystemExit: 2", logs="error: no such column")]
    code, out, _ = run("job", "run", "wine-quality", "--interval", "0")
    assert (code, "error: no such column" in out) == (2, True)


def test_a_second_try_that_goes_well_counts(run, job):
    job.ends["ingest"] = [End("FAILED", error="ConnectionError: lost"), End()]
    code, out, _ = run("job", "run", "wine-quality", "--interval", "0")
    assert code == 0, out
    assert "ConnectionError: lost" in out


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("beer",), "no job is called 'beer'"),
        (("wine-quality", "--parameter", "speed=9"), "no parameter speed; it has seed, state"),
        (("wine-quality", "--parameter", "seed"), "expected NAME=VALUE"),
    ],
)
def test_a_job_or_parameter_that_is_not_there_starts_nothing(workspace, run, job, arguments, says):
    before = len(workspace.jobs.runs)
    code, _, err = run("job", "run", *arguments)
    assert (code, says in err, len(workspace.jobs.runs)) == (2, True, before), err


def test_two_jobs_of_one_name_are_told_apart_by_number(workspace, run, job):
    number = workspace.jobs.add(Job("wine-quality", ("ingest",)))
    code, _, err = run("job", "run", "wine-quality")
    assert (code, str(number) in err) == (2, True)
    assert run("job", "run", number, "--interval", "0")[0] == 0


# Compute, and the doctor.


@pytest.mark.parametrize(
    ("client", "python", "runtime", "says"),
    [
        ("16.4.3", "3.12", "16.4.x-cpu-ml-scala2.12", None),
        ("15.4.0", "3.12", "16.4.x-scala2.12", None),
        ("17.0.1", "3.12", None, None),
        ("17.0.1", "3.12", "16.4.x-scala2.12", "newer than runtime 16.4; pip install 'databricks-connect==16.4.*'"),
        ("16.4.3", "3.11", "16.4.x-scala2.12", "runs Python 3.12, this is Python 3.11"),
        ("16.4.3", "3.11", None, "serverless compute runs Python 3.12, this is Python 3.11"),
        ("12.2.0", "3.9", "12.2.x-scala2.12", "it is not known which Python runtime 12.2 has"),
        ("16.4.3", "3.12", "custom:image", "cannot be compared"),
    ],
)
def test_client_runtime_and_python_must_fit(client, python, runtime, says):
    fault = fault_of_client(client, python=python, runtime=runtime)
    assert (fault is None) if says is None else (says in str(fault)), fault


def test_the_doctor_names_who_asks_and_what_spark_needs(signed_in, workspace, run, tmp_path):
    workspace.clusters["0101-wine"] = "16.4.x-cpu-ml-scala2.12"
    state = ("--target", "databricks", "--state", tmp_path / "state", "--json")
    for name, value, says in (
        ("OTHER", "", "set DATABRICKS_CLUSTER_ID, or DATABRICKS_SERVERLESS_COMPUTE_ID=auto"),
        ("DATABRICKS_CLUSTER_ID", "0101-wine", "an environment of Python 3.12 with: pip install gauntlet-mlops"),
        ("DATABRICKS_CLUSTER_ID", "0101-beer", "Cluster 0101-beer does not exist"),
    ):
        signed_in.setenv(name, value)
        code, out, _ = run("doctor", *state)
        findings = {finding["name"]: finding for finding in json.loads(out)["findings"]}
        assert code == 3
        assert findings["workspace"]["found"] == f"{workspace.host} as {USER} (pat)"
        assert findings["Spark"]["status"] == "missing"
        assert says in findings["Spark"]["found"] + findings["Spark"]["advice"]
        assert "pyspark" not in findings


def test_a_run_without_a_workspace_says_so_in_one_line(signed_out, run, tmp_path):
    signed_out.delenv("DATABRICKS_HOST")
    signed_out.delenv("DATABRICKS_TOKEN")
    code, out, err = run("run", "--target", "databricks", "--state", tmp_path / "state")
    assert (code, out) == (3, "")
    assert err.startswith("error: workspace: target databricks: no workspace to log in to")
    assert len(err.strip().splitlines()) == 1
    assert not (tmp_path / "state").exists()


def test_a_session_is_opened_with_the_settings_of_the_sdk_on_a_client_that_fits(signed_in, workspace, monkeypatch):
    workspace.clusters["0101-wine"] = "16.4.x-scala2.12"
    signed_in.setenv("DATABRICKS_CLUSTER_ID", "0101-wine")
    seen = {}

    class Session:
        conf = types.SimpleNamespace(set=lambda name, value: seen.update({name: value}))

        def addArtifacts(self, archive, *, pyfile):  # noqa: N802 - pyspark's name
            with zipfile.ZipFile(archive) as package:
                seen["package"] = "gauntlet/cli.py" in package.namelist()

    session = Session()
    builder = types.SimpleNamespace(
        sdkConfig=lambda config: seen.update(config=config) or types.SimpleNamespace(getOrCreate=lambda: session)
    )
    connect = types.ModuleType("databricks.connect")
    connect.DatabricksSession = types.SimpleNamespace(builder=builder)
    monkeypatch.setitem(sys.modules, "databricks.connect", connect)
    monkeypatch.setattr(databricks_compute.importlib.metadata, "version", lambda _name: "16.4.3")
    monkeypatch.setattr(databricks_compute, "_this_python", lambda: "3.12")
    settings = databricks_settings()
    assert open_session(settings) is session
    assert (seen["config"].cluster_id, seen["package"]) == ("0101-wine", True)
    monkeypatch.setattr(databricks_compute, "_this_python", lambda: "3.11")
    with pytest.raises(RequirementError, match=r"runs Python 3\.12, this is Python 3\.11"):
        open_session(settings)
