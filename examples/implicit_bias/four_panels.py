"""Replica of experiment A.2 of arXiv 2402.18551 (Figs. 3-5): gradient descent beside what the data predicts for it."""

from __future__ import annotations

import sys
from pathlib import Path

import ntp_theory as ntp
from ntp_theory import figures


def four_panels(folder: Path | None = None, *, steps: int = 100_000) -> list[ntp.Check]:
    """Predict, descend with the paper's step size, compare; draw the four panels to ``folder``."""
    data = ntp.construct.a2()
    limit = ntp.predict(data)
    run = ntp.descend(data, steps=steps, step_size=0.5, progress=True)
    if folder is not None:
        axes = figures.four_panels(run, limit)
        figures.save(axes[0], folder / "four_panels.png")
    return ntp.compare(run, limit).checks


if __name__ == "__main__":
    checks = four_panels(Path(sys.argv[1] if len(sys.argv) > 1 else "out"))
    print(*(check.line() for check in checks), sep="\n")
    sys.exit(not all(check.holds for check in checks))
