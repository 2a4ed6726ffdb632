"""The block against the recurrence that it stands for, and the fused kernel."""

from __future__ import annotations

import importlib.util

import pytest
import torch
import torch.nn.functional as F

from ntp_theory.sequence.models import Mamba, MambaConfig, mamba


def kernel_of_the_paper(u, delta, a, b, c):
    """What the fused kernel computes, one position after another."""
    state, out = u.new_zeros(*u.shape[:2], a.shape[1]), []
    for t in range(u.shape[2]):
        step, x = delta[:, :, t, None], u[:, :, t, None]
        state = torch.exp(step * a) * state + step * x * b[:, None, :, t]
        out.append((state * c[:, None, :, t]).sum(-1))
    return torch.stack(out, dim=2)


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
