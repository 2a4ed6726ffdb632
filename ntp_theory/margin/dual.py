"""The structured dual of the NTP-SVM: steps on the cone of multipliers, and what each of their points is worth.

``min_C 1/2 ||C^T H||^2 - sum_{j, z in S_j} c_{jz}`` over matrices C (m, V) whose rows sum to 0 and are at
most 0 off the supports (`svm/dual`). Then ``W_mm = C^T H`` and the off-support entries are minus the
multipliers. `ntp_theory.margin.walk` makes the steps; here feasible points on both sides are made of each C, and their
gap says when to stop. If no direction separates, the multipliers run off along a ray, which is a Farkas certificate.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from ..conditions import FarkasCertificate, check_separability
from ..conditions.standing import standing_certificate, standing_direction, stationary, whiten
from ..dataset import NTPDataset
from ..errors import SolverError
from ..subspace import data_subspace
from .polish import polish
from .problem import DualProblem
from .walk import Walk

__all__ = ["TOL", "DualIterate", "solve_dual", "solve_duals"]

# Relative gap that is asked for if nothing else is; from there on answers go down to rounding, which costs little more.
TOL = 1e-10
# Steps without a tenth less of a gap after which it has met rounding.
STALL = 3
# Steps without a feasible direction after which interior points are tried, and then it is decided whether there is one.
LOST = 40
# A gap from which active constraints are doubtful.
FAR = 1e-6
# A gap of rounding.
ROUNDED = 1e-14
# In-support logits that differ by so much, in units of the objective, are no longer a small error.
UNEVEN = 1e-3
# A step along which the logits move so little, relative to the multipliers, may be a ray.
STILL = 1e-6


@dataclass(frozen=True, eq=False)
class DualIterate:
    """What the dual method has after some steps: the best primal and dual points seen.

    Attributes
    ----------
    direction : Tensor (V, d) or None
        A feasible W, or None if none was seen.
    duals : Tensor (m, V)
        Multipliers off the supports, scaled to the best point of their ray.
    gap : float
        Relative duality gap of the two; infinite without a feasible W.
    iterations : int
        Gradient steps and rounds of Newton's method.
    certificate : FarkasCertificate or None
        Why there is no feasible W, if the multipliers ran off.
    multipliers : Tensor (m, V) or None
        The last C, where another run may start; None if no step was made.
    support_duals : Tensor (n,) or None
        Entries of C on the supports that go with ``duals``; None if P_perp has to take their place.
    route : str
        How the problem was gone about, and why so.
    """

    direction: Tensor | None
    duals: Tensor
    gap: float
    iterations: int
    certificate: FarkasCertificate | None = None
    multipliers: Tensor | None = None
    support_duals: Tensor | None = None
    route: str = ""


def solve_dual(
    data: NTPDataset, *, tol: float, max_iterations: int, certify: bool = True, start: Tensor | None = None
) -> DualIterate:
    """Run the dual method until the relative duality gap is at most ``tol``; the caller judges what it gets.

    Parameters
    ----------
    data : NTPDataset
    tol : float
        Relative duality gap.
    max_iterations : int
    certify : bool
        Stop when the multipliers run off along a Farkas certificate.
    start : Tensor (m, V), optional
        Multipliers C to start from; 0 if not given.

    Returns
    -------
    DualIterate

    Notes
    -----
    Source: ours (`svm/dual`).
    """
    problem = DualProblem.of(data)
    begin = None if start is None else problem.reduce(start)
    found = solve_duals(problem, [data], tol=tol, max_iterations=max_iterations, certify=certify, start=begin)[0]
    return replace(found, route=problem.route() + found.route)


def solve_duals(
    problem: DualProblem,
    datasets: Sequence[NTPDataset],
    *,
    tol: float,
    max_iterations: int,
    certify: bool = True,
    start: Tensor | None = None,
) -> list[DualIterate]:
    """The same for the B datasets that a problem was made of, all at once; ``start`` (B, m, U) as the problem has C."""
    searches = [_Search.of(data, tol) for data in datasets]
    usable = problem.largest > 0
    going = [search for search, use in zip(searches, usable.tolist(), strict=True) if use]
    if len(going) < problem.size:  # the others have embeddings 0 only, and no direction
        problem, start = problem.select(usable), None if start is None else start[usable]
    walk = Walk(problem, start, max_iterations, tol if tol > TOL else None)
    while going:
        for i, search in enumerate(going):
            if search.is_stalled() and search.is_far() and walk.give_up(i):
                search.stalled = 0
        ends = walk.ended().tolist()
        for i, search in enumerate(going):  # steps that end at once may have left more to interior points than these
            if ends[i] and search.is_open() and walk.give_up(i):
                ends[i] = False
        over = [search.is_over() or search.is_stalled() or end for search, end in zip(going, ends, strict=True)]
        if any(over):
            multipliers = walk.problem.multipliers(walk.c)
            for i, search in enumerate(going):
                if over[i]:
                    search.finish(multipliers[i], int(walk.iterations[i]), walk.detours(i))
            going = [search for search, gone in zip(going, over, strict=True) if not gone]
            if going:
                walk.keep([i for i, gone in enumerate(over) if not gone])
            continue
        made = walk.step()
        directions, elements, gaps = _judge(walk.problem, walk.c, walk.weights)
        for i, search in enumerate(going):
            if made[i]:
                search.take(directions[i], elements[i], float(gaps[i]))
            else:
                search.miss()
        if certify and any(search.found.direction is None for search in going):
            moved = walk.c - walk.before
            still = made & (_size(walk.problem.logits(moved)) <= STILL * _size(moved))
            rays = walk.problem.multipliers(moved) if bool(still.any()) else moved
            for i in still.nonzero()[:, 0].tolist():
                going[i].rule_out(rays[i])
            for i, search in enumerate(going):
                if search.is_lost() and not (int(walk.leaps[i]) == 0 and walk.give_up(i)):
                    search.decide()
    return [search.found for search in searches]


@dataclass(eq=False)
class _Search:
    """One dataset: the best points so far, and how long they have been that."""

    data: NTPDataset
    tol: float
    found: DualIterate
    marked: float = torch.inf
    stalled: int = 0
    reached: int = 0  # steps since the tolerance was
    lost: int = 0  # steps without a direction
    decided: bool = False  # whether it was asked if there is one

    @classmethod
    def of(cls, data: NTPDataset, tol: float) -> _Search:
        wide = data if data.embeddings.dtype is torch.float64 else data.to(dtype=torch.float64)
        duals = wide.embeddings.new_zeros(data.num_contexts, data.vocab_size)
        return cls(wide, tol, DualIterate(None, duals, torch.inf, 0))

    def is_over(self) -> bool:
        """Whether another step is not needed, or would not help."""
        near = self.found.gap <= (self.tol if self.tol > TOL else min(self.tol, ROUNDED)) or self.reached > 1
        return near or self.found.certificate is not None

    def is_stalled(self) -> bool:
        """Whether steps no longer help."""
        return self.stalled > STALL

    def is_open(self) -> bool:
        """Whether neither a solution nor a reason against one is known."""
        return self.found.gap > self.tol and self.found.certificate is None

    def is_far(self) -> bool:
        """Whether the best points are too far apart to tell which constraints are active."""
        return self.found.gap > FAR

    def take(self, direction: Tensor, element: Tensor, gap: float) -> None:
        """Points (V, d) and (m, V) after another step, and their gap."""
        if gap < self.found.gap:  # copies: one answer should not keep the storage of all
            pattern, duals = self.data.pattern, (-element).clamp_(min=0.0)
            duals[pattern.contexts, pattern.tokens] = 0.0
            inside = pattern.inside(element)
            self.found = replace(self.found, direction=direction.clone(), duals=duals, support_duals=inside, gap=gap)
        if self.found.gap < 0.9 * self.marked:
            self.marked, self.stalled = self.found.gap, 0
        elif self.found.direction is not None:
            self.stalled += 1
        self.reached += self.found.gap <= self.tol

    def miss(self) -> None:
        """A step was too long."""
        self.reached += 2 * (self.found.gap <= self.tol)

    def rule_out(self, ray: Tensor) -> None:
        """Look for the Farkas certificate along which the multipliers run off, if no direction was seen."""
        if self.found.direction is None:
            whitened, _, lengths = whiten(self.data.embeddings)
            v = stationary(ray * lengths[:, None], whitened, self.data.pattern) / lengths[:, None]
            certificate = standing_certificate(v, torch.arange(len(v), device=v.device), self.data)
            self.found = replace(self.found, certificate=certificate)

    def is_lost(self) -> bool:
        """Count steps without a direction; whether they are many, and it is not decided if there is one."""
        if self.found.direction is not None or self.found.certificate is not None:
            return False
        self.lost += 1
        return self.lost >= LOST and not self.decided

    def decide(self) -> None:
        """Ask for a decision, once: near the boundary rays are slow to show."""
        self.decided = True
        with suppress(SolverError):  # undecided: the steps may still tell
            self.found = replace(self.found, certificate=check_separability(self.data).certificate)

    def finish(self, multipliers: Tensor, iterations: int, route: str) -> None:
        """Keep the last C (m, V), and try what polishing makes of it if that is needed."""
        last = multipliers.clone()
        if self.is_open():
            for candidate in (last, polish(last, self.data)):
                self.found = min(self.found, _judge_projected(candidate, self.data, 0), key=lambda found: found.gap)
        self.found = replace(self.found, iterations=iterations, multipliers=last, route=route)


def _size(matrices: Tensor) -> Tensor:
    sizes: Tensor = torch.linalg.vector_norm(matrices, dim=(1, 2))
    return sizes


@torch.inference_mode()
def _judge(problem: DualProblem, c: Tensor, weights: Tensor | None) -> tuple[Tensor, Tensor, Tensor]:
    """Primal points (B, V, d) and elements of the cone (B, m, V) made from C and W^T, and their relative gaps (B,).

    W^T is ``H^T C`` if it is not given, to more digits than that has.

    A gap is a sum of terms that are not negative (`ntp_theory.margin.certificate`), and infinite where the points are
    not feasible.
    """
    support, lengths = problem.support, problem.lengths[..., None]
    c = problem.feasible(c)
    outside, off, pull = ~support, -c.masked_fill(support, 0.0), problem.pull(c)
    weights = pull if weights is None else weights
    logits = problem.scores(weights)
    low = logits.masked_fill(outside, torch.inf).amin(2, keepdim=True)
    high = logits.masked_fill(outside, -torch.inf).amax(2, keepdim=True)
    below = low - logits.masked_fill(support, -torch.inf)
    margin = (below.amin(2, keepdim=True) * lengths).amin((1, 2))[:, None, None]
    direction = weights / margin
    scale = _sum(off / lengths, problem) / _sum(pull.square(), problem)  # the best multiple of this dual point
    square = _sum(direction.square(), problem)
    apart = _sum((direction - scale[:, None, None] * pull).square(), problem)
    slack = (below / margin - 1 / lengths).masked_fill(support, 0.0).clamp(min=0.0)
    # in-support logits that differ cost what their multipliers say
    uneven = _sum((high - low) * c.masked_fill(outside, 0.0).abs(), problem) / margin[:, 0, 0]
    gaps = (apart + 2.0 * scale * (_sum(off * slack, problem) + uneven)) / square
    feasible = (margin[:, 0, 0] > 0) & (square > 0) & (scale * uneven <= UNEVEN * square)
    rows, elements = problem.expand(direction.mT), problem.multipliers(c)
    return rows, elements * scale[:, None, None], gaps.where(feasible, torch.inf)


def _sum(matrices: Tensor, problem: DualProblem) -> Tensor:
    """Sums of all entries of matrices (B, ..., U), merged tokens counted; (B,)."""
    return matrices.sum(1) @ problem.counts


def _judge_projected(c: Tensor, data: NTPDataset, iterations: int) -> DualIterate:
    """The same where in-support logits are not equal yet: W is projected on F_perp first."""
    pattern, subspace, weights = data.pattern, data_subspace(data), c.T @ data.embeddings
    off = (-c).clamp_(min=0.0)
    off[pattern.contexts, pattern.tokens] = 0.0
    direction = standing_direction(weights, data.embeddings, pattern, subspace)
    if direction is None:
        return DualIterate(None, off, torch.inf, iterations)
    balanced = -off  # which token of a support makes up for it does not matter on F_perp
    balanced[torch.arange(len(off), device=off.device), pattern.anchors] = off.sum(1)
    pull = subspace.project_complement(balanced.T @ data.embeddings)
    total, curvature = float(off.sum()), float(pull.square().sum())
    if curvature == 0.0:
        return DualIterate(direction, off, torch.inf, iterations)
    scale = total / curvature
    primal, dual = 0.5 * float(direction.square().sum()), 0.5 * total * scale
    # a difference of two large numbers: never better than its rounding
    return DualIterate(direction, off * scale, max((primal - dual) / primal, 2 * ROUNDED), iterations)
