"""This module provides the model that is served: the promoted version and no other, verified and warmed up.

The ledger alone says which version was promoted. Its files are copied by version, never by alias, and held against the
signed evidence of the promotion; the copy that was verified is the one that is loaded.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from functools import cached_property
from time import perf_counter
from typing import Protocol

from gauntlet.adapters.registry import ARTEFACT_TAG
from gauntlet.core.errors import EvidenceError, RefusedError
from gauntlet.core.evidence import ProbeEvidence
from gauntlet.core.promotions import Promotion
from gauntlet.serving.refusals import Refusal
from gauntlet.serving.scoring import JSON, Scoring
from gauntlet.stages.champions import Champions

_WARM_UPS = 3


@dataclass(frozen=True)
class ServedModel:
    """A version that is served.

    Attributes:
        name: The model's three-level name.
        version: The version.
        sequence: The number of its promotion in the ledger.
        chain: The chain of its promotion, which covers number, version, evidence and all promotions before.
        artefact_digest: The digest of its files.
        evidence: The SHA-256 of the evidence that it was promoted on.
        scoring: Answers requests.
        row_seconds: How long it took for one row when it was warm.
    """

    name: str
    version: int
    sequence: int
    chain: str
    artefact_digest: str
    evidence: str
    scoring: Scoring
    row_seconds: float

    @property
    def marks(self) -> dict[str, str]:
        """The headers that say which version gave an answer."""
        return {"x-gauntlet-model": self.name, "x-gauntlet-model-version": str(self.version)}

    @cached_property
    def headers(self) -> tuple[tuple[bytes, bytes], ...]:
        """The marks as ASGI takes them."""
        return tuple((name.encode(), value.encode()) for name, value in self.marks.items())

    @property
    def described(self) -> dict[str, str | int]:
        """What ``/model`` shows."""
        return {
            "model": self.name,
            "version": self.version,
            "sequence": self.sequence,
            "artefact_digest": self.artefact_digest,
            "evidence": self.evidence,
        }


class ModelSource(Protocol):
    """Where the model to serve comes from."""

    def promoted(self) -> Promotion:
        """Return the promotion of the version to serve.

        Raises:
            GauntletError: If there is none, or it cannot be found out.
        """

    def loaded(self, promotion: Promotion) -> ServedModel:
        """Return the promoted version, verified and warm.

        Raises:
            GauntletError: If it is not what was promoted, or cannot be had.
        """


@dataclass(frozen=True)
class ChampionSource:
    """The champion as registry, ledger and evidence have it.

    Attributes:
        champions: Where they are.
    """

    champions: Champions

    def promoted(self) -> Promotion:
        """Return the promotion that made the champion.

        Raises:
            RefusedError: If there is no champion, the alias was moved by hand, or the ledger was changed.
            RequirementError: If registry or ledger could not be asked.
        """
        history = self.champions.history()
        if history.champion is None:
            raise RefusedError(
                f"{self.champions.model}: has no champion yet, so there is nothing to serve; promote one with "
                "`gauntlet run`, or give its state folder with --state"
            )
        self.champions.require_alias(history)
        return history.champion

    def loaded(self, promotion: Promotion) -> ServedModel:
        """Return the promoted version, verified and warm.

        Raises:
            EvidenceError: If its evidence, its files or its answers are not those that were judged.
            RequirementError: If its files cannot be had.
        """
        where = f"{promotion.model} version {promotion.version}"
        with self.champions.verified(promotion) as (evidence, copy):
            tags = self.champions.registry.tags(self.champions.version(promotion))
            if tags.get(ARTEFACT_TAG, "") != evidence.artefact.digest:
                raise EvidenceError(
                    f"{where}: the tag {ARTEFACT_TAG} speaks of another artefact than its evidence; see `gauntlet "
                    "audit`"
                )
            try:
                scoring = Scoring.of(copy.load())
            except Exception as error:
                reason = " ".join(str(error).split())[:300]
                raise EvidenceError(f"{where}: cannot be loaded ({type(error).__name__}: {reason})") from error
            seconds = _warmed(scoring, evidence.probe, where=where)
        return ServedModel(
            name=promotion.model,
            version=promotion.version,
            sequence=promotion.sequence,
            chain=promotion.chain,
            artefact_digest=evidence.artefact.digest,
            evidence=promotion.evidence,
            scoring=scoring,
            row_seconds=seconds,
        )


def _warmed(scoring: Scoring, probe: ProbeEvidence, *, where: str) -> float:
    """Ask a model for the evidence's probe rows, as a client would, in every way; return the seconds for one row.

    Raises:
        EvidenceError: If it does not answer as was judged, bit for bit.
    """
    whole = _request(probe, rows=len(probe.rows))
    for way in (scoring, replace(scoring, quick=None)):
        try:
            reply = way.reply(whole, JSON, maximum_rows=len(probe.rows))
        except Refusal as error:
            raise EvidenceError(f"{where}: refuses the evidence's probe rows ({error.message})") from error
        if tuple(json.loads(reply.content)["predictions"]) != probe.probability:
            raise EvidenceError(f"{where}: answers the evidence's probe rows otherwise than was judged ({reply.way})")
    return min(_seconds(scoring, _request(probe, rows=1)) for _ in range(_WARM_UPS))


def _request(probe: ProbeEvidence, *, rows: int) -> bytes:
    table = {"columns": probe.columns, "data": probe.rows[:rows]}
    return json.dumps({"dataframe_split": table}).encode()


def _seconds(scoring: Scoring, body: bytes) -> float:
    started = perf_counter()
    scoring.reply(body, JSON, maximum_rows=1)
    return perf_counter() - started
