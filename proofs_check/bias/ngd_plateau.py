"""Printed: normalised gradient descent with steps of length eta ends on soft labels at distance eta/2 from W* on F.

It need not: near W* it jumps to and fro along the top eigenvector of H_F between distances a and eta - a, for any a in
an interval around eta/2. The start decides a, not eta; radius, gradient, floor and effective step follow a. Repaired,
for the quadratic model x -> x - eta H x/||H x||, lam_j the eigenvalues of H:

    {a e_i, -(eta - a) e_i}, 0 < a < eta, is a cycle with multipliers 1 and 1 - rho (1 - rho) eta^2/(a (eta - a)),
    rho = lam_j/lam_i: unstable unless lam_i is the largest; then stable if a (eta - a) > eta^2/8.

Two radii sum to eta, two gradients to eta lam_max. The mean loss is at least eta^2 lam_max/8 and the mean effective
step at least 2/lam_max, with equality for a = eta/2 alone, where all printed values hold.
"""

from __future__ import annotations

import sympy as sp
from mpmath import iv

from ..kit.algebra import is_zero
from ..kit.intervals import interval
from ..statement import Statement

statement = Statement(
    "bias/ngd-plateau",
    source="derived (D6)",
    verdict="refuted as written",
    repair="open",
    missing="that runs on data with dim F >= 2 come near such a cycle, and that third derivatives and the tail leave "
    "it attracting (argued only); why starts from afar end close to a = eta/2, as measured; the law of the tail with "
    "steps above 2/L; the radius after finitely many steps, and that for eta_k ~ k^(-1/2)",
    needs=["bias/split"],
)

a, b, eta, lam, rho = sp.symbols("a b eta lam rho", positive=True)  # eta = a + b


@statement.refutes("model, one eigenvector: a -> a - eta -> a for every 0 < a < eta, not for eta/2 alone")
def any_amplitude() -> bool:
    def step(x: sp.Expr) -> sp.Expr:
        return x - (a + b) * lam * x / sp.Abs(lam * x)

    return is_zero(step(a) + b) and is_zero(step(step(a)) - a)


@statement.refutes(
    "V = 3, h = 1, p = (1/2, 1/2, 0), eta = 1/100, W_0 = eta/4 on F, 40 off it: ||P_F W_k - W*|| < 0.26 eta, k even"
)
def never_settles() -> bool:
    # W = (z + u, z - u, 0) up to multiples of (1, 1, 1); eps = softmax_3; W* = 0, ||P_F W|| = sqrt(2) |u|
    u, z = sp.symbols("u z", real=True)
    total = sp.exp(z + u) + sp.exp(z - u) + 1
    g = sp.Matrix([sp.exp(z + u) / total - sp.Rational(1, 2), sp.exp(z - u) / total - sp.Rational(1, 2), 1 / total])
    eps = 1 / total
    on_f = (1 - eps) * sp.sinh(u) / sp.cosh(u) / sp.sqrt(2)  # along (1, -1, 0)/sqrt(2)
    form = is_zero(((g[0] - g[1]) / sp.sqrt(2) - on_f).rewrite(sp.exp))
    form = form and is_zero(g[0] + g[1] + g[2]) and is_zero((g[0] + g[1]) / 2 - g[2] + sp.Rational(3, 2) * eps)
    form = form and is_zero((g.dot(g) - on_f**2 - sp.Rational(3, 2) * eps**2).rewrite(sp.exp))
    # A step on F has length eta cos, 1 - cos <= tan^2/2 = (3/2) eps^2/(2 on_f^2). z grows by (3/2) eta eps/||g||, and
    # ||g|| <= eta while |u| < eta: e^z grows by at least (3/2) e^z eps >= 3/8. So eps_k <= 1/(2 (e^40 + 3k/8)), and
    # sum eps_k^2 <= (e^-80 + e^-40/(3/8))/4: all jumps together lack less than eta/100, and |u| stays in bounds.
    length, growth = interval("0.01"), interval(3) / 8
    least = length * interval("0.24") / iv.sqrt(2)
    tanh = (iv.exp(2 * least) - 1) / (iv.exp(2 * least) + 1)
    slope = (1 - iv.exp(-40)) * tanh / iv.sqrt(2)
    squares = (iv.exp(-80) + iv.exp(-40) / growth) / 4
    short = length * interval("1.5") * squares / (2 * slope**2)
    norm = length * interval("0.76") / 2 + 2 * iv.exp(-40)  # tanh u <= u, and sqrt(3/2) eps <= 2 e^-40
    bulk = 1 / (iv.exp(length) + iv.exp(-length) + iv.exp(-40))  # eps e^z, at least
    rises = bool((interval("1.5") * bulk).a > growth.b)
    return form and bool(short.b < (length / 100).a) and bool(norm.b <= length.a) and rises


@statement.proves(
    "the derivative of the model's step at a e_i is 1 along e_i and 1 - eta rho/a along e_j; at -b e_i, rho/b"
)
def derivative() -> bool:
    x, y = sp.symbols("x y", real=True)
    h = sp.Matrix([lam * x, rho * lam * y])
    step = sp.Matrix([x, y]) - (a + b) * h / sp.sqrt(h.dot(h))
    jacobian = step.jacobian([x, y])
    ends = [jacobian.subs({x: end, y: 0}) for end in (a, -b)]
    return all(is_zero(d - sp.diag(1, 1 - (a + b) * rho / end)) for d, end in zip(ends, (a, b), strict=True))


@statement.proves("the multiplier of both steps is 1 - rho (1 - rho) eta^2/(a b), eta = a + b")
def multiplier() -> bool:
    both = (1 - (a + b) * rho / a) * (1 - (a + b) * rho / b)
    return is_zero(both - (1 - rho * (1 - rho) * (a + b) ** 2 / (a * b)))


@statement.proves(
    "unstable for rho > 1; for rho < 1 below 1, and above -1 if eta^2/(a b) < 8, because rho (1 - rho) <= 1/4"
)
def stability() -> bool:
    excess = sp.Symbol("e", positive=True)
    beyond = -(1 + excess) * (1 - (1 + excess)) * (a + b) ** 2 / (a * b)  # multiplier - 1
    within = (rho * (1 - rho)).subs(rho, 1 / (1 + excess))
    square = is_zero(sp.Rational(1, 4) - rho * (1 - rho) - (rho - sp.Rational(1, 2)) ** 2)
    least = 1 - sp.Rational(1, 4) * 8
    return (
        sp.factor(beyond).is_positive is True and sp.factor(within).is_positive is True and square and bool(least == -1)
    )


@statement.proves("the cycles persist under small third derivatives: their equations have a determinant that is not 0")
def persistence() -> bool:
    # ends (a, y), (a, y) - eta (1, v), gradients (lam x, rho lam y) along (1, v) at both: implicit functions for y, v
    y, v = sp.symbols("y v", real=True)
    ends = [(a, y), (a - (a + b), y - (a + b) * v)]
    across = [rho * second - first * v for first, second in ends]
    found = sp.Matrix(across).jacobian([y, v]).det()
    return is_zero(found - rho * (1 - rho) * (a + b))


@statement.proves("on the cycle: radii sum to eta, gradients to eta lam; mean loss >= eta^2 lam/8, mean step >= 2/lam")
def averages() -> bool:
    x, total = sp.Symbol("x", real=True), a + b
    gradients = [sp.diff(lam * x**2 / 2, x).subs(x, radius) for radius in (a, b)]
    loss = lam * (a**2 + b**2) / 4 - lam * total**2 / 8
    step = (total / gradients[0] + total / gradients[1]) / 2 - 2 / lam
    exact = is_zero(loss - lam * (a - b) ** 2 / 8) and is_zero(step - (a - b) ** 2 / (2 * lam * a * b))
    return exact and is_zero(sum(gradients) - total * lam)


@statement.proves("at a = eta/2: gradient eta lam/2, loss eta^2 lam/8, effective step 2/lam, as printed")
def symmetric_cycle() -> bool:
    x = eta / 2
    gradient, loss = sp.diff(lam * a**2 / 2, a).subs(a, x), (lam * a**2 / 2).subs(a, x)
    printed = eta * lam / 2, eta**2 * lam / 8, 2 / lam
    return all(is_zero(f - g) for f, g in zip((gradient, loss, eta / gradient), printed, strict=True))


statement.argues(
    "near the cycles of CE_F for small eta the tail, of order 1/k, turns steps by O(1/k) and so moves a by O(1/k^2) "
    "each: runs that start near a stable cycle converge to one near it"
)
