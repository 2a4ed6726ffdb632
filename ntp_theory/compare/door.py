"""`compare`: finds the laws of a method and reads them."""

from __future__ import annotations

from collections.abc import Callable

import torch

from ..dataset import NTPDataset
from ..descent import Trajectory
from ..errors import UsageError
from ..paths import Path
from ..predict import Limit
from .certificates import certificates
from .comparison import Comparison
from .equation import equation
from .flow import flow_laws
from .gradient import gradient_laws
from .inequalities import inequalities
from .margins import margin_laws
from .normalised import normalised_laws, split_laws
from .path import path_laws
from .stochastic import pair_laws

__all__ = ["compare"]

Laws = Callable[[Trajectory, Limit], Comparison]

LAWS: dict[str, Laws] = {
    "gd": gradient_laws,
    "line-search": gradient_laws,
    "momentum": gradient_laws,
    "nesterov": gradient_laws,
    "sgd": gradient_laws,
    "sgd-pairs": pair_laws,
    "ngd": normalised_laws,
    "split": split_laws,
    "flow": flow_laws,
}
"""By the name of the method; the methods of `MARGINS`, and those of which nothing is known, go to `margin_laws`."""


def compare(trajectory: Trajectory | Path, limit: Limit) -> Comparison:
    """Hold a run, a flow or a regularisation path against the limit predicted for its data.

    Parameters
    ----------
    trajectory : Trajectory or Path
        Of any method on the data of ``limit``.
    limit : Limit

    Returns
    -------
    Comparison
        The prediction's own certificates; certified inequalities at every recorded step; the asymptotic laws of the
        method at the last one, if the run is long enough. Where no theorem says what a method does (soft labels under
        sign and spectral descent, Adam, methods of your own), its numbers are in ``observed``.

    Raises
    ------
    UsageError
        If the run used other data than the prediction, or data of another type; if it is a flow by its name alone, or
        by its derivative alone; if an argument is something else.

    Notes
    -----
    Source: 2402.18551 Theorem 2 (`bias/theorem-2`); laws ours (`bias/sharp-gd-loss`, `bias/sharp-gd-norm`,
    `bias/sharp-gd-finite`, `bias/offset`, `bias/direction-certificate`, `bias/ngd-plateau`, `bias/split-normalised`,
    `bias/log-time-flow`, `bias/ridge-path`).

    Examples
    --------
    >>> from ntp_theory import NTPDataset, descend, predict
    >>> data = NTPDataset([[1.0, 0.0], [0.0, 1.0]], [[0.5, 0.5, 0.0], [0.0, 0.0, 1.0]])
    >>> compare(descend(data, steps=10_000), predict(data)).holds
    True
    """
    if not isinstance(trajectory, Trajectory | Path):
        raise UsageError(f"trajectory is a {type(trajectory).__name__}; it must be a Trajectory or a Path")
    if not isinstance(limit, Limit):
        raise UsageError(f"limit is a {type(limit).__name__}; it must be a Limit, as predict returns it")
    if trajectory.data.embeddings.dtype != limit.data.embeddings.dtype:
        raise UsageError(
            f"trajectory is in {trajectory.data.embeddings.dtype} and limit in {limit.data.embeddings.dtype}; "
            "predict from trajectory.data"
        )
    if not _same(trajectory.data, limit.data):
        raise UsageError("trajectory and limit are of different data")
    if isinstance(trajectory, Trajectory) and (trajectory.log_derivative is not None) != (trajectory.method == "flow"):
        raise UsageError(f"trajectory.method is {trajectory.method!r}; flows, and they alone, have a log_derivative")
    always = certificates(limit) + inequalities(trajectory, limit)
    if isinstance(trajectory, Path):
        found = path_laws(trajectory, limit)
    else:
        always += equation(trajectory, limit)
        found = LAWS.get(trajectory.method, margin_laws)(trajectory, limit)
    return Comparison(always + found.checks, found.note, found.observed)


def _same(data: NTPDataset, other: NTPDataset) -> bool:
    return data is other or (
        torch.equal(data.embeddings, other.embeddings)
        and torch.equal(data.joint, other.joint)
        and torch.equal(data.pattern.tokens, other.pattern.tokens)
        and torch.equal(data.pattern.contexts, other.pattern.contexts)
    )
