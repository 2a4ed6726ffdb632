"""Parallel heads are admissible drafts: the law stays exact, although their drafts do not see each other.

Head i of a multi-token model gives q_i(x_i | context), the same for all x_1 .. x_(i-1). Verification compares it with
p_i(x_i | context, x_1 .. x_(i-1)). `speculative/step` holds after every prefix for any law q that is fixed before x_i is
drawn, so it holds for a q that ignores a part of the prefix: Bayes-optimal heads (marginal laws) or any others.
"""

from __future__ import annotations

import sympy as sp

from ..kit.decoding import block, completed, generic_tokens, joint, keep, larger, law, residual, table
from ..statement import Statement

statement = Statement("speculative/parallel-heads", source="derived", verdict="proved", needs=["speculative/step"])


@statement.proves(
    "two prefixes, one head: with one q and the prefix's own p and probability of refusal, each prefix's law is its p"
)
def one_head_for_all() -> bool:
    tokens = [(p, q) for p, q in generic_tokens() if q != 0]
    refusals = sp.symbols("R1 R2", positive=True)
    # The order of p and q may differ from prefix to prefix: every combination of orders.
    return all(
        sp.cancel(q * keep(p, q) + refused * larger(p - q, 0) / refused - p) == 0
        for refused in refusals
        for p, q in tokens
    )


@statement.proves("two drafts, V = 2, all laws p(x), p(y|0), p(y|1), q_1, q_2 symbolic: the block's law is p(x) p(y|x)")
def symbolic_block() -> bool:
    # Odds instead of probabilities; p(y|0) is above q_2 and p(y|1) below it, so that no q_2 depends on x.
    a, b, c, d, e, f = sp.symbols("a b c d e f", positive=True)
    first, second = a + b + c, d + e + f
    p_x, q_1 = [(a + b) / first, c / first], [a / first, (b + c) / first]
    p_y = {0: [(d + e) / second, f / second], 1: [d / (2 * second), 1 - d / (2 * second)]}
    q_2 = [d / second, (e + f) / second]
    found: dict[tuple[int, ...], sp.Expr] = {}
    for x in (0, 1):
        for y in (0, 1):
            kept_x, kept_y = keep(p_x[x], q_1[x]), keep(p_y[x][y], q_2[y])
            both = q_1[x] * q_2[y] * kept_x
            found[x, y] = found.get((x, y), 0) + both * kept_y
            for z, weight in enumerate(residual(p_y[x], q_2)):
                found[x, z] = found.get((x, z), 0) + both * (1 - kept_y) * weight
            for z, weight in enumerate(residual(p_x, q_1)):
                for then in (0, 1):  # a new block, exact by induction
                    path = (z, then)
                    found[path] = found.get(path, 0) + q_1[x] * q_2[y] * (1 - kept_x) * weight * p_y[z][then]
    return all(sp.cancel(weight - p_x[x] * p_y[x][y]) == 0 for (x, y), weight in found.items())


@statement.confirms("random heads and Bayes-optimal heads give the target's law", instances="3 + 3 tables, V = 3, gamma = 2")
def enumerated() -> bool:
    def exact(seed: int, bayes: bool) -> bool:
        target, heads = table(seed, 3, 3), table(seed + 100, 3, 2, width=0)
        if bayes:
            pairs = joint(target, 2)
            marginal = [sum(weight for (_, y), weight in pairs.items() if y == token) for token in range(3)]
            laws = [target(()), marginal]
            return law(
                lambda choose: completed(choose, block(choose, target, lambda t: laws[len(t)], 2)[0], target, 3)
            ) == joint(target, 3)
        return law(lambda choose: completed(choose, block(choose, target, heads, 2)[0], target, 3)) == joint(target, 3)

    return all(exact(seed, bayes) for seed in range(3) for bayes in (False, True))
