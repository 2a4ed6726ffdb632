"""The lemmas of the paper, each an inequality for every decoder or every step, and the descent that follows."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor

from ...checks import Check
from ..bias import definitions as define
from ..registry import at_most, claim, shared
from .shared import (
    NORMS,
    Point,
    decoders,
    dual_norm,
    largest_sum,
    margin_bounds,
    one_hot,
    points,
    run,
    smoothness,
    step_sizes,
)

# Sums of positive terms and norms of small matrices, relative.
ROUNDING = 1e-12
SOURCE = "2502.04664"


@claim("steepest/lemma-1", source=f"{SOURCE} Lemma 1", evidence="certified")
def lemma_1() -> Iterator[Check]:
    """The gradient is at least gamma G long in the dual norm.

    At 123 decoders, in the norms of sign, spectral and normalised descent, with a number that is certified to be at
    least gamma: the deficit may be as large as its error.
    """
    for norm in NORMS:
        below, above = margin_bounds(norm)
        least = min(dual_norm(point.gradient, norm) / (above * point.proxy) for point in points())
        yield at_most(
            least,
            1.0,
            slack=1 - below / above + ROUNDING,
            evidence="certified",
            statement=f"{norm}: 1 <= ||grad||_* / (gamma G), least",
        )


@claim("steepest/lemma-2", source=f"{SOURCE} Lemma 2", evidence="certified")
def lemma_2() -> Iterator[Check]:
    """The variance of v under a softmax s is at most 4 (1 - s_c) ||v v^T|| for every token c.

    In the norm of the largest entry, the smallest of all (`steepest/norm-order`): 300 random v and s of 2 to 9
    tokens, from level to within e^-30 of a vertex.
    """
    r, worst = np.random.default_rng(30), 0.0
    for i in range(300):
        size = int(r.integers(2, 10))
        v = torch.from_numpy(r.standard_normal(size))
        log_s = torch.log_softmax(torch.from_numpy(r.standard_normal(size) * (0.1, 3.0, 30.0)[i % 3]), 0)
        s = log_s.exp()
        # without cancellation, as the mean over pairs
        variance = float((s[:, None] * s * (v[:, None] - v).square()).sum()) / 2
        for c in range(size):
            miss = float(torch.cat([s[:c], s[c + 1 :]]).sum())
            worst = max(worst, variance / (4 * miss * float(v.abs().max()) ** 2))
    yield at_most(1.0, worst, evidence="certified", statement="variance over 4 (1 - s_c) max |v|^2, largest")


@claim("steepest/lemma-3", source=f"{SOURCE} Lemma 3", evidence="certified")
def lemma_3() -> Iterator[Check]:
    """Gradient, proxy and loss are of one size: ||grad||_* <= 2 B G, 1 - n L/2 <= G/L <= 1, and L <= 2 G late.

    At 123 decoders. (i) in the sum of all entries, the largest dual norm; (iii) at those with L <= log 2 / n or G
    <= 1/(2 n).
    """
    data = one_hot()
    b, n = largest_sum(data), data.num_contexts
    longest = max(dual_norm(point.gradient, "max") / (2 * b * point.proxy) for point in points())
    yield at_most(
        1.0, longest, slack=ROUNDING, evidence="certified", statement="(i) sum of |grad| entries / (2 B G), largest"
    )
    highest = max(point.proxy / point.loss for point in points())
    lowest = max(1 - n * point.loss / 2 - point.proxy / point.loss for point in points())
    yield at_most(1.0, highest, slack=ROUNDING, evidence="certified", statement="(ii) G/L, largest")
    yield at_most(0.0, lowest, slack=ROUNDING, evidence="certified", statement="(ii) 1 - n L/2 - G/L, largest")
    late = [p.loss / p.proxy for p in points() if p.loss <= math.log(2) / n or p.proxy <= 1 / (2 * n)]
    yield at_most(len(late), 20, evidence="certified", statement="20 <= number of decoders where (iii) speaks")
    yield at_most(2.0, max(late), slack=ROUNDING, evidence="certified", statement="(iii) L/G, largest")


@claim("steepest/lemma-4", source=f"{SOURCE} Lemma 4", evidence="certified")
def lemma_4() -> Iterator[Check]:
    """A step D that is eta long changes the proxy by a factor of at most e^{2 B eta ||D||_max}.

    From 123 decoders along random signs, where the largest entry is all that counts, with 2 B eta from 0.01 to 3.
    """
    data = one_hot()
    b, worst = largest_sum(data), -math.inf
    for i, (weights, point) in enumerate(zip(decoders(), points(), strict=True)):
        (noise,) = define.random_decoders(data, 1, seed=100 + i)
        reach = (0.01, 0.3, 3.0)[i % 3]
        moved = Point.at(weights - reach / (2 * b) * noise.sign(), data)
        worst = max(worst, math.log(moved.proxy / point.proxy) - reach)
    yield at_most(
        0.0, worst, slack=ROUNDING, evidence="certified", statement="log G(W - eta D)/G(W) - 2 B eta ||D||_max, largest"
    )


@shared
def _along(norm: str) -> tuple[Tensor, Tensor]:
    """L and G at every step of `run`."""
    found = [Point.at(w, one_hot()) for w in run(norm).weights]
    loss, proxy = ([point.loss for point in found], [point.proxy for point in found])
    return torch.tensor(loss, dtype=torch.float64), torch.tensor(proxy, dtype=torch.float64)


@claim("steepest/descent", source=f"{SOURCE} Eq. (9)", evidence="certified")
def descent() -> Iterator[Check]:
    """Each step lowers the loss by at least gamma eta (1 - alpha_{s1} eta) G, alpha_{s1} = 2 B^2 e^{2 B eta_0} / gamma.

    300 steps of sign, spectral and normalised descent from 4 W_mm with eta_t = eta_0 / sqrt(t + 1), 2 B eta_0 = 0.1;
    where the bound is positive it is a fall.
    """
    for norm in NORMS:
        gamma, _ = margin_bounds(norm)
        eta, (loss, proxy) = step_sizes(), _along(norm)
        promised = (gamma * eta - smoothness() * eta.square()) * proxy[:-1]
        excess = (promised - (loss[:-1] - loss[1:])) / loss[:-1]
        yield at_most(
            0.0,
            float(excess.max()),
            slack=ROUNDING,
            evidence="certified",
            statement=f"{norm}: promised minus actual fall over L, largest of {len(eta)}",
        )
        yield at_most(
            int((promised > 0).sum()),
            100,
            evidence="certified",
            statement=f"{norm}: 100 <= steps for which a fall is promised",
        )


@claim("steepest/lemma-5", source=f"{SOURCE} Lemma 5; constant derived", evidence="certified")
def lemma_5() -> Iterator[Check]:
    """Once L <= log 2 / n, the margin is at least gamma sum eta G/L - alpha sum eta^2, alpha = 2 B^2 e^{2 B eta_0}.

    Sums from the first such step on; alpha is derived here. By (9) and G <= L the loss falls by the factor
    e^{-gamma eta G/L + alpha eta^2} a step, and a margin x has log(1 + e^-x) <= n L, so x >= -log(n L / log 2). This
    adds log(log 2 / (n L)) of the first step, at least 0, to the bound, and that is what is checked.

    300 steps in three norms, at each later step with L <= log 2 / n.
    """
    data = one_hot()
    for norm in NORMS:
        gamma, _ = margin_bounds(norm)
        eta, (loss, proxy) = step_sizes(), _along(norm)
        small = loss <= math.log(2) / data.num_contexts
        start = int(small.nonzero()[0, 0])
        gain = gamma * eta * proxy[:-1] / loss[:-1] - smoothness() * eta.square()
        bound = gain[start:].cumsum(0) + (math.log(2) / (data.num_contexts * loss[start])).log()
        later = [i for i in range(start + 1, len(loss)) if bool(small[i])]
        margins = [define.smallest_margin(run(norm).weights[i], data) for i in later]
        excess = max(float(bound[i - start - 1]) - margin for i, margin in zip(later, margins, strict=True))
        yield at_most(0.0, excess, slack=ROUNDING, evidence="certified", statement=f"{norm}: bound - margin, largest")
        yield at_most(
            float(bound[-1] - bound[0]),
            0.05,
            evidence="certified",
            statement=f"{norm}: 0.05 <= growth of the bound, nats",
        )
