"""This module provides the rollback: the champion before the present one is champion again."""

from __future__ import annotations

from gauntlet.adapters.target import Target
from gauntlet.core.canonical import digest
from gauntlet.core.champion_history import ChampionHistory
from gauntlet.core.errors import RefusedError
from gauntlet.core.promotions import Promotion
from gauntlet.core.state import State
from gauntlet.stages.champion_change import Change, make_champion, recovered
from gauntlet.stages.champions import Champions, named, number_of, open_champions


def roll_back(*, target: Target, state: State) -> Promotion:
    """Make the former champion champion again, and return the ledger's entry; without Spark.

    Its evidence must be as it was signed and its files as they were judged, however old the evidence is. The next
    rollback goes to the champion before that, never forth again: what was rolled back is promoted on a new judgement.

    Args:
        target: Where registry and ledger are.
        state: The state folder, which holds the evidence.

    Raises:
        RefusedError: If there is no former champion, it is not what it was, another process is at work, or it does not
            come back from the registry as it was judged; the champion is as before.
        RequirementError: If the registry or the ledger could not be asked.
    """
    champions = open_champions(target, state)
    history = champions.history()
    history = recovered(champions, key=_key(history))
    champion, former = history.champion, history.predecessor
    if champion is None or former is None:
        raise RefusedError(
            f"{champions.model}: {named(number_of(champion))} is champion, and there is none before it to roll "
            "back to; nothing was changed"
        )
    champions.require_alias(history)
    change = _change(champions, former, key=_key(history))
    entry, _ = make_champion(champions, change, history=history)
    return entry


def _change(champions: Champions, former: Promotion, *, key: str) -> Change:
    with champions.verified(former) as (evidence, _):
        version = champions.version(former)
    return Change(kind="rollback", version=version, evidence=evidence, mark=former.evidence, key=key)


def _key(history: ChampionHistory) -> str:
    """Return the key of the rollback that the history asks for, the same until it is done."""
    champion, former = history.champion, history.predecessor
    return digest(["rollback", champion and champion.sequence, former and former.sequence])
