"""This module provides the random draws: every one comes from a generator named after its use.

One root seed gives one ``numpy.random.SeedSequence``; a name (a stage, a trial) gives a child of it. The child depends
on the root and the name only, never on how many others were made before, so adding a stage changes no other's draws.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Seeds:
    """The source of all random draws of a run.

    Example:
        >>> Seeds(7).integer("baseline") == Seeds(7).integer("baseline")
        True
    """

    root: int

    def sequence(self, *names: str | int) -> np.random.SeedSequence:
        """Return the seed sequence that belongs to a name, for example ``("sweep", 17)``."""
        text = "/".join(str(name) for name in names)
        words = np.frombuffer(hashlib.sha256(text.encode("utf-8")).digest(), dtype="<u4")
        return np.random.SeedSequence(self.root, spawn_key=tuple(int(word) for word in words))

    def generator(self, *names: str | int) -> np.random.Generator:
        """Return a fresh generator for a name; two calls give the same stream."""
        return np.random.Generator(np.random.PCG64(self.sequence(*names)))

    def integer(self, *names: str | int) -> int:
        """Return an integer in [0, 2**31) for libraries that refuse a Generator and take an integer."""
        return int(self.generator(*names).integers(0, 2**31))
