"""A transformer learns its features: the theory's objects along training, and its laws once the features are frozen.

Two layers, 200 contexts of three tokens out of 32, each with two next tokens by a known law. In training the head and
its features move together, and no theorem says where the head goes: what is drawn is how near it is to the max-margin
direction of the features of each time. Then the features are frozen and the head trained on alone, by gradient descent
and by gradient flow to t = e^100: the loss, times t, goes to the constant that the features predict, and the increments
of the head turn to W_mm.

Features of width d can be separable only if heads have room for it: (V - 1) d numbers, of which dim F are taken by
the log-odds. Here 31 times 32 are 992, and dim F is 200.
"""

import sys
from pathlib import Path

from ntp_theory import Check, figures
from ntp_theory.bridge import along_training, train_frozen
from ntp_theory.figures import style
from ntp_theory.sequence.models import Transformer, TransformerConfig
from ntp_theory.sequence.tasks import SparseContexts
from ntp_theory.sequence.training import Settings


def features_along_training(
    folder: Path = Path("out"),
    *,
    vocab_size: int = 32,
    contexts: int = 200,
    width: int = 32,
    steps: int = 800,
    descent: int = 20_000,
) -> list[Check]:
    """Checks of the loss in training and of the laws after it; writes ``features_along_training.png`` to the folder."""
    task = SparseContexts(vocab_size, contexts, support_size=2, context_length=3)
    model = Transformer(TransformerConfig(vocab_size, task.context_length, width=width, layers=2))
    settings = Settings(learning_rate=5e-3, warmup=50, schedule="cosine")
    run = along_training(model, task, steps=steps, every=max(1, steps // 16), settings=settings, progress=True)
    frozen = train_frozen(run.data(), run.decoders[-1], steps=descent, progress=True)
    print(run.summary(), file=sys.stderr)

    with style.look():
        axes = style.new_axes(2, 2, width=4.4, height=3.3)
    figures.gap_along(run, axes[0])
    figures.conditions_along(run, axes[1])
    figures.frozen_loss(frozen, axes[2])
    figures.frozen_direction(frozen, axes[3])
    figures.save(axes[0], folder / "features_along_training.png")
    trained = Check.at_most(
        "bias/entropy-floor",
        bound=1e-3 if steps >= 800 else float(run.gap[0]),
        computed=float(run.gap[-1]),
        evidence="measured",
        source="2402.18551",
        statement=f"training loss above the entropy after {steps} steps, nats",
    )
    return [trained, *frozen.checks]


if __name__ == "__main__":
    checks = features_along_training(Path(sys.argv[1]) if len(sys.argv) > 1 else Path("out"))
    print(*(check.line() for check in checks), sep="\n")
    sys.exit(not all(check.holds for check in checks))
