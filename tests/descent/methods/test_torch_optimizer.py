"""Optimizers of PyTorch with gradients in closed form, against the same ones with autograd."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from ntp_theory.construct import random
from ntp_theory.dataset import NTPDataset
from ntp_theory.descent import descend
from ntp_theory.descent.methods.torch_optimizer import TorchOptimizer
from ntp_theory.errors import SolverError, UsageError
from tests.test_loss import EPS, naive_loss

DATA = random(4, 6, 5, 2, 1)
STEPS = 10
OPTIMIZERS = [
    (torch.optim.SGD, {"lr": 0.1, "momentum": 0.9, "nesterov": True}),
    (torch.optim.Adam, {"lr": 0.1}),
    (torch.optim.AdamW, {"lr": 0.1, "weight_decay": 0.1}),
    (torch.optim.RMSprop, {"lr": 0.01, "momentum": 0.5}),
    (torch.optim.Adagrad, {"lr": 0.1}),
    (torch.optim.Rprop, {"lr": 0.1}),
    (torch.optim.LBFGS, {"lr": 0.5, "max_iter": 1}),
]


@pytest.mark.parametrize(("factory", "settings"), OPTIMIZERS, ids=lambda x: getattr(x, "__name__", ""))
def test_against_a_live_optimizer_with_autograd(factory, settings):
    """Gradients differ by rounding, some 10 units in the last place, and a step no more than doubles a difference."""
    start = torch.from_numpy(np.random.default_rng(0).normal(size=(4, 6)))
    leaf = torch.nn.Parameter(start.clone())
    optimizer = factory([leaf], **settings)

    def closure():
        optimizer.zero_grad()
        loss = naive_loss(leaf, DATA)
        loss.backward()
        return loss

    for _ in range(STEPS):
        optimizer.step(closure)
    found = descend(DATA, TorchOptimizer(factory, **settings), steps=STEPS, init=start)
    assert (found.weights[-1] - leaf).abs().max() <= 10 * 2**STEPS * EPS * leaf.abs().max()
    assert found.method == factory.__name__ and found.step_size == settings["lr"]


def test_plain_steps_are_those_of_gradient_descent():
    ours = descend(DATA, "gd", steps=STEPS, step_size=0.3, record="all")
    theirs = descend(DATA, TorchOptimizer(torch.optim.SGD, lr=0.3), steps=STEPS, record="all")
    size = float(DATA.embeddings.abs().max())
    assert (ours.weights - theirs.weights).abs().max() <= STEPS * 100 * EPS * size
    assert torch.equal(ours.log_elapsed, theirs.log_elapsed)


def test_settings_make_the_method():
    """A run is resumed only by the same optimizer with the same settings, wherever they come from."""
    assert repr(TorchOptimizer(torch.optim.Adam)) == repr(TorchOptimizer(torch.optim.Adam, lr=1e-3))
    assert repr(TorchOptimizer(torch.optim.Adam)) != repr(TorchOptimizer(torch.optim.Adam, lr=2e-3))
    assert repr(TorchOptimizer(lambda p: torch.optim.Adam(p, lr=2e-3))) == repr(
        TorchOptimizer(torch.optim.Adam, lr=2e-3)
    )


def test_an_optimizer_of_ones_own():
    class Shrink(torch.optim.Optimizer):
        def __init__(self, params):
            super().__init__(params, {})

        def step(self, closure):
            closure()
            for parameter in self.param_groups[0]["params"]:
                parameter.data.mul_(0.5).sub_(parameter.grad)

    found = descend(NTPDataset([[2.0]], [[1.0, 0.0]]), TorchOptimizer(Shrink), steps=1, init=[[1.0], [1.0]])
    assert found.weights[1].tolist() == [[1.5], [-0.5]] and (found.method, found.step_size) == ("Shrink", 1.0)


def test_a_run_that_leaves_the_numbers_stops():
    for factory in (torch.optim.SGD, torch.optim.LBFGS):
        with pytest.raises(SolverError, match="the norm of the decoder is not finite"):
            descend(NTPDataset([[10.0]], [[0.9, 0.1]]), TorchOptimizer(factory, lr=1e308), steps=10, record=[0, 10])


@pytest.mark.parametrize(
    ("rule", "factory", "settings"),
    [
        ("it makes no optimizer", 3, {}),
        ("it makes no optimizer: Invalid learning rate", torch.optim.SGD, {"lr": -1.0}),
        ("it makes no optimizer", torch.optim.SGD, {"speed": 1.0}),
        (r"it must make a torch.optim.Optimizer, not \[Parameter", list, {}),
        ("it must make a torch.optim.Optimizer, not None", lambda parameters: None, {}),
    ],
)
def test_what_is_refused(rule, factory, settings):
    with pytest.raises(UsageError, match=rule):
        TorchOptimizer(factory, **settings)
