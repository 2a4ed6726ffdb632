"""Runs that take milliseconds a step."""

from __future__ import annotations

import torch

from ntp_theory.sequence.models import Mamba, MambaConfig, Transformer, TransformerConfig
from ntp_theory.sequence.tasks import PathStar
from ntp_theory.sequence.training import Settings

TASK = PathStar(2, 3, 5)
SETTINGS = Settings(batch_size=16, warmup=5, learning_rate=3e-3)


def transformer(task=TASK, **options):
    sizes = {"width": 16, "layers": 2, "heads": 2} | options
    return Transformer(TransformerConfig(task.vocab_size, task.max_length, slots=task.slots, null=task.null, **sizes))


def mamba(task=TASK, **options):
    sizes = {"width": 16, "layers": 2, "state": 4} | options
    return Mamba(MambaConfig(task.vocab_size, slots=task.slots, null=task.null, **sizes))


def weights(model):
    return {name: value.clone() for name, value in model.state_dict().items()}


def same(a, b):
    """Two models, bit for bit."""
    return all(torch.equal(x, y) for x, y in zip(a.state_dict().values(), b.state_dict().values(), strict=True))
