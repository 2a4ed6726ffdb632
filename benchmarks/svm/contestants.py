"""Who takes part: each contestant turns an `NTPDataset` and a tolerance into a decoder, and says how long it took."""

from __future__ import annotations

import inspect
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np

import ntp_theory as ntp
from ntp_theory import NTPDataset

from .formulations import FORMULATIONS, reduce
from .general import GENERAL

__all__ = ["CONTESTANTS", "OURS", "Answer", "Contestant"]

Array = np.ndarray


@dataclass(frozen=True)
class Answer:
    """What a contestant says of a dataset.

    Attributes
    ----------
    weights : Array (V, d) or None
    duals : Array (m, V) or None
        Multipliers off the supports, where the contestant gives them in this form.
    infeasible : bool
        It says that there is no solution.
    refutation : Array (m, V) or None
        Its proof of that.
    status : str
    iterations : int
    seconds : float
        From the dataset to the decoder.
    inside : float
        The part of it spent in calls of the solver, set-up included.
    """

    weights: Array | None
    status: str
    iterations: int
    seconds: float
    inside: float
    duals: Array | None = None
    infeasible: bool = False
    refutation: Array | None = None


@dataclass(frozen=True)
class Contestant:
    """A solver with a formulation.

    Attributes
    ----------
    solver, formulation : str
    solve : callable
        ``solve(data, tol, seconds)``; the last is a time limit, kept where the solver has one.
    full_rank, one_hot : bool
        It applies to independent embeddings only; to one next token a context only.
    loosest, tightest : float
        The ends of its ladder of tolerances.
    stride : float
        The longest step down that ladder.
    """

    solver: str
    formulation: str
    solve: Callable[[NTPDataset, float, float], Answer]
    full_rank: bool = False
    one_hot: bool = False
    loosest: float = 1e-4
    tightest: float = 1e-14
    stride: float = 1e-3

    @property
    def name(self) -> str:
        """The solver and its formulation, as in the data file."""
        return f"{self.solver}/{self.formulation}"


def ours(data: NTPDataset, tol: float, seconds: float, **options: bool) -> Answer:
    """`ntp_theory.solve_svm`."""
    start = time.perf_counter()
    try:
        solution = ntp.solve_svm(data, tol=tol, **options)
    except ntp.errors.NotSeparableError as error:
        spent = time.perf_counter() - start
        refutation = error.certificate.dense().numpy()
        return Answer(None, "not separable", 0, spent, spent, infeasible=True, refutation=refutation)
    except ntp.errors.SolverError as error:
        spent = time.perf_counter() - start
        best = getattr(error.best, "direction", None)
        return Answer(None if best is None else best.cpu().numpy(), f"SolverError: {error}", 0, spent, spent)
    direction = solution.direction.cpu().numpy()
    spent = time.perf_counter() - start
    return Answer(direction, "solved", solution.iterations, spent, spent, duals=solution.duals.cpu().numpy())


def general(solver: str, formulation: str, data: NTPDataset, tol: float, seconds: float) -> Answer:
    """A general-purpose solver called directly."""
    start = time.perf_counter()
    program = FORMULATIONS[formulation](reduce(data))
    ready = time.perf_counter()
    outcome = GENERAL[solver](program, formulation, tol, seconds)
    inside = time.perf_counter() - ready
    weights = refutation = None
    if outcome.ray and program.refutation is not None:
        refutation = program.refutation(*outcome.ray)
    if outcome.ray is None and outcome.x is not None:
        weights = program.decode(outcome.x)
    return Answer(
        weights, outcome.status, outcome.iterations, time.perf_counter() - start, inside,
        infeasible=outcome.ray is not None, refutation=refutation,
    )  # fmt: skip


def through_cvxpy(solver: str, data: NTPDataset, tol: float, seconds: float) -> Answer:
    """A general-purpose solver through cvxpy, in the variables W of the formulation ``weights``, vectorised."""
    import cvxpy as cp

    options = {
        "CLARABEL": {"tol_gap_abs": tol, "tol_gap_rel": tol, "tol_feas": tol, "time_limit": seconds, "max_threads": 1},
        "OSQP": {"eps_abs": tol, "eps_rel": tol, "max_iter": 10**7, "time_limit": seconds},
        "SCS": {"eps_abs": tol, "eps_rel": tol, "max_iters": 10**7, "time_limit_secs": seconds},
        "PIQP": {
            "eps_abs": tol,
            "eps_rel": tol,
            "eps_duality_gap_abs": tol,
            "eps_duality_gap_rel": tol,
            "compute_timings": True,
        },
    }[solver]
    start = time.perf_counter()
    reduced = reduce(data)
    w = cp.Variable((reduced.factor.shape[1], data.vocab_size))
    levels = cp.Variable((data.num_contexts, 1))
    below = cp.vec(levels @ np.ones((1, data.vocab_size)) - reduced.factor @ w, order="C")
    on = np.flatnonzero(reduced.support.ravel())
    off = np.flatnonzero(~reduced.support.ravel())
    problem = cp.Problem(cp.Minimize(cp.sum_squares(w) / 2), [below[on] == 0, below[off] >= 1])
    try:
        problem.solve(solver=solver, **options)
        status = str(problem.status)
    except cp.SolverError as error:
        status = f"SolverError: {error}"
    stats = problem.solver_stats
    iterations, inside = (stats.num_iters or 0, stats.solve_time or 0.0) if stats else (0, 0.0)
    weights = None if w.value is None else reduced.weights(w.value.T)
    infeasible = "infeasible" in status
    return Answer(weights, status, iterations, time.perf_counter() - start, inside, infeasible=infeasible)


def liblinear(data: NTPDataset, tol: float, seconds: float) -> Answer:
    """LIBLINEAR's Crammer-Singer machine at a penalty so large that no constraint is bought off: the hard margin."""
    from sklearn.svm import LinearSVC

    start = time.perf_counter()
    machine = LinearSVC(
        multi_class="crammer_singer", C=1e6, tol=tol, fit_intercept=False, max_iter=2**31 - 1, random_state=0
    )
    machine.fit(data.embeddings.numpy(), data.pattern.tokens.numpy())
    weights = np.zeros((data.vocab_size, data.dim))
    weights[machine.classes_] = machine.coef_
    spent = time.perf_counter() - start
    return Answer(weights, "solved", int(machine.n_iter_), spent, spent)


def _list() -> list[Contestant]:
    entries = [Contestant("ntp_theory", "structured", ours, loosest=1e-8, tightest=1e-12)]
    if "refine" in inspect.signature(ntp.solve_svm).parameters:
        refined = partial(ours, refine=True)
        entries.append(Contestant("ntp_theory", "refined", refined, loosest=1e-10, tightest=1e-10))
    for solver in GENERAL:
        for formulation in FORMULATIONS:
            # PIQP puts the dense square of the dual's equations in every block: 12 s for V = m = 50
            if (solver, formulation) != ("PIQP", "dual"):
                solve = partial(general, solver, formulation)
                full_rank = formulation == "logits"
                # polishing takes an answer from any accuracy to all digits, or fails: every step is worth a try
                ladder = {"loosest": 1e-3, "stride": 1e-1} if solver == "OSQP-polish" else {}
                entries.append(Contestant(solver, formulation, solve, full_rank=full_rank, **ladder))
    for solver, label in (("CLARABEL", "Clarabel"), ("OSQP", "OSQP"), ("SCS", "SCS"), ("PIQP", "PIQP")):
        entries.append(Contestant(label, "cvxpy", partial(through_cvxpy, solver)))
    entries.append(Contestant("LIBLINEAR", "Crammer-Singer", liblinear, one_hot=True, loosest=1e-2))
    return entries


CONTESTANTS = {contestant.name: contestant for contestant in _list()}
OURS = tuple(name for name in CONTESTANTS if name.startswith("ntp_theory/"))
