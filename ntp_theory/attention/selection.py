"""Attention that selects one token an input, and the max-margin weights of a selection (attention-SVM)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import Tensor

from ..doors import dense, generator, whole
from ..errors import DatasetError, NotSeparableError, SolverError, UsageError
from ..margin.norms import FROBENIUS, Norm, as_norm
from .multipliers import Multipliers, multipliers_of
from .pairs import solve_pairs

__all__ = ["SelectionSVM", "TokenSelection", "solve_selection"]

# Margins this close to 1 are those of neighbours.
ACTIVE = 1e-5
# Relative gap to the least norm at which an answer is none.
LARGEST_GAP = 1e-6


@dataclass(frozen=True, eq=False, init=False, repr=False)
class TokenSelection:
    """Inputs of T tokens with a query each, and the score that a fixed head gives to every token.

    The score of an input is that of its tokens, weighed with attention ``softmax_t(x_t' W z)``.

    Parameters
    ----------
    tokens : array (n, T, d)
        x_it.
    queries : array (n, d)
        z_i.
    scores : array (n, T)
        What the head gives to the token, times the label: large is good.

    Raises
    ------
    DatasetError
        If the shapes do not fit, or an entry is not finite.

    Notes
    -----
    Source: 2306.13596, 2308.16898 (`attention/att-svm`).

    Examples
    --------
    >>> TokenSelection.random(3, 4, 8).best.shape
    torch.Size([3])
    """

    tokens: Tensor
    queries: Tensor
    scores: Tensor

    def __init__(self, tokens: ArrayLike | Tensor, queries: ArrayLike | Tensor, scores: ArrayLike | Tensor) -> None:
        x, z, c = dense("tokens", tokens, 3), dense("queries", queries, 2), dense("scores", scores, 2)
        if x.shape[:2] != c.shape or (x.shape[0], x.shape[2]) != z.shape:
            raise DatasetError(
                f"tokens has shape {x.shape}, queries {z.shape}, scores {c.shape}; "
                "they must be (n, T, d), (n, d), (n, T)"
            )
        for name, value in (("tokens", x), ("queries", z), ("scores", c)):
            object.__setattr__(self, name, torch.from_numpy(value))

    @classmethod
    def random(cls, num_inputs: int, length: int, dim: int, *, rng: int | np.random.Generator = 0) -> TokenSelection:
        """Tokens and queries drawn evenly from the unit sphere, as is the head; labels 1.

        Parameters
        ----------
        num_inputs, length, dim : int
        rng : int or numpy.random.Generator

        Raises
        ------
        UsageError
            If a number is out of range.

        Examples
        --------
        >>> TokenSelection.random(2, 3, 5, rng=1)
        <TokenSelection: 2 inputs of 3 tokens in 5 dimensions>
        """
        n, t = whole("num_inputs", num_inputs, at_least=1), whole("length", length, at_least=1)
        d, r = whole("dim", dim, at_least=1), generator(rng)
        drawn = r.standard_normal((n * t + n + 1, d))
        drawn /= np.linalg.norm(drawn, axis=1, keepdims=True)
        x = drawn[: n * t].reshape(n, t, d)
        return cls(x, drawn[n * t : -1], x @ drawn[-1])

    @property
    def best(self) -> Tensor:
        """The token of highest score in every input; (n,)."""
        return self.scores.argmax(1)

    def logits(self, weights: Tensor) -> Tensor:
        """``x_it' W z_i``; (n, T)."""
        return torch.einsum("itd,de,ie->it", self.tokens, weights, self.queries)

    def selected(self, weights: Tensor) -> Tensor:
        """The token that gets most attention in every input; (n,)."""
        return self.logits(weights).argmax(1)

    def normals(self, selected: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """``(x_{i, alpha_i} - x_it) z_i'`` of all other tokens (n (T - 1), d, d), with their inputs and places."""
        n, t = self.scores.shape
        other = torch.ones(n, t, dtype=torch.bool)
        other[torch.arange(n), selected] = False
        inputs, places = other.nonzero(as_tuple=True)
        apart = self.tokens[inputs, selected[inputs]] - self.tokens[inputs, places]
        return torch.einsum("kd,ke->kde", apart, self.queries[inputs]), inputs, places

    def __repr__(self) -> str:
        n, t, d = self.tokens.shape
        return f"<TokenSelection: {n} inputs of {t} tokens in {d} dimensions>"


@dataclass(frozen=True, eq=False, repr=False)
class SelectionSVM:
    """The least W with ``(x_{i, alpha_i} - x_it)' W z_i >= 1`` for every other token t of every input i.

    Attributes
    ----------
    data : TokenSelection
    selected : Tensor (n,)
        alpha.
    geometry : Norm
    direction : Tensor (d, d)
        Feasible up to rounding.
    lower : float
        Certified lower bound on the least norm, from the multipliers.
    multipliers : Tensor (n (T - 1),)
        In the order of `TokenSelection.normals`.
    """

    data: TokenSelection
    selected: Tensor
    geometry: Norm
    direction: Tensor
    lower: float
    multipliers: Tensor

    @property
    def norm(self) -> float:
        """The norm of the direction."""
        return self.geometry.value(self.direction)

    @property
    def gap(self) -> float:
        """How far its norm may be above the least one, relative; certified."""
        return self.norm / self.lower - 1

    def margins(self) -> Tensor:
        """Of all constraints; (n (T - 1),)."""
        return torch.einsum("kde,de->k", self.data.normals(self.selected)[0], self.direction)

    @property
    def locally_optimal(self) -> bool:
        """Whether the neighbours, tokens with margin 1, have lower scores than the token that is selected.

        Gradient descent can converge in direction to selections that are locally optimal, and from near by it does;
        which of them it reaches from a given start is open, but for conditions that make the best one the only one.
        """
        _, inputs, places = self.data.normals(self.selected)
        near = self.margins() <= 1 + ACTIVE
        own = self.data.scores[inputs, self.selected[inputs]]
        return bool((self.data.scores[inputs, places] < own)[near].all())

    def late(self) -> Multipliers:
        """Multipliers and offset of gradient descent near this direction, with the rates of their slow modes.

        Near the limit the loss is a sum of exponentials with masses ``(c_alpha - c_t) / (n (1 + e^{c_alpha}))``, so
        gradient flow has ``W - W_svm log t -> offset``, as far as active normals span.

        Raises
        ------
        UsageError
            If the norm is not Frobenius, or the selection not locally optimal.

        Examples
        --------
        >>> svm = solve_selection(TokenSelection([[[1.0, 0.0], [0.0, 1.0]]], [[1.0, 0.0]], [[1.0, 0.0]]))
        >>> [round(x, 9) for x in svm.late().values.flatten().tolist()]  # the multiplier is ||W_svm||^2
        [0.0, 0.5]
        """
        if self.geometry != FROBENIUS or not self.locally_optimal:
            raise UsageError("only locally optimal selections in the Frobenius norm are limits of gradient descent")
        normals, inputs, places = self.data.normals(self.selected)
        own = self.data.scores[inputs, self.selected[inputs]]
        masses = (own - self.data.scores[inputs, places]) * torch.sigmoid(-own) / len(self.selected)
        shape = tuple(self.data.scores.shape)
        return multipliers_of(normals.flatten(1), masses, self.direction.flatten(), shape, (inputs, places))

    def summary(self) -> str:
        """The answer in a line."""
        kind = "locally optimal" if self.locally_optimal else "not locally optimal"
        best = "the best tokens" if torch.equal(self.selected, self.data.best) else "other tokens than the best"
        return f"{self.geometry.name} norm {self.norm:.8g}, gap {self.gap:.1e}; selects {best}, {kind}"

    def __repr__(self) -> str:
        return f"<SelectionSVM: {self.summary()}>"


def solve_selection(
    data: TokenSelection, selected: Tensor | Iterable[int] | None = None, *, norm: str | Norm = "frobenius"
) -> SelectionSVM:
    """The max-margin weights of a selection.

    Parameters
    ----------
    data : TokenSelection
    selected : sequence of int (n,), optional
        alpha; the tokens of highest score if not given.
    norm : str or Norm
        "frobenius" for weights W, "nuclear" for ``W = K Q'`` with the ridge, or the steps, on K and Q; or any other of
        `ntp_theory.margin.Norm`.

    Returns
    -------
    SelectionSVM

    Raises
    ------
    UsageError
        If ``data`` is something else or leaves no choice, or ``selected`` is no choice of one token an input.
    NotSeparableError
        If no weights select these tokens.
    SolverError
        If the solver failed, or left a gap above 1e-6.

    Notes
    -----
    Source: 2306.13596, 2308.16898 (`attention/att-svm`).

    Examples
    --------
    >>> data = TokenSelection([[[1.0, 0.0], [0.0, 1.0]]], [[1.0, 0.0]], [[1.0, 0.0]])
    >>> [round(solve_selection(data, norm=name).norm, 6) for name in ("frobenius", "nuclear")]
    [0.707107, 0.707107]
    """
    n, t = as_selection(data).scores.shape
    if t == 1:
        raise UsageError("data has inputs of 1 token; there must be at least 2 to choose from")
    alpha = data.best if selected is None else _choice(selected, n, t)
    geometry = as_norm(norm)
    normals, *_ = data.normals(alpha)
    answer = solve_pairs(normals.flatten(1), [False] * len(normals))
    if bool(answer.blocked.any()):
        raise NotSeparableError("no attention weights select these tokens", answer.extended.certificate)
    if geometry == FROBENIUS and answer.svm is not None:
        w = answer.direction.reshape(normals.shape[1:])
        active = (torch.einsum("kde,de->k", normals, w) <= 1 + ACTIVE).nonzero().flatten()
        factors = torch.linalg.lstsq(normals[active].flatten(1).T, w.flatten(), driver="gelsd").solution
        multipliers = torch.zeros(len(normals), dtype=torch.float64)
        multipliers[active] = factors
        if float(factors.min()) < 0:  # dependent normals: leave it to the cone solver which of them carry
            multipliers = _by_cone(normals, geometry)[1]
    else:
        w, multipliers = _by_cone(normals, geometry)
    multipliers = multipliers.clamp(min=0)
    margin = float(torch.einsum("kde,de->k", normals, w).min())
    length = geometry.dual.value(torch.einsum("k,kde->de", multipliers, normals))
    if not (margin > 0 and length > 0):
        raise SolverError("no selection of least norm was found: the weights do not select, or there is no multiplier")
    svm = SelectionSVM(data, alpha, geometry, w / margin, float(multipliers.sum()) / length, multipliers)
    if not svm.gap <= LARGEST_GAP:
        raise SolverError(f"the least norm is known to a share of {svm.gap:.1e} only", status="inaccurate", best=svm)
    return svm


def as_selection(data: object) -> TokenSelection:
    """Data of the kind, and nothing else."""
    if not isinstance(data, TokenSelection):
        raise UsageError(f"data is {data!r}; it must be a TokenSelection")
    return data


def _choice(selected: Tensor | Iterable[int], num_inputs: int, length: int) -> Tensor:
    try:
        tokens = list(selected)
    except TypeError:
        raise UsageError(f"selected is {selected!r}; it must be a sequence of {num_inputs} whole numbers") from None
    if len(tokens) != num_inputs:
        raise UsageError(f"selected has {len(tokens)} entries; it must have one for each of {num_inputs} inputs")
    return torch.tensor([whole(f"selected[{i}]", a, at_least=0, at_most=length - 1) for i, a in enumerate(tokens)])


def _by_cone(normals: Tensor, geometry: Norm) -> tuple[Tensor, Tensor]:
    from .selection_program import solve_selection_program  # cvxpy is slow to import

    return solve_selection_program(normals, geometry)
