"""The scan, in order and in rounds, against a loop that is differentiated position by position."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from ntp_theory.sequence.models.selective_scan import Reach, doubling_scan, selective_scan, whole_scan

INNER, STATE = 3, 2


def drawn(length, seed, count=2):
    generator = torch.Generator().manual_seed(seed)
    shapes = [(count, length, INNER)] * 2 + [(count, length, STATE)] * 2 + [(INNER, STATE)]
    x, step, into, out, decay = (torch.randn(s, generator=generator, dtype=torch.float64) for s in shapes)
    return [one.requires_grad_() for one in (x, step.exp(), into, out, decay.exp())]


def loop(x, step, into, out, decay, reach):
    """A state reads a mixture of the one before and of what it is worth beyond the window, which is a constant."""
    shown = []
    for t in range(x.shape[1]):
        near = far = torch.zeros(len(x), INNER, STATE, dtype=x.dtype)
        for s in range(t + 1):
            keep = torch.exp(-step[:, s, :, None] * decay)
            fresh = (step[:, s] * x[:, s])[..., None] * into[:, s, None]
            # positions that are too far back count as numbers: they, and what is kept of them there
            state = keep * near + fresh
            near = state if s >= t - reach.window else state.detach()
            far = keep * far + fresh
        mixed = reach.beta * far + (1 - reach.beta) * near
        shown.append((mixed * out[:, t, None]).sum(-1))
    return torch.stack(shown, dim=1)


@pytest.mark.parametrize("method", [selective_scan, whole_scan])
@given(st.integers(1, 9), st.integers(0, 10), st.sampled_from([0.0, 0.3, 1.0]), st.integers(0, 10_000))
def test_values_and_gradients(method, length, window, beta, seed):
    """At 1e-12 of the largest entry: there are a few hundred roundings of 1e-16."""
    found = []
    for way in (method, loop):
        inputs = drawn(length, seed)
        y = way(*inputs, Reach(window, beta))
        weights = torch.linspace(-1, 2, y.numel(), dtype=y.dtype).view(y.shape)
        found.append([y, *torch.autograd.grad((y * weights).sum(), inputs, allow_unused=True)])
    for ours, theirs in zip(*found, strict=True):
        expected = torch.zeros_like(ours) if theirs is None else theirs
        assert float((ours - expected).detach().abs().max()) <= 1e-12 * max(1.0, float(expected.detach().abs().max()))


def test_the_reach_may_change_before_the_way_back():
    inputs, reach = drawn(5, 0), Reach()
    y = selective_scan(*inputs, reach)
    reach.beta = 0.0
    cut = torch.autograd.grad(y.sum(), inputs[0], retain_graph=True)[0]
    assert torch.equal(cut, torch.autograd.grad(selective_scan(*inputs, Reach(0, 0.0)).sum(), inputs[0])[0])
    reach.beta = 1.0
    whole = torch.autograd.grad(y.sum(), inputs[0])[0]
    assert torch.equal(whole, torch.autograd.grad(selective_scan(*inputs).sum(), inputs[0])[0])
    assert torch.equal(whole[:, -1], cut[:, -1]) and not torch.equal(whole, cut)


def test_decays_of_zero_and_one():
    """Forgetting everything gives the inputs back, forgetting nothing their sums."""
    fresh = torch.arange(1.0, 8.0)[None]
    assert torch.equal(doubling_scan(torch.zeros(1, 7), fresh), fresh)
    assert torch.equal(doubling_scan(torch.ones(1, 7), fresh), fresh.cumsum(1))


def test_lower_precision_counts_in_that_of_the_decays():
    inputs = [one.detach() for one in drawn(4, 1)]
    low = [one.to(torch.bfloat16) for one in inputs[:4]]
    y = selective_scan(*low, inputs[4])
    assert y.dtype == torch.float64
    assert torch.equal(y, selective_scan(*(one.double() for one in low), inputs[4]))
