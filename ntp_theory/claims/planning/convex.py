"""Myopic training where minima exist and can be computed: linear regression over positions."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from fractions import Fraction

import numpy as np

from ...checks import Check
from ...errors import DatasetError
from ...planning import (
    PositionLosses,
    PositionRegression,
    border,
    breadcrumbs,
    compare,
    diverging,
    logistic,
    myopic_descent,
    pre_caching,
    predict,
    transient,
)
from ..registry import at_most, claim, close, same, shared
from .exact import Exact, entries, half_square


@shared
def instances() -> list[tuple[PositionRegression, Exact]]:
    """Twelve draws of whole numbers from -3 to 3, five samples of three positions of width 2, tied and untied."""
    drawn, past = np.random.default_rng(0), np.tril(np.ones((3, 3)))[:, :, None]
    found: list[tuple[PositionRegression, Exact]] = []
    while len(found) < 24:
        features, targets = drawn.integers(-3, 4, (5, 3, 3, 2)) * past, drawn.integers(-3, 4, (5, 3))
        with suppress(DatasetError):  # a position's own features may happen to be dependent
            pair = [PositionRegression(features, targets, tied=tied) for tied in (False, True)]
            found += [(problem, Exact.of(problem)) for problem in pair]
    return found


@claim("planning/myopic-optimum", source="2404.00859 (recalled)", evidence="exact")
def myopic_optimum() -> Iterator[Check]:
    """A myopic optimum reads as well as its past allows: a recursion if untied, a fixed point if tied.

    Both are the equations X^T S theta = X^T Y. 24 instances over the rationals: at their solution no reader is better,
    and untied each position's own equations hold; the library's optimum is within its certified distance of it.
    """
    settled, recursive, ratios, off = 0, 0, [], []
    for problem, exact in instances():
        theta = exact.myopic
        settled += exact.reader(theta)[1] == exact.loss(theta)
        if not problem.tied:
            recursive += _is_recursion(problem, entries(theta))
        apart = np.array([float(x) for x in entries(Exact.column(problem.myopic_optimum) - theta)])
        by_position = np.linalg.norm(apart.reshape(-1, problem.width), axis=1)
        off.append(float(np.linalg.norm(apart) / (1 + problem.myopic_optimum.norm())))
        ratios.append(float((by_position / problem.distance_bound(problem.myopic_optimum).numpy()).max()))
    yield same(24, settled, statement="instances of 24 where no reader beats the solution, its past fixed")
    yield same(12, recursive, statement="untied instances of 12 where it is the recursion")
    yield at_most(1.0, max(ratios), evidence="certified", statement="distance of the library's optimum over its bound")
    # condition numbers are below 100 and enter squared at most, sums have fewer than 100 terms of 2^-53
    yield at_most(0.0, max(off), slack=1e-10, evidence="measured", statement="relative error of the library's optimum")


def _is_recursion(problem: PositionRegression, theta: list[Fraction]) -> bool:
    """x_kk^T (sum_{i <= k} x_ki theta_i - y_k) = 0, position by position."""
    width = problem.width
    for k in range(problem.positions):
        for a in range(width):
            total = Fraction(0)
            for sample, answers in zip(problem.features.tolist(), problem.targets.tolist(), strict=True):
                read = [Fraction(x) for part in sample[k][: k + 1] for x in part]
                error = sum((x * t for x, t in zip(read, theta, strict=False)), Fraction(0)) - Fraction(answers[k])
                total += Fraction(sample[k][k][a]) * error
            if total != 0:
                return False
    return True


@claim("planning/myopia-gap", source="2404.00859 (secondary)", evidence="exact")
def myopia_gap() -> Iterator[Check]:
    """The gap, the loss of the myopic optimum minus the least loss, is |S (theta~ - theta*)|^2 / 2, and never negative.

    24 instances over the rationals, and the library's gap against them; 1/4 where preparing pays, 0 where the present
    needs what the future needs.
    """
    squares, signs, off = 0, 0, []
    for problem, exact in instances():
        gap = exact.loss(exact.myopic) - exact.loss(exact.best)
        squares += gap == half_square(exact.everything * (exact.myopic - exact.best))
        signs += gap >= 0
        off.append(abs(problem.myopia_gap() * problem.samples / float(gap) - 1))
    yield same(24, squares, statement="instances of 24 with the closed form")
    yield same(24, signs, statement="instances of 24 with a gap that is not negative")
    for problem, gap in ((pre_caching(), Fraction(1, 4)), (breadcrumbs(), Fraction(0))):
        exact = Exact.of(problem)
        found = (exact.loss(exact.myopic) - exact.loss(exact.best)) / problem.samples
        yield same(str(gap), str(found), statement="gap of two positions that share a weight, or need not")
    # condition numbers are below 100 and enter squared at most, sums have fewer than 100 terms of 2^-53
    yield at_most(0.0, max(off), slack=1e-10, evidence="measured", statement="relative error of the library's gap")


@claim("planning/local-bonus", source="2404.00859 (secondary)", evidence="exact")
def local_bonus() -> Iterator[Check]:
    """What readers gain on the frozen past of a model is at least 0, at most its loss, and 0 at a myopic optimum.

    24 instances over the rationals, with the closed form g^T (X^T X)^-1 g / 2, and the library's bonus against them.
    """
    within, form, none, off = 0, 0, 0, []
    for problem, exact in instances():
        reader, least = exact.reader(exact.best)
        bonus = exact.loss(exact.best) - least
        within += 0 <= bonus <= exact.loss(exact.best)
        (product,) = entries(exact.myopic_gradient(exact.best).transpose() * (exact.best - reader))
        form += product / 2 == bonus
        none += exact.reader(exact.myopic)[1] == exact.loss(exact.myopic)
        off.append(abs(problem.local_bonus() * problem.samples / float(bonus) - 1))
    yield same(24, within, statement="instances of 24 with a bonus from 0 to the loss")
    yield same(24, form, statement="instances of 24 with the closed form")
    yield same(24, none, statement="instances of 24 without a bonus at the myopic optimum")
    # as for the gap
    yield at_most(0.0, max(off), slack=1e-10, evidence="measured", statement="relative error of the library's bonus")


@claim("planning/convergence", source="2404.00859 (secondary)", evidence="certified")
def convergence() -> Iterator[Check]:
    """With untied weights, or tied ones and a forward bias, small myopic steps approach the optimum by a known factor.

    Forward bias: the own part is more convex than the coupling with the past is strong, as proved here; the wording of
    the paper was not at hand. Without it descent can diverge for every step size, and at the border there may be no
    optimum. Runs on ten random problems, tied and untied, squares and logistic losses, the past with the present or
    against it; both counterexamples, and the first of them untied.
    """
    for tied in (True, False):
        for coupling in (-0.4, 0.2, 0.5, 1.0):
            problem = PositionRegression.random(4, 3, 200, coupling=coupling, tied=tied, rng=1)
            yield from _run(problem, 400, f"{'tied' if tied else 'untied'}, {coupling}")
        drawn = PositionRegression.random(3, 2, 40, coupling=0.3, rng=1)
        bent = logistic(drawn.features, drawn.targets.sign(), ridge=0.5, tied=tied)
        yield from _run(bent, 60, f"{'tied' if tied else 'untied'}, logistic")
    yield same("diverges", predict(diverging()).case, evidence="certified", statement="case of the counterexample")
    yield from _run(diverging(tied=False), 400, "its twin with untied weights")
    yield same("no optimum", predict(border()).case, evidence="certified", statement="case at the border")
    yield from _run(border(), 10, "border")


def _run(problem: PositionRegression | PositionLosses, steps: int, name: str) -> Iterator[Check]:
    run = myopic_descent(problem, steps=steps)
    for check in compare(run, predict(problem, run.step_size)):
        if check.label == "planning/convergence":
            yield replace(check, statement=f"{name}: {check.statement}")


@claim("planning/convex-toy", source="derived (proposal)", evidence="exact")
def convex_toy() -> Iterator[Check]:
    """In linear regression over positions a step of myopic descent multiplies the error by I - eta X^T S.

    So the whole run is known in advance. One step of 24 instances over the rationals; whole runs that contract, that
    converge after growing, and that diverge, against powers of that matrix; the last against (1 + eta)^n.
    """
    steps, eta = 0, Fraction(1, 50)
    for _, exact in instances():
        theta, error = exact.best, exact.best - exact.myopic
        curvature = exact.own.transpose() * exact.everything
        size = theta.domain(eta.numerator, eta.denominator)
        moved = theta - exact.myopic_gradient(theta) * size
        steps += moved - exact.myopic == error - curvature * error * size
    yield same(24, steps, statement="instances of 24 where a step is that multiplication")
    runs = {
        "contracts": (PositionRegression.random(4, 3, 200, tied=True, rng=2), None),
        "converges": (transient(), 0.25),
        "diverges": (diverging(), 0.25),
    }
    for case, (problem, step_size) in runs.items():
        forecast = predict(problem, step_size)
        yield same(case, forecast.case, evidence="certified", statement=f"case of {problem!r}")
        run = myopic_descent(problem, steps=40, step_size=forecast.step_size)
        (last,) = [check for check in compare(run, forecast) if check.label == "planning/convex-toy"]
        yield replace(last, statement=f"{case}: {last.statement}")
    errors = run.weights[:, 0] - diverging().myopic_optimum
    # a step rounds less than four times, relative to an error that only grows
    grown = float(errors[-1] / errors[0])
    yield close(1.25**40, grown, tolerance=40 * 4 * 2**-53, evidence="measured", statement="(1 + eta)^40")
