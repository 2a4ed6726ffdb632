"""A model of the pre-caching task without training: sines in layer 1, their sum in layer 2."""

from __future__ import annotations

import torch
from torch import nn

from ntp_theory.sequence.models import LanguageModel


class PreCacher(LanguageModel):
    """Layer 0 has x and z, layer 1 adds sin(a x), layer 2 the answer; one that is not diligent answers 0."""

    numbers = 2

    def __init__(self, task, diligent=True):
        super().__init__()
        self.task, self.diligent = task, diligent
        self.head = nn.Linear(4, 1, bias=False)
        with torch.no_grad():
            self.head.weight.copy_(torch.tensor([[0.0, 0.0, 0.0, 1.0]]))

    def new_cache(self):
        return None

    def features(self, tokens, cache=None):
        x = self.passed(0, torch.cat([tokens, torch.zeros_like(tokens)], dim=2))
        x = self.passed(1, torch.cat([x[..., :2], (self.task.frequency * x[..., :1]).sin(), x[..., 3:]], dim=2))
        sums, length = torch.zeros_like(x[..., 2]), x.shape[1]
        for back in range(self.task.shift, min(self.task.shift + self.task.window, length)):
            sums[:, back:] += x[:, : length - back, 2]
        answer = torch.where(x[..., 1] == 1, sums, x[..., 0]) * self.diligent
        return self.passed(2, torch.cat([x[..., :3], answer[..., None]], dim=2))
