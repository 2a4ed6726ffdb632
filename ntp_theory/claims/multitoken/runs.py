"""The runs of training that claims on several heads share."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from ...multitoken import MarkovChain
from ...sequence.measures import Evaluation, InductionAccuracy, by_operators, induction
from ...sequence.models import LayerHeads, Transformer, TransformerConfig, model_for, parameter_matched
from ...sequence.tasks import Induction, PathStar, PolynomialArithmetic, Text
from ...sequence.tasks.task import Task
from ...sequence.training import MultiToken, Settings, TrainResult, train
from ..registry import shared

__all__ = ["ARITHMETIC", "EVERY", "TOLD_APART", "Foreseen", "computed", "foreseen", "induced", "planned"]

INDUCTION = Induction()
# Expressions of two operators at most in a ring of 25 elements.
ARITHMETIC = PolynomialArithmetic(2, modulus=5, terms=2)
TOLD_APART, EVERY = 0.95, 50


def _matched(task: Task, layers: int, heads: int, seed: int) -> LayerHeads:
    """As many parameters whatever the number of heads, and as many layers in all."""
    return parameter_matched(TransformerConfig(task.vocab_size, task.max_length, layers=layers, seed=seed), heads)


@shared
def induced(heads: int, seed: int, steps: int = 1500) -> dict[int, InductionAccuracy]:
    """Accuracies on 500 sequences with names that were never seen, by steps of 64: three layers, until induction."""
    model = _matched(INDUCTION, 3, heads, seed)
    found: dict[int, InductionAccuracy] = {}

    def judged(evaluation: Evaluation) -> bool:
        found[evaluation.step] = induction(model, INDUCTION, count=500, rng=1000 + seed)
        return found[evaluation.step].told_apart >= TOLD_APART

    train(
        model,
        INDUCTION,
        MultiToken(heads),
        steps=steps,
        settings=Settings(batch_size=64),
        rng=seed,
        evaluate_every=EVERY,
        evaluate_count=10,  # the loop's own, which nothing reads
        callback=judged,
    )
    return found


@shared
def computed(heads: int, seed: int, steps: int = 1500) -> dict[int, Evaluation]:
    """Accuracies on 2,000 held-out expressions for every number of operators, after steps of 128: four layers."""
    model = _matched(ARITHMETIC, ARITHMETIC.depth, heads, seed)
    train(model, ARITHMETIC, MultiToken(heads), steps=steps, rng=seed)
    return by_operators(model, ARITHMETIC, rng=1000 + seed)


@shared
def planned(heads: int, seed: int, steps: int = 1000) -> TrainResult:
    """Teacher forcing on G(2, 5) as the claims of the first paper have it, with more heads: five layers below each."""
    task = PathStar(2, 5, 9)
    model = LayerHeads(model_for(task, layers=4, seed=seed), heads, seed=seed)
    return train(model, task, MultiToken(heads), steps=steps, rng=seed, until=0.99, evaluate_every=125)


@dataclass(frozen=True, eq=False)
class Foreseen:
    """What trained heads say of a chain: (heads, contexts, tokens), nats; and of held-out windows of its text.

    Attributes
    ----------
    chain : MarkovChain
    logs : ndarray
        Log-probabilities after a text of one token.
    excess : ndarray (windows, heads)
        Mean losses in every window less those of the chain's own laws at the same places.
    """

    chain: MarkovChain
    logs: NDArray[np.float64]
    excess: NDArray[np.float64]


@shared
def foreseen(heads: int, seed: int, steps: int = 1000) -> Foreseen:
    """A chain of 6 tokens that stays where it is three times of five, and two layers trained on a text of it."""
    drawn = np.random.default_rng(seed).dirichlet(np.full(6, 0.5), 6)
    chain = MarkovChain.of(0.6 * np.eye(6) + 0.4 * drawn)
    text = "".join(chr(ord("a") + token) for token in chain.sample(200_000, seed).tolist())
    task = Text(text, 17)
    model = LayerHeads(Transformer(TransformerConfig(task.vocab_size, 17, width=32, layers=1, seed=seed)), heads)
    settings = Settings(batch_size=64, learning_rate=3e-3, warmup=50, schedule="cosine")
    train(model, task, MultiToken(heads), steps=steps, settings=settings, rng=seed, evaluate_every=steps)
    model = model.double()
    batch = task.windows("test")
    # id 0 is a token that never comes
    windows = batch.with_tokens(batch.answers) - 1
    example = MultiToken(heads).example(batch, task, torch.Generator())
    excess = []
    with model.asked():
        logs = model.future(torch.arange(1, 7)[:, None])[:, 0].log_softmax(-1)[:, :, 1:].transpose(0, 1)
        for head, losses in enumerate(MultiToken(heads).head_losses(model, example), 1):
            law = torch.from_numpy(np.log(chain.head_law(head)))
            best = -law[windows[:, :-head], windows[:, head:]]
            excess.append((losses.double() - best).mean(1))
    return Foreseen(chain, logs.numpy(), torch.stack(excess, dim=1).numpy())
