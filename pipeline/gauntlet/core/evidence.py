"""This module provides the evidence of a promotion: what was judged, on which bytes, and what the gates said.

Evidence is the predicate of an in-toto Statement, version 1 (https://github.com/in-toto/attestation, ``spec/v1``),
whose subjects are the model's artefact and the tables. Where the specification lets a reader ignore what it does not
know, this one refuses: a field that nobody looks at proves nothing.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from datetime import UTC, date, datetime, timedelta
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, ConfigDict, Field, ValidationError, model_validator

from gauntlet.core.canonical import canonical_json, digest
from gauntlet.core.errors import EvidenceError
from gauntlet.core.results import Record, VerdictRecord

STATEMENT_TYPE = "https://in-toto.io/Statement/v1"
PREDICATE_TYPE = "urn:gauntlet-mlops:evidence:v1"
CLOCK_TOLERANCE = timedelta(minutes=5)

_STATEMENT_FIELDS = frozenset({"_type", "subject", "predicateType", "predicate"})
# INCONCLUSIVE stands in evidence written before NOTE and WARN existed; there it blocks unless it was waived.
_NEEDS_WAIVER = frozenset({"FAIL", "INCONCLUSIVE"})
_ALLOWED = frozenset({"PASS", "NOTE", "WARN"})


def _require_inside(path: str) -> str:
    if any(part in ("", ".", "..") for part in path.split("/")):
        raise ValueError("a file is named by its path relative to its folder, without '.' and '..'")
    return path


def _require_utc_seconds(text: str) -> str:
    moment = datetime.fromisoformat(text)
    if moment.utcoffset() != timedelta(0) or moment.isoformat(timespec="seconds") != text:
        raise ValueError("expected a time in UTC to the second, such as 2026-07-01T12:00:00+00:00")
    return text


def _require_date(text: str) -> str:
    if date.fromisoformat(text).isoformat() != text:
        raise ValueError("expected a date such as 2026-07-01")
    return text


Text = Annotated[str, Field(min_length=1)]
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Files = dict[Annotated[str, AfterValidator(_require_inside)], Sha256]
Moment = Annotated[str, AfterValidator(_require_utc_seconds)]
Day = Annotated[str, AfterValidator(_require_date)]
Probability = Annotated[float, Field(ge=0, le=1)]


class EvidenceRecord(Record):
    """The base of all that evidence is made of; no number in it is NaN or infinite."""

    model_config = ConfigDict(allow_inf_nan=False)


class TableEvidence(EvidenceRecord):
    """One version of one table.

    Attributes:
        name: The short name (``raw``, ``curated`` …).
        full_name: The three-level name.
        format: How it is stored.
        version: The version that was read.
        rows: The number of its rows.
        fingerprint: A digest of the rows that does not depend on their order.
        files: The SHA-256 of each data file of that very version, by path relative to the table's root.
    """

    name: Text
    full_name: Text
    format: Text
    version: int = Field(ge=0)
    rows: int = Field(ge=0)
    fingerprint: Sha256
    files: Files


class ArtefactEvidence(EvidenceRecord):
    """The model's artefact.

    Attributes:
        model_uri: Its address in MLflow.
        model_digest: The digest of what it decides.
        files: The SHA-256 of each of its files, by path relative to it.
    """

    model_config = ConfigDict(protected_namespaces=())

    model_uri: Text
    model_digest: Sha256
    files: Files = Field(min_length=1)

    @property
    def digest(self) -> str:
        """The digest over all files and their names."""
        return digest(self.files)


class MetricEvidence(EvidenceRecord):
    """A measured number, and its interval where one was computed."""

    name: Text
    value: float
    interval: tuple[float, float] | None


class WaiverEvidence(EvidenceRecord):
    """Who answers for a gate's "no", why, and until which day (ISO, that day included)."""

    gate: Text
    reason: Text
    owner: Text
    until: Day


class ProbeEvidence(EvidenceRecord):
    """A few rows of the test split, and the probabilities that the artefact must give back for them.

    Attributes:
        columns: The features, in the order of each row's values.
        rows: The rows.
        probability: The probability of the positive class, one a row.
    """

    columns: tuple[Text, ...] = Field(min_length=1)
    rows: tuple[tuple[float | str | bool | None, ...], ...] = Field(min_length=1)
    probability: tuple[Probability, ...]

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if any(len(row) != len(self.columns) for row in self.rows):
            raise ValueError("each row needs one value a column")
        if len(self.probability) != len(self.rows):
            raise ValueError("each row needs one probability")
        return self


class IncumbentEvidence(EvidenceRecord):
    """The champion that was compared with.

    Attributes:
        version: Its version; None if there was none.
        sequence: The last number in the ledger of promotions then; 0 if there was none.
    """

    version: int | None = Field(ge=1)
    sequence: int = Field(ge=0)


class OpeningsEvidence(EvidenceRecord):
    """How far the ledger of openings of the test split went.

    Attributes:
        count: The number of its lines.
        chain: The digest of the last line and all before it; None if there was none.
    """

    count: int = Field(ge=0)
    chain: Sha256 | None


class Evidence(EvidenceRecord):
    """What a promotion stands on.

    Attributes:
        schema_version: The version of this form.
        created: When the gates had spoken: UTC, ISO, to the second.
        problem: The problem's name.
        problem_digest: The digest of the problem.
        suite_digests: The digests of the expectation suites, by suite.
        code_digest: The digest of the code that ran.
        lock_digest: The digest of the installed dependencies.
        gauntlet_version: The version of Gauntlet.
        target: The target's name.
        protocol: How rows were split.
        seed: The root of all random draws.
        synthetic: Whether the rows were generated.
        selection_digest: The digest of the frozen choice.
        split_fingerprint: The fingerprint of the split's table.
        chosen: The chosen model's name.
        threshold: Rows at or above this probability are decided positive.
        tables: The tables that the model was made and judged on.
        artefact: The very files that are promoted.
        metrics: What was measured.
        verdicts: What the gates said.
        waivers: Who answers for which "no".
        incumbent: The champion that was compared with.
        openings: How often the test split had been opened; the ledger of that can only have grown since.
        probe: What the artefact must answer.
        not_checked: What was left unchecked, one sentence each.
        gates: The names of the gates that had to speak; empty in evidence of a version that did not note them.
    """

    schema_version: Literal[1]
    created: Moment
    problem: Text
    problem_digest: Sha256
    suite_digests: dict[Text, Sha256]
    code_digest: Sha256
    lock_digest: Sha256
    gauntlet_version: Text
    target: Text
    protocol: Text
    seed: int = Field(ge=0)
    synthetic: bool
    selection_digest: Sha256
    split_fingerprint: Sha256
    chosen: Text
    threshold: float
    tables: tuple[TableEvidence, ...] = Field(min_length=1)
    artefact: ArtefactEvidence
    metrics: tuple[MetricEvidence, ...]
    verdicts: tuple[VerdictRecord, ...]
    waivers: tuple[WaiverEvidence, ...]
    incumbent: IncumbentEvidence
    openings: OpeningsEvidence
    probe: ProbeEvidence
    not_checked: tuple[Text, ...]
    gates: tuple[Text, ...] = ()

    @model_validator(mode="after")
    def _is_one_story(self) -> Self:
        for what, names in (
            ("tables", [table.full_name for table in self.tables]),
            ("metrics", [metric.name for metric in self.metrics]),
        ):
            if repeated := _repeated(names):
                raise ValueError(f"{what}: named twice: {', '.join(repeated)}")
        # Verdicts have their form from elsewhere, which lets numbers pass that are not finite.
        if not all(math.isfinite(number) for number in _numbers([v.model_dump() for v in self.verdicts])):
            raise ValueError("verdicts: every number must be finite")
        return self


def statement(evidence: Evidence) -> dict[str, Any]:
    """Return evidence as an in-toto Statement about the model's artefact and the tables."""
    return {
        "_type": STATEMENT_TYPE,
        "subject": _subjects(evidence),
        "predicateType": PREDICATE_TYPE,
        "predicate": evidence.model_dump(mode="json"),
    }


def evidence_of(statement: Mapping[str, Any]) -> Evidence:
    """Return the evidence that a statement carries.

    Args:
        statement: A statement as read from JSON.

    Raises:
        EvidenceError: If it is no statement of this kind, its predicate is not written as Gauntlet writes it, or its
            subjects are not those that the predicate speaks of.
    """
    if set(statement) != _STATEMENT_FIELDS:
        names = ", ".join(sorted(str(name) for name in _STATEMENT_FIELDS ^ set(statement)))
        raise EvidenceError(f"the evidence is no in-toto Statement: missing or unknown fields: {names}")
    if statement["_type"] != STATEMENT_TYPE:
        raise EvidenceError(f"the evidence is a statement of type {statement['_type']!r}, not {STATEMENT_TYPE}")
    if statement["predicateType"] != PREDICATE_TYPE:
        raise EvidenceError(f"the statement's predicate is {statement['predicateType']!r}, not {PREDICATE_TYPE}")
    try:
        evidence = Evidence.model_validate(statement["predicate"])
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(part) for part in first["loc"]) or "the whole"
        raise EvidenceError(f"the evidence lacks its form at {where}: {first['msg']}") from error
    # Lax reading takes "5" for 5. Fields that an older Gauntlet did not know are unset, and may stay so.
    if canonical_json(evidence.model_dump(mode="json", exclude_unset=True)) != canonical_json(statement["predicate"]):
        raise EvidenceError("the evidence holds a value of another type than Gauntlet writes in that place")
    if statement["subject"] != _subjects(evidence):
        raise EvidenceError("the statement's subjects are not the artefact and the tables that its evidence speaks of")
    return evidence


def require_fresh(evidence: Evidence, *, now: datetime, hours: float) -> None:
    """Make sure that evidence is young enough to promote on.

    Args:
        evidence: The evidence.
        now: The time, with its zone.
        hours: How old it may be.

    Raises:
        EvidenceError: If it is older, or comes from the future by more than clocks differ.
    """
    if not (math.isfinite(hours) and hours > 0):
        raise EvidenceError(f"no evidence is fresh within {hours} hours; set promotion.evidence_hours above 0")
    age = now - datetime.fromisoformat(evidence.created)
    if age > timedelta(0) and age.total_seconds() > hours * 3600:
        raise EvidenceError(
            f"the evidence of {evidence.created} is {age.total_seconds() / 3600:.1f} hours old, and {hours:g} are "
            "allowed (promotion.evidence_hours); judge the candidate again"
        )
    if -age > CLOCK_TOLERANCE:
        raise EvidenceError(
            f"the evidence of {evidence.created} comes from the future: it is {now.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ} "
            "here; set the clocks right and judge the candidate again"
        )


def require_complete(evidence: Evidence, *, expected: Collection[str]) -> None:
    """Make sure that every expected gate spoke once, and that none of them stops the promotion.

    PASS, NOTE and WARN do not stop it. A FAIL is covered by a waiver of that very gate which held on the day of
    creation; a CONFIG_ERROR is covered by nothing.

    Args:
        evidence: The evidence.
        expected: The names of all gates that must have spoken.

    Raises:
        EvidenceError: If not; the message names the gates.
    """
    if not evidence.verdicts:
        raise EvidenceError("the evidence holds no verdict, and silence promotes nothing; judge the candidate again")
    given = [verdict.gate for verdict in evidence.verdicts]
    waivable = {verdict.gate for verdict in evidence.verdicts if verdict.status in _NEEDS_WAIVER}
    allowed = {verdict.gate for verdict in evidence.verdicts if verdict.status in _ALLOWED}
    day = datetime.fromisoformat(evidence.created).date()
    waived = {waiver.gate for waiver in evidence.waivers}
    standing = {waiver.gate for waiver in evidence.waivers if date.fromisoformat(waiver.until) >= day}
    faults: tuple[tuple[str, Collection[str]], ...] = (
        ("the evidence holds more than one verdict of", _repeated(given)),
        ("the evidence lacks the verdict of", set(expected) - set(given)),
        ("the evidence holds the verdict of a gate that was not expected:", set(given) - set(expected)),
        ("broken, which no waiver covers:", set(given) - allowed - waivable),
        (f"said no, and the waiver had ended before {day}:", waivable & waived - standing),
        ("said no, without a waiver:", waivable - waived),
    )
    for fault, gates in faults:
        if gates:
            raise EvidenceError(f"{fault} {', '.join(sorted(gates))}")
    if not any(verdict.status == "PASS" for verdict in evidence.verdicts):
        raise EvidenceError(f"no gate passed, and waivers alone promote nothing: {', '.join(sorted(given))}")


def require_no_refusal(evidence: Evidence) -> None:
    """Make sure that the gates of the version that wrote the evidence all spoke, and that none refused.

    So a champion outlives an upgrade: today's gates need not have been there. See ``require_complete``.

    Raises:
        EvidenceError: If not; the message names the gates.
    """
    require_complete(evidence, expected=evidence.gates or {verdict.gate for verdict in evidence.verdicts})


def require_same_digests(expected: Mapping[str, str], found: Mapping[str, str], *, what: str) -> None:
    """Make sure that files are those that were promised, all of them and no other.

    Args:
        expected: SHA-256 by path, as in the evidence.
        found: SHA-256 by path, as it is now.
        what: What the files are, for the message.

    Raises:
        EvidenceError: If a file is missing, was added or has changed; the message names the first by path.
    """
    if not expected:
        raise EvidenceError(f"{what}: the evidence names no file, so nothing was compared")
    for path in sorted({*expected, *found}):
        if path not in found:
            raise EvidenceError(f"{what}: {path} is missing")
        if path not in expected:
            raise EvidenceError(f"{what}: {path} was added since the evidence was made")
        if found[path] != expected[path]:
            raise EvidenceError(
                f"{what}: {path} has changed: its SHA-256 is {found[path]}, the evidence says {expected[path]}"
            )


def _subjects(evidence: Evidence) -> list[dict[str, Any]]:
    """Return what a statement is about; readers match subjects by digest alone."""
    named = [(evidence.artefact.model_uri, evidence.artefact.digest)]
    named += [(table.full_name, table.fingerprint) for table in evidence.tables]
    return [{"name": name, "digest": {"sha256": sha256}} for name, sha256 in named]


def _repeated(names: Collection[str]) -> list[str]:
    return sorted(name for name, count in Counter(names).items() if count > 1)


def _numbers(value: Any) -> Iterator[float]:
    if isinstance(value, float):
        yield value
    elif isinstance(value, Mapping):
        yield from _numbers(list(value.values()))
    elif isinstance(value, (list, tuple)):
        for item in value:
            yield from _numbers(item)
