"""Laws of the regularisation paths: where the ridge path is at any ridge, and margins in balls of any norm."""

from __future__ import annotations

import math

from ..asymptotics import finite_constant
from ..checks import Check
from ..finite_part import InSupportLoss
from ..margin import solve_svm
from ..paths import Path
from ..predict import Limit
from ..subspace import data_subspace
from .comparison import Comparison
from .gradient import readable
from .idle import idle_mass
from .inequalities import rounding

__all__ = ["path_laws"]

# Of a logarithm of a loss, relative to the logarithm.
ROUNDING = 1e-12
# Multiples of W_mm from which on it dominates.
ONSET = 3.0


def path_laws(path: Path, limit: Limit) -> Comparison:
    """At the last point, the one with the smallest ridge."""
    if limit.direction is None:
        return Comparison([], "nothing diverges: the path ends at W*")
    if path.norm != "frobenius":
        return _other_norm(path, limit)
    last = int(path.log_ridge.argmin())
    log_ridge, weights = float(path.log_ridge[last]), path.weights[last].double()
    reach = limit.ridge_reach(log_ridge)
    if reach < ONSET:
        return Comparison(
            [], f"laws not read: the least ridge is {math.exp(log_ridge):.3g}, where W_mm is not yet in sight"
        )
    reference, subspace = limit.svm.data, data_subspace(limit.svm.data)
    part = subspace.project_complement(weights)
    rho, second = limit.active.on_ridge_path(reach)
    measured = float((part * limit.svm.direction).sum()) / limit.loss_constant
    idle = idle_mass(limit, reach - limit.mean_offset)
    blur = ROUNDING * max(1.0, abs(log_ridge)) + rounding(path.weights[last]) / max(1.0, float(weights.norm()))
    # (CE - inf CE) over the pull of the tail along W_mm: 1 up to idle constraints and the mass itself
    log_ratio = float(path.log_excess[last]) - log_ridge - math.log(measured * limit.loss_constant)
    mass = math.exp(min(float(path.log_excess[last]), 0.0)) / float(limit.data.weights.min())
    at = f"at log(1/ridge) = {-log_ridge:.6g}"
    checks = [
        Check.close(
            "bias/ridge-path",
            reach,
            measured,
            tolerance=2 * (float(second.sum()) / (reach**2 * limit.loss_constant) + idle + mass) + blur,
            evidence="measured",
            source="derived (D8); constant derived",
            statement=f"<W, W_mm>/||W_mm||^2, R with R + log R = log(1/ridge) + offset, {at}",
        ),
        Check.close(
            "bias/ridge-path",
            1.0,
            math.exp(log_ratio),
            tolerance=2 * (idle + mass) + blur,
            evidence="measured",
            source="derived (D8)",
            statement=f"(CE - inf CE) / (ridge <W, W_mm>), {at}",
        ),
        Check.close(
            "bias/theorem-1",
            0.0,
            float((part - limit.active.combine(rho)).norm()) / limit.svm.norm,
            relative=False,
            tolerance=2 * float(limit.active.combine(second).norm()) / limit.svm.norm + reach * (2 * idle + blur),
            evidence="measured",
            source="2402.18551 Theorem 1; rate derived (D8)",
            statement=f"distance from the predicted point over ||W_mm||, {at}",
        ),
    ]
    if subspace.dim:
        finite = limit.finite.double()
        own = subspace.project(InSupportLoss(reference).solve_hessian(finite, finite))
        drift = finite_constant(reference, finite, rho) - own
        neglected = float(finite_constant(reference, finite, second).norm() / drift.norm())
        checks.append(
            Check.close(
                "bias/ridge-path",
                0.0,
                float((path.drift[last].double() - drift).norm() / drift.norm()),
                relative=False,
                tolerance=2 * (neglected + idle) + blur,
                evidence="measured",
                source="derived (D8); constant derived",
                statement=f"(P_F W - W*)/ridge against its prediction, relative, {at}",
            )
        )
    return readable(checks)


def _other_norm(path: Path, limit: Limit) -> Comparison:
    """The largest ball: its decoder's margin falls short of the best by O(1/B), the bound of the genie."""
    last, data = int(path.radii.argmax()), limit.svm.data
    best = solve_svm(data, norm=path.norm)
    weights = path.weights[last].double()
    part = data_subspace(data).project_complement(weights)
    margin = float(data.pattern.margins(data.embeddings @ part.T).min())
    radius = float(path.radii[last])
    outer = radius + best.geometry.value(weights - part)  # at most this is the norm of the part off F
    finite = best.geometry.value(limit.finite.double())
    # W* + R W_mm is in the ball; its excess, at most V e^{M ||W*||} e^{-R}, bounds every eps_j of the minimiser
    genie = (radius - finite) / best.dual_value()
    if genie <= 0.0 or outer <= 0.0:
        return Comparison(
            [], f"laws not read: the largest ball, of radius {radius:.3g}, does not reach beyond W* at {finite:.3g}"
        )
    return readable(
        [
            Check.at_most(
                "bias/norm-ball-path",
                bound=0.0,
                computed=margin / outer * best.dual_value() - 1.0,
                slack=1e-7,
                evidence="certified",
                source="derived (D9)",
                statement=f"margin over the best in the {path.norm} norm, minus 1, at radius {radius:.6g}",
            ),
            Check.close(
                "bias/norm-ball-path",
                1.0,
                margin / radius * best.norm,
                tolerance=1.0 - genie / radius * best.norm + _slack(limit) / radius * best.norm,
                evidence="measured",
                source="derived (D9)",
                statement=f"the same margin, against the best; the genie allows O(1/B) at B = {radius:.6g}",
            ),
        ]
    )


def _slack(limit: Limit) -> float:
    """``log(C / min pi)`` with C of the genie bound, for logits whose F part is W*."""
    data = limit.svm.data
    spread = 2 * float((data.embeddings @ limit.finite.double().T).abs().max())
    return math.log(data.vocab_size) + spread - math.log(float(data.weights.min()))
