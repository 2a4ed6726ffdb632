"""Once a homogeneous network fits, gradient flow never lowers its smoothed margin, and goes to a KKT direction.

L(x) = sum_i exp(-q_i(x)), each q_i smooth with q_i(c x) = c^h q_i(x) for c > 0, h > 0; flow x' = -grad L from a time
where L < 1; rho = |x|, M = log(1/L) / rho^h the smoothed margin, q_min the least of the q_i. Then

(1) M does not fall; M <= q_min / rho^h <= M + log n / rho^h.
(2) -L'/L^2 is of order log(1/L)^(2 - 2/h), so that L is of order 1/(t (log t)^(2 - 2/h)), rho of (log t)^(1/h).
(3) Every limit u of x/rho is, up to a factor, a KKT point of min |x|^2/2 subject to q_i(x) >= 1: u = sum mu_i grad
    q_i(u), mu_i >= 0, and mu_i > 0 only where q_i(u) is least.
(4) One-hot cross-entropy of a homogeneous model, L = sum_i log(1 + e^-q_i) with q_i = -log sum_v e^(-m_iv) over
    homogeneous m_iv: once L < log 2, -log(e^L - 1) / rho^h does not fall.

Recalled from Lyu and Li, who need less smoothness; proved here.
"""

from __future__ import annotations

import sympy as sp

from ..kit.algebra import is_zero
from ..kit.generic import nonnegative_from_zero
from ..statement import Statement

statement = Statement(
    "classical/lyu-li",
    source="1906.05890",
    verdict="proved",
    known=["Cauchy-Schwarz", "comparison of scalar differential equations", "spheres are compact"],
)

h, rho, loss, level, nu, speed, t, c, M, s = sp.symbols("h rho L level nu speed t c M s", positive=True)
more = sp.Symbol("more", nonnegative=True)
# level = log(1/L), speed = |x'|, nu = sum e^-q_i q_i. Euler: <x, grad q_i> = h q_i, so <x, x'> = h nu; L' = -speed^2.


@statement.proves("Euler's identity <x, grad q> = h q: the derivative of q(c x) = c^h q(x) at c = 1")
def euler() -> bool:
    q = sp.Symbol("q")
    return is_zero(sp.diff(c**h * q, c).subs(c, 1) - h * q)


@statement.proves("q_i >= log(1/L), a term being at most the sum, so nu >= L log(1/L); and q_min <= log(n/L)")
def nu_bound() -> bool:
    weight = sp.Symbol("weight", positive=True)  # e^-q_i, q_i = level + more
    least = sp.expand(weight * (level + more) - weight * level)
    # n e^-q_min - L is a sum of e^-q_min (1 - e^-more), q_i = q_min + more
    return bool(least.is_nonnegative) and nonnegative_from_zero(1 - sp.exp(-more), more)


@statement.proves("(1) speed >= <x, x'>/rho = h nu/rho: d log M/dt = speed^2/(L level) - h^2 nu/rho^2 >= 0")
def monotone() -> bool:
    f, r = sp.Function("L")(t), sp.Function("rho")(t)
    derivative = sp.diff(sp.log(-sp.log(f)) - h * sp.log(r), t)
    rates = {sp.diff(f, t): -(speed**2), sp.diff(r, t): h * nu / rho}  # rho rho' = <x, x'>
    found = derivative.subs(rates).subs({f: loss, r: rho}).subs(sp.log(loss), -level)
    claimed = speed**2 / (loss * level) - h**2 * nu / rho**2
    least = claimed.subs(speed, h * nu / rho + more).subs(nu, loss * level + s)
    return is_zero(found - claimed) and sp.factor(sp.expand(least)).is_nonnegative is True


@statement.proves(
    "(2) -L'/L^2 = speed^2/L^2 >= (h level/rho)^2, rho^h <= level/M: at least h^2 M^(2/h) level^(2 - 2/h)"
)
def rate_below() -> bool:
    at = (level / M) ** (1 / h)
    bound = (h * level / at) ** 2
    ratio = bound / (h**2 * M ** (2 / h) * level ** (2 - 2 / h))
    return is_zero(sp.powsimp(sp.expand_power_base(ratio), force=True) - 1)


@statement.proves(
    "(2) |x'| <= sum e^-q_i C rho^(h - 1) = C L rho^(h - 1) as grad q has degree h - 1: at most level^(2 - 2/h) too"
)
def rate_above() -> bool:
    degree = is_zero(sp.diff(c**h, c) * c / c**h - h)  # d/dx of q(c x): c grad q(c x) = c^h grad q(x)
    # rho^h is between level/M and c level, so rho^(h - 1) <= C level^(1 - 1/h) for h >= 1 and for h < 1
    power = sp.powsimp(((c * level) ** (1 / h)) ** (2 * h - 2) / level ** (2 - 2 / h), force=True)
    return degree and level not in sp.simplify(sp.expand_power_base(power, force=True)).free_symbols


@statement.proves(
    "(2) y = 1/L, y' of order (log y)^a: t (log t)^a has this rate up to a factor tending to 1, log y ~ log t"
)
def solution() -> bool:
    a = sp.Symbol("a", real=True)  # 2 - 2/h; in z = log t
    z = sp.Symbol("z", positive=True)
    y_rate = sp.simplify(sp.diff(t * sp.log(t) ** a, t).subs(t, sp.exp(z)))
    logarithm = z + a * sp.log(z)
    return is_zero(sp.simplify(y_rate / z**a - (1 + a / z))) and bool(sp.limit(logarithm / z, z, sp.oo) == 1)


@statement.proves(
    "(3) b = cos(x, x'): d log M = h (b^-2 - 1) d log rho or more; bounded M, rho -> oo: a finite integral"
)
def alignment() -> bool:
    b = sp.Symbol("b", positive=True)
    # speed = h nu/(rho b), d log rho/dt = h nu/rho^2, nu >= L level
    rate = (h * nu / (rho * b)) ** 2 / (loss * level) - h**2 * nu / rho**2
    claimed = h * (1 / b**2 - 1) * h * nu / rho**2
    left = sp.factor((rate - claimed).subs(nu, loss * level + more))
    return left.is_nonnegative is True


@statement.proves(
    "(3) |d(x/rho)/d log rho| = sqrt(b^-2 - 1): over a window of length sqrt(e) it moves e^(3/4), and b -> 1 there"
)
def window() -> bool:
    b, e = sp.symbols("b e", positive=True)
    across = sp.sqrt(1 - b**2) * speed / rho  # (1 - u u^T) x'/rho
    ratio = across / (b * speed / rho)
    # integral of f^2 at most e: of f at most sqrt(e length), and f^2 <= e/length somewhere
    length = sp.sqrt(e)
    moves, least = sp.sqrt(e * length), e / length
    return is_zero(ratio**2 - (1 / b**2 - 1)) and bool(sp.limit(moves, e, 0) == 0) and bool(sp.limit(least, e, 0) == 0)


@statement.proves(
    "(3) mu_i = e^-q_i rho^(h-1)/speed: b x'/speed -> u is sum mu_i grad q_i(u), sum mu_i <= 1/(h M), slack -> 0"
)
def kkt() -> bool:
    q, gap = sp.symbols("q gap", positive=True)  # q = q_min, gap = q_i - q_min
    # h sum mu_i q_i/rho^h = b <= 1 and q_i/rho^h >= M. mu_i gap/rho^h with speed >= h e^-q q/rho and x e^-x <= 1/e:
    mu = sp.exp(-q - gap) * rho ** (h - 1) / (h * sp.exp(-q) * q / rho)
    slack = sp.simplify(mu * gap / rho**h - gap * sp.exp(-gap) / (h * q))
    peak = sp.solve(sp.diff(s * sp.exp(-s), s), s) == [1]
    return is_zero(slack) and peak and bool(sp.limit(sp.exp(-1) / (h * q), q, sp.oo) == 0)


@statement.proves("(4) f = log(1 + e^-q): -f' = 1 - e^-f; q_i >= g = -log(e^L - 1), and sum (1 - e^-f_i) >= 1 - e^-L")
def logistic() -> bool:
    q = sp.Symbol("q", real=True)
    f = sp.log(1 + sp.exp(-q))
    slope = is_zero(-sp.diff(f, q) - (1 - 1 / (1 + sp.exp(-q))))
    inverse = -sp.log(sp.exp(loss) - 1)
    same = is_zero(1 / sp.diff(-inverse, loss) - (1 - sp.exp(-loss)))
    one, two = sp.symbols("one two", nonnegative=True)  # 1 - e^-f of two parts
    union = sp.expand(one + two - (1 - (1 - one) * (1 - two)))
    # P = <x, x'> >= h sum -f' q_i >= h g/|g'|: d log(g/rho^h)/dt = speed^2 |g'|/g - h P/rho^2 >= 0 with speed >= P/rho
    g, rate = sp.symbols("g |g'|", positive=True)
    product = h * g / rate + more
    change = (product / rho) ** 2 * rate / g - h * product / rho**2
    return slope and same and union.is_nonnegative is True and sp.factor(change).is_nonnegative is True


@statement.proves("(4) <x, grad q_i> = h sum w_v m_v >= h q_i, w_v = e^(q - m_v): the difference is the entropy of w")
def soft_minimum() -> bool:
    m, q = sp.symbols("m q", real=True)
    weight = sp.exp(q - m)
    entropy = is_zero(sp.expand_log(weight * (m - q) + weight * sp.log(weight), force=True).simplify())
    return entropy and nonnegative_from_zero(sp.log(1 + more), more)  # -log w, w = 1/(1 + more)
