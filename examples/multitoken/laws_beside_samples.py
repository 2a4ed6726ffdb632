"""The laws beside samples: what enumeration decides in fractions, and how little of it samples can see."""

from __future__ import annotations

import math
import sys
from collections import Counter
from pathlib import Path

from scipy.stats import chi2

import ntp_theory as ntp
from ntp_theory import figures
from ntp_theory.figures import style
from ntp_theory.sequence.decoding import Choices, Sampled, block, law, total_variation
from ntp_theory.sequence.models import Table

GAMMA = 2
# A correct decoder fails the test of chi-square once in a thousand seeds; this one is fixed.
LEVEL = 0.999


def laws_beside_samples(folder: Path | None = None, *, samples: int = 4000) -> list[ntp.Check]:
    """Three tokens by speculative sampling with two drafts, and by a decoder that resamples from the target's own law.

    Enumerated, the first has exactly the target's law and the second has not; of so many samples chi-square passes the
    first. How many it would take to convict the second follows from its distance.
    """
    target, draft = Table.random(2, 2, rng=2), Table.random(2, 1, rng=5)

    def alone(choices: Choices) -> tuple[int, ...]:
        return completed(choices, (), target)

    def speculative(choices: Choices) -> tuple[int, ...]:
        return completed(choices, block(choices, target.law, draft.law, GAMMA)[0], target)

    def wrong(choices: Choices) -> tuple[int, ...]:
        tokens: tuple[int, ...] = ()
        for _ in range(GAMMA):
            p, q = target.law(tokens), draft.law(tokens)
            token = choices.draw(q)
            if not choices.accept(min(1, p[token] / q[token])):
                return completed(choices, (*tokens, choices.draw(p)), target)
            tokens = (*tokens, token)
        return completed(choices, tokens, target)

    right = law(alone)
    checks = [
        ntp.Check.same(
            "speculative/step",
            "0",
            str(total_variation(law(speculative), right)),
            source="2211.17192",
            statement="distance of speculative sampling from the target's law, enumerated",
        ),
        ntp.Check.same(
            "speculative/mutation-residual",
            True,
            total_variation(law(wrong), right) > 0,
            source="derived",
            statement=f"resampling from the target is off by {float(total_variation(law(wrong), right)):.4f}",
        ),
    ]
    random = Sampled(0)
    drawn = Counter(speculative(random) for _ in range(samples))
    statistic = math.fsum((drawn[text] - samples * float(p)) ** 2 / (samples * float(p)) for text, p in right.items())
    checks.append(
        ntp.Check.at_most(
            "speculative/chi-square",
            bound=float(chi2.ppf(LEVEL, len(right) - 1)),
            computed=statistic,
            evidence="measured",
            source="derived",
            statement=f"chi-square of {samples} samples over {len(right)} texts",
        )
    )
    if folder is not None:
        with style.look():
            axes = style.new_axes(1, 2, width=4.2, height=3.2)
            figures.law_beside_samples(right, drawn, axes[0])
            axes[0].set_title(f"Speculative sampling, {samples:,} samples")
            biased = Counter(wrong(random) for _ in range(samples))
            figures.law_beside_samples(right, biased, axes[1])
            axes[1].set_title("Resampled from the target: wrong")
        figures.save(axes[0], folder / "laws_beside_samples.png")
    return checks


def completed(choices: Choices, tokens: tuple[int, ...], model: Table) -> tuple[int, ...]:
    """A text that the target goes on with up to three tokens."""
    while len(tokens) <= GAMMA:
        tokens = (*tokens, choices.draw(model.law(tokens)))
    return tokens


if __name__ == "__main__":
    checks = laws_beside_samples(Path(sys.argv[1] if len(sys.argv) > 1 else "out"))
    print(*(check.line() for check in checks), sep="\n")
    sys.exit(not all(check.holds for check in checks))
