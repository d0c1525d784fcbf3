"""This module provides the answer to POST ``/invocations``: within its limits, at once or by a thread.

It is a bare ASGI application. Routing, middleware and the request and response objects of a framework would take about
as long as the prediction for one row.
"""

from __future__ import annotations

import asyncio
import logging
import traceback
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial

from starlette.types import Receive, Scope, Send

from gauntlet.serving.batches import Batches
from gauntlet.serving.champion_watch import ChampionWatch
from gauntlet.serving.metrics import ServingMetrics
from gauntlet.serving.refusals import Refusal, too_large
from gauntlet.serving.scoring import JSON, Reply
from gauntlet.serving.served_model import ServedModel
from gauntlet.serving.settings import Limits

_THREADS = 4
# A request as small, to a model as fast, is answered at once: to hand it to a thread takes longer than to answer it.
_SMALL_BYTES = 16 * 2**10
_FAST_SECONDS = 0.002
# So much of a body that is too large is read and thrown away, so that its sender comes to read the answer.
_DISCARDED_BYTES = 64 * 2**20

_logger = logging.getLogger(__name__)


class _Disconnected(Exception):  # noqa: N818 - nobody is told of it
    """The client went away before its body was here."""


class Invocations:
    """What answers requests for predictions."""

    def __init__(self, watch: ChampionWatch, metrics: ServingMetrics, limits: Limits) -> None:
        """Answer from the served version.

        Args:
            watch: The served version.
            metrics: What is counted.
            limits: What is taken on at most.
        """
        self._watch = watch
        self._metrics = metrics
        self._limits = limits
        self._pool = ThreadPoolExecutor(_THREADS, thread_name_prefix="scoring")
        self._batches = Batches(maximum_rows=limits.rows)
        self._in_work = self._given_up = 0
        metrics.in_work.set_function(lambda: self._in_work + self._given_up)

    def close(self) -> None:
        """Begin nothing more; work that has a thread goes on."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        served = self._watch.served
        try:
            with self._place():
                reply = await self._reply(served, await self._body(receive), _content_type(scope))
        except Refusal as refusal:
            await _refuse(refusal, served, send)
            return
        except _Disconnected:
            await _send(send, 499, b"", [])  # nobody reads it; the access log does
            return
        except Exception as error:
            frames = "".join(traceback.format_tb(error.__traceback__))
            _logger.error("a request failed: %s\n%s", type(error).__name__, frames)  # without data
            await _refuse(Refusal(500, "INTERNAL_ERROR", "a defect in the server; see its log"), served, send)
            return
        scope["gauntlet.rows"] = reply.rows
        self._metrics.rows.inc(reply.rows)
        self._metrics.answers(reply.way).inc()
        media_type = (b"content-type", reply.media_type.encode("latin-1"))
        await _send(send, reply.status, reply.content, [*served.headers, media_type])

    @contextmanager
    def _place(self) -> Iterator[None]:
        """Hold a place among the requests in work.

        Raises:
            Refusal: If none is free.
        """
        if self._in_work + self._given_up >= self._limits.concurrency:
            message = f"{self._limits.concurrency} requests are in work; send it again later"
            raise Refusal(503, "TEMPORARILY_UNAVAILABLE", message)
        self._in_work += 1
        try:
            yield
        finally:
            self._in_work -= 1

    async def _body(self, receive: Receive) -> bytes:
        """Return a request's body.

        Raises:
            Refusal: If it is too large, or does not arrive in time.
        """
        maximum = self._limits.body_bytes
        chunks: list[bytes] = []
        size, more = 0, True
        try:
            async with asyncio.timeout(self._limits.seconds):
                while more and size <= maximum + _DISCARDED_BYTES:
                    message = await receive()
                    if message["type"] == "http.disconnect":
                        raise _Disconnected
                    chunk: bytes = message.get("body", b"")
                    more = message.get("more_body", False)
                    size += len(chunk)
                    if size <= maximum:
                        chunks.append(chunk)
        except TimeoutError:
            late = f"the body did not arrive within {self._limits.seconds:g} seconds"
            raise Refusal(408, "REQUEST_TIMEOUT", late) from None
        if size > maximum:
            raise too_large(f"the body is larger than {maximum} bytes; send fewer rows at once")
        return b"".join(chunks)

    async def _reply(self, served: ServedModel, body: bytes, content_type: str | None) -> Reply:
        """Return the answer to a request, at once or by a thread.

        Raises:
            Refusal: If it is not answered, or not in time.
        """
        rows = self._limits.rows
        if len(body) <= _SMALL_BYTES and served.row_seconds <= _FAST_SECONDS:
            reply = await self._batches.quick_reply(served.scoring, body, content_type)
            if reply is not None:
                return reply
        ask = partial(served.scoring.reply, body, content_type, maximum_rows=rows)
        work = self._pool.submit(ask)
        try:
            return await asyncio.wait_for(asyncio.wrap_future(work), self._limits.seconds)
        except TimeoutError:
            self._give_up(work)
            message = f"there was no answer within {self._limits.seconds:g} seconds; send fewer rows at once"
            raise Refusal(504, "REQUEST_TIMEOUT", message) from None

    def _give_up(self, work: Future[Reply]) -> None:
        """Keep the place of work that nobody waits for any more, but that holds a thread until it is done."""
        loop = asyncio.get_running_loop()

        def end() -> None:
            self._given_up -= 1

        if not work.cancel():
            self._given_up += 1
            work.add_done_callback(lambda _: loop.call_soon_threadsafe(end))


def _content_type(scope: Scope) -> str | None:
    for name, value in scope["headers"]:
        if name == b"content-type":
            return str(value, "latin-1")
    return None


async def _refuse(refusal: Refusal, served: ServedModel, send: Send) -> None:
    headers = [*served.headers, (b"content-type", JSON.encode())]
    if refusal.status == 503:
        headers.append((b"retry-after", b"1"))
    if refusal.status in (408, 413, 503):  # the rest of the body may still be under way
        headers.append((b"connection", b"close"))
    await _send(send, refusal.status, refusal.content, headers)


async def _send(send: Send, status: int, content: bytes, headers: list[tuple[bytes, bytes]]) -> None:
    headers.append((b"content-length", b"%d" % len(content)))
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": content})
