"""This module provides the metrics of a server, in Prometheus' form and in a registry of their own."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Counter, Gauge, Histogram, generate_latest

if TYPE_CHECKING:
    from gauntlet.serving.served_model import ServedModel

MEDIA_TYPE = CONTENT_TYPE_LATEST

_SECONDS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)


class ServingMetrics:
    """What a server counts.

    Attributes:
        requests: Returns the counter of requests by route and HTTP status; routes that there are not count as
            ``other``.
        answers: Returns the counter of answers by the way they were come by: ``quick`` or ``mlflow``.
        seconds: How long a request for predictions took, from its first byte to the last of its answer.
        rows: Rows that were answered.
        in_work: Requests for predictions in work.
        model: The served version, as labels of the value 1.
        sequence: The number of the served version's promotion.
        reloads: How often another version took the served one's place.
        reload_failures: How often that failed, or could not be found out.
    """

    def __init__(self) -> None:
        self._registry = registry = CollectorRegistry()
        requests = Counter(
            "gauntlet_serve_requests", "Requests, by route and HTTP status.", ("route", "code"), registry=registry
        )
        # To look a counter up by its labels takes longer than to count, and there are few of them.
        self.requests = cache(requests.labels)
        self.seconds = Histogram(
            "gauntlet_serve_request_seconds",
            "How long a request for predictions took.",
            buckets=_SECONDS,
            registry=registry,
        )
        self.rows = Counter("gauntlet_serve_rows", "Rows that were answered.", registry=registry)
        ways = Counter("gauntlet_serve_answers", "Answers, by the way they took.", ("way",), registry=registry)
        self.answers = cache(ways.labels)
        self.in_work = Gauge("gauntlet_serve_requests_in_work", "Requests for predictions in work.", registry=registry)
        self.model = Gauge(
            "gauntlet_serve_model", "The version that is served.", ("model", "version"), registry=registry
        )
        self.sequence = Gauge(
            "gauntlet_serve_promotion_sequence", "The number of the served promotion.", registry=registry
        )
        self.reloads = Counter(
            "gauntlet_serve_reloads", "How often another version was put to serve.", registry=registry
        )
        self.reload_failures = Counter(
            "gauntlet_serve_reload_failures",
            "How often another version could not be served, or not be found out.",
            registry=registry,
        )

    def show(self, served: ServedModel) -> None:
        """Let the metrics name the served version, and no other."""
        self.model.clear()
        self.model.labels(served.name, str(served.version)).set(1)
        self.sequence.set(served.sequence)

    def text(self) -> bytes:
        """Return all metrics in Prometheus' text form."""
        return generate_latest(self._registry)
