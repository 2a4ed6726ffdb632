"""The settings of the paper's figures, and the named small instances on which the theory was checked."""

from __future__ import annotations

import numpy as np

from ..dataset import NTPDataset
from ..doors import generator
from .gaussian import random, random_rows

__all__ = ["a2", "lemma5", "one_hot_control", "sep_incompat", "tiny", "toy"]


def a2(rng: int | np.random.Generator = 0) -> NTPDataset:
    """Replica of the paper's experiment A.2: m = 50 contexts, d = 60, V = 10, supports of 6 tokens.

    With the default seed H = 1.4887 nats and dim F = m (S - 1) = 250.

    Parameters
    ----------
    rng : int or numpy.random.Generator
        Seed or source of the draws; the recorded figures belong to seed 0.

    Returns
    -------
    NTPDataset

    Raises
    ------
    UsageError
        If ``rng`` is neither a seed nor a generator.

    Notes
    -----
    Source: 2402.18551 App. A.2, Figs. 3-5 (`bias/figure-a2`, `bias/a2-replica`); the paper draws its contexts
    from n = 5000 samples, here they have equal weight.

    Examples
    --------
    >>> a2()
    NTPDataset(num_contexts=50, vocab_size=10, dim=60, entropy=1.489 nats)
    """
    return random(vocab_size=10, dim=60, num_contexts=50, support_size=6, rng=rng)


def one_hot_control(rng: int | np.random.Generator = 0) -> NTPDataset:
    """`a2` with one next token a context: the classical separable multiclass problem (`bias/one-hot`).

    Parameters
    ----------
    rng : int or numpy.random.Generator
        Seed or source of the draws.

    Returns
    -------
    NTPDataset

    Raises
    ------
    UsageError
        If ``rng`` is neither a seed nor a generator.

    Notes
    -----
    Source: 2402.18551 Remark 1 (`bias/remark-1`): H = 0 and F = {0}.

    Examples
    --------
    >>> one_hot_control().entropy
    0.0
    """
    return random(vocab_size=10, dim=60, num_contexts=50, support_size=1, rng=rng)


def tiny(rng: int | np.random.Generator = 1) -> NTPDataset:
    """Six contexts, five tokens, supports of two: small enough to print; ||W_mm||^2 = 15.4845 with seed 1.

    Parameters
    ----------
    rng : int or numpy.random.Generator
        Seed or source of the draws.

    Returns
    -------
    NTPDataset

    Raises
    ------
    UsageError
        If ``rng`` is neither a seed nor a generator.

    Examples
    --------
    >>> tiny()
    NTPDataset(num_contexts=6, vocab_size=5, dim=8, entropy=0.5921 nats)
    """
    return random(vocab_size=5, dim=8, num_contexts=6, support_size=2, rng=rng)


def lemma5(rng: int | np.random.Generator = 3) -> NTPDataset:
    """Eight contexts, five tokens: it refutes identity (15) in the proof of Lemma 5 (`bias/erratum-E7`).

    Parameters
    ----------
    rng : int or numpy.random.Generator
        Seed or source of the draws.

    Returns
    -------
    NTPDataset

    Raises
    ------
    UsageError
        If ``rng`` is neither a seed nor a generator.

    Examples
    --------
    >>> lemma5()
    NTPDataset(num_contexts=8, vocab_size=5, dim=10, entropy=0.5627 nats)
    """
    return random(vocab_size=5, dim=10, num_contexts=8, support_size=2, rng=rng)


def toy(rng: int | np.random.Generator = 0) -> NTPDataset:
    """Planar toy of the paper's Figs. 1-2: contexts A, B, C followed by words {1,2,5}, {1,4,5}, {2,3,4}.

    The paper prints no coordinates; ours are A = (-3, 1), B = (2, 1), C = (-1/2, -1). The data is separable
    although d = 2 < m = 3: with rows (-8, 14), (-14, -4), (-8, -7), (6, -14), (-8, 14) for words 1 to 5 the
    logits are

    ====  ===  ===  ===  ===  ===
    ..      1    2    3    4    5
    ====  ===  ===  ===  ===  ===
    A      38   38   17  -32   38
    B      -2  -32  -23   -2   -2
    C     -10   11   11   11  -10
    ====  ===  ===  ===  ===  ===

    Parameters
    ----------
    rng : int or numpy.random.Generator
        Seed or source of the next-token probabilities; supports and embeddings are fixed.

    Returns
    -------
    NTPDataset
        With the paper's names.

    Raises
    ------
    UsageError
        If ``rng`` is neither a seed nor a generator.

    Notes
    -----
    Source: 2402.18551 Figs. 1-2 (`bias/figure-toy`).

    Examples
    --------
    >>> [[toy().token_names[v] for v in row.nonzero()] for row in toy().support]
    [['1', '2', '5'], ['1', '4', '5'], ['2', '3', '4']]
    """
    mask = np.zeros((3, 5), dtype=bool)
    for row, words in zip(mask, ((1, 2, 5), (1, 4, 5), (2, 3, 4)), strict=True):
        row[np.array(words) - 1] = True
    embeddings = [[-3.0, 1.0], [2.0, 1.0], [-0.5, -1.0]]
    rows = random_rows(mask, generator(rng))
    return NTPDataset(embeddings, rows, token_names="1 2 3 4 5".split(), context_names="A B C".split())


def sep_incompat() -> NTPDataset:
    """Separable, not compatible: h_1 = (1, 0.3), h_2 = (0.2, 1), h_3 = h_1 + h_2; log-odds do not add up.

    Token 2 never occurs; w_2 far below w_0 = w_1 along (1, 1) separates. Compatibility would need
    ``(e_0 - e_1)^T W`` to give log 4 at h_1, log(3/7) at h_2 and log(7/13) at their sum, but 4 * 3/7 != 7/13.
    Entropy 0.59236 nats, infimum of the loss 0.60672.

    Returns
    -------
    NTPDataset
        With integer counts, so that exact decisions apply: rows (0.8, 0.2, 0), (0.3, 0.7, 0), (0.35, 0.65, 0)
        and weights (0.3, 0.3, 0.4).

    Notes
    -----
    Source: ours (`bias/any-data`, `bias/compatibility-exact`).

    Examples
    --------
    >>> sep_incompat().entropy
    0.59236
    """
    third = np.array([1.2, 1.3])
    # 0.3 and 0.2 written as exact differences: h_3 = h_1 + h_2 then holds for the floats too
    embeddings = np.array([[1.0, third[1] - 1.0], [third[0] - 1.0, 1.0], third])
    return NTPDataset.from_counts(embeddings, [[24, 6, 0], [9, 21, 0], [14, 26, 0]])
