"""What two heads lose, split into conditional losses and information, for a joint law and a model of it."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..doors import dense
from ..errors import DatasetError
from .logarithms import LogSum

__all__ = [
    "HeadDecomposition",
    "Nats",
    "cross_entropy",
    "decompose",
    "entropy",
    "mutual_information",
    "relative_information",
]

Nats: TypeAlias = Any
"""A number of nats: a float, or a `LogSum` where all probabilities are fractions."""

ROUNDING = 1e-9
"""How far the sum of a law in floats may be from 1."""


@dataclass(frozen=True)
class HeadDecomposition:
    """The losses of two heads and what they consist of (`multitoken/lemma-L3`, `multitoken/chain-residual`).

    ``loss_x + loss_y = x_given_y + 2 information + y_given_x + residual``, for every law p, model q and second head h.
    All in nats: floats, or `LogSum` if everything given was a fraction.

    Attributes
    ----------
    loss_x : float or LogSum
        ``H(p_X, q_X)``, the loss of the first head.
    loss_y : float or LogSum
        ``H(p_Y, h)``, the loss of the second head.
    x_given_y, y_given_x : float or LogSum
        ``H(p_{X|Y}, q_{X|Y})`` and ``H(p_{Y|X}, q_{Y|X})``; the latter is what next-token prediction loses on Y.
    information : float or LogSum
        ``I_{p||q}(X; Y)``, formed with the marginals of q itself; it may be negative
        (`multitoken/relative-information-sign`), and is 0 if q is a product (`multitoken/product-heads`).
    residual : float or LogSum
        ``H(p_Y, h) - H(p_Y, q_Y)``: how far the second head and the chain ``q(x) q(y|x)`` contradict each other. With h
        in the place of q_Y inside the information the identity would have this with the opposite sign.
    """

    loss_x: Nats
    loss_y: Nats
    x_given_y: Nats
    y_given_x: Nats
    information: Nats
    residual: Nats

    @property
    def defect(self) -> Nats:
        """Left side of the identity minus its right side: 0, up to rounding if in floats."""
        inside = self.x_given_y + self.information + self.information + self.y_given_x
        return self.loss_x + self.loss_y - inside - self.residual

    def summary(self) -> str:
        """The identity with its numbers."""
        parts = (self.x_given_y, self.information, self.y_given_x, self.residual)
        x_given_y, information, y_given_x, residual = (float(part) for part in parts)
        return (
            f"heads {float(self.loss_x):.6g} + {float(self.loss_y):.6g} = X|Y {x_given_y:.6g} + 2 I {information:.6g} "
            f"+ Y|X {y_given_x:.6g} + residual {residual:.6g} nats"
        )


def entropy(law: ArrayLike) -> Nats:
    """``H(p)`` in nats.

    Parameters
    ----------
    law : array-like of numbers
        Probabilities, of any shape; of fractions the answer is exact.

    Returns
    -------
    float, or LogSum for fractions

    Raises
    ------
    DatasetError
        If the law has negative entries or does not sum to 1.

    Examples
    --------
    >>> print(entropy([Fraction(1, 4), Fraction(3, 4)]), entropy([0.5, 0.5]))
    2 log 2 - 3/4 log 3 0.6931471805599453
    """
    p = _law("law", law)
    return _mean_of_minus_log(p, p)


def cross_entropy(law: ArrayLike, model: ArrayLike) -> Nats:
    """``H(p, q) = -sum p log q`` in nats.

    Parameters
    ----------
    law, model : array-like of numbers
        p and q, of one shape, q positive where p is.

    Returns
    -------
    float, or LogSum for fractions

    Raises
    ------
    DatasetError
        If one of them is no law, or q is 0 where p is not: the cross-entropy is infinite.

    Examples
    --------
    >>> print(cross_entropy([Fraction(1, 2), Fraction(1, 2)], [Fraction(1, 3), Fraction(2, 3)]))
    -1/2 log 2 + log 3
    """
    p, q = _pair("law", law, "model", model)
    return _mean_of_minus_log(p, q)


def mutual_information(joint: ArrayLike) -> Nats:
    """``I(X; Y)`` of a joint law (rows x, columns y), in nats.

    Examples
    --------
    >>> print(mutual_information([[Fraction(1, 2), 0], [0, Fraction(1, 2)]]))
    log 2
    """
    return relative_information(joint, joint)


def relative_information(joint: ArrayLike, model: ArrayLike) -> Nats:
    """``I_{p||q}(X; Y) = H(p_X, q_X) + H(p_Y, q_Y) - H(p, q)``: the information that the model sees, weighed by p.

    Parameters
    ----------
    joint, model : array-like (n_x, n_y)
        p and q, q positive where p is.

    Returns
    -------
    float, or LogSum for fractions

    Raises
    ------
    DatasetError
        As `cross_entropy`; also if they are no matrices.

    Notes
    -----
    Source: 2404.19737 Def. L.2 (`multitoken/definition-L2`). It equals ``D(p || q_X q_Y) - D(p || q)``.

    Examples
    --------
    >>> even, odd = Fraction(2, 5), Fraction(1, 10)
    >>> information = relative_information(np.full((2, 2), Fraction(1, 4)), [[even, odd], [odd, even]])
    >>> print(information, information.sign)
    2 log 2 - log 5 -1
    """
    p, q = _joint_pair(joint, model)
    product = np.multiply.outer(q.sum(1), q.sum(0))
    return _mean_of_minus_log(p, product) - _mean_of_minus_log(p, q)


def decompose(joint: ArrayLike, model: ArrayLike, head: ArrayLike | None = None) -> HeadDecomposition:
    """The losses of two heads as conditional losses and twice the relative mutual information.

    Parameters
    ----------
    joint : array-like (n_x, n_y)
        p, the law of the next token X (rows) and the one after it, Y (columns), in one context.
    model : array-like (n_x, n_y)
        q, the chain ``q(x) q(y|x)`` of a next-token head; positive where p is.
    head : array-like (n_y,), optional
        h, the law of a second, parallel head; the chain's marginal q_Y if not given.

    Returns
    -------
    HeadDecomposition

    Raises
    ------
    DatasetError
        As `relative_information`; also if the head is no law of Y.

    Notes
    -----
    Source: 2404.19737 Lemma L.3 (`multitoken/lemma-L3`); residual ours (`multitoken/chain-residual`). For parallel
    heads, whose joint law is a product, pass ``np.multiply.outer(q_x, q_y)``.

    Examples
    --------
    >>> found = decompose([[0.4, 0.1], [0.1, 0.4]], [[0.3, 0.2], [0.1, 0.4]], head=[0.5, 0.5])
    >>> print(found.summary())
    heads 0.693147 + 0.693147 = X|Y 0.52575 + 2 I 0.167398 + Y|X 0.546161 + residual -0.020411 nats
    """
    p, q = _joint_pair(joint, model)
    q_x, q_y = q.sum(1), q.sum(0)
    p_y, h = _pair("joint's law of Y", p.sum(0), "head", q_y if head is None else head)
    loss_y = _mean_of_minus_log(p_y, h)
    return HeadDecomposition(
        loss_x=_mean_of_minus_log(p.sum(1), q_x),
        loss_y=loss_y,
        x_given_y=_mean_of_minus_log(p, _divide(q, q_y[None, :])),
        y_given_x=_mean_of_minus_log(p, _divide(q, q_x[:, None])),
        information=relative_information(p, q),
        residual=loss_y - _mean_of_minus_log(p_y, q_y),
    )


def _law(name: str, values: ArrayLike, ndim: int | None = None) -> NDArray[Any]:
    """Probabilities as fractions, if all of them are fractions or whole numbers, or as floats."""
    given = np.asarray(values, dtype=object)
    if given.size and all(isinstance(x, Fraction | int | np.integer) for x in given.flat):
        law = np.array([Fraction(int(x) if isinstance(x, np.integer) else x) for x in given.flat], dtype=object)
        law = law.reshape(given.shape)
        if ndim not in (None, law.ndim):
            raise DatasetError(f"{name} must have {ndim} dimensions, got shape {law.shape}")
    else:
        law = dense(name, values, given.ndim if ndim is None else ndim)
    if (negative := np.argwhere(law < 0)).size:
        where = tuple(int(i) for i in negative[0])
        raise DatasetError(f"{name}{list(where)} is {law[where]}; every entry must be at least 0")
    total = law.sum()
    if abs(total - 1) > (0 if law.dtype == object else ROUNDING):
        raise DatasetError(f"{name} sums to {total}; it must sum to 1")
    return law


def _pair(name: str, law: ArrayLike, other: str, model: ArrayLike, ndim: int | None = None) -> list[NDArray[Any]]:
    p, q = _law(name, law, ndim), _law(other, model, ndim)
    if p.shape != q.shape:
        raise DatasetError(f"{other} has shape {q.shape} but {name} has {p.shape}; they must be laws of the same thing")
    if (missed := np.argwhere((p > 0) & (q == 0))).size:
        where = list(map(int, missed[0]))
        raise DatasetError(f"{other}{where} is 0 where {name} is not; the cross-entropy is infinite")
    if p.dtype != q.dtype:  # one of them is in floats
        p, q = p.astype(np.float64), q.astype(np.float64)
    return [p, q]


def _joint_pair(joint: ArrayLike, model: ArrayLike) -> list[NDArray[Any]]:
    return _pair("joint", joint, "model", model, 2)


def _divide(joint: NDArray[Any], marginal: NDArray[Any]) -> NDArray[Any]:
    """Conditional laws; 0 where there is nothing to condition on."""
    marginal = np.broadcast_to(marginal, joint.shape)
    found = joint.copy()
    found[marginal != 0] = joint[marginal != 0] / marginal[marginal != 0]
    return found


def _mean_of_minus_log(p: NDArray[Any], arguments: NDArray[Any]) -> Nats:
    """``-sum p log x`` over the entries that p gives some weight."""
    terms = [(-w, x) for w, x in zip(p.flat, arguments.flat, strict=True) if w]
    return LogSum.of(terms) if p.dtype == object else _sum_of_floats(terms)


def _sum_of_floats(terms: Iterable[tuple[float, float]]) -> float:
    return math.fsum(weight * math.log(x) for weight, x in terms)
