"""Induction measured on models that are written out: one that looks up, one that copies, one that guesses."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given

from ntp_theory.errors import UsageError
from ntp_theory.sequence.measures import confidence_interval, induction, names
from ntp_theory.sequence.models import LanguageModel, model_for
from ntp_theory.sequence.tasks import Induction, PathStar
from tests.sequence.strategies import induction_tasks
from tests.sequence.tasks.test_induction import mentions, splits


class Rule(LanguageModel):
    """Says after a first token what its rule makes of the second tokens mentioned so far, in order, by first token."""

    def __init__(self, task, rule):
        super().__init__()
        self.task, self.rule, self.slots = task, rule, 1
        self.head = torch.nn.Linear(task.vocab_size, task.vocab_size, bias=False)
        torch.nn.init.eye_(self.head.weight)

    def new_cache(self):
        return []

    def features(self, tokens, cache=None):
        logits = torch.zeros(*tokens.shape, self.task.vocab_size)
        for row, text in enumerate(tokens.tolist()):
            known = {}
            for t in range(1, len(text)):
                if text[t - 1] == self.task.marker:
                    logits[row, t, self.rule(known, text[t])] = 1
                elif t > 1 and text[t - 2] == self.task.marker:
                    known.pop(text[t - 1], None)  # the last mention is the last of the values
                    known[text[t - 1]] = text[t]
        return logits


def look_up(known, first):
    return known.get(first, 0)


def copy_the_last(known, first):
    return [0, *known.values()][-1]


def nothing(known, first):
    return 0


@given(induction_tasks(), splits)
def test_against_a_count_by_hand(task, split):
    """Of the one that copies: every place, one after another."""
    batch = task.sample(20, 0, split=split)
    again = right = choices = apart = new = new_right = 0
    for tokens in batch.with_tokens(batch.answers).tolist():
        known = {}
        for place, (first, second) in mentions(task, tokens):
            said = copy_the_last(known, first)
            if first in known:
                choice = len(set(known.values())) > 1
                again, right = again + 1, right + (said == second)
                choices, apart = choices + choice, apart + (choice and said == second)
            else:
                # what is said at a first mention: nothing yet is background token 0, no name
                new, new_right = new + 1, new_right + (bool(known) and said == second)
            known.pop(first, None)
            known[first] = second
            assert tokens[place] == task.background + second
    if not again:
        with pytest.raises(UsageError, match="no name comes again in 20 sequences"):
            induction(Rule(task, copy_the_last), task, count=20, split=split)
        return
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(names, "CHUNK", 7 * task.length**2)  # in several parts
        found = induction(Rule(task, copy_the_last), task, count=20, split=split)
        best = induction(Rule(task, look_up), task, count=20, split=split)
        worst = induction(Rule(task, nothing), task, count=20, split=split)
    assert (found.count, found.right, found.copied, found.choices) == (again, right / again, 1.0, choices)
    assert found.told_apart == apart / choices if choices else math.isnan(found.told_apart)
    assert found.first_mention == new_right / new
    assert (best.right, best.copied, best.first_mention) == (1.0, 1.0, 0.0)
    assert best.told_apart == 1.0 or not choices
    assert (worst.right, worst.copied, worst.first_mention) == (0.0, 0.0, 0.0)


def test_copying_any_name_is_at_the_plateau():
    """The last name mentioned is as good a guess as any: within five standard errors, places taken as independent."""
    task = Induction()
    found = induction(Rule(task, copy_the_last), task, count=1000)
    p = task.guessing_accuracy("test")
    assert abs(found.right - p) < 5 * math.sqrt(p * (1 - p) / found.count) and found.copied == 1.0
    assert found.right_interval == confidence_interval(round(found.right * found.count), found.count)
    assert found.told_apart_interval[0] < found.told_apart < found.told_apart_interval[1]


@pytest.mark.parametrize(
    "call, message",
    [
        (lambda model: induction(model, PathStar(2, 3, 5)), "task is PathStar.*; it must be an Induction task"),
        (lambda model: induction(model, Induction(), count=0), "count is 0"),
        (lambda model: induction(model, Induction(2, 9), count=10), "max_length"),
        (lambda model: induction(model, Induction(), split="valid"), "split is 'valid'"),
    ],
)
def test_wrong_calls(call, message):
    with pytest.raises(UsageError, match=message):
        call(model_for(Induction(2, 7), layers=1))
