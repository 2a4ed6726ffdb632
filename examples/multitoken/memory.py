"""What several heads cost in training: the live memory of a step, all heads at once and one after another."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import torch
from matplotlib.figure import Figure

import ntp_theory as ntp
from ntp_theory import figures
from ntp_theory.sequence.measures import peak_bytes
from ntp_theory.sequence.models import (
    LinearHeads,
    ModelWithHeads,
    ReplicatedHeads,
    Transformer,
    TransformerConfig,
    parameter_matched,
)
from ntp_theory.sequence.objectives import Example
from ntp_theory.sequence.training import MultiToken

HEADS = (1, 2, 4, 8)


def memory(
    folder: Path | None = None, *, length: int = 128, vocab_size: int = 8192, width: int = 64
) -> list[ntp.Check]:
    """A step on one text for every number of heads; ``length`` is T, ``vocab_size`` V, ``width`` d."""
    config = TransformerConfig(vocab_size, length, width, layers=9)
    kinds: dict[str, Callable[[int], ModelWithHeads]] = {
        "layers, 9 in all": lambda n: parameter_matched(config, n),
        "linear": lambda n: LinearHeads(Transformer(TransformerConfig(vocab_size, length, width, layers=1)), n),
        "replicated": lambda n: ReplicatedHeads(Transformer(TransformerConfig(vocab_size, length, width, layers=1)), n),
    }
    tokens = torch.randint(vocab_size, (1, length + 1), generator=torch.Generator().manual_seed(0))
    example = Example(tokens[:, :-1], tokens[:, 1:])
    unit = length * vocab_size * 4
    figure, checks = Figure(figsize=(11, 3.3), layout="constrained"), []
    for place, (kind, make) in enumerate(kinds.items(), 1):
        peaks: dict[str, list[float]] = {"all at once": [], "one after another": []}
        for n in HEADS:
            model, objective = make(n), MultiToken(n)
            steps = {
                "all at once": lambda m=model, o=objective: o.losses(m, example).mean().backward(),
                "one after another": lambda m=model, o=objective: o.backward(m, example),
            }
            gradients = []
            for name, step in steps.items():
                model.zero_grad(set_to_none=True)
                peaks[name].append(peak_bytes(step, held=list(model.parameters())) / unit)
                gradients.append([p.grad for p in model.parameters()])
            alike = sum(a is b is None or torch.equal(a, b) for a, b in zip(*gradients, strict=True))
            words = f"{kind}, {n} heads: parameters with the same gradient bits"
            checks.append(ntp.Check.same("multitoken/sequential-gradients", len(gradients[0]), alike, statement=words))
        lean, naive = peaks["one after another"], peaks["all at once"]
        words = f"{kind}: peak of 8 heads over 1, one after another; {naive[-1] / naive[0]:.2f} all at once"
        if kind != "replicated":  # whose unembeddings are parameters, and grow
            ratio = lean[-1] / lean[0]
            checks.append(ntp.Check.at_most("multitoken/memory", 1.2, ratio, evidence="measured", statement=words))
        ax = figures.memory_by_heads(HEADS, peaks, ax=figure.add_subplot(1, 3, place))
        ax.set_title(kind, loc="left", fontsize=10)
    if folder is not None:
        figures.save(figure.axes[0], folder / "memory.png")
    return checks


if __name__ == "__main__":
    checks = memory(Path(sys.argv[1] if len(sys.argv) > 1 else "out"))
    print(*(check.line() for check in checks), sep="\n")
    sys.exit(not all(check.holds for check in checks))
