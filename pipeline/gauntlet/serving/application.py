"""This module provides the HTTP application: MLflow's routes, the metrics, and the limits of a request."""

from __future__ import annotations

import asyncio
import logging
import traceback
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import asynccontextmanager, contextmanager
from functools import partial

import mlflow
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from gauntlet.serving.access import Access, AccessLog
from gauntlet.serving.champion_watch import ChampionWatch
from gauntlet.serving.metrics import MEDIA_TYPE, ServingMetrics
from gauntlet.serving.refusals import Refusal, too_large
from gauntlet.serving.scoring import JSON, Reply
from gauntlet.serving.served_model import ServedModel
from gauntlet.serving.settings import ServerSettings

_THREADS = 4
# A request as small, to a model as fast, is answered at once: to hand it to a thread takes longer than to answer it.
_SMALL_BYTES = 16 * 2**10
_FAST_SECONDS = 0.002
# So much of a body that is too large is read and thrown away, so that its sender comes to read the answer.
_DISCARDED_BYTES = 64 * 2**20

_logger = logging.getLogger(__name__)


class ScoringApplication:
    """The routes, and what they share."""

    def __init__(
        self,
        watch: ChampionWatch,
        metrics: ServingMetrics,
        settings: ServerSettings,
        *,
        access_log: AccessLog | None = None,
        on_ready: Callable[[], None] = lambda: None,
    ) -> None:
        """Put the application together; it serves while its lifespan lasts.

        Args:
            watch: The served version.
            metrics: What is counted.
            settings: Limits and token.
            access_log: Takes one line a request; None takes none.
            on_ready: Called when requests are answered.
        """
        self._watch = watch
        self._metrics = metrics
        self._limits = settings.limits
        self._on_ready = on_ready
        self._pool = ThreadPoolExecutor(_THREADS, thread_name_prefix="scoring")
        self._in_work = self._given_up = 0
        self.asgi: ASGIApp = Access(self._routes(), metrics=metrics, token=settings.token, log=access_log)

    def _routes(self) -> Starlette:
        routes = [
            Route("/invocations", self._invocations, methods=["POST"]),
            Route("/ping", self._ping),
            Route("/health", self._ping),
            Route("/version", self._version),
            Route("/model", self._model),
            Route("/metrics", self._all_metrics),
        ]
        return Starlette(routes=routes, lifespan=self._lifespan, exception_handlers={HTTPException: _no_such_route})

    @asynccontextmanager
    async def _lifespan(self, _app: Starlette) -> AsyncIterator[None]:
        self._watch.start()
        self._on_ready()
        try:
            yield
        finally:
            self._pool.shutdown(wait=False, cancel_futures=True)

    async def _ping(self, _request: Request) -> Response:
        return Response("\n", media_type=JSON, headers=self._watch.served.marks)

    async def _version(self, _request: Request) -> Response:
        return Response(mlflow.__version__, media_type=JSON, headers=self._watch.served.marks)

    async def _model(self, _request: Request) -> Response:
        return JSONResponse(self._watch.served.described, headers=self._watch.served.marks)

    async def _all_metrics(self, _request: Request) -> Response:
        return Response(self._metrics.text(), headers={"content-type": MEDIA_TYPE})

    async def _invocations(self, request: Request) -> Response:
        served = self._watch.served
        try:
            with self._place():
                body = await self._body(request)
                reply = await self._reply(served, body, request.headers.get("content-type"))
        except Refusal as refusal:
            return _refused(refusal, served)
        except ClientDisconnect:
            return Response(status_code=499)  # nobody reads it; the access log does
        except Exception as error:
            frames = "".join(traceback.format_tb(error.__traceback__))
            _logger.error("a request failed: %s\n%s", type(error).__name__, frames)  # without data
            return _refused(Refusal(500, "INTERNAL_ERROR", "a defect in the server; see its log"), served)
        request.scope["gauntlet.rows"] = reply.rows
        self._metrics.rows.inc(reply.rows)
        self._metrics.ways.labels(reply.way).inc()
        return Response(reply.content, reply.status, served.marks, reply.media_type)

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
        self._count_work()
        try:
            yield
        finally:
            self._in_work -= 1
            self._count_work()

    def _count_work(self) -> None:
        self._metrics.in_work.set(self._in_work + self._given_up)

    async def _body(self, request: Request) -> bytes:
        """Return a request's body.

        Raises:
            Refusal: If it is too large, or does not arrive in time.
        """
        maximum = self._limits.body_bytes
        chunks: list[bytes] = []
        size = 0
        try:
            async with asyncio.timeout(self._limits.seconds):
                async for chunk in request.stream():
                    size += len(chunk)
                    if size <= maximum:
                        chunks.append(chunk)
                    elif size > maximum + _DISCARDED_BYTES:
                        break
        except TimeoutError:
            message = f"the body did not arrive within {self._limits.seconds:g} seconds"
            raise Refusal(408, "REQUEST_TIMEOUT", message) from None
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
            reply = served.scoring.quick_reply(body, content_type, maximum_rows=rows)
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
            self._count_work()

        if not work.cancel():
            self._given_up += 1
            work.add_done_callback(lambda _: loop.call_soon_threadsafe(end))


def _refused(refusal: Refusal, served: ServedModel) -> Response:
    headers = dict(served.marks)
    if refusal.status == 503:
        headers["retry-after"] = "1"
    if refusal.status in (408, 413, 503):  # the rest of the body may still be under way
        headers["connection"] = "close"
    return Response(refusal.content, refusal.status, headers, JSON)


async def _no_such_route(_request: Request, error: Exception) -> Response:
    status = error.status_code if isinstance(error, HTTPException) else 500
    code = {404: "ENDPOINT_NOT_FOUND", 405: "BAD_REQUEST"}.get(status, "BAD_REQUEST")
    detail = error.detail if isinstance(error, HTTPException) else ""
    return Response(Refusal(status, code, detail).content, status, media_type=JSON)
