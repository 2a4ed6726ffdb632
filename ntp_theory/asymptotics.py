"""Constants of late training: what multiplies 1/k on F, and what is added to ``W_mm log k`` off it.

On an active constraint with multiplier alpha > 0, gradient descent keeps ``eta k pi_j softmax_v(W_k h_j)`` at
alpha; since the in-support softmax tends to p_bar, this fixes the limit of ``(e_z - e_v)^T (W_k - W_mm log(eta
k)) h_j``. The weights alpha single out one combination whose first-order error vanishes: with G the Gram matrix
of the active constraints in F_perp, G alpha = 1, so every slow mode v of G diag(alpha) (eigenvalue other than 1)
has alpha^T v = 0. Both the loss constant and `mean_offset` are such combinations; that is why they are sharp
while single multipliers may be slow.

Where the normals of the active constraints are dependent (repeated contexts are the simplest case), the NTP-SVM has
many multipliers, and gradient descent picks those of the form ``alpha_i = a_i e^{-<n_i, u>}`` with a_i = pi_j
p_bar_{j,z} e^{(e_v - e_z)^T W* h_j}, the mass that W* gives to the pair: u minimises the convex ``sum_i a_i e^{-<n_i,
u>} + <W_mm, u>``.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from .dataset import NTPDataset
from .errors import SolverError
from .finite_part import InSupportLoss
from .subspace import DataSubspace, data_subspace
from .support import SupportPattern

__all__ = ["ActiveConstraints", "constraint_normals", "finite_constant", "limit_multipliers", "mean_offset"]

LARGEST = 1e7
# Constraints this close to margin 1 may be active; normals this close to dependent are; multipliers this small are 0.
SLACK, DEPENDENT, NEGLIGIBLE = 1e-6, 1e-10, 1e-8
# What Newton steps leave of a multiplier that is 0.
ROUNDING = 1e-13
# Newton steps: one for each nat that W* has put a start too high; and what the result may miss W_mm by, relative.
STEPS, STATIONARY = 2000, 1e-6


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


def limit_multipliers(data: NTPDataset, finite: Tensor, direction: Tensor, duals: Tensor) -> Tensor:
    """Those multipliers of the NTP-SVM that gradient descent goes to, ``lim eta k pi_j softmax_v(W_k h_j)``; (m, V).

    Parameters
    ----------
    data : NTPDataset
    finite : Tensor (V, d)
        W*.
    direction : Tensor (V, d)
        W_mm.
    duals : Tensor (m, V)
        Any multipliers.

    Returns
    -------
    Tensor (m, V)
        ``duals`` where they are unique; also where the active normals would take more than 1e7 numbers.

    Raises
    ------
    SolverError
        If the active constraints are too nearly dependent for an answer.

    Notes
    -----
    Source: ours (`bias/sharp-gd-duals`); the convex problem is that of Soudry et al. 1710.10345 for the residual.
    """
    logits = data.embeddings @ direction.T
    slack = data.pattern.min(data.pattern.inside(logits))[:, None] - logits - 1.0
    near = (~data.support & (slack <= SLACK)) | (duals > 0)
    contexts, tokens = near.nonzero(as_tuple=True)
    if len(contexts) == 0 or len(contexts) * finite.numel() > LARGEST:
        return duals
    # adding the active pairs to the supports adds their normals to F
    joined = DataSubspace(data.embeddings, SupportPattern.from_mask(data.support | near))
    if joined.dim == data_subspace(data).dim + len(contexts):
        return duals
    normals = constraint_normals(data, contexts, tokens)
    sizes, vectors = torch.linalg.eigh(normals @ normals.T)
    kept = sizes > DEPENDENT * sizes[-1]
    if bool(kept.all()):
        return duals
    x = vectors[:, kept] * sizes[kept].sqrt()
    alpha = duals[contexts, tokens]
    log_mass = _required(data, finite, near.to(finite.dtype))  # W* may put it beyond what a double holds
    pull = x.T @ alpha
    start = log_mass - alpha.clamp(min=NEGLIGIBLE * float(alpha.max())).log()
    y = torch.linalg.lstsq(x, start[:, None]).solution[:, 0]

    def value(y: Tensor) -> float:
        return float((log_mass - x @ y).exp().sum() + pull @ y)

    for _ in range(STEPS):
        if not math.isfinite(before := value(y)):
            break
        rho = (log_mass - x @ y).exp()
        slope = pull - x.T @ rho
        step = torch.linalg.pinv((x.T * rho) @ x, rtol=1e-14, hermitian=True) @ slope
        fall, length = float(slope @ step), 1.0
        if fall <= 1e-26 * float(alpha.sum()):
            break
        while value(y - length * step) > before - 0.25 * length * fall and length > 1e-12:
            length /= 2
        y = y - length * step
    rho = (log_mass - x @ y).exp()
    if not float((normals.T @ (rho - alpha)).norm()) <= STATIONARY * float(direction.norm()):
        words = "active constraints are too nearly dependent for the limit of their multipliers in double precision"
        raise SolverError(words, status="ill-conditioned", best=duals)
    chosen = torch.zeros_like(duals)
    # a rare context has small multipliers, and its copies share them by their weights
    share = (NEGLIGIBLE * data.weights[contexts] / data.weights.max()).clamp(min=ROUNDING)
    chosen[contexts, tokens] = torch.where(rho > share * rho.max(), rho, 0.0)
    return chosen


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
        If the normals, n V d numbers, would exceed 1e7.

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
        self._normals = constraint_normals(data, contexts, tokens)
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

    def on_ridge_path(self, reach: float) -> tuple[Tensor, Tensor]:
        """Multipliers ``rho = mass / ridge`` of the ridge minimiser that is ``reach`` times W_mm long along W_mm.

        There ``P_perp W = sum rho_i n_i``. With ``rho_i = alpha_i R (1 + y_i)`` the offsets x of the constraints obey
        ``x + log(1 + y) = x_inf`` and ``x = R G diag(alpha) y``; to first order in y, modes of rate lambda have come
        ``R lambda / (1 + R lambda)`` of their way.

        Returns
        -------
        Tensor (m, V)
            The multipliers, to first order.
        Tensor (m, V)
            The second order, ``alpha_i R y_i^2 / 2``: what they may be off by.
        """
        mean = (self._alpha * self._required).sum() / self._alpha.sum()
        target = self._modes.T @ (self._root * (self._required - mean))
        y = (self._modes @ (target / (1.0 + reach * self.rates))) / self._root
        return self._spread_out(reach * self._alpha * (1.0 + y)), self._spread_out(reach * self._alpha * y.square() / 2)

    def combine(self, multipliers: Tensor) -> Tensor:
        """``P_perp sum rho_{j,v} (e_z - e_v) h_j^T`` for multipliers (m, V) on the active constraints; (V, d)."""
        matrix: Tensor = multipliers[self._contexts, self._tokens] @ self._normals
        return matrix.reshape(self._finite.shape)

    def _spread_out(self, values: Tensor) -> Tensor:
        matrix = values.new_zeros(self._data.num_contexts, self._data.vocab_size)
        matrix[self._contexts, self._tokens] = values
        return matrix

    def lag(self, init: Tensor | None = None, log_time: float = math.inf) -> float:
        """How far the smallest offset of an active constraint is behind their alpha-weighted mean; at least 0.

        In the limit, or at log t = ``log_time`` after a start at ``init`` (V, d), when slow modes are still under way.
        """
        ratio = torch.zeros_like(self._required)
        if init is not None and log_time < math.inf:
            ratio = (self._modes @ (self._start(init, 1.0) * torch.exp(-self.rates * log_time))) / self._root
        offsets = self._required - ratio
        return float((self._alpha * offsets).sum() / self._alpha.sum() - offsets.min())

    def spread(self, init: Tensor, step_size: float, steps: float) -> float:
        """Predicted alpha-weighted mean square of log rho after ``steps`` steps from ``init``.

        The linear dynamics from the values of rho after one step; the mode of rate 1 is left to the burn-in.
        """
        slow = self._start(init, step_size) * float(steps) ** -self.rates
        return float(slow.square().sum() / self._alpha.sum())

    def _start(self, init: Tensor, step_size: float) -> Tensor:
        """Amplitudes of the modes in log rho after one step, without the one that is a shift of time."""
        logits = self._data.embeddings @ init.double().T
        softmax = (logits - torch.logsumexp(logits, 1, keepdim=True))[self._contexts, self._tokens]
        start = self._root * (softmax + (step_size * self._data.weights[self._contexts] / self._alpha).log())
        shift = self._root / self._root.norm()
        amplitude: Tensor = self._modes.T @ (start - (shift @ start) * shift)
        return amplitude


def constraint_normals(data: NTPDataset, contexts: Tensor, tokens: Tensor) -> Tensor:
    """``P_perp (e_z - e_v) h_j^T`` for pairs (j, v), as rows; (n, V d)."""
    subspace, anchors = data_subspace(data), data.pattern.anchors
    normals = data.embeddings.new_zeros(len(contexts), data.vocab_size, data.dim)
    index = torch.arange(len(contexts), device=contexts.device)
    normals[index, anchors[contexts]] = data.embeddings[contexts]
    normals[index, tokens] -= data.embeddings[contexts]
    for i in range(len(normals)):
        normals[i] = subspace.project_complement(normals[i])
    return normals.flatten(1)


def _required(data: NTPDataset, finite: Tensor, duals: Tensor) -> Tensor:
    """Limit of ``(e_z - e_v)^T P_perp W_k h_j - log(eta k)`` on the active constraints, in order."""
    contexts, tokens = duals.nonzero(as_tuple=True)
    logits = data.embeddings @ finite.T
    inside = data.pattern.logsumexp(data.pattern.inside(logits))
    # log(pi p_bar_z / alpha) minus the part of the logit difference that W* makes; z drops out
    ratio = data.weights[contexts] / duals[contexts, tokens]
    return ratio.log() + logits[contexts, tokens] - inside[contexts]
