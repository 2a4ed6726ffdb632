"""`NTPDataset`: distinct contexts, their embeddings, and the sparse distribution of each one's next token."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import scipy.sparse
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from . import runs
from .doors import as_device, as_names, check_sums, check_weights, dense, divisors, shown, sparse_rows, sum_tolerance
from .errors import CheckpointError, DatasetError, NTPError, UsageError
from .ranks import Ranks
from .support import SupportPattern

__all__ = ["NTPDataset"]


class NTPDataset:
    """The training set ``T_m = {(h_j, pi_j, p_j)}`` of next-token prediction with a linear decoder.

    Parameters
    ----------
    embeddings : array-like (m, d)
        Row j is the embedding h_j of context j.
    probabilities : array-like (m, V), dense or scipy/torch sparse
        Row j is the conditional distribution p_j of the next token. Rows sum to 1 within 1e-9 (1e-5 if given
        in less than double precision) and are then divided by their sum, unless that is 1 up to rounding.
        Stored by its non-zero entries only.
    weights : array-like (m,), optional
        Context probabilities pi_j, positive, summing to 1 under the same rule; uniform if not given.
    token_names, context_names : sequence of str, optional
        Names (V,) and (m,), used in every answer; unique. Indices if not given.
    device, dtype : optional
        Where and in which floating type (float64 or float32) tensors are kept; CPU and float64 if not given.

    Attributes
    ----------
    embeddings : Tensor (m, d)
    weights : Tensor (m,)
    pattern : SupportPattern
        The supports S_j by their entries.
    conditionals : Tensor (n,)
        p_{j,z} on the entries of ``pattern``.
    counts : Tensor (n,), int64, or None
        Integer counts behind the conditionals, when made by `from_counts`; exact decisions use them.
    ranks : Ranks
        The processes that hold the contexts: this one, but for a `ntp_theory.distributed.ContextShard`.

    Raises
    ------
    DatasetError
        NaN or infinite entries, negative or non-summing rows, empty supports, shapes that do not fit, names
        that repeat, or two contexts with the same embedding and different rows (a decoder cannot tell them
        apart; pool their counts).
    UsageError
        If ``dtype`` is neither float64 nor float32.

    Notes
    -----
    Source: 2402.18551 Section 2 (`bias/loss`).

    Examples
    --------
    >>> data = NTPDataset([[1.0, 0.0], [0.0, 1.0]], [[0.5, 0.5, 0.0], [0.0, 0.0, 1.0]])
    >>> data
    NTPDataset(num_contexts=2, vocab_size=3, dim=2, entropy=0.3466 nats)
    >>> data.support.tolist()
    [[True, True, False], [False, False, True]]
    """

    embeddings: Tensor
    weights: Tensor
    pattern: SupportPattern
    conditionals: Tensor
    counts: Tensor | None
    token_names: tuple[str, ...] | None
    context_names: tuple[str, ...] | None
    ranks: Ranks = Ranks()

    def __init__(
        self,
        embeddings: ArrayLike | Tensor,
        probabilities: Any,
        weights: ArrayLike | Tensor | None = None,
        *,
        token_names: Sequence[str] | None = None,
        context_names: Sequence[str] | None = None,
        device: torch.device | str | None = None,
        dtype: torch.dtype = torch.float64,
    ) -> None:
        _check_dtype(dtype)
        device = as_device(device)
        rows = sparse_rows("probabilities", probabilities)
        m, sizes = rows.shape[0], np.diff(rows.indptr)
        h = dense("embeddings", embeddings, 2)
        with np.errstate(over="ignore"):  # a sum that overflows breaks the rule, not the program
            sums = np.asarray(rows.sum(axis=1)).ravel()
            check_sums("probabilities", sums, sum_tolerance(probabilities))
            if weights is None:
                pi = np.full(m, 1.0 / m)
            else:
                pi = dense("weights", weights, 1)
                check_weights(pi, m, sum_tolerance(weights))
        conditionals = rows.data / np.repeat(divisors(sums, sizes, dtype), sizes)
        pi = pi / divisors(pi.sum(), m, dtype)
        self._fill(h, rows, conditionals, pi, None, token_names, context_names, device, dtype)

    @classmethod
    def from_counts(
        cls,
        embeddings: ArrayLike | Tensor,
        counts: Any,
        *,
        token_names: Sequence[str] | None = None,
        context_names: Sequence[str] | None = None,
        device: torch.device | str | None = None,
        dtype: torch.dtype = torch.float64,
    ) -> NTPDataset:
        """Dataset of integer counts (m, V): ``n pi_j p_{j,z}`` occurrences of token z after context j.

        Weights and conditionals are the empirical ones; the integers stay in ``counts`` for exact decisions.

        Raises
        ------
        DatasetError
            As the constructor; also for counts that are not non-negative whole numbers.

        Examples
        --------
        >>> data = NTPDataset.from_counts([[1.0], [2.0]], [[3, 1], [0, 4]])
        >>> data.weights.tolist(), data.counts.tolist()
        ([0.5, 0.5], [3, 1, 4])
        """
        _check_dtype(dtype)
        device = as_device(device)
        rows = sparse_rows("counts", counts)
        whole = np.rint(rows.data)
        if (wrong := np.flatnonzero((whole != rows.data) | (rows.data >= 2.0**53))).size:
            i = int(wrong[0])
            j = int(np.searchsorted(rows.indptr, i, side="right")) - 1
            entry = f"counts[{j}, {rows.indices[i]}]"
            raise DatasetError(f"{entry} is {rows.data[i]}; every count must be a whole number below 2**53")
        totals = np.asarray(rows.sum(axis=1)).ravel()
        conditionals = rows.data / np.repeat(totals, np.diff(rows.indptr))
        data = cls.__new__(cls)
        data._fill(
            dense("embeddings", embeddings, 2),
            rows,
            conditionals,
            totals / totals.sum(),
            torch.from_numpy(whole.astype(np.int64)),
            token_names,
            context_names,
            device,
            dtype,
        )
        return data

    def _fill(
        self,
        h: NDArray[np.float64],
        rows: Any,
        conditionals: NDArray[np.float64],
        pi: NDArray[np.float64],
        counts: Tensor | None,
        token_names: Sequence[str] | None,
        context_names: Sequence[str] | None,
        device: torch.device | str | None,
        dtype: torch.dtype,
    ) -> None:
        m, v = rows.shape
        if h.shape[0] != m:
            raise DatasetError(f"embeddings has {h.shape[0]} rows but there are {m} contexts; one row per context")
        self.token_names = as_names("token_names", token_names, v)
        self.context_names = as_names("context_names", context_names, m)
        contexts = np.repeat(np.arange(m), np.diff(rows.indptr))
        self.pattern = SupportPattern(
            torch.from_numpy(contexts), torch.from_numpy(rows.indices.astype(np.int64)), m, v
        ).to(device or "cpu")
        self.embeddings = torch.tensor(h, dtype=dtype, device=device)
        self.weights = torch.tensor(pi, dtype=dtype, device=device)
        self.conditionals = torch.tensor(conditionals, dtype=dtype, device=device)
        self.counts = counts if counts is None else counts.to(device or "cpu")
        self._check_kept()

    def _check_kept(self) -> None:
        """Check the rules that rounding to the kept type may break."""
        dtype = self.embeddings.dtype
        if not bool(torch.isfinite(self.embeddings).all()):
            raise DatasetError(f"embeddings has entries too large for {dtype}; every entry must be finite")
        # products of four such numbers exist, which is more than any answer needs
        low, high = torch.finfo(dtype).tiny ** 0.25, torch.finfo(dtype).max ** 0.25
        largest = torch.linalg.vector_norm(self.embeddings, torch.inf, dim=1).tolist()
        if wrong := [j for j, x in enumerate(largest) if x and not low <= x <= high]:
            raise DatasetError(
                f"embeddings row {wrong[0]} has {largest[wrong[0]]:.3g} as its largest entry; in {dtype} that must be "
                f"0 or from {low:.1g} to {high:.1g} (scale the embeddings)"
            )
        for name, masses in (("weights", self.weights), ("probabilities", self.conditionals)):
            if bool((masses == 0).any()):
                raise DatasetError(f"{name} has entries too small for {dtype}; none may become 0")
        h, p = self.embeddings.cpu().numpy(), self.conditionals.cpu().numpy()
        tokens, starts = self.pattern.tokens.cpu().numpy(), self.pattern.starts.cpu().numpy()
        bounds = np.append(starts, len(tokens))
        rounding = 1e-12 + 8 * torch.finfo(dtype).eps
        first: dict[bytes, int] = {}
        for j, row in enumerate(h + 0.0):  # + 0.0 turns -0.0 into 0.0
            i = first.setdefault(row.tobytes(), j)
            if i == j:
                continue
            a, b = (slice(bounds[k], bounds[k + 1]) for k in (i, j))
            same = np.array_equal(tokens[a], tokens[b])
            if not (same and np.allclose(p[a], p[b], rtol=rounding, atol=0)):
                raise DatasetError(
                    f"contexts {self.context_name(i)} and {self.context_name(j)} have the same embedding but "
                    "different next-token rows; pool contexts that a decoder cannot tell apart into one"
                )

    @property
    def num_contexts(self) -> int:
        """m, the number of distinct contexts."""
        return int(self.embeddings.shape[0])

    @property
    def vocab_size(self) -> int:
        """V, the number of tokens."""
        return self.pattern.vocab_size

    @property
    def dim(self) -> int:
        """d, the embedding dimension."""
        return int(self.embeddings.shape[1])

    @cached_property
    def entropy(self) -> float:
        """H, the empirical conditional entropy in nats: the floor of the loss (`bias/entropy-floor`)."""
        return max(0.0, -float((self.joint * self.log_conditionals).sum()))

    @cached_property
    def joint(self) -> Tensor:
        """pi_j p_{j,z} on the entries of ``pattern``; (n,), sums to 1."""
        return self.weights[self.pattern.contexts] * self.conditionals

    @cached_property
    def log_conditionals(self) -> Tensor:
        """Log p_{j,z} on the entries of ``pattern``; (n,), nats."""
        return self.conditionals.log()

    @property
    def masses(self) -> Tensor:
        """p_{j,z} up to a factor a context, as exactly as they are known: the counts if there are any; (n,), double."""
        return (self.conditionals if self.counts is None else self.counts).double()

    @property
    def support(self) -> Tensor:
        """Boolean matrix (m, V), true where z is in S_j; formed on request."""
        return self.pattern.mask()

    @property
    def probabilities(self) -> Tensor:
        """The conditionals as a sparse COO tensor (m, V)."""
        index = torch.stack([self.pattern.contexts, self.pattern.tokens])
        shape = (self.num_contexts, self.vocab_size)
        return torch.sparse_coo_tensor(index, self.conditionals, shape, is_coalesced=True, check_invariants=False)

    def token_name(self, v: int) -> str:
        """Name of token v as it appears in answers: quoted, or its index."""
        return repr(self.token_names[v]) if self.token_names else f"#{v}"

    def context_name(self, j: int) -> str:
        """Name of context j as it appears in answers: quoted, or its index."""
        return repr(self.context_names[j]) if self.context_names else f"#{j}"

    def to(self, *, device: torch.device | str | None = None, dtype: torch.dtype | None = None) -> NTPDataset:
        """The same dataset on another device or in another floating type (float32 or float64).

        Raises
        ------
        DatasetError
            If rounding to ``dtype`` breaks a rule: an overflow, a probability that becomes 0, two embeddings
            that become one.

        Examples
        --------
        >>> NTPDataset([[1.0]], [[0.5, 0.5]]).to(dtype=torch.float32).weights.dtype
        torch.float32
        """
        if dtype is not None:
            _check_dtype(dtype)
        twin = NTPDataset.__new__(NTPDataset)
        device = as_device(device) or self.embeddings.device
        twin.token_names, twin.context_names = self.token_names, self.context_names
        twin.pattern = self.pattern.to(device)
        twin.embeddings = self.embeddings.to(device, dtype)
        twin.weights = self.weights.to(device, dtype)
        twin.conditionals = self.conditionals.to(device, dtype)
        twin.counts = None if self.counts is None else self.counts.to(device)
        twin._check_kept()
        return twin

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write the dataset to one ``.npz`` file (arrays and a JSON header).

        Examples
        --------
        >>> import tempfile, pathlib
        >>> path = NTPDataset([[1.0]], [[0.25, 0.75]]).save(pathlib.Path(tempfile.mkdtemp()) / "data.npz")
        >>> NTPDataset.load(path).conditionals.tolist()
        [0.25, 0.75]
        """
        return runs.save_arrays(path, "dataset", *self._pack())

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> NTPDataset:
        """Read a dataset written by `save`: the same numbers in the same floating type, on the CPU.

        Raises
        ------
        CheckpointError
            If the file is missing, damaged, incomplete or of another kind.
        DatasetError
            If its content breaks a rule of the constructor.
        """
        arrays, meta = runs.load_arrays(path, "dataset")
        return cls._unpack(arrays, meta)

    def _pack(self) -> tuple[dict[str, NDArray[Any]], dict[str, Any]]:
        """Arrays and header of a saved dataset; other results embed them in their own files."""
        meta = {
            "vocab_size": self.vocab_size,
            "token_names": self.token_names,
            "context_names": self.context_names,
        }
        return self._arrays(), meta

    def _arrays(self) -> dict[str, NDArray[Any]]:
        arrays = {
            "embeddings": self.embeddings.cpu().numpy(),
            "weights": self.weights.cpu().numpy(),
            "contexts": self.pattern.contexts.cpu().numpy(),
            "tokens": self.pattern.tokens.cpu().numpy(),
            "conditionals": self.conditionals.cpu().numpy(),
        }
        if self.counts is not None:
            arrays["counts"] = self.counts.cpu().numpy()
        return arrays

    @classmethod
    def _unpack(cls, arrays: dict[str, NDArray[Any]], meta: dict[str, Any]) -> NTPDataset:
        try:
            h, index = arrays["embeddings"], (arrays["contexts"], arrays["tokens"])
            if any(array.dtype.kind != "i" for array in index):
                raise TypeError("contexts and tokens must be integers")
            shape = (len(h), int(meta["vocab_size"]))
            names = {key: meta[key] for key in ("token_names", "context_names")}
            dtype = torch.from_numpy(h).dtype
            if "counts" in arrays:
                counts = scipy.sparse.coo_array((arrays["counts"], index), shape)
                return cls.from_counts(h, counts, **names, dtype=dtype)
            rows = scipy.sparse.coo_array((arrays["conditionals"], index), shape)
            return cls(h, rows, arrays["weights"], **names, dtype=dtype)
        except NTPError:
            raise
        except (KeyError, TypeError, ValueError, IndexError, OverflowError) as error:
            raise CheckpointError(f"saved dataset is incomplete or damaged ({error})") from error

    def summary(self) -> str:
        """A few lines in words: sizes, supports, entropy in nats and bits."""
        sizes = self.pattern.sizes
        return (
            f"{self.num_contexts} contexts, {self.vocab_size} tokens, embeddings of dimension {self.dim}\n"
            f"supports of {int(sizes.min())} to {int(sizes.max())} tokens "
            f"(mean {sizes.double().mean():.2f}), {int((sizes == 1).sum())} contexts with one next token\n"
            f"entropy floor {self.entropy:.6g} nats = {self.entropy / np.log(2):.6g} bits a token"
        )

    def __repr__(self) -> str:
        return (
            f"NTPDataset(num_contexts={self.num_contexts}, vocab_size={self.vocab_size}, dim={self.dim}, "
            f"entropy={self.entropy:.4g} nats)"
        )


def _check_dtype(dtype: torch.dtype) -> None:
    if dtype not in (torch.float64, torch.float32):
        raise UsageError(f"dtype must be torch.float64 or torch.float32, got {dtype!r}")


def as_dataset(name: str, value: object) -> NTPDataset:
    """A dataset, and nothing else."""
    if not isinstance(value, NTPDataset):
        raise UsageError(f"{name} is {shown(value)}; it must be an NTPDataset")
    return value


def as_datasets(datasets: Iterable[NTPDataset]) -> list[NTPDataset]:
    """A list of datasets, each of them looked at."""
    try:
        datasets = list(datasets)
    except TypeError:
        raise UsageError(f"datasets is {datasets!r}; it must be a sequence of NTPDataset") from None
    return [as_dataset(f"datasets[{i}]", data) for i, data in enumerate(datasets)]
