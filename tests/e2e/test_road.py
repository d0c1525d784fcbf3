"""The whole road on the real wines (synthetic ones where the files are not there), as a user walks it."""

import html.parser
from pathlib import Path

import pytest

from gauntlet.core.stage_names import STAGE_NAMES

pytestmark = pytest.mark.e2e


DOCUMENTED = (
    "protocol",
    "data.source",
    "data.rows",
    "data.duplicate_rows",
    "baseline.auc",
    "sweep.trials",
    "sweep.best_auc_validation",
    "sweep.digest",
    "champion.version",
    "champion.auc_test",
    "champion.auc_readback",
    "evidence.sha256",
    "score.rows",
    "score.table",
    "report",
    "not_checked",
    "seconds",
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """The folder that the runs of this module share; each test asks for the run it needs."""
    return tmp_path_factory.mktemp("road")


@pytest.fixture(scope="module")
def honest(gauntlet, folder):
    """The default run, with its 96 trials."""
    return gauntlet("run", "--json", folder=folder)


@pytest.fixture(scope="module")
def notebook(gauntlet, tmp_path_factory):
    """The tutorial's protocol, in a folder of its own; its slow gates search little, for others refuse it."""
    few = ("--set", "gates.reproducibility.trials=2")
    return gauntlet("run", "--protocol", "notebook", *few, "--json", folder=tmp_path_factory.mktemp("notebook"))


def test_honest_run_ends_with_a_champion(honest, real_data):
    assert honest.code == 0, honest.err
    found = honest.document
    assert found["protocol"] == "honest"
    assert found["data"]["synthetic"] is not real_data
    assert found["data"]["rows"] == 6497
    assert found["refusal"] is None
    assert found["champion"]["bootstrap"] is True
    assert found["champion"]["version"] == 2  # the baseline forest is version 1
    assert found["sweep"]["trials"] == 96
    assert {verdict["status"] for verdict in found["verdicts"]} == {"PASS"}
    assert found["champion"]["sequence"] == 1
    assert found["score"]["rows"] == 6497
    assert found["score"]["model_version"] == found["champion"]["version"]
    assert list(found["stages"]) == list(found["seconds"]) == list(STAGE_NAMES)
    assert set(found["stages"].values()) == {"ran"}


def test_honest_numbers_are_honest(honest, real_data):
    found = honest.document
    assert found["split"]["repeats_across"] == found["split"]["near_repeats_across"] == 0
    assert found["champion"]["auc_readback"] == pytest.approx(found["champion"]["auc_test"], abs=1e-12)
    assert found["champion"]["auc_test"] >= found["baseline"]["auc"]
    if real_data:
        assert found["data"]["duplicate_rows"] == 1177
        assert found["split"]["near_pairs"] == 38
        assert 0.74 <= found["baseline"]["auc"] <= 0.87
        assert 0.79 <= found["champion"]["auc_test"] <= 0.91
    else:
        assert found["data"]["duplicate_rows"] > 0
        assert 0.5 < found["baseline"]["auc"] <= found["champion"]["auc_test"] < 1


def test_people_see_nothing_of_the_noise(honest):
    assert "WARN" not in honest.err
    assert "Traceback" not in honest.err
    log = Path(honest.document["log"])
    assert log.is_file()


def test_report_is_one_self_contained_file(honest, real_data):
    text = Path(honest.document["report"]).read_text(encoding="utf-8")
    outside = []

    class Links(html.parser.HTMLParser):
        def handle_starttag(self, tag, attrs):
            outside.extend(value for name, value in attrs if name == "src" and value and not value.startswith("data:"))
            outside.extend(value for name, value in attrs if tag == "link" and name == "href")

    Links().feed(text)
    assert outside == []
    assert ("Synthetic data" in text) is not real_data
    assert "What this run did not check" in text


def test_running_again_does_nothing_and_says_so(gauntlet, honest, folder):
    again = gauntlet("run", "--json", folder=folder)
    assert again.code == 0
    assert set(again.document["stages"].values()) == {"up to date"}
    assert "no stage ran again" in again.err
    volatile = {"log", "stages", "seconds"}
    before = {key: value for key, value in honest.document.items() if key not in volatile}
    assert {key: value for key, value in again.document.items() if key not in volatile} == before


def test_changing_one_thing_redoes_only_what_depends_on_it(gauntlet, honest, folder):
    plan = gauntlet("run", "--dry-run", "--set", "costs.false_negative=9", "--json", folder=folder)
    assert plan.code == 0
    stages = {stage["name"]: stage for stage in plan.document["stages"]}
    states = [stages[name]["state"] for name in STAGE_NAMES]
    assert states == ["up to date"] * 7 + ["would run"] * 6
    assert stages["select"]["reason"] == "costs changed"
    assert honest.document["report"] == gauntlet("report", "--json", folder=folder).document["report"]


def test_notebook_numbers_are_the_tutorials_and_are_refused(notebook, real_data):
    assert notebook.code == 1
    found = notebook.document
    assert found["champion"] is None
    assert found["score"] is None
    assert "selected on test" in found["refusal"]
    assert found["stages"]["judge"] == "refused"
    assert found["stages"]["promote"] == found["stages"]["score"] == "not reached"
    red = {verdict["gate"] for verdict in found["verdicts"] if verdict["status"] != "PASS"}
    assert {"split::chosen_without_test", "split::no_repeats_across_splits"} <= red
    assert Path(found["report"]).is_file()
    assert found["split"]["repeats_across"] > 0
    if real_data:
        assert found["baseline"]["auc"] == pytest.approx(0.8889, abs=0.0005)
        assert found["sweep"]["best_auc_validation"] >= 0.915


def test_cleaning_keeps_the_champion(gauntlet, honest, folder):
    shown = gauntlet("clean", "--json", folder=folder)
    assert shown.code == 0
    assert shown.document["deleted"] is False
    assert gauntlet("clean", "--yes", folder=folder).code == 0
    plan = gauntlet("run", "--dry-run", "--json", folder=folder).document["stages"]
    assert {stage["state"] for stage in plan} == {"up to date"}
    assert honest.document["champion"]["version"] == 2


def test_the_documented_json_has_these_keys(honest):
    found = honest.document
    for key in DOCUMENTED:
        value = found
        for part in key.split("."):
            value = value[part]
        assert value is not None, key
