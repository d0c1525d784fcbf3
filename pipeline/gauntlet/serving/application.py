"""This module provides the HTTP application: MLflow's routes, the served model's description, and the metrics."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import mlflow
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from gauntlet.serving.access import INVOCATIONS, Access, AccessLog
from gauntlet.serving.champion_watch import ChampionWatch
from gauntlet.serving.invocations import Invocations
from gauntlet.serving.metrics import MEDIA_TYPE, ServingMetrics
from gauntlet.serving.refusals import Refusal
from gauntlet.serving.scoring import JSON
from gauntlet.serving.settings import ServerSettings


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
        self._on_ready = on_ready
        self._invocations = Invocations(watch, metrics, settings.limits)
        self._routes = self._all_routes()
        self.asgi: ASGIApp = Access(self._routed, metrics=metrics, token=settings.token, log=access_log)

    async def _routed(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send requests for predictions straight to their answer, and all else through the framework."""
        if scope["type"] == "http" and scope["path"] == INVOCATIONS and scope["method"] == "POST":
            await self._invocations(scope, receive, send)
        else:
            await self._routes(scope, receive, send)

    def _all_routes(self) -> Starlette:
        routes = [
            Route(INVOCATIONS, self._invocations, methods=["POST"]),  # refuses other methods
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
            self._invocations.close()

    async def _ping(self, _request: Request) -> Response:
        return Response("\n", media_type=JSON, headers=self._watch.served.marks)

    async def _version(self, _request: Request) -> Response:
        return Response(mlflow.__version__, media_type=JSON, headers=self._watch.served.marks)

    async def _model(self, _request: Request) -> Response:
        return JSONResponse(self._watch.served.described, headers=self._watch.served.marks)

    async def _all_metrics(self, _request: Request) -> Response:
        return Response(self._metrics.text(), headers={"content-type": MEDIA_TYPE})


async def _no_such_route(_request: Request, error: Exception) -> Response:
    status = error.status_code if isinstance(error, HTTPException) else 500
    code = {404: "ENDPOINT_NOT_FOUND", 405: "BAD_REQUEST"}.get(status, "BAD_REQUEST")
    detail = error.detail if isinstance(error, HTTPException) else ""
    return Response(Refusal(status, code, detail).content, status, media_type=JSON)
