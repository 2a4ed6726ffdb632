"""The doors: what a caller passes in is converted here, once, and held against every rule."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import scipy.sparse
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from .errors import DatasetError, UsageError

__all__ = [
    "as_decoder",
    "as_device",
    "as_names",
    "as_path",
    "check_sums",
    "check_function",
    "check_weights",
    "dense",
    "divisors",
    "generator",
    "instance",
    "nonnegative",
    "number",
    "one_of",
    "positive",
    "share",
    "shown",
    "sparse_rows",
    "sum_tolerance",
    "whole",
]

_SHAPES = {1: "a vector", 2: "a matrix"}


def dense(name: str, values: Any, ndim: int) -> NDArray[np.float64]:
    """A float64 copy of a vector or matrix of finite real numbers."""
    if scipy.sparse.issparse(values) or _is_sparse(values):
        raise DatasetError(f"{name} is sparse but must be dense; pass .toarray() or .to_dense() of it")
    try:
        if isinstance(values, Tensor):
            values = values.detach().cpu()
            values = values.float() if values.dtype == torch.bfloat16 else values  # numpy has no bfloat16
        array = np.asarray(values)
        if array.dtype.kind not in "biufO":
            raise TypeError(f"got {array.dtype}")
        array = np.array(array, dtype=np.float64)
    except (TypeError, ValueError, RuntimeError, OverflowError) as error:
        raise DatasetError(f"{name} must be a rectangular array of real numbers ({error})") from error
    if array.ndim != ndim:
        shape = _SHAPES.get(ndim, f"an array of {ndim} dimensions")
        raise DatasetError(f"{name} must be {shape}, got shape {array.shape}")
    if array.size == 0:
        raise DatasetError(f"{name} must not be empty, got shape {array.shape}")
    if not np.isfinite(array).all():
        where = tuple(int(i) for i in np.argwhere(~np.isfinite(array))[0])
        raise DatasetError(f"{name}{list(where)} is {array[where]}; every entry must be finite")
    return array


def sparse_rows(name: str, values: Any) -> Any:
    """A CSR copy (m, V) without stored zeros or duplicates, every entry finite and positive, no empty row.

    Entries become float64 before duplicates are summed: a sum of small integers may not fit their own type.
    """
    if _is_sparse(values):
        if values.is_meta:
            raise DatasetError(f"{name} is on the device 'meta', which holds no numbers; it must be on another")
        coo = values.detach().cpu().to_sparse(layout=torch.sparse_coo)
        is_matrix = coo.sparse_dim() == 2 and coo.dense_dim() == 0
        _check_sparse(name, tuple(coo.shape), is_matrix, coo.is_complex())
        coo = coo.double().coalesce()
        rows = scipy.sparse.csr_array((coo.values().numpy(), coo.indices().numpy()), coo.shape)
    elif scipy.sparse.issparse(values):
        _check_sparse(name, values.shape, values.ndim == 2, values.dtype.kind not in "biuf")
        rows = scipy.sparse.csr_array(values.astype(np.float64))
    else:
        rows = scipy.sparse.csr_array(dense(name, values, 2))
    rows.sum_duplicates()
    rows.sort_indices()
    row_of = np.repeat(np.arange(rows.shape[0]), np.diff(rows.indptr))
    for wrong, rule in ((~np.isfinite(rows.data), "finite"), (rows.data < 0, "at least 0")):
        if wrong.any():
            i = int(np.argmax(wrong))
            raise DatasetError(f"{name}[{row_of[i]}, {rows.indices[i]}] is {rows.data[i]}; every entry must be {rule}")
    rows.eliminate_zeros()
    if (empty := np.flatnonzero(np.diff(rows.indptr) == 0)).size:
        raise DatasetError(f"{name} row {empty[0]} has an empty support; every context needs a next token")
    return rows


def sum_tolerance(values: Any) -> float:
    """How far a sum may be from 1: rounding of the precision the values came in, not of ours."""
    dtype = values.dtype if hasattr(values, "dtype") else np.asarray(values).dtype
    return 1e-5 if str(dtype).endswith(("float16", "float32")) else 1e-9


def check_sums(name: str, sums: NDArray[np.float64], tolerance: float) -> None:
    """Every row sums to 1."""
    off = np.abs(sums - 1.0)
    if (off > tolerance).any():
        j = int(np.argmax(off))
        raise DatasetError(f"{name} row {j} sums to {sums[j]:.12g}; it must sum to 1 within {tolerance:g}")


def check_weights(pi: NDArray[np.float64], m: int, tolerance: float) -> None:
    """One positive weight a context, summing to 1."""
    if pi.shape != (m,):
        raise DatasetError(f"weights has shape {pi.shape} but there are {m} contexts; one weight per context")
    if (pi <= 0).any():
        j = int(np.argmax(pi <= 0))
        raise DatasetError(f"weights[{j}] is {pi[j]}; every context must have positive weight (drop it otherwise)")
    if not abs(pi.sum() - 1.0) <= tolerance:
        raise DatasetError(f"weights sums to {pi.sum():.12g}; it must sum to 1 within {tolerance:g}")


def divisors(sums: NDArray[np.float64], sizes: NDArray[Any] | int, dtype: torch.dtype) -> NDArray[np.float64]:
    """What to divide rows by so that they sum to 1.

    It is 1 where the sum is 1 within rounding (of the kept type, and of adding up ``sizes`` terms in double):
    such rows are kept bit for bit, and what is saved is loaded unchanged.
    """
    rounding = torch.finfo(dtype).eps + sizes * np.finfo(np.float64).eps
    return np.where(np.abs(sums - 1.0) <= rounding, 1.0, sums)


def as_names(argument: str, names: Sequence[str] | None, count: int) -> tuple[str, ...] | None:
    """Unique names, one each."""
    if names is None:
        return None
    if isinstance(names, str) or not isinstance(names, Sequence | np.ndarray):
        raise DatasetError(f"{argument} must be a sequence of str, got {type(names).__name__}")
    for i, name in enumerate(names):
        if not isinstance(name, str):
            raise DatasetError(f"{argument}[{i}] is {name!r}; every name must be a str")
    if len(names) != count:
        raise DatasetError(f"{argument} has {len(names)} entries, expected {count}")
    first: dict[str, int] = {}
    for i, name in enumerate(names):
        if first.setdefault(name, i) != i:
            raise DatasetError(f"{argument} holds {str(name)!r} more than once; names must be unique")
    return tuple(str(name) for name in names)  # plain str: numpy's own has another repr


def as_decoder(weights: ArrayLike | Tensor, shape: tuple[int, int], like: Tensor, name: str = "weights") -> Tensor:
    """The decoder W (V, d) of a caller: finite, detached, in the type and on the device of ``like``."""
    if scipy.sparse.issparse(weights) or _is_sparse(weights):
        raise UsageError(f"{name} is sparse but must be dense; pass .toarray() or .to_dense() of it")
    try:
        # by way of numpy: torch makes a list of numbers single precision
        tensor = weights if isinstance(weights, Tensor) else torch.from_numpy(np.array(weights))
        if tensor.is_complex():
            raise TypeError(f"got {tensor.dtype}")
        tensor = tensor.detach().to(like.device, like.dtype)
    except (TypeError, ValueError, RuntimeError) as error:
        raise UsageError(f"{name} must be a matrix (V, d) of real numbers ({error})") from error
    if tensor.shape != shape:
        raise UsageError(f"{name} has shape {tuple(tensor.shape)}, expected (vocab_size, dim) = {shape}")
    if not bool(torch.isfinite(tensor).all()):
        v, i = (~torch.isfinite(tensor)).nonzero()[0].tolist()
        raise UsageError(f"{name}[{v}, {i}] is {float(tensor[v, i])}; every entry must be finite")
    return tensor


def _is_sparse(values: Any) -> bool:
    return isinstance(values, Tensor) and values.layout != torch.strided


def _check_sparse(name: str, shape: tuple[int, ...], is_matrix: bool, not_real: bool) -> None:
    if not is_matrix or 0 in shape:
        raise DatasetError(f"{name} must be a non-empty sparse matrix (contexts, tokens), got shape {shape}")
    if not_real:
        raise DatasetError(f"{name} must hold real numbers, got complex ones or none at all")


def whole(name: str, value: object, *, at_least: int, at_most: int | None = None) -> int:
    """``value`` as an int in the given range (numpy integers count, booleans and floats do not)."""
    rule = f"a whole number >= {at_least}" + ("" if at_most is None else f" and <= {at_most}")
    try:
        if isinstance(value, (bool, np.bool_)):
            raise TypeError
        number = operator.index(value)  # type: ignore[arg-type]
    except TypeError:
        raise UsageError(f"{name} is {value!r}; it must be {rule}") from None
    if number < at_least or (at_most is not None and number > at_most):
        raise UsageError(f"{name} is {number}; it must be {rule}")
    return number


def number(name: str, value: object, rule: str, accept: Callable[[float], bool]) -> float:
    """A real number as a float, if it is accepted; ``rule`` says in words what is."""
    found = math.nan
    if isinstance(value, int | float | np.integer | np.floating) and not isinstance(value, bool):
        with suppress(OverflowError):  # an int may be larger than every float
            found = float(value)
    if math.isnan(found) or not accept(found):
        raise UsageError(f"{name} is {value!r}; it must be {rule}")
    return found


def positive(name: str, value: object) -> float:
    """A positive finite number as a float."""
    return number(name, value, "a positive finite number", lambda x: 0.0 < x < math.inf)


def nonnegative(name: str, value: object) -> float:
    """A finite number of at least 0 as a float."""
    return number(name, value, "a finite number >= 0", lambda x: 0.0 <= x < math.inf)


def share(name: str, value: object, *, below_one: bool = False) -> float:
    """A number from 0 to 1 as a float; without 1 itself if ``below_one``."""
    rule = f"a number from 0 to {'below 1' if below_one else '1'}"
    return number(name, value, rule, lambda x: 0.0 <= x < 1.0 or (x == 1.0 and not below_one))


def generator(rng: int | np.random.Generator) -> np.random.Generator:
    """The generator itself, or the one seeded by an integer."""
    if isinstance(rng, np.random.Generator):
        return rng
    try:
        return np.random.default_rng(whole("rng", rng, at_least=0))
    except UsageError:
        raise UsageError(f"rng is {rng!r}; it must be a whole number >= 0 or a numpy.random.Generator") from None


def one_of(name: str, value: object, known: Iterable[str]) -> None:
    """Refuse a name that is not in the list."""
    known = tuple(known)
    if value not in known:
        raise UsageError(f"{name} is {value!r}; it must be one of {', '.join(map(repr, known))}")


def check_function(name: str, value: object) -> None:
    """Refuse what cannot be called."""
    if not callable(value):
        raise UsageError(f"{name} is {shown(value)}; it must be a function")


def instance(name: str, value: object, kind: type) -> None:
    """Refuse what is not of a type."""
    if not isinstance(value, kind):
        raise UsageError(f"{name} is {shown(value)}; it must be of type {kind.__name__}")


def shown(value: object) -> str:
    """A value as messages show it, on one line and cut where it is long."""
    words = " ".join(repr(value).split())
    return words if len(words) <= 200 else f"{words[:200]}..."


def as_device(device: torch.device | str | None) -> torch.device | None:
    """A device that is there and holds numbers; None stays None."""
    if device is None:
        return None
    try:
        found = torch.device(device)
        float(torch.zeros((), device=found))  # the device "meta" makes tensors without numbers
    except (TypeError, ValueError, RuntimeError, AssertionError) as error:
        why = str(error).partition("\n")[0]
        raise UsageError(f"device is {str(device)!r}; it must be one that torch can compute on here ({why})") from None
    return found


def as_path(name: str, value: Any) -> Path:
    """The path of a file, as a `pathlib.Path`."""
    try:
        return Path(value)
    except TypeError:
        raise UsageError(f"{name} is {shown(value)}; it must be a path, as a str or os.PathLike") from None
