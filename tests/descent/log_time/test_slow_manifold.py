import math

import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from ntp_theory.conditions import check_separability, extended_support
from ntp_theory.construct import random
from ntp_theory.dataset import NTPDataset
from ntp_theory.descent.log_time.slow_manifold import FlowEquation
from ntp_theory.errors import UsageError
from ntp_theory.loss import gradient
from ntp_theory.subspace import DataSubspace
from ntp_theory.testing import datasets, decoders


def equation_of(data, init):
    separable = check_separability(data).separable
    pattern = data.pattern if separable else extended_support(data).pattern
    return FlowEquation(data, pattern, init), pattern


def size_of(weights, data):
    return 1.0 + float((data.embeddings @ weights.T).abs().max())


@settings(max_examples=25)
@given(st.data(), st.sampled_from([-5.0, 0.0, 3.0]))
def test_the_equation_is_that_of_the_gradient(draw, clock):
    data = draw.draw(datasets())
    init = draw.draw(decoders(data))
    equation, pattern = equation_of(data, init)
    generator = torch.Generator().manual_seed(0)
    y = torch.randn(equation.dim, generator=generator, dtype=torch.float64)
    weights = equation.decoder(y)
    clocks = torch.tensor([clock], dtype=torch.float64)
    speed = (equation.force(y[None], clocks) / equation.mass(clocks))[0]
    found = equation.displacement(speed) * equation.scale**2
    lengths = float((data.weights * data.embeddings.norm(dim=1)).sum())
    # one unit in the last place of the logits, in the exponentials
    rounding = 1e-15 * size_of(weights, data) * lengths
    assert float((found - math.exp(clock) * gradient(weights, data)).norm()) <= 100 * math.exp(clock) * rounding
    in_f = int((equation.mass(clocks)[0] < 1.0).sum())
    assert in_f == DataSubspace(data.embeddings, pattern).dim


@settings(max_examples=25)
@given(st.data(), st.sampled_from([-5.0, 0.0, 3.0]))
def test_the_jacobian_is_the_derivative_of_the_force(draw, clock):
    data = draw.draw(datasets())
    init = draw.draw(decoders(data))
    equation, _ = equation_of(data, init)
    assume(equation.dim > 0)
    y, clocks = torch.full((equation.dim,), 0.1, dtype=torch.float64), torch.tensor([clock], dtype=torch.float64)
    expected = torch.autograd.functional.jacobian(lambda y: equation.force(y[None], clocks)[0], y)
    found = equation.jacobian(y, clocks[0])
    # pairs left out weigh less than 1e-14; rounding of the exponentials is that of the logits
    allowed = 1e-12 * size_of(init, data) * (1.0 + float(expected.abs().max()))
    assert float((found - expected).abs().max()) <= allowed


def test_tails_below_the_smallest_double_still_act():
    data = NTPDataset([[1.0]], [[1.0, 0.0]])
    init = torch.tensor([[5e3], [-5e3]], dtype=torch.float64)
    equation, _ = equation_of(data, init)
    clocks = torch.tensor([1e4 - 1.0], dtype=torch.float64)
    pull = equation.displacement(-equation.force(torch.zeros(1, 1, dtype=torch.float64), clocks)[0])
    # e^(10^4 - 1) softmax = e^-1, to the rounding of 10^4
    assert pull.flatten().tolist() == pytest.approx([math.exp(-1.0), -math.exp(-1.0)], rel=1e-11)


def test_too_many_unknowns_are_refused():
    data = random(53, 50, 60, 3, rng=0)
    with pytest.raises(UsageError, match=r"\(V - 1\) rank\(H\) = 2600 unknowns; the flow takes at most 2500"):
        FlowEquation(data, data.pattern, torch.zeros(53, 50, dtype=torch.float64))
