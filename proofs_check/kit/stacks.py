"""Small stacks of attention layers with any norms, scores, values and blocks, and detached copies as constants."""

from __future__ import annotations

from typing import Literal

import sympy as sp

__all__ = ["Blocked", "Stack"]

Blocked = Literal["nothing", "hidden states", "keys and values", "zeroed"]


class Stack:
    """States ``states[layer][position]`` of a causal stack as expressions in the inputs r1, r2, ...

    What is detached becomes a symbol of its own, a constant for every derivative; `equated` puts its value back. With
    keys and values zeroed past scores and values are 0.

    Examples
    --------
    >>> plain, myopic = Stack(1, 2, "nothing"), Stack(1, 2, "hidden states")
    >>> first = plain.inputs[0]
    >>> first in plain.states[1][1].free_symbols, first in myopic.states[1][1].free_symbols
    (True, False)
    """

    def __init__(self, layers: int, positions: int, blocked: Blocked) -> None:
        self.inputs = list(sp.symbols(f"r1:{positions + 1}"))
        self.blocked = blocked
        self.values: dict[sp.Symbol, sp.Expr] = {}
        self.states: list[list[sp.Expr]] = [list(self.inputs)]
        for layer in range(1, layers + 1):
            norm, after = (sp.Function(f"{name}{layer}") for name in ("norm", "block"))
            normed = [norm(state) for state in self.states[-1]]
            rows = [self._head(layer, normed, n) for n in range(positions)]
            self.states.append([after(s, row) for s, row in zip(self.states[-1], rows, strict=True)])

    def detach(self, expression: sp.Expr) -> sp.Symbol:
        """A constant with the value of an expression."""
        symbol = sp.Dummy("sg")
        self.values[symbol] = expression
        return symbol

    def equated(self, expression: sp.Expr) -> sp.Expr:
        """An expression with every detached value put back."""
        for symbol in reversed(self.values):  # a later one may hold earlier ones
            expression = expression.xreplace({symbol: self.values[symbol]})
        return expression

    def _head(self, layer: int, normed: list[sp.Expr], n: int) -> sp.Expr:
        """``A V' + diag(A) (V - V')`` at position n."""
        query, key, value = (sp.Function(f"{name}{layer}") for name in ("query", "key", "value"))
        score, w_k, w_v = sp.Function(f"score{layer}"), sp.Symbol(f"w_k{layer}"), sp.Symbol(f"w_v{layer}")
        keys = [self._past(key, w_k, source) for source in normed[: n + 1]]
        values = [self._past(value, w_v, source) for source in normed[: n + 1]]
        scores = [0 if self.blocked == "zeroed" else score(query(normed[n]), k) for k in keys]
        scores[n] = score(query(normed[n]), key(w_k, normed[n]))  # the diagonal is live
        total = sum(sp.exp(s) for s in scores)
        mixed = sum(sp.exp(s) / total * v for s, v in zip(scores, values, strict=True))
        return mixed + sp.exp(scores[n]) / total * (value(w_v, normed[n]) - values[n])

    def _past(self, made: sp.Expr, weight: sp.Symbol, source: sp.Expr) -> sp.Expr:
        if self.blocked == "zeroed":
            return sp.S.Zero
        if self.blocked == "hidden states":
            return made(weight, self.detach(source))
        return self.detach(made(weight, source)) if self.blocked == "keys and values" else made(weight, source)
