"""Exact separating directions: in-support logits that are equal as rationals, next to those of a float decoder."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor

from ..dataset import NTPDataset
from ..doors import as_decoder
from ..support import SupportPattern
from .proof import Proof, document
from .rationals import NotExact, common_denominator, primitive_rows, rank, rational, snap

__all__ = ["Decoder", "decoder_in_words", "exact_direction", "prove_separable"]

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

    Raises
    ------
    UsageError
        If ``direction`` has the wrong shape or entries that are not finite.

    Notes
    -----
    Source: 2402.18551 Definition 2 (`bias/definition-2`), decided as in `bias/compatibility-exact`.

    Examples
    --------
    >>> data = NTPDataset([[3.0], [-1.0]], [[1.0, 0.0], [0.0, 1.0]])
    >>> print(prove_separable(data, torch.tensor([[0.5], [-0.5]])).summary())
    separable: proved in rational arithmetic; a direction with exactly equal in-support logits and positive margins
    """
    if broken := uneven(data, data.pattern, direction):
        return Proof("separable", "refuted", f"no separating direction: {broken}", None)
    try:
        found = exact_direction(data, data.pattern, direction)
    except NotExact as reason:
        return Proof("separable", "not certified", str(reason), None)
    words = "a direction with exactly equal in-support logits and positive margins"
    return Proof("separable", "proved", words, document("separable", data, {"direction": decoder_in_words(found)}))


def decoder_in_words(decoder: Decoder) -> list[list[str] | None]:
    """The rows of a decoder as strings, for a document."""
    return [row and [str(x) for x in row] for row in decoder]


def uneven(data: NTPDataset, pattern: SupportPattern, direction: Tensor) -> str:
    """The rule that a float direction breaks by more than rounding, if there is one."""
    weights = as_decoder(direction, (data.vocab_size, data.dim), data.embeddings).double()
    h = data.embeddings.double()
    logits, slack = h @ weights.T, ROUNDING * h.norm(dim=1) * float(weights.abs().max())
    if bool((wrong := pattern.spread(logits) > slack).any()):
        return f"the logits of the support of {data.context_name(int(wrong.nonzero()[0]))} are not equal"
    if bool((wrong := pattern.margins(logits) <= -slack).any()):
        return f"a token is above the support of {data.context_name(int(wrong.nonzero()[0]))}"
    return ""


def exact_direction(data: NTPDataset, pattern: SupportPattern, direction: Tensor) -> Decoder:
    """Exact rows next to those of ``direction``, less one row common to all.

    A common row changes no difference of logits; without it most rows of real text vanish. Tokens whose contexts are
    independent meet any levels; only the others have to be solved for together.

    Raises
    ------
    NotExact
        If none was found.
    """
    reason = NotExact()
    for bits in BITS:
        try:
            return _Nearby(data, pattern, direction, bits).decoder()
        except NotExact as failure:
            reason = failure
    raise reason


class _Nearby:
    """The search for exact rows and levels next to float ones that are rounded to some bits."""

    def __init__(self, data: NTPDataset, pattern: SupportPattern, direction: Tensor, bits: int) -> None:
        self._data, self._pattern = data, pattern
        self._embeddings, _ = primitive_rows(data.embeddings)
        self._contexts_of: list[list[int]] = [[] for _ in range(pattern.vocab_size)]
        for j, tokens in enumerate(pattern.rows()):
            for v in tokens:
                self._contexts_of[v].append(j)
        most = max(range(pattern.vocab_size), key=lambda v: len(self._contexts_of[v]))
        self._weights = direction.double().cpu() - direction[most].double().cpu()
        self._size = float(self._weights.abs().max())
        self._near = [[_rounded(x, self._size, bits) for x in row] for row in self._weights.tolist()]
        h = torch.tensor([[float(x) for x in row] for row in self._embeddings], dtype=torch.float64)
        inside = pattern.inside((h @ self._weights.T).to(pattern.tokens.device))
        means = (pattern.sum(inside) / pattern.sizes).tolist()
        largest = (self._size * h.abs().sum(1)).tolist()
        self._near_levels = [_rounded(x, y, bits) for x, y in zip(means, largest, strict=True)]
        self._levels: dict[int, Any] = {}

    def decoder(self) -> Decoder:
        """The exact rows, with all rules checked on them."""
        dependent = [v for v, contexts in enumerate(self._contexts_of) if not self._independent(contexts)]
        zero = {v for v in dependent if float(self._weights[v].abs().max()) <= ROUNDING * self._size}
        self._levels = {j: rational(0) for v in zero for j in self._contexts_of[v]}
        rows = self._together([v for v in dependent if v not in zero])
        for j, value in enumerate(self._near_levels):
            self._levels.setdefault(j, rational(value))
        for v, contexts in enumerate(self._contexts_of):
            if v not in rows and v not in zero:
                equations = [dict(enumerate(self._embeddings[j])) for j in contexts]
                right = [self._levels[j] for j in contexts]
                exact = snap(equations, right, self._near[v], range(len(self._near[v])))
                if exact is None:
                    raise NotExact("the equations are too hard for the primes at hand")
                rows[v] = exact
        decoder: Decoder = [row if (row := rows.get(v)) and any(row) else None for v in range(len(self._near))]
        self._check(decoder)
        return decoder

    def _independent(self, contexts: list[int]) -> bool:
        rows, width = [dict(enumerate(self._embeddings[j])) for j in contexts], self._data.dim
        return len(rows) <= width and rank(rows, width) == len(rows)

    def _together(self, tokens: list[int]) -> dict[int, list[Any]]:
        """Rows of tokens with dependent contexts, whose levels are unknowns too."""
        width = self._data.dim
        unknown = sorted({j for v in tokens for j in self._contexts_of[v]} - self._levels.keys())
        column = {j: len(tokens) * width + i for i, j in enumerate(unknown)}
        equations = []
        for i, v in enumerate(tokens):
            for j in self._contexts_of[v]:
                equation = {i * width + k: x for k, x in enumerate(self._embeddings[j])}
                if j in column:
                    equation[column[j]] = -1
                equations.append(equation)
        point = [x for v in tokens for x in self._near[v]] + [self._near_levels[j] for j in unknown]
        exact = snap(equations, [rational(0)] * len(equations), point, range(len(point)))
        if exact is None:
            raise NotExact("the equations are too hard for the primes at hand")
        self._levels.update({j: exact[c] for j, c in column.items()})
        return {v: exact[i * width : (i + 1) * width] for i, v in enumerate(tokens)}

    def _check(self, decoder: Decoder) -> None:
        """Raise if the exact rows are not a rounding away from the given ones, or break a rule."""
        zero = [rational(0)] * self._data.dim
        exactly = torch.tensor([[float(x) for x in row or zero] for row in decoder], dtype=torch.float64)
        moved = float((exactly - self._weights).abs().max())
        if moved > ROUNDING * self._size:
            raise NotExact(f"the nearest exact direction found is {moved:.1e} away, more than rounding")
        mask = self._pattern.mask().tolist()
        for v, row in enumerate(decoder):
            numerators, denominator = common_denominator(row or zero)
            for j, h in enumerate(self._embeddings):
                margin = self._levels[j] * denominator - sum(x * y for x, y in zip(h, numerators, strict=True))
                if (margin != 0) if mask[j][v] else (margin <= 0):
                    rule = "is not equal to that of its support" if mask[j][v] else "is not below those of the support"
                    token, context = self._data.token_name(v), self._data.context_name(j)
                    raise NotExact(f"the exact logit of {token} after {context} {rule}")


def _rounded(value: float, largest: float, bits: int) -> float:
    """The value to so many bits below the largest."""
    unit = math.ldexp(1.0, math.frexp(largest)[1] - bits)
    return round(value / unit) * unit
