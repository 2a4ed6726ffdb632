"""If the loss comes arbitrarily close to the entropy, the data is compatible and separable.

    inf CE = H    implies    (4) has a solution and (6) has a solution

Take decoders W_k with d_k = CE(W_k) - H -> 0. For every context j, d_k / pi_j bounds sum_z g(q_z) and -log(1 - eps_j),
where q is the softmax restricted to the support S_j, eps_j the mass off it, g(q) = p log(p / q) - p + q >= (sqrt p -
sqrt q)^2. So q -> p: logit differences tend to the log-odds; a linear map has a closed range, so (4) holds for some
W*, and P_F W_k -> W*. And eps_j -> 0: margins of W_k tend to infinity, those of P_F W_k stay bounded, so W_k - P_F W_k
has equal logits on supports and positive margins at last, and scaled it satisfies (6).
"""

from __future__ import annotations

import sympy as sp

from ..kit.algebra import is_zero
from ..kit.data import sep_incompat
from ..statement import Statement

statement = Statement(
    "bias/converse",
    source="derived (D2)",
    verdict="proved",
    needs=["bias/split", "bias/entropy-floor", "bias/data-subspace", "bias/definition-2"],
    known=["Gram matrices of independent vectors are invertible"],
)

p, q, x = sp.symbols("p q x", positive=True)
k, N, r = sp.symbols("k N r", integer=True, positive=True)


def same(left: sp.Expr, right: sp.Expr) -> bool:
    """Equality of matrix expressions once multiplied out."""
    return bool(sp.expand(left).doit() == sp.expand(right).doit())


@statement.proves(
    "g(q) >= (sqrt p - sqrt q)^2: with q = p x^2 the surplus is 2 p (x - 1 - log x), least at x = 1, where it is 0"
)
def square_roots() -> bool:
    gap = (p * sp.log(p / q) - p + q - (sp.sqrt(p) - sp.sqrt(q)) ** 2).subs(q, p * x**2)
    surplus = 2 * p * (x - 1 - sp.log(x))
    equal = is_zero(sp.expand_log(sp.expand(gap), force=True) - surplus)
    least = sp.solve(sp.diff(surplus, x), x) == [1] and surplus.subs(x, 1) == 0
    return bool(equal and least and sp.diff(surplus, x, 2).is_positive)


@statement.proves(
    "so |sqrt q - sqrt p| <= sqrt(d / pi) for every token, which tends to 0 with d, and log q - log p with it"
)
def logits() -> bool:
    d, pi = sp.symbols("d pi", positive=True)
    worst = (sp.sqrt(p) + sp.sqrt(d / pi)) ** 2, (sp.sqrt(p) - sp.sqrt(d / pi)) ** 2
    return all(sp.limit(sp.log(value) - sp.log(p), d, 0) == 0 for value in worst)


@statement.proves(
    "closed range: b_k = A c_k -> b gives n^T b = lim n^T A c_k = 0 for n = b - A (A^T A)^-1 A^T b, but n^T b = |n|^2"
)
def closed_range() -> bool:
    # the columns of A are a basis of the range
    A, b = sp.MatrixSymbol("A", k, r), sp.MatrixSymbol("b", k, 1)
    n = b - A * sp.Inverse(A.T * A) * A.T * b
    return same(A.T * n, sp.ZeroMatrix(r, 1)) and same(b.T * b - b.T * A * sp.Inverse(A.T * A) * A.T * b, n.T * b)


@statement.proves(
    "P_F W is a fixed linear map G^T (G G^T)^-1 of the differences G W; so P_F W_k converges with them, to W*"
)
def finite_part() -> bool:
    # rows of G: a basis of F among its generators
    G, W, b = sp.MatrixSymbol("G", k, N), sp.MatrixSymbol("W", N, 1), sp.MatrixSymbol("b", k, 1)
    back = G.T * sp.Inverse(G * G.T)
    part = back * G * W
    return same(G * part, G * W) and same(G * (W - part), sp.ZeroMatrix(k, 1)) and same(part.subs(G * W, b), back * b)


@statement.proves(
    "margins of W_k: l_z - l_v >= log(q_z (1 - eps) / eps), which tends to infinity as eps -> 0 with q_z -> p_z > 0"
)
def margins() -> bool:
    a, others, v, rest, eps = sp.symbols("a others v rest eps", positive=True)
    on, off = a + others, v + rest
    ratio = (a / on) * (1 - off / (on + off)) / (off / (on + off))  # q_z (1 - eps) / eps
    below = sp.factor(a / v - ratio)
    return bool(below.is_positive) and sp.limit(sp.log(q * (1 - eps) / eps), eps, 0) == sp.oo


@statement.proves("and eps -> 0 with d: -log(1 - eps) <= d / pi means eps <= 1 - e^(-d / pi)")
def off_support() -> bool:
    d, pi, eps = sp.symbols("d pi eps", positive=True)
    edge = sp.solve(sp.Eq(-sp.log(1 - eps), d / pi), eps)
    return bool(edge == [1 - sp.exp(-d / pi)] and sp.limit(edge[0], d, 0) == 0)


@statement.proves(
    "bounded part: with c = x_z - x_v, rows of X: (c.h)^2 <= |c|^2 |h|^2, since |c - t h|^2 >= 0 at t = c.h / "
    "|h|^2; |c|^2 <= 2 |X|^2"
)
def bounded_part() -> bool:
    cc, ch, hh, t, a, b = sp.symbols("cc ch hh t a b", real=True)  # inner products, and entries of two rows of X
    square = (cc - 2 * t * ch + t**2 * hh).subs(t, ch / hh)
    return is_zero(square * hh - (cc * hh - ch**2)) and is_zero(2 * (a**2 + b**2) - (a - b) ** 2 - (a + b) ** 2)


@statement.confirms("the log-odds equations have no solution, so its infimum is above H", instances="SEP-INCOMPAT")
def incompatible() -> bool:
    # h_3 = h_1 + h_2: the third equation would be the sum of the first two, log 4 + log(3/7) = log(7/13)
    data = sep_incompat()
    first, second, third = data.generators
    odds = [row[0] / row[1] for row in data.probabilities]
    return [a + b for a, b in zip(first, second, strict=True)] == third and odds[0] * odds[1] != odds[2]
