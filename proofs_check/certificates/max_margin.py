"""The NTP-SVM: the shortest decoder that is level on every support and at least 1 smaller off it."""

from __future__ import annotations

from fractions import Fraction

from .data import Data, Matrix, read_decoder
from .document import Node
from .errors import RefutedError
from .linear import Finding, Multipliers, check_sums, combination, margins, off_support, read_multipliers
from .wording import exact, figure, inverse_root, spelled

__all__ = ["max_margin"]


def max_margin(data: Data, proof: Node) -> Finding:
    """A direction and multipliers that satisfy the conditions of Karush, Kuhn and Tucker exactly.

    They make the inner product of the direction with any feasible W a sum of margins of W with positive weights, so at
    least the sum of the weights, which is the squared norm of the direction: nothing feasible is shorter, and nothing
    else is as short.
    """
    fields = proof.fields(("direction", "multipliers", "norm_squared"))
    direction = read_decoder(fields["direction"], data)
    multipliers = read_multipliers(fields["multipliers"], data)
    claimed = fields["norm_squared"].rational()

    _check_margins(direction, multipliers, data, fields["direction"].place)
    support_vectors = off_support(multipliers, data)
    check_sums(multipliers, data)
    _check_stationarity(direction, multipliers, data, fields["direction"].place)
    norm_squared = Fraction(sum(x * x for row in direction.rows for x in row), direction.scale**2)
    if norm_squared != claimed:
        raise RefutedError(
            f"{fields['norm_squared'].place}: must be the squared norm of the direction, {exact(norm_squared)}; "
            f"it is {exact(claimed)}"
        )
    figures: dict[str, object] = {
        "norm_squared": figure(norm_squared),
        "support_vectors": len(support_vectors),
        "off_support_pairs": data.num_off_support,
    }
    if not data.num_off_support:
        return Finding(["No pair is off the supports, so W_mm = 0."], figures)
    margin = inverse_root(norm_squared)
    figures["margin"] = margin
    words = [
        f"The direction is W_mm: ||W_mm||^2 = {spelled(norm_squared)}, margin 1/||W_mm|| = {margin} (rounded).",
        f"{len(support_vectors)} of {data.num_off_support} off-support pairs have a positive multiplier.",
    ]
    return Finding(words, figures)


def _check_margins(direction: Matrix, multipliers: Multipliers, data: Data, place: str) -> None:
    """Margins off the supports must be at least 1, and exactly 1 where there is a multiplier."""
    one = direction.scale * data.embeddings.scale
    for j, row in margins(direction, data, data.supports, place):
        inside = set(data.supports[j])
        for v, margin in enumerate(row):
            if v in inside or margin == one:
                continue
            value = exact(Fraction(margin, one))
            if margin < one:
                raise RefutedError(f"{place}: margins must be at least 1; that of {data.pair(j, v)} is {value}")
            if (j, v) in multipliers.entries:
                raise RefutedError(
                    f"{multipliers.place}: off the supports only margins of exactly 1 may have an entry; that of "
                    f"{data.pair(j, v)} is {value}"
                )


def _check_stationarity(direction: Matrix, multipliers: Multipliers, data: Data, place: str) -> None:
    """The direction must be the combination of the constraints: ``w_v = sum_j c_jv h_j``."""
    columns = multipliers.columns
    scale = multipliers.scale * data.embeddings.scale
    for v, row in enumerate(direction.rows):
        for i, (x, y) in enumerate(zip(row, combination(columns.get(v, ()), data), strict=True)):
            if x * scale != y * direction.scale:
                raise RefutedError(
                    f"{place}[{v}][{i}]: must be that of sum_j c_jv h_j, {exact(Fraction(y, scale))}, for token "
                    f"{data.token(v)}; it is {exact(Fraction(x, direction.scale))}"
                )
