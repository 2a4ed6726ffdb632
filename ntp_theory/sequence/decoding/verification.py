"""How drafted tokens are verified, so that what is emitted has the law of the target whatever the drafts.

Laws are arrays (v,) of floats or of fractions: the same lines verify a batch of a network and enumerate exact laws.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .choices import Choices, Law

__all__ = [
    "VERIFICATIONS",
    "Laws",
    "Model",
    "Verification",
    "block",
    "block_verification",
    "residual",
    "token_verification",
]

Model = Callable[[tuple[int, ...]], Law]
"""The law of the next token after the tokens so far, as `Table.law`."""
Laws = Sequence[Law] | NDArray[Any]
"""One law a place, (n, v)."""
Verification = Callable[[Choices, Laws, Laws, Sequence[int]], tuple[int, Law]]
"""From laws of the target at one place more than there are drafts, laws of the draft model, and drafts, to how many
drafts are kept, and the law of the token that follows them."""


def residual(target: Law, draft: Law, weight: Any = 1) -> Law:
    """``max(0, weight * target - draft)``, normalised: what a refused draft is replaced from.

    Examples
    --------
    >>> residual([0.5, 0.5], [0.75, 0.25]).tolist()
    [0.0, 1.0]
    """
    above = excess(target, draft, weight)
    total = above.sum()
    # a sum of 0 is rounding: where nothing is left over, nothing is refused
    return above / total if total > 0 else target


def excess(target: Law, draft: Law, weight: Any = 1) -> NDArray[Any]:
    """``max(0, weight * target - draft)``."""
    above: NDArray[Any] = np.maximum(weight * np.asarray(target) - np.asarray(draft), 0)
    return above


def token_verification(choices: Choices, target: Laws, draft: Laws, drafts: Sequence[int]) -> tuple[int, Law]:
    """Keep each draft with probability ``min(1, p / q)``, up to the first that is refused.

    Parameters
    ----------
    choices : Choices
    target : sequence of laws (v,), or array
        p after 0, 1 .. all of the drafts: one more than there are drafts.
    draft : sequence of laws (v,), or array
        q, from which each was drawn.
    drafts : sequence of int

    Returns
    -------
    kept : int
        How many of the drafts.
    following : law (v,)
        Of the token after them: the residual of the draft that was refused, or p after all of them.

    Notes
    -----
    Source: Leviathan et al., 2211.17192; `speculative/step`.

    Examples
    --------
    >>> from .choices import Sampled
    >>> p = np.array([[0.5, 0.5], [1.0, 0.0]])
    >>> kept, following = token_verification(Sampled(0), p, p[:1], [1])
    >>> kept, following.tolist()
    (1, [1.0, 0.0])
    """
    for place, token in enumerate(drafts):
        if not choices.accept(min(1, target[place][token] / draft[place][token])):
            return place, residual(target[place], draft[place])
    return len(drafts), target[len(drafts)]


def block_verification(choices: Choices, target: Laws, draft: Laws, drafts: Sequence[int]) -> tuple[int, Law]:
    """Keep as many drafts as a test of the whole block allows: as `token_verification`, with no fewer kept on average.

    With ``w_i = min(1, w_(i-1) p_i / q_i)``, w_0 = 1, the first i drafts pass with probability
    ``S_i / (S_i + 1 - w_i)``, S_i the sum of ``max(0, w_i p - q)`` after them; all of them with w. The longest
    beginning that passes is kept.

    Notes
    -----
    Source: Sun et al., 2403.10444; `speculative/block-verification`.

    Examples
    --------
    >>> from fractions import Fraction
    >>> from .choices import law
    >>> p, q = [Fraction(1, 3), Fraction(2, 3)], [Fraction(2, 3), Fraction(1, 3)]
    >>> kept = law(lambda choices: block(choices, lambda _: p, lambda _: q, 2, block_verification)[1])
    >>> sum(number * weight for number, weight in kept.items())
    Fraction(11, 9)
    """
    weights: list[Any] = [1]
    for place, token in enumerate(drafts):
        weights.append(min(1, weights[-1] * target[place][token] / draft[place][token]))
    if choices.accept(weights[-1]):
        return len(drafts), target[len(drafts)]
    for kept in range(len(drafts) - 1, 0, -1):
        weight = weights[kept]
        above = excess(target[kept], draft[kept], weight).sum()
        if choices.accept(above / (above + 1 - weight) if weight < 1 else 1):
            return kept, residual(target[kept], draft[kept], weight)
    return 0, residual(target[0], draft[0])


VERIFICATIONS: dict[str, Verification] = {"token": token_verification, "block": block_verification}
"""By the names that `speculative_sample` takes."""


def block(
    choices: Choices, target: Model, draft: Model, gamma: int, verify: Verification = token_verification
) -> tuple[tuple[int, ...], int]:
    """One block of speculative sampling with models that are functions: what its exact law is enumerated with.

    Parameters
    ----------
    choices : Choices
    target, draft : callable
        The law of the next token after the tokens of this block so far.
    gamma : int
        How many tokens are drafted.
    verify : callable

    Returns
    -------
    tokens : tuple of int
        The drafts that are kept and one more.
    kept : int

    Examples
    --------
    >>> from fractions import Fraction
    >>> from .choices import law
    >>> p, q = [Fraction(1, 3), Fraction(2, 3)], [Fraction(1, 2), Fraction(1, 2)]
    >>> law(lambda choices: block(choices, lambda _: p, lambda _: q, 1)[0][0])[1]
    Fraction(2, 3)
    """
    drafts: tuple[int, ...] = ()
    for _ in range(gamma):
        drafts = (*drafts, choices.draw(draft(drafts)))
    begun = [drafts[:place] for place in range(gamma + 1)]
    kept, following = verify(choices, [target(b) for b in begun], [draft(b) for b in begun[:-1]], drafts)
    return (*drafts[:kept], choices.draw(following)), kept
