"""All readings of one dataset and its limit, for a report."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from numpy.typing import ArrayLike
from torch import Tensor

from ..predict import Limit
from .exclusions import Exclusions, exclusions
from .token_groups import TokenGroups, token_groups
from .tolerance import NoiseTolerance, noise_tolerance

__all__ = ["Overview", "overview"]

# Entries of each list in the JSON-ready form.
LISTED = 20


@dataclass(frozen=True, eq=False)
class Overview:
    """Outcome of `overview`.

    Attributes
    ----------
    exclusions : Exclusions or None
        None if the data has no counts.
    tolerance : NoiseTolerance or None
        Of W_mm; None if nothing diverges, so that there is none.
    own : NoiseTolerance or None
        Of the head that was given, if W_mm has one too.
    groups : TokenGroups
        Of the supports that decide the direction.
    """

    exclusions: Exclusions | None
    tolerance: NoiseTolerance | None
    own: NoiseTolerance | None
    groups: TokenGroups

    def summary(self, limit: int = 3) -> str:
        """The answers in words, with so many entries of each list."""
        parts = []
        if self.exclusions is not None:
            parts.append(self.exclusions.summary(limit))
        if self.tolerance is not None:
            parts.append("of W_mm: " + self.tolerance.summary(limit))
        if self.own is not None:
            parts.append(f"the own head tolerates noise of {self.own.radius:.6g}")
        parts.append(self.groups.summary(limit))
        return "\n".join(parts)

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready form: radii in the units of the embeddings, the longest lists cut off."""
        data, groups = self.groups.data, list(zip(self.groups.groups, self.groups.contexts, strict=True))
        return {
            "exclusions": None if self.exclusions is None else self.exclusions.to_dict(LISTED),
            "noise_tolerance": None if self.tolerance is None else _tolerance(self.tolerance),
            "noise_tolerance_of_own_head": None if self.own is None else _tolerance(self.own),
            "token_groups": {
                "groups": len(groups),
                "tokens": sum(len(tokens) for tokens, _ in groups),
                "largest": [
                    {
                        "tokens": [data.token_name(v) for v in tokens[:LISTED]],
                        "size": len(tokens),
                        "contexts": [data.context_name(j) for j in contexts[:LISTED]],
                    }
                    for tokens, contexts in groups[:LISTED]
                ],
            },
        }


def overview(limit: Limit, *, head: ArrayLike | Tensor | None = None) -> Overview:
    """What `exclusions`, `noise_tolerance` and `token_groups` say where training of a dataset ends.

    Parameters
    ----------
    limit : Limit
        Its supports are those that count: where some tokens cannot be driven out they keep a positive probability.
    head : array-like (V, d), optional
        A decoder to read beside W_mm, such as the head of the model whose features these are.

    Returns
    -------
    Overview

    Raises
    ------
    UsageError
        If ``head`` does not fit the data.

    Notes
    -----
    Source: ours (`bias/any-data`, `bias/svm-structure`, `bias/definition-3`).

    Examples
    --------
    >>> from ntp_theory import NTPDataset, predict
    >>> data = NTPDataset.from_counts([[1.0, 0.0], [0.0, 1.0]], [[3, 1, 0], [0, 0, 4]])
    >>> found = overview(predict(data))
    >>> found.exclusions.sizes.tolist(), found.groups.groups, round(found.tolerance.radius, 6)
    ([1, 2], ((0, 1),), 0.707107)
    """
    reference = limit.reference
    return Overview(
        None if limit.data.counts is None else exclusions(limit.data, pattern=reference.pattern),
        None if limit.direction is None else noise_tolerance(limit.direction, reference),
        None if head is None or limit.direction is None else noise_tolerance(head, reference),
        token_groups(reference),
    )


def _tolerance(found: NoiseTolerance) -> dict[str, Any]:
    """The radius, what the margin guarantees, and the contexts that tolerate least with the pairs that flip."""
    data, least = found.data, [j for j in found.radii.argsort()[:LISTED].tolist() if found.pairs[j, 0] >= 0]
    return {
        "norm": found.noise,
        "evidence": "certified",
        "radius": found.radius,
        "guaranteed_by_margin": found.lower_bound(),
        "least": [
            {
                "context": data.context_name(j),
                "radius": float(found.radii[j]),
                "overtakes": data.token_name(int(found.pairs[j, 1])),
                "follows": data.token_name(int(found.pairs[j, 0])),
            }
            for j in least
        ],
    }
