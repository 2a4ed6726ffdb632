"""The problems of the benchmark: named, seeded, the same on every machine with the same versions."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
import torch

import ntp_theory as ntp
from ntp_theory import NTPDataset

__all__ = ["GROWTH", "INSTANCES", "Instance"]

Values = np.ndarray | torch.Tensor


@dataclass(frozen=True)
class Instance:
    """One problem.

    Attributes
    ----------
    name, family : str
    make : callable
        Returns the `NTPDataset`.
    separable : bool
        Whether there is an NTP-SVM solution.
    """

    name: str
    family: str
    make: Callable[[], NTPDataset]
    separable: bool = True


def gaussian(tokens: int, contexts: int, dim: int, supports: int | tuple[int, int] = (1, 4)) -> NTPDataset:
    """N(0, 1) embeddings and random supports."""
    return ntp.construct.random(tokens, dim, contexts, supports, rng=0)


def text(tokens: int, contexts: int, dim: int, embedding: str = "random") -> NTPDataset:
    """Pairs of words of Python's documentation and the words that follow them; supports of up to 59 words."""
    return ntp.construct.from_text(
        ntp.construct.documentation_text(), vocab_size=tokens, max_contexts=contexts, dim=dim, embedding=embedding
    )


def re_embedded(data: NTPDataset, embeddings: Values) -> NTPDataset:
    """The same next tokens after contexts with other embeddings."""
    return NTPDataset(embeddings, data.probabilities, data.weights)


def one_hot(tokens: int, contexts: int, dim: int, mean: float = 0.0) -> NTPDataset:
    """One next token a context, and every token somewhere: classification of N(mean, 1) features."""
    r = np.random.default_rng(5)
    labels = r.permutation(np.arange(contexts) % tokens)
    return NTPDataset(mean + r.standard_normal((contexts, dim)), np.identity(tokens)[labels])


def learned(size: int, dim: int, steps: int) -> NTPDataset:
    """Embeddings learned together with a decoder, by Adam on the cross-entropy of a text."""
    data, source = text(size, size, dim), torch.Generator().manual_seed(4)
    weights, h = (0.1 * torch.randn(size, dim, generator=source, dtype=torch.float64) for _ in range(2))
    optimizer = torch.optim.Adam([weights.requires_grad_(), h.requires_grad_()], lr=0.02)
    for _ in range(steps):
        optimizer.zero_grad()
        loss = -(data.joint * data.pattern.inside((h @ weights.T).log_softmax(1))).sum()
        loss.backward()
        optimizer.step()
    return re_embedded(data, h.detach())


def spectrum(size: int, dim: int, values: Iterable[float]) -> NTPDataset:
    """Embeddings with the given singular values between random orthonormal bases."""
    r = np.random.default_rng(2)
    left = np.linalg.qr(r.standard_normal((size, size)))[0]
    right = np.linalg.qr(r.standard_normal((dim, size)))[0]
    return re_embedded(gaussian(size, size, dim), (left * np.fromiter(values, float)) @ right.T)


def common_mean(size: int, dim: int, ratio: float) -> NTPDataset:
    """A common vector, ``ratio`` times as long as the spread around it: the anisotropy of trained embeddings."""
    data, mean = gaussian(size, size, dim), np.random.default_rng(3).standard_normal(dim)
    return re_embedded(data, data.embeddings.numpy() + ratio * np.sqrt(dim) * mean / np.linalg.norm(mean))


def twins(size: int, dim: int, distance: float) -> NTPDataset:
    """Contexts in pairs that nearly share an embedding, not their next tokens: the norm of W grows as 1/distance."""
    data = gaussian(size, size, dim)
    h = data.embeddings.numpy().copy()
    h[1::2] = h[::2] + distance * np.random.default_rng(1).standard_normal((size // 2, dim))
    return re_embedded(data, h)


def parallel(size: int, dim: int) -> NTPDataset:
    """The last context is twice the first, with other next tokens: no decoder tells them apart."""
    data = gaussian(size, size, dim, 2)
    h = data.embeddings.numpy().copy()
    h[-1] = 2 * h[0]
    return re_embedded(data, h)


def _list() -> Iterable[Instance]:
    ranks = np.arange(1.0, 101.0)
    for size, dim in ((50, 64), (100, 128), (200, 256), (400, 512)):
        yield Instance(f"random-{size}", "random", lambda n=size, d=dim: gaussian(n, n, d))
    for size, dim in ((100, 128), (100, 80), (200, 256)):
        yield Instance(f"text-{size}-{dim}", "text", lambda n=size, d=dim: text(n, n, d))
    # the draws of the first are separable from d = 16 on, but closest to the edge at 17; those of the second from 62 on
    yield Instance("random-60-17", "nearly inseparable", lambda: gaussian(20, 60, 17, 2))
    yield Instance("text-100-62", "nearly inseparable", lambda: text(100, 100, 62))
    yield Instance("text-100-64", "nearly inseparable", lambda: text(100, 100, 64))
    for power in (2, 4, 6):
        yield Instance(f"twins-1e-{power}", "nearly inseparable", lambda p=power: twins(60, 80, 10.0**-p))
    for dim, steps in ((48, 300), (128, 1000)):
        yield Instance(f"learned-{dim}", "learned", lambda d=dim, s=steps: learned(100, d, s))
    yield Instance("mean-5", "spectrum", lambda: common_mean(100, 128, 5.0))
    yield Instance("power-1", "spectrum", lambda: spectrum(100, 128, 1 / ranks))
    yield Instance("power-2", "spectrum", lambda: spectrum(100, 128, ranks**-2))
    yield Instance("geometric-1e8", "spectrum", lambda: spectrum(100, 128, 1e-8 ** ((ranks - 1) / 99)))
    for tokens, contexts in ((25, 50), (50, 100), (100, 200), (200, 200), (100, 1000)):
        dim = contexts + contexts // 4
        yield Instance(f"one-hot-{tokens}-{contexts}", "one-hot", lambda v=tokens, m=contexts, d=dim: one_hot(v, m, d))
    yield Instance("one-hot-mean-5", "one-hot", lambda: one_hot(100, 200, 256, mean=5.0))
    yield Instance("additive-100", "infeasible", lambda: text(100, 100, 64, "additive"), separable=False)
    yield Instance("additive-200", "infeasible", lambda: text(100, 200, 128, "additive"), separable=False)
    yield Instance("parallel-100", "infeasible", lambda: parallel(100, 128), separable=False)
    yield Instance("random-60-15", "infeasible", lambda: gaussian(20, 60, 15, 2), separable=False)
    yield Instance("text-100-61", "infeasible", lambda: text(100, 100, 61), separable=False)
    yield Instance("learned-32", "infeasible", lambda: learned(100, 32, 300), separable=False)
    yield Instance("large", "large", lambda: gaussian(2000, 1000, 1024))
    yield Instance("gpt-2-vocabulary", "gpu", lambda: gaussian(50_257, 4096, 5120))


# One of V, m, d over a decade, the others fixed.
GROWTH = {
    "V": [(v, 100, 128) for v in (100, 215, 464, 1000)],
    "m": [(100, m, 512) for m in (40, 86, 186, 400)],
    "d": [(100, 100, d) for d in (128, 276, 594, 1280)],
}

INSTANCES = {instance.name: instance for instance in _list()} | {
    f"growth-{v}-{m}-{d}": Instance(f"growth-{v}-{m}-{d}", f"growth in {axis}", lambda v=v, m=m, d=d: gaussian(v, m, d))
    for axis, sizes in GROWTH.items()
    for v, m, d in sizes
}
