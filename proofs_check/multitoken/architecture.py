"""Head i is softmax(f_u(f_hi(f_s(x)))): a shared trunk f_s, one layer f_hi of its own, a shared unembedding f_u.

Embedding and unembedding are separate matrices. With layers of l parameters, width d, vocabulary V and s trunk layers
the model of n heads has 2 V d + (s + n) l parameters; a head more costs l. Unembeddings of their own would cost
(n + 1) V d + (s + n) l, and a tied embedding would save V d. As f_u is shared, its gradient is the sum of the heads'.
"""

from __future__ import annotations

import sympy as sp

from ..kit.generic import split
from ..statement import Statement

statement = Statement("multitoken/architecture", source="2404.19737 Sec. 2, fn. 1", verdict="proved")

V, d, layer = sp.symbols("V d l", positive=True)
n, s = sp.symbols("n s", integer=True, positive=True)


def path(head: int, trunk: int, unembedding: str = "shared", tied: bool = False) -> dict[tuple[str, object], sp.Expr]:
    """The blocks that a head's input passes, each with its number of parameters."""
    blocks: dict[tuple[str, object], sp.Expr] = {("embedding", 0): V * d}
    blocks |= {("trunk", k): layer for k in range(trunk)} | {("head", head): layer}
    if not tied:
        blocks["unembedding", 0 if unembedding == "shared" else head] = V * d
    return blocks


def parameters(heads: int, trunk: int, **options: object) -> sp.Expr:
    """Every block counted once, however many heads pass it."""
    blocks = {key: size for i in range(heads) for key, size in path(i, trunk, **options).items()}  # type: ignore[arg-type]
    return sp.expand(sum(blocks.values()))


@statement.proves("n heads: V d + s l + sum_i l + V d = 2 V d + (s + n) l, and with unembeddings of their own n V d")
def counts() -> bool:
    i = sp.Symbol("i", integer=True, positive=True)
    shared = 2 * V * d + s * layer + split(sp.Sum(layer, (i, 1, n)))
    own = V * d + s * layer + split(sp.Sum(layer + V * d, (i, 1, n)))
    return bool(
        sp.expand(shared - (2 * V * d + (s + n) * layer)) == 0
        and sp.expand(own - ((n + 1) * V * d + (s + n) * layer)) == 0
        and sp.expand(shared.subs(n, n + 1) - shared) == layer
    )


@statement.proves(
    "head j's logits are U g_j: one head more adds g_j dL_j to the derivative in an entry of U, whatever the others are"
)
def gradient() -> bool:
    # One entry U of the unembedding, its input g in this head, and all else of the logit; any losses.
    U, g, rest, logit = sp.symbols("U g r logit")
    others, loss = sp.Function("others")(U), sp.Function("L")
    added = (others + loss(U * g + rest)).diff(U) - others.diff(U)
    return bool(sp.expand(added.doit() - g * loss(logit).diff(logit).subs(logit, U * g + rest).doit()) == 0)


@statement.confirms(
    "distinct blocks on the heads' paths, counted once", instances="n <= 8 heads, trunks of up to 4 layers"
)
def enumerated() -> bool:
    return all(
        sp.expand(parameters(heads, trunk) - (2 * V * d + (trunk + heads) * layer)) == 0
        and sp.expand(parameters(heads, trunk, unembedding="own") - ((heads + 1) * V * d + (trunk + heads) * layer))
        == 0
        and sp.expand(parameters(heads, trunk) - parameters(heads, trunk, tied=True) - V * d) == 0
        for heads in range(1, 9)
        for trunk in range(5)
    )
