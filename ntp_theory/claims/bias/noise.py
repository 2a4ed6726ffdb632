"""Margins read as tolerance of noise in the embeddings: part of the claims on W_mm and on its structure."""

from __future__ import annotations

import math
from collections.abc import Iterator
from fractions import Fraction

import torch
from torch import Tensor

from ...checks import Check
from ...construct import documentation_text, from_text
from ...dataset import NTPDataset
from ...margin import solve_svm
from ...readings import NoiseTolerance, flip_bounds, flip_rate, noise_tolerance, radius_ceiling, token_groups
from ..registry import at_most, same, shared
from .shared import a2

__all__ = ["margin_and_radius", "radius", "shared_rows"]

DRAWS = 100_000


@shared
def _tolerance() -> NoiseTolerance:
    """Of W_mm of instance A2."""
    direction = a2().direction
    assert direction is not None
    return noise_tolerance(direction, a2().data)


def radius() -> Iterator[Check]:
    """The radius of each context against the definition in rationals; noise inside it and just outside."""
    found, right = _tolerance(), 0
    for j in range(found.data.num_contexts):
        square = sum((Fraction(x) ** 2 for x in found.closest_flip(j).tolist()), Fraction(0))
        right += Fraction(float(found.radii[j])) ** 2 <= _exact_square(found.weights, found.data, j) <= square
    contexts = found.data.num_contexts
    yield same(contexts, right, statement="contexts whose radius, squared, is between its bounds in rationals")
    loose = max(float(found.closest_flip(j).norm()) / float(found.radii[j]) for j in range(contexts))
    yield at_most(1.0, loose, slack=1e-11, evidence="certified", statement="noise that flips over the radius, largest")
    inside = sum(
        flip_rate(found, 0.999999 * float(found.radii[j]), context=j, draws=DRAWS // contexts, rng=j).flips
        for j in range(contexts)
    )
    yield same(0, inside, evidence="measured", statement=f"flips by {DRAWS} noises inside the radii, all contexts")
    size = 3 * found.radius
    low, high = flip_bounds(found, size)
    rate = flip_rate(found, size, draws=10_000, rng=7)
    spread = 4 * math.sqrt(max(high * (1 - high), low * (1 - low)) / rate.draws)  # four standard deviations
    yield at_most(rate.share, low, slack=spread, evidence="measured", statement="flips at 3 radii: least")
    yield at_most(high, rate.share, slack=spread, evidence="measured", statement="the same: most, all caps together")


def _exact_square(weights: Tensor, data: NTPDataset, j: int) -> Fraction:
    """The radius of context j, squared, as the rational that it is."""
    h = [Fraction(x) for x in data.embeddings[j].tolist()]
    rows = [[Fraction(x) for x in row] for row in weights.tolist()]
    support = data.support[j].tolist()
    squares = []
    for y, inside in enumerate(support):
        for v, other in enumerate(support):
            if inside and not other:
                gap = [a - b for a, b in zip(rows[y], rows[v], strict=True)]
                margin = sum((g * x for g, x in zip(gap, h, strict=True)), Fraction(0))
                squares.append(max(margin, Fraction(0)) ** 2 / sum((g * g for g in gap), Fraction(0)))
    return min(squares)


def margin_and_radius() -> Iterator[Check]:
    """Lower bounds by the margin, equality for two tokens, and a decoder that tolerates more than W_mm."""
    found = _tolerance()
    for norm in ("frobenius", "spectral"):
        yield at_most(
            found.radius * (1 + 1e-12),
            found.lower_bound(norm),
            evidence="certified",
            statement=f"margin / (sqrt 2 ||W_mm||), {norm} norm, against the radius",
        )
    yield at_most(
        radius_ceiling(found.data), found.radius, evidence="certified", statement="the ceiling of every decoder"
    )
    two = NTPDataset([[2.0, 1.0], [1.0, -2.0], [-1.0, 1.0]], [[1.0, 0.0], [1.0, 0.0], [0.0, 1.0]])
    solution = solve_svm(two, tol=1e-12)
    yield at_most(
        0.0,
        abs(noise_tolerance(solution.direction, two).radius - solution.margin / math.sqrt(2)),
        # of a feasible W, |1/||W|| - 1/||W_mm||| <= distance / ||W_mm||^2
        slack=2 * solution.distance_bound() * solution.margin**2 + 1e-12,
        evidence="certified",
        statement="two tokens: radius of W_mm minus gamma / sqrt 2",
    )
    three = NTPDataset([[2.0, -4.0], [3.0, 2.0], [-3.0, 1.0]], torch.eye(3))
    best = solve_svm(three, tol=1e-12)
    rival = noise_tolerance([[2.0, -3.0], [4.0, 2.0], [-6.0, 2.0]], three)
    yield at_most(
        rival.radius,
        _largest_radius(best.direction, best.distance_bound(), three),
        evidence="certified",
        statement="three tokens: radius of W_mm, from above, against an integer decoder's",
    )
    margins = three.pattern.margins(three.embeddings @ rival.weights.T)
    yield at_most(
        best.margin,
        float(margins.min()) / float(rival.weights.norm()),
        evidence="certified",
        statement="its NTP-margin against the largest, gamma",
    )


def _largest_radius(direction: Tensor, distance: float, data: NTPDataset) -> float:
    """Upper bound on the radius of every decoder within a distance: each row gap moves by sqrt(2) times it at most."""
    found, moved, bounds = noise_tolerance(direction, data), math.sqrt(2) * distance, []
    for j, (y, v) in enumerate(found.pairs.tolist()):
        gap, h = found.weights[y] - found.weights[v], data.embeddings[j]
        bounds.append((float(gap @ h) + moved * float(h.norm())) / (float(gap.norm()) - moved))
    return min(bounds)


def shared_rows() -> Iterator[Check]:
    """Tokens of a real text that follow the same contexts, and their rows."""
    data = from_text(documentation_text(), max_contexts=40, vocab_size=250, dim=48)
    groups, solution = token_groups(data), solve_svm(data, tol=1e-12)
    yield at_most(len(groups.groups), 1, evidence="certified", statement="1 <= groups of tokens in a real text")
    yield at_most(
        math.sqrt(2) * solution.distance_bound(),
        float(groups.spreads(solution.direction).max()),
        evidence="certified",
        statement="(ii) real text: largest distance of rows in a group",
    )
    yield at_most(
        groups.separation(solution.direction),
        math.sqrt(2) * solution.distance_bound(),
        evidence="certified",
        statement="(ii) real text: the same bound, against rows of tokens with other contexts",
    )
