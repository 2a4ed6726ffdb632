"""Valid certificates by construction: random data for which the proof of each statement is known beforehand."""

from __future__ import annotations

import copy
import json
import math
import re
from fractions import Fraction

from hypothesis import strategies as st

from proofs_check.certificates import FORMAT, FORMAT_VERSION, verify

NONZERO = st.integers(-4, 4).filter(bool)
SMALL = st.integers(-4, 4)
POSITIVE = st.fractions(Fraction(1, 9), 9, max_denominator=9)
LONG = "1" * 5000  # more digits than int() and str() take


def text(x):
    """A rational as it is written in a certificate."""
    return str(Fraction(x))


def document(statement, embeddings, supports, proof, vocab_size, masses=None, **names):
    data = {"vocab_size": vocab_size, "token_names": None, "context_names": None} | names
    data["embeddings"] = [[text(x) for x in h] for h in embeddings]
    data["supports"] = supports
    if masses is not None:
        data["masses"] = [[text(x) for x in row] for row in masses]
    return {
        "format": FORMAT,
        "format_version": FORMAT_VERSION,
        "statement": statement,
        "data": data,
        "proof": proof,
    }


def encoded(certificate):
    """JSON, where a string "json 11...1" stands for a number that is too long for Python to print."""
    return re.sub(r'"json (-?1+)"', r"\1", json.dumps(certificate)).encode()


def verdict(certificate):
    return verify(encoded(certificate)).verdict


def message(certificate):
    return " ".join(verify(encoded(certificate)).words)


def changed(certificate, path, value):
    """A copy with one value changed: ``value`` is the new one, or a function of the rational that was there."""
    copied = copy.deepcopy(certificate)
    *parents, last = path
    inner = copied
    for step in parents:
        inner = inner[step]
    inner[last] = text(value(Fraction(inner[last]))) if callable(value) else value
    return copied


def dot(x, y):
    return sum((Fraction(a) * Fraction(b) for a, b in zip(x, y, strict=True)), Fraction(0))


def vectors(length, entries=SMALL):
    return st.lists(entries, min_size=length, max_size=length)


@st.composite
def separable(draw):
    """A random direction; the support of each context is where its logits are largest."""
    tokens, dim, contexts = draw(st.integers(2, 5)), draw(st.integers(1, 3)), draw(st.integers(1, 5))
    rows = draw(st.lists(vectors(dim, st.integers(-1, 1)), min_size=tokens, max_size=tokens))
    scale = draw(POSITIVE)
    embeddings = [[Fraction(x, 3) for x in draw(vectors(dim))] for _ in range(contexts)]
    supports = []
    for h in embeddings:
        logits = [dot(row, h) for row in rows]
        supports.append([v for v in range(tokens) if logits[v] == max(logits)])
    direction = [None if not any(row) else [text(scale * x) for x in row] for row in rows]
    return document("separable", embeddings, supports, {"direction": direction}, tokens)


@st.composite
def related(draw, sign=NONZERO):
    """Embeddings with a relation ``sum_j u_j h_j = 0``, all u_j nonzero, the last of them -1."""
    dim, others = draw(st.integers(1, 3)), draw(st.integers(1, 4))
    u = draw(vectors(others, sign))
    embeddings = [draw(vectors(dim)) for _ in range(others)]
    embeddings.append([sum(a * h[i] for a, h in zip(u, embeddings, strict=True)) for i in range(dim)])
    return embeddings, [*u, -1]


def balanced(tokens):
    """Integers that sum to 0, not all 0."""
    return vectors(tokens - 1).filter(any).map(lambda g: [*g, -sum(g)])


@st.composite
def not_separable(draw):
    """Multipliers ``u_j g_v``; some of the negative ones are off the supports, at least one."""
    embeddings, u = draw(related())
    tokens = draw(st.integers(2, 4))
    g = draw(balanced(tokens))
    factor = draw(POSITIVE)
    negative = [(j, v) for j, a in enumerate(u) for v, b in enumerate(g) if a * b < 0]
    off = draw(st.sets(st.sampled_from(negative), min_size=1))
    supports = [[v for v in range(tokens) if (j, v) not in off] for j in range(len(u))]
    entries = [[j, v, text(factor * a * b)] for j, a in enumerate(u) for v, b in enumerate(g) if b]
    return document("not separable", embeddings, supports, {"multipliers": entries}, tokens)


@st.composite
def extended(draw):
    """Two lists of multipliers, the second with any sign where the first has blocked; one token that always escapes."""
    embeddings, u = draw(related(st.integers(1, 4)))
    heights = [draw(st.integers(1, 3)) for _ in u[:-1]]
    heights.append(sum(a * t for a, t in zip(u, heights, strict=False)))
    embeddings = [[*h, t] for h, t in zip(embeddings, heights, strict=True)]
    g1, g2 = [*draw(balanced(2)), 0], draw(balanced(3))
    c1, c2 = ([(j, v, a * b) for j, a in enumerate(u) for v, b in enumerate(g) if b] for g in (g1, g2))
    off1 = draw(st.sets(st.sampled_from([(j, v) for j, v, c in c1 if c < 0]), min_size=1))
    last = [(j, v) for j, v, c in c2 if v == 2 and c < 0]
    off2 = draw(st.sets(st.sampled_from(last))) if last else set()
    off = off1 | off2
    supports = [[v for v in range(3) if (j, v) not in off] for j in range(len(u))]
    proof = {
        "extended": [[0, 1, 2] for _ in u],
        "direction": [None, None, None, ["0"] * (len(embeddings[0]) - 1) + ["-1/2"]],
        "blocked": [[[j, v, text(Fraction(c, 3))] for j, v, c in entries] for entries in (c1, c2)],
    }
    return document("extended support", embeddings, supports, proof, 4)


@st.composite
def max_margin(draw):
    """Orthogonal embeddings (rows of a scaled reflection): every context has its own centred logits."""
    dim, tokens = draw(st.integers(1, 4)), draw(st.integers(2, 4))
    u = draw(vectors(dim).filter(any))
    size = dot(u, u)
    reflection = [[(size if i == k else 0) - 2 * u[i] * u[k] for k in range(dim)] for i in range(dim)]
    lengths = draw(st.lists(POSITIVE, min_size=1, max_size=dim))
    embeddings = [[a / size * x for x in row] for a, row in zip(lengths, reflection, strict=False)]
    subsets = st.sets(st.integers(0, tokens - 1), min_size=1, max_size=tokens - 1).map(sorted)
    supports = [draw(subsets) for _ in embeddings]
    multipliers, direction = [], [[Fraction(0)] * dim for _ in range(tokens)]
    for j, (h, support) in enumerate(zip(embeddings, supports, strict=True)):
        for v in range(tokens):
            logit = Fraction(tokens - len(support) if v in support else -len(support), tokens)
            multipliers.append([j, v, text(logit / dot(h, h))])
            direction[v] = [w + logit / dot(h, h) * x for w, x in zip(direction[v], h, strict=True)]
    proof = {
        "direction": [[text(x) for x in row] for row in direction],
        "multipliers": multipliers,
        "norm_squared": text(sum(dot(row, row) for row in direction)),
    }
    return document("max margin", embeddings, supports, proof, tokens)


@st.composite
def compatible(draw):
    """Masses that are powers of a few integers, with the logits of integer matrices as exponents."""
    tokens, dim, contexts = draw(st.integers(2, 4)), draw(st.integers(1, 3)), draw(st.integers(1, 4))
    base = draw(st.lists(st.sampled_from([2, 3, 6, 35]), min_size=1, max_size=3, unique=True))
    small = st.integers(-2, 2)
    solutions = [[draw(vectors(dim, small)) for _ in range(tokens)] for _ in base]
    embeddings = [draw(vectors(dim, small)) for _ in range(contexts)]
    supports = [sorted(draw(st.sets(st.integers(0, tokens - 1), min_size=1))) for _ in embeddings]
    shifts = [[draw(st.integers(-3, 3)) for _ in base] for _ in embeddings]
    exponents = [
        [[int(dot(x[z], h)) + s for x, s in zip(solutions, shift, strict=True)] for z in support]
        for h, support, shift in zip(embeddings, supports, shifts, strict=True)
    ]
    masses = []
    for rows in exponents:
        factor = draw(POSITIVE)
        masses.append([factor * math.prod(Fraction(b) ** e for b, e in zip(base, es, strict=True)) for es in rows])
    decoders = [[None if not any(row) else [text(x) for x in row] for row in x] for x in solutions]
    proof = {"base": base, "exponents": exponents, "solutions": decoders}
    return document("compatible", embeddings, supports, proof, tokens, masses)


@st.composite
def tied(draw):
    """A valid relation of log-conditionals on full supports, and the product that the masses give it."""
    embeddings, u = draw(related())
    tokens = draw(st.integers(2, 3))
    g = draw(balanced(tokens))
    entries = [[j, v, a * b] for j, a in enumerate(u) for v, b in enumerate(g) if b]
    masses = [draw(vectors(tokens, st.sampled_from([1, 2, 4, Fraction(1, 2), 3]))) for _ in u]
    product = math.prod(Fraction(masses[j][v]) ** y for j, v, y in entries)
    supports = [list(range(tokens)) for _ in u]
    return document("not compatible", embeddings, supports, {"coefficients": entries}, tokens, masses), product


@st.composite
def independent(draw):
    """Small integer embeddings and supports, the prime large enough to decide, and the rows of the equations."""
    tokens, dim, contexts = draw(st.integers(2, 3)), draw(st.integers(1, 3)), draw(st.integers(1, 3))
    embeddings = [draw(vectors(dim, st.integers(-2, 2))) for _ in range(contexts)]
    supports = [sorted(draw(st.sets(st.integers(0, tokens - 1), min_size=1))) for _ in embeddings]
    masses = [[1] * len(support) for support in supports]
    rows = []
    for h, (first, *others) in zip(embeddings, supports, strict=True):
        for z in others:
            row = [0] * (tokens * dim)
            row[z * dim : (z + 1) * dim] = h
            row[first * dim : (first + 1) * dim] = [-x for x in h]
            rows.append(row)
    return document("compatible", embeddings, supports, {"independent_mod": 2**61 - 1}, tokens, masses), rows
