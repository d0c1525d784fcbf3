"""This module provides batches: small requests that are there at the same moment are answered from one prediction.

A model takes about as long for a few rows as for one, and each row's answer is the same whatever rows are beside it.
Nothing waits for a batch to fill: it is what has arrived by the event loop's next turn.
"""

from __future__ import annotations

import asyncio
from itertools import groupby

from gauntlet.serving.refusals import Refusal
from gauntlet.serving.scoring import Reply, Scoring

_Answer = Reply | Refusal | None


class Batches:
    """The small requests of one event loop."""

    def __init__(self, *, maximum_rows: int) -> None:
        """Answer requests.

        Args:
            maximum_rows: How many rows each may ask about.
        """
        self._maximum_rows = maximum_rows
        self._waiting: list[tuple[Scoring, tuple[bytes, str | None], asyncio.Future[_Answer]]] = []

    async def quick_reply(self, scoring: Scoring, body: bytes, content_type: str | None) -> Reply | None:
        """Return the answer to a request that can go the quick way; None for every other.

        Args:
            scoring: Answers it, and those beside it that have the same.
            body: Its body.
            content_type: Its type, as the client says.

        Raises:
            Refusal: If it is no JSON object.
        """
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[_Answer] = loop.create_future()
        if not self._waiting:
            loop.call_soon(self._answer)
        self._waiting.append((scoring, (body, content_type), answer))
        found = await answer
        if isinstance(found, Refusal):
            raise found
        return found

    def _answer(self) -> None:
        """Answer all that wait; when the champion changes they may have two scorings between them."""
        waiting, self._waiting = self._waiting, []
        for _, group in groupby(waiting, key=lambda one: id(one[0])):
            scorings, requests, answers = zip(*group, strict=True)
            try:
                replies = scorings[0].quick_replies(requests, maximum_rows=self._maximum_rows)
            except Exception as error:  # a defect; each request is answered with it
                for answer in answers:
                    if not answer.done():
                        answer.set_exception(error)
                continue
            for answer, reply in zip(answers, replies, strict=True):
                if not answer.done():  # its task was ended by a second stop
                    answer.set_result(reply)
