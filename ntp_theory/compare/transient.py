"""How far the multipliers still are from their limits: their own dynamics, from the start of a run.

In log time ``s = log t`` the products ``rho = t pi_j softmax_v / alpha`` of gradient flow obey

    d log rho / ds = -G diag(alpha) (rho - 1) - K mu + d/ds of what P_F W adds to the logits,

mu the same products of inactive constraints, whose logarithms fall by their slack, and G, K products of normals in
F_perp. Since ``G alpha = 1``, the alpha-weighted mean m of log rho obeys ``dm/ds = -m - d``, where d, the weighted mean
of ``rho - 1 - log rho >= 0``, is of second order: so laws that weigh with alpha are sharp, and others are as slow as
the least rate of G diag(alpha). P_F W relaxes to W* mode by mode of H_F, and is pulled off it by v/t.

The rest point ``rho = 1``, ``mu = 0`` is put in: a wrong prediction of alpha is not excused by this.

Inertia in log time: let p stand for ``G diag(alpha) rho + K mu``, the velocity. Nesterov's scheme, ``X'' + 3/tau X' =
-grad`` at ``t = tau^2/4``, is ``dp/ds = G diag(alpha) rho + K mu - p``, so its corrections fade like ``t^-1/2`` where
those of the flow do like 1/t; the heavy ball, ``T W'' + W' = -grad``, is ``dp/ds = (t/T) (G diag(alpha) rho + K mu - p)
+ p``.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.integrate import solve_ivp
from torch import Tensor

from ..asymptotics import constraint_normals, finite_constant
from ..dataset import NTPDataset
from ..errors import SolverError
from ..finite_part import InSupportLoss
from ..predict import Limit
from ..subspace import data_subspace
from .curvature import finite_modes

__all__ = ["Moment", "Transient"]

Array = NDArray[np.float64]
Inertia = Literal["none", "nesterov", "heavy-ball"]

# Constraints that are followed one by one, more only if they are active; entries of their normals.
ENOUGH, MOST, LARGEST = 600, 1500, 1e7
# Nothing has happened yet at this share of the first time at which anything does.
BEGINNING = 1e-3
# Logarithms of times are cut here where the time itself is needed.
FOREVER = 600.0


@dataclass(frozen=True)
class Moment:
    """Predicted state at one time.

    Attributes
    ----------
    mean : float
        |m|, nats: ``<W, W_mm> / ||W_mm||^2`` is that far from ``log t + mean_offset``.
    loss : float
        Relative error of ``t (CE - inf CE)``, with its sign.
    duals : float
        Largest ``|rho - 1|``.
    finite : float
        ``||t (P_F W - W*) - v||`` over ``||v||``.
    slope : float
        ``||dW/dlog t - W_mm|| / ||W_mm||``.
    decoder : Tensor (V, d)
        W in F_perp.
    on_f : float
        ``||P_F W - W*||``, at most.
    """

    mean: float
    loss: float
    duals: float
    finite: float
    slope: float
    decoder: Tensor
    on_f: float


class Transient:
    """The dynamics of the multipliers from a start.

    Parameters
    ----------
    limit : Limit
        Of data where something diverges.
    start : Tensor (V, d)
        W_0.
    inertia : {"none", "nesterov", "heavy-ball"}
    memory : float
        T of the heavy ball, ``eta beta / (1 - beta)^2``; the step size of Nesterov's scheme, which alone damps it on F.
    since : float
        Logarithm of the time of ``start``, if that is a later decoder of a flow.
    """

    def __init__(
        self,
        limit: Limit,
        start: Tensor,
        inertia: Inertia = "none",
        memory: float = 0.0,
        since: float = -math.inf,
    ) -> None:
        data, pattern, finite = limit.svm.data, limit.svm.data.pattern, limit.finite.double()
        self._limit, self._inertia, self._memory, self._since = limit, inertia, memory, since
        subspace, start = data_subspace(data), start.double()
        self.start = subspace.project_complement(start)
        margins = data.embeddings @ limit.svm.direction.T
        slack = pattern.min(pattern.inside(margins))[:, None] - margins - 1.0
        alpha, off = limit.duals.double(), ~data.support
        order = torch.where(alpha > 0, -1.0, slack.clamp(min=0.0))[off].argsort()
        active, most = int((alpha > 0).sum()), min(MOST, int(LARGEST / finite.numel()))
        if active > most:
            raise SolverError(f"{active} active constraints are too many to follow; at most {most}")
        count = min(max(active, ENOUGH), most)
        kept, beyond = off.nonzero()[order[:count]], off.nonzero()[order[count:]]
        self._contexts, self._tokens = contexts, tokens = kept.unbind(1)
        self._normals = constraint_normals(data, contexts, tokens)
        self._gram = (self._normals @ self._normals.T).numpy()
        self._inverse = np.linalg.pinv(self._gram, rcond=1e-10, hermitian=True)  # normals may be dependent
        self._alpha = alpha[contexts, tokens]
        self._active = (self._alpha > 0).numpy()
        self._pull = np.where(self._active, 1.0, 1.0 + slack[contexts, tokens].clamp(min=0.0).numpy())
        # odds of the tokens once P_F W has settled, and what it adds until then
        logits = data.embeddings @ (self.start + finite).T
        odds = logits - pattern.logsumexp(pattern.inside(logits))[:, None] + data.weights.log()[:, None]
        self._odds = odds[contexts, tokens].numpy()
        self._modes = finite_modes(limit)
        self._away = self._modes.amplitudes(subspace.project(start) - finite)
        self._levers = self._modes.amplitudes(self._forces(data, finite, contexts, tokens))
        self._force = self._levers.T @ self._alpha.numpy()
        # constraints that are not followed only fade
        self._beyond = (odds[beyond[:, 0], beyond[:, 1]].numpy(), slack[beyond[:, 0], beyond[:, 1]].numpy())
        self._total = float(self._alpha.sum())
        # t (CE - inf CE) to the next order in 1/t: the in-support part v H v / 2, and -log(1 - eps) beyond eps
        squares = float((alpha.sum(1).square() / data.weights).sum()) / self._total
        self._feedback = float((self._force**2 / self._modes.rates).sum()) / self._total + squares
        self._second_order = 0.5 * self._feedback
        self._bend = self._curved(finite) if len(self._modes.rates) else 0.0
        mass = np.exp(self._odds[self._active] - self._odds.max()).sum()
        self.onset = math.log(self._total) - float(self._odds.max()) - math.log(mass)
        """Logarithm of the time at which a decoder on the limiting path would be at the start's off-support mass."""

    def _forces(self, data: NTPDataset, finite: Tensor, contexts: Tensor, tokens: Tensor) -> Tensor:
        """``P_F (e_v - p_bar_j) h_j^T``, by which P_F W moves the odds of a constraint; (n, V, d)."""
        inside = torch.where(data.support, data.embeddings @ finite.T, -torch.inf)
        chances = torch.softmax(inside, 1)
        rows = -chances[contexts]
        rows[torch.arange(len(tokens)), tokens] += 1.0
        forces: Tensor = rows[:, :, None] * data.embeddings[contexts][:, None, :]
        return forces

    def unmodelled(self, s: float) -> float:
        """What the multipliers may be off by at ``log t = s`` besides what is followed, relative.

        While P_F W is off by v/t it changes the logits, and off-support mass takes from itself: in the weighted mean by
        ``c/t``, ``c = (<v, H_F v> + sum_j (sum_v alpha_{jv})^2 / pi_j) / ||W_mm||^2``;
        integrated that is ``c log(t/c) / t`` under gradient flow and ``(c/t)^1/2`` under Nesterov's scheme, whose
        corrections fade no faster. It is followed only as far as the multipliers that pull are at their limits. Nor is
        F at rest before the onset: a shift of time by as much.
        """
        c, t = self._feedback, math.exp(min(s, FOREVER))
        shift = (math.exp(min(self.onset, FOREVER)) + self._memory) / t
        if self._inertia == "nesterov":
            return shift + math.sqrt(c / t)
        return shift + (c * (1.0 + math.log1p(t / c)) / t if c > 0.0 else 0.0)

    def _curved(self, finite: Tensor) -> float:
        """``t^2`` times how far P_F W is from W* + v/t, since the gradient of CE_F is not linear."""
        inside = InSupportLoss(self._limit.svm.data)
        force = -0.5 * inside.bend(finite, self._limit.finite_constant.double())
        return float(data_subspace(self._limit.svm.data).project(inside.solve_hessian(finite, force)).norm())

    def _on_f(self, s: float) -> Array:
        """What P_F W adds to the logarithms of the odds beyond what W* does."""
        if not len(self._modes.rates):
            return np.zeros(len(self._odds))
        t = math.exp(min(s, FOREVER))
        decay = self._decay(t)
        # pulled by a mass that falls as 1/t once the start is forgotten
        drift = -self._force * (1.0 - decay) / self._modes.rates / (t + math.exp(min(self.onset, FOREVER)))
        return np.asarray(self._levers @ (self._away * decay + drift))

    def _decay(self, t: float) -> Array:
        """What a mode on F keeps of its start: an envelope where inertia makes it swing."""
        rates, memory = self._modes.rates, self._memory
        if self._inertia == "heavy-ball":  # roots of T r^2 - r + rate
            rates = (1.0 - np.sqrt(np.maximum(1.0 - 4.0 * memory * rates, 0.0))) / (2.0 * memory)
        if self._inertia == "nesterov":  # the Bessel function of 2 sqrt(rate t), damped by steps of finite length
            swing = np.minimum(1.0, np.maximum(4.0 * rates * t, 1e-300) ** -0.75)
            return np.asarray(swing * np.exp(-rates * math.sqrt(memory * t)), dtype=np.float64)
        return np.asarray(np.exp(-rates * t))

    def _products(self, z: Array, s: float) -> Array:
        """``t pi_j softmax_v`` from its logarithm at W*."""
        return np.asarray(np.exp(np.minimum(z + self._on_f(s), 50.0)))

    def _error(self, z: Array, s: float) -> Array:
        """``alpha (rho - 1)`` and mu."""
        kept: Array = self._products(z, s) - self._alpha.numpy()
        return kept

    def at(self, log_times: list[float]) -> list[Moment]:
        """The states at increasing times; none of the gradient flow with step sizes of its own."""
        n = len(self._odds)
        begin = min(self.onset, log_times[0], -math.log(max(self._fastest(), 1e-300))) + math.log(BEGINNING)
        if self._inertia == "heavy-ball":
            begin = min(begin, math.log(self._memory * BEGINNING))
        if self._since > -math.inf:
            begin = self._since
        state = begin + self._odds
        if self._inertia != "none":
            state = np.concatenate([state, -self._pull])
        found = solve_ivp(
            self._derivative,
            (begin, log_times[-1]),
            state,
            method="LSODA",
            t_eval=log_times,
            jac=self._jacobian,
            rtol=1e-8,
            atol=1e-12,
        )
        if not found.success:
            raise SolverError(f"the dynamics of the multipliers could not be followed ({found.message})")
        return [self._moment(s, y[:n], y) for s, y in zip(log_times, found.y.T, strict=True)]

    def _fastest(self) -> float:
        """Largest rate of P_F W, per unit of time."""
        return float(self._modes.rates[-1]) if len(self._modes.rates) else 0.0

    def _derivative(self, s: float, y: Array) -> Array:
        n = len(self._odds)
        target = self._gram @ self._error(y[:n], s)
        falls = 1.0 - self._pull
        if self._inertia == "none":
            return falls - target
        q = y[n:]
        stiff = 1.0 if self._inertia == "nesterov" else math.exp(min(s, FOREVER)) / self._memory
        held = 0.0 if self._inertia == "nesterov" else q + self._pull
        return np.concatenate([falls - q, stiff * (target - q) + held])

    def _jacobian(self, s: float, y: Array) -> Array:
        n = len(self._odds)
        pull = self._gram * self._products(y[:n], s)
        if self._inertia == "none":
            return -pull
        stiff = 1.0 if self._inertia == "nesterov" else math.exp(min(s, FOREVER)) / self._memory
        held = 0.0 if self._inertia == "nesterov" else 1.0
        eye = np.eye(n)
        return np.block([[np.zeros((n, n)), -eye], [stiff * pull, (held - stiff) * eye]])

    def _moment(self, s: float, z: Array, y: Array) -> Moment:
        limit, t = self._limit, math.exp(min(s, FOREVER))
        alpha, active = self._alpha.numpy(), self._active
        products = self._products(z, s)
        error = products - alpha
        x = z[active] - np.log(alpha[active])
        odds, slack = self._beyond
        left = float(np.exp(np.minimum(odds + s - (s - self.onset) * (1.0 + slack), 50.0)).sum()) / self._total
        mean = float(alpha[active] @ x) / self._total
        second = float((products[active] - alpha[active] - alpha[active] * x).sum()) / self._total
        idle = float(products[~active].sum()) / self._total + left
        velocity = error if self._inertia == "none" else self._inverse @ y[len(z) :]
        slope = float(np.sqrt(max(velocity @ self._gram @ velocity, 0.0))) / limit.svm.norm + left
        gone = self._inverse @ (self._odds + s - z)
        decoder = self.start + (torch.from_numpy(gone) @ self._normals).reshape(self.start.shape)
        return Moment(
            mean=abs(mean) + left,
            loss=mean + second + idle + self._second_order / t,
            duals=float(np.abs(products[active] / alpha[active] - 1.0).max()),
            finite=self._finite(error, t) + left,
            slope=slope,
            decoder=decoder,
            on_f=float(np.linalg.norm(self._away * self._decay(t)) + self._limit.finite_constant.norm() / t),
        )

    def _finite(self, error: Array, t: float) -> float:
        size = float(self._limit.finite_constant.norm())
        if not size:
            return 0.0
        multipliers = torch.zeros_like(self._limit.duals, dtype=torch.float64)
        multipliers[self._contexts, self._tokens] = torch.from_numpy(error)
        off = finite_constant(self._limit.svm.data, self._limit.finite.double(), multipliers)
        start = t * self._away * self._decay(t)
        # the pull of the last while: v lags by 1 / (rate t) of itself
        lag = self._force / self._modes.rates**2 / t
        return (float(off.norm()) + float(np.linalg.norm(start)) + float(np.linalg.norm(lag)) + self._bend / t) / size
