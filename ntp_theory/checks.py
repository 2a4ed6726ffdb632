"""`Check`: one statement of the theory, held against one computation."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import ArrayLike

from .errors import UsageError

__all__ = ["Check", "Evidence", "fitted_slope"]

Evidence = Literal["exact", "certified", "measured"]
Value = float | int | str


@dataclass(frozen=True)
class Check:
    """What the theory predicts, what the computer found, and whether the two agree.

    Use the constructors `Check.close`, `Check.at_most` and `Check.same`; they find ``error`` and ``holds``.

    Attributes
    ----------
    label : str
        Label of the statement, for example ``"bias/sharp-gd-loss"``.
    predicted, computed : float, int or str
        Prediction (from the data alone) and the value it is compared with.
    error, tolerance : float
        ``holds`` is exactly ``error <= tolerance``; a NaN error never holds.
    holds : bool
        Whether the statement held in this computation.
    evidence : {"exact", "certified", "measured"}
        *exact*: decided in rational or symbolic arithmetic, or by comparing discrete objects; *certified*: a
        bound that holds for the returned object whatever the solver did; *measured*: a numerical experiment.
    source : str
        Paper and theorem, or "derived".
    seconds : float
        Time the check took.
    statement : str
        What was compared, in words.

    Raises
    ------
    UsageError
        If ``holds`` contradicts ``error`` and ``tolerance``, or the evidence is of no known kind.

    Examples
    --------
    >>> Check.close("bias/sharp-gd-loss", 9.238, 9.213, tolerance=0.02, evidence="measured").holds
    True
    >>> Check.at_most("bias/smoothness", bound=1.877, computed=2.0, evidence="certified").holds
    False
    """

    label: str
    predicted: Value
    computed: Value
    error: float
    tolerance: float
    holds: bool
    evidence: Evidence
    source: str = ""
    seconds: float = 0.0
    statement: str = ""

    def __post_init__(self) -> None:
        if self.evidence not in get_args(Evidence):
            raise UsageError(f"evidence must be one of {get_args(Evidence)}, got {self.evidence!r}")
        if self.holds != (self.error <= self.tolerance):
            raise UsageError(f"holds={self.holds} contradicts error={self.error!r} and tolerance={self.tolerance!r}")

    @classmethod
    def close(
        cls,
        label: str,
        predicted: float,
        computed: float,
        *,
        tolerance: float,
        evidence: Evidence,
        relative: bool = True,
        source: str = "",
        statement: str = "",
    ) -> Check:
        """Two numbers agree: ``|computed - predicted|``, divided by ``|predicted|`` if ``relative``.

        Examples
        --------
        >>> Check.close("bias/split", 1.0, 1.0 + 1e-12, tolerance=1e-10, evidence="certified").holds
        True
        """
        predicted, computed, tolerance = float(predicted), float(computed), float(tolerance)
        error = abs(computed - predicted)
        if relative:
            error = error / abs(predicted) if predicted else (0.0 if error == 0 else math.inf)
        holds = error <= tolerance
        return cls(label, predicted, computed, error, tolerance, holds, evidence, source, 0.0, statement)

    @classmethod
    def at_most(
        cls,
        label: str,
        bound: float,
        computed: float,
        *,
        evidence: Evidence,
        slack: float = 0.0,
        source: str = "",
        statement: str = "",
    ) -> Check:
        """``computed <= bound``, with an absolute ``slack`` for rounding; ``error`` is the excess.

        Examples
        --------
        >>> Check.at_most("bias/off-support-decay", bound=0.1, computed=0.05, evidence="certified").holds
        True
        """
        bound, computed, slack = float(bound), float(computed), float(slack)
        excess = computed - bound
        error = excess if math.isnan(excess) else max(0.0, excess)
        return cls(label, bound, computed, error, slack, error <= slack, evidence, source, 0.0, statement)

    @classmethod
    def same(
        cls,
        label: str,
        predicted: Value,
        computed: Value,
        *,
        evidence: Evidence = "exact",
        source: str = "",
        statement: str = "",
    ) -> Check:
        """Two discrete answers (a count, a case, a yes or no in words) are equal.

        Examples
        --------
        >>> Check.same("bias/erratum-E9", "m_2 >= m_1", "m_2 >= m_1").holds
        True
        """
        predicted, computed = (v.item() if isinstance(v, np.generic) else v for v in (predicted, computed))
        error = 0.0 if predicted == computed else 1.0
        return cls(label, predicted, computed, error, 0.0, error == 0.0, evidence, source, 0.0, statement)

    def to_dict(self) -> dict[str, Any]:
        """All fields as JSON-ready values; infinity and NaN become words, ``"inf"`` and ``"nan"``.

        Examples
        --------
        >>> Check.same("bias/remark-1", 0, 0).to_dict()["holds"]
        True
        """
        words = {k: repr(v) for k, v in asdict(self).items() if isinstance(v, float) and not math.isfinite(v)}
        return asdict(self) | words

    def line(self) -> str:
        """One line for a terminal.

        Examples
        --------
        >>> print(Check.same("bias/remark-1", 0, 0, statement="dim F").line())
        holds  bias/remark-1                 predicted 0            computed 0            error 0        tol 0        exact      dim F
        """  # noqa: E501
        verdict = "holds " if self.holds else "FAILS "
        return (
            f"{verdict} {self.label:<29} predicted {_show(self.predicted):<12} "
            f"computed {_show(self.computed):<12} error {self.error:<8.2g} tol {self.tolerance:<8.2g} "
            f"{self.evidence:<10} {self.statement}"
        ).rstrip()


def _show(value: Value) -> str:
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def fitted_slope(x: ArrayLike, y: ArrayLike) -> float:
    """Slope of the least-squares line through points, for laws that are straight lines in the right coordinates.

    Examples
    --------
    >>> fitted_slope([0, 1, 2], [5.0, 3.0, 1.0])
    -2.0
    """
    across, up = (np.asarray(values, dtype=np.float64) for values in (x, y))
    across = across - across.mean()
    return float(across @ (up - up.mean()) / (across @ across))
