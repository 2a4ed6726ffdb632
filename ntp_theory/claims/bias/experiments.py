"""The paper's experiment A.2 and its replica."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from fractions import Fraction

import numpy as np
import sympy
import torch

from ...checks import Check
from ...descent import smoothness_bound
from ...subspace import data_subspace
from .. import rational
from ..registry import at_most, claim, close, same
from . import definitions as define
from .shared import a2, a2_run


@claim("bias/a2-replica", source="derived (replica of 2402.18551 App. A.2)", evidence="exact")
def a2_replica() -> Iterator[Check]:
    """The replica of A.2 has the recorded norms, dimension and multipliers, and the recorded state after 10^4 steps.

    Each figure to its printed precision; dim F = m (S - 1) = 250 in rationals, since the embeddings are
    independent.
    """
    limit = a2()
    data = limit.data
    # independent embeddings keep generators of different contexts apart, and those of one context are independent
    independent = rational.is_full_rank(rational.to_fractions(data.embeddings))
    yield same(
        "independent", "independent" if independent else "undecided", statement="the 50 embeddings, modulo a prime"
    )
    yield same(250, data_subspace(data).dim, statement="dim F")
    yield same(146, int((limit.duals > 1e-5).sum()), evidence="measured", statement="active constraints, as recorded")
    run = a2_run("quick")
    at = run.times.tolist().index(10_000)
    weights = run.weights[at]
    assert limit.direction is not None
    positive = limit.duals[limit.duals > 1e-5]
    for name, recorded, half_digit, found in (
        ("H, nats", 1.4887, 5e-5, data.entropy),
        ("||W_mm||^2", 9.238, 5e-4, limit.loss_constant),
        ("||W*||", 3.323, 5e-4, float(limit.finite.norm())),
        ("bound on L", 1.877, 5e-4, smoothness_bound(data)),
        ("smallest positive multiplier", 1.5e-4, 5e-6, float(positive.min())),
        ("CE - H at k = 10^4, nats", 1.89e-3, 5e-6, float(run.gap[at])),
        ("cos(W_k, W_mm) at k = 10^4", 0.933, 5e-4, define.cosine(weights, limit.direction)),
        ("||P_F W_k - W*|| at k = 10^4", 5.8e-2, 5e-4, _finite_error(weights)),
    ):
        yield close(
            recorded, found, relative=False, tolerance=half_digit, evidence="measured", statement=f"{name}, as recorded"
        )


@claim("bias/figure-a2", source="2402.18551 App. A.2, Figs. 3-5", evidence="measured")
def figure_a2() -> Iterator[Check]:
    """Gradient descent on data like A.2 shows the four panels: falling loss, growing norm, alignment, convergence on F.

    The recorded steps of the replica from 10 to 10^4. The paper's own sample and seed are not published.
    """
    limit, run = a2(), a2_run("quick")
    assert limit.direction is not None
    chosen = [i for i, k in enumerate(run.times.tolist()) if 10 <= k <= 10_000]
    weights = [run.weights[i] for i in chosen]
    plain = [define.cosine(w, limit.direction) for w in weights]
    shifted = [define.cosine(w - limit.finite, limit.direction) for w in weights]
    panels = {
        "records where the loss rises": [-float(run.gap[i]) for i in chosen],
        "records where the norm falls": [float(w.norm()) for w in weights],
        "records where cos(W_k, W_mm) falls": plain,
        "records where cos(W_k - W*, W_mm) falls": shifted,
        "records where ||P_F W_k - W*|| grows": [-_finite_error(w) for w in weights],
    }
    for name, values in panels.items():
        wrong = sum(b < a for a, b in itertools.pairwise(values))
        yield same(0, wrong, evidence="measured", statement=name)
    yield at_most(
        shifted[-1], plain[-1], evidence="measured", statement="cos(W_k, W_mm) below cos(W_k - W*, W_mm) at k = 10^4"
    )


def _finite_error(weights: torch.Tensor) -> float:
    return float((data_subspace(a2().data).project(weights) - a2().finite).norm())


@claim("bias/entropy-dirichlet", source="derived", evidence="exact")
def entropy_dirichlet() -> Iterator[Check]:
    """Uniform draws from the simplex of S tokens have expected entropy sum_{i=2}^S 1/i: 1.45 at S = 6, paper 1.445.

    The integral over the Beta(1, S - 1) marginal, symbolic, for S = 2 to 6; Monte Carlo within four standard
    errors; and the printed 1.445 within four of its own over 50 contexts.
    """
    x = sympy.symbols("x", positive=True)
    for s in range(2, 7):
        density = sympy.expand((s - 1) * (1 - x) ** (s - 2))
        # term by term: the integral of -x^k log x is 1/(k+1)^2
        integrand = sympy.Poly(density * x, x)
        mean = s * sum(c * sympy.Rational(1, k + 1) ** 2 for (k,), c in integrand.terms())
        harmonic = sum((Fraction(1, i) for i in range(2, s + 1)), Fraction(0))
        yield same(str(harmonic), str(mean), statement=f"expected entropy, S = {s}, nats")
    draws = np.random.default_rng(23).dirichlet(np.ones(6), 20_000)
    entropies = -(draws * np.log(draws)).sum(1)
    deviation = float(entropies.std(ddof=1))
    for name, count, found in (
        ("mean of 20,000 draws", 20_000, float(entropies.mean())),
        ("paper's entropy", 50, 1.445),
    ):
        yield close(
            29 / 20,
            found,
            relative=False,
            tolerance=4 * deviation / count**0.5,
            evidence="measured",
            statement=f"{name}, nats",
        )
