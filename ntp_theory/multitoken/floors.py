"""`HeadFloors`: the smallest losses that heads can have, and trained heads held against them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ..checks import Check
from ..errors import UsageError

__all__ = ["HeadFloors"]

LABEL = "multitoken/bayes-floor"

# Terms of a floor are rounded to some 1e-16 each, and there are a few thousand at most.
ROUNDING = 1e-12


@dataclass(frozen=True)
class HeadFloors:
    """The smallest expected losses of the heads 1 .. n of a model of a stationary process; nats.

    Attributes
    ----------
    floors : tuple of float
        ``H(X_{t+i} | what was read)``, non-decreasing in i.
    limit : float
        What they tend to.
    entropy : float
        ``H(X)`` of a single token: the limit unless the chain is periodic or falls into parts.

    Notes
    -----
    Source: derived; `multitoken/bayes-floor`.
    """

    floors: tuple[float, ...]
    limit: float
    entropy: float

    @property
    def excess(self) -> tuple[float, ...]:
        """``I(X_{t+i}; X_{t+1} .. X_{t+i-1} | what was read)``: what heads lose by not seeing the tokens between."""
        return tuple(floor - self.floors[0] for floor in self.floors)

    def checks(self, losses: Sequence[float], errors: Sequence[float] | None = None) -> list[Check]:
        """Hold the losses of trained heads against the floors: none may be smaller.

        Parameters
        ----------
        losses : sequence of float
            One a head, nats; all heads or the first ones.
        errors : sequence of float, optional
            How far each may lie from its expectation, for instance the half-width of an interval over texts; 0 for
            exact expectations (`MarkovChain.losses`).

        Returns
        -------
        list of Check
            One a head. The statement says how far above the floor it is.

        Raises
        ------
        UsageError
            If there are more losses than floors, or not as many errors as losses.

        Examples
        --------
        >>> from ntp_theory.multitoken import MarkovChain
        >>> floors = MarkovChain.of([[0.9, 0.1], [0.4, 0.6]]).floors(2)
        >>> [check.holds for check in floors.checks([0.41, 0.45], errors=[0.01, 0.01])]
        [True, False]
        """
        if not 0 < len(losses) <= len(self.floors):
            raise UsageError(f"losses has {len(losses)} entries; there are floors of {len(self.floors)} heads")
        errors = [0.0] * len(losses) if errors is None else list(errors)
        if len(errors) != len(losses):
            raise UsageError(f"errors has {len(errors)} entries but losses has {len(losses)}; one each")
        return [
            Check.at_most(
                LABEL,
                bound=loss,
                computed=floor,
                slack=error + ROUNDING,
                evidence="measured" if error else "certified",
                source="derived",
                statement=f"head {head}: its floor against its loss, {loss - floor:.4f} nats above it",
            )
            for head, (loss, floor, error) in enumerate(zip(losses, self.floors, errors, strict=False), 1)
        ]

    def summary(self) -> str:
        """One line a head, then the limit."""
        lines = [f"head 1: floor {self.floors[0]:.4f} nats"]
        for head, (floor, excess) in enumerate(zip(self.floors[1:], self.excess[1:], strict=True), 2):
            lines.append(f"head {head}: floor {floor:.4f} nats, {excess:.4f} more than with all tokens known")
        return "\n".join([*lines, f"limit {self.limit:.4f}, entropy of a token {self.entropy:.4f}"])
