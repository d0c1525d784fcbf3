"""This module provides verdicts as a SARIF log, version 2.1.0 (OASIS), which code hosts show beside the code."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote

from gauntlet import __version__

_SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/os/schemas/sarif-schema-2.1.0.json"
# SARIF's kind and level of each status; a level other than "none" needs the kind "fail" (SARIF 2.1.0, 3.27.10).
_KINDS = {
    "PASS": ("pass", "none"),
    "NOTE": ("fail", "note"),
    "WARN": ("fail", "warning"),
    "FAIL": ("fail", "error"),
    "CONFIG_ERROR": ("fail", "error"),
}


def sarif_log(document: Mapping[str, Any], *, root: Path) -> dict[str, Any]:
    """Return the SARIF log of some verdicts.

    Args:
        document: ``verdicts`` (records with the gate's ``remedy`` and either the ``nodeid`` of a test or the ``places``
            that it is about, pairs of file and name), ``skipped`` gates, and sentences on what was ``not_checked``.
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
    kind, level = _KINDS[verdict["status"]]
    keys = ("measured", "bound", "rows", "interval", "rows_needed")
    numbers = {key: verdict[key] for key in keys if verdict.get(key) is not None}
    result: dict[str, Any] = {
        "ruleId": verdict["gate"],
        "ruleIndex": gates.index(verdict["gate"]),
        "kind": kind,
        "level": level,
        "message": {"text": verdict["sentence"]},
        "locations": _locations(verdict),
        "properties": {"status": verdict["status"], **numbers},
    }
    if verdict["waiver"]:
        waiver = verdict["waiver"]
        why = f"{waiver['reason']} ({waiver['owner']}, until {waiver['until']})"
        result["suppressions"] = [{"kind": "external", "status": "accepted", "justification": why}]
    return result


def _locations(verdict: Mapping[str, Any]) -> list[dict[str, Any]]:
    if "places" in verdict:
        return [_location(file, name=name, kind="resource") for file, name in verdict["places"]]
    nodeid = str(verdict["nodeid"])
    return [_location(nodeid.split("::", 1)[0], name=nodeid, kind="function")]


def _location(file: str, *, name: str, kind: str) -> dict[str, Any]:
    location: dict[str, Any] = {"physicalLocation": {"artifactLocation": {"uri": quote(file), "uriBaseId": "ROOT"}}}
    if name:
        location["logicalLocations"] = [{"fullyQualifiedName": name, "kind": kind}]
    return location
