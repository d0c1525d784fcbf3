"""Evidence for the next job of a CI system: its digest as an output, its verdicts as a summary."""

from __future__ import annotations

from pathlib import Path

import pytest

from gauntlet.adapters.ci_outputs import hand_over
from gauntlet.core.errors import InputError, RequirementError
from gauntlet.core.evidence import Evidence
from gauntlet.core.results import VerdictRecord, WaiverRecord
from tests.made_evidence import made_evidence

pytestmark = pytest.mark.unit

MARK = "ab" * 32


@pytest.fixture
def evidence() -> Evidence:
    waiver = WaiverRecord(gate="model::b", reason="agreed", owner="Ada", until="2999-12-31")
    verdicts = (
        VerdictRecord(gate="model::a", status="PASS", sentence="a | b <i>\n`c`"),
        VerdictRecord(gate="model::b", status="FAIL", sentence="worse", waiver=waiver),
    )
    return made_evidence().model_copy(update={"verdicts": verdicts})


def test_github_gets_an_output_and_a_summary(evidence: Evidence, tmp_path: Path) -> None:
    files = {"GITHUB_OUTPUT": tmp_path / "output", "GITHUB_STEP_SUMMARY": tmp_path / "summary"}
    files["GITHUB_OUTPUT"].write_text("before=1\n", encoding="utf-8")
    assert hand_over(MARK, evidence, environment={name: str(path) for name, path in files.items()}) == ()
    assert files["GITHUB_OUTPUT"].read_text(encoding="utf-8") == f"before=1\nevidence={MARK}\n"
    summary = files["GITHUB_STEP_SUMMARY"].read_text(encoding="utf-8")
    assert f"Evidence `{MARK}`" in summary
    assert "1 FAIL, 1 PASS" in summary
    first, second = [line for line in summary.splitlines() if line.startswith("| model")]
    assert first == "| model::b | FAIL, waived by Ada | worse |"
    assert second == "| model::a | PASS | a \\| b &lt;i> 'c' |"


def test_azure_gets_commands_and_a_file(evidence: Evidence, tmp_path: Path) -> None:
    said = hand_over(MARK, evidence, environment={"TF_BUILD": "True", "AGENT_TEMPDIRECTORY": str(tmp_path)})
    summary = tmp_path / "gauntlet-evidence.md"
    assert said == (
        f"##vso[task.setvariable variable=evidence;isOutput=true]{MARK}",
        f"##vso[task.uploadsummary]{summary}",
    )
    assert "| model::b | FAIL, waived by Ada | worse |" in summary.read_text(encoding="utf-8")


@pytest.mark.parametrize("environment", [{}, {"TF_BUILD": "False", "AGENT_TEMPDIRECTORY": "/"}, {"GITHUB_OUTPUT": "o"}])
def test_elsewhere_it_says_what_to_do(evidence: Evidence, environment: dict[str, str]) -> None:
    with pytest.raises(InputError, match="gauntlet evidence show --json"):
        hand_over(MARK, evidence, environment=environment)


def test_a_file_that_cannot_be_written_is_named(evidence: Evidence, tmp_path: Path) -> None:
    environment = {"GITHUB_OUTPUT": str(tmp_path / "no" / "output"), "GITHUB_STEP_SUMMARY": str(tmp_path / "s")}
    with pytest.raises(RequirementError, match="no/output: cannot be written"):
        hand_over(MARK, evidence, environment=environment)
