"""Contexts shared out among the processes of a `torch.distributed` group: the same runs on many cores, GPUs, machines.

The loss, its gradient and the bound on its smoothness are sums over contexts. Each process computes its part of them, a
collective call adds the parts up, and every process takes the same step: ``descend(shard_contexts(data), ...)`` is
``descend(data, ...)`` up to the order of the additions.

Started by ``torchrun --nproc-per-node 4 script.py``, where the script calls
``torch.distributed.init_process_group("gloo")`` (or ``"nccl"``, with data on the GPUs).
"""

from __future__ import annotations

import os
from functools import partial
from pathlib import Path
from typing import Any, NoReturn, TypeVar

import numpy as np
import torch
import torch.distributed as dist
from numpy.typing import NDArray
from torch import Tensor

from . import runs
from .dataset import NTPDataset, as_dataset
from .doors import positive
from .errors import UsageError
from .ranks import Ranks
from .support import SupportPattern

__all__ = ["ContextShard", "join_contexts", "shard_contexts"]

T = TypeVar("T")


class ContextShard(NTPDataset):
    """The contexts that this process holds, of a dataset that is shared out; made by `shard_contexts`, `join_contexts`.

    `ntp_theory.loss`, `descend` and `smoothness_bound` treat it as the whole dataset. Every one of these calls is
    collective: all processes make it, with the same decoder. What needs all contexts at once (conditions, the NTP-SVM,
    predictions) refuses it and takes `whole` instead.

    Attributes
    ----------
    embeddings : Tensor (m', d)
        Of the m' contexts here; likewise ``pattern``, ``conditionals``, ``counts`` and ``context_names``.
    weights : Tensor (m',)
        Their pi_j, which sum to 1 over all processes.
    entropy : float
        H of the whole dataset.
    """

    def __init__(self, part: NTPDataset, ranks: Ranks) -> None:
        self.__dict__.update(vars(part))
        self.ranks = ranks
        pattern = part.pattern
        self.pattern = _PartialPattern(pattern.contexts, pattern.tokens, pattern.num_contexts, pattern.vocab_size)
        # now, because all processes are here
        self.entropy = max(0.0, -float(ranks.sum((self.joint * self.log_conditionals).sum())))

    def whole(self) -> NTPDataset:
        """The dataset of all contexts, on every process. A collective call.

        Returns
        -------
        NTPDataset
            Contexts in the order of the processes.
        """
        parts = self.ranks.gather(self._arrays())
        starts = np.cumsum([0, *(len(part["embeddings"]) for part in parts)])
        for part, start in zip(parts, starts, strict=False):
            part["contexts"] = part["contexts"] + start
        arrays = {name: torch.from_numpy(np.concatenate([part[name] for part in parts])) for name in parts[0]}
        device = self.embeddings.device
        data = NTPDataset.__new__(NTPDataset)
        contexts, tokens = arrays.pop("contexts"), arrays.pop("tokens")
        data.pattern = SupportPattern(contexts, tokens, int(starts[-1]), self.vocab_size).to(device)
        data.counts, data.token_names = None, self.token_names
        names = self.ranks.gather(self.context_names)
        data.context_names = None if None in names else tuple(name for part in names for name in part or ())
        vars(data).update({name: array.to(device) for name, array in arrays.items()})
        return data

    def to(self, *, device: torch.device | str | None = None, dtype: torch.dtype | None = None) -> ContextShard:
        """The same shard on another device or in another floating type. A collective call."""
        return ContextShard(super().to(device=device, dtype=dtype), self.ranks)

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write the dataset of all contexts to one ``.npz`` file, on process 0. A collective call."""
        whole = self.whole()
        return whole.save(path) if self.ranks.first else Path(path)

    def _pack(self) -> tuple[dict[str, NDArray[Any]], dict[str, Any]]:
        return self.whole()._pack()

    def __repr__(self) -> str:
        return (
            f"ContextShard(rank={self.ranks.rank} of {self.ranks.size}, num_contexts={self.num_contexts} here, "
            f"vocab_size={self.vocab_size}, dim={self.dim}, entropy={self.entropy:.4g} nats)"
        )


def shard_contexts(data: NTPDataset, group: dist.ProcessGroup | None = None) -> ContextShard:
    """Share the contexts of a dataset out among the processes of a group. A collective call.

    Parameters
    ----------
    data : NTPDataset
        The same on every process.
    group : torch.distributed.ProcessGroup, optional
        All processes if not given.

    Returns
    -------
    ContextShard
        Of n processes number r holds the contexts from ``r m // n`` to ``(r + 1) m // n``.

    Raises
    ------
    UsageError
        If no group is initialised or this process is not in it, if the processes pass different data, or if there are
        more processes than contexts.

    Notes
    -----
    Sums are those of ``all_reduce``: its order of additions, and so every bit of a run, is fixed by the number of
    processes and the backend. Another number of processes gives other roundings.

    Examples
    --------
    >>> dist.init_process_group("gloo", store=dist.HashStore(), rank=0, world_size=1)  # torchrun fills these in
    >>> shard_contexts(NTPDataset([[1.0], [2.0]], [[0.5, 0.5], [0.0, 1.0]]))
    ContextShard(rank=0 of 1, num_contexts=2 here, vocab_size=2, dim=1, entropy=0.3466 nats)
    >>> dist.destroy_process_group()
    """
    ranks = _Group(group)
    ranks.together(partial(as_dataset, "data", data))
    if len(set(ranks.gather(runs.digest(data._arrays())))) > 1:
        raise UsageError("data differs between the processes; every one must pass the same")
    if data.num_contexts < ranks.size:
        raise UsageError(f"data has {data.num_contexts} contexts for {ranks.size} processes; each must hold one")
    first, end = (data.num_contexts * rank // ranks.size for rank in (ranks.rank, ranks.rank + 1))
    return ContextShard(_rows(data, first, end), ranks)


def join_contexts(part: NTPDataset, share: float, group: dist.ProcessGroup | None = None) -> ContextShard:
    """One dataset of the contexts that the processes of a group bring, each its own. A collective call.

    For data that no single process can hold. No embedding may occur on two processes: that is checked within each one,
    not between them.

    Parameters
    ----------
    part : NTPDataset
        The contexts of this process; its weights sum to 1 as in any dataset.
    share : float
        Probability that a context is among them: of counted data, the tokens counted here over all tokens.
    group : torch.distributed.ProcessGroup, optional
        All processes if not given.

    Returns
    -------
    ContextShard
        With weights ``share * part.weights``, and without counts.

    Raises
    ------
    UsageError
        If no group is initialised or this process is not in it, if the shares are not positive or do not sum to 1, or
        if the processes differ in vocabulary, dimension or floating type.

    Examples
    --------
    >>> dist.init_process_group("gloo", store=dist.HashStore(), rank=0, world_size=1)  # torchrun fills these in
    >>> shard = join_contexts(NTPDataset([[1.0], [2.0]], [[0.5, 0.5], [0.0, 1.0]]), share=1.0)
    >>> shard.weights.tolist()
    [0.5, 0.5]
    >>> dist.destroy_process_group()
    """
    ranks = _Group(group)
    ranks.together(partial(as_dataset, "part", part))
    share = ranks.together(partial(positive, "share", share))
    kinds = ranks.gather((part.vocab_size, part.dim, part.embeddings.dtype, part.token_names))
    if len(set(kinds)) > 1:
        differ = ", ".join(f"({v}, {d}, {dtype})" for v, d, dtype, _ in kinds)
        raise UsageError(f"part differs between the processes in (V, d, dtype) = {differ} or in its token names")
    shares = ranks.gather(share)
    if not abs(sum(shares) - 1) <= 1e-9:  # as weights of contexts
        raise UsageError(f"share is {shares} on the processes; shares must be positive and sum to 1 within 1e-09")
    mine = _rows(part, 0, part.num_contexts)
    mine.weights, mine.counts = mine.weights * (shares[ranks.rank] / sum(shares)), None
    return ContextShard(mine, ranks)


class _Group(Ranks):
    """The processes of a `torch.distributed` group."""

    def __init__(self, group: dist.ProcessGroup | None) -> None:
        if not (dist.is_available() and dist.is_initialized()):
            raise UsageError(
                "no process group is initialised; start the script with torchrun and call "
                "torch.distributed.init_process_group in it first"
            )
        self._group = group
        self.rank, self.size = dist.get_rank(group), dist.get_world_size(group)
        if self.rank < 0:
            raise UsageError("group does not contain this process; only its members may call this")

    def sum(self, part: Tensor) -> Tensor:
        return self._reduce(part, dist.ReduceOp.SUM)

    def max(self, part: Tensor) -> Tensor:
        return self._reduce(part, dist.ReduceOp.MAX)

    def gather(self, value: T) -> list[T]:
        values: list[Any] = [None] * self.size
        dist.all_gather_object(values, value, group=self._group)
        return values

    def _reduce(self, part: Tensor, operation: Any) -> Tensor:
        part = part.contiguous()
        dist.all_reduce(part, operation, group=self._group)
        return part


class _PartialPattern(SupportPattern):
    """The supports of some contexts, for sums over contexts; what depends on all of them at once is refused."""

    def mask(self) -> NoReturn:
        self._refuse()

    def select(self, chosen: Tensor) -> NoReturn:
        self._refuse()

    def _refuse(self) -> NoReturn:
        raise UsageError("data is a shard, which holds some of the contexts only; this needs all: pass data.whole()")


def _rows(data: NTPDataset, first: int, end: int) -> NTPDataset:
    """The contexts from ``first`` to ``end``, with the weights that they have; copies, so that the rest may go."""
    bounds = [*data.pattern.starts.tolist(), len(data.pattern.tokens)]
    entries = slice(bounds[first], bounds[end])
    part = NTPDataset.__new__(NTPDataset)
    contexts = data.pattern.contexts[entries] - first
    part.pattern = SupportPattern(contexts, data.pattern.tokens[entries].clone(), end - first, data.vocab_size)
    part.embeddings, part.weights = data.embeddings[first:end].clone(), data.weights[first:end].clone()
    part.conditionals = data.conditionals[entries].clone()
    part.counts = None if data.counts is None else data.counts[entries].clone()
    part.token_names = data.token_names
    part.context_names = None if data.context_names is None else data.context_names[first:end]
    return part
