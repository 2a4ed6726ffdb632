"""Several heads trained: induction, arithmetic and path-star graphs beside next-token training, and floors met."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from ...checks import Check
from ..registry import at_most, same
from .runs import foreseen

__all__ = ["heads_against_floors"]

HEADS = 4


def heads_against_floors() -> Iterator[Check]:
    """Heads trained on a chain: on a held-out text and by context, none below its floor; each says its own law."""
    found = foreseen(HEADS, 0)
    chain, floors = found.chain, found.chain.floors(HEADS)
    mean = found.excess.mean(0)
    errors = 3 * found.excess.std(0, ddof=1) / len(found.excess) ** 0.5
    # less the losses of the chain's own laws on the same tokens, which are the floors in expectation
    yield from floors.checks((mean + floors.floors).tolist(), errors.tolist())
    losses = chain.losses(found.logs)
    yield from floors.checks(losses.tolist())
    laws = [chain.head_law(head) for head in range(1, HEADS + 1)]
    weighted = chain.stationary[:, None]
    nearest = []
    for head in range(HEADS):
        missed = [float((weighted * law * (np.log(law) - found.logs[head])).sum()) for law in laws]
        nearest.append(1 + int(np.argmin(missed)))
        apart = min(
            float((weighted * laws[head] * (np.log(laws[head]) - np.log(law))).sum())
            for law in (*laws[:head], *laws[head + 1 :])
        )
        words = f"head {head + 1}: its excess, below that of the nearest law of another head, trained on 200,000 tokens"
        excess = float(losses[head] - floors.floors[head])
        yield at_most(apart, excess, evidence="measured", statement=words)
    words = "of the laws of 1 to 4 steps, that which each head is nearest to"
    yield same("[1, 2, 3, 4]", str(nearest), evidence="measured", statement=words)
