"""Trees of candidates on real text: tokens a pass by nodes, predicted under independence of the heads and measured."""

from __future__ import annotations

import argparse
import itertools
import math
import sys
from pathlib import Path
from typing import Literal

import torch
from torch import Tensor, nn

import ntp_theory as ntp
from ntp_theory import figures
from ntp_theory.construct import documentation_text
from ntp_theory.sequence.decoding import Tree, greedy, head_ranks, medusa, rank_accuracies
from ntp_theory.sequence.models import Transformer, TransformerConfig
from ntp_theory.sequence.tasks import Text, without_repeats
from ntp_theory.sequence.training import Settings, TeacherForcing, train

HEADS, LENGTH, BEGINNING, RANKS = 3, 65, 17, 8
RULES: tuple[Literal["greedy", "typical"], ...] = ("greedy", "typical")


def trees(
    folder: Path | None = None,
    *,
    steps: int = 300,
    width: int = 48,
    prompts: int = 60,
    budgets: tuple[int, ...] = (1, 2, 4, 8, 16, 32, 64),
    seed: int = 0,
) -> list[ntp.Check]:
    """Train a Transformer on the documentation of Python, then linear heads on its features; decode with trees.

    Accuracies are those on what the model says after half of the held-out prompts; trees are grown on them, and
    measured on what it says after the other half.
    """
    task = Text(without_repeats(documentation_text()), LENGTH)
    model = Transformer(TransformerConfig(task.vocab_size, LENGTH, width=width, layers=2, seed=seed))
    settings = Settings(batch_size=32, learning_rate=3e-3, warmup=min(30, steps), schedule="cosine")
    train(model, task, TeacherForcing(), steps=steps, settings=settings, rng=seed, evaluate_every=steps)
    heads = linear_heads(model, task, steps, seed)
    model, heads = model.double(), heads.double()
    windows = task.sample(2 * prompts, rng=seed, split="test")
    beginnings = torch.cat([windows.prompts, windows.answers], dim=1)[:, :BEGINNING]
    count = LENGTH - BEGINNING
    said = torch.cat([beginnings, greedy(model, beginnings, count)], dim=1)
    known, other = (head_ranks(model, half, heads=heads, start=BEGINNING) for half in said.split(prompts))
    accuracies = rank_accuracies(known, RANKS)
    shapes = {
        "sparse": [Tree.from_accuracies(accuracies, nodes) for nodes in budgets],
        "best regular": longest(regular(max(budgets)), accuracies),
    }
    found = {
        kind: [
            (len(shape), 1 + float(shape.expected_length(accuracies)), 1 + float(shape.lengths(other).double().mean()))
            for shape in several
        ]
        for kind, several in shapes.items()
    }
    largest = shapes["sparse"][-1]
    decoded = [medusa(model, beginnings[prompts:], count, tree=largest, heads=heads, acceptance=rule) for rule in RULES]
    if folder is not None:
        figures.save(figures.tokens_by_nodes(found), folder / "trees.png")
    alike = sum(a == b for a, b in zip(decoded[0].tokens.tolist(), said[prompts:, BEGINNING:].tolist(), strict=True))
    # a regular tree against the sparse one of as many nodes
    excess = max(
        float(
            shape.expected_length(accuracies) - Tree.from_accuracies(accuracies, len(shape)).expected_length(accuracies)
        )
        for shape in regular(max(budgets))
    )
    joint = [int(Tree.from_ranks(known, nodes).lengths(known).sum()) for nodes in budgets]
    under_independence = [int(shape.lengths(known).sum()) for shape in shapes["sparse"]]
    passes = ", ".join(f"{one.tokens_per_pass:.2f} {name}" for one, name in zip(decoded, RULES, strict=True))
    top = ", ".join(f"{share:.2f}" for share in accuracies[:, 0].tolist())
    return [
        ntp.Check.same(
            "speculative/greedy-equivalence",
            prompts,
            alike,
            evidence="measured",
            statement=f"texts alike with {len(largest)} nodes; tokens a pass: {passes}",
        ),
        # sums of products of shares of order 1
        ntp.Check.at_most(
            "medusa/sparse-tree",
            0.0,
            excess,
            slack=1e-12,
            evidence="certified",
            statement="expected length of regular trees beyond that of sparse ones of as many nodes",
        ),
        ntp.Check.same(
            "medusa/sparse-tree",
            True,
            all(a >= b for a, b in zip(joint, under_independence, strict=True)),
            evidence="measured",
            statement=f"joint frequencies give no shorter trees; accuracies {top}; {gaps(found)}",
        ),
    ]


def linear_heads(model: Transformer, task: Text, steps: int, seed: int) -> nn.Module:
    """Heads on frozen features, each started at the next-token head."""
    heads = Heads(model.head.weight.detach(), HEADS)
    optimiser = torch.optim.Adam(heads.parameters(), lr=1e-2)
    for step in range(steps):
        batch = task.sample(32, rng=seed + step)
        tokens = torch.cat([batch.prompts, batch.answers], dim=1)
        with model.asked():
            features = model.features(tokens[:, : -1 - HEADS])
        logits = heads(features)
        places = features.shape[1]
        losses = [
            nn.functional.cross_entropy(logits[:, :, k].flatten(0, 1), tokens[:, 2 + k : 2 + k + places].flatten())
            for k in range(HEADS)
        ]
        optimiser.zero_grad()
        torch.stack(losses).sum().backward()
        optimiser.step()
    return heads.requires_grad_(False)


class Heads(nn.Module):
    """Linear maps from features (b, t, d) to logits (b, t, n, v)."""

    def __init__(self, weight_vd: Tensor, count: int) -> None:
        super().__init__()
        self.weight_nvd = nn.Parameter(weight_vd.repeat(count, 1, 1))

    def forward(self, features: Tensor) -> Tensor:
        """Logits of the tokens behind the next one."""
        return torch.einsum("btd,nvd->btnv", features, self.weight_nvd)


def regular(nodes: int) -> list[Tree]:
    """The widths 1, 2 and 4 of all heads in falling order, with at most so many nodes."""
    widths = [
        s for k in range(1, HEADS + 1) for s in itertools.product((4, 2, 1), repeat=k) if list(s) == sorted(s)[::-1]
    ]
    return [Tree.from_widths(*s) for s in widths if sum(math.prod(s[:k]) for k in range(1, len(s) + 1)) <= nodes]


def longest(shapes: list[Tree], accuracies: Tensor) -> list[Tree]:
    """Those of the largest expected length among all with no more nodes."""
    best: list[Tree] = []
    for shape in sorted(shapes, key=lambda shape: (len(shape), -shape.expected_length(accuracies))):
        if not best or shape.expected_length(accuracies) > best[-1].expected_length(accuracies):
            best.append(shape)
    return best


def gaps(found: dict[str, list[tuple[int, float, float]]]) -> str:
    """Of sparse trees what was measured beside what was predicted."""
    each = (f"{seen:.2f} ({predicted:.2f}) at {nodes}" for nodes, predicted, seen in found["sparse"])
    return f"tokens a pass measured (predicted): {', '.join(each)} nodes"


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", nargs="?", type=Path, default=Path("out"))
    parser.add_argument("--steps", type=int, default=300)
    parser.add_argument("--seed", type=int, default=0)
    given = vars(parser.parse_args())
    checks = trees(given.pop("out"), **given)
    print(*(check.line() for check in checks), sep="\n")
    sys.exit(not all(check.holds for check in checks))
