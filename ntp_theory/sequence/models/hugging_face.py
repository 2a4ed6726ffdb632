"""The door for models from Hugging Face: causal language models from a local folder or a config."""

from __future__ import annotations

import os
import pickle
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from ...doors import whole
from ...errors import UsageError
from .embedding import LARGEST_SEED, LanguageModel, Tap
from .myopic.cut import Cut

__all__ = ["HuggingFace", "Past"]


@dataclass
class Past:
    """What such a model remembers of the positions so far, as it hands it out, and how many they are."""

    value: Any = None
    length: int = 0

    def truncate(self, length: int) -> None:
        """Forget all positions from ``length`` on.

        Raises
        ------
        UsageError
            If what the model remembers cannot be cut, as that of recurrent models.
        """
        if length == self.length:
            return
        if not hasattr(self.value, "crop"):
            raise UsageError(f"cache is {type(self.value).__name__}; it must have crop, to forget positions")
        self.value.crop(length - self.length)  # a negative number: how many to forget
        self.length = length

    def pick(self, rows: Tensor) -> None:
        """Go on with these texts of the batch, in this order.

        Raises
        ------
        UsageError
            If what the model remembers cannot be picked from.
        """
        if not hasattr(self.value, "batch_select_indices"):
            raise UsageError(
                f"cache is {type(self.value).__name__}; it must have batch_select_indices, to pick texts of a batch"
            )
        self.value.batch_select_indices(rows)


class HuggingFace(LanguageModel):
    """Any Hugging Face causal language model with a linear head, as a `LanguageModel`; nothing is ever downloaded.

    Parameters
    ----------
    source : path, transformers.PreTrainedConfig or transformers.PreTrainedModel
        A folder that holds a model, a config for one with random weights, or a model, which is then the same object.
    seed : int
        Of random weights.

    Raises
    ------
    UsageError
        If transformers is not installed (extra ``hf``), the source is none of these or no causal language model, or
        its logits are not a linear layer of its last hidden states.

    Notes
    -----
    It reads one token a position: tasks need an encoding with one slot, as ``encoding="paper"`` of `PathStar`.

    Examples
    --------
    >>> from transformers import GPT2Config
    >>> ids = {"bos_token_id": 0, "eos_token_id": 0}
    >>> config = GPT2Config(vocab_size=10, n_positions=8, n_embd=16, n_layer=1, n_head=2, **ids)
    >>> HuggingFace(config)(torch.tensor([[1, 2, 3]])).shape
    torch.Size([1, 3, 10])
    """

    def __init__(self, source: Any, *, seed: int = 0) -> None:
        super().__init__()
        self.model: Any = _model(source, whole("seed", seed, at_least=0, at_most=LARGEST_SEED))
        self.config = self.model.config
        if not isinstance(self.model.get_output_embeddings(), nn.Linear):
            raise UsageError(f"source is {type(self.model).__name__}; it has no linear head over the vocabulary")
        self._check_head()

    @property
    def head(self) -> nn.Linear:  # type: ignore[override]
        """The linear layer that reads the features; often the input embedding too."""
        return self.model.get_output_embeddings()  # type: ignore[no-any-return]

    def features(self, tokens: Tensor, cache: Past | None = None) -> Tensor:
        """The last hidden states (b, t, d), after the final normalisation."""
        if tokens.dim() != 2:
            raise UsageError(f"tokens has shape {tuple(tokens.shape)}; it must be (b, t), one token a position")
        stop = tokens.shape[1] + (cache.length if cache else 0)
        limit = getattr(self.config, "max_position_embeddings", None)
        if limit is not None and stop > limit:
            raise UsageError(f"tokens reach position {stop}; max_length is {limit}")
        past = {} if cache is None else {"past_key_values": cache.value}
        found = self.model.base_model(input_ids=tokens, use_cache=cache is not None, **past)
        if cache is not None:
            cache.value, cache.length = getattr(found, "past_key_values", None), stop
            if cache.value is None:
                raise UsageError(f"model is {type(self.model).__name__}; it has no cache of keys and values")
        return found.last_hidden_state  # type: ignore[no-any-return]

    def new_cache(self) -> Past:
        """Nothing yet."""
        return Past()

    def cut(self, cut: Cut) -> AbstractContextManager[None]:
        """While it lasts, attention to other positions passes on only the gradients that the cut lets through."""
        from .myopic.hugging_face import cut_hugging_face  # which needs this module

        return cut_hugging_face(self, cut)

    @contextmanager
    def tapped(self, tap: Tap) -> Iterator[None]:
        """While it is tapped: the hidden states of every block are what ``tap(layer, x_btd)`` makes of them."""
        blocks = self._blocks()

        def enter(
            _: nn.Module, given: tuple[Any, ...], named: dict[str, Any]
        ) -> tuple[tuple[Any, ...], dict[str, Any]]:
            if given:
                return (tap(0, given[0]), *given[1:]), named
            return given, named | {"hidden_states": tap(0, named["hidden_states"])}

        def leave(layer: int) -> Any:
            def hook(_module: nn.Module, _given: Any, made: Any) -> Any:
                return (tap(layer, made[0]), *made[1:]) if isinstance(made, tuple) else tap(layer, made)

            return hook

        with ExitStack() as hooks:
            hooks.enter_context(blocks[0].register_forward_pre_hook(enter, with_kwargs=True))
            for layer, block in enumerate(blocks, 1):
                hooks.enter_context(block.register_forward_hook(leave(layer)))
            yield

    @cached_property
    def norm(self) -> nn.Module:
        """The last normalisation: what stands beside the blocks and makes the features of the last one's states.

        Raises
        ------
        UsageError
            If there is no such module.
        """
        blocks = self._blocks()
        [beside] = [module for module in self.model.base_model.modules() if any(b is blocks for b in module.children())]
        probe = torch.arange(min(8, self.head.out_features), device=self.device)[:, None]
        with self.asked():
            last, features = self.hidden_states(probe)[-1], self.features(probe)
            for module in beside.children():
                vector = getattr(module, "weight", None)
                if vector is not None and vector.shape == last.shape[-1:] and torch.equal(module(last), features):
                    return module  # type: ignore[no-any-return]
        raise UsageError(f"source is {type(self.model).__name__}; its last normalisation is not found")

    def _blocks(self) -> nn.ModuleList:
        """Its blocks: the only list of as many modules as its config has layers."""
        layers = getattr(self.config, "num_hidden_layers", None)
        for module in self.model.base_model.modules():
            if isinstance(module, nn.ModuleList) and len(module) == layers:
                return module
        raise UsageError(f"source is {type(self.model).__name__}; its blocks are not found")

    def _check_head(self) -> None:
        """Some models scale or cut their logits: what is trained must be what the model itself says."""
        # several tokens: one may be the padding, whose embedding is 0
        probe = torch.arange(min(8, self.head.out_features), device=self.device)[:, None]
        with self.asked():
            logits = self.model(probe).logits
            difference = (logits - self(probe)).abs().max()
        if not bool(torch.isfinite(logits).all()):
            raise UsageError(f"source is {type(self.model).__name__}; its logits are not finite")
        if difference != 0:
            raise UsageError(f"source is {type(self.model).__name__}; its logits are not its linear head of its states")


def _model(source: Any, seed: int) -> Any:
    try:
        from transformers import AutoModelForCausalLM, PretrainedConfig, PreTrainedModel
    except ImportError:
        raise UsageError("HuggingFace needs the package 'transformers'; pip install 'ntp-theory[hf]'") from None
    if isinstance(source, PreTrainedModel):
        return source
    try:
        if isinstance(source, PretrainedConfig):
            with torch.random.fork_rng([]):
                torch.manual_seed(seed)
                return AutoModelForCausalLM.from_config(source)
        if isinstance(source, str | os.PathLike) and Path(source).is_dir():
            with _silent():
                return _loaded(AutoModelForCausalLM, source)
    except (OSError, ValueError) as error:
        raise UsageError(f"source is {str(source)[:200]!r}; it is no causal language model ({error})") from error
    raise UsageError(f"source is {str(source)[:200]!r}; it must be a folder, a config or a model of transformers")


def _loaded(kind: Any, folder: str | os.PathLike[str]) -> Any:
    """The model of a folder; a damaged file of weights is told as one, whatever its reader raises."""
    from safetensors import SafetensorError

    try:
        return kind.from_pretrained(folder, local_files_only=True)
    except (SafetensorError, pickle.UnpicklingError, EOFError, RuntimeError) as error:
        raise ValueError(f"its weights are damaged: {error}") from error


@contextmanager
def _silent() -> Iterator[None]:
    """While it lasts, transformers shows no progress of its own."""
    from transformers.utils import logging

    shown = logging.is_progress_bar_enabled()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        if shown:
            logging.enable_progress_bar()
