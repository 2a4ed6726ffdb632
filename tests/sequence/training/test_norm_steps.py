"""Steps of a given length in a norm, held against the methods of `ntp_theory.descent` and against scipy."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest
import scipy.linalg
import torch
from hypothesis import given
from hypothesis import strategies as st

from ntp_theory import NTPDataset, descend
from ntp_theory.construct import random
from ntp_theory.descent import Muon, SignDescent, Signum, SpectralDescent
from ntp_theory.errors import CheckpointError, UsageError
from ntp_theory.loss import gradient
from ntp_theory.sequence.training import NormSteps, TeacherForcing, train
from tests.sequence.training.tiny import SETTINGS, TASK, same, transformer

OPTIONS = {"settings": SETTINGS, "evaluate_every": 4, "evaluate_count": 5}


@pytest.mark.parametrize(
    ("method", "settings"),
    [
        (SignDescent(0.1, decay=0.0), {}),
        (Signum(0.1, decay=0.0, beta=0.9), {"beta": 0.9}),
        (SpectralDescent(0.1, decay=0.0), {"norm": "spectral"}),
        (Muon(0.1, decay=0.0, beta=0.9), {"norm": "spectral", "beta": 0.9}),
    ],
    ids=lambda x: getattr(x, "name", ""),
)
def test_on_a_decoder_it_is_the_method_of_the_theory(method, settings):
    data: NTPDataset = random(4, 6, 5, (1, 2), rng=0)
    run = descend(data, method, steps=10, record="all")
    p = torch.nn.Parameter(run.weights[0].clone())
    optimiser = NormSteps([p], lr=0.1, **settings)
    for there in run.weights[1:]:
        p.grad = gradient(p.detach(), data)
        optimiser.step()
        torch.testing.assert_close(p.detach(), there, rtol=0, atol=1e-9)


@given(st.integers(0, 2**32 - 1), st.sampled_from([(3, 5), (5, 3), (4,), (), (2, 3, 2)]))
def test_spectral_steps_are_polar_factors(seed, shape):
    grad = np.random.default_rng(seed).standard_normal(shape)
    p = torch.nn.Parameter(torch.zeros(shape, dtype=torch.float64))
    p.grad = torch.as_tensor(grad, dtype=torch.float64)
    NormSteps([p], lr=1.0, norm="spectral").step()
    flat = grad.reshape(shape[0] if shape else 1, -1)
    np.testing.assert_allclose(p.detach().numpy().reshape(flat.shape), -scipy.linalg.polar(flat)[0], atol=1e-10)


def test_what_is_rounding_moves_nothing_and_weights_decay():
    p = torch.nn.Parameter(torch.eye(2))
    p.grad = torch.tensor([[2.0, 0.0], [0.0, 1e-9]])
    NormSteps([p], lr=0.5, norm="spectral", weight_decay=0.5).step()
    assert p.tolist() == [[0.25, 0.0], [0.0, 0.75]]
    still = torch.nn.Parameter(torch.ones(2))
    optimiser = NormSteps([p, still], lr=0.5, norm="spectral")
    p.grad.zero_()
    assert optimiser.step(lambda: 3.0) == 3.0 and p.tolist() == [[0.25, 0.0], [0.0, 0.75]] and still.tolist() == [1, 1]


def test_train_takes_it_and_goes_on_from_a_checkpoint(tmp_path):
    optimizer, path = partial(NormSteps, norm="spectral", beta=0.5), tmp_path / "run.npz"
    whole, parts, usual = transformer(), transformer(), transformer()
    train(whole, TASK, TeacherForcing(), steps=8, optimizer=optimizer, **OPTIONS)
    options = OPTIONS | {"optimizer": optimizer, "checkpoint": path}
    train(parts, TASK, TeacherForcing(), steps=8, callback=lambda e: e.step == 4, **options)
    train(transformer(), TASK, TeacherForcing(), steps=4, **options)  # at its end already
    train(parts := transformer(), TASK, TeacherForcing(), steps=8, **options)
    train(usual, TASK, TeacherForcing(), steps=8, **OPTIONS)
    assert same(whole, parts) and not same(whole, usual)
    with pytest.raises(CheckpointError, match="holds another run; optimizer differ"):
        train(transformer(), TASK, TeacherForcing(), steps=8, **options | {"optimizer": NormSteps})
    with pytest.raises(CheckpointError, match="holds another run; optimizer differ"):
        train(transformer(), TASK, TeacherForcing(), steps=8, **options | {"optimizer": None})


def test_one_step_of_gradient_descent():
    """The learning rate is that of the settings, and the gradient that of the objective, clipped."""
    model = transformer()
    before = [p.detach().clone() for p in model.parameters()]
    settings = type(SETTINGS)(batch_size=16, warmup=0, learning_rate=0.25, clip=1e-3)
    train(model, TASK, TeacherForcing(), steps=1, optimizer=torch.optim.SGD, settings=settings, evaluate_count=5)
    moved = torch.cat([(p.detach() - b).flatten() for p, b in zip(model.parameters(), before, strict=True)])
    assert float(moved.norm()) == pytest.approx(0.25e-3, rel=1e-3)


def test_refused():
    p = torch.nn.Parameter(torch.zeros(2))
    for setting, value in (("norm", "nuclear"), ("lr", 0.0), ("beta", 1.0), ("weight_decay", -1.0)):
        with pytest.raises(UsageError, match=setting):
            NormSteps([p], **{setting: value})
    for made in (lambda groups: groups, lambda groups: torch.optim.SGD()):
        with pytest.raises(UsageError, match="optimizer is"):
            train(transformer(), TASK, TeacherForcing(), steps=1, optimizer=made)
