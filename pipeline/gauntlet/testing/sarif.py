"""This module provides the verdicts as a SARIF log, version 2.1.0 (OASIS), which code hosts show beside the code."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from gauntlet import __version__

_SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/os/schemas/sarif-schema-2.1.0.json"
# A kind other than "fail" has no level.
_KINDS = {"PASS": "pass", "FAIL": "fail", "INCONCLUSIVE": "open", "CONFIG_ERROR": "fail"}


def sarif_log(document: Mapping[str, Any], *, root: Path) -> dict[str, Any]:
    """Return the SARIF log of a session's verdicts.

    Args:
        document: The session's verdicts, as ``VerdictReport.document`` gives them.
        root: The folder that paths are relative to.
    """
    verdicts = list(document["verdicts"])
    gates = sorted({str(verdict["gate"]) for verdict in verdicts})
    remedies = {str(verdict["gate"]): str(verdict["remedy"]) for verdict in verdicts}
    return {
        "$schema": _SCHEMA,
        "version": "2.1.0",
        "runs": [
            {
                "tool": {
                    "driver": {
                        "name": "Gauntlet",
                        "version": __version__,
                        "rules": [{"id": gate, "help": {"text": remedies[gate]}} for gate in gates],
                    }
                },
                "originalUriBaseIds": {"ROOT": {"uri": f"{root.resolve().as_uri()}/"}},
                "results": [_result(verdict, gates) for verdict in verdicts],
                "invocations": [
                    {
                        "executionSuccessful": not document["skipped"],
                        "toolExecutionNotifications": [
                            {"level": "note", "message": {"text": sentence}} for sentence in document["not_checked"]
                        ],
                    }
                ],
            }
        ],
    }


def _result(verdict: Mapping[str, Any], gates: list[str]) -> dict[str, Any]:
    kind = _KINDS[verdict["status"]]
    numbers = {key: verdict[key] for key in ("measured", "bound", "rows", "interval") if verdict[key] is not None}
    result: dict[str, Any] = {
        "ruleId": verdict["gate"],
        "ruleIndex": gates.index(verdict["gate"]),
        "kind": kind,
        "level": "error" if kind == "fail" else "none",
        "message": {"text": verdict["sentence"]},
        "locations": [
            {
                "physicalLocation": {
                    "artifactLocation": {"uri": str(verdict["nodeid"]).split("::", 1)[0], "uriBaseId": "ROOT"}
                },
                "logicalLocations": [{"fullyQualifiedName": verdict["nodeid"], "kind": "function"}],
            }
        ],
        "properties": {"status": verdict["status"], **numbers},
    }
    if verdict["waiver"]:
        waiver = verdict["waiver"]
        why = f"{waiver['reason']} ({waiver['owner']}, until {waiver['until']})"
        result["suppressions"] = [{"kind": "external", "status": "accepted", "justification": why}]
    return result
