"""Features that a transformer has learned, frozen, for methods with norms of their own to go on with."""

from __future__ import annotations

from collections.abc import Iterator

import torch

from ...bridge import along_training
from ...checks import Check
from ...descent import Trajectory, descend
from ...margin import margin_share, solve_svm
from ...predict import Limit, predict
from ...sequence.models import Transformer, TransformerConfig
from ...sequence.tasks import SparseContexts
from ...sequence.training import Settings
from ..bias.shared import read
from ..registry import at_most, shared

__all__ = ["laws_on_learned", "own_norms_on_learned"]

# Vocabulary, contexts, their length, width, steps of training, and of each method.
VOCAB, CONTEXTS, LENGTH, WIDTH, STEPS, DESCENT = 6, 12, 2, 8, 100, 2000


@shared
def _learned() -> tuple[Limit, torch.Tensor]:
    """The features of a two-layer transformer in training, one next token a context; and its own head."""
    task = SparseContexts(VOCAB, CONTEXTS, 1, LENGTH)
    model = Transformer(TransformerConfig(VOCAB, LENGTH, width=WIDTH, layers=2))
    settings = Settings(learning_rate=5e-3, warmup=50, schedule="cosine")
    run = along_training(model, task, steps=STEPS, every=STEPS, settings=settings)
    return predict(run.data()), torch.from_numpy(run.decoders[-1])


@shared
def _run(method: str) -> Trajectory:
    limit, head = _learned()
    return descend(limit.data, method, steps=DESCENT, init=head)


def laws_on_learned(method: str, label: str) -> Iterator[Check]:
    """The certified bound on the margin in the method's norm, and the rate of its theorem."""
    limit, _ = _learned()
    yield from read(_run(method), limit, "steepest/setting")
    yield from read(_run(method), limit, label)


def own_norms_on_learned() -> Iterator[Check]:
    """In the norm of each of sign and spectral descent and normalised descent, the shares of the others are less."""
    norms = {"sign": "max", "spectral": "spectral", "ngd": "frobenius"}
    for method, norm in norms.items():
        best = solve_svm(_learned()[0].data, norm=norm)
        own, *others = (
            margin_share(_run(name).weights[-1], best) for name in (method, *(n for n in norms if n != method))
        )
        words = f"learned features, {norm} norm: best share of other methods, against that of {method}"
        yield at_most(own, max(others), evidence="measured", statement=words)
