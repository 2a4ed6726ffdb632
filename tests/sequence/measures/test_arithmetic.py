"""Accuracy by number of operators, on a model that knows the answers to all but the longest questions."""

from __future__ import annotations

import pytest
import torch

from ntp_theory.errors import UsageError
from ntp_theory.sequence.measures import by_operators
from ntp_theory.sequence.models import model_for
from ntp_theory.sequence.objectives import TeacherForcing
from ntp_theory.sequence.tasks import PathStar, PolynomialArithmetic


class UpTo(TeacherForcing):
    """Asks a solver instead of the model, which is wrong in the first token beyond m operators."""

    def __init__(self, m):
        object.__setattr__(self, "m", m)

    def answer(self, model, batch, task):
        assert bool(task.held_out(batch).all())
        right = task.solve(batch)
        right[:, 0] = torch.where(task.num_operators(batch) > self.m, (right[:, 0] + 1) % task.modulus, right[:, 0])
        return right


@pytest.mark.parametrize("m", [0, 1, 3])
def test_every_number_of_operators_is_judged_by_itself(m):
    task = PolynomialArithmetic(2, fewest=2, room=4, modulus=4, terms=2)
    found = by_operators(model_for(task, layers=1), task, UpTo(m), count=50)
    assert {k: evaluation.free for k, evaluation in found.items()} == {k: float(k <= m) for k in (1, 2, 3, 4)}
    assert all(evaluation.count == 50 for evaluation in found.values())


def test_wrong_calls():
    task = PolynomialArithmetic(1)
    for call, message in (
        (lambda: by_operators(model_for(task), PathStar(2, 3, 5)), "task is PathStar.*; it must be a PolynomialArith"),
        (lambda: by_operators(model_for(task), task, count=0), "count is 0"),
        (lambda: by_operators(model_for(task), task, rng=-1), "rng is -1"),
        (lambda: by_operators(model_for(task), PolynomialArithmetic(2), count=10), "max_length"),
    ):
        with pytest.raises(UsageError, match=message):
            call()
