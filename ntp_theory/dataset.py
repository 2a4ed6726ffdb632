"""`NTPDataset`: distinct contexts, their embeddings, and the sparse distribution of the token that follows each."""

from __future__ import annotations

import os
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import scipy.sparse
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from . import runs
from .errors import DatasetError
from .support import SupportPattern

__all__ = ["NTPDataset"]


class NTPDataset:
    """The training set ``T_m = {(h_j, pi_j, p_j)}`` of next-token prediction with a linear decoder.

    Parameters
    ----------
    embeddings : array-like (m, d)
        Row j is the embedding h_j of context j.
    probabilities : array-like (m, V), dense or scipy/torch sparse
        Row j is the conditional distribution p_j of the next token. Rows sum to 1 within 1e-9 (1e-5 if given in less
        than double precision) and are then divided by their sum. Stored by its non-zero entries only.
    weights : array-like (m,), optional
        Context probabilities pi_j, positive, summing to 1 under the same rule; uniform if not given.
    token_names, context_names : sequence of str, optional
        Names (V,) and (m,), used in every answer; unique. Indices if not given.
    device, dtype : optional
        Where and in which floating type tensors are kept; CPU and float64 if not given.

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

    Raises
    ------
    DatasetError
        NaN or infinite entries, negative or non-summing rows, empty supports, shapes that do not fit, names that
        repeat, or two contexts with the same embedding and different rows (a decoder cannot tell them apart; pool
        their counts).

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
        rows = _sparse_rows("probabilities", probabilities)
        sums = np.asarray(rows.sum(axis=1)).ravel()
        _check_sums("probabilities", "row", sums, _tolerance(probabilities))
        h = _dense("embeddings", embeddings, 2)
        if weights is None:
            pi = np.full(rows.shape[0], 1.0 / max(rows.shape[0], 1))
        else:
            pi = _dense("weights", weights, 1)
            _check_weights(pi, rows.shape[0], _tolerance(weights))
        scaled = rows.data / np.repeat(sums, np.diff(rows.indptr))
        self._fill(h, rows, scaled, pi / pi.sum(), None, token_names, context_names, device, dtype)

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

        Weights and conditionals are the empirical ones; the integers are kept in ``counts`` for exact decisions.

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
        rows = _sparse_rows("counts", counts)
        whole = np.rint(rows.data)
        if (wrong := np.flatnonzero((whole != rows.data) | (rows.data >= 2.0**53))).size:
            raise DatasetError(f"counts holds {rows.data[wrong[0]]!r}; every count must be a whole number")
        totals = np.asarray(rows.sum(axis=1)).ravel()
        conditionals = rows.data / np.repeat(totals, np.diff(rows.indptr))
        data = cls.__new__(cls)
        data._fill(
            _dense("embeddings", embeddings, 2),
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
            raise DatasetError(
                f"embeddings has {h.shape[0]} rows but there are {m} contexts; one row per context"
            )
        self.token_names = _names("token_names", token_names, v)
        self.context_names = _names("context_names", context_names, m)
        contexts = np.repeat(np.arange(m), np.diff(rows.indptr))
        self._check_duplicates(h, rows, conditionals)
        self.pattern = SupportPattern(
            torch.from_numpy(contexts), torch.from_numpy(rows.indices.astype(np.int64)), m, v
        ).to(device or "cpu")
        self.embeddings = torch.tensor(h, dtype=dtype, device=device)
        self.weights = torch.tensor(pi, dtype=dtype, device=device)
        self.conditionals = torch.tensor(conditionals, dtype=dtype, device=device)
        self.counts = counts if counts is None else counts.to(device or "cpu")

    def _check_duplicates(
        self, h: NDArray[np.float64], rows: Any, conditionals: NDArray[np.float64]
    ) -> None:
        first: dict[bytes, int] = {}
        for j, row in enumerate(h + 0.0):  # + 0.0 turns -0.0 into 0.0
            i = first.setdefault(row.tobytes(), j)
            if i == j:
                continue
            a, b = (slice(rows.indptr[k], rows.indptr[k + 1]) for k in (i, j))
            same = np.array_equal(rows.indices[a], rows.indices[b])
            if not (same and np.allclose(conditionals[a], conditionals[b], rtol=1e-12, atol=0)):
                raise DatasetError(
                    f"contexts {self.context_name(i)} and {self.context_name(j)} have the same embedding but "
                    "different next-token rows; contexts that a decoder cannot tell apart must be pooled into one"
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
        """H, the empirical conditional entropy in nats: the floor of the training loss (`bias/entropy-floor`)."""
        return max(0.0, -float((self.joint * self.log_conditionals).sum()))

    @cached_property
    def joint(self) -> Tensor:
        """pi_j p_{j,z} on the entries of ``pattern``; (n,), sums to 1."""
        return self.weights[self.pattern.contexts] * self.conditionals

    @cached_property
    def log_conditionals(self) -> Tensor:
        """log p_{j,z} on the entries of ``pattern``; (n,), nats."""
        return self.conditionals.log()

    @property
    def support(self) -> Tensor:
        """Boolean matrix (m, V), true where z is in S_j; formed on request."""
        return self.pattern.mask()

    @property
    def probabilities(self) -> Tensor:
        """The conditionals as a sparse COO tensor (m, V)."""
        index = torch.stack([self.pattern.contexts, self.pattern.tokens])
        shape = (self.num_contexts, self.vocab_size)
        return torch.sparse_coo_tensor(
            index, self.conditionals, shape, is_coalesced=True, check_invariants=False
        )

    def token_name(self, v: int) -> str:
        """Name of token v as it appears in answers: quoted, or its index."""
        return repr(self.token_names[v]) if self.token_names else f"#{v}"

    def context_name(self, j: int) -> str:
        """Name of context j as it appears in answers: quoted, or its index."""
        return repr(self.context_names[j]) if self.context_names else f"#{j}"

    def to(self, *, device: torch.device | str | None = None, dtype: torch.dtype | None = None) -> NTPDataset:
        """The same dataset on another device or in another floating type.

        Examples
        --------
        >>> NTPDataset([[1.0]], [[0.5, 0.5]]).to(dtype=torch.float32).weights.dtype
        torch.float32
        """
        twin = NTPDataset.__new__(NTPDataset)
        device = self.embeddings.device if device is None else torch.device(device)
        twin.token_names, twin.context_names = self.token_names, self.context_names
        twin.pattern = self.pattern.to(device)
        twin.embeddings = self.embeddings.to(device, dtype)
        twin.weights = self.weights.to(device, dtype)
        twin.conditionals = self.conditionals.to(device, dtype)
        twin.counts = None if self.counts is None else self.counts.to(device)
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
        """Read a dataset written by `save`; float64 on the CPU.

        Raises
        ------
        CheckpointError
            If the file is missing, damaged or of another kind.
        DatasetError
            If its content breaks a rule of the constructor.
        """
        arrays, meta = runs.load_arrays(path, "dataset")
        return cls._unpack(arrays, meta)

    def _pack(self) -> tuple[dict[str, NDArray[Any]], dict[str, Any]]:
        """Arrays and header of a saved dataset; other results embed them in their own files."""
        arrays = {
            "embeddings": self.embeddings.cpu().numpy(),
            "weights": self.weights.cpu().numpy(),
            "contexts": self.pattern.contexts.cpu().numpy(),
            "tokens": self.pattern.tokens.cpu().numpy(),
            "conditionals": self.conditionals.cpu().numpy(),
        }
        if self.counts is not None:
            arrays["counts"] = self.counts.cpu().numpy()
        meta = {
            "vocab_size": self.vocab_size,
            "token_names": self.token_names,
            "context_names": self.context_names,
        }
        return arrays, meta

    @classmethod
    def _unpack(cls, arrays: dict[str, NDArray[Any]], meta: dict[str, Any]) -> NTPDataset:
        try:
            h, index = arrays["embeddings"], (arrays["contexts"], arrays["tokens"])
            shape = (len(h), int(meta["vocab_size"]))
            names = {key: meta[key] for key in ("token_names", "context_names")}
            if "counts" in arrays:
                counts = scipy.sparse.csr_array((arrays["counts"].astype(float), index), shape)
                return cls.from_counts(h, counts, **names)
            rows = scipy.sparse.csr_array((arrays["conditionals"].astype(float), index), shape)
            return cls(h, rows, arrays["weights"], **names)
        except (KeyError, TypeError, IndexError) as error:
            raise DatasetError(f"saved dataset lacks or mangles {error}") from error

    def summary(self) -> str:
        """A few lines in words: sizes, supports, entropy in nats and bits."""
        sizes = self.pattern.sizes
        return (
            f"{self.num_contexts} contexts, {self.vocab_size} tokens, embeddings of dimension {self.dim}\n"
            f"supports of {int(sizes.min())} to {int(sizes.max())} tokens (mean {sizes.double().mean():.2f}), "
            f"{int((sizes == 1).sum())} contexts with one next token\n"
            f"entropy floor {self.entropy:.6g} nats = {self.entropy / np.log(2):.6g} bits a token"
        )

    def __repr__(self) -> str:
        return (
            f"NTPDataset(num_contexts={self.num_contexts}, vocab_size={self.vocab_size}, dim={self.dim}, "
            f"entropy={self.entropy:.4g} nats)"
        )


def _tolerance(values: Any) -> float:
    """How far a sum may be from 1: rounding of the given precision, not of ours."""
    kind = str(getattr(values, "dtype", "float64"))
    return 1e-9 if kind.endswith(("float64", "int64")) else 1e-5


def _dense(name: str, values: Any, ndim: int) -> NDArray[np.float64]:
    try:
        array = values.detach().cpu().numpy() if isinstance(values, Tensor) else np.asarray(values)
        array = np.array(array, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise DatasetError(f"{name} must be a rectangular array of real numbers ({error})") from error
    if array.ndim != ndim:
        raise DatasetError(f"{name} must have {ndim} dimensions, got shape {array.shape}")
    if array.size == 0:
        raise DatasetError(f"{name} must not be empty, got shape {array.shape}")
    if not np.isfinite(array).all():
        where = tuple(int(i) for i in np.argwhere(~np.isfinite(array))[0])
        raise DatasetError(f"{name}{list(where)} is {array[where]}; every entry must be finite")
    return array


def _sparse_rows(name: str, values: Any) -> Any:
    """A CSR array (m, V) without stored zeros or duplicates, every entry finite and positive, no empty row."""
    if isinstance(values, Tensor) and values.layout != torch.strided:
        coo = values.detach().cpu().to_sparse_coo().coalesce()
        rows = scipy.sparse.csr_array((coo.values().double().numpy(), coo.indices().numpy()), coo.shape)
    elif scipy.sparse.issparse(values):
        rows = scipy.sparse.csr_array(values).astype(np.float64)
    else:
        rows = scipy.sparse.csr_array(_dense(name, values, 2))
    if rows.ndim != 2 or 0 in rows.shape:
        raise DatasetError(f"{name} must be a non-empty matrix (contexts, tokens), got shape {rows.shape}")
    rows.sum_duplicates()
    rows.sort_indices()
    row_of = np.repeat(np.arange(rows.shape[0]), np.diff(rows.indptr))
    for wrong, rule in ((~np.isfinite(rows.data), "finite"), (rows.data < 0, "at least 0")):
        if wrong.any():
            i = int(np.argmax(wrong))
            raise DatasetError(
                f"{name}[{row_of[i]}, {rows.indices[i]}] is {rows.data[i]}; every entry must be {rule}"
            )
    rows.eliminate_zeros()
    if (empty := np.flatnonzero(np.diff(rows.indptr) == 0)).size:
        raise DatasetError(f"{name} row {empty[0]} has an empty support; every context needs a next token")
    return rows


def _check_sums(name: str, what: str, sums: NDArray[np.float64], tolerance: float) -> None:
    off = np.abs(sums - 1.0)
    if (off > tolerance).any():
        j = int(np.argmax(off))
        raise DatasetError(f"{name} {what} {j} sums to {sums[j]:.12g}; it must sum to 1 within {tolerance:g}")


def _check_weights(pi: NDArray[np.float64], m: int, tolerance: float) -> None:
    if pi.shape != (m,):
        raise DatasetError(f"weights has shape {pi.shape} but there are {m} contexts; one weight per context")
    if (pi <= 0).any():
        j = int(np.argmax(pi <= 0))
        raise DatasetError(
            f"weights[{j}] is {pi[j]}; every context must have positive weight (drop it otherwise)"
        )
    if abs(pi.sum() - 1.0) > tolerance:
        raise DatasetError(f"weights sums to {pi.sum():.12g}; it must sum to 1 within {tolerance:g}")


def _names(argument: str, names: Sequence[str] | None, count: int) -> tuple[str, ...] | None:
    if names is None:
        return None
    if isinstance(names, str) or not all(isinstance(name, str) for name in names):
        raise DatasetError(f"{argument} must be a sequence of str")
    if len(names) != count:
        raise DatasetError(f"{argument} has {len(names)} entries, expected {count}")
    if len(set(names)) != count:
        twice = next(name for name in names if list(names).count(name) > 1)
        raise DatasetError(f"{argument} holds {twice!r} more than once; names must be unique")
    return tuple(names)
