"""Value weights first, then attention weights, by normalised descent."""

from __future__ import annotations

import math
from collections.abc import Iterator

import torch

from ...attention import TokenSequences, TwoStageRun, two_stages
from ...checks import Check, fitted_slope
from ..registry import at_most, claim, close, same, shared
from .selection import slope

TOKENS, STEPS = 6, 1500
FREQUENCIES = (0.3, 0.25, 0.2, 0.1, 0.1, 0.05)


@shared
def staged(seed: int, first: int, second: int) -> TwoStageRun:
    """A run on drawn realizable data."""
    data = TokenSequences.random(TOKENS, 30, 4, num_queries=2, ranked=True, rng=seed)
    follows = [(x + 1) % TOKENS for x in range(TOKENS)]
    return two_stages(data, follows, steps=(first, second), frequencies=FREQUENCIES)


@claim("attention/two-stage-ngd", source="2409.17335 (abstract)", evidence="certified")
def two_stage_ngd() -> Iterator[Check]:
    """Both stages converge in direction to their max-margin solutions like 1 / k, and the loss falls exponentially.

    Two drawn realizable data, 6 tokens, 1,500 steps of length 0.1 a stage: norms between the bounds of linear growth,
    exponents of the error of the direction, slopes of log loss and of log attention off the chosen tokens; the loss of
    stage 2 above its end where 100 steps were made in stage 1.
    """
    # 0.001 of a slope over 750 steps is what e^-4 of a slow mode would change; exponents allow for twenty times that
    for seed in (0, 1):
        run = staged(seed, STEPS, STEPS)
        yield from _growth(seed, run)
        values, attention = run.direction_errors()
        sizes = run.weights.flatten(1).norm(dim=1)
        for name, times, norms, errors in (
            ("W_ov", run.values.times, run.values.norm.double(), values),
            ("W_kq", run.steps, sizes, attention),
        ):
            # what is left across the direction is a constant; other modes fade as powers of e^-k
            exponent = slope(times, norms.log(), errors.log())
            words = f"data {seed}: exponent of the error of the direction of {name} in its norm, which grows like k"
            yield close(-1.0, exponent, tolerance=0.02, evidence="measured", statement=words)
        falls = -slope(run.values.times, run.values.times, run.values.gap.double().log())
        words = f"data {seed}: fall of log loss a step of stage 1"
        yield close(0.1 * run.value_limit.margin, falls, tolerance=0.001, evidence="measured", statement=words)
        falls = -slope(run.steps, run.steps, run.misplaced())
        words = f"data {seed}: fall of log attention off the chosen tokens a step of stage 2"
        yield close(0.1 / run.attention_limit.norm, falls, tolerance=0.001, evidence="measured", statement=words)
        yield same(
            "yes",
            "yes" if float(run.misplaced()[-1]) < -36 else "no",
            evidence="measured",
            statement=f"data {seed}: attention is 1",
        )
    yield from _loss_above_its_end()


def _growth(seed: int, run: TwoStageRun) -> Iterator[Check]:
    """``eta k gamma / (sqrt 2 M) <= ||W_ov|| <= eta k`` with unit embeddings: proved for stage 1."""
    sizes, lengths = run.values.norm.double(), 0.1 * run.values.times.double()
    low, high = lengths * run.value_limit.margin / math.sqrt(2), lengths
    words = f"data {seed}: ||W_ov|| below eta k gamma / sqrt 2, or above eta k, at most"
    excess = float(torch.maximum(low - sizes, sizes - high).max())
    yield at_most(0.0, excess, slack=1e-11 * float(high.max()), evidence="certified", statement=words)


def _loss_above_its_end() -> Iterator[Check]:
    run = staged(0, 100, 400)
    losses = run.losses()
    above = losses - losses[-1]
    # between what the last recorded loss still misses and the first steps
    kept = (above < 1e-2 * losses[-1]) & (above > 1e-9 * losses[-1])
    found = -fitted_slope(run.steps[kept], above[kept].log())
    words = f"fall of log (loss - its end) a step of stage 2, {int(kept.sum())} points"
    yield close(0.1 / run.attention_limit.norm, found, tolerance=0.02, evidence="measured", statement=words)
