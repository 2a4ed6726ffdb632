"""From a real text to a verified prediction: contexts of Python's documentation, embedded independently."""

from __future__ import annotations

import math
import sys
from pathlib import Path

import ntp_theory as ntp
from ntp_theory import figures
from ntp_theory.descent import smoothness_bound


def text_to_prediction(
    folder: Path | None = None, *, contexts: int = 12, tokens: int = 20, dim: int = 32, patience: float = 150.0
) -> list[ntp.Check]:
    """With d >= m independent embeddings every text is separable and compatible (Lemma 1), so its limit is predicted.

    The prediction also says how long to wait: laws in k are read ``patience`` times after the burn-in (at least 100).
    """
    text = ntp.construct.documentation_text()
    data = ntp.construct.from_text(text, max_contexts=contexts, vocab_size=tokens, dim=dim)
    limit = ntp.predict(data)
    steps = math.ceil(patience * limit.burn_in * smoothness_bound(data))
    run = ntp.descend(data, steps=steps, progress=True)
    if folder is not None:
        axes = figures.four_panels(run, limit)
        figures.save(axes[0], folder / "text_to_prediction.png")
    return ntp.compare(run, limit).checks


if __name__ == "__main__":
    checks = text_to_prediction(Path(sys.argv[1] if len(sys.argv) > 1 else "out"))
    print(*(check.line() for check in checks), sep="\n")
    sys.exit(not all(check.holds for check in checks))
