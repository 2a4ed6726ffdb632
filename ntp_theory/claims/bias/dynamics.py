"""Section 4 of the paper, gradient descent: certified inequalities along runs, and the sharp laws."""

from __future__ import annotations

import math
from collections.abc import Iterator

import torch

from ...checks import Check
from ...construct import designed
from ...descent import descend, smoothness_bound
from ...finite_part import InSupportLoss
from ...loss import evaluate, gradient
from ...subspace import data_subspace
from ..registry import at_most, claim, close, same
from . import definitions as define
from .shared import a2, a2_run, tiny

MILLION = "the same run to 10^6 steps"


@claim("bias/smoothness", source="derived (D13)", evidence="certified")
def smoothness() -> Iterator[Check]:
    """No eigenvalue of the Hessian of CE exceeds 1/2 lambda_max(sum pi_j h_j h_j^T).

    The Hessian from its definition at 20 decoders of instance TINY; two equal logits in one context attain the
    bound.
    """
    data, worst = tiny().data, -math.inf
    bound = smoothness_bound(data)
    for scale in (0.0, 0.3, 1.0, 3.0):
        for weights in define.random_decoders(data, 5, seed=24, scale=scale):
            top = float(
                torch.linalg.eigvalsh(
                    define.hessian(define.log_softmax(weights, data).exp(), data.weights, data.embeddings)
                )[-1]
            )
            worst = max(worst, top)
    yield at_most(bound, worst, evidence="certified", statement="largest eigenvalue of 20 Hessians")
    pair = designed("overlap").data
    zero = torch.zeros(2, 1, dtype=torch.float64)
    hessian = define.hessian(define.log_softmax(zero, pair).exp(), pair.weights, pair.embeddings)
    yield close(
        float(torch.linalg.eigvalsh(hessian)[-1]),
        smoothness_bound(pair),
        tolerance=1e-13,
        evidence="certified",
        statement="the bound where it is attained",
    )


@claim("bias/lemma-2", source="2402.18551 Lemma 2", evidence="certified")
def lemma_2() -> Iterator[Check]:
    """On compatible and separable data gradient descent with eta <= 1/(2L) brings the loss down to H, never up.

    Instance TINY: one step against the definition; the fall at each of 500 steps at least eta (1 - eta L/2)
    ||grad||^2; and CE(W_k) - H <= CE(U) - H + ||U||^2/(2 eta k) for U = W* + R W_mm, a bound that tends to 0.
    """
    limit = tiny()
    data = limit.data
    assert limit.direction is not None
    bound = smoothness_bound(data)
    eta = 0.5 / bound
    run = descend(data, steps=500, step_size=eta, record="all")
    (start,) = define.random_decoders(data, 1, seed=25)
    stepped = descend(data, steps=1, step_size=eta, init=start, record="all").weights[1]
    expected = start - eta * define.gradient(start, data)
    yield at_most(
        0.0,
        float((stepped - expected).norm()),
        slack=10 * define.rounding(data, start),
        evidence="certified",
        statement="one step against W - eta grad CE by definition",
    )
    squares = torch.stack([gradient(w, data).square().sum() for w in run.weights[:-1]])
    excess = eta * (1 - eta * bound / 2) * squares - (run.gap[:-1] - run.gap[1:])
    slack = define.rounding(data, run.weights[-1])
    yield at_most(
        0.0, float(excess.max()), slack=slack, evidence="certified", statement="promised minus actual fall, largest"
    )
    above = -math.inf
    for k in (10, 100, 500):
        reached = float(run.gap[k])
        for reach in (0.0, 1.0, 0.5 * math.log(k), math.log(k)):
            rival = limit.finite + reach * limit.direction
            promised = evaluate(rival, data).gap + float(rival.square().sum()) / (2 * eta * k)
            above = max(above, reached - promised)
    yield at_most(0.0, above, slack=slack, evidence="certified", statement="CE - H minus its convex bound, largest")


@claim("bias/lemma-3", source="2402.18551 Lemma 3", evidence="certified", verdict="holds, repaired")
def lemma_3() -> Iterator[Check]:
    """On compatible and separable data ||W_k|| grows without bound.

    (Separability is needed, `bias/erratum-E3`.) CE - H is at least a positive function of ||W|| that falls like
    e^{-M ||W||}, at each record of 2000 steps on instance TINY, so the vanishing loss of `bias/lemma-2` forces the
    norm up; the rate is `bias/sharp-gd-norm`.
    """
    data = tiny().data
    run = descend(data, steps=2000)
    gaps = [
        define.least_log_tail(float(w.norm()), data) - math.log(float(g))
        for w, g in zip(run.weights, run.gap, strict=True)
    ]
    yield at_most(
        0.0,
        max(gaps),
        slack=1e-12,
        evidence="certified",
        statement="log of the least CE - H for the norm, minus log(CE - H)",
    )
    late = [float(run.norm[run.times.tolist().index(k)]) for k in (10, 100, 1000)]
    yield same(
        1,
        int(late[0] < late[1] < late[2]),
        evidence="certified",
        statement="1 if ||W_k|| grows from k = 10 to 100 to 1000",
    )


@claim("bias/lemma-4", source="2402.18551 Lemma 4 (1), (2)", evidence="certified")
def lemma_4() -> Iterator[Check]:
    """W* is the unique minimiser of CE_F on F, and its value is H.

    Instance TINY: the value; the Hessian of CE_F from its definition has dim F positive eigenvalues, the rest 0,
    and agrees with the library's; Newton's method from 0 ends at W*. Parts (3) to (6) are `bias/theorem-2` and the
    sharp laws.
    """
    limit = tiny()
    data, inside = limit.data, InSupportLoss(limit.data)
    value = define.in_support_loss(limit.finite, data)
    slack = define.rounding(data, limit.finite)
    yield close(data.entropy, value, relative=False, tolerance=slack, evidence="certified", statement="CE_F(W*), nats")
    logits = torch.where(data.support, data.embeddings @ limit.finite.T, -torch.inf)
    hessian = define.hessian(torch.softmax(logits, 1), data.weights, data.embeddings)
    eigenvalues = torch.linalg.eigvalsh(hessian)
    rounding = 100 * len(eigenvalues) * define.EPS * float(eigenvalues[-1])
    positive = eigenvalues[eigenvalues > rounding]
    yield same(
        data_subspace(data).dim,
        len(positive),
        evidence="certified",
        statement="positive eigenvalues of the Hessian at W*",
    )
    (direction,) = define.random_decoders(data, 1, seed=26)
    product = inside.hessian_product(inside.probabilities(limit.finite), direction)
    expected = (hessian @ direction.flatten()).reshape(direction.shape)
    yield at_most(
        0.0,
        float((product - expected).norm()),
        slack=1e-12,
        evidence="certified",
        statement="the library's Hessian product",
    )
    found = data_subspace(data).project(inside.minimise(tol=1e-12))
    # gradient at most 1e-12 of its scale; the distance is that over the curvature, which is within half of that at W*
    scale = float((data.weights * data.embeddings.norm(dim=1)).sum())
    yield at_most(
        2e-12 * scale / float(positive[0]),
        float((found - limit.finite).norm()),
        slack=1e-12,
        evidence="certified",
        statement="distance of Newton's minimiser, projected on F, from W*",
    )


@claim("bias/strong-growth", source="derived (D14); 2402.18551 fn. 8", evidence="certified")
def strong_growth() -> Iterator[Check]:
    """Sampling contexts has a second moment of at most rho ||grad CE||^2; sampling (context, token) pairs does not.

    rho = max ||h||^2 / (lambda_min(Gram) min pi), at the records of gradient descent on instance A2; there the
    second moment of pairs tends to sum pi_j ||h_j||^2 (1 - ||p_j||^2) > 0 while the gradient vanishes.
    """
    limit, run = a2(), a2_run("quick")
    data = limit.data
    h, p, squares = data.embeddings, define.probabilities(data), data.embeddings.square().sum(1)
    rho = float(squares.max() / torch.linalg.eigvalsh(h @ h.T)[0] / data.weights.min())
    worst = 0.0
    for weights in run.weights:
        residuals = (define.log_softmax(weights, data).exp() - p).square().sum(1)
        moment = float((data.weights * squares * residuals).sum())
        worst = max(worst, moment / float(gradient(weights, data).square().sum()))
    yield at_most(rho, worst, evidence="certified", statement="second moment over ||grad CE||^2, context sampling")
    q = define.log_softmax(run.weights[-1], data).exp()
    # ||e_z - q||^2 averaged over p: 1 - 2 <p, q> + ||q||^2
    moment = float((data.weights * squares * (1 - 2 * (p * q).sum(1) + q.square().sum(1))).sum())
    noise = float((data.weights * squares * (1 - p.square().sum(1))).sum())
    # the difference is sum pi ||h||^2 ||q - p||^2, at most max ||h||^2 times 2 (CE - H) by Pinsker
    yield close(
        noise,
        moment,
        relative=False,
        tolerance=2 * float(squares.max()) * float(run.gap[-1]),
        evidence="certified",
        statement="second moment at the last record, pair sampling",
    )
