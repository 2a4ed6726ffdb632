"""Parallel heads are admissible drafts: the law stays exact, although their drafts do not see each other.

Head i of a multi-token model gives q_i(x_i | context), the same for all x_1 .. x_(i-1). Verification compares it with
p_i(x_i | context, x_1 .. x_(i-1)). `speculative/step` holds after every prefix for any law q that is fixed before x_i
is drawn, so it holds for a q that ignores a part of the prefix: Bayes-optimal heads (marginal laws) or any others.
"""

from __future__ import annotations

import sympy as sp

from ..kit.decoding import block, completed, generic_tokens, joint, keep, larger, law, smaller, table
from ..statement import Statement

statement = Statement("speculative/parallel-heads", source="derived", verdict="proved", needs=["speculative/step"])

# The symbols of a second token.
fresh = {
    sp.Symbol("p", nonnegative=True): sp.Symbol("p2", nonnegative=True),
    sp.Symbol("q", positive=True): sp.Symbol("q2", positive=True),
}


@statement.proves(
    "two drafts, the second of a q_2 that ignores x: tokens x and y, each in any order of p and q, are emitted with "
    "probability p(x) p(y|x); R and S are the probabilities of a refusal at x and, after x, at y"
)
def two_positions() -> bool:
    R, S = sp.symbols("R S", positive=True)
    for p_x, q_1 in generic_tokens():
        for p_y, q_2 in [(p.subs(fresh), q.subs(fresh)) for p, q in generic_tokens()]:
            kept_x = q_1 * keep(p_x, q_1) if q_1 != 0 else 0
            kept_y = q_2 * keep(p_y, q_2) if q_2 != 0 else 0
            refused_x, refused_y = R * (larger(p_x - q_1, 0) / R), S * (larger(p_y - q_2, 0) / S)
            # After a refusal a new block begins, exact by `speculative/step`.
            emitted = kept_x * (kept_y + refused_y) + refused_x * p_y
            if sp.cancel(emitted - p_x * p_y) != 0:
                return False
    return True


@statement.proves("the normaliser S(x) = 1 - sum_y min(p(y|x), q_2(y)) is that of max(0, p(.|x) - q_2), for every x")
def normaliser() -> bool:
    return all(sp.expand(larger(p - q, 0) - (p - smaller(p, q))) == 0 for p, q in generic_tokens())


@statement.confirms(
    "random heads and Bayes-optimal heads give the target's law", instances="3 + 3 tables, V = 3, gamma = 2"
)
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
