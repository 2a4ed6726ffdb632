"""With momentum (Signum, Muon, and the like in any norm of the setting) the margin gap is O((d log t + d n) / sqrt t).

    M_t = beta M_{t-1} + (1 - beta) grad L(W_t), M_0 = 0;   W_{t+1} = W_t - eta_t argmax_{||D|| <= 1} <M_t, D>

with a t^{-1/2} <= eta_t <= b t^{-1/2}, 0 < beta < 1, one-hot separable data. Shown: even O((n + log t) / sqrt t), with
no factor d beside B = max ||h_i||_1. The source's own proof is not in our notes; this one bounds the error of the
average by ||M_t - grad L_t||_sum <= kappa eta_t G_t from some t on. That gives the descent inequality with
alpha' = (2 B^2 e^{2 B b} + 2 kappa) / gamma, from which the proof of Theorem 1 goes through word by word.
"""

from __future__ import annotations

import sympy as sp

from ..kit.generic import nonnegative_from_zero, split
from ..statement import Statement

statement = Statement(
    "steepest/theorem-2",
    source="2502.04664 Thm 2",
    verdict="proved",
    needs=["steepest/theorem-1", "steepest/lemma-3", "steepest/lemma-4", "steepest/descent"],
    known=["a convergent sequence is bounded; geometric series"],
)

a, b, gamma, size, eta, x, t = sp.symbols("a b gamma B eta x t", positive=True)
odds = sp.Symbol("o", positive=True)
beta = odds / (1 + odds)  # any number in (0, 1)
c, N, k = sp.symbols("c N k", integer=True, positive=True)
r, move = sp.symbols("r D", nonnegative=True)


@statement.proves(
    "<grad, D> >= ||grad||_* - 2e with e = ||M - grad||_*: <M, D> = ||M||_* >= ||grad||_* - e, <grad - M, D> >= -e"
)
def alignment() -> bool:
    long, error, p, q = sp.symbols("g e p q", nonnegative=True)  # p, q: what the two inequalities leave
    return bool(sp.expand((long - error + p) + (-error + q) - (long - 2 * error)).is_nonnegative)


@statement.proves(
    "logits that move by at most D/2 change a probability by a factor in [e^-D, e^D], so by at most (e^D - 1) S_c"
)
def probabilities() -> bool:
    s, below = sp.IndexedBase("s", nonnegative=True), sp.IndexedBase("u", nonnegative=True)
    # with e^{delta_k} = e^{D/2} - u_k, the mean of e^delta is at most e^{D/2}; with e^{-D/2} + u_k, at least e^{-D/2}
    total, rest = sp.Sum(s[c], (c, 1, N)), sp.Sum(s[c] * below[c], (c, 1, N))
    top = sp.exp(move / 2) * total - sp.Sum(s[c] * (sp.exp(move / 2) - below[c]), (c, 1, N))
    low = sp.Sum(s[c] * (sp.exp(-move / 2) + below[c]), (c, 1, N)) - sp.exp(-move / 2) * total
    mean = split(top - rest) == split(low - rest) == 0 and (s[c] * below[c]).is_nonnegative
    ratios = sp.simplify(sp.exp(move / 2) / sp.exp(-move / 2) - sp.exp(move)) == 0
    down = nonnegative_from_zero((sp.exp(move) - 1) - (1 - sp.exp(-move)), move)
    return bool(mean and ratios and down)


@statement.proves(
    "so |S' - S| sums to at most 2 (e^D - 1)(1 - S_y), the label's part being minus the others':"
    " the gradient moves by at most 2 B (e^D - 1) G"
)
def gradients() -> bool:
    s, change = (
        sp.IndexedBase("s", nonnegative=True),
        sp.IndexedBase("x", real=True),
    )  # the N others; S_y = 1 - their sum
    after = 1 - sp.Sum(s[c] + change[c], (c, 1, N))
    before = 1 - sp.Sum(s[c], (c, 1, N))
    label = split(after - before + sp.Sum(change[c], (c, 1, N))) == 0
    below = sp.IndexedBase("u", nonnegative=True)  # |x_c| = (e^D - 1) s_c - u_c, on the label at most their sum
    both = 2 * sp.Sum((sp.exp(move) - 1) * s[c] - below[c], (c, 1, N))
    gap = split(2 * (sp.exp(move) - 1) * sp.Sum(s[c], (c, 1, N)) - both - 2 * sp.Sum(below[c], (c, 1, N)))
    return bool(label and sp.simplify(gap) == 0)


@statement.proves(
    "M_t - grad_t = (1 - beta) sum_{k<t} beta^k (grad_{t-k} - grad_t) - beta^t grad_t, as the weights sum to 1 - beta^t"
)
def error() -> bool:
    e, m, now = sp.Symbol("beta", positive=True), sp.IndexedBase("g", real=True), sp.Symbol("g_t", real=True)
    count = sp.Symbol("n", integer=True, positive=True)
    recursion = sp.simplify(e * (1 - e**count) + (1 - e) - (1 - e ** (count + 1))) == 0
    average = sp.Sum((1 - e) * e**k * m[k], (k, 0, count - 1))
    differences = sp.Sum((1 - e) * e**k * (m[k] - now), (k, 0, count - 1))
    weights = sp.Sum(e**k, (k, 0, count - 1)) * (1 - e)
    return bool(recursion and split(average - now - (differences - (1 - weights) * now)) == 0)


@statement.proves(
    "the last k steps sum to at most 2 b k / sqrt(t-1), by 1/sqrt s <= 2 (sqrt s - sqrt(s-1)):"
    " D_k <= k x, x = 4 B b / sqrt(t-1)"
)
def path() -> bool:
    root, step = sp.Symbol("q", nonnegative=True), sp.Symbol("d", positive=True)  # sqrt(s-1) = q, sqrt s = q + d
    one = sp.factor(2 * step - sp.expand((root + step) ** 2 - root**2) / (root + step))
    f = sp.Function("f")
    s, first, last = sp.symbols("s p q", integer=True)
    telescopes = sp.Sum(f(s) - f(s - 1), (s, first, last)).doit() == f(last) - f(first - 1)
    # sqrt(t-1) = q + d and sqrt(t-1-k) = q: then k = (q + d)^2 - q^2, and 2d <= 2k / (q + d)
    back = sp.factor(2 * sp.expand((root + step) ** 2 - root**2) / (root + step) - 2 * step)
    return bool(one.is_nonnegative and telescopes and back.is_nonnegative)


@statement.proves(
    "(1 - beta) sum_k beta^k (e^{kx} - 1) = beta (e^x - 1)/(1 - beta e^x) = O(x);"
    " sqrt t x and sqrt t beta^t have finite limits, x = 4 B b/sqrt(t-1)"
)
def small() -> bool:
    e, ratio = sp.symbols("beta y", positive=True)  # geometric series, with ratios beta e^x = beta y < 1 and beta
    total = (1 - e) * (1 / (1 - e * ratio) - 1 / (1 - e))
    closed = e * (ratio - 1) / (1 - e * ratio)
    z = sp.Symbol("z", positive=True)
    partial = sp.simplify((1 - z) * z**N + (1 - z**N) - (1 - z ** (N + 1)))  # (1 - z) sum_{k<N} z^k = 1 - z^N
    grows = sp.limit(closed.subs({e: beta, ratio: sp.exp(x)}) / x, x, 0, "+")
    roots = sp.limit(sp.sqrt(t) * 4 * size * b / sp.sqrt(t - 1), t, sp.oo)
    fades = sp.limit(sp.sqrt(t) * sp.exp(-t * sp.log(1 + 1 / odds)), t, sp.oo)
    return bool(
        sp.simplify(total - closed) == 0
        and partial == 0
        and sp.simplify(grows - odds) == 0
        and roots == 4 * size * b
        and fades == 0
        and sp.simplify(sp.exp(-sp.log(1 + 1 / odds)) - beta) == 0
    )


@statement.proves("so e <= kappa eta G, and the descent inequality holds with alpha' in place of alpha_{s1}")
def descent() -> bool:
    kappa, level, proxy = sp.symbols("kappa L G", positive=True)
    curvature = 4 * (eta * size) ** 2 * sp.exp(2 * size * b) * proxy  # at most, as in `steepest/descent`, eta <= b
    after = level - eta * (gamma * proxy - 2 * kappa * eta * proxy) + curvature / 2
    alpha = (2 * size**2 * sp.exp(2 * size * b) + 2 * kappa) / gamma
    return bool(sp.expand(after - (level - gamma * eta * (1 - alpha * eta) * proxy)) == 0)


@statement.proves("K (n + log t)/sqrt t is at most K (d n + d log t)/sqrt t, as d >= 1")
def dimension() -> bool:
    more, samples, logarithm = sp.symbols("m n l", nonnegative=True)
    return bool(sp.expand((1 + more) * (samples + logarithm) - (samples + logarithm)).is_nonnegative)
