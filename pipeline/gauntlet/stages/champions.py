"""This module provides the champions of one model: what the registry, the ledger and the evidence say of them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

from gauntlet.adapters.artefact_copies import VerifiedCopy
from gauntlet.adapters.evidence_store import EvidenceStore
from gauntlet.adapters.promotion_ledger import PromotionLedger
from gauntlet.adapters.registry import (
    ARTEFACT_TAG,
    CHAMPION,
    EVIDENCE_TAG,
    MODEL_DIGEST_TAG,
    REPLACED_BY_TAG,
    REPLACES_TAG,
    STATUS_TAG,
    THRESHOLD_TAG,
    Registry,
)
from gauntlet.adapters.signing_keys import PROMOTER, SigningKeys
from gauntlet.adapters.target import Target
from gauntlet.core.champion_history import ChampionHistory
from gauntlet.core.errors import EvidenceError, RefusedError
from gauntlet.core.evidence import Evidence, require_no_refusal
from gauntlet.core.promotions import Promotion, faults_of, is_unsigned
from gauntlet.core.results import ModelVersion
from gauntlet.core.state import State


@dataclass(frozen=True)
class Champions:
    """Where a model's champions are written down.

    Attributes:
        registry: The model's versions, and the alias that everybody serves by.
        ledger: The authority on which version is champion.
        evidence: What each promotion stands on.
        target: The name of the target that they belong to.
        problem: The name of the problem that they answer.
    """

    registry: Registry
    ledger: PromotionLedger
    evidence: EvidenceStore
    target: str
    problem: str

    @property
    def model(self) -> str:
        """The model's three-level name."""
        return self.registry.name

    def history(self) -> ChampionHistory:
        """Return the history of champions.

        Raises:
            RefusedError: If the ledger was changed by hand, or no trusted promoter signed it.
            RequirementError: If it cannot be read, or there is no key to prove it with.
        """
        entries = self.ledger.entries(self.model)
        if is_unsigned(entries):
            raise RefusedError(
                f"{self.ledger.path}: no entry of {self.model} is signed, as in ledgers of earlier versions; run "
                "`gauntlet audit --sign-ledger` once: it signs them if nothing else is wrong"
            )
        faults = faults_of(entries) or self.ledger.signature_faults(entries)
        if faults:
            raise RefusedError(
                f"{self.ledger.path}: the ledger of {self.model} was changed by hand ({faults[0]}); nothing was "
                "promoted or rolled back: see `gauntlet audit`, and restore the file from a copy"
            )
        return ChampionHistory(entries)

    def version(self, entry: Promotion) -> ModelVersion:
        """Return the version that an entry speaks of."""
        return ModelVersion(name=entry.model, version=entry.version, run_id=entry.run_id)

    def evidence_of(self, entry: Promotion) -> Evidence:
        """Return what an entry stands on, once it is proven that this promotes its version.

        Its age does not count, nor what problem and tables are today.

        Raises:
            EvidenceError: If it was changed, says no, is of another problem, target or artefact, or was compared with
                another champion than the entry replaced.
            RequirementError: If there is no key to prove it with.
        """
        evidence = self.evidence.proven(entry.evidence)
        fault = self.fault_of(entry, evidence)
        if fault is not None:
            raise EvidenceError(f"{entry.model} version {entry.version}: {fault}; see `gauntlet audit`")
        return evidence

    def fault_of(self, entry: Promotion, evidence: Evidence) -> str | None:
        """Return why proven evidence does not promote an entry's version; None if it does."""
        if evidence.artefact.digest != entry.artefact_digest:
            return "the ledger speaks of another artefact than its evidence"
        if evidence.target != self.target:
            return f"its evidence was made on target {evidence.target}, not on {self.target}"
        if evidence.problem != self.problem:
            return f"its evidence is of the problem {evidence.problem}, not of {self.problem}"
        judged = evidence.incumbent.version
        if entry.kind == "promote" and judged != entry.previous_version:
            return f"its evidence compares it with {named(judged)}, but it replaced {named(entry.previous_version)}"
        try:
            require_no_refusal(evidence)
        except EvidenceError as error:
            return str(error)
        return None

    @contextmanager
    def verified(self, entry: Promotion) -> Iterator[tuple[Evidence, VerifiedCopy]]:
        """Give an entry's evidence and a copy of its version's files that was held against it; gone afterwards.

        Raises:
            EvidenceError: As ``evidence_of``; or if the files are not those that were judged.
            RequirementError: If evidence or files cannot be had.
        """
        evidence = self.evidence_of(entry)
        with self.registry.artefact(self.version(entry)) as folder:
            what = f"{entry.model} version {entry.version}"
            yield evidence, VerifiedCopy.of(folder, files=evidence.artefact.files, what=what)

    def require_alias(self, history: ChampionHistory) -> None:
        """Make sure that the alias names the ledger's champion, or the version that an open claim moved it to.

        Raises:
            RefusedError: If it names another version; the message says which.
            RequirementError: If the registry could not be asked.
        """
        champion, claim = number_of(history.champion), history.open_claim
        found = number_of(self.registry.version_of(CHAMPION))
        if found not in {champion, champion if claim is None else claim.version}:
            raise RefusedError(
                f"{self.model}: the alias {CHAMPION} names {named(found)}, but by the ledger {named(champion)} is "
                "champion; somebody moved the alias by hand, so nothing was changed: see `gauntlet audit`"
            )

    def mark(self, history: ChampionHistory, *numbers: int | None) -> None:
        """Let the tags of versions say what the history says of them; None for a version is passed over.

        Raises:
            RequirementError: If the registry could not be asked.
        """
        for number in numbers:
            if number is not None:
                version = ModelVersion(name=self.model, version=number, run_id="")
                self.registry.tag(version, place_tags(history, number))


def open_champions(target: Target, state: State) -> Champions:
    """Return the champions of a target's model; nothing is read yet.

    Args:
        target: Where registry and ledger are.
        state: The state folder, which holds evidence and keys.
    """
    return Champions(
        registry=Registry(tracking=target.tracking, name=target.names.registered_model),
        ledger=replace(target.ledger, keys=SigningKeys(state.keys, PROMOTER)),
        evidence=EvidenceStore(folder=state.evidence, keys=SigningKeys(state.keys)),
        target=target.name,
        problem=target.problem.name,
    )


def place_tags(history: ChampionHistory, version: int) -> dict[str, str | None]:
    """Return the tags that a version must have by the history; None for one that it must not have."""
    place = history.place(version)
    tags: dict[str, str | None] = {
        STATUS_TAG: place.status,
        REPLACED_BY_TAG: None if place.replaced_by is None else str(place.replaced_by),
    }
    if place.entry is not None:
        before = place.entry.previous_version
        tags |= {REPLACES_TAG: "" if before is None else str(before), EVIDENCE_TAG: place.entry.evidence}
    return tags


def judged_tags(evidence: Evidence) -> dict[str, str]:
    """Return the tags that say what a version decides by, as its evidence has it."""
    return {
        MODEL_DIGEST_TAG: evidence.artefact.model_digest,
        ARTEFACT_TAG: evidence.artefact.digest,
        THRESHOLD_TAG: repr(evidence.threshold),
    }


def number_of(found: ModelVersion | Promotion | None) -> int | None:
    """Return the number of a version, or of the version that an entry speaks of; None for none."""
    return None if found is None else found.version


def named(version: int | None) -> str:
    """Return a version in words."""
    return "no version" if version is None else f"version {version}"
