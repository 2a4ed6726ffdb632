"""Section 2 of the paper: norms of matrices, and the margins that are measured in them."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
import torch

from ...checks import Check
from ...construct import instances
from ...margin import Norm, solve_svm
from ..registry import at_most, claim, same

EXPONENTS = (1.0, 1.5, 2.0, 3.0, 10.0, math.inf)
MATRICES = 200


@claim("steepest/norm-order", source="2502.04664 Eq. (7)", evidence="exact")
def norm_order() -> Iterator[Check]:
    """Entrywise and Schatten p-norms lie between the largest entry and the sum of all; so do the margins, in reverse.

    200 random integer matrices: entrywise p = 1, 2, infinity in integers, others and Schatten norms in floats. Instance
    LEMMA5: margins of feasible W in one norm against the dual bound of the next.
    """
    r = np.random.default_rng(17)
    broken, below, above = 0, 0.0, 0.0
    for _ in range(MATRICES):
        matrix = r.integers(-9, 10, r.integers(1, 7, 2))
        if not matrix.any():
            continue
        largest, total = int(abs(matrix).max()), int(abs(matrix).sum())
        broken += not largest**2 <= int((matrix**2).sum()) <= total**2
        for family in ("entrywise", "schatten"):
            for p in EXPONENTS:
                size = Norm(family, p).value(torch.from_numpy(matrix).double())
                below, above = max(below, 1 - size / largest), max(above, size / total - 1)
    yield same(0, broken, statement="integer matrices with max^2 <= sum of squares <= sum^2 broken")
    yield at_most(0.0, below, slack=1e-13, evidence="certified", statement="1 - ||A|| / ||A||_max, largest")
    yield at_most(0.0, above, slack=1e-13, evidence="certified", statement="||A|| / ||A||_sum - 1, largest")
    data = instances.lemma5()
    least, most = solve_svm(data, norm="max"), solve_svm(data, norm="sum")
    for name in ("spectral", "schatten-3", "schatten-1.5", "nuclear", "entrywise-3", "entrywise-1.5"):
        found = solve_svm(data, norm=name)
        for small, large in ((least, found), (found, most)):
            yield at_most(
                1 / small.norm,
                1 / large.dual_value(),
                evidence="certified",
                statement=f"margin in {large.geometry.name}, at most, against {small.geometry.name}, at least",
            )
