"""Free features with a ridge: the nuclear-norm form, its limit, and the factors of its logits."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from fractions import Fraction

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.optimize import minimize
from torch import Tensor

from ...checks import Check
from ...conditions import check_compatibility
from ...construct import instances
from ...construct.gaussian import random_rows
from ...geometry import FreeLimit, LogitPath, UnconstrainedFeatures, balanced_factors, collapse, equal_supports
from ...subspace import data_subspace
from ..registry import Budget, at_most, claim, close, same, shared
from .max_margin import designs

RIDGES = (1e-2, 1e-3, 1e-4, 1e-5, 1e-6, 1e-7, 1e-8)
# Rounding of decompositions of matrices with some 50 entries of size 10.
ROUNDING = 1e-12
# Relative duality gap asked of the solver.
TOL = 1e-8
# Designs of `max_margin` that the budget "quick" takes: with strict signs, without, and with a multiplier near 0.
QUICK = (0, 2, 5, 16, 33)


@claim("geometry/ufm-nuclear", source="2408.15417", evidence="certified")
def nuclear_form() -> Iterator[Check]:
    """The least ``CE(WH) + ridge/2 (||W||^2 + ||H||^2)`` is the least ``CE(L) + ridge ||L||_*``, if d >= its rank.

    TINY: a certified L on one side; on the other its balanced factors, and L-BFGS on both factors from random starts,
    with d = V and with d the rank of L, which never goes below the dual bound and ends at the value.
    """
    problem = _tiny()
    path = problem.solve([0.1, 0.01])
    yield at_most(
        TOL, float(path.relative_gap.max()), evidence="certified", statement="gap to the dual bound, relative"
    )
    for i, ridge in enumerate(path.ridge.tolist()):
        value, bound = float(path.objective[i]), float(path.objective[i] - path.duality_gap[i])
        rank = int(torch.linalg.matrix_rank(path.logits[i], rtol=1e-6))
        cost = problem.objective(*path.factors(i), ridge)
        yield close(
            value, cost, tolerance=ROUNDING, evidence="certified", statement=f"ridge {ridge:g}: factors of L cost"
        )
        for d in (problem.data.vocab_size, rank):
            costs = [_descended(problem, ridge, d, seed) for seed in range(3)]
            yield at_most(
                min(costs),
                bound,
                slack=ROUNDING,
                evidence="certified",
                statement=f"d = {d}: bound against least descent",
            )
            yield close(value, min(costs), tolerance=1e-6, evidence="measured", statement=f"d = {d}: least by descent")


@claim(
    "geometry/ufm-limit",
    source="2408.15417",
    evidence="certified",
    standard="60 designs of supports; how many of them come within 1 percent",
)
def limit(budget: Budget) -> Iterator[Check]:
    """CE -> H, P L -> L_in and the slope ``dL / d log(1/ridge) -> L_mm``; the direction of L is 1 / log(1/ridge) away.

    Random supports, ridges 1e-2 to 1e-8, minimisers certified. Where S~ is L_mm with strict signs and full rank the
    next terms are known: the slope is within 1 percent if they say so. Otherwise it comes closer, in the weakest cases
    late; where the certificate of S~ fails it goes to another L_mm.
    """
    chosen = [_design(i) for i in (QUICK if budget == "quick" else range(len(designs())))]
    gaps = [float(each.path.relative_gap.max()) for each in chosen]
    yield at_most(TOL, max(gaps), evidence="certified", statement="gap to the dual bound, relative, largest")
    excess = [
        float(gap) / each.limit.loss_bound(ridge)
        for each in chosen
        for ridge, gap in zip(RIDGES, each.path.gap, strict=True)
    ]
    yield at_most(
        1.0,
        max(excess),
        evidence="certified",
        statement="CE - H over ridge (V - 1 + ||L_in||_* + ||L_mm||_* log(1/ridge)), largest",
    )
    finite = [each.finite_error() / each.finite_bound() for each in chosen]
    yield at_most(
        1.0, max(finite), evidence="measured", statement="||P L - L_in|| over its bound at ridge 1e-8, largest"
    )

    certified = [each for each in chosen if each.limit.closed_form]
    near = [each for each in certified if each.correction() < 0.01]
    late = [each for each in certified if each not in near]
    failing = [each for each in chosen if each not in certified]
    yield at_most(
        0.01,
        max(each.slope_error(-1) for each in near),
        evidence="measured",
        statement=f"slope to L_mm at 1e-8, relative: {len(near)} of {len(certified)} certified designs where that is "
        "predicted",
    )
    for order, name in ((1, "logits"), (2, "slopes")):
        yield at_most(
            (math.log(1e6) / math.log(1e8)) ** order,
            max(each.fall(name) for each in near),
            evidence="measured",
            statement=f"there the error of the predicted {name} at 1e-8 over that at 1e-6: beyond t^-{order}",
        )
    yield at_most(
        1.0,
        max(abs(each.angle() - each.predicted_angle()) / each.angle_bar() for each in near),
        evidence="measured",
        statement="there the angle of L to L_mm against the predicted one, over the angle that the last predicted term "
        "can make, largest",
    )
    yield at_most(
        1.0,
        max(each.slope_error(-1) / each.slope_error(-3) for each in late),
        evidence="measured",
        statement=f"the {len(late)} others: {sum(each.slope_error(-1) < 0.01 for each in late)} within 1 percent, all "
        f"within {max(each.slope_error(-1) for each in late):.0%}; distance at 1e-8 over that at 1e-6, largest",
    )
    yield same(
        len(failing),
        sum(each.slope_error(-1) < each.supports_error() for each in failing),
        evidence="measured",
        statement=f"of {len(chosen)} designs, those without the certificate; slopes nearer to L_mm than to S~",
    )


@claim("geometry/finite-part", source="2408.15417", evidence="exact")
def finite_part() -> Iterator[Check]:
    """L_in is ``log p - mean of log p`` on each support and 0 off it: the solution ``E_j^+ a_j`` of the log-odds.

    Any numbers in place of the logarithms, in fractions, supports of 1 to 6 tokens; then TINY: the library's W* for
    free embeddings, and P L of a certified minimiser at ridge 1e-8.
    """
    rng, wrong = np.random.default_rng(0), 0
    for size in range(1, 7):
        logs = [Fraction(int(x), 7) for x in rng.integers(-50, 50, size)]
        # L = E^T b with E L = a: the entry of the anchor is the sum of b, that of token i is -b_i
        centred = [x - sum(logs) / size for x in logs]
        b = [-x for x in centred[1:]]
        log_odds = all(centred[0] - x == logs[0] - y for x, y in zip(centred, logs, strict=True))
        wrong += not (log_odds and sum(b) == centred[0])
    yield same(0, wrong, statement="supports where the formula has other log-odds, or is not in the row space of E")
    problem, limit = _tiny(), _tiny().limit()
    solution = check_compatibility(problem.data).solution
    assert solution is not None
    yield at_most(ROUNDING, float((solution - limit.finite).norm()), evidence="certified", statement="||W* - L_in||")
    path = problem.solve(1e-8)
    measured = _Design(problem, limit, path)
    yield at_most(
        measured.finite_bound(), measured.finite_error(), evidence="measured", statement="||P L - L_in|| at ridge 1e-8"
    )


@claim("geometry/gram-collapse", source="2408.15417", evidence="certified")
def gram_collapse() -> Iterator[Check]:
    """W W' and H'H are the roots of L L' and L'L, at every ridge; contexts with equal supports come to one embedding.

    All pairs of 5 tokens with random conditionals, each pair by two contexts: the roots; both Gram matrices at ridge
    1e-8 as predicted from the data, and their angle to the limit; the collapse as predicted; none left for equal rows.
    """
    mask = np.array([[v in pair for v in range(5)] for pair in itertools.combinations(range(5), 2) for _ in range(2)])
    rows = random_rows(mask, np.random.default_rng(3))
    problem = UnconstrainedFeatures(rows)
    limit, path = problem.limit(), problem.solve([1e-4, 1e-8])
    w, h = path.factors(-1)
    grams = (w @ w.mT, h.mT @ h)
    for name, gram, square in zip(
        ("W W'", "H'H"),
        grams,
        (path.logits[-1] @ path.logits[-1].mT, path.logits[-1].mT @ path.logits[-1]),
        strict=True,
    ):
        error = float((gram @ gram - square).norm() / square.norm())
        yield at_most(ROUNDING, error, evidence="certified", statement=f"{name} squared against the product of logits")
    # the prediction ends with a term in 1 / t, t = log(1/ridge), the next ones are smaller by that: as a bar, that term
    shorter = _without_last_term(limit)
    for name, gram, near, less, far in zip(
        ("words", "contexts"), grams, limit.grams(1e-8), shorter.grams(1e-8), limit.grams(), strict=True
    ):
        bar, error = _relative(less, near), _relative(gram, near)
        words = f"Gram matrix of {name} against its prediction; the last term of that as a bar"
        yield at_most(bar, error, evidence="measured", statement=words)
        yield at_most(
            math.asin(bar),  # the largest angle between matrices that are so far apart
            abs(_angle(gram, far) - _angle(near, far)),
            evidence="measured",
            statement=f"{name}: angle to the limit, {_angle(gram, far):.4f}, against the predicted one, in that bar",
        )
    groups = equal_supports(problem.data)
    for i, ridge in enumerate(path.ridge.tolist()):
        found = collapse(path.factors(i)[1], groups)
        share, bare = (collapse(balanced_factors(each.logits(ridge))[1], groups) for each in (limit, shorter))
        yield at_most(
            abs(share - bare),
            abs(share - found),
            evidence="measured",
            statement=f"share of ||H||^2 within equal supports, {found:.3g} at ridge {ridge:g}, against its prediction",
        )
    alike = UnconstrainedFeatures(np.repeat(rows[::2], 2, axis=0)).solve(1e-4)
    yield at_most(
        1e-6,  # a gap of 1e-8 leaves its square root
        collapse(alike.factors()[1], groups),
        evidence="measured",
        statement="the same for equal conditionals",
    )


@dataclass(frozen=True, eq=False)
class _Design:
    """A problem, its prediction, and the certified path at `RIDGES`, or at the last of them."""

    problem: UnconstrainedFeatures
    limit: FreeLimit
    path: LogitPath

    def slope_error(self, index: int) -> float:
        return _relative(self.path.slopes[index], self.limit.direction)

    def supports_error(self) -> float:
        return _relative(self.path.slopes[-1], self.limit.supports)

    def correction(self) -> float:
        """Predicted distance of the last slope from L_mm; infinite if none is known."""
        if self.limit.offset is None:
            return math.inf
        return _relative(self.limit.slope(RIDGES[-1]), self.limit.direction)

    def fall(self, name: str) -> float:
        """Error of a prediction at the last ridge over that two ridges before."""
        found, predicted = (
            (self.path.logits, self.limit.logits) if name == "logits" else (self.path.slopes, self.limit.slope)
        )
        errors = [float((found[i] - predicted(RIDGES[i])).norm()) for i in (-1, -3)]
        # one-hot supports may be predicted up to terms of the order of the ridge: rounding is no error
        return errors[0] / errors[1] if errors[1] > 1e-6 else 0.0

    def angle(self) -> float:
        return _angle(self.path.logits[-1], self.limit.direction)

    def predicted_angle(self) -> float:
        return _angle(self.limit.logits(RIDGES[-1]), self.limit.direction)

    def angle_bar(self) -> float:
        """The largest angle between the prediction and the same without its last term; rounding if that is 0."""
        ridge = RIDGES[-1]
        return math.asin(_relative(_without_last_term(self.limit).logits(ridge), self.limit.logits(ridge))) + 1e-6

    def finite_error(self) -> float:
        return float((data_subspace(self.problem.data).project(self.path.logits[-1]) - self.limit.finite).norm())

    def finite_bound(self) -> float:
        """Twice the ridge times the norm of ``P Z``, Z of spectral norm 1, over the least eigenvalue on F."""
        data = self.problem.data
        rank = min(data.vocab_size, data.num_contexts)
        # and rounding of logits of the size of the path
        return 2 * RIDGES[-1] * math.sqrt(rank) / float(data.joint.min()) + ROUNDING


def _without_last_term(limit: FreeLimit) -> FreeLimit:
    return replace(limit, bend=torch.zeros_like(limit.direction))


@shared
def _design(index: int) -> _Design:
    mask = designs()[index]
    problem = UnconstrainedFeatures(random_rows(mask, np.random.default_rng(index)))
    return _Design(problem, problem.limit(), problem.solve(RIDGES))


@shared
def _tiny() -> UnconstrainedFeatures:
    return UnconstrainedFeatures.of(instances.tiny())


def _descended(problem: UnconstrainedFeatures, ridge: float, dim: int, seed: int) -> float:
    """The objective at the end of L-BFGS on both factors."""
    data = problem.data
    v, m = data.vocab_size, data.num_contexts
    joint = torch.zeros(v, m, dtype=torch.float64)
    joint[data.pattern.tokens, data.pattern.contexts] = data.joint

    def split(flat: Tensor) -> tuple[Tensor, Tensor]:
        return flat[: v * dim].reshape(v, dim), flat[v * dim :].reshape(dim, m)

    def cost(values: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        flat = torch.tensor(values, requires_grad=True)
        w, h = split(flat)
        total = -(joint * torch.log_softmax(w @ h, 0)).sum() + ridge / 2 * flat.square().sum()
        (slope,) = torch.autograd.grad(total, flat)
        return total.item(), slope.numpy()

    start = np.random.default_rng(seed).standard_normal((v + m) * dim)
    found = minimize(cost, start, jac=True, method="L-BFGS-B", options={"ftol": 1e-15, "gtol": 1e-9, "maxiter": 3000})
    return problem.objective(*split(torch.from_numpy(found.x)), ridge)


def _relative(a: Tensor, b: Tensor) -> float:
    return float((a - b).norm() / b.norm())


def _angle(a: Tensor, b: Tensor) -> float:
    return math.acos(min(1.0, float((a * b).sum() / (a.norm() * b.norm()))))
