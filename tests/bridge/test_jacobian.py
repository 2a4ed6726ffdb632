"""Ranks of trained modules against those of the same maps written out."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from ntp_theory.bridge import model_jacobian_rank
from ntp_theory.errors import UsageError
from ntp_theory.readings import jacobian_rank
from ntp_theory.sequence.models import Transformer, TransformerConfig


def test_a_module_is_its_map_and_is_left_as_it_was():
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(2, 3), nn.Tanh(), nn.Dropout(0.5), nn.Linear(3, 3, bias=False)).train()
    inputs = torch.randn(4, 2, dtype=torch.float64)
    theta = torch.cat([w.detach().double().flatten() for w in model.parameters()])

    def logits(t):
        inner, bias, outer = t.split([6, 3, 9])
        return (inputs @ inner.view(3, 2).T + bias).tanh() @ outer.view(3, 3).T

    found, expected = model_jacobian_rank(model, inputs), jacobian_rank(logits, theta)
    assert torch.allclose(found.singular_values, expected.singular_values, rtol=0, atol=1e-12)
    assert found.num_parameters == 18 and found.rank == expected.rank == 8
    assert model.training and next(model.parameters()).dtype is torch.float32


def test_frozen_weights_are_no_parameters():
    model = nn.Linear(2, 3)
    model.weight.requires_grad = False
    assert model_jacobian_rank(model, torch.eye(2, dtype=torch.float64)).rank == 2  # the bias, centred
    model.bias.requires_grad = False
    with pytest.raises(UsageError, match="no weights"):
        model_jacobian_rank(model, torch.eye(2, dtype=torch.float64))


def test_narrow_last_layer_bounds_the_rank():
    # width 2 under 5 tokens: the logits of n contexts are a matrix of rank 2
    model = Transformer(TransformerConfig(vocab_size=5, max_length=3, width=2, layers=1, heads=1))
    contexts = torch.cartesian_prod(*[torch.arange(5)] * 3)[::11]
    found = model_jacobian_rank(model, contexts)
    n = len(contexts)
    # matrices (n, V - 1) of rank 2 have 2 (n + V - 1 - 2) dimensions
    assert found.rank <= 2 * (n + 4 - 2) < found.bound and not found.is_free


def test_real_inputs_are_made_double_and_others_refused():
    found = model_jacobian_rank(nn.Linear(3, 2), torch.eye(4, 3))
    assert found.rank == found.bound == 4
    with pytest.raises(UsageError, match="model is None"):
        model_jacobian_rank(None, torch.eye(2))
    with pytest.raises(UsageError, match="inputs is"):
        model_jacobian_rank(nn.Linear(3, 2), [[1.0]])
