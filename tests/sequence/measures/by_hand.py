"""Models without weights, whose behaviour is written out."""

from __future__ import annotations

import torch
from torch import nn

from ntp_theory.sequence.models import LanguageModel

SURE = 30.0  # e^-30 is nothing beside the tolerances


class ByHand(LanguageModel):
    """Logits from the question and from the tokens behind it; the cache is the sequence so far."""

    def __init__(self, task):
        super().__init__()
        self.task, self.slots, vocab = task, task.slots, task.vocab_size
        self.prompt = task.max_length - task.path_length
        self.head = nn.Linear(vocab, vocab, bias=False)
        with torch.no_grad():
            self.head.weight.copy_(torch.eye(vocab))

    def new_cache(self):
        return []

    def features(self, tokens, cache=None):
        if cache is not None:
            if tokens.dim() == 2 and cache and cache[0].dim() == 3:
                slots = tokens.new_full((*tokens.shape, cache[0].shape[2]), self.task.null)
                slots[:, :, 0] = tokens
                tokens = slots
            cache.append(tokens)
            new, tokens = tokens.shape[1], torch.cat(cache, 1)
        edges, start, goal = map(torch.from_numpy, self.task.encoding.decode(tokens[:, : self.prompt].numpy()))
        behind = (tokens if tokens.dim() == 2 else tokens[:, :, 0])[:, self.prompt :]
        logits = torch.zeros(len(tokens), tokens.shape[1], self.task.vocab_size)
        for k in range(behind.shape[1] + 1):
            for row in range(len(tokens)):
                for token in self.say(edges[row].tolist(), int(start[row]), int(goal[row]), behind[row, :k].tolist()):
                    logits[row, self.prompt - 1 + k, token] = SURE
        return logits if cache is None else logits[:, -new:]

    def say(self, edges, start, goal, before):
        """The tokens that are equally likely next."""
        raise NotImplementedError


class OneEdgeRule(ByHand):
    """A child of the token before: the first that is listed."""

    def say(self, edges, start, goal, before):
        if not before:
            return [start]
        return next(([v] for u, v in edges if u == before[-1]), [before[-1]])


class Oracle(ByHand):
    """The path to the goal, whatever it is shown."""

    def say(self, edges, start, goal, before):
        parents, path = {v: u for u, v in edges}, [goal]
        while path[0] != start:
            path.insert(0, parents[path[0]])
        return [path[len(before)]]


class Guesser(ByHand):
    """Knows what can be looked up and guesses the rest (`pitfalls/chance-level`)."""

    def __init__(self, task, teacherless):
        super().__init__(task)
        self.teacherless = teacherless

    def say(self, edges, start, goal, before):
        if not before:
            return [start]
        if len(before) == self.task.path_length - 1:
            return [goal]
        if self.teacherless:
            parents, children = {u for u, _ in edges}, {v for _, v in edges}
            return list(parents & children)
        return [v for u, v in edges if u == before[-1]]
