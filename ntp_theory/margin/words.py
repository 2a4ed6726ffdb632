"""Solutions of the NTP-SVM in words."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .norms import FROBENIUS

if TYPE_CHECKING:  # whose methods these are
    from .solution import SVMSolution

__all__ = ["headline", "summary"]


def headline(solution: SVMSolution) -> str:
    """Method, norm and margin in a line."""
    words = f"NTP-SVM by {solution.method} ({solution.iterations} iterations): ||W_mm|| = {solution.norm:.8g}"
    where = "" if solution.geometry == FROBENIUS else f" in the norm {solution.geometry.name!r}"
    return f"{words}, margin {solution.margin:.8g}{where}"


def summary(solution: SVMSolution, limit: int) -> str:
    """What `SVMSolution.summary` returns."""
    active = int((solution.duals > 0).sum())
    lines = [
        headline(solution),
        f"certificate: constraints to {solution.primal_residual():.1e}, "
        f"stationarity to {solution.dual_residual():.1e}, {_bounds(solution)}",
        *([solution.route] if solution.route else []),
        f"{active} of {solution.data.pattern.num_off_support} (context, token) constraints carry a multiplier"
        + (", the heaviest:" if active else ""),
    ]
    lines += [
        f"  after {context}: {token} held off with multiplier {alpha:.4g}"
        for context, token, alpha in solution.support_vectors(limit)
    ]
    return "\n".join(lines)


def _bounds(solution: SVMSolution) -> str:
    """The dual value, as the bound that it is, and gap and distance, relative."""
    value, size = solution.dual_value(), solution.norm or 1.0
    if solution.geometry != FROBENIUS:
        return f"||W_mm|| >= {value:.8g}, within {(solution.norm - value) / size:.1e} ||W||"
    gap, distance = solution.duality_gap() / (0.5 * size**2), solution.distance_bound() / size
    return (
        f"1/2 ||W_mm||^2 >= {value:.8g}, 1/2 ||W||^2 within {gap:.1e} of its minimum, relative, "
        f"||W - W_mm|| <= {distance:.1e} ||W||"
    )
