"""The theorems of the paper, its experiment, and what happens on soft labels, of which it does not speak."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np

from ...checks import Check
from ...construct import random
from ...dataset import NTPDataset
from ...descent import Adam, Method, Muon, NormalisedGradientDescent, SignDescent, SpectralDescent, descend
from ...margin.norms import as_norm
from ...predict import predict
from ...subspace import data_subspace
from ..bias import definitions as define
from ..bias.shared import read
from ..registry import Budget, at_most, claim
from .learned import laws_on_learned, own_norms_on_learned
from .shared import best_margins, margin_bounds, one_hot

SOURCE = "2502.04664"
LONGER = "Ten times as many steps."
LEARNED = f"{LONGER} Also on features that a transformer has learned, frozen, from its own head: 2000 steps"
TIMES: dict[str, int] = {"quick": 1, "standard": 10}


def _rate(method: Method[Any] | str, label: str, steps: int) -> Iterator[Check]:
    """The margin gap over its rate at the end of a run against a quarter of it, and the certified bound on it."""
    limit = predict(one_hot())
    run = descend(limit.data, method, steps=steps)
    yield from read(run, limit, "steepest/setting")
    yield from read(run, limit, label)


@claim(
    "steepest/theorem-1",
    source=f"{SOURCE} Thm 1",
    evidence="certified",
    standard=f"{LEARNED}, and each method ahead of the others in its own norm.",
)
def theorem_1(budget: Budget) -> Iterator[Check]:
    """Steepest descent with eta_t ~ t^-1/2 comes within O((log t + n)/sqrt t) of the best margin in its norm.

    Sign and spectral descent on six one-hot contexts, 1000 steps: the gap over that rate does not grow from a
    quarter of the run on. (Normalised descent: `classical/nacson`.)
    """
    for name in ("sign", "spectral"):
        yield from _rate(name, "steepest/theorem-1", 1000 * TIMES[budget])
    if budget == "standard":
        for name in ("sign", "spectral"):
            yield from laws_on_learned(name, "steepest/theorem-1")
        yield from own_norms_on_learned()


@claim("steepest/theorem-2", source=f"{SOURCE} Thm 2", evidence="certified", standard=f"{LEARNED}.")
def theorem_2(budget: Budget) -> Iterator[Check]:
    """With momentum (Signum, Muon) the gap is O((d log t + d n)/sqrt t).

    Six one-hot contexts, 1000 steps: the gap over that rate does not grow from a quarter of the run on.
    """
    for name in ("signum", "muon"):
        yield from _rate(name, "steepest/theorem-2", 1000 * TIMES[budget])
        if budget == "standard":
            yield from laws_on_learned(name, "steepest/theorem-2")


@claim("steepest/adam", source=SOURCE, evidence="certified", standard=LONGER)
def adam(budget: Budget) -> Iterator[Check]:
    """Adam without eps and with eta_t ~ t^-1/3 comes within O((d log t + n d)/t^1/3) of the best margin.

    Margin in the largest entry; six one-hot contexts, betas 0.5 and 0.9, 1000 steps: the gap over that rate does not
    grow from a quarter of the run on. With betas 0.9 and 0.99 it still does up to 4000 steps, the gap being about
    0.3: gradients change within the memory, a transient that the constants of the theorem allow.
    """
    steps, data = 1000 * TIMES[budget], one_hot()
    run = descend(data, Adam(betas=(0.5, 0.9), eps=0.0), steps=steps, record=[steps // 4, steps])
    _, best = margin_bounds("max")
    gaps = [1 - define.smallest_margin(w, data) / (best * as_norm("max").value(w)) for w in run.weights]
    before, after = (
        gap * k ** (1 / 3) / (math.log(k) + data.num_contexts) for gap, k in zip(gaps, run.times.tolist(), strict=True)
    )
    yield at_most(0.0, -gaps[-1], evidence="certified", statement="margin over the best in the max norm, minus 1")
    yield at_most(before, after, evidence="measured", statement=f"gap over its rate at k = {steps}, against a quarter")


@claim("steepest/experiment", source=f"{SOURCE} Sec. 5", evidence="measured", standard="50 points a class, 10^4 steps.")
def experiment(budget: Budget) -> Iterator[Check]:
    """On Gaussian clusters each method has the largest margin in its own norm, and comes nearer to the best.

    Ten centres in 25 dimensions, sigma = 0.1, eta_0 / sqrt t with eta_0 = 0.1 (sign, normalised) and 0.05 (spectral,
    Muon); 5 points a class and 1000 steps. Margins over the best in each norm.
    """
    each, steps = (5, 1000) if budget == "quick" else (50, 10_000)
    r = np.random.default_rng(0)
    centres = np.repeat(r.standard_normal((10, 25)), each, 0)
    data = NTPDataset(centres + 0.1 * r.standard_normal(centres.shape), np.repeat(np.eye(10), each, 0))
    methods: dict[Method[Any], str] = {
        SignDescent(0.1): "max",
        NormalisedGradientDescent(0.1, decay=0.5): "frobenius",
        SpectralDescent(0.05): "spectral",
        Muon(0.05): "spectral",
    }
    runs = {method: descend(data, method, steps=steps, record=[steps // 10, steps]) for method in methods}
    for norm in ("max", "frobenius", "spectral"):
        # the conic solver stops at 4e-6 on the 500 points
        _, best = best_margins(data, norm, tol=1e-5)
        shares = {
            method: [define.smallest_margin(w, data) / (best * as_norm(norm).value(w)) for w in run.weights]
            for method, run in runs.items()
        }
        own = [method for method in methods if methods[method] == norm]
        others = max(shares[method][-1] for method in methods if method not in own)
        for method in own:
            before, after = shares[method]
            yield at_most(after, before, evidence="measured", statement=f"{method.name}: share at a tenth, {norm} norm")
            yield at_most(after, others, evidence="measured", statement=f"others: best share, against {method.name}")


@claim("steepest/soft-labels", source="derived (numerical)", evidence="measured", standard="4 10^4 steps.")
def soft_labels(budget: Budget) -> Iterator[Check]:
    """On soft labels sign descent stays far from the best margin in its norm; spectral descent comes back to it.

    No theorem; where either ends is open. V = 5, d = 15, m = 12, S = 3 and 1, eta_t = 0.1/sqrt t from zero, 4000
    steps with exact gradients. Recorded with rounded ones: soft 0.32 and a fall to 0.45, which was rounding.
    """
    steps = 4000 if budget == "quick" else 40_000
    for cls, norm in ((SignDescent, "max"), (SpectralDescent, "spectral")):
        shares = {}
        for size in (3, 1):
            data = random(vocab_size=5, dim=15, num_contexts=12, support_size=size, rng=7)
            _, best = best_margins(data, norm)
            run = descend(data, cls(0.1), steps=steps, record=[steps // 10, steps])
            parts = [data_subspace(data).project_complement(w) for w in run.weights]
            shares[size] = [define.smallest_margin(w, data) / (best * as_norm(norm).value(w)) for w in parts]
        (before, soft), (_, hot) = shares[3], shares[1]
        name = cls.name
        yield at_most(1.0, soft, evidence="measured", statement=f"{name}, soft labels: share of the best margin")
        yield at_most(hot, soft, evidence="measured", statement=f"{name}: share on soft labels, against one-hot ones")
        if norm == "max":
            yield at_most(0.5, soft, evidence="measured", statement=f"{name}: share on soft labels, at most half")
        else:
            yield at_most(soft, before, evidence="measured", statement=f"{name}: share at a tenth of the steps, soft")
