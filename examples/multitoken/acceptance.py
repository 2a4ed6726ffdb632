"""Four heads on real text: which drafts are kept, tokens a pass by heads used, and what it is worth on this machine."""

from __future__ import annotations

import argparse
import copy
import sys
import time
from collections.abc import Callable
from pathlib import Path

import torch
from matplotlib.figure import Figure
from torch import Tensor

import ntp_theory as ntp
from ntp_theory import figures
from ntp_theory.construct import documentation_text
from ntp_theory.sequence.decoding import (
    Decoded,
    greedy,
    head_ranks,
    independent_tokens,
    margin_certificate,
    rank_accuracies,
    self_speculative,
)
from ntp_theory.sequence.measures import over_seeds
from ntp_theory.sequence.models import LanguageModel, LayerHeads, Transformer, TransformerConfig
from ntp_theory.sequence.tasks import Text, without_repeats
from ntp_theory.sequence.training import MultiToken, Settings, train

HEADS, LENGTH, BEGINNING = 4, 65, 17


def acceptance(
    folder: Path | None = None, *, steps: int = 1200, width: int = 64, prompts: int = 80, groups: int = 8, seed: int = 0
) -> list[ntp.Check]:
    """Train a Transformer with 4 heads on the documentation of Python; decode beginnings of what is held out.

    Intervals are over groups of prompts. Texts and acceptance are those of double precision; the clock and the
    certificate are of single precision, one text at a time as one reads it.
    """
    task = Text(without_repeats(documentation_text()), LENGTH)
    trunk = Transformer(TransformerConfig(task.vocab_size, LENGTH, width=width, layers=2, seed=seed))
    model = LayerHeads(trunk, HEADS, seed=seed)
    settings = Settings(batch_size=32, learning_rate=3e-3, warmup=min(50, steps), schedule="cosine")
    train(model, task, MultiToken(HEADS), steps=steps, settings=settings, rng=seed, evaluate_every=steps)
    windows = task.sample(prompts, rng=seed, split="test")
    beginnings, count = windows.with_tokens(windows.answers)[:, :BEGINNING], LENGTH - BEGINNING

    certificate = margin_certificate(model, beginnings, greedy(model, beginnings, count), block=HEADS)
    once, blocks = times(model, beginnings[:groups], count)
    ratio, ratio_width = over_seeds([a / b for a, b in zip(once, blocks, strict=True)])

    model = model.double()
    parts = beginnings.chunk(groups)
    plain = [greedy(model, part, count) for part in parts]
    used = {k: [self_speculative(first_heads(model, k), part, count) for part in parts] for k in range(1, HEADS + 1)}
    alike = sum(
        a == b
        for runs in used.values()
        for run, said in zip(runs, plain, strict=True)
        for a, b in zip(run.tokens.tolist(), said.tolist(), strict=True)
    )
    said = torch.cat([beginnings, torch.cat(plain)], dim=1)
    top = rank_accuracies(head_ranks(model, said, start=BEGINNING), 1)[:, 0].tolist()
    survival = [over_seeds([run.acceptance[j] for run in used[HEADS]]) for j in range(HEADS - 1)]
    conditional = [b / a if a else 0.0 for (a, _), (b, _) in zip([(1.0, 0.0), *survival], survival, strict=False)]
    tokens = [over_seeds([run.tokens_per_pass for run in runs]) for runs in used.values()]
    formula, gap = independent(used[HEADS])
    every = [run for runs in used.values() for run in runs]
    if folder is not None:
        kept = survival[0][0]
        panels = Figure(figsize=(7.2, 3.1), layout="constrained").subplots(1, 2)
        figures.survival_by_draft(survival, [kept**k for k in range(1, HEADS)], panels[0])
        figures.tokens_by_heads(tokens, [float(independent_tokens(kept, k)) for k in range(HEADS)], panels[1])
        figures.save(panels[0], folder / "acceptance.png")
    return [
        ntp.Check.same(
            "speculative/greedy-equivalence",
            HEADS * prompts,
            alike,
            evidence="measured",
            statement="texts as greedy decoding says them in double precision, with 1 to 4 heads used",
        ),
        ntp.Check.same(
            "speculative/margin-certificate",
            0,
            certificate.certified_differing,
            evidence="certified",
            statement=f"single precision, read 4 at a time: certain but differing; {certificate.uncertified} of "
            f"{certificate.positions} not certain, logits differ by up to {certificate.error:.1g}",
        ),
        # every pass says one token at least and four at most
        ntp.Check.at_most(
            "multitoken/self-speculation",
            1.0,
            sum(run.turns for run in used[HEADS]) / sum(int(run.lengths.sum()) for run in used[HEADS]),
            evidence="measured",
            statement=f"passes a token with 4 heads; tokens a pass with 1 to 4: {listed(tokens)}; survival of drafts "
            f"{listed(survival)}; of those with all before them kept {plainly(conditional)}; likeliest token of each "
            f"head right {plainly(top)}; greedy decoding takes {ratio:.2f} +- {ratio_width:.2f} times as long",
        ),
        ntp.Check.same(
            "multitoken/iid-gap",
            sum(run.turns + sum(run.kept) for run in every),
            sum(int(run.lengths.sum()) for run in every),
            evidence="measured",
            statement=f"tokens are passes and kept drafts; of a block of at most 4, {formula:.2f} if drafts were kept "
            f"independently, measured {-gap[0]:+.3f} +- {gap[1]:.3f} more",
        ),
    ]


def first_heads(model: LayerHeads, count: int) -> LayerHeads:
    """The same model without its later heads, which nothing else reads."""
    shorter = copy.deepcopy(model)
    shorter.layers, shorter.num_heads = shorter.layers[:count], count
    return shorter


def independent(runs: list[Decoded]) -> tuple[float, tuple[float, float]]:
    """The tokens of a block by the formula at the first draft's rate, and how much more that is than was measured.

    Measured is 1 and the survival of all drafts: the end of a text cuts no block short in either.
    """
    found = [float(independent_tokens(run.acceptance[0], HEADS - 1)) for run in runs]
    gaps = [formula - 1 - sum(run.acceptance) for formula, run in zip(found, runs, strict=True)]
    return sum(found) / len(found), over_seeds(gaps)


def times(model: LayerHeads, beginnings: Tensor, count: int) -> tuple[list[float], list[float]]:
    """Seconds of each text by greedy decoding and by blocks, in turn, the best of three."""
    ways: tuple[Callable[[LanguageModel, Tensor, int], object], ...] = (greedy, self_speculative)
    best: tuple[list[float], list[float]] = ([], [])
    for beginning in beginnings.split(1):
        seconds: tuple[list[float], list[float]] = ([], [])
        for _ in range(3):
            for way, found in zip(ways, seconds, strict=True):
                begun = time.perf_counter()
                way(model, beginning, count)
                found.append(time.perf_counter() - begun)
        for of_way, found in zip(best, seconds, strict=True):
            of_way.append(min(found))
    return best


def listed(found: list[tuple[float, float]]) -> str:
    """Means with the half-widths of their intervals."""
    return ", ".join(f"{mean:.2f} +- {half_width:.2f}" for mean, half_width in found)


def plainly(found: list[float]) -> str:
    """Numbers alone."""
    return ", ".join(f"{one:.2f}" for one in found)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", nargs="?", type=Path, default=Path("out"))
    parser.add_argument("--steps", type=int, default=1200)
    parser.add_argument("--seed", type=int, default=0)
    given = vars(parser.parse_args())
    checks = acceptance(given.pop("out"), **given)
    print(*(check.line() for check in checks), sep="\n")
    sys.exit(not all(check.holds for check in checks))
