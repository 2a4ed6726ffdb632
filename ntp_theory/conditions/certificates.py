"""Proofs of "no": why data is not separable, or not compatible, in terms of its contexts and tokens."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, overload

import torch
from torch import Tensor

from ..dataset import NTPDataset
from ..doors import positive
from ..errors import UsageError
from ..exact import Proof, prove_not_compatible, prove_not_separable

__all__ = ["Contradiction", "FarkasCertificate"]


@dataclass(frozen=True, eq=False)
class FarkasCertificate:
    """Multipliers c with ``sum_j h_j c_j^T = 0``, rows summing to 0 and ``c_{jv} <= 0`` off the supports.

    For any W that satisfies (6a), ``0 = <sum_j h_j c_j^T, W^T> = sum_{j,v} |c_{jv}| (margin of (j, v))``: a weighted
    sum of margins is 0, so they cannot all be at least 1. Each off-support pair with a nonzero coefficient is
    *blocked*: no direction that separates the rest weakly can push that token below the support of that context.

    Attributes
    ----------
    contexts, tokens : Tensor (n,), int64
        The entries that are not zero.
    coefficients : Tensor (n,)
        Their values; off-support entries are negative and sum to -1.
    off_support : Tensor (n,), bool
        Which of them are off-support pairs.
    residual : float
        Frobenius norm of ``sum_j h_j c_j^T``, zero but for rounding.
    data : NTPDataset

    Notes
    -----
    Source: Farkas' lemma on 2402.18551 Definition 2 (`bias/definition-2`, `svm/dual`).
    """

    contexts: Tensor
    tokens: Tensor
    coefficients: Tensor
    off_support: Tensor
    residual: float
    data: NTPDataset

    @classmethod
    def from_matrix(cls, multipliers: Tensor, data: NTPDataset) -> FarkasCertificate:
        """Certificate with the non-zero entries of a matrix (m, V), normalised."""
        shape = tuple(data.support.shape)
        if tuple(multipliers.shape) != shape:
            raise UsageError(f"multipliers has shape {tuple(multipliers.shape)}; it must be {shape}")
        off = multipliers.clone()
        off[data.pattern.contexts, data.pattern.tokens] = 0.0
        scaled = multipliers / -off.sum()
        contexts, tokens = scaled.nonzero(as_tuple=True)
        residual = float((scaled.T @ data.embeddings).norm())
        return cls(contexts, tokens, scaled[contexts, tokens], off[contexts, tokens] < 0, residual, data)

    @property
    def margin_bound(self) -> float:
        """Certified bound: every W that satisfies (6a) with ``||W|| <= 1`` has margin at most this.

        It equals ``residual`` plus ``sum_j |row sum of c_j| ||h_j||``; both vanish but for rounding.
        """
        sums = self.dense().sum(1).abs()
        return self.residual + float((sums * self.data.embeddings.norm(dim=1)).sum())

    def dense(self) -> Tensor:
        """The multipliers as a matrix (m, V)."""
        out = self.coefficients.new_zeros(self.data.num_contexts, self.data.vocab_size)
        out[self.contexts, self.tokens] = self.coefficients
        return out

    def violations(self) -> dict[str, float]:
        """How far each rule is from holding, recomputed: stationarity, row sums, signs, normalisation.

        Every entry is zero but for rounding when the certificate is valid.
        """
        dense, mask = self.dense(), self.data.support
        off = torch.where(mask, 0.0, dense)
        return {
            "stationarity": float((dense.T @ self.data.embeddings).norm()),
            "row sums": float(dense.sum(1).abs().max()),
            "signs": float(off.clamp(min=0.0).max()),
            "normalisation": abs(float(off.sum()) + 1.0),
        }

    @overload
    def verify(self, tol: float = ..., *, exact: Literal[False] = ...) -> bool: ...
    @overload
    def verify(self, tol: float = ..., *, exact: Literal[True]) -> Proof: ...
    def verify(self, tol: float = 1e-12, *, exact: bool = False) -> bool | Proof:
        """Whether all rules hold: in double precision to ``tol``, or exactly, which is then a `Proof`.

        The exact rules are met by rationals next to the coefficients, with zeros where they have them. "refuted" means
        that the coefficients break a rule by more than rounding, not that the data is separable.

        Parameters
        ----------
        tol : float
            For the float answer: largest violation, relative to the embeddings; of a row sum times its embedding.
        exact : bool

        Raises
        ------
        SolverError
            If there are too many entries for an exact solve (some 1500; sparse certificates have far fewer).
        UsageError
            If ``exact`` and python-flint is not installed.

        Examples
        --------
        >>> data = NTPDataset([[0.1], [0.3]], [[1.0, 0.0], [0.0, 1.0]])
        >>> multipliers = torch.tensor([[0.75, -0.75], [-0.25, 0.25]], dtype=torch.float64)
        >>> certificate = FarkasCertificate.from_matrix(multipliers, data)
        >>> certificate.verify(), certificate.verify(exact=True).status
        (True, 'proved')
        """
        tol = positive("tol", tol)
        if exact:
            return prove_not_separable(self.data, self.contexts, self.tokens, self.coefficients)
        broken, lengths = self.violations(), self.data.embeddings.norm(dim=1)
        largest = max(1.0, float(lengths.max()))
        # a row that does not sum to 0 counts by what it can add to a margin: short embeddings have large coefficients;
        # after an embedding of 0 it adds nothing, and has to sum to 0 all the same
        uneven = float((self.dense().sum(1).abs() * lengths.where(lengths > 0, 1.0)).max())
        return (
            max(broken["stationarity"], uneven) <= tol * largest
            and max(broken["signs"], broken["normalisation"]) <= tol
        )

    def blocked(self, limit: int | None = None) -> list[tuple[str, str, float]]:
        """Blocked pairs as (context name, token name, weight), heaviest first."""
        picked = self.off_support.nonzero()[:, 0]
        order = picked[self.coefficients[picked].argsort(stable=True)][:limit]
        return [
            (self.data.context_name(j), self.data.token_name(v), -c)
            for j, v, c in zip(
                self.contexts[order].tolist(),
                self.tokens[order].tolist(),
                self.coefficients[order].tolist(),
                strict=True,
            )
        ]

    def describe(self, limit: int = 8) -> str:
        """The certificate in words: which tokens cannot be separated after which contexts."""
        pairs = int(self.off_support.sum())
        rows = len(self.contexts[self.off_support].unique())
        lines = [
            f"not NTP-separable: a combination of {len(self.coefficients)} constraints over "
            f"{len(self.contexts.unique())} contexts vanishes (residual {self.residual:.1e}); "
            f"{pairs} (context, token) pairs in {rows} contexts are blocked, the heaviest:"
        ]
        lines += [
            f"  after {context}: {token} cannot be pushed below the tokens that follow (weight {weight:.3g})"
            for context, token, weight in self.blocked(limit)
        ]
        return "\n".join(lines)

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready form: the entries by index and name."""
        return {
            "kind": "farkas",
            "residual": self.residual,
            "entries": [
                {"context": self.data.context_name(j), "token": self.data.token_name(v), "coefficient": c}
                for j, v, c in zip(
                    self.contexts.tolist(), self.tokens.tolist(), self.coefficients.tolist(), strict=True
                )
            ],
        }


@dataclass(frozen=True, eq=False)
class Contradiction:
    """In-support coefficients c with ``sum_j h_j c_j^T = 0`` and rows summing to 0, but ``sum c log p != 0``.

    For every decoder W and all levels s_j, ``sum_{j,z} c_{jz} (h_j^T w_z + s_j) = 0``; if W satisfied (4) that sum
    would be ``sum c log p``. So no W does, and none comes nearer to all log-conditionals than ``value``.

    Attributes
    ----------
    contexts, tokens : Tensor (n,), int64
        The entries that are not zero.
    coefficients : Tensor (n,)
        Their values; absolute values sum to 1.
    value : float
        ``sum c log p`` > 0, nats.
    residual : float
        Frobenius norm of ``sum_j h_j c_j^T``, zero but for rounding.
    data : NTPDataset

    Notes
    -----
    Source: Fredholm alternative on 2402.18551 Definition 1 (`bias/definition-1`, `bias/compatibility-exact`).
    """

    contexts: Tensor
    tokens: Tensor
    coefficients: Tensor
    value: float
    residual: float
    data: NTPDataset

    @property
    def norm_bound(self) -> float:
        """Certified bound: a W that satisfies (4) would have at least this norm (infinite without rounding)."""
        return self.value / self.residual if self.residual else float("inf")

    @overload
    def verify(self, tol: float = ..., *, exact: Literal[False] = ...) -> bool: ...
    @overload
    def verify(self, tol: float = ..., *, exact: Literal[True]) -> Proof: ...
    def verify(self, tol: float = 1e-12, *, exact: bool = False) -> bool | Proof:
        """Whether the relation stands and the data breaks it: in double precision, or exactly, which is then a `Proof`.

        Parameters
        ----------
        tol : float
            For the float answer: largest residual and row sum, relative to the embeddings.
        exact : bool

        Raises
        ------
        SolverError
            If there are too many entries for an exact solve.
        UsageError
            If ``exact`` and python-flint is not installed.

        Examples
        --------
        >>> from ntp_theory import check_compatibility
        >>> answer = check_compatibility(NTPDataset.from_counts([[1.0], [2.0]], [[2, 1], [3, 1]]))
        >>> answer.certificate.verify(), answer.certificate.verify(exact=True).status
        (True, 'proved')
        """
        tol = positive("tol", tol)
        if exact:
            return prove_not_compatible(self.data, self.contexts, self.tokens, self.coefficients)
        dense = self.coefficients.new_zeros(self.data.num_contexts, self.data.vocab_size)
        dense[self.contexts, self.tokens] = self.coefficients
        largest = max(1.0, float(self.data.embeddings.norm(dim=1).max()))
        off = dense.masked_fill(self.data.support, 0.0)
        return (
            float((dense.T @ self.data.embeddings).norm()) <= tol * largest
            and float(dense.sum(1).abs().max()) <= tol
            and not bool(off.any())
            and self.value > tol
        )

    def describe(self, limit: int = 8) -> str:
        """The contradiction in words: which conditionals are tied together, and by how much they miss."""
        order = self.coefficients.abs().argsort(descending=True, stable=True)
        lines = [
            f"not NTP-compatible: {len(order)} log-conditionals are tied by a linear relation that gives 0 for every "
            f"decoder and {self.value:.6g} nats for the data; the heaviest:"
        ]
        lines += [f"  {c:+.4g} x log p({token} | {context})" for context, token, c in self._named(order[:limit])]
        if len(order) > limit:
            lines.append(f"  and {len(order) - limit} more")
        return "\n".join(lines)

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready form: the entries by name."""
        entries = self._named(torch.arange(len(self.coefficients)))
        return {
            "kind": "contradiction",
            "value": self.value,
            "residual": self.residual,
            "entries": [{"context": j, "token": z, "coefficient": c} for j, z, c in entries],
        }

    def _named(self, order: Tensor) -> list[tuple[str, str, float]]:
        return [
            (self.data.context_name(int(self.contexts[i])), self.data.token_name(int(self.tokens[i])), c)
            for i, c in zip(order.tolist(), self.coefficients[order].tolist(), strict=True)
        ]
