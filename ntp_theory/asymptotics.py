"""Constants of late training: what multiplies 1/k on F, and what is added to ``W_mm log k`` off it.

On an active constraint with multiplier alpha > 0, gradient descent keeps ``eta k pi_j softmax_v(W_k h_j)`` at
alpha; since the in-support softmax tends to p_bar, this fixes the limit of ``(e_z - e_v)^T (W_k - W_mm log(eta
k)) h_j``. The weights alpha single out one combination whose first-order error vanishes: with G the Gram matrix
of the active constraints in F_perp, G alpha = 1, so every slow mode v of G diag(alpha) (eigenvalue other than 1)
has alpha^T v = 0. Both the loss constant and `mean_offset` are such combinations; that is why they are sharp
while single multipliers may be slow.
"""

from __future__ import annotations

import torch
from torch import Tensor

from .dataset import NTPDataset
from .errors import SolverError
from .finite_part import InSupportLoss
from .subspace import data_subspace

__all__ = ["ActiveConstraints", "finite_constant", "mean_offset"]

LARGEST = 5e7


def finite_constant(data: NTPDataset, finite: Tensor, duals: Tensor) -> Tensor:
    """``lim eta k (P_F W_k - W*) = -H_F^{-1} P_F sum_{j,v} alpha_{j,v} (e_v - p_bar_j) h_j^T``.

    Parameters
    ----------
    data : NTPDataset
    finite : Tensor (V, d)
        W*.
    duals : Tensor (m, V)
        alpha.

    Returns
    -------
    Tensor (V, d)

    Notes
    -----
    Source: ours (`bias/sharp-gd-finite`).
    """
    loss, pattern = InSupportLoss(data), data.pattern
    pull = duals.clone()
    pull[pattern.contexts, pattern.tokens] = -duals.sum(1)[pattern.contexts] * loss.probabilities(finite)
    force = data_subspace(data).project(pull.T @ data.embeddings)
    return -data_subspace(data).project(loss.solve_hessian(finite, force))


def mean_offset(data: NTPDataset, finite: Tensor, duals: Tensor) -> float:
    """``lim <W_k, W_mm> / ||W_mm||^2 - log(eta k)``: the alpha-weighted mean of the constraints' offsets.

    Parameters
    ----------
    data : NTPDataset
    finite : Tensor (V, d)
    duals : Tensor (m, V)

    Returns
    -------
    float
        0 if no constraint is active.

    Notes
    -----
    Source: ours (`bias/offset`); the first-order error of the weighted mean vanishes (module docstring).
    """
    contexts, tokens = duals.nonzero(as_tuple=True)
    alpha = duals[contexts, tokens]
    total = float(alpha.sum())
    return float((alpha * _required(data, finite, duals)).sum()) / total if total else 0.0


class ActiveConstraints:
    """Constraints of the NTP-SVM with a positive multiplier: their normals in F_perp and their slow modes.

    Near the limit the ratios ``rho = eta k pi_j softmax_v / alpha`` obey ``d log rho / d log k = -G diag(alpha)
    (rho - 1)``, G the Gram matrix of the normals. The eigenvalues lambda of that matrix are the rates: mode i
    decays like k^-lambda_i.

    Parameters
    ----------
    data : NTPDataset
    finite : Tensor (V, d)
        W*.
    duals : Tensor (m, V)
        alpha.

    Attributes
    ----------
    rates : Tensor (n,)
        Eigenvalues of G diag(alpha), ascending; one of them is 1 (a shift of time).

    Raises
    ------
    SolverError
        If the normals, n V d numbers, would exceed 5e7.

    Notes
    -----
    Source: ours (`bias/sharp-gd-duals`, `bias/offset`).
    """

    def __init__(self, data: NTPDataset, finite: Tensor, duals: Tensor) -> None:
        self._data, self._finite = data, finite
        contexts, tokens = duals.nonzero(as_tuple=True)
        self._contexts, self._tokens, self._alpha = contexts, tokens, duals[contexts, tokens]
        self._required = _required(data, finite, duals)
        if len(contexts) * finite.numel() > LARGEST:
            raise SolverError(
                f"{len(contexts)} active constraints of {finite.numel()} entries each; at most {LARGEST:.0e} in all"
            )
        subspace, anchors = data_subspace(data), data.pattern.anchors
        normals = finite.new_zeros(len(contexts), *finite.shape)
        index = torch.arange(len(contexts), device=finite.device)
        normals[index, anchors[contexts]] = data.embeddings[contexts]
        normals[index, tokens] -= data.embeddings[contexts]
        for i in range(len(normals)):
            normals[i] = subspace.project_complement(normals[i])
        self._normals = normals.flatten(1)
        gram = self._normals @ self._normals.T
        self._root = self._alpha.sqrt()
        self.rates, self._modes = torch.linalg.eigh(gram * self._root[:, None] * self._root)
        self._gram = gram

    def offset(self) -> Tensor:
        """The smallest W_tilde with P_F part W* that meets the offsets of all active constraints; (V, d).

        Gradient descent may add a component outside F and the active constraints, which depends on its path.
        """
        # constraints may be dependent, so least squares of minimum norm
        coefficients = torch.linalg.pinv(self._gram, rtol=1e-10, hermitian=True) @ self._required
        beyond: Tensor = (coefficients @ self._normals).reshape(self._finite.shape)
        return self._finite + beyond

    def spread(self, init: Tensor, step_size: float, steps: float) -> float:
        """Predicted alpha-weighted mean square of log rho after ``steps`` steps from ``init``.

        The linear dynamics from the values of rho after one step; the mode of rate 1 is left to the burn-in.
        """
        logits = self._data.embeddings @ init.T
        softmax = (logits - torch.logsumexp(logits, 1, keepdim=True))[self._contexts, self._tokens]
        start = softmax + (step_size * self._data.weights[self._contexts] / self._alpha).log()
        amplitude = self._modes.T @ (self._root * start) * float(steps) ** -self.rates
        slow = amplitude[(self.rates - 1.0).abs() > 1e-6]
        return float(slow.square().sum() / self._alpha.sum())


def _required(data: NTPDataset, finite: Tensor, duals: Tensor) -> Tensor:
    """Limit of ``(e_z - e_v)^T P_perp W_k h_j - log(eta k)`` on the active constraints, in order."""
    contexts, tokens = duals.nonzero(as_tuple=True)
    logits = data.embeddings @ finite.T
    inside = data.pattern.logsumexp(data.pattern.inside(logits))
    # log(pi p_bar_z / alpha) minus the part of the logit difference that W* makes; z drops out
    ratio = data.weights[contexts] / duals[contexts, tokens]
    return ratio.log() + logits[contexts, tokens] - inside[contexts]
