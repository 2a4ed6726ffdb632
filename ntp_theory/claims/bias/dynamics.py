"""Section 4 of the paper, gradient descent: certified inequalities along runs, and the sharp laws."""

from __future__ import annotations

import math
from collections.abc import Iterator

import torch
from torch import Tensor

from ... import descent, loss
from ...checks import Check
from ...construct import designed
from ...descent import descend
from ...finite_part import InSupportLoss
from ...subspace import data_subspace, project
from ..registry import Budget, at_most, claim, close, same
from . import definitions as define
from .shared import a2, a2_comparison, a2_run, tiny

MILLION = "the same run to 10^6 steps"


@claim("bias/smoothness", source="derived (D13)", evidence="certified")
def smoothness() -> Iterator[Check]:
    """No eigenvalue of the Hessian of CE exceeds 1/2 lambda_max(sum pi_j h_j h_j^T).

    The Hessian from its definition at 20 decoders of instance TINY; two equal logits in one context attain the bound.
    """
    data, worst = tiny().data, -math.inf
    bound = descent.smoothness_bound(data)
    for scale in (0.0, 0.3, 1.0, 3.0):
        for weights in define.random_decoders(data, 5, seed=24, scale=scale):
            top = float(
                torch.linalg.eigvalsh(_hessian(define.log_softmax(weights, data).exp(), data.weights, data.embeddings))[
                    -1
                ]
            )
            worst = max(worst, top)
    yield at_most(bound, worst, evidence="certified", statement="largest eigenvalue of 20 Hessians")
    pair = designed("overlap").data
    zero = torch.zeros(2, 1, dtype=torch.float64)
    hessian = _hessian(define.log_softmax(zero, pair).exp(), pair.weights, pair.embeddings)
    yield close(
        float(torch.linalg.eigvalsh(hessian)[-1]),
        descent.smoothness_bound(pair),
        tolerance=1e-13,
        evidence="certified",
        statement="the bound where it is attained",
    )


def _hessian(q: Tensor, pi: Tensor, h: Tensor) -> Tensor:
    """``sum_j pi_j (diag q_j - q_j q_j^T) (x) h_j h_j^T`` as a matrix (Vd, Vd)."""
    inner = torch.diag_embed(q) - q[:, :, None] * q[:, None, :]
    return torch.einsum("j,jab,jx,jy->axby", pi, inner, h, h).reshape(q.shape[1] * h.shape[1], -1)


@claim("bias/lemma-2", source="2402.18551 Lemma 2", evidence="certified")
def lemma_2() -> Iterator[Check]:
    """On compatible and separable data gradient descent with eta <= 1/(2L) brings the loss down to H, never up.

    Instance TINY: one step against the definition; the fall at each of 2000 steps at least eta (1 - eta L/2) ||grad||^2; and
    CE(W_k) - H <= CE(U) - H + ||U||^2/(2 eta k) for U = W* + R W_mm, a bound that tends to 0.
    """
    limit = tiny()
    data = limit.data
    assert limit.direction is not None
    bound = descent.smoothness_bound(data)
    eta = 0.5 / bound
    run = descend(data, steps=2000, step_size=eta, record="all")
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
    squares = torch.stack([loss.gradient(w, data).square().sum() for w in run.weights[:-1]])
    excess = eta * (1 - eta * bound / 2) * squares - (run.gap[:-1] - run.gap[1:])
    slack = define.rounding(data, run.weights[-1])
    yield at_most(
        0.0, float(excess.max()), slack=slack, evidence="certified", statement="promised minus actual fall, largest"
    )
    above = -math.inf
    for k in (10, 100, 1000, 2000):
        reached = float(run.gap[k])
        for reach in (0.0, 1.0, 0.5 * math.log(k), math.log(k)):
            rival = limit.finite + reach * limit.direction
            promised = loss.evaluate(rival, data).gap + float(rival.square().sum()) / (2 * eta * k)
            above = max(above, reached - promised)
    yield at_most(0.0, above, slack=slack, evidence="certified", statement="CE - H minus its convex bound, largest")


@claim("bias/lemma-3", source="2402.18551 Lemma 3", evidence="certified", verdict="holds, repaired")
def lemma_3() -> Iterator[Check]:
    """On compatible and separable data ||W_k|| grows without bound.

    (Separability is needed, `bias/erratum-E3`.) CE - H is at least a positive function of ||W|| that falls like e^{-M ||W||},
    at each record of 2000 steps on instance TINY, so the vanishing loss of `bias/lemma-2` forces the norm up; the rate is
    `bias/sharp-gd-norm`.
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

    Instance TINY: the value; the Hessian of CE_F from its definition has dim F positive eigenvalues, the rest 0, and
    agrees with the library's; Newton's method from 0 ends at W*. Parts (3) to (6) are `bias/theorem-2` and the sharp laws.
    """
    limit = tiny()
    data, inside = limit.data, InSupportLoss(limit.data)
    value = define.in_support_loss(limit.finite, data)
    slack = define.rounding(data, limit.finite)
    yield close(data.entropy, value, relative=False, tolerance=slack, evidence="certified", statement="CE_F(W*), nats")
    logits = torch.where(data.support, data.embeddings @ limit.finite.T, -torch.inf)
    hessian = _hessian(torch.softmax(logits, 1), data.weights, data.embeddings)
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
    found = inside.minimise(tol=1e-12)
    # gradient at most 1e-12 of its scale; the distance is that over the curvature, which is within half of that at W*
    scale = float((data.weights * data.embeddings.norm(dim=1)).sum())
    yield at_most(
        2e-12 * scale / float(positive[0]),
        float((found - limit.finite).norm()),
        slack=1e-12,
        evidence="certified",
        statement="distance of Newton's minimiser from W*",
    )


@claim("bias/strong-growth", source="derived (D14); 2402.18551 fn. 8", evidence="certified")
def strong_growth() -> Iterator[Check]:
    """Sampling contexts has a second moment of at most rho ||grad CE||^2; sampling (context, token) pairs does not.

    rho = max ||h||^2 / (lambda_min(Gram) min pi), at the records of gradient descent on instance A2; there the second moment
    of pairs tends to sum pi_j ||h_j||^2 (1 - ||p_j||^2) > 0 while the gradient vanishes.
    """
    limit, run = a2(), a2_run("quick")
    data = limit.data
    h, p, squares = data.embeddings, define.probabilities(data), data.embeddings.square().sum(1)
    rho = float(squares.max() / torch.linalg.eigvalsh(h @ h.T)[0] / data.weights.min())
    worst = 0.0
    for weights in run.weights:
        residuals = (define.log_softmax(weights, data).exp() - p).square().sum(1)
        moment = float((data.weights * squares * residuals).sum())
        worst = max(worst, moment / float(loss.gradient(weights, data).square().sum()))
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


@claim("bias/sharp-gd-expansion", source="derived (D4)", evidence="certified")
def sharp_gd_expansion() -> Iterator[Check]:
    """Late gradient descent is W_mm log k plus a constant, where W_mm = P_perp sum alpha (e_z - e_v) h^T and sum alpha = ||W_mm||^2.

    The optimality conditions on instance A2; the expansion itself is measured by the laws that follow.
    """
    limit = a2()
    svm = limit.svm
    rows = -svm.duals  # in-support columns take the row sum on any one token: here the first
    rows[torch.arange(len(rows)), limit.data.pattern.anchors] = svm.duals.sum(1)
    combination = data_subspace(limit.data).project_complement(rows.T @ limit.data.embeddings)
    yield at_most(
        0.0,
        float((svm.direction - combination).norm()) / svm.norm,
        slack=2e-6,  # sqrt(2 tol) at tol = 1e-12, and rounding
        evidence="certified",
        statement="relative stationarity",
    )
    total = float(svm.duals.sum())
    yield close(svm.norm**2, total, tolerance=4e-6, evidence="certified", statement="sum alpha")
    logits = limit.data.embeddings @ svm.direction.T
    inside = limit.data.pattern.min(limit.data.pattern.inside(logits))[:, None]
    slackness = float((svm.duals * (inside - logits - 1)).sum())
    yield at_most(
        0.0, slackness / total, slack=4e-6, evidence="certified", statement="sum alpha (margin - 1), relative"
    )


def _law(label: str, budget: Budget) -> list[Check]:
    """What `compare` says of the run on A2 under one label."""
    return [found for found in a2_comparison(budget).checks if found.label == label]


@claim("bias/theorem-2", source="2402.18551 Thm 2", evidence="measured", standard=MILLION)
def theorem_2(budget: Budget) -> Iterator[Check]:
    """On compatible and separable data W_k turns to W_mm and P_F W_k tends to W*.

    Instance A2, 10^5 steps of size 0.5 from zero. The direction of W_k itself is late by a constant over log k, so the
    increment over a decade is compared, and the distance on F with its predicted constant.
    """
    yield from _law("bias/theorem-2", budget)
    yield from _law("bias/sharp-gd-finite", budget)


@claim("bias/sharp-gd-loss", source="derived (D4.1)", evidence="measured", standard=MILLION)
def sharp_gd_loss(budget: Budget) -> Iterator[Check]:
    """Eta k (CE(W_k) - inf CE) tends to ||W_mm||^2.

    Instance A2, 10^5 steps of size 0.5 from zero: the tolerance that the data predicts, and within 2%.
    """
    yield from _law("bias/sharp-gd-loss", budget)
    run = a2_run(budget)
    scaled = run.step_size * float(run.times[-1]) * float(run.gap[-1])
    yield close(
        a2().loss_constant,
        scaled,
        tolerance=0.02,
        evidence="measured",
        statement="eta k (CE - H) at the end, within 2%",
    )


@claim("bias/sharp-gd-norm", source="derived (D4.2)", evidence="measured", standard=MILLION)
def sharp_gd_norm(budget: Budget) -> Iterator[Check]:
    """||W_k|| grows like ||W_mm|| log k.

    Instance A2: the slope over the last decade of 10^5 steps.
    """
    yield from _law("bias/sharp-gd-norm", budget)


@claim("bias/sharp-gd-finite", source="derived (D4.3)", evidence="measured", standard=MILLION)
def sharp_gd_finite(budget: Budget) -> Iterator[Check]:
    """Eta k (P_F W_k - W*) tends to -H_F^{-1} P_F sum alpha (e_v - p_bar) h^T.

    The constant solves its equation, with the Hessian from its definition, on instance TINY; instance A2 after 10^5 steps:
    its length by the tolerance that the data predicts.
    """
    limit = tiny()
    data = limit.data
    logits = torch.where(data.support, data.embeddings @ limit.finite.T, -torch.inf)
    q = torch.softmax(logits, 1)
    image = _hessian(q, data.weights, data.embeddings) @ limit.finite_constant.flatten()
    force = project((limit.duals - limit.duals.sum(1, keepdim=True) * q).T @ data.embeddings, data)
    yield at_most(
        0.0,
        float((image.reshape(force.shape) + force).norm() / force.norm()),
        slack=1e-10,
        evidence="measured",
        statement="H_F X + P_F sum alpha (e_v - p_bar) h^T, relative",
    )
    yield from _law("bias/sharp-gd-finite", budget)


@claim("bias/offset", source="derived", evidence="measured", standard=MILLION)
def offset(budget: Budget) -> Iterator[Check]:
    """W_k - W_mm log(eta k) tends to an offset whose active logit differences are log(pi_j p_bar_{j,z} / alpha_{j,v}).

    Instance A2, 10^5 steps: the multiplier-weighted mean of these, which alone is free of slow modes.
    """
    yield from _law("bias/offset", budget)
