"""Stochastic gradients of sampled contexts obey strong growth; those of sampled (context, token) pairs do not.

f_j is the loss of context j, with gradient (s_j - p_j) h_j^T; s_j the softmax, p_j the target, h_j the embedding,
pi_j > 0 the frequency, H = [h_1 .. h_m] of rank m, and CE = sum_j pi_j f_j. Then

    E ||grad f_j||^2  <=  rho ||grad CE||^2,    rho = max ||h_j||^2 / (lambda_min(H^T H) min pi_j).

With token z drawn from p_j too, the gradient is (s_j - e_z) h_j^T, of second moment
sum_j pi_j ||h_j||^2 sum_z p_jz ||s_j - e_z||^2: not small if a support has two tokens, while ||grad CE||^2 tends to
0. On compatible data s_j -> p_j, and it tends to sum_j pi_j ||h_j||^2 (1 - ||p_j||^2) > 0.
"""

from __future__ import annotations

import mpmath
import sympy as sp

from ..kit.data import draw
from ..kit.generic import split
from ..kit.matrices import diagonals, matrices, transpose, vanishes
from ..kit.rational import rank
from ..statement import Statement

statement = Statement(
    "bias/strong-growth",
    source="derived (D14); 2402.18551 fn. 8",
    verdict="proved",
    needs=["bias/loss"],
    known=["a symmetric matrix has an orthonormal eigenbasis"],
)


@statement.proves(
    "||grad CE||^2 = tr(R D (H^T H) D R^T), with the residuals s_j - p_j in the columns of R and D = diag(pi)"
)
def full_gradient() -> bool:
    R, H = matrices("R H")
    (D,) = diagonals("D")
    gradient = R * D * transpose(H)
    return vanishes(gradient * transpose(gradient) - R * D * transpose(H) * H * D * transpose(R), trace=True)


@statement.proves(
    "that is at least lambda_min sum_j pi_j^2 ||r_j||^2: in an eigenbasis of H^T H, (lambda_min + gap) c^2 >= "
    "lambda_min c^2"
)
def eigenvalues() -> bool:
    least, gap = sp.symbols("least gap", nonnegative=True)
    c = sp.Symbol("c", real=True)
    return bool(sp.expand((least + gap) * c**2 - least * c**2).is_nonnegative)


@statement.proves("context by context, ||r h^T||^2 = ||r||^2 ||h||^2 and rho lambda_min pi_j^2 >= pi_j ||h_j||^2")
def contexts() -> bool:
    i, v, d, V = sp.symbols("i v d V", integer=True, positive=True)
    r, h = sp.IndexedBase("r"), sp.IndexedBase("h")
    squared = split(sp.Sum(sp.Sum(r[v] ** 2 * h[i] ** 2, (i, 1, d)), (v, 1, V)))
    outer = sp.expand(squared - sp.Sum(r[v] ** 2, (v, 1, V)) * sp.Sum(h[i] ** 2, (i, 1, d))) == 0
    least, pi, squares = sp.symbols("least pi squares", positive=True)  # lambda_min, min pi_j, ||h_j||^2
    more, longer = sp.symbols("more longer", nonnegative=True)
    rho = (squares + longer) / (least * pi)
    gap = sp.factor(rho * least * (pi + more) ** 2 - (pi + more) * squares)
    return bool(outer) and bool(sp.expand(sp.numer(gap)).is_nonnegative and sp.denom(gap).is_positive)


@statement.proves("pairs: sum_z p_z ||s - e_z||^2 = 1 - 2 <p, s> + ||s||^2 for any V, which is 1 - ||p||^2 at s = p")
def pair_noise() -> bool:
    v, z, V = sp.symbols("v z V", integer=True, positive=True)
    s, p = sp.IndexedBase("s"), sp.IndexedBase("p")
    square = sp.Symbol("square")  # ||s||^2; ||s - e_z||^2 = ||s||^2 - s_z^2 + (s_z - 1)^2
    noise = split(sp.Sum(p[z] * sp.expand(square - s[z] ** 2 + (s[z] - 1) ** 2), (z, 1, V)))
    noise = noise.subs(sp.Sum(p[z], (z, 1, V)), 1)
    claimed = 1 - 2 * sp.Sum(p[z] * s[z], (z, 1, V)) + square
    at_target = claimed.subs(square, sp.Sum(p[z] ** 2, (z, 1, V))).replace(s, p)
    return bool(sp.expand(noise - claimed) == 0 and sp.expand(at_target - (1 - sp.Sum(p[z] ** 2, (z, 1, V)))) == 0)


@statement.proves(
    "1 - ||p||^2 = sum_z p_z (1 - p_z) > 0 if some p_z is strictly between 0 and 1; so the ratio has no bound as "
    "grad CE -> 0"
)
def unbounded() -> bool:
    a, rest, noise, squared = sp.symbols("a rest noise squared", positive=True)
    p = a / (a + rest)
    return bool(sp.simplify(p * (1 - p) - a * rest / (a + rest) ** 2) == 0) and bool(
        (a * rest / (a + rest) ** 2).is_positive and sp.limit(noise / squared, squared, 0, "+") == sp.oo
    )


@statement.confirms("the inequality at random decoders", instances="10 rational datasets of rank m = 2, m = d")
def datasets() -> bool:
    found = 0
    for seed in range(40):
        data = draw(seed, vocab_size=3, dim=2, contexts=2, sizes=[1, 2], uniform=False)
        if rank(data.embeddings) < 2 or found == 10:
            continue
        found += 1
        with mpmath.workdps(40):
            decoder = [mpmath.mpf((7 * seed + 3 * i) % 11 - 5) / 4 for i in range(6)]
            h = [[mpmath.mpf(int(x)) for x in row] for row in data.embeddings]
            pi = [mpmath.mpf(w.numerator) / w.denominator for w in data.weights]
            rows = []
            for j in range(2):
                masses = [mpmath.exp(decoder[2 * v] * h[j][0] + decoder[2 * v + 1] * h[j][1]) for v in range(3)]
                p = [mpmath.mpf(x.numerator) / x.denominator for x in data.probabilities[j]]
                rows.append([q / mpmath.fsum(masses) - x for q, x in zip(masses, p, strict=True)])
            lengths = [mpmath.fsum(x * x for x in row) for row in h]
            inner = h[0][0] * h[1][0] + h[0][1] * h[1][1]
            middle, half = (lengths[0] + lengths[1]) / 2, (lengths[0] - lengths[1]) / 2
            least = middle - mpmath.sqrt(half**2 + inner**2)
            sampled = mpmath.fsum(pi[j] * lengths[j] * mpmath.fsum(x * x for x in rows[j]) for j in range(2))
            entries = [pi[0] * rows[0][v] * h[0][i] + pi[1] * rows[1][v] * h[1][i] for v in range(3) for i in range(2)]
            if sampled > max(lengths) / (least * min(pi)) * mpmath.fsum(x * x for x in entries):
                return False
    return found == 10
