"""Evidence: it says one thing, survives signing, and a promotion that it does not carry is refused by name."""

import math
from datetime import UTC, datetime, timedelta

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from gauntlet.core.canonical import digest
from gauntlet.core.envelope import open_envelope, seal
from gauntlet.core.errors import EvidenceError, ExitCode
from gauntlet.core.evidence import (
    ArtefactEvidence,
    IncumbentEvidence,
    MetricEvidence,
    OpeningsEvidence,
    ProbeEvidence,
    TableEvidence,
    WaiverEvidence,
    evidence_of,
    require_complete,
    require_fresh,
    require_same_digests,
    statement,
)
from gauntlet.core.results import VerdictRecord
from tests.made_evidence import CREATED, A, B, made_evidence, made_table, made_verdict

pytestmark = pytest.mark.unit

KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
FLOATS = (math.nan, math.inf, -math.inf)


def _waiver(gate, until="2026-07-01"):
    return WaiverEvidence(gate=gate, reason="known", owner="ada", until=until)


texts, sha256 = st.text(min_size=1, max_size=8), st.text("0123456789abcdef", min_size=64, max_size=64)
names = st.text(st.characters(exclude_categories=("Cs",), exclude_characters="/"), min_size=1, max_size=8).filter(
    lambda name: name not in (".", "..")
)
files = st.dictionaries(st.builds("/".join, st.lists(names, min_size=1, max_size=3)), sha256, min_size=1, max_size=3)
numbers = st.floats(allow_nan=False, allow_infinity=False)
tables = st.builds(
    TableEvidence,
    name=texts,
    full_name=texts,
    format=texts,
    version=st.integers(min_value=0),
    rows=st.integers(min_value=0),
    fingerprint=sha256,
    files=files,
)
probes = st.integers(1, 3).flatmap(
    lambda width: st.builds(
        ProbeEvidence,
        columns=st.lists(texts, min_size=width, max_size=width),
        rows=st.lists(
            st.lists(st.none() | st.booleans() | numbers | st.text(max_size=5), min_size=width, max_size=width),
            min_size=2,
            max_size=2,
        ),
        probability=st.lists(st.floats(0, 1), min_size=2, max_size=2),
    )
)
evidences = st.builds(
    made_evidence,
    created=st.datetimes(timezones=st.just(UTC)).map(lambda moment: moment.isoformat(timespec="seconds")),
    problem=texts,
    suite_digests=st.dictionaries(texts, sha256, max_size=2),
    seed=st.integers(min_value=0),
    synthetic=st.booleans(),
    threshold=numbers,
    tables=st.lists(tables, min_size=1, max_size=2, unique_by=lambda table: table.full_name),
    artefact=st.builds(ArtefactEvidence, model_uri=texts, model_digest=sha256, files=files),
    metrics=st.lists(
        st.builds(MetricEvidence, name=texts, value=numbers, interval=st.none() | st.tuples(numbers, numbers)),
        max_size=2,
        unique_by=lambda metric: metric.name,
    ),
    verdicts=st.lists(
        st.builds(
            VerdictRecord,
            gate=texts,
            status=st.sampled_from(("PASS", "NOTE", "WARN", "FAIL", "CONFIG_ERROR", "INCONCLUSIVE")),
            sentence=texts,
            measured=st.none() | numbers,
        ),
        max_size=3,
    ),
    waivers=st.lists(
        st.builds(WaiverEvidence, gate=texts, reason=texts, owner=texts, until=st.dates().map(str)), max_size=2
    ),
    incumbent=st.builds(
        IncumbentEvidence, version=st.none() | st.integers(min_value=1), sequence=st.integers(min_value=0)
    ),
    openings=st.builds(OpeningsEvidence, count=st.integers(min_value=0), chain=st.none() | sha256),
    probe=probes,
    not_checked=st.lists(texts, max_size=2),
)


@settings(max_examples=60, suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(evidences)
def test_evidence_comes_back_from_its_sealed_bytes_as_it_went_in(evidence):
    sealed = seal(statement(evidence), KEY)
    found = evidence_of(open_envelope(sealed, trusted=(KEY.public_key(),)))
    assert found == evidence
    assert seal(statement(found), KEY) == sealed  # equality alone takes True for 1.0


def test_the_statement_is_about_the_artefact_and_each_table():
    artefact = digest({"MLmodel": A, "artifacts/model.ubj": B})
    assert made_evidence().artefact.digest == artefact
    made = statement(made_evidence())
    assert made.pop("predicate")["chosen"] == "sweep"
    assert made == {
        "_type": "https://in-toto.io/Statement/v1",
        "subject": [
            {"name": "models:/m-1", "digest": {"sha256": artefact}},
            {"name": "main.wine.raw", "digest": {"sha256": A}},
        ],
        "predicateType": "urn:gauntlet-mlops:evidence:v1",
    }


def _changed(*path, to):
    """A statement with one value changed, found by its path."""
    whole = statement(made_evidence())
    place = whole
    for step in path[:-1]:
        place = place[step]
    if to is None:
        del place[path[-1]]
    else:
        place[path[-1]] = to
    return whole


STATEMENTS = {
    "no type": (_changed("_type", to=None), "missing or unknown fields: _type"),
    "a field more": (_changed("by", to="me"), "missing or unknown fields: by"),
    "an old type": (_changed("_type", to="https://in-toto.io/Statement/v0.1"), "a statement of type"),
    "another predicate": (_changed("predicateType", to="https://slsa.dev/provenance/v1"), "predicate is 'https://slsa"),
    "a predicate that is none": (_changed("predicate", to=[]), "lacks its form at the whole"),
    "a missing part": (_changed("predicate", "incumbent", to=None), "lacks its form at incumbent: Field required"),
    "an unknown part": (_changed("predicate", "artefact", "by", to="me"), "lacks its form at artefact.by"),
    "another version": (_changed("predicate", "schema_version", to=2), "lacks its form at schema_version"),
    "an unknown status": (_changed("predicate", "verdicts", 0, "status", to="OK"), "at verdicts.0.status"),
    "a text for a number": (_changed("predicate", "seed", to="7"), "of another type"),
    "a number for a truth": (_changed("predicate", "synthetic", to=0), "of another type"),
    "a truth for a number": (_changed("predicate", "tables", 0, "rows", to=True), "of another type"),
    "a truth for the version": (_changed("predicate", "schema_version", to=True), "of another type"),
    "another model": (_changed("subject", 0, "digest", "sha256", to=B), "subjects are not"),
    "a changed file": (_changed("predicate", "artefact", "files", "MLmodel", to=B), "subjects are not"),
    "another table": (_changed("subject", 1, "name", to="main.wine.other"), "subjects are not"),
    "a subject less": (_changed("subject", 1, to=None), "subjects are not"),
    "no subjects": (_changed("subject", to={}), "subjects are not"),
}


@pytest.mark.parametrize(("changed", "message"), STATEMENTS.values(), ids=STATEMENTS)
def test_a_statement_that_says_anything_else_is_refused(changed, message):
    assert evidence_of(statement(made_evidence())) == made_evidence()
    with pytest.raises(EvidenceError, match=message) as caught:
        evidence_of(changed)
    assert caught.value.exit_code is ExitCode.REFUSED


def test_a_part_that_a_later_version_added_may_be_missing():
    whole = statement(made_evidence())
    del whole["predicate"]["verdicts"][0]["rows"]
    assert evidence_of(whole) == made_evidence()


@pytest.mark.parametrize("number", FLOATS)
@pytest.mark.parametrize(
    "change",
    [
        lambda number: {"threshold": number},
        lambda number: {"metrics": [{"name": "auc", "value": number, "interval": None}]},
        lambda number: {"metrics": [{"name": "auc", "value": 0.9, "interval": [0.5, number]}]},
        lambda number: {"verdicts": [{"gate": "g", "status": "PASS", "sentence": "s", "measured": number}]},
        lambda number: {"verdicts": [{"gate": "g", "status": "PASS", "sentence": "s", "bound": str(number)}]},
        lambda number: {"probe": {"columns": ["a"], "rows": [[number]], "probability": [0.5]}},
        lambda number: {"probe": {"columns": ["a"], "rows": [[1.0]], "probability": [number]}},
    ],
    ids=["threshold", "metric", "interval", "verdict", "written verdict", "probe's row", "probe's probability"],
)
def test_no_number_in_evidence_is_other_than_finite(change, number):
    with pytest.raises(ValidationError):
        made_evidence(**change(number))


@pytest.mark.parametrize(
    "change",
    [
        {"created": "2026-07-01T12:00:00"},
        {"created": "2026-07-01T12:00:00Z"},
        {"created": "2026-07-01T14:00:00+02:00"},
        {"created": "2026-07-01T12:00:00.5+00:00"},
        {"created": "now"},
        {"code_digest": ""},
        {"code_digest": "A" * 64},
        {"problem": ""},
        {"seed": -1},
        {"tables": []},
        {"tables": [made_table(), made_table(name="other")]},
        {"tables": [made_table(rows=-1)]},
        {"tables": [made_table(files={"/etc/passwd": A})]},
        {"tables": [made_table(files={"../raw": A})]},
        {"tables": [made_table(files={"a//b": A})]},
        {"tables": [made_table(files={"part": "short"})]},
        {"artefact": {"model_uri": "models:/m-1", "model_digest": A, "files": {}}},
        {"metrics": [{"name": "auc", "value": 0.9, "interval": None}] * 2},
        {"waivers": [{"gate": "g", "reason": "r", "owner": "o", "until": "20260701"}]},
        {"waivers": [{"gate": "g", "reason": "r", "owner": "", "until": "2026-07-01"}]},
        {"incumbent": {"version": 0, "sequence": 0}},
        {"probe": {"columns": ["a"], "rows": [[1.0, 2.0]], "probability": [0.5]}},
        {"probe": {"columns": ["a"], "rows": [[1.0]], "probability": []}},
        {"probe": {"columns": ["a"], "rows": [[1.0]], "probability": [1.5]}},
        {"probe": {"columns": ["a"], "rows": [], "probability": []}},
    ],
    ids=str,
)
def test_evidence_with_a_hole_cannot_be_made(change):
    with pytest.raises(ValidationError):
        made_evidence(**change)


@pytest.mark.parametrize("age", [timedelta(minutes=-5), timedelta(0), timedelta(hours=24)])
def test_evidence_is_fresh_until_its_time_is_over(age):
    require_fresh(made_evidence(), now=CREATED + age, hours=24)


@pytest.mark.parametrize(
    ("age", "hours", "message"),
    [
        (timedelta(hours=24, seconds=1), 24, "24.0 hours old, and 24 are allowed"),
        (timedelta(hours=2), 1.5, "2.0 hours old, and 1.5 are allowed"),
        (timedelta(minutes=-5, seconds=-1), 24, "from the future: it is 2026-07-01T11:54:59Z here"),
        (timedelta(0), 0, "no evidence is fresh within 0 hours"),
        (timedelta(0), -1, "no evidence is fresh within -1 hours"),
        (timedelta(0), math.nan, "no evidence is fresh within nan hours"),
        (timedelta(0), math.inf, "no evidence is fresh within inf hours"),
    ],
)
def test_stale_evidence_is_refused(age, hours, message):
    with pytest.raises(EvidenceError, match=message):
        require_fresh(made_evidence(), now=CREATED + age, hours=hours)


def test_a_time_without_a_zone_is_no_time():
    with pytest.raises(TypeError, match="offset-naive"):
        require_fresh(made_evidence(), now=datetime(2026, 7, 1), hours=1)


def test_evidence_from_before_note_and_warn_is_read_as_it_was_signed_and_blocks_as_it_did():
    verdicts = [made_verdict("a::one"), made_verdict("a::two", "INCONCLUSIVE")]
    for waivers in ([], [_waiver("a::two")]):
        signed = statement(made_evidence(verdicts=verdicts, waivers=waivers))
        for verdict in signed["predicate"]["verdicts"]:
            del verdict["rows_needed"]  # a key of today
        read = evidence_of(open_envelope(seal(signed, KEY), trusted=[KEY.public_key()]))
        assert [(v.status, v.blocks, v.rows_needed) for v in read.verdicts] == [
            ("PASS", False, None),
            ("INCONCLUSIVE", True, None),
        ]
        if waivers:
            require_complete(read, expected={"a::one", "a::two"})
        else:
            with pytest.raises(EvidenceError, match="said no, without a waiver: a::two"):
                require_complete(read, expected={"a::one", "a::two"})


@pytest.mark.parametrize("status", ["FAIL", "INCONCLUSIVE"])
@pytest.mark.parametrize("until", ["2026-07-01", "2027-01-01"])
def test_a_no_is_covered_by_a_waiver_of_that_gate_that_still_holds(status, until):
    evidence = made_evidence(
        verdicts=[made_verdict("a::one"), made_verdict("a::two", status)], waivers=[_waiver("a::two", until)]
    )
    require_complete(evidence, expected={"a::one", "a::two"})
    require_complete(made_evidence(), expected=["a::two", "a::one"])


@pytest.mark.parametrize("status", ["NOTE", "WARN"])
def test_a_note_and_a_warning_need_no_waiver_but_carry_no_promotion_alone(status):
    require_complete(
        made_evidence(verdicts=[made_verdict("a::one"), made_verdict("a::two", status)]), expected={"a::one", "a::two"}
    )
    with pytest.raises(EvidenceError, match="no gate passed"):
        require_complete(made_evidence(verdicts=[made_verdict("a::one", status)]), expected={"a::one"})


INCOMPLETE = {
    "silence": ([], [], "holds no verdict"),
    "one missing": ([made_verdict("a::one")], [], "lacks the verdict of a::two"),
    "one more": ([made_verdict("a::one"), made_verdict("a::two"), made_verdict("b::x")], [], "was not expected: b::x"),
    "one twice": (
        [made_verdict("a::one"), made_verdict("a::two"), made_verdict("a::two")],
        [],
        "more than one verdict of a::two",
    ),
    "no and yes of one": (
        [made_verdict("a::one"), made_verdict("a::two", "FAIL"), made_verdict("a::two")],
        [],
        "more than one verdict of a::two",
    ),
    "broken": (
        [made_verdict("a::one"), made_verdict("a::two", "CONFIG_ERROR")],
        [],
        "broken, which no waiver covers: a::two",
    ),
    "broken, waived": (
        [made_verdict("a::one"), made_verdict("a::two", "CONFIG_ERROR")],
        [_waiver("a::two", "2027-01-01")],
        "broken, which no waiver covers: a::two",
    ),
    "no": ([made_verdict("a::one"), made_verdict("a::two", "FAIL")], [], "said no, without a waiver: a::two"),
    "do not know": ([made_verdict("a::one", "INCONCLUSIVE"), made_verdict("a::two")], [], "without a waiver: a::one"),
    "no, another gate waived": (
        [made_verdict("a::one"), made_verdict("a::two", "FAIL")],
        [_waiver("a::one")],
        "said no, without a waiver: a::two",
    ),
    "waiver ended": (
        [made_verdict("a::one"), made_verdict("a::two", "FAIL")],
        [_waiver("a::two", "2026-06-30")],
        "the waiver had ended before 2026-07-01: a::two",
    ),
    "nothing but waivers": (
        [made_verdict("a::one", "FAIL"), made_verdict("a::two", "INCONCLUSIVE")],
        [_waiver("a::one"), _waiver("a::two")],
        "no gate passed, and waivers alone promote nothing: a::one, a::two",
    ),
}


@pytest.mark.parametrize(("verdicts", "waivers", "message"), INCOMPLETE.values(), ids=INCOMPLETE)
def test_verdicts_that_do_not_carry_a_promotion_are_refused_by_name(verdicts, waivers, message):
    with pytest.raises(EvidenceError, match=message):
        require_complete(made_evidence(verdicts=verdicts, waivers=waivers), expected=("a::one", "a::two"))


@pytest.mark.parametrize("verdicts", [[], [made_verdict("a::one")]])
def test_where_no_gate_is_expected_nothing_is_complete(verdicts):
    with pytest.raises(EvidenceError):
        require_complete(made_evidence(verdicts=verdicts), expected=())


@pytest.mark.parametrize(
    ("expected", "found", "message"),
    [
        ({"a": A, "b": B}, {"b": B}, "artefact: a is missing"),
        ({"b": B}, {"a": A, "b": B}, "artefact: a was added"),
        ({"a": A, "b": B}, {"a": B, "b": B}, f"artefact: a has changed: its SHA-256 is {B}, the evidence says {A}"),
        ({"a": A, "b": B}, {"a": B, "c": B}, "artefact: a has changed"),
        ({}, {}, "artefact: the evidence names no file"),
    ],
)
def test_the_first_file_that_differs_is_named(expected, found, message):
    require_same_digests({"a": A}, {"a": A}, what="artefact")
    with pytest.raises(EvidenceError, match=message):
        require_same_digests(expected, found, what="artefact")
