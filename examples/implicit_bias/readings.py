"""What the limit of a real text can be read for: tolerance of noise, log-odds, shared rows, tokens ruled out."""

from __future__ import annotations

import math
import sys
from pathlib import Path

import ntp_theory as ntp
from ntp_theory import figures
from ntp_theory import readings as read


def readings(
    folder: Path | None = None, *, contexts: int = 24, tokens: int = 150, dim: int = 32, draws: int = 100_000
) -> list[ntp.Check]:
    """Print the four readings of a text whose limit separates, and check what the theory says of each."""
    text = ntp.construct.documentation_text()
    data = ntp.construct.from_text(text, max_contexts=contexts, vocab_size=tokens, dim=dim)
    limit = ntp.predict(data)
    assert limit.direction is not None
    tolerance = read.noise_tolerance(limit.direction, limit.reference)
    odds, groups = read.log_odds(limit.finite, data), read.token_groups(limit.reference)
    ruled_out = read.exclusions(data, pattern=limit.reference.pattern)
    print(*(part.summary() for part in (tolerance, odds, groups, ruled_out)), sep="\n\n", end="\n\n")
    if folder is not None:
        figures.save(figures.flip_rates(tolerance), folder / "readings.png")
    inside = read.flip_rate(tolerance, 0.999999 * tolerance.radius, draws=draws)
    closest = max(float(tolerance.closest_flip(j).norm() / tolerance.radii[j]) for j in range(contexts))
    return [
        ntp.Check.same(
            "bias/definition-3",
            0,
            inside.flips,
            evidence="measured",
            source="derived",
            statement=f"flips by {draws} noises inside the certified radius",
        ),
        ntp.Check.at_most(
            "bias/definition-3",
            1.0,
            closest,
            slack=1e-10,  # the excess that closest_flip starts with is 1e-12
            evidence="certified",
            source="derived",
            statement="noise that flips, over the radius: largest of all contexts",
        ),
        ntp.Check.at_most(
            "bias/definition-3",
            tolerance.radius * (1 + 1e-12),
            tolerance.lower_bound("spectral"),
            evidence="certified",
            source="derived",
            statement="margin / (sqrt 2 ||W_mm||_2), against the radius",
        ),
        ntp.Check.at_most(
            "bias/definition-1",
            2 * limit.compatibility.residual + 1e-12 * float(limit.finite.norm()),  # rounding of the logits
            float(odds.misfit.max()),
            evidence="certified",
            source="2402.18551 Definition 1",
            statement="log-odds of W* against the corpus, nats",
        ),
        ntp.Check.at_most(
            "bias/svm-structure",
            math.sqrt(2) * limit.svm.distance_bound(),
            float(groups.spreads(limit.direction).max()),
            evidence="certified",
            source="derived",
            statement=f"rows of W_mm within {len(groups.groups)} groups of tokens with equal contexts",
        ),
        ntp.Check.same(
            "bias/any-data",
            data.pattern.num_off_support,
            int(ruled_out.sizes.sum()),
            evidence="certified",
            source="derived",
            statement="pairs ruled out: all that never occur, since the data is separable",
        ),
    ]


if __name__ == "__main__":
    checks = readings(Path(sys.argv[1] if len(sys.argv) > 1 else "out"))
    print(*(check.line() for check in checks), sep="\n")
    sys.exit(not all(check.holds for check in checks))
