"""Max-margin logits of smallest nuclear norm, their closed form and its certificate; and the norm of a public program.

Free embeddings are the columns of the identity: the decoder is then the matrix of logits L (V, m) itself.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ...checks import Check
from ...construct import instances
from ...dataset import NTPDataset
from ...margin import SVMSolution, solve_svm
from ...margin.norms import NAMES
from ..bias.shared import tiny
from ..registry import at_most, claim, close, same, shared

Mask = NDArray[np.bool_]

NUCLEAR = NAMES["nuclear"]
# Relative duality gap of a closed form: rounding of a singular value decomposition, allowed for in the bound.
ROUNDING = 1e-12
# Relative gap asked of the solvers.
TOL = 1e-8
DESIGNS = 60


@claim("geometry/lmm", source="2408.15417 (as recalled)", evidence="certified")
def max_margin_logits() -> Iterator[Check]:
    """L_mm has the smallest nuclear norm among the logits that are equal on each support and larger by 1 than off it.

    Free embeddings, the supports of instance TINY and of a design where the centred support matrix S~ is no answer: the
    value between a feasible L and a dual matrix; the semidefinite program as it stands, by cvxpy, has the same; S~ is
    feasible, so not smaller.
    """
    for name, mask in (("TINY", instances.tiny().support.numpy()), ("design", _beaten())):
        ours, theirs = _logits(mask), solve_svm(_free(mask), norm="nuclear", method="cvxpy", tol=TOL)
        for method, found in (("ours", ours), ("cvxpy", theirs)):
            yield at_most(
                10 * TOL,
                max(found.duality_gap() / found.norm, found.primal_residual()),
                evidence="certified",
                statement=f"{name}, {method}: relative gap of the value to its dual bound, and constraints",
            )
        yield at_most(
            min(ours.norm, theirs.norm),
            max(ours.dual_value(), theirs.dual_value()),
            evidence="certified",
            statement=f"{name}: larger of the dual bounds against the smaller of the values",
        )
        yield at_most(
            NUCLEAR.value(_centred(mask)),
            ours.dual_value(),
            evidence="certified",
            statement=f"{name}: against ||S~||_*",
        )


@claim("geometry/svd-certificate", source="derived", evidence="certified")
def svd_certificate() -> Iterator[Check]:
    """If ``S~ = U diag(s) R^T`` has ``U R^T <= 0`` off the supports, then S~ has the smallest nuclear norm.

    60 random designs of 3 to 8 supports of one size among 5 tokens: where the signs fit, no feasible L is smaller than
    S~, by the dual matrix ``U R^T``; that the others are beaten by some L is observed, not proved.
    """
    certified, beaten, worst = 0, 0, 0.0
    for mask in designs():
        found, value = _logits(mask), NUCLEAR.value(_centred(mask))
        if _signs_fit(mask):
            certified += 1
            worst = max(worst, abs(1 - found.dual_value() / value))
        else:
            beaten += found.norm < value * (1 - TOL)
    yield at_most(float(certified), DESIGNS / 2, evidence="certified", statement="30 <= designs where the signs fit")
    yield at_most(ROUNDING, worst, evidence="certified", statement="there |dual bound / ||S~||_* - 1|, largest")
    yield same(
        DESIGNS - certified, beaten, evidence="measured", statement="other designs, and those where some L is smaller"
    )


@claim("geometry/symmetric", source="2408.15417 (as recalled), derived", evidence="exact", verdict="holds, repaired")
def symmetric_supports() -> Iterator[Check]:
    """With all C(V, k) supports of k of V tokens present, S~ has the smallest nuclear norm; one size does not suffice.

    ``S~ S~^T = C(V-2, k-1) (I - 1 1^T / V)`` in integers for V up to 7, so the V - 1 singular values are equal and
    ``U R^T`` has the signs of S~; the value for V = 5; a design of one size with an L smaller than S~.
    """
    broken = 0
    for v in range(2, 8):
        for k in range(1, v):
            supports = _all_supports(v, k).T.astype(int)
            scaled = v * supports - k  # V S~: entries V - k and -k
            broken += not np.array_equal(
                scaled @ scaled.T, math.comb(v - 2, k - 1) * v * (v * np.eye(v, dtype=int) - 1)
            )
    yield same(0, broken, statement="pairs (V, k) where the identity fails")
    for k in (1, 2, 3):
        found = _logits(_all_supports(5, k))
        sigma = math.sqrt(math.comb(3, k - 1))
        yield close(
            4 * sigma,
            found.dual_value(),
            tolerance=ROUNDING,
            evidence="certified",
            statement=f"4 sigma, V = 5, k = {k}",
        )
        yield at_most(4 * sigma, found.norm, slack=1e-12, evidence="certified", statement=f"its value, V = 5, k = {k}")
    found = _logits(_beaten())
    yield at_most(
        0.0, found.primal_residual(), slack=1e-12, evidence="certified", statement="constraints, by an L for a design"
    )
    yield at_most(
        NUCLEAR.value(_centred(_beaten())) * (1 - TOL),
        found.norm,
        evidence="certified",
        statement="||L||_* against ||S~||_* of that design, whose supports have one size",
    )


@claim("geometry/defect-spectral-norm", source="public code of 2408.15417", evidence="certified")
def defect_spectral_norm() -> Iterator[Check]:
    """A program that minimises ``cp.norm2(W)`` finds a W of smallest spectral norm, which is longer than W_mm.

    What cvxpy calls norm2 of a matrix is its largest singular value. Instance TINY: W_mm is 1 percent larger in that
    norm than the minimum, so no minimiser of it is W_mm, and all are longer; the one found is by 1 percent.
    """
    import cvxpy as cp  # slow to import

    norm2 = float(cp.norm2(cp.Constant(np.diag([3.0, 4.0]))).value)  # type: ignore[attr-defined]
    yield close(4.0, norm2, tolerance=1e-15, evidence="certified", statement="cp.norm2 of diag(3, 4)")
    limit = tiny()
    spectral, w_mm = solve_svm(limit.data, norm="spectral", tol=TOL), limit.svm
    yield at_most(
        TOL,
        spectral.duality_gap() / spectral.norm,
        evidence="certified",
        statement="smallest spectral norm: relative gap of the value to its dual bound",
    )
    yield at_most(
        spectral.geometry.value(w_mm.direction),
        1.01 * spectral.norm,
        evidence="certified",
        statement="1.01 of it, against the spectral norm of W_mm",
    )
    yield at_most(
        float(spectral.direction.norm()),
        1.01 * w_mm.norm,
        evidence="certified",
        statement="1.01 ||W_mm||, against the Frobenius norm of the minimiser found",
    )


@shared
def designs() -> tuple[Mask, ...]:
    """Random designs (m, 5) whose supports have one size."""
    r = np.random.default_rng(16)
    found = []
    for _ in range(DESIGNS):
        m, k = int(r.integers(3, 9)), int(r.integers(1, 4))
        found.append(np.array([r.permutation(5) < k for _ in range(m)]))
    return tuple(found)


def _beaten() -> Mask:
    """The first design where the signs of S~ do not fit."""
    return next(mask for mask in designs() if not _signs_fit(mask))


def _all_supports(vocab_size: int, size: int) -> Mask:
    return np.array(
        [[v in chosen for v in range(vocab_size)] for chosen in itertools.combinations(range(vocab_size), size)]
    )


def _free(mask: Mask) -> NTPDataset:
    """The dataset of these supports with free embeddings."""
    return NTPDataset(np.eye(len(mask)), mask / mask.sum(1, keepdims=True))


def _logits(mask: Mask) -> SVMSolution:
    return solve_svm(_free(mask), norm="nuclear", tol=TOL)


def _centred(mask: Mask) -> Tensor:
    """S~ (V, m)."""
    return torch.from_numpy((mask - mask.mean(1, keepdims=True)).T)


def _signs_fit(mask: Mask) -> bool:
    u, s, vt = np.linalg.svd(_centred(mask).numpy(), full_matrices=False)
    kept = s > 1e-12 * s[0]
    return bool((u[:, kept] @ vt[kept]).T[~mask].max(initial=-1.0) < 1e-12)
