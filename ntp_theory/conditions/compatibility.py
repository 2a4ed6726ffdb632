"""NTP-compatibility: can one decoder reproduce the log-odds of every context at once?"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal, overload

import torch
from torch import Tensor

from ..dataset import NTPDataset
from ..errors import SolverError
from ..exact import Proof, decide_compatibility, relation_value
from ..subspace import DataSubspace, data_subspace
from ..support import SupportPattern
from .certificates import Contradiction
from .nested import nested_contexts

__all__ = ["Compatibility", "check_compatibility"]

# Log-odds are reproduced when they agree to this many nats, relative to the largest logarithm; constraints that are
# independent at 1e-6 cost at most that many digits of double precision.
TOLERANCE = 1e-9
# Entries of a certificate smaller than this, relative to the largest, are rounding.
SIGNIFICANT = 1e-12


@dataclass(frozen=True, eq=False, repr=False)
class Compatibility:
    """Answer of `check_compatibility`.

    Attributes
    ----------
    compatible : bool
    solution : Tensor (V, d) or None
        W*, the solution of (4) in F, if there is one.
    residual : float
        Largest error of the log-odds of W*, in nats, up to a constant a context; if not compatible,
        ``certificate.value``: no decoder does better than that in every entry.
    certificate : Contradiction or None
        Why not, if not.
    data : NTPDataset
    proof : Proof or None
        The exact decision, if it was asked for.
    """

    compatible: bool
    solution: Tensor | None
    residual: float
    certificate: Contradiction | None
    data: NTPDataset
    proof: Proof | None = None

    def __repr__(self) -> str:
        return f"<Compatibility: {self.summary().splitlines()[0]}>"

    def summary(self) -> str:
        """The answer in words."""
        exactly = f"\n{self.proof.summary()}" if self.proof is not None else ""
        if self.certificate is not None:
            return self.certificate.describe() + exactly
        assert self.solution is not None
        norm = float(self.solution.norm())
        return f"NTP-compatible: ||W*|| = {norm:.6g}, log-odds met to {self.residual:.1e} nats" + exactly

    @overload
    def verify(self, tol: float = ..., *, exact: Literal[False] = ...) -> bool: ...
    @overload
    def verify(self, tol: float = ..., *, exact: Literal[True]) -> Proof: ...
    def verify(self, tol: float = TOLERANCE, *, exact: bool = False) -> bool | Proof:
        """Whether the answer stands: recomputed in double precision, or decided exactly, which is then a `Proof`.

        Parameters
        ----------
        tol : float
            For the float answer: largest error of the log-odds, relative to the largest logarithm (at least 1).
        exact : bool
            Decide in integers, for counts or for floats as the dyadic rationals that they are: log-odds that agree
            only up to rounding do not agree.

        Raises
        ------
        SolverError
            If too many constraints are tied together for an exact decision (some 1500).
        UsageError
            If ``exact`` and python-flint is not installed.

        Examples
        --------
        >>> answer = check_compatibility(NTPDataset.from_counts([[1.0], [2.0]], [[2, 1], [4, 1]]))
        >>> answer.verify(), answer.verify(exact=True).status
        (True, 'proved')
        """
        if exact:
            statement = "compatible" if self.compatible else "not compatible"
            if not self.verify():
                return Proof(
                    statement, "refuted", "the solution or certificate breaks a rule by more than rounding", None
                )
            decided = decide_compatibility(self.data)
            agrees = self.compatible == bool(decided)
            return replace(decided, statement=statement, status="proved" if agrees else "refuted")
        if self.certificate is not None:
            return self.certificate.verify()
        assert self.solution is not None
        pattern = self.data.pattern
        logs = _log_conditionals(self.data, pattern.contexts, pattern.tokens)
        off = pattern.inside(self.data.embeddings @ self.solution.T) - logs
        spread = float((pattern.max(off) - pattern.min(off)).max())
        return spread <= 2 * tol * max(1.0, float(logs.abs().max()))


def check_compatibility(data: NTPDataset, *, exact: bool = False) -> Compatibility:
    """Whether some W has ``(e_z - e_z')^T W h_j = log(p_{j,z} / p_{j,z'})`` for all in-support pairs, Eq. (4).

    Parameters
    ----------
    data : NTPDataset
    exact : bool
        Decide in rational arithmetic (extra ``exact``); the answer then carries the `Proof`. Conditionals are taken as
        they are: float ones that are compatible only up to rounding are not compatible.

    Returns
    -------
    Compatibility
        With W*, the unique solution in F, or with a contradiction.

    Raises
    ------
    SolverError
        If an exact decision is too large, or W* cannot be had in double precision.
    UsageError
        If ``exact`` and python-flint is not installed.

    Notes
    -----
    Source: 2402.18551 Definition 1 (`bias/definition-1`, `bias/data-subspace`). Unless ``exact``, relations
    between constraints that hold to 1e-6, relative, count as exact, and so do log-odds that are met to 1e-9.

    Examples
    --------
    >>> check_compatibility(NTPDataset([[1.0], [2.0]], [[0.2, 0.8], [1 / 17, 16 / 17]])).compatible
    True
    >>> check_compatibility(NTPDataset([[1.0], [2.0]], [[0.2, 0.8], [0.5, 0.5]])).compatible
    False
    """
    if exact:
        return _exactly(data, decide_compatibility(data))
    for chosen in nested_contexts(data):
        whole = len(chosen) == data.num_contexts
        pattern = data.pattern if whole else data.pattern.select(chosen)
        subspace = data_subspace(data) if whole else DataSubspace(data.embeddings[chosen], pattern)
        logs = _log_conditionals(data, chosen[pattern.contexts], pattern.tokens)
        solution, misfit = subspace.interpolate(logs)
        residual = float(misfit.abs().max())
        if residual > TOLERANCE * max(1.0, float(logs.abs().max())):
            certificate = _contradiction(data, chosen, pattern, misfit, logs)
            return Compatibility(False, None, certificate.value, certificate, data)
    return Compatibility(True, solution, residual, None, data)


def _exactly(data: NTPDataset, proof: Proof) -> Compatibility:
    """The answer of an exact decision: W* to rounding, or the contradiction that was found."""
    if proof:
        answer = check_compatibility(data)
        if not answer.compatible:
            raise SolverError(
                "the data is compatible, but its constraints are too nearly dependent for W* in double precision",
                status="ill-conditioned",
                best=proof,
            )
        return replace(answer, proof=proof)
    assert proof.document is not None
    relation = proof.document["proof"]["coefficients"]
    size = sum(abs(int(y)) for _, _, y in relation)
    j, z = (torch.tensor([entry[k] for entry in relation], device=data.embeddings.device) for k in (0, 1))
    c = data.embeddings.new_tensor([int(y) / size for _, _, y in relation])
    value = relation_value(proof.document)
    c, value = (c, value) if value > 0 else (-c, -value)
    combined = c.new_zeros(data.vocab_size, data.dim).index_add_(0, z, c[:, None] * data.embeddings[j])
    certificate = Contradiction(j, z, c, value, float(combined.norm()), data)
    return Compatibility(False, None, value, certificate, data, proof)


def _log_conditionals(data: NTPDataset, contexts: Tensor, tokens: Tensor) -> Tensor:
    """log p_{j,z} up to a constant by context, from the counts if there are any: ratios of counts are exact data."""
    mass = data.conditionals if data.counts is None else data.counts.to(data.embeddings.dtype)
    logs = mass.new_zeros(data.num_contexts, data.vocab_size)
    logs[data.pattern.contexts, data.pattern.tokens] = mass.log()
    return logs[contexts, tokens]


def _contradiction(
    data: NTPDataset, chosen: Tensor, pattern: SupportPattern, misfit: Tensor, logs: Tensor
) -> Contradiction:
    """The misfit as a certificate on all contexts; entries at rounding level are left out."""
    squares = data.embeddings[chosen].square().sum(1)[pattern.contexts]
    c = torch.where(squares > 0, misfit / squares, misfit)
    used = (c.abs() > SIGNIFICANT * c.abs().max()).nonzero()[:, 0]
    j, z, c = chosen[pattern.contexts[used]], pattern.tokens[used], c[used] / c[used].abs().sum()
    combined = c.new_zeros(data.vocab_size, data.dim)
    combined.index_add_(0, z, c[:, None] * data.embeddings[j])
    return Contradiction(j, z, c, float((c * logs[used]).sum()), float(combined.norm()), data)
