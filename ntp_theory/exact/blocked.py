"""Exact proofs that off-support pairs are blocked: short Farkas certificates, each using what those before it proved.

A blocked pair has the logit of the support under every decoder that satisfies (6a), so later certificates may treat it
as if it were in the support. Two tokens at a time are nearly always enough: for tokens v and z and numbers g_j with
``sum_j g_j h_j = 0``, the multipliers ``g_j (e_v - e_z)`` block z after j where only v is settled and g_j > 0, and v
where only z is settled and g_j < 0. That is a linear program with d equations.
"""

from __future__ import annotations

from itertools import combinations
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.optimize import linprog
from torch import Tensor

from ..dataset import NTPDataset
from ..support import SupportPattern
from .multipliers import Entries, exact_multipliers
from .rationals import NotExact, primitive_rows, rational, snap

__all__ = ["block"]

# Up to this many entries, one certificate for all blocked pairs is solved for directly.
AT_ONCE = 600

Mask = NDArray[np.bool_]


def block(data: NTPDataset, pattern: SupportPattern, multipliers: Tensor) -> list[Entries]:
    """Certificates that together block every off-support pair of the extended supports.

    Parameters
    ----------
    data : NTPDataset
    pattern : SupportPattern
        The extended supports.
    multipliers : Tensor (m, V)
        A float certificate, negative on all blocked pairs.

    Returns
    -------
    list of Entries

    Raises
    ------
    NotExact
        If some pair is left.

    Notes
    -----
    Source: ours (`bias/any-data`); proofs that build on each other are known as facial reduction.

    Examples
    --------
    >>> from ntp_theory import extended_support
    >>> answer = extended_support(NTPDataset([[1.0], [2.0], [-1.0]], [[0.5, 0.5], [1.0, 0.0], [0.5, 0.5]]))
    >>> [(j, v) for j, v, c in block(answer.data, answer.pattern, answer.certificate.dense())[0] if v == 1]
    [(0, 1), (1, 1), (2, 1)]
    """
    settled = data.support.cpu().numpy()
    places = multipliers.nonzero().tolist()
    if len(places) <= AT_ONCE:
        given = [(j, v, float(multipliers[j, v])) for j, v in places]
        found = exact_multipliers(data, given, [bool(settled[j, v]) for j, v in places])
        for j, v, _ in found:
            settled[j, v] = True
        out = [found]
    else:
        out = _Pairs(data, pattern).settle(settled)
    left = pattern.mask().cpu().numpy() & ~settled
    if left.any():
        j, v = np.argwhere(left)[0].tolist()
        first = f"{data.token_name(v)} after {data.context_name(j)}"
        raise NotExact(f"{left.sum()} blocked pairs have no exact proof, {first} is one")
    return out


class _Pairs:
    """Certificates for two tokens at a time."""

    def __init__(self, data: NTPDataset, pattern: SupportPattern) -> None:
        self._embeddings, self._factors = primitive_rows(data.embeddings)
        self._extended: Mask = pattern.mask().cpu().numpy()
        primitive = torch.tensor([[float(x) for x in row] for row in self._embeddings], dtype=torch.float64)
        lengths = primitive.norm(dim=1)
        self._lengths = torch.where(lengths > 0, lengths, 1.0).numpy()
        basis, sizes, _ = torch.linalg.svd(primitive / torch.from_numpy(self._lengths)[:, None], full_matrices=False)
        self._basis: NDArray[np.float64] = basis[:, sizes > 1e-9 * sizes[:1]].numpy()

    def settle(self, settled: Mask) -> list[Entries]:
        """Prove what can be proved, frequent tokens first, and mark it in ``settled``."""
        order, out, before = np.argsort(-settled.sum(0), kind="stable").tolist(), list[Entries](), -1
        while before != len(out):
            before = len(out)
            for v, z in combinations(order, 2):
                entries = self._pair(v, z, settled)
                for j, token, _ in entries:
                    settled[j, token] = True
                out += [entries] if entries else []
        return out

    def _pair(self, v: int, z: int, settled: Mask) -> Entries:
        """Multipliers of two tokens that block as many pairs as these tokens can; empty if none."""
        first, second = settled[:, v], settled[:, z]
        open_pair = (first != second) & self._extended[:, v] & self._extended[:, z]
        if not open_pair.any():
            return []
        used = np.flatnonzero((first & second) | open_pair)
        sign = np.where(first & second, 0, np.where(first, 1, -1))[used]
        blocked = np.flatnonzero(sign)
        n, k = len(used), len(blocked)
        # maximise sum t subject to t <= sign g on open pairs, 0 <= t <= 1 and sum_j g_j h_j = 0
        rows = np.zeros((k, n + k))
        rows[np.arange(k), blocked], rows[np.arange(k), n + np.arange(k)] = -sign[blocked], 1.0
        low, high = np.where(sign == 1, 0.0, -np.inf), np.where(sign == -1, 0.0, np.inf)
        solved = linprog(
            np.r_[np.zeros(n), -np.ones(k)],
            A_ub=rows,
            b_ub=np.zeros(k),
            A_eq=np.c_[self._basis[used].T, np.zeros((self._basis.shape[1], k))],
            b_eq=np.zeros(self._basis.shape[1]),
            bounds=np.c_[np.r_[low, np.zeros(k)], np.r_[high, np.ones(k)]],
        )
        strict = blocked[solved.x[n:] > 0.5] if solved.x is not None else blocked[:0]
        if not len(strict):
            return []
        kept = sorted({*np.flatnonzero(sign == 0).tolist(), *strict.tolist()})
        exact = self._exact(used[kept].tolist(), solved.x[kept], sign[kept])
        return [(j, token, c) for j, g in exact for token, c in ((v, g), (z, -g))]

    def _exact(self, contexts: list[int], g: NDArray[np.float64], sign: NDArray[np.int64]) -> list[tuple[int, Any]]:
        """Exact g next to a float one, on the embeddings themselves; empty if a sign does not survive."""
        near = (g / self._lengths[contexts]).tolist()
        rows = [{i: self._embeddings[j][k] for i, j in enumerate(contexts)} for k in range(len(self._embeddings[0]))]
        order = sorted(range(len(contexts)), key=lambda i: (abs(sign[i]), -abs(g[i])))
        exact = snap(rows, [rational(0)] * len(rows), near, order)
        if exact is None or any(s * x <= 0 for s, x in zip(sign.tolist(), exact, strict=True) if s):
            return []
        return [(j, x / self._factors[j]) for j, x in zip(contexts, exact, strict=True) if x]
