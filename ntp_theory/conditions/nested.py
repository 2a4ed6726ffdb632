"""Growing parts of a dataset: a proof of "no" for some contexts is one for all of them, and small parts are cheap."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from ..dataset import NTPDataset

__all__ = ["nested_contexts"]


def nested_contexts(data: NTPDataset) -> Iterator[Tensor]:
    """Indices of growing sets of contexts, large supports first; the last set is the whole.

    d contexts with independent embeddings are always separable and compatible (`bias/lemma-1`), so start at 2 d.
    """
    order = data.pattern.sizes.argsort(descending=True, stable=True)
    count = 2 * data.dim
    while 2 * count <= data.num_contexts:
        yield order[:count].sort().values
        count *= 2
    yield torch.arange(data.num_contexts, device=order.device)
