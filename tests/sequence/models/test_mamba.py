"""The scan against a loop, the block against the recurrence that it stands for, and the fused kernel."""

from __future__ import annotations

import importlib.util

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st

from ntp_theory.sequence.models import Mamba, MambaConfig, mamba
from ntp_theory.sequence.models.mamba import doubling_scan, scan


def loop(keep, fresh):
    state, states = torch.zeros_like(fresh[:, 0]), []
    for t in range(fresh.shape[1]):
        state = keep[:, t] * state + fresh[:, t]
        states.append(state)
    return torch.stack(states, dim=1)


def kernel_of_the_paper(u, delta, a, b, c, d):
    """What the fused kernel computes, one position after another."""
    state, out = u.new_zeros(*u.shape[:2], a.shape[1]), []
    for t in range(u.shape[2]):
        step, x = delta[:, :, t, None], u[:, :, t, None]
        state = torch.exp(step * a) * state + step * x * b[:, None, :, t]
        out.append((state * c[:, None, :, t]).sum(-1) + d * u[:, :, t])
    return torch.stack(out, dim=2)


@given(st.integers(1, 40), st.integers(0, 10_000))
def test_scan_and_its_gradient(length, seed):
    """At 1e-12: factors are below 1, so rounding of 40 sums does not grow."""
    generator = torch.Generator().manual_seed(seed)
    keep, fresh, weights = (torch.rand(2, length, 3, dtype=torch.float64, generator=generator) for _ in range(3))
    found = []
    for method in (scan, doubling_scan, loop):
        inputs = [x.clone().requires_grad_() for x in (keep, fresh)]
        states = method(*inputs)
        gradients = torch.autograd.grad((weights * states).sum(), inputs, allow_unused=True)
        found.append([states, *(torch.zeros_like(keep) if g is None else g for g in gradients)])
    for ours, doubled, theirs in zip(*found, strict=True):
        for one in (ours, doubled):
            assert float((one - theirs).detach().abs().max()) < 1e-12


def test_decays_of_zero_and_one():
    """Forgetting everything gives the inputs back, forgetting nothing their sums."""
    fresh = torch.arange(1.0, 8.0)[None]
    for method in (scan, doubling_scan):
        assert torch.equal(method(torch.zeros(1, 7), fresh), fresh)
        assert torch.equal(method(torch.ones(1, 7), fresh), fresh.cumsum(1))


def test_the_fused_kernel_gets_what_it_asks_for(monkeypatch):
    """A stand-in of the same signature and shapes gives the same model, gradients included."""
    model, tokens = Mamba(MambaConfig(7, width=16, layers=2, state=4)).double(), torch.arange(14).view(2, 7) % 7
    found = []
    for kernel in (None, kernel_of_the_paper):
        monkeypatch.setattr(mamba, "fused_kernel", lambda x, kernel=kernel: kernel)
        model.zero_grad()
        logits = model(tokens)
        F.cross_entropy(logits.flatten(0, 1), tokens.flatten()).backward()
        found.append([logits.detach(), *(p.grad.clone() for p in model.parameters())])
    for ours, theirs in zip(*found, strict=True):
        assert float((ours - theirs).abs().max()) < 1e-12


def test_no_fused_kernel_on_the_cpu():
    assert mamba.fused_kernel(torch.zeros(1)) is None


@pytest.mark.skipif(
    not torch.cuda.is_available() or not importlib.util.find_spec("mamba_ssm"), reason="needs mamba_ssm"
)
def test_the_fused_kernel_on_a_gpu():
    """Single precision: a few hundred roundings of 6e-8."""
    model, tokens = Mamba(MambaConfig(7, width=16, layers=2)).cuda(), torch.arange(60, device="cuda").view(2, 30) % 7
    with torch.no_grad():
        assert float((model(tokens) - model(tokens, model.new_cache())).abs().max()) < 1e-4


def test_step_sizes_of_layers_and_seeds_are_drawn_apart():
    """No layer of one seed begins as a layer of another."""
    drawn = [mixer.step_size.bias for s in range(3) for mixer in Mamba(MambaConfig(5, layers=3, seed=s)).mixers]
    assert not any(torch.equal(drawn[i], drawn[j]) for i in range(9) for j in range(i))
    assert all(bool(((0.001 < steps) & (steps < 0.1)).all()) for steps in map(F.softplus, drawn))
