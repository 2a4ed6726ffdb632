"""Which tokens may follow which contexts: the pattern of the supports ``S_j``, stored by its entries."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from .errors import DatasetError

__all__ = ["SupportPattern"]


@dataclass(frozen=True, eq=False)
class SupportPattern:
    """The pairs (j, z) with z in S_j, in row order; per-context reductions over them.

    The conditions, the NTP-SVM and the subspace F depend on the data through the embeddings and this pattern
    alone (`bias/svm-structure` iii), so they take a pattern; arbitrary data passes an extended one
    (`bias/any-data`).

    Attributes
    ----------
    contexts, tokens : Tensor (n,), int64
        Entry i is token ``tokens[i]`` in the support of context ``contexts[i]``; sorted by context, then
        token.
    num_contexts, vocab_size : int
        m and V.

    Examples
    --------
    >>> pattern = SupportPattern.from_mask(torch.tensor([[True, True, False], [False, False, True]]))
    >>> pattern.sizes.tolist(), pattern.anchors.tolist()
    ([2, 1], [0, 2])
    """

    contexts: Tensor
    tokens: Tensor
    num_contexts: int
    vocab_size: int

    @classmethod
    def from_mask(cls, mask: Tensor) -> SupportPattern:
        """The pattern of a boolean matrix (m, V), every row of which holds a True."""
        if not bool((full := mask.any(1)).all()):
            row = int((~full).nonzero()[0])
            raise DatasetError(f"mask row {row} has an empty support; every context needs a next token")
        contexts, tokens = mask.nonzero(as_tuple=True)
        return cls(contexts, tokens, mask.shape[0], mask.shape[1])

    @classmethod
    def from_complement(cls, pattern: SupportPattern) -> SupportPattern:
        """The pairs outside a pattern; rows may be empty, so per-context reductions do not apply to all of them."""
        contexts, tokens = (~pattern.mask()).nonzero(as_tuple=True)
        return cls(contexts, tokens, pattern.num_contexts, pattern.vocab_size)

    @cached_property
    def sizes(self) -> Tensor:
        """S_j, the number of tokens in each support; (m,), int64."""
        return torch.bincount(self.contexts, minlength=self.num_contexts)

    @cached_property
    def starts(self) -> Tensor:
        """Index of the first entry of each context; (m,), int64."""
        return self.sizes.cumsum(0) - self.sizes

    @cached_property
    def anchors(self) -> Tensor:
        """The first token of each support, the reference of the anchor form of (4); (m,), int64."""
        return self.tokens[self.starts]

    @property
    def num_off_support(self) -> int:
        """Number of pairs (j, v) with v outside S_j."""
        return self.num_contexts * self.vocab_size - len(self.tokens)

    def mask(self) -> Tensor:
        """The pattern as a boolean matrix (m, V); this forms m*V entries."""
        mask = torch.zeros(self.num_contexts, self.vocab_size, dtype=torch.bool, device=self.tokens.device)
        mask[self.contexts, self.tokens] = True
        return mask

    def sum(self, values: Tensor) -> Tensor:
        """Sum values (n,) over each support: (m,)."""
        return values.new_zeros(self.num_contexts).index_add_(0, self.contexts, values)

    def min(self, values: Tensor) -> Tensor:
        """Smallest of the values (n,) in each support: (m,)."""
        out = values.new_empty(self.num_contexts)
        return out.scatter_reduce_(0, self.contexts, values, "amin", include_self=False)

    def max(self, values: Tensor) -> Tensor:
        """Largest of the values (n,) in each support: (m,)."""
        out = values.new_empty(self.num_contexts)
        return out.scatter_reduce_(0, self.contexts, values, "amax", include_self=False)

    def logsumexp(self, values: Tensor) -> Tensor:
        """Log of the sum of exp(values) over each support: (m,)."""
        top = self.max(values)
        return self.sum((values - top[self.contexts]).exp_()).log_() + top

    def inside(self, logits: Tensor) -> Tensor:
        """Entries (n,) of a matrix (m, V) on the pattern."""
        return logits[self.contexts, self.tokens]

    def outside(self, logits: Tensor) -> Tensor:
        """Copy of a matrix (m, V) with -inf on the pattern, so that maxima see off-support tokens only."""
        out = logits.clone()
        out[self.contexts, self.tokens] = -torch.inf
        return out

    def margins(self, logits: Tensor) -> Tensor:
        """Smallest in-support minus largest off-support logit by context (m,); +inf for a full support."""
        return self.min(self.inside(logits)) - self.outside(logits).amax(1)

    def spread(self, logits: Tensor) -> Tensor:
        """Largest minus smallest in-support logit by context; (m,)."""
        inside = self.inside(logits)
        return self.max(inside) - self.min(inside)

    def rows(self) -> list[list[int]]:
        """The tokens of each support."""
        tokens: list[list[int]] = [part.tolist() for part in self.tokens.split(self.sizes.tolist())]
        return tokens

    def select(self, chosen: Tensor) -> SupportPattern:
        """The pattern of some contexts, given by increasing index; they are numbered anew."""
        number = torch.full((self.num_contexts,), -1, device=chosen.device)
        number[chosen] = torch.arange(len(chosen), device=chosen.device)
        kept = number[self.contexts] >= 0
        return SupportPattern(number[self.contexts[kept]], self.tokens[kept], len(chosen), self.vocab_size)

    def to(self, device: torch.device | str) -> SupportPattern:
        """The same pattern on another device."""
        return SupportPattern(self.contexts.to(device), self.tokens.to(device), self.num_contexts, self.vocab_size)
