"""Verifying drafts one by one can keep fewer of them than verifying the block as a whole, at the same exact output law.

With p = (1/3, 2/3) and q = (2/3, 1/3) at both of gamma = 2 positions, verification token by token keeps 10/9 drafts on
average and block verification 11/9. Block verification carries w_i = min(1, w_(i-1) p(x_i) / q(x_i)), w_0 = 1, along
the drafts, keeps the first i of them for the largest i that passes an independent test of probability h_i, where

    h_gamma = w_gamma,    h_i = S_i / (S_i + 1 - w_i),    S_i = sum_x max(0, w_i p(x) - q(x)),

and then draws from max(0, w_i p - q), normalised (from p if all drafts are kept).
"""

from __future__ import annotations

from fractions import Fraction

from ..kit.decoding import Choose, Law, Model, block, completed, joint, larger, law, table
from ..statement import Statement

statement = Statement("speculative/block-verification", source="2403.10444; checked", verdict="proved")

P, Q = [Fraction(1, 3), Fraction(2, 3)], [Fraction(2, 3), Fraction(1, 3)]


def overshoot(w: Fraction, p: Law, q: Law) -> list[Fraction]:
    return [larger(w * a - b, Fraction(0)) for a, b in zip(p, q, strict=True)]


def whole_block(choose: Choose, target: Model, draft: Model, length: int) -> tuple[tuple[int, ...], int]:
    drafts: tuple[int, ...] = ()
    for _ in range(length):
        drafts = (*drafts, choose(draft(drafts)))
    weights, kept = [Fraction(1)], 0
    for i, x in enumerate(drafts, 1):
        before = drafts[: i - 1]
        weights.append(min(Fraction(1), weights[-1] * target(before)[x] / draft(before)[x]))
        passes = weights[-1]
        if i < length:
            over = sum(overshoot(weights[-1], target(drafts[:i]), draft(drafts[:i])))
            passes = over / (over + 1 - weights[-1]) if over + 1 - weights[-1] else Fraction(1)
        if choose([1 - passes, passes]):
            kept = i
    prefix = drafts[:kept]
    if kept == length:
        return (*prefix, choose(target(prefix))), kept
    parts = overshoot(weights[kept], target(prefix), draft(prefix))
    return (*prefix, choose([part / sum(parts) for part in parts])), kept


def mean_kept(procedure: str) -> Fraction:
    verify = {"token": block, "whole": whole_block}[procedure]
    found = law(lambda choose: verify(choose, lambda _: P, lambda _: Q, 2)[1])
    return sum((kept * weight for kept, weight in found.items()), Fraction(0))


@statement.proves("the mean number of kept drafts, over all branches: 10/9 token by token")
def token_by_token() -> bool:
    return mean_kept("token") == Fraction(10, 9)


@statement.proves("the mean number of kept drafts, over all branches: 11/9 for the block")
def whole() -> bool:
    return mean_kept("whole") == Fraction(11, 9)


@statement.proves("both give exactly the target's law of three tokens")
def same_law() -> bool:
    exact = joint(lambda _: P, 3)
    token = law(lambda choose: completed(choose, block(choose, lambda _: P, lambda _: Q, 2)[0], lambda _: P, 3))
    whole = law(lambda choose: completed(choose, whole_block(choose, lambda _: P, lambda _: Q, 2)[0], lambda _: P, 3))
    return token == whole == exact


@statement.confirms(
    "block verification is exact, and keeps at least as many", instances="4 rational tables, V = 2, gamma = 3"
)
def other_tables() -> bool:
    def exact(seed: int) -> bool:
        target, draft = table(seed, 2, 4), table(seed + 100, 2, 3)
        same = law(lambda c: completed(c, whole_block(c, target, draft, 3)[0], target, 4)) == joint(target, 4)
        token = law(lambda c: block(c, target, draft, 3)[1])
        whole = law(lambda c: whole_block(c, target, draft, 3)[1])
        return same and bool(sum(k * w for k, w in token.items()) <= sum(k * w for k, w in whole.items()))

    return all(exact(seed) for seed in range(4))
