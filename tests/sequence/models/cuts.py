"""Models to cut, far from their initial weights, and gradients that are computed without the library's cuts."""

from __future__ import annotations

from contextlib import contextmanager

import torch
import torch.nn.functional as F
from torch.func import functional_call

from ntp_theory.sequence.models import Mamba, MambaConfig, Transformer, TransformerConfig
from ntp_theory.sequence.models.mamba import SelectiveStateSpace
from ntp_theory.sequence.models.transformer import Attention

VOCAB, LENGTH = 7, 8
SMALL = {"width": 8, "slots": 2, "null": VOCAB - 1}
MODELS = {
    "learned": lambda **o: Transformer(TransformerConfig(VOCAB, LENGTH, heads=2, **{"layers": 2} | SMALL | o)),
    "rotary": lambda **o: Transformer(
        TransformerConfig(VOCAB, LENGTH, heads=2, positions="rotary", **{"layers": 2} | SMALL | o)
    ),
    "mamba": lambda **o: Mamba(MambaConfig(VOCAB, state=3, convolution=3, **{"layers": 2} | SMALL | o)),
}


def model_of(name, seed=0, dtype=torch.float64, **options):
    """With weights that make every term count: drawn ones are near 0."""
    model, generator = MODELS[name](**options), torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for p in model.parameters():
            p += 0.4 * torch.randn(p.shape, generator=generator)
        for table in model.embedding.tables:
            table.weight[VOCAB - 1] = 0
    return model.to(dtype)


def tokens_of(length=LENGTH, seed=0, count=2):
    """Some slots, and some whole positions, are empty."""
    return torch.randint(VOCAB, (count, length, 2), generator=torch.Generator().manual_seed(seed))


def loss_of(logits, position=None):
    """A loss at every position, or at one alone, that is not the same for any two logits."""
    weights = torch.linspace(-1, 2, logits[0].numel(), dtype=logits.dtype).view(logits[0].shape)
    losses = (logits.sin() * weights).sum(-1)
    return losses.sum() if position is None else losses[:, position].sum()


def gradients(model, tokens, cut=None):
    """Of the loss, by the names of the parameters."""
    model.zero_grad()
    if cut is None:
        loss_of(model(tokens)).backward()
    else:
        with model.cut(cut):
            logits = model(tokens)
        loss_of(logits).backward()  # it need not last until the way back
    return {name: p.grad.clone() for name, p in model.named_parameters()}


def apart(one, other):
    """The largest difference over the largest entry of either."""
    difference = max(float((value - other[name]).abs().max()) for name, value in one.items())
    return difference / max(float(value.abs().max()) for found in (one, other) for value in found.values())


def mixed(live, share):
    """``share`` of the gradient and all of the value."""
    return share * live + (1 - share) * live.detach()


def shares(cut, length):
    """Of the gradient from the first position of a pair to the second."""
    lag = torch.arange(length)[:, None] - torch.arange(length)
    return (lag <= cut.window).double() + cut.beta * (lag > cut.window).double()


def attention_as_printed(attention, cut, x, place, layer, cache):
    """Scores and values of every pair of positions, each mixed from live and detached ones."""
    source = x.detach() if cut.at == "hidden_states" else None
    q, k, v = attention.split(attention.query_key_value(x), place)
    k_cut, v_cut = k.detach(), v.detach()
    if source is not None:
        _, k_cut, v_cut = attention.split(attention.query_key_value(source), place)
    m = shares(cut, x.shape[1])
    scores = (m * (q @ k.mT) + (1 - m) * (q @ k_cut.mT)) / q.shape[-1] ** 0.5
    later = torch.ones(m.shape, dtype=torch.bool).triu(1)
    read = scores.masked_fill(later, -torch.inf).softmax(-1)
    return attention.merge((read * m) @ v + (read * (1 - m)) @ v_cut)


def state_space_as_printed(mixer, cut, x, layer, cache):
    """For every position t all of what came before is computed again, each part with its share of the gradient."""
    if cut.at == "hidden_states":
        fixed = {name: p.detach() for name, p in mixer.named_parameters()}
        of_weights = SelectiveStateSpace.forward(mixer, x.detach(), layer, None)
        mixer.forward = lambda x: _one_by_one(mixer, cut, x)
        of_input = functional_call(mixer, fixed, (x,))
        return of_weights + of_input - of_input.detach()
    return _one_by_one(mixer, cut, x)


def _one_by_one(mixer, cut, x):
    m, taps = shares(cut, x.shape[1]), mixer.convolution.kernel_size[0]
    inputs, gate = mixer.input(x).chunk(2, dim=-1)
    inputs = F.pad(inputs, (0, 0, taps - 1, 0))
    convolved = []
    for t in range(x.shape[1]):
        lags = [F.pad(m, (taps - 1, 0))[t, t + j] for j in range(taps)]
        seen = torch.stack([mixed(inputs[:, t + j], lags[j]) for j in range(taps)], dim=2)
        convolved.append((seen * mixer.convolution.weight[:, 0]).sum(2) + mixer.convolution.bias)
    u = F.silu(torch.stack(convolved, dim=1))
    rank, b, c = mixer.select(u).split([mixer.rank, mixer.state, mixer.state], dim=-1)
    step = F.softplus(mixer.step_size(rank))
    keep = torch.exp(-step[..., None] * mixer.log_decay.exp())
    fresh = (step * u)[..., None] * b[:, :, None, :]
    states = []
    for t in range(x.shape[1]):
        state = torch.zeros_like(fresh[:, 0])
        for s in range(t + 1):
            state = mixed(keep[:, s], m[t, s]) * state + mixed(fresh[:, s], m[t, s])
        states.append(state)
    y = (torch.stack(states, dim=1) * c[:, :, None, :]).sum(-1) + mixer.skip * u
    return mixer.output(y * F.silu(gate))


@contextmanager
def as_printed(model, cut):
    """The cut by plain automatic differentiation."""
    for module in model.modules():
        if isinstance(module, Attention):
            module.forward = lambda *a, module=module: attention_as_printed(module, cut, *a)
        if isinstance(module, SelectiveStateSpace):
            module.forward = _bound(module, cut)
    try:
        yield
    finally:
        for module in model.modules():
            module.__dict__.pop("forward", None)


def _bound(mixer, cut):
    def forward(x, layer, cache):
        found = state_space_as_printed(mixer, cut, x, layer, cache)
        mixer.forward = forward
        return found

    return forward
