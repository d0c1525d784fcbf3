"""This module provides the audit: whether registry, ledger, evidence and artefacts still tell one story."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from gauntlet.adapters.artefact_copies import require_same_artefact
from gauntlet.adapters.evidence_store import evidence_path
from gauntlet.adapters.registry import CHAMPION, STATUS_TAG
from gauntlet.adapters.signing_keys import PROMOTER, SigningKeys
from gauntlet.adapters.target import Target
from gauntlet.core.champion_history import ChampionHistory
from gauntlet.core.errors import EvidenceError, InputError, RefusedError, RequirementError
from gauntlet.core.evidence import Evidence
from gauntlet.core.promotions import Promotion, faults_of, is_unsigned
from gauntlet.core.results import ModelVersion, VerdictRecord
from gauntlet.core.state import State
from gauntlet.core.test_reads import read_test_reads, require_reads_go_on
from gauntlet.stages.champions import Champions, judged_tags, named, number_of, open_champions, place_tags
from gauntlet.stages.evidence_check import require_table

_RESTORE_LEDGER = "restore the ledger from a copy; until then nothing can be promoted or rolled back"
_RESTORE_EVIDENCE = "restore the file from a copy, or judge and promote the model anew"
_RESTORE_READS = "without it nobody can say how often the test split was opened; candidates can still be judged"
_SIGN_LEDGER = "run `gauntlet audit --sign-ledger` once, if nothing else is found"
_TABLE_GONE = "nothing, unless a candidate is to be compared with the champion on these rows; then judge anew"
_JUDGE_ANEW = "if it is champion, roll back or judge and promote a model anew; never roll back to it"


# The versions of the registry with their tags, by number.
Versions = Mapping[int, tuple[ModelVersion, Mapping[str, str]]]
# All evidence that is kept or that the ledger names, by SHA-256; or why it cannot be proven.
Proofs = Mapping[str, Evidence | EvidenceError]


@dataclass(frozen=True)
class Finding:
    """One thing that is not in order.

    Attributes:
        what: What is wrong, as a sentence.
        where: The ledger's sequence, the version, the file or the alias that it is about.
        advice: What to do.
    """

    what: str
    where: str
    advice: str


@dataclass(frozen=True)
class Audit:
    """What an audit found.

    Attributes:
        model: The model's three-level name.
        entries: How many entries of the ledger were looked at.
        versions: How many versions of the registry were looked at.
        findings: What is not in order; empty if all is.
        champion: The number of the version that is champion by the ledger; None if there is none.
        verdicts: The verdicts that it was promoted on; empty if its evidence cannot be proven.
        tables: Which tables of its evidence are gone or changed, where their files are at hand. Nothing that the
            champion is promised to be depends on them, but a new candidate cannot be compared with it on their rows.
    """

    model: str
    entries: int
    versions: int
    findings: tuple[Finding, ...]
    champion: int | None = None
    verdicts: tuple[VerdictRecord, ...] = ()
    tables: tuple[Finding, ...] = ()

    @property
    def sentence(self) -> str:
        """The outcome in one sentence."""
        seen = f"{self.entries} entries of the ledger and {self.versions} versions of {self.model}"
        return f"{seen} were looked at: {f'{len(self.findings)} findings' if self.findings else 'all is in order'}"


def audit(*, target: Target, state: State) -> Audit:
    """Walk over the ledger and the registry, and say all that is not in order; nothing is changed, Spark not needed.

    Args:
        target: Where registry and ledger are.
        state: The state folder, which holds the evidence.

    Raises:
        RequirementError: If the registry could not be asked, or there is no key to prove evidence with.
    """
    champions = open_champions(target, state)
    versions = dict(_numbered(champions))
    try:
        entries = champions.ledger.entries(champions.model)
    except RequirementError as error:
        broken = Finding(str(error), str(champions.ledger.path), _RESTORE_LEDGER)
        return Audit(champions.model, entries=0, versions=len(versions), findings=(broken,))
    history = ChampionHistory(entries)
    judged = _judged(history)
    marks = dict.fromkeys(entry.evidence for entry in judged)
    proofs = {mark: _proof(champions, mark) for mark in (marks | dict.fromkeys(champions.evidence.marks()))}
    findings = (
        *_ledger_findings(champions, history),
        *_removal_findings(champions, history, proofs),
        *_alias_findings(champions, history),
        *_version_findings(history, versions),
        *(
            found
            for entry in judged
            for found in _artefact_findings(champions, entry, versions, proofs[entry.evidence])
        ),
        *_opening_findings(state, [found for mark in marks if isinstance(found := proofs[mark], Evidence)]),
    )
    champion = history.champion
    proof = None if champion is None else proofs[champion.evidence]
    evidence = proof if isinstance(proof, Evidence) else None
    return Audit(
        champions.model,
        entries=len(entries),
        versions=len(versions),
        findings=findings,
        champion=number_of(champion),
        verdicts=() if evidence is None else evidence.verdicts,
        tables=() if evidence is None else tuple(_table_findings(evidence, target)),
    )


def sign_ledger(*, target: Target, state: State) -> int:
    """Sign the entries of a ledger that a version wrote which did not sign, and return how many they are.

    Args:
        target: Where registry and ledger are.
        state: The state folder, which holds the evidence.

    Raises:
        RefusedError: If the audit finds anything else, or the ledger is signed; nothing was changed.
        RequirementError: If the registry or the ledger could not be asked, or a key cannot be had.
    """
    champions = open_champions(target, state)
    others = [finding for finding in audit(target=target, state=state).findings if finding.advice != _SIGN_LEDGER]
    if others:
        raise RefusedError(
            f"{champions.ledger.path}: not signed, for the audit finds {others[0].where}: {others[0].what}; put that "
            "right first"
        )
    return champions.ledger.sign_all(champions.model, keys=SigningKeys(state.keys, PROMOTER))


def _numbered(champions: Champions) -> Iterator[tuple[int, tuple[ModelVersion, Mapping[str, str]]]]:
    for version, tags in champions.registry.versions():
        yield version.version, (version, tags)


def _ledger_findings(champions: Champions, history: ChampionHistory) -> Iterator[Finding]:
    where = str(champions.ledger.path)
    if is_unsigned(history.entries):
        yield Finding("no entry is signed, as in ledgers of earlier versions", where, _SIGN_LEDGER)
        faults = faults_of(history.entries)
    else:  # what was changed has a wrong signature too
        faults = faults_of(history.entries) or champions.ledger.signature_faults(history.entries)
    for fault in faults:
        yield Finding(fault, where, _RESTORE_LEDGER)
    claim = history.open_claim
    if claim is not None:
        yield Finding(
            f"version {claim.version} was claimed at {claim.claimed} and the claim has not ended",
            f"sequence {claim.sequence}",
            "wait for the promotion that is at work; if there is none, the next one puts this right",
        )


def _removal_findings(champions: Champions, history: ChampionHistory, proofs: Proofs) -> Iterator[Finding]:
    """Yield whether signed evidence knows of more entries than the ledger has: its end, or all of it, was removed."""
    known = [
        (proof.incumbent.sequence, mark)
        for mark, proof in proofs.items()
        if isinstance(proof, Evidence) and proof.target == champions.target
    ]
    sequence, mark = max(known, default=(0, ""))
    if sequence > history.last_sequence:
        yield Finding(
            f"evidence {mark[:12]} was signed when the ledger had {sequence} entries, and it has "
            f"{history.last_sequence}: entries were removed",
            str(champions.ledger.path),
            _RESTORE_LEDGER,
        )


def _alias_findings(champions: Champions, history: ChampionHistory) -> Iterator[Finding]:
    champion, claim = history.champion, history.open_claim
    wanted, names = number_of(champion), number_of(champions.registry.version_of(CHAMPION))
    if names == wanted or (claim is not None and names == claim.version):
        return
    action = "delete the alias" if wanted is None else f"set it to version {wanted}"
    yield Finding(
        f"the alias names {named(names)}, but by the ledger {named(wanted)} is champion: it was moved by hand",
        f"alias {CHAMPION}",
        f"{action} with MLflow; another version becomes champion by `gauntlet promote` or `gauntlet rollback`",
    )


def _version_findings(history: ChampionHistory, versions: Versions) -> Iterator[Finding]:
    """Yield what tags say otherwise than the ledger; those of an open claim's versions may be on their way."""
    claim = history.open_claim
    moving = {claim.version, claim.previous_version} if claim else set()
    for number, (_, tags) in sorted(versions.items()):
        if number in moving:
            continue
        if history.place(number).entry is not None:
            yield from _tag_findings(number, tags, place_tags(history, number), source="by the ledger it is")
        elif tags.get(STATUS_TAG) in ("champion", "archived"):
            yield _tag_finding(number, STATUS_TAG, tags, "by the ledger it never was champion")


def _proof(champions: Champions, mark: str) -> Evidence | EvidenceError:
    try:
        return champions.evidence.proven(mark)
    except EvidenceError as error:
        return error


def _artefact_findings(
    champions: Champions, entry: Promotion, versions: Versions, evidence: Evidence | EvidenceError
) -> Iterator[Finding]:
    """Yield what is wrong with the evidence of a champion, and with the files and tags that it vouches for."""
    where = f"sequence {entry.sequence}, version {entry.version}"
    if entry.version not in versions:
        yield Finding("the version was champion, and the registry has it no more", where, _JUDGE_ANEW)
        return
    version, tags = versions[entry.version]
    if isinstance(evidence, EvidenceError):
        file = evidence_path(champions.evidence.folder, entry.evidence)
        yield Finding(f"{evidence}; so the files of {where} could not be checked", str(file), _RESTORE_EVIDENCE)
        return
    if fault := champions.fault_of(entry, evidence):
        yield Finding(fault, where, _RESTORE_LEDGER)
    yield from _tag_findings(entry.version, tags, judged_tags(evidence), source="what was judged is")
    try:
        with champions.registry.artefact(version) as folder:
            require_same_artefact(evidence.artefact.files, folder, what="the artefact")
    except (EvidenceError, RequirementError) as error:
        yield Finding(str(error), where, _JUDGE_ANEW)


def _table_findings(evidence: Evidence, target: Target) -> Iterator[Finding]:
    """Yield which tables are gone or changed, where that can be told without Spark."""
    for table in evidence.tables if target.tables.at_hand else ():
        try:
            require_table(table, target)
        except EvidenceError as error:
            yield Finding(str(error), table.full_name, _TABLE_GONE)


def _opening_findings(state: State, proven: Iterable[Evidence]) -> Iterator[Finding]:
    """Yield whether the ledger of test reads was changed or cut off since a champion was judged; once for all."""
    try:
        reads = read_test_reads(state.test_reads)
        for evidence in proven:
            require_reads_go_on(reads, count=evidence.openings.count, chain=evidence.openings.chain)
    except (EvidenceError, InputError) as error:
        yield Finding(str(error), str(state.test_reads), _RESTORE_READS)


def _tag_findings(
    number: int, tags: Mapping[str, str], wanted: Mapping[str, str | None], *, source: str
) -> Iterator[Finding]:
    for name, value in wanted.items():
        if tags.get(name) != value:
            yield _tag_finding(number, name, tags, f"{source} {value or 'none'}")


def _tag_finding(number: int, name: str, tags: Mapping[str, str], truth: str) -> Finding:
    return Finding(
        f"the tag {name} is {tags.get(name) or 'none'}, but {truth}",
        f"version {number}",
        "put the tag right with MLflow, and find out who changed it",
    )


def _judged(history: ChampionHistory) -> list[Promotion]:
    """Return the last entry of each version and evidence that was champion: a rollback repeats an earlier one's."""
    done = [entry for entry in history.entries if entry.status == "done"]
    return list({(entry.version, entry.evidence): entry for entry in done}.values())
