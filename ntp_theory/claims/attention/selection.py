"""Attention-SVM, and steps of three kinds towards it."""

from __future__ import annotations

import math
from collections.abc import Iterator

import torch

from ...attention import LogPartition, SelectionSVM, TokenSelection, TokenSequences, predict, select, solve_selection
from ...attention.selection_runs import Method, SelectionRun
from ...checks import Check, fitted_slope
from ..registry import at_most, claim, close, same, shared

INPUTS, LENGTH, DIM = 3, 3, 12
# Laws of late times are held against data whose slowest mode is predicted to be faster than this.
FAST, DRAWN = 0.2, 14


@shared
def trained(method: Method, steps: int, step_size: float, seed: int) -> tuple[SelectionRun, SelectionSVM]:
    """A run from W = 0 on drawn data, and the SVM of the tokens that it ends up with."""
    data = TokenSelection.random(INPUTS, LENGTH, DIM, rng=seed)
    run = select(data, method, steps=steps, step_size=step_size)
    return run, solve_selection(data, run.selected)


@shared
def fast() -> list[int]:
    """Drawn data with fast modes at the selection of the best tokens."""
    best = [solve_selection(TokenSelection.random(INPUTS, LENGTH, DIM, rng=seed)).late() for seed in range(DRAWN)]
    return [seed for seed, limit in enumerate(best) if limit.positive and min(limit.rate, limit.distance) > FAST]


def slope(steps: torch.Tensor, x: torch.Tensor, y: torch.Tensor) -> float:
    """Of the least-squares line through the points of the last half of the steps."""
    late = steps >= steps[-1] / 2
    return fitted_slope(x[late], y[late])


@claim(
    "attention/att-svm",
    source="2306.13596, 2308.16898",
    evidence="certified",
    standard="The same on 40 data for normalised steps, and 40,000 plain ones on all with fast modes.",
)
def att_svm(budget: str) -> Iterator[Check]:
    """Attention weights diverge along the least W (least in nuclear norm for keys and queries) that selects tokens.

    Drawn data, 3 inputs of 3 tokens in 12 dimensions: gaps of the solutions in both norms; 4,000 plain steps
    against constants predicted for the selection that was reached, on two data with fast modes; normalised steps by
    their correlations; margins of keys and queries in both norms.
    """
    tries, steps = (6, 4000) if budget == "quick" else (40, 40_000)
    reached, correlated, optimal = 0, 0, 0
    for seed in range(tries):
        run, svm = trained("ngd", 1500, 0.1, seed)
        optimal += svm.locally_optimal
        reached += torch.equal(run.selected, run.data.best)
        correlated += bool(run.correlations(svm.direction)[-1] > 0.99)
        yield at_most(
            1e-9, svm.gap, evidence="certified", statement=f"data {seed}: gap of the attention-SVM, Frobenius"
        )
    words = f"runs that end at locally optimal selections; {reached} of {tries} at the best tokens"
    yield same(tries, optimal, evidence="measured", statement=words)
    yield same(
        tries,
        correlated,
        evidence="measured",
        statement="runs whose correlation with W_svm of their selection is above 0.99",
    )
    for seed in fast()[: 2 if budget == "quick" else DRAWN]:
        run, svm = trained("gd", steps, 20.0, seed)
        limit, last = svm.late(), float(run.step_size * run.steps[-1])
        ahead = float(limit.offset @ svm.direction.flatten()) / svm.norm**2
        # single multipliers are off by t^-rate; these laws are sums in which that cancels, and are off by its square
        slow = math.exp(-2 * min(1.0, limit.rate, limit.distance) * (math.log(last) + ahead))
        found = last * math.exp(float(run.log_gaps()[-1]))
        words = f"data {seed}: t (f - f of the selection) at t = {last:.3g}"
        yield close(svm.norm**2, found, tolerance=0.01 + slow, evidence="measured", statement=words)
        reach = run.reach(svm.direction)
        words = f"data {seed}: <W, W_svm> / ||W_svm||^2 at t = {last:.3g}"
        yield close(
            math.log(last) + ahead, float(reach[-1]), tolerance=0.01 + slow, evidence="measured", statement=words
        )
    yield from _keys_and_queries()


def _keys_and_queries() -> Iterator[Check]:
    for seed in (3, 4):
        data = TokenSelection.random(INPUTS, LENGTH, DIM, rng=seed)
        run = select(data, "ngd", steps=1500, step_size=0.03, rank=DIM, scale=0.3)
        w = run.weights[-1]
        nuclear, frobenius = (solve_selection(data, run.selected, norm=name) for name in ("nuclear", "frobenius"))
        yield at_most(
            1e-7, nuclear.gap, evidence="certified", statement=f"data {seed}: gap of the attention-SVM, nuclear"
        )
        margin = float(torch.einsum("kde,de->k", data.normals(run.selected)[0], w).min())
        share, other = (margin / svm.geometry.value(w) * svm.norm for svm in (nuclear, frobenius))
        yield at_most(
            1 + 1e-7, share, evidence="certified", statement=f"data {seed}: margin over the largest, nuclear norm"
        )
        seen = ", ".join(f"{float(run.correlations(svm.direction)[-1]):.3f}" for svm in (nuclear, frobenius))
        words = f"data {seed}: (K, Q) has more of the largest nuclear margin, {share:.3f}, than of the Frobenius one"
        words += f", {other:.3f}; correlations {seen}"
        yield same("more", "more" if share > other else "less", evidence="measured", statement=words)


@claim("attention/ngd-polyak", source="2402.05738 (abstract)", evidence="certified")
def ngd_polyak() -> Iterator[Check]:
    """Normalised and Polyak steps move W by a constant a step along its direction, where plain ones add log k in all.

    Those of 14 drawn data whose modes are predicted to be fast: log of the loss falls by eta gamma a normalised step,
    by 1 a Polyak step; exponents of 1 - correlation are fitted. Polyak's steps on a convex loss with a
    minimiser: they come closer to it.
    """
    for seed in fast():
        run, svm = trained("ngd", 1500, 0.1, seed)
        words = f"data {seed}: inputs where the best token is selected"
        yield same(INPUTS, int((run.selected == run.data.best).sum()), evidence="measured", statement=words)
        found = -slope(run.steps, run.steps, run.log_gaps())
        # between k and 2 k slow modes change log (f - f*) by their squares: (f - f*)^(2 rate) < e^-12, over 750 steps
        words = f"data {seed}: fall of log (f - f*) a normalised step"
        yield close(run.step_size / svm.norm, found, tolerance=0.001, evidence="measured", statement=words)
        # W = reach * W_svm + a constant across it, once the modes of the multipliers, powers of f - f*, have faded
        exponent = slope(run.steps, run.reach(svm.direction).log(), (1 - run.correlations(svm.direction)).log())
        words = f"data {seed}: exponent of 1 - correlation in <W, W_svm>, which grows by a constant a step"
        yield close(-2.0, exponent, tolerance=0.02, evidence="measured", statement=words)
        polyak, svm = trained("polyak", 300, 1.0, seed)
        found = -slope(polyak.steps, polyak.steps, polyak.log_gaps())
        yield close(
            1.0,
            found,
            tolerance=0.001,
            evidence="measured",
            statement=f"data {seed}: fall of log (f - f*) a Polyak step",
        )
    yield from _closer()


def _closer() -> Iterator[Check]:
    data = TokenSequences([[0, 1, 2], [0, 1, 2], [1, 0, 2], [2, 0, 1, 2], [2, 2, 0, 2]], [0, 0, 1, 2, 2])
    loss, limit = LogPartition.of_sequences(data), predict(data)
    yield same(False, limit.diverges, evidence="certified", statement="strongly connected graph: something diverges")
    w, farther = torch.full((loss.dim,), 2.0, dtype=torch.float64) * torch.arange(loss.dim), 0.0
    w = limit.inside(w)
    steps = 0
    for _ in range(200):
        gap, gradient = loss.value(w) - limit.infimum, loss.gradient(w)
        if gap < 1e-12:
            break
        after, steps = w - gap / gradient.square().sum() * gradient, steps + 1
        least = float((w - limit.finite).square().sum()) - gap**2 / float(gradient.square().sum())
        farther = max(farther, float((after - limit.finite).square().sum()) - least)
        w = after
    words = f"squared distance to the minimiser above what {steps} Polyak steps must leave"
    yield at_most(0.0, farther, slack=1e-10, evidence="certified", statement=words)
    words = "distance to the minimiser where f - f* is below 1e-12"
    yield at_most(1e-5, float((w - limit.finite).norm()), evidence="measured", statement=words)
