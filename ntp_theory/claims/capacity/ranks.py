"""The capacity bound by the rank of the Jacobian, in rationals, for linear decoders and for a small transformer."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from fractions import Fraction

import numpy as np
import torch
from torch import Tensor

from ...bridge import model_jacobian_rank
from ...checks import Check
from ...conditions import check_compatibility
from ...dataset import NTPDataset
from ...readings import jacobian_rank
from ...sequence.models import Transformer, TransformerConfig
from .. import rational
from ..registry import at_most, claim, same

# Contexts are sequences of six tokens, of which there are three.
VOCAB, LENGTH = 3, 6


@claim("capacity/jacobian-rank", source="2405.13718 (summary)", evidence="exact")
def ranks() -> Iterator[Check]:
    """k parameters move the centred logits of n contexts in min(k, n (V - 1)) dimensions at most.

    40 networks with one hidden layer of squares, integer weights and inputs, n, V, k of all orders: Jacobians are
    integers, their ranks are decided in rationals, none is above the bound, the bound is attained, and the numeric rank
    of `jacobian_rank` is the exact one.
    """
    stream = np.random.default_rng(0)
    above = attained = wrong = 0
    for _ in range(40):
        n, v, width, dim = (int(stream.integers(*range_)) for range_ in ((1, 5), (2, 5), (1, 3), (1, 4)))
        inputs = torch.from_numpy(stream.integers(-3, 4, (n, dim)).astype(float))
        theta = torch.from_numpy(stream.integers(-3, 4, width * (dim + v)).astype(float))

        def logits(theta: Tensor) -> Tensor:
            inner, outer = theta[: width * dim].view(dim, width), theta[width * dim :].view(width, v)  # noqa: B023
            return (inputs @ inner).square() @ outer  # noqa: B023

        jacobian = torch.autograd.functional.jacobian(logits, theta)  # small integers: no rounding
        centred = [
            [Fraction(v * int(x) - int(total), v) for x, total in zip(row, totals, strict=True)]
            for rows, totals in zip(jacobian.tolist(), jacobian.sum(1).tolist(), strict=True)
            for row in rows
        ]
        exact = rational.rank(centred)
        found = jacobian_rank(logits, theta)
        above += exact > found.bound
        attained += exact == found.bound
        wrong += exact != found.rank
    yield same(0, above, statement="networks of 40 with a rank above min(k, n (V - 1))")
    yield at_most(attained, 1, evidence="measured", statement="1 <= networks with a rank equal to it")
    yield same(0, wrong, evidence="certified", statement="networks whose numeric rank is another")


@claim("capacity/linear-decoder", source="derived", evidence="exact")
def linear_decoder() -> Iterator[Check]:
    """A linear decoder moves logits in (V - 1) rank H dimensions: it fits any m distributions exactly when rank H = m.

    30 integer H, all ranks: rank of the map in rationals. Full supports with drawn counts: compatible, in integers, at
    d = m in all of 10 draws, and at d = m - 1 in none.
    """
    stream, wrong = np.random.default_rng(1), 0
    for _ in range(30):
        v, d, m = (int(stream.integers(*range_)) for range_ in ((2, 5), (1, 4), (1, 4)))
        h = torch.from_numpy(stream.integers(-1, 2, (m, d)).astype(float))
        rows = [
            [(Fraction(u == w) - Fraction(1, v)) * Fraction(x) for u in range(v) for x in row]
            for row in h.tolist()
            for w in range(v)
        ]
        expected = (v - 1) * rational.rank(rational.to_fractions(h))

        def logits(theta: Tensor) -> Tensor:
            return h @ theta.view(v, -1).T  # noqa: B023

        numeric = jacobian_rank(logits, torch.ones(v * d, dtype=torch.float64))
        wrong += not expected == rational.rank(rows) == numeric.rank
    yield same(0, wrong, statement="of 30 maps whose rank is not (V - 1) rank H")
    for short, expected in ((0, 10), (1, 0)):
        fits = sum(rational.is_compatible(_full_supports(stream, contexts=4, dim=4 - short)) for _ in range(10))
        yield same(expected, fits, statement=f"of 10 draws with d = m - {short} that are compatible")
    numeric_fits = sum(check_compatibility(_full_supports(stream, contexts=4, dim=4)).compatible for _ in range(10))
    yield same(10, numeric_fits, evidence="certified", statement="by `check_compatibility`, with d = m")


def _full_supports(stream: np.random.Generator, contexts: int, dim: int) -> NTPDataset:
    """Three tokens after every context, in drawn counts; integer embeddings of full rank."""
    h = np.eye(contexts)[:, :dim] + np.tril(stream.integers(-2, 3, (contexts, contexts)), -1)[:, :dim]
    h[dim:] = stream.integers(1, 3, (contexts - dim, dim))
    return NTPDataset.from_counts(h, stream.integers(1, 10, (contexts, 3)))


@claim("capacity/theta", source="2405.13718 (abstract)", evidence="measured")
def theta() -> Iterator[Check]:
    """With k parameters a one-layer transformer can fit of the order of k / (V - 1) contexts.

    No more than k / (V - 1), by `capacity/jacobian-rank`. k = 594, V = 3, drawn weights: on half as many contexts, of
    six tokens, the logits move freely, so all distributions near the model's own are attained. That models of such a
    size are *trained* to the entropy is not checked.
    """
    model = Transformer(TransformerConfig(vocab_size=VOCAB, max_length=LENGTH, width=6, layers=1, heads=2, seed=1))
    every = torch.tensor(list(itertools.product(range(VOCAB), repeat=LENGTH)))
    half = sum(weight.numel() for weight in model.parameters()) // (2 * (VOCAB - 1))
    found = model_jacobian_rank(
        model, every[torch.randperm(len(every), generator=torch.Generator().manual_seed(0))[:half]]
    )
    yield same(half * (VOCAB - 1), found.rank, evidence="measured", statement=f"rank on {half} contexts: n (V - 1)")
    # rounding moves singular values by some units of the largest: the tolerance counts that many
    yield at_most(
        float(found.singular_values[-half - 1]),
        1e3 * found.tolerance,
        evidence="measured",
        statement="a thousand times the tolerance, against the smallest singular value that counts",
    )
