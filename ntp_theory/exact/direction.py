"""Exact separating directions: in-support logits that are equal as rationals, next to those of a float decoder."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor

from ..dataset import NTPDataset
from ..support import SupportPattern
from .proof import Proof, document
from .rationals import common_denominator, primitive_rows, rank, rational, snap

__all__ = ["exact_direction", "prove_separable"]

# Logits below this, relative to the largest, are rounding; an exact direction moves the given one by less than this.
ROUNDING = 1e-6
# Coordinates that may be chosen freely are rounded to so many bits below the largest: coarsely, which makes zeros of
# noise and keeps numbers short, or, for margins that are tiny beside the direction, not at all.
BITS = (40, 120)

Decoder = list[list[Any] | None]
"""Rows of rationals, or None for a zero row."""


def prove_separable(data: NTPDataset, direction: Tensor) -> Proof:
    """Whether an exact direction next to ``direction`` satisfies (6a) and (6b) with positive margins.

    Parameters
    ----------
    data : NTPDataset
    direction : Tensor (V, d)

    Returns
    -------
    Proof

    Notes
    -----
    Source: 2402.18551 Definition 2 (`bias/definition-2`), decided as in `bias/compatibility-exact`.

    Examples
    --------
    >>> data = NTPDataset([[3.0], [-1.0]], [[1.0, 0.0], [0.0, 1.0]])
    >>> print(prove_separable(data, torch.tensor([[0.5], [-0.5]])).summary())
    separable: proved in rational arithmetic; a direction with exactly equal in-support logits and positive margins
    """
    found = exact_direction(data, data.pattern, direction)
    if isinstance(found, str):
        return Proof("separable", "not certified", found, None)
    words = "a direction with exactly equal in-support logits and positive margins"
    return Proof("separable", "proved", words, document("separable", data, {"direction": in_words(found)}))


def in_words(decoder: Decoder) -> list[list[str] | None]:
    """The rows of a decoder as strings, for a document."""
    return [row and [str(x) for x in row] for row in decoder]


def exact_direction(data: NTPDataset, pattern: SupportPattern, direction: Tensor) -> Decoder | str:
    """Exact rows next to those of ``direction``, less one row common to all, or the reason why there are none.

    A common row changes no difference of logits; without it most rows of real text vanish. Tokens whose contexts are
    independent meet any levels; only the others have to be solved for together.
    """
    found: Decoder | str = ""
    for bits in BITS:
        found = _next_to(data, pattern, direction, bits)
        if not isinstance(found, str):
            break
    return found


def _next_to(data: NTPDataset, pattern: SupportPattern, direction: Tensor, bits: int) -> Decoder | str:
    rows, factors = primitive_rows(data.embeddings)
    float_rows = torch.tensor([[float(x) for x in row] for row in rows], dtype=torch.float64)
    contexts_of = _contexts_of(pattern)
    weights = direction.double().cpu()
    weights = weights - weights[max(range(len(contexts_of)), key=lambda v: len(contexts_of[v]))]
    logits = float_rows @ weights.T
    levels = (pattern.to("cpu").sum(pattern.to("cpu").inside(logits)) / pattern.sizes.cpu()).tolist()
    size = float(weights.abs().max())
    tiny = ROUNDING * size
    largest = (size * float_rows.abs().sum(1)).tolist()
    levels = [_rounded(x, y, bits) for x, y in zip(levels, largest, strict=True)]

    width = data.dim
    dependent = [
        v
        for v, chosen in enumerate(contexts_of)
        if chosen and (len(chosen) > width or rank([_sparse(rows[j]) for j in chosen], width) < len(chosen))
    ]
    zero = {v for v in dependent if float(weights[v].abs().max()) <= tiny}
    level: dict[int, Any] = {j: rational(0) for v in zero for j in contexts_of[v]}
    solved: dict[int, list[Any]] = {}
    core = [v for v in dependent if v not in zero]
    near = [[_rounded(x, size, bits) for x in row] for row in weights.tolist()]
    if core:
        solved = _together(core, rows, contexts_of, near, levels, level)
    for j, value in enumerate(levels):
        if j not in level:
            level[j] = rational(value)
    for v, chosen in enumerate(contexts_of):
        if v in solved or v in zero:
            continue
        exact = snap([_sparse(rows[j]) for j in chosen], [level[j] for j in chosen], near[v], range(width))
        assert exact is not None, "independent rows meet any levels"
        if any(exact):
            solved[v] = exact
    decoder: Decoder = [solved.get(v) for v in range(pattern.vocab_size)]
    exactly = torch.tensor([[float(x) for x in row or [0] * width] for row in decoder], dtype=torch.float64)
    moved = float((exactly - weights).abs().max())
    if moved > tiny:
        return f"the nearest exact direction found is {moved:.1e} away, more than rounding"
    return _lowest_margin(decoder, rows, level, pattern, data) or decoder


def _together(
    core: list[int],
    rows: list[list[int]],
    contexts_of: list[list[int]],
    near: list[list[float]],
    levels: list[float],
    level: dict[int, Any],
) -> dict[int, list[Any]]:
    """Rows of tokens with dependent contexts, whose levels are unknowns too; these are added to ``level``."""
    width = len(rows[0])
    unknown = sorted({j for v in core for j in contexts_of[v]} - level.keys())
    column = {j: len(core) * width + i for i, j in enumerate(unknown)}
    equations = []
    for i, v in enumerate(core):
        for j in contexts_of[v]:
            equation = {i * width + k: x for k, x in enumerate(rows[j]) if x}
            if j in column:
                equation[column[j]] = -1
            equations.append(equation)
    point = [x for v in core for x in near[v]] + [levels[j] for j in unknown]
    exact = snap(equations, [rational(0)] * len(equations), point, range(len(point)))
    assert exact is not None, "a homogeneous system has a solution"
    level.update({j: exact[c] for j, c in column.items()})
    return {v: exact[i * width : (i + 1) * width] for i, v in enumerate(core)}


def _lowest_margin(
    decoder: Decoder, rows: list[list[int]], level: dict[int, Any], pattern: SupportPattern, data: NTPDataset
) -> str | None:
    """Check all rules on the exact numbers; the rule that is broken, if one is."""
    mask = pattern.mask().tolist()
    for v, row in enumerate(decoder):
        numerators, denominator = common_denominator(row or [rational(0)] * data.dim)
        for j, h in enumerate(rows):
            difference = level[j] * denominator - sum(x * y for x, y in zip(h, numerators, strict=True))
            if (difference != 0) if mask[j][v] else (difference <= 0):
                rule = "is not equal to that of its support" if mask[j][v] else "is not below those of the support"
                return f"the exact logit of {data.token_name(v)} after {data.context_name(j)} {rule}"
    return None


def _contexts_of(pattern: SupportPattern) -> list[list[int]]:
    """The contexts of each token."""
    out: list[list[int]] = [[] for _ in range(pattern.vocab_size)]
    for j, v in zip(pattern.contexts.tolist(), pattern.tokens.tolist(), strict=True):
        out[v].append(j)
    return out


def _sparse(row: list[int]) -> dict[int, int]:
    return {i: x for i, x in enumerate(row) if x}


def _rounded(value: float, largest: float, bits: int) -> float:
    """The value to so many bits below the largest."""
    unit = math.ldexp(1.0, math.frexp(largest)[1] - bits)
    return round(value / unit) * unit
