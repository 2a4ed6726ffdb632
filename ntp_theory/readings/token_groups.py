"""Tokens that the theory cannot tell apart: those that follow the same contexts share a row of W_mm.

The NTP-SVM depends on the supports alone, and exchanging two tokens that follow exactly the same contexts changes
nothing; its solution is unique, so their rows are equal (`bias/svm-structure` ii). Their logits then grow alike for
ever, and only the finite part, which knows how often each follows, tells them apart: rows of W* differ as a rule.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import Tensor

from ..dataset import NTPDataset, as_dataset
from ..doors import as_decoder

__all__ = ["TokenGroups", "token_groups"]


@dataclass(frozen=True, eq=False, repr=False)
class TokenGroups:
    """Outcome of `token_groups`.

    Attributes
    ----------
    data : NTPDataset
    groups : tuple of tuple of int
        The sets of two or more tokens that follow the same contexts, largest first, then by first token.
    contexts : tuple of tuple of int
        The contexts that each group follows; none for tokens that follow nothing.
    """

    data: NTPDataset
    groups: tuple[tuple[int, ...], ...]
    contexts: tuple[tuple[int, ...], ...]

    def spreads(self, weights: ArrayLike | Tensor) -> Tensor:
        """Largest distance from a row of a group to its first row, by group; (groups,).

        For a computed W_mm it is at most ``sqrt(2) ||W - W_mm||``, since the rows of W_mm are equal.

        Raises
        ------
        UsageError
            If ``weights`` does not fit the data.
        """
        decoder = as_decoder(weights, (self.data.vocab_size, self.data.dim), self.data.embeddings.double())
        found = [float((decoder[list(g)] - decoder[g[0]]).norm(dim=1).max()) for g in self.groups]
        return torch.tensor(found, dtype=torch.float64)

    def separation(self, weights: ArrayLike | Tensor) -> float:
        """Smallest distance between rows of two tokens that do *not* follow the same contexts; infinite if none.

        Two of them may share a row as well: the theorem speaks of equal supports only.

        Raises
        ------
        UsageError
            If ``weights`` does not fit the data.
        """
        decoder = as_decoder(weights, (self.data.vocab_size, self.data.dim), self.data.embeddings.double())
        others = {v for group in self.groups for v in group[1:]}
        kept = [v for v in range(self.data.vocab_size) if v not in others]
        distances = torch.cdist(decoder[kept], decoder[kept], compute_mode="donot_use_mm_for_euclid_dist")
        distances.fill_diagonal_(math.inf)
        return float(distances.min())

    def __repr__(self) -> str:
        return f"<TokenGroups: {sum(map(len, self.groups))} tokens in {len(self.groups)} groups>"

    def summary(self, limit: int = 5) -> str:
        """The largest groups by name."""
        lines = [
            f"{sum(map(len, self.groups))} of {self.data.vocab_size} tokens share their contexts, and so their row of "
            f"W_mm, with others: {len(self.groups)} groups"
        ]
        for group, contexts in list(zip(self.groups, self.contexts, strict=True))[:limit]:
            after = ", ".join(map(self.data.context_name, contexts[:3])) + (", ..." if len(contexts) > 3 else "")
            names = ", ".join(map(self.data.token_name, group[:8])) + (", ..." if len(group) > 8 else "")
            lines.append(f"  {len(group)} after {after or 'no context'}: {names}")
        return "\n".join(lines)


def token_groups(data: NTPDataset) -> TokenGroups:
    """The sets of tokens that follow exactly the same contexts.

    Parameters
    ----------
    data : NTPDataset
        Where some tokens cannot be driven out, take ``Limit.reference``: its supports decide the direction.

    Returns
    -------
    TokenGroups

    Raises
    ------
    UsageError
        If ``data`` is no dataset.

    Notes
    -----
    Source: ours (`bias/svm-structure` ii), after words 1 and 5 of 2402.18551 Figure 1 (`bias/figure-toy`).

    Examples
    --------
    >>> from ntp_theory import construct
    >>> print(token_groups(construct.toy()).summary())
    2 of 5 tokens share their contexts, and so their row of W_mm, with others: 1 groups
      2 after 'A', 'B': '1', '5'
    """
    as_dataset("data", data)
    pattern = data.pattern
    order = pattern.tokens.argsort(stable=True)
    sizes = torch.bincount(pattern.tokens, minlength=data.vocab_size).tolist()
    columns: dict[bytes, list[int]] = {}
    followed: dict[bytes, tuple[int, ...]] = {}
    for v, contexts in enumerate(pattern.contexts[order].cpu().split(sizes)):
        key = np.ascontiguousarray(contexts.numpy()).tobytes()
        columns.setdefault(key, []).append(v)
        followed[key] = tuple(contexts.tolist())
    shared = sorted((key for key in columns if len(columns[key]) > 1), key=lambda k: (-len(columns[k]), columns[k]))
    return TokenGroups(data, tuple(tuple(columns[k]) for k in shared), tuple(followed[k] for k in shared))
