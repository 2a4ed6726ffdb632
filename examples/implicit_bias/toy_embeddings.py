"""Replica of the planar toy of arXiv 2402.18551 (Figs. 1-2): where word embeddings go among their contexts."""

from __future__ import annotations

import sys
from pathlib import Path

import ntp_theory as ntp
from ntp_theory import figures


def toy_embeddings(folder: Path | None = None, *, steps: int = 10_000) -> list[ntp.Check]:
    """Words 1 and 5 follow the same contexts, so their rows of W_mm agree and their rows of W* need not."""
    data = ntp.construct.toy()
    limit = ntp.predict(data)
    if folder is not None:
        axes = figures.toy_figure(limit)
        figures.save(axes[0], folder / "toy_embeddings.png")
    assert limit.direction is not None and data.token_names is not None
    first, fifth = (data.token_names.index(name) for name in ("1", "5"))
    same_support = ntp.Check.at_most(
        "bias/figure-toy",
        bound=2 * limit.svm.distance_bound(),  # each row is off by at most this
        computed=float((limit.direction[first] - limit.direction[fifth]).norm()),
        evidence="certified",
        source="2402.18551 Figs. 1, 2",
        statement="distance of the rows of W_mm of words 1 and 5",
    )
    run = ntp.descend(data, steps=steps)
    return [same_support, *ntp.compare(run, limit).checks]


if __name__ == "__main__":
    checks = toy_embeddings(Path(sys.argv[1] if len(sys.argv) > 1 else "out"))
    print(*(check.line() for check in checks), sep="\n")
    sys.exit(not all(check.holds for check in checks))
