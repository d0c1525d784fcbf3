"""This module provides evidence for the next job of a CI system: its digest as an output, its verdicts as a summary.

GitHub names two files in the environment of a step, which lines are added to
(https://docs.github.com/actions/reference/workflow-commands-for-github-actions). Azure DevOps reads commands from a
step's output (https://learn.microsoft.com/azure/devops/pipelines/scripts/logging-commands).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path

from gauntlet.core.errors import InputError, RequirementError
from gauntlet.core.evidence import Evidence
from gauntlet.core.results import gravest_first

OUTPUT = "evidence"


def hand_over(mark: str, evidence: Evidence, *, environment: Mapping[str, str]) -> tuple[str, ...]:
    """Hand evidence to the CI system that this process runs in, and return the lines to print for it.

    Args:
        mark: The SHA-256 of the evidence; the next job finds it as the output ``evidence`` of this step.
        evidence: The evidence, proven; whoever approves sees its verdicts.
        environment: The environment of the step.

    Raises:
        InputError: If this is no step of GitHub Actions or Azure DevOps.
        RequirementError: If a file of the CI system cannot be written.
    """
    text = "\n".join(_summary(mark, evidence)) + "\n"
    try:
        if "GITHUB_OUTPUT" in environment and "GITHUB_STEP_SUMMARY" in environment:
            _add(Path(environment["GITHUB_OUTPUT"]), f"{OUTPUT}={mark}\n")
            _add(Path(environment["GITHUB_STEP_SUMMARY"]), text)
            return ()
        if environment.get("TF_BUILD", "").lower() == "true" and "AGENT_TEMPDIRECTORY" in environment:
            summary = Path(environment["AGENT_TEMPDIRECTORY"]) / "gauntlet-evidence.md"
            summary.write_text(text, encoding="utf-8")
            variable = f"##vso[task.setvariable variable={OUTPUT};isOutput=true]{mark}"
            return (variable, f"##vso[task.uploadsummary]{summary}")
    except OSError as error:
        raise RequirementError(f"{error.filename}: cannot be written ({error.strerror or error})") from error
    raise InputError(
        "this is no step of GitHub Actions (GITHUB_OUTPUT) or Azure DevOps (TF_BUILD); elsewhere "
        "`gauntlet evidence show --json` gives the sha256 that `gauntlet promote` takes"
    )


def _summary(mark: str, evidence: Evidence) -> Iterator[str]:
    counts = Counter(verdict.status for verdict in evidence.verdicts)
    listed = ", ".join(f"{count} {status}" for status, count in sorted(counts.items()))
    yield f"### {evidence.chosen} for {_cell(evidence.problem)}"
    yield f"Evidence `{mark}` of {evidence.created}{', of synthetic data' if evidence.synthetic else ''}: {listed}."
    yield ""
    yield "| gate | verdict | what it says |"
    yield "|---|---|---|"
    for verdict in gravest_first(evidence.verdicts):
        waived = "" if verdict.waiver is None else f", waived by {_cell(verdict.waiver.owner)}"
        yield f"| {_cell(verdict.gate)} | {verdict.status}{waived} | {_cell(verdict.sentence)} |"


def _cell(text: str) -> str:
    """Return a text that stays in its cell of a table and is no markup."""
    shown = " ".join(text.split()).replace("&", "&amp;").replace("<", "&lt;")
    return shown.replace("|", "\\|").replace("`", "'")


def _add(path: Path, text: str) -> None:
    with path.open("a", encoding="utf-8") as stream:
        stream.write(text)
