"""This module provides the one tree of errors and the exit codes that go with it."""

from __future__ import annotations

from enum import IntEnum


class ExitCode(IntEnum):
    """The exit codes of every command; documented in README and stable."""

    DONE = 0
    REFUSED = 1
    INPUT = 2
    ENVIRONMENT = 3
    TABLES_GONE = 4
    INTERNAL = 70
    INTERRUPTED = 130


class GauntletError(Exception):
    """The root of all errors that Gauntlet raises on purpose.

    A message says what is wrong, where, and what to do about it; it is shown to the user as it is, without a
    traceback.
    """

    exit_code: ExitCode = ExitCode.INTERNAL


class RefusedError(GauntletError):
    """A check said no: nothing was promoted."""

    exit_code = ExitCode.REFUSED


class EvidenceError(RefusedError):
    """The evidence of a promotion is missing, changed, stale or does not fit."""


class InputError(GauntletError):
    """The user's input or configuration is wrong."""

    exit_code = ExitCode.INPUT


class ProblemFileError(InputError):
    """The problem file cannot be read or does not describe a problem."""


class SourceError(InputError):
    """The data cannot be had from a source, or is not what the problem says."""


class DataError(InputError):
    """The data was read but cannot be used as the problem asks."""


class RequirementError(GauntletError):
    """The environment lacks something: Java, jars, disk space, a server, a lock."""

    exit_code = ExitCode.ENVIRONMENT
