"""Regressions over positions that show what each assumption is for."""

from __future__ import annotations

from .regression import PositionRegression

__all__ = ["border", "breadcrumbs", "diverging", "pre_caching", "transient"]


def pre_caching() -> PositionRegression:
    """What helps the second position costs the first: myopia gap 1/4.

    Position 0 should predict 0 with theta_0, position 1 should predict 1 and gets nothing of use but theta_0.
    Myopic training leaves theta_0 = 0, a loss of 1/2; the best model has theta_0 = 1/2, a loss of 1/4.

    Notes
    -----
    Source: `planning/myopia-gap`, with a useless feature of mean 0 for position 1 to read.

    Examples
    --------
    >>> round(pre_caching().myopia_gap(), 15)
    0.25
    """
    features = [[[[1.0], [0.0]], [[1.0], [sign]]] for sign in (1.0, -1.0)]
    return PositionRegression(features, [[0.0, 1.0]] * 2)


def breadcrumbs() -> PositionRegression:
    """The second position has what it needs itself: both trainings reach loss 0, the gap is 0.

    Notes
    -----
    Source: `planning/myopia-gap`.

    Examples
    --------
    >>> breadcrumbs().myopia_gap() < 1e-30
    True
    """
    return PositionRegression([[[[1.0], [0.0]], [[1.0], [1.0]]]], [[0.0, 1.0]])


def diverging(*, tied: bool = True) -> PositionRegression:
    """Shared weights without a forward bias: myopic descent diverges for every step size.

    ``l_0 = (t_0 - 1)^2 / 2`` and ``l_1 = (t_1 - 3 t_0 - 1)^2 / 2`` have strongly convex own parts and a strongly convex
    sum, but the coupling 3 is more than the convexity 2: each step multiplies the error by ``1 + eta``. With
    ``tied=False`` the same data converges, as it does for every coupling.

    Notes
    -----
    Source: `planning/convergence`.

    Examples
    --------
    >>> diverging().constants.bias, diverging(tied=False).constants.bias
    (-1.0, 1.0)
    """
    return PositionRegression([[[[1.0], [0.0]], [[-3.0], [1.0]]]], [[1.0, 1.0]], tied=tied)


def border() -> PositionRegression:
    """Coupling equal to convexity: no myopic optimum, the myopic gradient is -2 everywhere.

    Notes
    -----
    Source: `planning/convergence`: ``l_1 = (t_1 - 2 t_0 - 1)^2 / 2``.

    Examples
    --------
    >>> [border().diagonal_gradient([t]).item() for t in (0.0, 5.0)]
    [-2.0, -2.0]
    """
    return PositionRegression([[[[1.0], [0.0]], [[-2.0], [1.0]]]], [[1.0, 1.0]], tied=True)


def transient() -> PositionRegression:
    """A forward bias is enough, not needed: without it small steps can converge, though not at every step.

    ``X^T S`` is [[1, 4], [0, 1]] over the two samples: e^T X^T S e can be negative, and distances grow at first; its
    eigenvalues are 1, and they shrink in the end.

    Notes
    -----
    Derived.

    Examples
    --------
    >>> transient().curvature.tolist(), transient().constants.bias
    ([[1.0, 4.0], [0.0, 1.0]], -1.0)
    """
    one, two, none = [1.0, 0.0], [0.0, 1.0], [0.0, 0.0]
    features = [[[one, none], [[0.0, 8.0], one]], [[two, none], [none, two]]]
    return PositionRegression(features, [[1.0, 1.0], [1.0, -1.0]], tied=True)
