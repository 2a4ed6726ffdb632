"""Where sign and spectral descent, Signum, Muon and Adam go on soft labels: measured, no theorem.

On one-hot data each of them ends at the largest margin in a norm of its own (arXiv 2502.04664). Nothing is proved where
contexts have several next tokens. The figure shows what is recorded in the file of the same name; some rows are
measured again. ``--full`` measures all of them anew (half an hour on two cores) and rewrites the file.
"""

from __future__ import annotations

import argparse
import csv
import io
import json
import math
import sys
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

import numpy as np
import torch
from matplotlib.axes import Axes
from numpy.typing import NDArray
from scipy.optimize import linprog
from torch import Tensor

import ntp_theory as ntp
from ntp_theory import descent, figures
from ntp_theory.descent.projection import finite_part
from ntp_theory.descent.smoothness import default_step_size
from ntp_theory.figures import style
from ntp_theory.loss import gradient_parts
from ntp_theory.margin.norms import as_norm
from ntp_theory.runs import write_text
from ntp_theory.sweeps import processes, sweep

FILE = Path(__file__).with_suffix(".csv")
LABEL = "steepest/soft-labels"
SOURCE = "derived (numerical)"
NORMS = ("frobenius", "max", "spectral")
ETA = 0.1
RECORDS = (100, 200, 500, 1000, 2000, 5000, 10000)
SIZES = (1, 2, 3)  # S, next tokens of a context
SEEDS = range(5)
# (method, S, seed, k) of the rows measured again
AGAIN = (("sign", 1, 0, 500), ("sign", 3, 1, 200), ("spectral", 2, 2, 200), ("split-sign", 3, 3, 200))


# -- methods of one's own: `descend` takes any object with `init` and `step` -------------------------------------------


@dataclass(frozen=True, eq=False)
class SplitState:
    """W_k (V, d), what it descends on, the last eta_k, k, and the sum of the eta_k."""

    weights: Tensor
    data: ntp.NTPDataset
    step_size: float
    count: int = 0
    log_elapsed: float = -math.inf


@dataclass(frozen=True)
class SplitDescent(ABC):
    """``W_{k+1} = W_k - eta_F P_F g - eta_k D_k`` with D_k in the complement of F, made of ``P_perp g`` alone."""

    step_size: float = ETA
    name: ClassVar[str]

    def init(self, data: ntp.NTPDataset, weights: Tensor) -> SplitState:
        """Start at ``weights`` (V, d)."""
        return SplitState(weights, data, self.step_size)

    def step(self, state: SplitState) -> SplitState:
        """A plain gradient step on F, and one of size eta_k off it."""
        data, parts = state.data, gradient_parts(state.weights, state.data)
        on_f = finite_part(parts.tail, data)
        eta = self.step_size / math.sqrt(state.count + 1)
        weights = state.weights - default_step_size(data) * (parts.in_support + math.exp(parts.log_scale) * on_f)
        weights = weights - eta * self.direction(parts.tail - on_f, data)
        return SplitState(weights, data, eta, state.count + 1, float(np.logaddexp(state.log_elapsed, math.log(eta))))

    @abstractmethod
    def direction(self, across: Tensor, data: ntp.NTPDataset) -> Tensor:
        """D_k from a positive multiple of ``P_perp g``."""


@dataclass(frozen=True)
class SplitSign(SplitDescent):
    """``D_k = P_perp sign(P_perp g)``."""

    name: ClassVar[str] = "split-sign"

    def direction(self, across: Tensor, data: ntp.NTPDataset) -> Tensor:
        """D_k."""
        return off_f(sign(across), data)


@dataclass(frozen=True)
class SplitSpectral(SplitDescent):
    """``D_k = P_perp polar(P_perp g)``."""

    name: ClassVar[str] = "split-spectral"

    def direction(self, across: Tensor, data: ntp.NTPDataset) -> Tensor:
        """D_k."""
        return off_f(polar(across), data)


@dataclass(frozen=True)
class SteepestOffF(SplitDescent):
    """D_k the matrix in the complement of F with entries of at most 1 that has the largest product with g."""

    name: ClassVar[str] = "steepest-off-F"

    def direction(self, across: Tensor, data: ntp.NTPDataset) -> Tensor:
        """D_k, by a linear program."""
        cost = -(across / across.abs().max()).flatten().numpy()
        found = linprog(cost, A_eq=generators(data), b_eq=np.zeros(len(generators(data))), bounds=(-1, 1))
        return off_f(torch.from_numpy(found.x).reshape(across.shape), data)  # what the solver leaves on F


def generators(data: ntp.NTPDataset) -> NDArray[np.float64]:
    """Matrices that span F, as rows (n, V d): ``(e_z - e_a) h_j^T``, a the first token of S_j."""
    pattern = data.pattern
    units = torch.eye(data.vocab_size, dtype=torch.float64)
    tokens = units[pattern.tokens] - units[pattern.anchors[pattern.contexts]]
    rows = torch.einsum("nv,nd->nvd", tokens, data.embeddings[pattern.contexts]).flatten(1)
    return rows[pattern.tokens != pattern.anchors[pattern.contexts]].numpy()


def off_f(matrix: Tensor, data: ntp.NTPDataset) -> Tensor:
    """``P_perp`` of a matrix."""
    return matrix - finite_part(matrix, data)


def sign(matrix: Tensor) -> Tensor:
    """Signs of the entries; 0 where the projection leaves nothing but rounding."""
    return torch.where(matrix.abs() > 1e-12 * matrix.abs().max(), matrix.sign(), 0.0)


def polar(matrix: Tensor) -> Tensor:
    """``U V^T`` without the singular values that are nothing but rounding: columns of a gradient sum to zero."""
    u, s, vh = torch.linalg.svd(matrix, full_matrices=False)
    return (u * (s > 1e-12 * s[0])) @ vh


