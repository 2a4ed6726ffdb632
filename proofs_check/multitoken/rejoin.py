"""If branches rejoin after j tokens, a choice counts sum_i min(i, j) = j n - j (j - 1) / 2 times in the n-step loss.

Here j <= n; for j >= n the count is n(n+1)/2, and for j = 1 it is n. Head i is wrong from the positions t with
t <= c < t + i <= c + j, c the last position before the choice: min(i, j) of them. So a choice is more or less
consequential by degrees: j = 2 gives 2 n - 1.
"""

from __future__ import annotations

import sympy as sp

from ..statement import Statement

statement = Statement("multitoken/rejoin", source="derived", verdict="proved", needs=["multitoken/choice-points"])

i, j, n, spare, t = sp.symbols("i j n spare t", integer=True, positive=True)


def count(branch: sp.Expr, heads: sp.Expr) -> sp.Expr:
    return branch * heads - branch * (branch - 1) / 2


@statement.proves("the positions of head i: t from c + 1 - i to c meet targets up to c + i; i of them, or j if i > j")
def per_head() -> bool:
    c = sp.Symbol("c", integer=True)
    short = sp.Sum(1, (t, c + 1 - i, c)).doit()  # i <= j: the choice is the only limit
    beyond = sp.Sum(1, (t, c + 1 - i, c + j - i)).doit()  # i > j: targets after c + j are the same on both branches
    return bool(sp.simplify(short - i) == 0 and sp.simplify(beyond - j) == 0)


@statement.proves("j <= n: sum_(i<=j) i + sum_(j<i<=n) j = j n - j (j - 1) / 2")
def total() -> bool:
    heads = j + spare
    counted = sp.Sum(i, (i, 1, j)).doit() + sp.Sum(j, (i, j + 1, heads)).doit()
    return bool(sp.expand(counted - count(j, heads)) == 0)


@statement.proves("the ends: j = 1 gives n, j = n gives n(n+1)/2, j = 2 gives 2 n - 1")
def ends() -> bool:
    return bool(
        sp.expand(count(sp.Integer(1), n) - n) == 0
        and sp.expand(count(n, n) - n * (n + 1) / 2) == 0
        and sp.expand(count(sp.Integer(2), n) - (2 * n - 1)) == 0
    )


@statement.confirms("counted on two explicit branches that rejoin", instances="n <= 8, j <= 10")
def counted() -> bool:
    def wrong(heads: int, branch: int) -> int:
        length, c = 40, 15
        better = list(range(length))
        other = [k + 100 if c < k <= c + branch else k for k in better]
        # A model that has not seen the choice predicts the other branch.
        predictions = [
            (other if t <= c else better)[t + head] == better[t + head]
            for t in range(30)
            for head in range(1, heads + 1)
        ]
        return predictions.count(False)

    return all(
        wrong(heads, branch) == count(sp.Integer(min(branch, heads)), sp.Integer(heads))
        for heads in range(1, 9)
        for branch in range(1, 11)
    )
