"""Experiment A.2: GD, normalised GD and Adam on random data, whose loss, norm, alignment and finite part are plotted.

n = 5000 sequences, m = 50 contexts, d = 60 dimensions, V = 10 tokens, S_j = 6 next tokens, random supports and
probabilities; printed entropy 1.445 nats; GD with step 0.5, normalised GD and Adam with 0.01 (beta 0.9, 0.99); 10^4
steps. Four panels: CE against H, ||W_k||, correlation of W_mm with W_k and with W_k - W*, and ||P_F W_k - W*||. What
can be computed: m <= d, so independent embeddings make the data compatible and separable with dim F = 250; and the
entropy agrees with probabilities that are uniform on the simplex, 29/20 expected.
"""

from __future__ import annotations

import sympy as sp

from ..statement import Statement

statement = Statement(
    "bias/figure-a2",
    source="2402.18551 App. A.2, Figs. 3-5",
    verdict="open: source incomplete",
    missing="the data, initial decoders and code of the paper: its curves cannot be computed",
    needs=["bias/lemma-1", "bias/entropy-dirichlet", "bias/a2-replica"],
)

n, m, d, V, S = 5000, 50, 60, 10, 6


@statement.proves(
    "m <= d, as `bias/lemma-1` needs; m (S - 1) = 250 equations and m (V - S) = 200 inequalities in V d = 600 entries"
)
def sizes() -> bool:
    return m <= d and (m * (S - 1), m * (V - S), V * d) == (250, 200, 600)


@statement.proves("expected entropy of 6 uniform probabilities: 29/20, and 1.445 rounds a value within 1/100 of it")
def expected_entropy() -> bool:
    i = sp.Symbol("i", integer=True)
    mean = sp.Sum(1 / i, (i, 2, S)).doit()
    return bool(mean == sp.Rational(29, 20) and abs(mean - sp.Rational("1.445")) < sp.Rational(1, 100))


@statement.proves(
    "with n = 5000 drawn sequences, 100 a context, the printed entropy is below the largest possible, log 6"
)
def largest() -> bool:
    return n // m == 100 and bool(sp.Rational("1.445") < sp.log(S))
