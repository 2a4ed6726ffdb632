"""Section 2 of the paper: margins in a norm, steepest steps, the proxy of the loss, and two misprinted signs."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import sympy
import torch

from ...checks import Check
from ...descent import Method, Muon, Signum, descend
from ...margin.norms import as_norm
from ..bias import definitions as define
from ..registry import at_most, claim, same
from .shared import NORMS, STEPPERS, Point, decoders, dual_norm, margin_bounds, one_hot, points


@claim("steepest/setting", source="2502.04664 Sec. 2", evidence="certified")
def setting() -> Iterator[Check]:
    """The best margin in a norm is a convex program; a step goes along the matrix of norm 1 nearest to the gradient.

    Six one-hot contexts, in the norms of sign, spectral and normalised descent: certified bounds on the margin; one
    step from 10 decoders; two steps of Signum and Muon, whose average of gradients is taken from its definition.
    """
    data = one_hot()
    starts = list(define.random_decoders(data, 10, seed=29))
    for norm in NORMS:
        below, above = margin_bounds(norm)
        yield at_most(
            0.0, 1 - below / above, slack=1e-7, evidence="certified", statement=f"{norm}: relative gap of the margin"
        )
        method: Method[Any] = STEPPERS[norm](step_size=1.0, decay=0.0)
        worst = 0.0
        for start in starts:
            step = start - descend(data, method, steps=1, init=start, record=[1]).weights[0]
            worst = max(worst, *_misses(step, Point.at(start, data).gradient, norm))
        yield at_most(
            0.0, worst, slack=1e-12, evidence="certified", statement=f"{norm}: | ||D|| - 1 |, 1 - <grad, D>/||grad||_*"
        )
    beta = 0.9
    averaged: tuple[tuple[str, Method[Any]], ...] = (
        ("max", Signum(step_size=0.05, decay=0.0, beta=beta)),
        ("spectral", Muon(step_size=0.05, decay=0.0, beta=beta)),
    )
    for norm, method in averaged:
        worst = 0.0
        for start in starts:
            first, second = descend(data, method, steps=2, init=start, record=[1, 2]).weights
            mean = beta * Point.at(start, data).gradient + Point.at(first, data).gradient  # up to 1 - beta
            worst = max(worst, *_misses((first - second) / 0.05, mean, norm))
        yield at_most(
            0.0,
            worst,
            slack=1e-11,  # the step is the difference of two decoders
            evidence="certified",
            statement=f"{method.name}: the same for the average of gradients",
        )


def _misses(step: torch.Tensor, gradient: torch.Tensor, norm: str) -> tuple[float, float]:
    """How far the norm of a step is from 1, and its product with the gradient from the dual norm, relative."""
    return abs(as_norm(norm).value(step) - 1), abs(float((gradient * step).sum()) / dual_norm(gradient, norm) - 1)


@claim("steepest/proxy", source="2502.04664 Sec. 4", evidence="exact")
def proxy() -> Iterator[Check]:
    """The proxy G is the mean probability of the wrong tokens, minus the slope of the loss in the right logit.

    For symbols, with three tokens; and at 123 decoders against the probabilities outside the support.
    """
    logits = sympy.symbols("a b c", real=True)
    chances = [sympy.exp(x) / sum(map(sympy.exp, logits)) for x in logits]
    slope = sympy.diff(-sympy.log(chances[0]), logits[0])
    for name, form in (
        ("slope of -log S_y in its logit, plus 1 - S_y", slope + 1 - chances[0]),
        ("S_b + S_c - (1 - S_a)", chances[1] + chances[2] - (1 - chances[0])),
    ):
        yield same("0", str(sympy.simplify(form)), statement=f"{name}, symbolic")
    data, worst = one_hot(), 0.0
    for weights, point in zip(decoders(), points(), strict=True):
        mass = float((data.weights * define.off_support_mass(weights, data)).sum())
        worst = max(worst, abs(point.proxy - mass) - define.rounding(data, weights))
    yield at_most(0.0, worst, evidence="certified", statement="|G - sum pi_j eps_j| beyond rounding")


@claim("steepest/erratum-E17", source="2502.04664", evidence="exact", verdict="refuted as written")
def erratum_17() -> Iterator[Check]:
    """The gradient of the loss is the mean of (softmax - e_y) h^T, and the loss is a mean of positive terms.

    The source prints both with the opposite sign. Symbolic, three tokens and one dimension; at W = 0 the printed
    loss is -log 3.
    """
    h, *w = sympy.symbols("h w0 w1 w2", real=True)
    total = sum(sympy.exp(x * h) for x in w)
    chances = [sympy.exp(x * h) / total for x in w]
    loss = -sympy.log(chances[0])
    true = printed = 0
    for i, x in enumerate(w):
        expected = (chances[i] - int(i == 0)) * h
        slope = sympy.diff(loss, x)
        true += sympy.simplify(slope - expected) != 0
        printed += sympy.simplify(slope + expected) != 0
    yield same(0, int(true), statement="entries where the gradient is not (softmax - e_y) h")
    yield same(3, int(printed), statement="entries where the gradient is not (e_y - softmax) h, as printed")
    zero = dict.fromkeys(w, 0)
    yield same("log(3)", str(sympy.simplify(loss.subs(zero))), statement="the loss at W = 0; -log(3) as printed")
