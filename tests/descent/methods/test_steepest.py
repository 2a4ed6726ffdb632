"""What 2502.04664 says of steepest descent on one-hot data, certified along runs, and its rates.

Quantities are held relative to a common scale, so the inequalities are looked at where the loss is e^-1000 too. Gamma
is the margin of a decoder, so at most the largest there is, and every inequality is no stronger for it.
"""

from __future__ import annotations

import math

import numpy as np
import pytest

from ntp_theory.construct import random
from ntp_theory.dataset import NTPDataset
from ntp_theory.descent import descend
from ntp_theory.descent.gradients.residual import scaled_residual
from ntp_theory.descent.methods.adam import Adam
from ntp_theory.descent.methods.sign import SignDescent, Signum
from ntp_theory.descent.methods.spectral import Muon, SpectralDescent
from ntp_theory.loss import evaluate
from ntp_theory.margin import solve_svm
from ntp_theory.margin.norms import as_norm
from tests.descent.methods.test_sign import margin

DATA = random(4, 7, 6, 1, 11)
METHODS = [(SignDescent, "max"), (SpectralDescent, "spectral"), (Signum, "max"), (Muon, "spectral")]
any_method = pytest.mark.parametrize("name", [make.name for make, _ in METHODS])
without_momentum = pytest.mark.parametrize("name", [make.name for make, _ in METHODS[:2]])
# relative error of sums of at most 42 terms that come from logarithms of at most 2000 (a few units in the last place)
ROUNDING = 1e-11


class Point:
    """A decoder with L, G and the gradient, all over ``exp(log_scale)``."""

    def __init__(self, weights, data):
        residual = scaled_residual(weights, data)
        self.weights, self.log_loss = weights, evaluate(weights, data).log_tail
        self.log_scale = float(residual.log_scale.max())
        r = residual.dense(-self.log_scale)
        self.gradient = r.T @ data.embeddings
        self.proxy = float(-r[data.pattern.contexts, data.pattern.tokens].sum())
        self.log_proxy = math.log(self.proxy) + self.log_scale
        self.loss = math.exp(self.log_loss - self.log_scale)


@pytest.fixture(scope="module", params=[0.0, 1500.0], ids=["from zero", "from e^-1000"])
def runs(request):
    """All methods from zero, and from far out."""
    start = request.param * solve_svm(DATA).direction
    found = {}
    for make, norm in METHODS:
        run = descend(DATA, make(0.05), steps=40, init=start, record="all")
        assert run.log_tail[-1] < run.log_tail[0] and (request.param == 0 or run.log_tail[0] < -1000)
        found[make.name] = (norm, [Point(w, DATA) for w in run.weights])
    return found


@pytest.fixture(scope="module")
def gammas():
    found = {norm: solve_svm(DATA, norm=norm).direction for norm in ("max", "spectral")}
    return {norm: float(margin(w, DATA)) / as_norm(norm).value(w) for norm, w in found.items()}


def reach():
    return float(DATA.embeddings.abs().sum(1).max())


@any_method
def test_the_dual_norm_of_the_gradient(runs, gammas, name):
    """`steepest/lemma-1` and `steepest/lemma-3` (i): gamma G <= ||grad||_* <= 2 B G."""
    norm, points = runs[name]
    for point in points:
        dual = as_norm(norm).dual.value(point.gradient)
        assert gammas[norm] * point.proxy <= dual * (1 + ROUNDING)
        assert dual <= 2 * reach() * point.proxy * (1 + ROUNDING)


@any_method
def test_the_proxy_and_the_loss(runs, name):
    """`steepest/lemma-3` (ii), (iii)."""
    n = DATA.num_contexts
    for point in runs[name][1]:
        ratio, loss = point.proxy / point.loss, math.exp(point.log_loss)
        assert 1 - n * loss / 2 <= ratio * (1 + ROUNDING) and ratio <= 1 + ROUNDING
        if loss <= math.log(2) / n or math.exp(point.log_proxy) <= 1 / (2 * n):
            assert point.loss <= 2 * point.proxy * (1 + ROUNDING)


@any_method
def test_the_proxy_does_not_jump(runs, name):
    """`steepest/lemma-4` at psi = 0.3, 0.7, 1 of every step."""
    points = runs[name][1]
    for before, after in zip(points, points[1:], strict=False):
        step = after.weights - before.weights
        for psi in (0.3, 0.7, 1.0):
            between = Point(before.weights + psi * step, DATA)
            growth = between.log_proxy - before.log_proxy
            assert growth <= 2 * reach() * psi * float(step.abs().max()) + ROUNDING


@without_momentum
def test_the_loss_descends(runs, gammas, name):
    """`steepest/descent`, with eta_k = 0.05 / sqrt(k + 1)."""
    norm, points = runs[name]
    alpha = 2 * reach() ** 2 * math.exp(2 * reach() * 0.05) / gammas[norm]
    for k, (before, after) in enumerate(zip(points, points[1:], strict=False)):
        eta = 0.05 * (k + 1) ** -0.5
        bound = before.loss - gammas[norm] * eta * (1 - alpha * eta) * before.proxy
        assert math.exp(after.log_loss - before.log_scale) <= bound * (1 + ROUNDING)


@without_momentum
def test_the_margin_grows(runs, gammas, name):
    """`steepest/lemma-5` with the constants that follow from `steepest/descent`.

    log L_T <= log L_0 - gamma sum eta G / L + gamma alpha sum eta^2, as G <= L; and the margin is at least
    -log(exp(n L) - 1).
    """
    norm, points = runs[name]
    constant = 2 * reach() ** 2 * math.exp(2 * reach() * 0.05)
    log_loss, n = points[0].log_loss, DATA.num_contexts
    for k, (before, after) in enumerate(zip(points, points[1:], strict=False)):
        eta = 0.05 * (k + 1) ** -0.5
        log_loss += constant * eta**2 - gammas[norm] * eta * before.proxy / before.loss
        assert after.log_loss <= log_loss + (k + 2) * 1e-9
        total = n * math.exp(after.log_loss)
        # log(exp(x) - 1) for any x > 0
        least = -(math.log(n) + after.log_loss) if total < 1e-12 else -math.log(math.expm1(total))
        assert float(margin(after.weights, DATA)) >= least - 1e-9 * (1 + abs(least))


def centres(seed=0, classes=4, dim=8, per_class=4):
    """A small version of `steepest/experiment`: Gaussian centres, deviations of 0.1, as many samples of each class."""
    draw = np.random.default_rng(seed)
    means = draw.normal(size=(classes, dim))
    h = np.repeat(means, per_class, 0) + 0.1 * draw.normal(size=(classes * per_class, dim))
    return NTPDataset(h, np.repeat(np.eye(classes), per_class, 0))


@pytest.mark.parametrize(
    ("method", "norm", "power", "factor"),
    [
        (SignDescent(0.1), "max", 1 / 2, 1),
        (SpectralDescent(0.05), "spectral", 1 / 2, 1),
        (Signum(0.1), "max", 1 / 2, 8),
        (Muon(0.05), "spectral", 1 / 2, 8),
        (Adam(0.1, (0.9, 0.9), eps=0.0), "max", 1 / 3, 8),
    ],
    ids=lambda x: getattr(x, "name", ""),
)
def test_the_margin_comes_to_that_of_the_own_norm_at_the_rate(method, norm, power, factor):
    """`steepest/theorem-1`, `steepest/theorem-2`, `steepest/adam` as upper bounds, measured.

    The gap is at most ``C (c log k + c n) k^-power``, with c = d for averages of gradients and c = 1 without. C is read
    off from steps 100 to 300, so this says that from there on the gap falls at least as fast. With beta_2 = 0.999 Adam
    comes to that only after (200 gamma)^3 = 8e8 steps: until a step shrinks the gradient by less than sqrt(beta_2), the
    averages of squares are those of long past gradients.
    """
    data = centres()
    best = solve_svm(data, norm=norm)
    found = descend(data, method, steps=2000, record=[100, 200, 300, 1000, 2000])
    gaps = [1 - float(margin(w, data)) / (as_norm(norm).value(w) * best.margin) for w in found.weights]
    constants = [
        gap / ((math.log(k) + data.num_contexts) * factor * k**-power)
        for gap, k in zip(gaps, found.times.tolist(), strict=True)
    ]
    assert max(constants[3:]) <= max(constants[:3])
    assert min(gaps) >= -1e-7, "no decoder has a larger margin, up to the tolerance of solve_svm"
