"""NTP-compatibility: can one decoder reproduce the log-odds of every context at once?"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal, overload

import torch
from torch import Tensor

from ..dataset import NTPDataset, as_dataset
from ..doors import positive
from ..elimination import Elimination
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
# Rounding of a logarithm and of what is computed from it, in units in the last place.
ROUNDING = 100.0
# Entries of a certificate smaller than this, relative to the largest on unit embeddings, are rounding.
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
        tol = positive("tol", tol)
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
        logs, h, weights = self.data.masses.log(), self.data.embeddings.double(), self.solution.double()
        off = pattern.inside(h @ weights.T) - logs
        eps = torch.finfo(self.data.embeddings.dtype).eps  # of the entries of W*
        slack = _slack(self.data, logs, tol) + 4 * eps * (h.norm(dim=1) * weights.norm(dim=1).max())[pattern.contexts]
        return bool((pattern.max(off) - pattern.min(off) <= 2 * pattern.max(slack)).all())


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
        If an exact decision is too large, or constraints are too nearly dependent for a decision, or for W*, in double
        precision.
    UsageError
        If ``exact`` and python-flint is not installed.

    Notes
    -----
    Source: 2402.18551 Definition 1 (`bias/definition-1`, `bias/data-subspace`). Unless ``exact``, log-odds
    that are met to 1e-9, relative, count as met, and so do those that rounding explains: where embeddings differ in
    size by a factor f, rounding on short ones is f times as large on long ones. A "no" always carries a contradiction
    that passes its `verify`.

    Examples
    --------
    >>> check_compatibility(NTPDataset([[1.0], [2.0]], [[0.2, 0.8], [1 / 17, 16 / 17]])).compatible
    True
    >>> check_compatibility(NTPDataset([[1.0], [2.0]], [[0.2, 0.8], [0.5, 0.5]])).compatible
    False
    """
    as_dataset("data", data)
    if exact:
        return _exactly(data, decide_compatibility(data))
    wide = data if data.embeddings.dtype is torch.float64 else data.to(dtype=torch.float64)
    all_logs = data.masses.log()
    slack = _slack(data, all_logs, TOLERANCE)
    for chosen in nested_contexts(data):
        whole = len(chosen) == data.num_contexts
        used = torch.isin(data.pattern.contexts, chosen)
        pattern, logs = (data.pattern if whole else data.pattern.select(chosen)), all_logs[used]
        subspace = data_subspace(data) if whole else DataSubspace(wide.embeddings[chosen], pattern)
        solution, misfit = subspace.interpolate(logs)
        if not bool((misfit.abs() > slack[used]).any()):
            continue
        certificate = _contradiction(wide, chosen, pattern, misfit, logs)
        if certificate.verify():
            return Compatibility(False, None, certificate.value, certificate, data)
        if whole:
            raise SolverError(
                "the constraints are too nearly dependent for a decision in double precision "
                f"(log-odds missed by {float(misfit.abs().max()):.1e} nats, relation by {certificate.residual:.1e})",
                status="undecided",
                best=certificate,
            )
    return Compatibility(True, solution.to(data.embeddings.dtype), float(misfit.abs().max()), None, data)


def _exactly(data: NTPDataset, proof: Proof) -> Compatibility:
    """The answer of an exact decision: W* to rounding, or the contradiction that was found."""
    if proof:
        try:
            answer = check_compatibility(data)
        except SolverError:
            answer = None
        if answer is None or not answer.compatible:
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


def _slack(data: NTPDataset, logs: Tensor, tol: float) -> Tensor:
    """By how much the log-odds may be missed on each entry: the tolerance, or what rounding explains."""
    lengths = data.embeddings.double().norm(dim=1)
    lengths = torch.where(lengths > 0, lengths, 1.0)[data.pattern.contexts]
    unit = ROUNDING * torch.finfo(torch.float64).eps * logs.abs()
    if data.counts is None:
        unit = unit + 2 * torch.finfo(data.conditionals.dtype).eps
    unit = torch.where(data.pattern.sizes[data.pattern.contexts] > 1, unit, 0.0)  # one next token: no constraint
    slack: Tensor = lengths * (unit / lengths).norm()
    return slack.clamp(min=tol * max(1.0, float(logs.abs().max())))


def _contradiction(
    data: NTPDataset, chosen: Tensor, pattern: SupportPattern, misfit: Tensor, logs: Tensor
) -> Contradiction:
    """The misfit as a certificate on all contexts: a relation of the entries that matter, stationary to rounding."""
    lengths = data.embeddings[chosen].norm(dim=1)
    lengths = torch.where(lengths > 0, lengths, 1.0)
    unit = misfit / lengths[pattern.contexts]
    mask = torch.zeros(len(chosen), data.vocab_size, dtype=torch.bool, device=chosen.device)
    matters = unit.abs() > SIGNIFICANT * unit.abs().max()
    mask[pattern.contexts[matters], pattern.tokens[matters]] = True
    rows = mask.any(1).nonzero()[:, 0]
    face = SupportPattern.from_mask(mask[rows])
    residual = Elimination(data.embeddings[chosen[rows]] / lengths[rows, None], face).fit(unit[matters]).residual
    c = residual / lengths[rows][face.contexts]
    c = c / c.abs().sum()
    j, z, value = chosen[rows[face.contexts]], face.tokens, float((c * logs[matters]).sum())
    combined = c.new_zeros(data.vocab_size, data.dim).index_add_(0, z, c[:, None] * data.embeddings[j])
    return Contradiction(j, z, c, value, float(combined.norm()), data)
