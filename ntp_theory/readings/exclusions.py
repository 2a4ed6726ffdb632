"""Which next tokens training rules out for ever, context by context, and how little or much the corpus says for it.

A token that was never seen after a context, and that the data does not tie to those that were, gets probability 0 in
the limit (`bias/any-data`): maximum likelihood knows no "not yet". The counts say how hasty that is. If the next token
did not depend on the context, token v would have been expected ``n_j c_v / n`` times after a context seen n_j times,
where c_v of the n next tokens are v: an absence is news only if that number is well above 1. And by Good and Turing the
share of occurrences whose next token followed the context once estimates the probability that the next is new there.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch
from torch import Tensor

from ..conditions import extended_support
from ..dataset import NTPDataset, as_dataset
from ..doors import whole
from ..errors import UsageError
from ..support import SupportPattern

__all__ = ["Excluded", "Exclusions", "exclusions"]


@dataclass(frozen=True)
class Excluded:
    """A pair that training rules out, with what the corpus knows of it.

    Attributes
    ----------
    context, token : str
        Names.
    context_count, token_count : int
        How often the context occurs, and how often the token occurs as a next token of any context.
    other_contexts : int
        How many contexts the token does follow.
    expected : float
        How often it would have followed here if the next token did not depend on the context.
    """

    context: str
    token: str
    context_count: int
    token_count: int
    other_contexts: int
    expected: float


@dataclass(frozen=True, eq=False, repr=False)
class Exclusions:
    """Outcome of `exclusions`.

    Attributes
    ----------
    data : NTPDataset
    pattern : SupportPattern
        The tokens whose probability stays positive, by context: the supports, and what is tied to them.
    context_counts : Tensor (m,), int64
        n_j, how often each context occurs.
    token_counts : Tensor (V,), int64
        c_v, how often each token occurs as a next token.
    followed : Tensor (V,), int64
        How many contexts each token follows.
    unseen : Tensor (m,), float64
        Good-Turing estimates of the probability that the next token is one that never followed the context: the share
        of its occurrences with a token that followed it once. 1 for contexts that were seen once.
    """

    data: NTPDataset
    pattern: SupportPattern
    context_counts: Tensor
    token_counts: Tensor
    followed: Tensor
    unseen: Tensor

    @property
    def sizes(self) -> Tensor:
        """Number of tokens ruled out after each context; (m,)."""
        return self.data.vocab_size - self.pattern.sizes

    @property
    def kept(self) -> Tensor:
        """Number of tokens that never followed a context but keep a positive probability there; (m,)."""
        return self.pattern.sizes - self.data.pattern.sizes

    @property
    def unseen_mass(self) -> float:
        """Average of ``unseen`` over the corpus: what a limit that rules out unseen tokens is estimated to miss."""
        return float(self.data.weights.double() @ self.unseen)

    @cached_property
    def expected(self) -> Tensor:
        """``n_j c_v / n``, expected counts if the next token did not depend on the context; (m, V)."""
        counts = self.context_counts.double()
        return counts[:, None] * self.token_counts.double() / counts.sum()

    def after(self, context: int, limit: int | None = None) -> list[Excluded]:
        """What is ruled out after a context, most expected first; the first ``limit`` of it if that is given.

        Raises
        ------
        UsageError
            If there is no such context, or ``limit`` is no number of at least 0.
        """
        j = whole("context", context, at_least=0, at_most=self.data.num_contexts - 1)
        limit = None if limit is None else whole("limit", limit, at_least=0)
        tokens = (~self._stays[j]).nonzero()[:, 0]
        order = self.expected[j, tokens].argsort(descending=True, stable=True)[:limit]
        return [self._excluded(j, v) for v in tokens[order].tolist()]

    def most_expected(self, limit: int = 5) -> list[Excluded]:
        """The absences that the counts of context and token explain least, over all contexts.

        Raises
        ------
        UsageError
            If ``limit`` is no number of at least 0.

        Examples
        --------
        >>> data = NTPDataset.from_counts([[1.0, 0.0], [0.0, 1.0]], [[3, 1, 0], [0, 2, 2]])
        >>> [(x.context, x.token, x.expected) for x in exclusions(data).most_expected()]
        [('#1', '#0', 1.5), ('#0', '#2', 1.0)]
        """
        limit = whole("limit", limit, at_least=0)
        found = self.expected.masked_fill(self._stays, -1.0).flatten()
        places = found.argsort(descending=True, stable=True)[: min(limit, int(self.sizes.sum()))]
        return [self._excluded(*divmod(i, self.data.vocab_size)) for i in places.tolist()]

    def __repr__(self) -> str:
        return f"<Exclusions: {int(self.sizes.sum())} pairs after {self.data.num_contexts} contexts>"

    def summary(self, limit: int = 5) -> str:
        """The answer in words, with the absences that are most surprising."""
        data, pairs = self.data, int(self.sizes.sum())
        out = self.expected[~self._stays]
        lines = [
            f"{pairs} pairs (context, next token) of {data.num_contexts * data.vocab_size} end at probability 0; "
            f"{int(self.kept.sum())} more never occur but keep a positive one",
            f"of those ruled out {int((out < 1).sum())} would be expected less than once if context did not matter, "
            f"{int((out >= 5).sum())} at least 5 times",
            f"by Good and Turing the next token is new after its context with probability {self.unseen_mass:.3g}",
        ]
        lines += [
            f"  {x.token} after {x.context}: never in {x.context_count}, expected {x.expected:.3g} times "
            f"({x.token_count} times after {x.other_contexts} other contexts)"
            for x in self.most_expected(limit)
        ]
        return "\n".join(lines)

    def to_dict(self, limit: int = 20) -> dict[str, Any]:
        """JSON-ready form: numbers by context, and the most surprising absences."""
        return {
            "ruled_out": int(self.sizes.sum()),
            "never_seen_but_kept": int(self.kept.sum()),
            "unseen_mass": self.unseen_mass,
            "by_context": [
                {"context": self.data.context_name(j), "count": n, "ruled_out": size, "kept": kept, "unseen": mass}
                for j, (n, size, kept, mass) in enumerate(
                    zip(
                        self.context_counts.tolist(),
                        self.sizes.tolist(),
                        self.kept.tolist(),
                        self.unseen.tolist(),
                        strict=True,
                    )
                )
            ],
            "most_expected": [vars(x) for x in self.most_expected(limit)],
        }

    @cached_property
    def _stays(self) -> Tensor:
        return self.pattern.mask()

    def _excluded(self, j: int, v: int) -> Excluded:
        return Excluded(
            self.data.context_name(j),
            self.data.token_name(v),
            int(self.context_counts[j]),
            int(self.token_counts[v]),
            int(self.followed[v]),
            float(self.expected[j, v]),
        )


def exclusions(data: NTPDataset, *, pattern: SupportPattern | None = None) -> Exclusions:
    """What training rules out after each context, and where in the counts that comes from.

    Parameters
    ----------
    data : NTPDataset
        Made from counts, as `ntp_theory.construct.from_text` does.
    pattern : SupportPattern, optional
        Tokens whose probability stays positive, if known: ``predict(data).reference.pattern``. Otherwise
        `extended_support` finds them.

    Returns
    -------
    Exclusions

    Raises
    ------
    UsageError
        If ``data`` is no dataset or has no counts, or a support is not contained in ``pattern``.
    SolverError
        If the extended supports could not be decided.

    Notes
    -----
    Counts are those of the dataset: windows that a limit on tokens or contexts has cut are not in them.
    Source: ours (`bias/any-data`, `bias/any-data-lp`); I. J. Good, "The population frequencies of species" (1953).

    Examples
    --------
    >>> data = NTPDataset.from_counts([[1.0, 0.0], [0.0, 1.0]], [[3, 1, 0], [0, 2, 2]])
    >>> found = exclusions(data)
    >>> found.sizes.tolist(), found.unseen.tolist(), found.unseen_mass
    ([1, 1], [0.25, 0.0], 0.125)
    >>> found.after(1)
    [Excluded(context='#1', token='#0', context_count=4, token_count=3, other_contexts=1, expected=1.5)]
    """
    as_dataset("data", data)
    if data.counts is None:
        raise UsageError(
            "data has no counts, which say where an absence comes from; make it with NTPDataset.from_counts"
        )
    own, counts = data.pattern, data.counts
    if pattern is None:
        pattern = extended_support(data).pattern
    elif not isinstance(pattern, SupportPattern):
        raise UsageError(f"pattern is {pattern!r}; it must be a SupportPattern, as predict(data).reference.pattern")
    elif pattern.mask().shape != data.support.shape or bool((data.support & ~pattern.mask()).any()):
        raise UsageError("pattern leaves out a token that follows its context; it must contain every support")
    totals = own.sum(counts)
    return Exclusions(
        data,
        pattern,
        totals,
        counts.new_zeros(data.vocab_size).index_add_(0, own.tokens, counts),
        torch.bincount(own.tokens, minlength=data.vocab_size),
        own.sum((counts == 1).long()).double() / totals.double(),
    )
