"""Regressions over positions with small whole numbers, which are rational too."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
from hypothesis import assume
from hypothesis import strategies as st

from ntp_theory.errors import DatasetError
from ntp_theory.planning import PositionRegression
from proofs_check.kit.myopic import Regression


@st.composite
def regressions(draw, tied=None, max_positions=4, max_width=3):
    """The past repeats the own features more or less, with either sign: with a forward bias, and without."""
    k, p = draw(st.integers(1, max_positions)), draw(st.integers(1, max_width))
    n = draw(st.integers(p, p + 5))
    drawn = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    x = drawn.integers(-3, 4, (n, k, k, p))
    repeat = draw(st.sampled_from([-2, -1, 0, 0, 1]))
    x = (
        x * draw(st.sampled_from([0, 1])) * (1 - np.eye(k, dtype=int)[:, :, None])
        + np.einsum("skka->ska", x)[:, :, None] * np.where(np.eye(k, dtype=bool), 1, repeat)[:, :, None]
    )
    x = x * np.tril(np.ones((k, k), dtype=int))[:, :, None]
    try:
        return PositionRegression(x, drawn.integers(-5, 6, (n, k)), tied=draw(st.booleans()) if tied is None else tied)
    except DatasetError:
        assume(False)


def weights_for(problem, scale=10.0):
    """Weights of its shape."""
    size = int(np.prod(problem.shape))
    return st.lists(st.floats(-scale, scale), min_size=size, max_size=size).map(
        lambda entries: np.array(entries).reshape(problem.shape)
    )


def exact(problem):
    """The same problem over the rationals, as the proofs compute it: losses are sums over the samples there."""
    x = [
        [[[Fraction(a) for a in x_ki] for x_ki in x_k[: k + 1]] for k, x_k in enumerate(sample)]
        for sample in problem.features.tolist()
    ]
    y = [[Fraction(a) for a in row] for row in problem.targets.tolist()]
    return Regression(x, y).problem(tied=problem.tied)
