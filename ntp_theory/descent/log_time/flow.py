"""`flow`: gradient flow of the cross-entropy, to times that no number of steps reaches."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace

import torch
from numpy.typing import ArrayLike
from torch import Tensor

from ...conditions import check_separability, extended_support
from ...dataset import NTPDataset, as_dataset
from ...doors import check_function, number, whole
from ...errors import UsageError
from ...loss import evaluate
from ...predict import in_double
from ...runs import Progress
from ..record import recorded_steps
from ..run import starting_decoder
from ..trajectory import Record, Trajectory
from .implicit import integrate
from .slow_manifold import FlowEquation

__all__ = ["flow"]

# Smaller errors are rounding, larger ones are not small.
TIGHTEST, LOOSEST = 1e-12, 1e-2
# Parts that progress is shown in.
PARTS = 1000


def flow(
    data: NTPDataset,
    *,
    log_time: float,
    init: ArrayLike | Tensor | None = None,
    record: str | int | Iterable[float] = "log",
    tol: float = 1e-10,
    callback: Callable[[Record], bool | None] | None = None,
    progress: bool = False,
) -> Trajectory:
    """Gradient flow ``dW/dt = -grad CE`` from t = 0 to ``log t = log_time``, on data of any kind.

    Solved in s = log t, where late training is slow and smooth: the laws that gradient descent approaches like 1/log k
    can be seen at log t = 10^4, which no number of its steps reaches.

    Parameters
    ----------
    data : NTPDataset
    log_time : float
        Natural logarithm of the time to go to; t counts in steps of gradient descent times their size.
    init : Tensor (V, d), optional
        The decoder W_0 to start from; zero if not given.
    record : {"log"}, int or iterable of float
        *log*: the start, log t = 0, 1, 2, ... (about 20 a decade, as `recorded_steps` has them), and the last. A
        number n: the start and the n log times that are multiples of ``log_time / n``. Anything else: these log
        times and no others; -inf is the start.
    tol : float
        Largest error of a logit in any one step of the solver, in nats, from 1e-12 to 1e-2. To it adds what rounding
        makes of logits of their size.
    callback : callable, optional
        Called with each new `Record`, which counts the records as its steps; the decoder in it is a copy. If it returns
        True the flow ends there.
    progress : bool
        Show progress and the time left on a terminal.

    Returns
    -------
    Trajectory
        With ``log_derivative``, dW/dlog t. Solved in double precision on the CPU, whatever the data has.

    Raises
    ------
    UsageError
        Data, a time, tolerance, record or callback that is none; ``init`` of another shape or not finite; more than
        2500 unknowns ``(V - 1) rank(H)``; contexts that are shared out among processes.
    SolverError
        If rounding or ``tol`` do not let it go on; ``best`` is the decoder it has come to.

    Notes
    -----
    Source: ours (`bias/log-time-flow`). The embeddings alone decide what F is, as in `predict`; W* and W_mm do not
    enter.

    Examples
    --------
    >>> data = NTPDataset([[1.0, 0.0], [0.0, 1.0]], [[0.5, 0.5, 0.0], [0.0, 0.0, 1.0]])
    >>> run = flow(data, log_time=1e4, record=[0.0, 1e4])
    >>> run.log_derivative[-1]  # W_mm
    tensor([[ 0.3333, -0.3333],
            [ 0.3333, -0.3333],
            [-0.6667,  0.6667]], dtype=torch.float64)
    """
    as_dataset("data", data)
    if callback is not None:
        check_function("callback", callback)
    end = number("log_time", log_time, "a finite number", math.isfinite)
    schedule = _recorded_log_times(record, end)
    rule = f"a number from {TIGHTEST:g} to {LOOSEST:g}"
    tol = number("tol", tol, rule, lambda x: TIGHTEST <= x <= LOOSEST)
    if data.ranks.size > 1:
        raise UsageError("data is shared out among processes; the flow needs all contexts in one, use data.whole()")
    wide = in_double(data).to(device="cpu")
    start = starting_decoder(wide, init)
    separable = check_separability(wide).separable
    equation = FlowEquation(wide, wide.pattern if separable else extended_support(wide).pattern, start)
    records: list[Record] = []
    derivatives: list[Tensor] = []
    with Progress(PARTS, "flow", enabled=progress) as shown:
        for log_t, weights, derivative in _solve(equation, schedule, tol, shown):
            found = Record(len(records), weights.to(data.embeddings), evaluate(weights, wide), log_t)
            records.append(found)
            derivatives.append(derivative.to(data.embeddings))
            if callback is not None and callback(replace(found, weights=found.weights.clone())):
                break
    run = Trajectory.from_records(records, data, method="flow", step_size=1.0)
    log_times = run.log_elapsed
    return replace(run, times=log_times.exp(), log_times=log_times, log_derivative=torch.stack(derivatives))


def _solve(
    equation: FlowEquation, schedule: list[float], tol: float, shown: Progress
) -> Iterator[tuple[float, Tensor, Tensor]]:
    """Log times of a schedule, decoders there and their derivatives."""
    later = [s for s in schedule if s > -math.inf]
    if len(later) < len(schedule):
        origin = torch.zeros(equation.dim, dtype=torch.float64)
        yield -math.inf, equation.decoder(origin), equation.displacement(origin)
    if not later:
        return
    shift = 2.0 * math.log(equation.scale)
    for segment in integrate(equation, later[-1] + shift, tol):
        due = [s for s in later if segment.start < s + shift <= segment.end]
        places, slopes = segment.at(torch.tensor(due, dtype=torch.float64) + shift)
        for s, y, slope in zip(due, places, slopes, strict=True):
            yield s, equation.decoder(y), equation.displacement(slope)
        reached = segment.end - shift
        done = math.asinh(max(reached, 0.0)) / math.asinh(max(later[-1], 1.0))  # steps grow with log t
        shown.update(int(PARTS * done), f"log t = {reached:.4g}")


def _recorded_log_times(record: str | int | Iterable[float], end: float) -> list[float]:
    """Increasing log times to record, -inf being the start."""
    if isinstance(record, str):
        if record != "log":
            raise UsageError(f"record is {record!r}; it must be 'log', a number, or the log times themselves")
        whole_times = recorded_steps("log", math.floor(end)) if end >= 0.0 else []
        return [-math.inf, *(float(s) for s in whole_times if s < end), end]
    if isinstance(record, Iterable):
        rule = f"a number of at most log_time = {end:g}"
        chosen = sorted({number("record entry", s, rule, lambda x: x <= end) for s in record})
        if not chosen:
            raise UsageError("record names no log time; it must name at least one")
        return chosen
    count = whole("record", record, at_least=1)
    parts = [i / count for i in range(1, count)]
    return [-math.inf, *(end * part if end > 0.0 else end + math.log(part) for part in parts), end]
