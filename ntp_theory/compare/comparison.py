"""`Comparison`: what `compare` found."""

from __future__ import annotations

from dataclasses import dataclass, field

from ..checks import Check

__all__ = ["Comparison"]


@dataclass(frozen=True)
class Comparison:
    """Outcome of `compare`.

    Attributes
    ----------
    checks : list of Check
    note : str
        Which laws were not read, and why; empty if all were.
    observed : dict
        What was measured though no theorem says what it must be, by name: nothing is held against these numbers.
    """

    checks: list[Check]
    note: str = ""
    observed: dict[str, float] = field(default_factory=dict)

    @property
    def holds(self) -> bool:
        """Whether every check holds."""
        return all(check.holds for check in self.checks)

    def summary(self) -> str:
        """One line a check, one an observation, then the note."""
        seen = [f"measured, no theorem: {name} = {value:.6g}" for name, value in self.observed.items()]
        return "\n".join([check.line() for check in self.checks] + seen + ([self.note] if self.note else []))
