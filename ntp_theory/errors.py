"""Everything this library raises on purpose: one tree, so that one ``except NTPError`` catches it all."""

from __future__ import annotations

__all__ = [
    "CheckpointError",
    "DatasetError",
    "NTPError",
    "NotCompatibleError",
    "NotSeparableError",
    "SolverError",
    "UsageError",
]


class NTPError(Exception):
    """Base class of every error raised by ``ntp_theory``."""


class DatasetError(NTPError, ValueError):
    """The data breaks a rule; the message names the argument, the entry, the value got and the rule."""


class UsageError(NTPError, ValueError):
    """A call asked for something that does not exist or does not fit; the message says what would."""


class _CertifiedError(NTPError):
    """An answer of "no" that carries the object which proves it."""

    def __init__(self, message: str, certificate: object) -> None:
        super().__init__(message)
        self.certificate = certificate


class NotSeparableError(_CertifiedError):
    """The data is not NTP-separable; ``.certificate`` is the Farkas certificate (`bias/definition-2`)."""


class NotCompatibleError(_CertifiedError):
    """The data is not NTP-compatible; ``.certificate`` is the contradiction (`bias/definition-1`)."""


class SolverError(NTPError):
    """A solver stopped without an answer that passes our own residual checks.

    Attributes
    ----------
    status : str
        What the solver said, unchanged.
    best : object or None
        The best iterate, kept so that nothing computed is lost. It is *not* an answer.
    """

    def __init__(self, message: str, status: str = "", best: object | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.best = best


class CheckpointError(NTPError):
    """A saved file is damaged, of another kind, or belongs to another run; or a file cannot be written."""
