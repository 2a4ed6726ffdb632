"""On separable data gradient descent goes to infinity as W_mm log k plus a constant matrix.

    W_k = W_mm log k + W~ + o(1),   P_F W~ = W*

W* minimises CE_F on F, and W_mm = sum_i alpha_i a_i is the smallest matrix off F with <a_i, W> >= 1 for all i, where
i = (j, v) runs over contexts and off-support tokens and a_i = P_perp (e_z - e_v) h_j^T. Hypotheses: alpha_i > 0 for
every active constraint, and 0 < eta < 2/L, L the smoothness constant of CE; the start is arbitrary. Also
sum alpha_i = ||W_mm||^2.

Proof. With t = eta k compare W_k with U(t) = W* + W_mm log t + X + v/t, where X solves pi_j c_i exp(-<a_i, X>) =
alpha_i for active i, c_i = pbar_{j,z} exp(-<(e_z - e_v) h_j^T, W*>) (where normals are dependent, for one of the
possible alpha: `bias/offset`), and H_F v = -P_F sum alpha_i (e_v - pbar_j) h_j^T. Let theta be the least slack
<a_i, W_mm> - 1 of the inactive constraints and m = min(theta, 1). (1) U misses a gradient step by O(k^(-1-m)). (2) A
step does not expand distances, so r = W_k - U is bounded. (3) On bounded sets the Hessian is at least mu/k on the sum A
of F and the span of the active a_i, where its pairs of tokens vanish together at 0 alone: the A part of r tends to 0.
(4) Outside A only inactive constraints move W, by O(k^(-1-m)): that part of r converges. Gradient flow: with k = t.
"""

from __future__ import annotations

import sympy as sp

from ..kit.algebra import is_zero
from ..kit.generic import nonnegative_from_zero
from ..statement import Statement

statement = Statement(
    "bias/sharp-gd-expansion",
    source="derived (D4)",
    verdict="proved",
    needs=["bias/split", "bias/smoothness", "bias/definition-3", "bias/any-data"],
    known=[
        "a continuous function that grows without bound has a minimum; definite forms are at least const |x|^2",
        "a decreasing summand has sums near its integral; summable increments make a sequence converge",
    ],
)

# x = 1/t, y = x^theta. One context of weight p: one active token (multiplier alpha), all other active ones (beta), all
# inactive ones (odds x y c). Along v/t the exponential of a token is multiplied by 1 + x d, and the sum over the
# support by 1 + x m: d and m are bounded functions of x, with any number of tokens behind m.
x, y, p, alpha, beta, c, q, eta, k = sp.symbols("x y p alpha beta c q eta k", positive=True)
d, d2, m, m2, n = sp.symbols("d d2 m m2 n", real=True)
active = x * alpha / p * (1 + x * d) / (1 + x * m)
others = x * beta / p * (1 + x * n) / (1 + x * m)
inactive = x * y * c / (1 + x * m)
total = active + others + inactive


def bounded(expression: sp.Expr) -> bool:
    """Whether a rational function of x and y is bounded near x = y = 0: its denominator does not vanish there."""
    return bool(sp.denom(sp.cancel(expression)).subs({x: 0, y: 0}) != 0)


@statement.proves("||W_mm||^2 = sum alpha_i <a_i, W_mm> in any dimension: sum alpha_i, by slackness")
def sum_of_multipliers() -> bool:
    rows, dim = sp.symbols("n D", integer=True, positive=True)
    normals, multipliers = sp.MatrixSymbol("A", rows, dim), sp.MatrixSymbol("alpha", rows, 1)
    decoder = normals.T * multipliers
    return bool(decoder.T * decoder == multipliers.T * (normals * decoder))


@statement.proves("X exists: it minimises sum c_i e^(-x_i) + alpha_i x_i, whose terms grow to both sides")
def potential() -> bool:
    term = c * sp.exp(-n) + alpha * n  # n = x_i
    grows = all(sp.limit(term, n, end) == sp.oo for end in (-sp.oo, sp.oo))
    return grows and is_zero(sp.diff(term, n) + c * sp.exp(-n) - alpha)


@statement.proves("(1) at U: pi softmax_v = alpha/t + O(t^-2) if active, with sum alpha a = W_mm; else O(t^-1-theta)")
def residual_off_f() -> bool:
    first = (p * active / (1 + total) - alpha * x) / x**2
    return bounded(first) and bounded(p * inactive / (1 + total) / (x * y)) and not bounded(first / x)


@statement.proves("(1) at U, in-support: pi (softmax_z - q_z) = (pi q_z (d_z - q d) - q_z sum alpha)/t + O(t^-1-m)")
def residual_on_f() -> bool:
    # Hessian of CE_F applied to v, and force of the tail: they cancel on F by definition of v. m = q d; alpha is a sum.
    softmax = q * (1 + x * d + x**2 * d2) / (1 + x * m + x**2 * m2) / (1 + x * alpha / p * (1 + x * n) + x * y * c)
    rest = p * (softmax - q) - x * (p * q * (d - m) - q * alpha)
    return bounded(rest.subs(y, 0) / x**2) and bounded((rest - rest.subs(y, 0)) / (x * y))


@statement.proves("(1) log sum q_z e^(x d_z + y g_z) has slope q d and Hessian sum g_z q_z (d_z - q d) at 0: any S_j")
def hessian_form() -> bool:
    z, size = sp.symbols("z S", integer=True, positive=True)
    w, first, second = (sp.IndexedBase(name, real=True) for name in ("w", "d", "g"))
    sums = [sp.Sum(w[z] * part, (z, 1, size)) for part in (1, first[z], second[z], first[z] * second[z])]
    level = sp.log(sp.Sum(w[z] * sp.exp(x * first[z] + y * second[z]), (z, 1, size)))
    slope, mixed = (sp.expand(sp.diff(level, *by).subs({x: 0, y: 0}).doit()) for by in ((x,), (x, y)))
    image = sums[3] - sums[1] * sums[2]  # sum g_z w_z (d_z - sum w d), for sum w = 1
    return is_zero((slope - sums[1]).subs(sums[0], 1)) and is_zero((mixed - image).subs(sums[0], 1))


@statement.proves(
    "(1) U moves by eta/t W_mm + O(k^-2) a step, log(1 + 1/k) = 1/k + O(k^-2), 1/k - 1/(k+1) = O(k^-2); (2) the misses "
    "k^(-1-m) have an integral of 1/m, so their sum is finite, and ||W_k - U|| <= its first value + const"
)
def increments() -> bool:
    small, first, last = sp.Symbol("m", positive=True), sp.log(1 + 1 / k) - 1 / k, 1 / k - 1 / (k + 1)
    limits = [sp.limit(k**2 * f, k, sp.oo) for f in (first, last)]
    return limits == [-sp.Rational(1, 2), 1] and is_zero(sp.integrate(k ** (-1 - small), (k, 1, sp.oo)) - 1 / small)


@statement.proves(
    "(2), (3) 0 <= h <= L, eta < 2/L: 1 - eta h, the spectrum of 1 - eta (mean Hessian), is in [-1 + c, 1], c = "
    "2 - eta L; for h >= mu/k it is at most 1 - eta mu/k in size, once k >= eta mu/c"
)
def nonexpansive() -> bool:
    u, w, late = sp.symbols("u w late", nonnegative=True)  # h = L u/(1+u), eta = (2/L) w/(1+w)
    factor = 1 - 2 * u / (1 + u) * w / (1 + w)
    above, below = sp.factor(1 - factor), sp.factor(1 + factor - 2 / (1 + w))
    small = sp.Symbol("s", positive=True)  # eta mu
    lowest = (-1 + 2 / (1 + w)) + (1 - small / k)  # plus 1 - eta mu/k
    room = sp.factor(lowest.subs(k, small * (1 + w) / 2 + late))
    return all(part.is_nonnegative is True for part in (above, below, room))


@statement.proves(
    "(3) logits within R of U, softmax within e^(2R): in sum s_u s_w (x_u - x_w)^2 (`bias/smoothness`) pairs of the "
    "support weigh >= const, active ones >= const/k"
)
def weights_of_pairs() -> bool:
    size, share, low, high = sp.symbols("R s a b", positive=True)
    # s_v e^delta / sum s e^delta' with all |delta| <= R: delta = -R + log(1 + a'), the mean = e^R / (1 + b)
    over = share * (sp.exp(-size) * (1 + low)) / (sp.exp(size) / (1 + high)) - share * sp.exp(-2 * size)
    under = share * sp.exp(2 * size) - share * (sp.exp(size) / (1 + low)) / (sp.exp(-size) * (1 + high))
    between = all(sp.factor(sp.simplify(gap)).is_positive is True for gap in (over, under))
    return between and bool(sp.limit((p * active / (1 + total)).subs(y, 0) / x, x, 0) == alpha)


@statement.proves(
    "(3) rho' <= (1 - mu/k) rho + C k^(-1-m), rho = ||r_A||, keeps rho <= K k^-nu if nu < mu, nu <= m, and K >= "
    "C/(mu - nu); and so does d rho/dk <= -(mu/k) rho + C k^(-1-m), in flow"
)
def decay() -> bool:
    nu, mu = sp.symbols("nu mu", positive=True)
    u = sp.Symbol("u", nonnegative=True)  # 1 + 1/k = e^u; (1 + 1/k)^-nu >= 1 - nu/k
    bernoulli = nonnegative_from_zero(sp.exp(-nu * u) - (1 - nu * (sp.exp(u) - 1)), u)
    left = (1 - nu / k) - (1 - mu / k)  # what is left for C k^(-1-m), over K k^-nu
    flow = sp.simplify((sp.diff(k**-nu, k) + mu / k * k**-nu) * k ** (1 + nu))
    return bernoulli and is_zero(left * k - (mu - nu)) and is_zero(flow - (mu - nu))


@statement.proves("(3), (4) off A the Hessian is O(k^-1-theta): there logits move at inactive tokens alone")
def coupling() -> bool:
    # logits move by l at inactive tokens (share s = softmax) and nowhere else: entries s_u (l_u - s l)
    move = sp.Symbol("l", real=True)
    share = inactive / (1 + total)
    inside = q / (1 + total) * (0 - share * move)
    return bounded(inside / (x * y)) and bounded(share * (move - share * move) / (x * y))
