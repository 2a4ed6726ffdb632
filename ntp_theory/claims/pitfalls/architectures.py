"""Path-star graphs in a recurrent model: whether the contrast of the regimes is one of attention."""

from __future__ import annotations

from collections.abc import Iterator

from ...checks import Check
from ...sequence.measures import evaluate
from ...sequence.objectives import TeacherForcing
from ..registry import Budget, at_most, claim
from .runs import COUNT, trained

# Steps of 128 examples, and from which of them on teacher forcing is on its plateau.
REVERSED, FORCED, SETTLED = 2000, 2000, 1000


@claim(
    "pitfalls/models",
    source="2403.06963 Sec. 5, Mamba, which is not in the public code; own runs",
    evidence="measured",
    standard="Mamba of 5 layers, 64 wide, G(2, 5), one seed: reversed at least 99 % of 10,000 held-out graphs within "
    "2,000 steps of 128; teacher forcing within 4 % of 1/2 from 128,000 to 256,000 examples, but for three standard "
    "errors of 1,000 questions, all tokens but the branch above 99 %.",
)
def mamba(budget: Budget) -> Iterator[Check]:
    """Mamba fails where a Transformer does: taught, it guesses the arm and looks up the rest. Reversed, it succeeds."""
    task, model, result = trained(5, "reversed", TeacherForcing(), REVERSED, 0, 0.995, architecture="mamba")
    missed = 1 - evaluate(model, task, count=COUNT, rng=100).free
    words = f"reversed, {result.steps} steps: 1 - free accuracy on {COUNT} held-out graphs"
    yield at_most(0.0, missed, slack=0.01, evidence="measured", statement=words)
    task, _, result = trained(5, "forward", TeacherForcing(), FORCED, 0, architecture="mamba")
    late = [one for one in result.evaluations if one.step >= SETTLED]
    off = max(abs(one.free - task.chance) for one in late)
    slack = 0.04 + 3 * (0.25 / late[-1].count) ** 0.5
    words = f"teacher forcing: free accuracy - 1/2, largest from {SETTLED} to {result.steps} steps"
    yield at_most(0.0, off, slack=slack, evidence="measured", statement=words)
    worst = min(accuracy for i, accuracy in enumerate(late[-1].forced) if i != 1)
    words = "teacher forcing: 1 - forced accuracy, worst token but the branch"
    yield at_most(0.0, 1 - worst, slack=0.01, evidence="measured", statement=words)
