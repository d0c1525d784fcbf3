"""This module provides the watch over the champion: another version takes the served one's place once it is warm.

A request keeps the version that it began with, so that none is lost. Whatever goes wrong, the served version stays.
"""

from __future__ import annotations

import logging
import threading

from gauntlet.core.errors import GauntletError
from gauntlet.serving.metrics import ServingMetrics
from gauntlet.serving.served_model import ModelSource, ServedModel

_logger = logging.getLogger(__name__)


class ChampionWatch:
    """The version that is served now, and a thread that looks for another.

    Attributes:
        served: The version that new requests are answered by.
    """

    def __init__(self, source: ModelSource, served: ServedModel, metrics: ServingMetrics, *, seconds: float) -> None:
        """Serve a version first.

        Args:
            source: Where the next versions come from.
            served: The first version.
            metrics: What is counted.
            seconds: How long to wait between two looks.
        """
        self.served = served
        self._source = source
        self._metrics = metrics
        self._seconds = seconds
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._keep_looking, name="champion watch", daemon=True)
        self._fault = ""
        metrics.show(served)

    def start(self) -> None:
        """Begin to look."""
        self._thread.start()

    def stop(self) -> None:
        """Look no more; a version that is being loaded is given up with the process."""
        self._over.set()

    def look(self) -> bool:
        """Look once, and say whether another version is served now; nothing is raised."""
        try:
            promotion = self._source.promoted()
            # Not by its number alone: a ledger that was restored from a copy may give the number to another version.
            if promotion.chain == self.served.chain:
                self._fault = ""
                return False
            served = self._source.loaded(promotion)
        except Exception as error:
            self._complain(error)
            return False
        _logger.info(
            "version %d of %s is served now, after version %d", served.version, served.name, self.served.version
        )
        self.served, self._fault = served, ""
        self._metrics.show(served)
        self._metrics.reloads.inc()
        return True

    def _keep_looking(self) -> None:
        while not self._over.wait(self._seconds):
            self.look()

    def _complain(self, error: Exception) -> None:
        """Count a failure, and log what is wrong once, not at every look."""
        self._metrics.reload_failures.inc()
        fault = str(error) if isinstance(error, GauntletError) else f"{type(error).__name__}: {error}"
        if fault != self._fault:
            _logger.error("version %d is served as before: %s", self.served.version, fault)
            self._fault = fault
