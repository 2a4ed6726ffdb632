"""With free embeddings the finite part of the logits is the centred log-probability, on the supports alone.

    L_in[z, j]  =  log p_j,z - (1 / S_j) sum of log p_j,z' over z' in S_j     for z in the support S_j of context j,
    L_in[v, j]  =  0                                                          off it.

It is the one matrix of F with the log-odds of the data, where F (embeddings h_j = e_j) are the matrices whose columns
live on the supports and sum to 0; and it is the pseudo-inverse solution E_j^+ a_j, where the S_j - 1 rows of E_j take
the difference of an anchor token and another token of the support, and a_j are their log-odds.
"""

from __future__ import annotations

import sympy as sp

from ..kit.algebra import is_zero, positives
from ..statement import Statement

statement = Statement("geometry/finite-part", source="2408.15417", verdict="proved", needs=["bias/data-subspace"])

# One context of S tokens: the log-probability c of a token, c0 of the anchor, and the sum `total` over the support.
c, c0, c1, c2, total = sp.symbols("c c0 c1 c2 total", real=True)
S = sp.Symbol("S", integer=True, positive=True)


def finite(log_probability: sp.Expr) -> sp.Expr:
    """The formula of the statement."""
    return log_probability - total / S


@statement.proves("it has the log-odds: two of its in-support entries differ by log p_z - log p_z'")
def log_odds() -> bool:
    return is_zero(finite(c1) - finite(c2) - (c1 - c2))


@statement.proves("it is in F: the S_j entries of a column sum to (sum of c) - S_j (sum of c) / S_j = 0")
def in_subspace() -> bool:
    z = sp.Symbol("z", integer=True)
    # The entries are c_z + finite(0), and the c_z sum to `total`.
    return is_zero(total + sp.Sum(finite(0), (z, 1, S)).doit())


@statement.proves(
    "only it: the difference of two solutions is one number x on a support, and in F its sum S_j x is 0, so x = 0"
)
def unique() -> bool:
    x, z = sp.Symbol("x", real=True), sp.Symbol("z", integer=True)
    return bool(sp.solve(sp.Sum(x, (z, 1, S)).doit(), x) == [0])


@statement.proves("E E' = 1 + J with J the all-ones matrix of size S - 1, J J = (S - 1) J; its inverse is 1 - J / S")
def gram_inverse() -> bool:
    J = sp.Symbol("J")
    product = sp.rem(sp.expand((1 + J) * (1 - J / S)), J**2 - (S - 1) * J, J)
    # A row of E is e_anchor - e_i: two of them have inner product 1, and 2 with themselves, the entries of 1 + J.
    anchor, first, second = (sp.Matrix([int(i == k) for i in range(3)]) for k in range(3))
    rows = [anchor - first, anchor - second]
    gram = [[(a.T * b)[0] for b in rows] for a in rows]
    return is_zero(product - 1) and gram == [[2, 1], [1, 2]]


@statement.proves("E' (E E')^-1 a has the entries of the formula, at the anchor and at any other token")
def pseudo_inverse() -> bool:
    # a_i = c0 - c_i over the S - 1 others sums to (S - 1) c0 - (total - c0); (E E')^-1 a has entries a_i - sum(a) / S.
    total_a = (S - 1) * c0 - (total - c0)
    coefficient = (c0 - c) - total_a / S
    at_anchor = total_a - (S - 1) * total_a / S
    return is_zero(at_anchor - finite(c0)) and is_zero(-coefficient - finite(c))


@statement.confirms("sympy's pseudo-inverse of E, with every anchor", instances="S = 1 .. 4")
def explicit() -> bool:
    for size in range(2, 5):
        logs = sp.Matrix([sp.log(p) for p in positives("p", size)])
        mean = sp.ones(size, size) / size * logs
        for anchor in range(size):
            rows = [[int(i == anchor) - int(i == k) for i in range(size)] for k in range(size) if k != anchor]
            matrix = sp.Matrix(rows)
            if not is_zero(matrix.pinv() * matrix * logs - (logs - mean)):
                return False
    return True
