"""The two ways in which a certificate fails."""

from __future__ import annotations

__all__ = ["MalformedError", "RefutedError"]


class MalformedError(Exception):
    """The file is not a certificate; the message names the place and the rule."""


class RefutedError(Exception):
    """A rule of the proof does not hold; the message names the rule, the context and the token, and the value."""
