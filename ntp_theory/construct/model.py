"""A dataset from a trained model: its contexts embedded by its own hidden states."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import scipy.sparse
import torch
from torch import Tensor, nn

from ..dataset import NTPDataset
from ..doors import as_names, check_function, instance, whole
from ..errors import UsageError

__all__ = ["from_model"]


def from_model(
    features: Callable[[Tensor], Tensor],
    tokens: Tensor,
    *,
    context_length: int | None = None,
    vocab_size: int | None = None,
    token_names: Sequence[str] | None = None,
    batch_size: int = 1024,
) -> NTPDataset:
    """Dataset whose contexts are the distinct prefixes in ``tokens``, embedded by a model.

    Each distinct context goes through ``features`` on its own, and its embedding is the hidden state at its
    last position; so nothing is assumed about what a position attends to.

    Parameters
    ----------
    features : callable
        Maps tokens (b, t), int64, to hidden states (b, t, d): any ``torch.nn.Module``, a method of one, as
        ``model.features`` of ours and of `ntp_theory.sequence.models.HuggingFace`, or a function. A module is switched
        to evaluation mode for the call.
    tokens : Tensor (n, T), int64
        Sequences of token numbers; passed to ``features`` on their own device.
    context_length : int, optional
        Use windows of this many tokens as contexts; all full prefixes (of 1 to T - 1 tokens) if not given.
    vocab_size : int, optional
        V; the largest token number plus 1 if not given.
    token_names : sequence of str, optional
        Names (V,).
    batch_size : int
        Contexts in one call of ``features``.

    Returns
    -------
    NTPDataset
        With integer ``counts``, in float64 on the CPU; contexts sorted by length, then by token numbers.

    Raises
    ------
    DatasetError
        If two contexts with different next tokens get the same hidden state, a hidden state is not finite, or names do
        not fit.
    UsageError
        If an argument does not fit, or ``features`` gives another shape.

    Notes
    -----
    Source: 2402.18551 Section 2 and App. C (`bias/autoregressive`): a model with its embedding map frozen.

    Examples
    --------
    >>> table = torch.eye(3)
    >>> data = from_model(lambda tokens: table[tokens], torch.tensor([[0, 1, 0, 2, 0, 1]]), context_length=1)
    >>> data.context_names, data.embeddings.tolist()
    (('0', '1', '2'), [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]])
    >>> data.counts.tolist()
    [2, 1, 1, 1]
    """
    vocab_size = _check_tokens(tokens, vocab_size)
    token_names = as_names("token_names", token_names, vocab_size)
    batch_size = whole("batch_size", batch_size, at_least=1)
    last = tokens.shape[1] - 1
    if context_length is None:
        lengths = range(1, last + 1)
    else:
        length = whole("context_length", context_length, at_least=1, at_most=last)
        lengths = range(length, length + 1)
    embeddings, blocks, contexts = [], [], []
    for length in lengths:
        windows = tokens[:, : length + 1] if context_length is None else tokens.unfold(1, length + 1, 1)
        windows = windows.reshape(-1, length + 1)
        distinct, which = torch.unique(windows[:, :-1], dim=0, return_inverse=True)
        embeddings.append(_last_states(features, distinct, batch_size))
        index = (which.cpu().numpy(), windows[:, -1].cpu().numpy())
        ones = torch.ones(len(windows), dtype=torch.float64).numpy()
        blocks.append(scipy.sparse.csr_array((ones, index), shape=(len(distinct), vocab_size)))
        contexts += distinct.tolist()
    return NTPDataset.from_counts(
        torch.cat(embeddings),
        scipy.sparse.vstack(blocks),
        token_names=token_names,
        context_names=_context_names(contexts, token_names),
    )


def _check_tokens(tokens: Tensor, vocab_size: int | None) -> int:
    """V, with the tokens checked against it."""
    if not isinstance(tokens, Tensor) or tokens.dtype != torch.int64 or tokens.ndim != 2:
        got = f"{tokens.dtype} of shape {tuple(tokens.shape)}" if isinstance(tokens, Tensor) else type(tokens).__name__
        raise UsageError(f"tokens is {got}; it must be an int64 Tensor (sequences, positions)")
    if tokens.shape[0] < 1 or tokens.shape[1] < 2:
        raise UsageError(f"tokens has shape {tuple(tokens.shape)}; it must hold a sequence of at least 2 tokens")
    smallest, largest = int(tokens.min()), int(tokens.max())
    if smallest < 0:
        raise UsageError(f"tokens holds {smallest}; every token number must be >= 0")
    return largest + 1 if vocab_size is None else whole("vocab_size", vocab_size, at_least=largest + 1)


def _last_states(features: Callable[[Tensor], Tensor], contexts: Tensor, batch_size: int) -> Tensor:
    """Hidden states (m, d) at the last position of each context (m, t); float64 on the CPU."""
    check_function("features", features)
    states = []
    with _evaluation_mode(features), torch.no_grad():
        for start in range(0, len(contexts), batch_size):
            batch = contexts[start : start + batch_size]
            hidden = features(batch)
            instance("features(tokens)", hidden, Tensor)
            if hidden.ndim != 3 or hidden.shape[:2] != batch.shape:
                raise UsageError(
                    f"features gives shape {tuple(hidden.shape)} for tokens {tuple(batch.shape)}; "
                    "it must be (sequences, positions, dim)"
                )
            states.append(hidden[:, -1].double().cpu())
    return torch.cat(states)


@contextmanager
def _evaluation_mode(features: object) -> Iterator[None]:
    """Switch off what is random in training, such as dropout, and leave every part as it was found."""
    owner = getattr(features, "__self__", features)  # of a method
    modules = owner.modules() if isinstance(owner, nn.Module) else ()
    training = [module for module in modules if module.training]
    try:
        for module in training:
            module.training = False
        yield
    finally:
        for module in training:
            module.training = True


def _context_names(contexts: list[list[int]], token_names: Sequence[str] | None) -> list[str] | None:
    """Token names, or numbers, joined by spaces; quoted if a name is empty or holds a space itself."""
    if token_names is None:
        return [" ".join(map(str, context)) for context in contexts]
    if any(name.split() != [name] for name in token_names):
        token_names = [repr(name) for name in token_names]
    return [" ".join(token_names[i] for i in context) for context in contexts]
