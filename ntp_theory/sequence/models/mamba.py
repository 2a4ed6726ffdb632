"""Mamba: a selective state space model in plain torch, with a parallel scan for training and steps for decoding.

Suffixes name axes: b batch, t position, d width, i inner width, n state, r rank of the step sizes, v vocabulary.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ...doors import instance, whole
from ...errors import UsageError
from .embedding import LARGEST_SEED, LanguageModel, check_inputs, embedding_for, initialise
from .myopic.cut import Cut
from .selective_scan import doubling_scan, selective_scan

__all__ = ["Mamba", "MambaConfig", "RecurrentState"]


@dataclass(frozen=True)
class MambaConfig:
    """Sizes of a `Mamba`.

    Attributes
    ----------
    vocab_size : int
        v.
    width, layers : int
        d, and how many blocks.
    state : int
        n, numbers that every inner channel remembers.
    expand : int
        Inner width over width.
    convolution : int
        Positions that the convolution before the state space sees.
    slots : int
        How many tokens a position carries (`Batch.prompts`).
    null : int, optional
        The token of an empty slot.
    numbers : int
        Real numbers that a position carries instead of tokens; 0 for tokens.
    seed : int
        Of the initial weights.
    """

    vocab_size: int
    width: int = 64
    layers: int = 5
    state: int = 16
    expand: int = 2
    convolution: int = 4
    slots: int = 1
    null: int | None = None
    numbers: int = 0
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ("vocab_size", "width", "layers", "state", "expand", "convolution", "slots"):
            whole(name, getattr(self, name), at_least=1)
        whole("seed", self.seed, at_least=0, at_most=LARGEST_SEED)
        check_inputs(self)

    @property
    def inner(self) -> int:
        """Channels of the state space."""
        return self.expand * self.width


@dataclass
class RecurrentState:
    """What a `Mamba` remembers of the positions so far: a pair a layer.

    A state does not tell those before it, so to go back (`truncate`) they must have been kept: those after
    ``keep_from`` positions and more are, from the call on after which it is set.
    """

    inputs_bit: list[Tensor] = field(default_factory=list)  # the last ones, for the convolution
    states_bin: list[Tensor] = field(default_factory=list)
    length: int = 0
    keep_from: int | None = None
    _kept_inputs_bit: list[Tensor] = field(default_factory=list)
    _kept_states_btin: list[Tensor] = field(default_factory=list)

    def add_inputs(self, layer: int, x_bit: Tensor, before: int) -> None:
        """Remember the newest inputs of a layer, which follow the ``before`` that the convolution also sees."""
        if layer == 0:
            self.length += x_bit.shape[2] - before
        if self.keep_from is not None:
            first = layer == len(self._kept_inputs_bit)
            kept_bit = x_bit if first else torch.cat([self._kept_inputs_bit[layer], x_bit[:, :, before:]], dim=2)
            _remember(self._kept_inputs_bit, layer, _last(kept_bit, 2, before + max(0, self.length - self.keep_from)))
        _remember(self.inputs_bit, layer, _last(x_bit, 2, before))

    def add_states(self, layer: int, states_btin: Tensor) -> None:
        """Remember the newest states of a layer; its inputs were added before."""
        if self.keep_from is not None:
            if layer < len(self._kept_states_btin):
                old_btin = self._kept_states_btin[layer]
            elif layer < len(self.states_bin):
                old_btin = self.states_bin[layer][:, None]
            else:
                old_btin = torch.zeros_like(states_btin[:, :1])
            kept_btin = torch.cat([old_btin, states_btin], dim=1)
            _remember(self._kept_states_btin, layer, _last(kept_btin, 1, 1 + max(0, self.length - self.keep_from)))
        _remember(self.states_bin, layer, states_btin[:, -1])

    def truncate(self, length: int) -> None:
        """Forget all positions from ``length`` on.

        Raises
        ------
        UsageError
            If the state after so many was not kept.
        """
        back = self.length - length
        if back == 0:
            return
        if not all(kept_btin.shape[1] > back for kept_btin in self._kept_states_btin) or not self._kept_states_btin:
            raise UsageError(f"length is {length}; it must be at least keep_from, which is {self.keep_from}")
        self.length = length
        for layer, before in enumerate(x_bit.shape[2] for x_bit in self.inputs_bit):
            kept_bit, kept_btin = self._kept_inputs_bit[layer], self._kept_states_btin[layer]
            self._kept_inputs_bit[layer] = kept_bit[:, :, : kept_bit.shape[2] - back]
            self._kept_states_btin[layer] = kept_btin[:, : kept_btin.shape[1] - back]
            self.inputs_bit[layer] = _last(self._kept_inputs_bit[layer], 2, before)
            self.states_bin[layer] = self._kept_states_btin[layer][:, -1]

    def pick(self, rows: Tensor) -> None:
        """Go on with these texts of the batch, in this order."""
        for layers in (self.inputs_bit, self.states_bin, self._kept_inputs_bit, self._kept_states_btin):
            layers[:] = [x[rows] for x in layers]


class Mamba(LanguageModel):
    """Logits of the next token at every position, at a cost that grows with the length and not with its square.

    Parameters
    ----------
    config : MambaConfig

    Notes
    -----
    Source: Gu and Dao, 2312.00752. Their package ``mamba_ssm`` does the scan of training when it is installed and the
    model is on a GPU, in single precision or less.

    Examples
    --------
    >>> model = Mamba(MambaConfig(vocab_size=10, layers=2)).double()
    >>> tokens = torch.tensor([[1, 2, 3, 4]])
    >>> state = model.new_cache()
    >>> steps = [model(tokens[:, i : i + 1], state) for i in range(4)]
    >>> torch.allclose(model(tokens), torch.cat(steps, dim=1), atol=1e-12)
    True
    """

    def __init__(self, config: MambaConfig) -> None:
        super().__init__()
        instance("config", config, MambaConfig)
        self.config, self.slots, self.numbers = config, config.slots, config.numbers
        self.embedding = embedding_for(config)
        self.norms = nn.ModuleList(nn.RMSNorm(config.width, eps=1e-5) for _ in range(config.layers))
        self.mixers = nn.ModuleList(SelectiveStateSpace(config) for _ in range(config.layers))
        self.norm = nn.RMSNorm(config.width, eps=1e-5)
        self.head = nn.Linear(config.width, config.vocab_size, bias=False)
        generator = initialise(self, config.width, config.seed)
        for mixer in self.mixers:
            _spread_step_sizes(mixer, generator)  # type: ignore[arg-type]

    def features(self, tokens: Tensor, cache: RecurrentState | None = None) -> Tensor:
        """Hidden states (b, t, d) that the last linear layer reads."""
        x_btd = self.passed(0, self.embedding(tokens))
        for layer, (norm, mixer) in enumerate(zip(self.norms, self.mixers, strict=True)):
            x_btd = self.passed(layer + 1, x_btd + mixer(norm(x_btd), layer, cache))
        return self.norm(x_btd)  # type: ignore[no-any-return]

    def new_cache(self) -> RecurrentState:
        """The state before the first position."""
        return RecurrentState()

    def cut(self, cut: Cut) -> AbstractContextManager[None]:
        """While it lasts, states and convolutions pass on only the gradients that the cut lets through."""
        from .myopic.state_space import cut_mamba  # which needs this module

        return cut_mamba(self, cut)


class SelectiveStateSpace(nn.Module):
    """``state <- exp(step A) state + step B x`` and ``y = C state + D x``, with step, B and C chosen by the input."""

    def __init__(self, config: MambaConfig) -> None:
        super().__init__()
        self.state, self.rank, inner = config.state, max(1, config.width // 16), config.inner
        self.input = nn.Linear(config.width, 2 * inner, bias=False)
        self.convolution = nn.Conv1d(inner, inner, config.convolution, groups=inner)
        self.select = nn.Linear(inner, self.rank + 2 * config.state, bias=False)
        self.step_size = nn.Linear(self.rank, inner)
        # A is -1 .. -n in every channel, kept as a logarithm; D passes the input on
        self.log_decay = nn.Parameter(torch.arange(1.0, config.state + 1).log().repeat(inner, 1))
        self.log_decay._no_weight_decay = True  # type: ignore[attr-defined]  # it is no matrix of weights
        self.skip = nn.Parameter(torch.ones(inner))
        self.output = nn.Linear(inner, config.width, bias=False)

    def forward(self, x_btd: Tensor, layer: int, cache: RecurrentState | None) -> Tensor:
        """What this layer adds to the hidden states."""
        x_bti, gate_bti = self.input(x_btd).chunk(2, dim=-1)
        x_bti = F.silu(self._convolved(x_bti.transpose(1, 2), layer, cache).transpose(1, 2))
        rank_btr, in_btn, out_btn = self.select(x_bti).split([self.rank, self.state, self.state], dim=-1)
        step_bti = F.softplus(self.step_size(rank_btr))
        variables = x_bti, step_bti, in_btn, out_btn
        y_bti = self.shown(*variables) if cache is None else self._shown_behind(cache, layer, *variables)
        return self.output((y_bti + self.skip * x_bti) * F.silu(gate_bti))  # type: ignore[no-any-return]

    def shown(self, x_bti: Tensor, step_bti: Tensor, in_btn: Tensor, out_btn: Tensor) -> Tensor:
        """What the states show from the first position on; `selective_scan`, or the `fused_kernel`."""
        decay_in = self.log_decay.exp()
        kernel = fused_kernel(x_bti)
        if kernel is None:
            return selective_scan(x_bti, step_bti, in_btn, out_btn, decay_in)
        places_last = [x.to(x_bti.dtype).transpose(1, 2) for x in (x_bti, step_bti, in_btn, out_btn)]
        u_bit, step_bit, in_bnt, out_bnt = places_last
        return kernel(u_bit, step_bit, -decay_in, in_bnt, out_bnt).transpose(1, 2)

    def _shown_behind(
        self, cache: RecurrentState, layer: int, x_bti: Tensor, step_bti: Tensor, in_btn: Tensor, out_btn: Tensor
    ) -> Tensor:
        """The same behind the last state of the cache, which remembers the new ones."""
        keep_btin = torch.exp(-step_bti[..., None] * self.log_decay.exp())
        fresh_btin = (step_bti * x_bti)[..., None] * in_btn[:, :, None, :]
        if layer < len(cache.states_bin):
            first = fresh_btin[:, :1] + keep_btin[:, :1] * cache.states_bin[layer][:, None]
            fresh_btin = torch.cat([first, fresh_btin[:, 1:]], dim=1)
        states_btin = doubling_scan(keep_btin, fresh_btin)
        cache.add_states(layer, states_btin)
        return (states_btin * out_btn[:, :, None, :]).sum(-1)

    def _convolved(self, x_bit: Tensor, layer: int, cache: RecurrentState | None) -> Tensor:
        """The causal convolution, which begins with what the cache holds, or with zeros."""
        before = self.convolution.kernel_size[0] - 1
        if cache is not None and layer < len(cache.inputs_bit):
            x_bit = torch.cat([cache.inputs_bit[layer], x_bit], dim=2)
        else:
            x_bit = F.pad(x_bit, (before, 0))
        if cache is not None:
            cache.add_inputs(layer, x_bit, before)
        return self.convolution(x_bit)  # type: ignore[no-any-return]


def fused_kernel(x: Tensor) -> Callable[..., Tensor] | None:
    """The scan of the package ``mamba_ssm`` if it is installed, for a GPU and at most single precision."""
    if not x.is_cuda or x.dtype == torch.float64:
        return None
    try:
        from mamba_ssm.ops.selective_scan_interface import selective_scan_fn
    except ImportError:
        return None
    return selective_scan_fn  # type: ignore[no-any-return]


def _spread_step_sizes(mixer: SelectiveStateSpace, generator: torch.Generator) -> None:
    """Start with step sizes between 0.001 and 0.1, spread evenly in their logarithm."""
    draws = torch.rand(mixer.skip.shape, generator=generator)
    steps = torch.exp(draws * (math.log(0.1) - math.log(0.001)) + math.log(0.001))
    with torch.no_grad():
        mixer.step_size.bias.copy_(steps + torch.log(-torch.expm1(-steps)))  # the inverse of softplus


def _last(x: Tensor, axis: int, count: int) -> Tensor:
    """The last entries along an axis, all if there are fewer."""
    count = min(count, x.shape[axis])
    return x.narrow(axis, x.shape[axis] - count, count)


def _remember(kept: list[Tensor], layer: int, value: Tensor) -> None:
    if layer == len(kept):
        kept.append(value)
    else:
        kept[layer] = value
