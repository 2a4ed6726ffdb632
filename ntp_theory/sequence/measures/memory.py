"""How many bytes of tensors are alive at once while something runs, counted operation by operation."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from ...doors import check_function

__all__ = ["peak_bytes"]


def peak_bytes(run: Callable[[], object], *, held: Iterable[Tensor] = ()) -> int:
    """The largest number of bytes of tensors that are alive after an operation, those of a backward pass included.

    Memory that several tensors share counts once. What a kernel needs inside of itself is not seen, nor what was alive
    before, unless it is named. The count is the same on every machine.

    Parameters
    ----------
    run : callable
        Without arguments.
    held : iterable of Tensor
        What is alive before and counts, such as ``model.parameters()``.

    Returns
    -------
    int

    Examples
    --------
    >>> import torch
    >>> def run():
    ...     total = torch.zeros(1000, dtype=torch.float64)
    ...     for k in range(5):
    ...         total += torch.full((1000,), k, dtype=torch.float64)
    >>> peak_bytes(run)
    16000
    """
    check_function("run", run)
    count = _Count()
    for tensor in held:
        count.add(tensor)
    with count:
        run()
    return count.peak


class _Count(TorchDispatchMode):
    """Notes the memory of every tensor that an operation returns, and when it is gone."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.now = self.peak = 0
        self._known: dict[int, weakref.ref[Any]] = {}

    def add(self, tensor: Tensor) -> None:
        """Count the memory of a tensor, if it is not known yet, until it is gone."""
        storage = tensor.untyped_storage()
        if (key := id(storage)) in self._known:
            return
        size = storage.nbytes()

        def gone(_: object) -> None:
            self.now -= size
            del self._known[key]

        self._known[key] = weakref.ref(storage, gone)
        self.now += size
        self.peak = max(self.peak, self.now)

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        made = func(*args, **(kwargs or {}))
        for leaf in tree_leaves(made):
            if isinstance(leaf, Tensor):
                self.add(leaf)
        return made
