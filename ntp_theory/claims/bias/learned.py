"""Learned features: a transformer trained to the entropy, and the linear theory on its features, frozen."""

from __future__ import annotations

from collections.abc import Iterator

from ...bridge import along_training, train_frozen
from ...checks import Check
from ...sequence.models import Transformer, TransformerConfig
from ...sequence.tasks import SparseContexts
from ...sequence.training import Settings
from ..registry import Budget, at_most, same

__all__ = ["learned_features"]

# Vocabulary, contexts, their length, width, steps of training and of descent; and how near to the entropy training is
# to come, nats. Heads have (V - 1) d numbers for dim F = contexts log-odds and the margins: 40 for 12, 992 for 200.
SIZES = {"quick": (6, 12, 2, 8, 200, 1000, 5e-2), "standard": (32, 200, 3, 32, 800, 20_000, 1e-3)}


def learned_features(budget: Budget) -> Iterator[Check]:
    """Training reaches the entropy with separable, compatible features; on these, frozen, every law holds."""
    vocab_size, contexts, length, width, steps, descent, near = SIZES["quick" if budget == "quick" else "standard"]
    task = SparseContexts(vocab_size, contexts, 2, length)
    model = Transformer(TransformerConfig(vocab_size, length, width=width, layers=2))
    settings = Settings(learning_rate=5e-3, warmup=50, schedule="cosine")
    run = along_training(model, task, steps=steps, every=steps // 2, settings=settings)
    words = f"V = {vocab_size}, {contexts} contexts, d = {width}: loss above the entropy after {steps} steps, nats"
    yield at_most(near, float(run.gap[-1]), evidence="measured", statement=words)
    for name, answer in (("separable", run.separable), ("compatible", run.compatible)):
        yield same(True, bool(answer[-1]), evidence="certified", statement=f"features after training: {name}")
    frozen = train_frozen(run.data(), run.decoders[-1], steps=descent)
    # what is asked at t = e^100; the tolerances of the checks are what the data predicts
    for bound, found, words in (
        (0.02, abs(float(frozen.loss_ratio[-1]) - 1.0), "|t (CE - inf CE) / ||W_mm||^2 - 1|"),
        (1e-3, float(frozen.angles[-1]), "1 - cos(dW/dlog t, W_mm)"),
    ):
        yield at_most(bound, found, evidence="measured", statement=f"features frozen, t = e^100: {words}")
    yield from frozen.checks
