"""How many drafts are kept: exactly, from the laws of both models, and by the formulas for independent acceptances."""

from __future__ import annotations

from typing import Any

from ...doors import whole
from ...errors import UsageError
from .choices import Law, check_law
from .verification import Model

__all__ = [
    "acceptance_rate",
    "expected_tokens",
    "independent_tokens",
    "operations_factor",
    "survival",
    "walltime_factor",
]


def acceptance_rate(target: Law, draft: Law) -> Any:
    """``sum min(p, q)``, the probability that a draft from q is kept: 1 minus the total variation.

    Notes
    -----
    Source: Leviathan et al., 2211.17192; `speculative/acceptance-rate`.

    Examples
    --------
    >>> acceptance_rate([0.5, 0.5], [0.75, 0.25])
    0.75
    """
    check_law("target", target)
    check_law("draft", draft)
    if len(target) != len(draft):
        raise UsageError(f"draft has {len(draft)} probabilities; it must have those of target, {len(target)}")
    return sum(min(p, q) for p, q in zip(target, draft, strict=True))


def survival(target: Model, draft: Model, gamma: int) -> list[Any]:
    """The probabilities that the first 1, 2 .. gamma drafts of a block are kept, whatever depends on what.

    The j-th is the sum over all texts of j tokens of the product of ``min(p, q)``; token by token verification.

    Parameters
    ----------
    target, draft : callable
        The law of the next token after the tokens of this block so far.
    gamma : int

    Returns
    -------
    list
        Of the type of the laws.

    Notes
    -----
    Source: derived; `speculative/exact-acceptance`.

    Examples
    --------
    >>> survival(lambda text: [0.5, 0.5], lambda text: [0.75, 0.25], 3)
    [0.75, 0.5625, 0.421875]
    """
    whole("gamma", gamma, at_least=1)
    paths: dict[tuple[int, ...], Any] = {(): 1}
    found = []
    for _ in range(gamma):
        paths = {
            (*text, token): weight * min(p, q)
            for text, weight in paths.items()
            for token, (p, q) in enumerate(zip(target(text), draft(text), strict=True))
            if min(p, q) > 0
        }
        found.append(sum(paths.values()))
    return found


def expected_tokens(target: Model, draft: Model, gamma: int) -> Any:
    """The mean number of tokens that a block emits: 1 and the sum of `survival`.

    Examples
    --------
    >>> expected_tokens(lambda text: [0.5, 0.5], lambda text: [0.75, 0.25], 3)
    2.734375
    """
    return 1 + sum(survival(target, draft, gamma))


def independent_tokens(rate: Any, gamma: int) -> Any:
    """``(1 - rate^(gamma + 1)) / (1 - rate)``: the mean number of tokens of a block if acceptances are independent.

    They seldom are: `expected_tokens` is exact.

    Notes
    -----
    Source: Leviathan et al., 2211.17192; `speculative/expected-tokens`, `multitoken/iid-gap`.

    Examples
    --------
    >>> independent_tokens(0.75, 3)
    2.734375
    """
    whole("gamma", gamma, at_least=0)
    if not 0 <= rate <= 1:
        raise UsageError(f"rate is {rate}; it must be a number from 0 to 1")
    return sum(rate**k for k in range(gamma + 1))


def walltime_factor(rate: Any, gamma: int, cost: Any) -> Any:
    """How many times as fast, with independent acceptances: ``independent_tokens / (gamma cost + 1)``.

    Parameters
    ----------
    rate : number
    gamma : int
    cost : number
        The time of a pass of the draft model over that of the target, which verifies in the time of one pass.

    Notes
    -----
    Source: Leviathan et al., 2211.17192; `speculative/walltime`.

    Examples
    --------
    >>> walltime_factor(0.75, 3, 0.25)
    1.5625
    """
    return independent_tokens(rate, gamma) / (gamma * _cost(cost) + 1)


def operations_factor(rate: Any, gamma: int, cost: Any) -> Any:
    """How many times as many operations: ``(gamma cost + gamma + 1) / independent_tokens``.

    Parameters
    ----------
    rate : number
    gamma : int
    cost : number
        Operations of the draft model a token over those of the target.

    Notes
    -----
    Source: Leviathan et al., 2211.17192; `speculative/operations`.

    Examples
    --------
    >>> operations_factor(1.0, 3, 0.25)
    1.1875
    """
    return (gamma * _cost(cost) + gamma + 1) / independent_tokens(rate, gamma)


def _cost(cost: Any) -> Any:
    if not cost >= 0:
        raise UsageError(f"cost is {cost}; it must be a number >= 0")
    return cost
