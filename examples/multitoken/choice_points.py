"""Choice points: the loss of several heads counts a fork once for every head and token that it decides."""

from __future__ import annotations

import sys
from pathlib import Path

import ntp_theory as ntp
from ntp_theory import figures
from ntp_theory.figures import style
from ntp_theory.multitoken import choice_terms, two_branches, wrong_predictions

LABELS = ("multitoken/rejoin", "multitoken/choice-points")


def choice_points(folder: Path | None = None, *, heads: int = 3) -> list[ntp.Check]:
    """A model that expects the other branch, with branches that rejoin after 1, 2 .. n tokens, and with three branches.

    An inconsequential transition (j = 1) costs every head one term; a fork for good n (n + 1) / 2.
    """
    checks, found = [], []
    for rejoin in range(1, heads + 1):
        taken, other = two_branches(heads, rejoin)
        found.append(wrong_predictions(taken, [other], heads))
        label = LABELS[rejoin == heads]
        words = f"wrong predictions of {heads} heads, branches rejoin after {rejoin}"
        checks.append(ntp.Check.same(label, choice_terms(heads, rejoin), found[-1].count, statement=words))
    if folder is not None:
        with style.look():
            axes = style.new_axes(1, len(found), width=3.0, height=2.3)
            for rejoin, (ax, one) in enumerate(zip(axes, found, strict=True), 1):
                figures.choice_points(one, ax)
                ax.set_title(f"rejoin after {rejoin}: {one.count}" if rejoin < heads else f"for good: {one.count}")
        figures.save(axes[0], folder / "choice_points.png")
    return checks


if __name__ == "__main__":
    checks = choice_points(Path(sys.argv[1] if len(sys.argv) > 1 else "out"))
    print(*(check.line() for check in checks), sep="\n")
    sys.exit(not all(check.holds for check in checks))
