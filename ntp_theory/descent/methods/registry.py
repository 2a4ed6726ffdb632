"""What a gradient method is, and the methods known by name."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol, TypeVar

from torch import Tensor

from ...dataset import NTPDataset
from ...errors import UsageError
from .adam import Adam, AdamW
from .dual_momentum import DualMomentum
from .gd import GradientDescent
from .growing import GrowingStepDescent
from .line_search import LineSearch
from .momentum import HeavyBall, Nesterov
from .normalised import NormalisedGradientDescent
from .sign import SignDescent, Signum
from .spectral import Muon, SpectralDescent
from .split import SplitNormalisedDescent
from .stochastic import StochasticGradientDescent, StochasticPairDescent

__all__ = ["METHODS", "Method", "State", "find_method"]


class State(Protocol):
    """All that a method knows between two steps: a frozen dataclass.

    So that a run can be saved and resumed, its fields are tensors, plain numbers, words, and the dataset; a tensor that
    is not empty before the first step keeps its shape. A step
    never changes the tensors of the state that it is given; it may write over those of the state before that.
    A method whose step size changes has a field ``log_elapsed``, the logarithm of the sum of its step sizes.
    """

    @property
    def weights(self) -> Tensor:
        """The decoder W_k; (V, d)."""

    @property
    def step_size(self) -> float:
        """The step size in use."""


S = TypeVar("S")


class Method(Protocol[S]):
    """A gradient method: where to start, and one step. The loop does everything else.

    Its ``repr`` names every setting (as a dataclass does by itself): a run is resumed only by the same
    method.
    """

    @property
    def name(self) -> str:
        """Name of the method, as `descend` takes it."""

    def init(self, data: NTPDataset, weights: Tensor) -> S:
        """The state before the first step, at ``weights`` (V, d)."""

    def step(self, state: S) -> S:
        """The state after one more step."""


METHODS: dict[str, Callable[[float | None], Method[Any]]] = {
    GradientDescent.name: GradientDescent,
    LineSearch.name: LineSearch,
    GrowingStepDescent.name: GrowingStepDescent,
    NormalisedGradientDescent.name: NormalisedGradientDescent,
    SplitNormalisedDescent.name: SplitNormalisedDescent,
    HeavyBall.name: HeavyBall,
    Nesterov.name: Nesterov,
    DualMomentum.name: DualMomentum,
    StochasticGradientDescent.name: StochasticGradientDescent,
    StochasticPairDescent.name: StochasticPairDescent,
    SignDescent.name: SignDescent,
    Signum.name: Signum,
    SpectralDescent.name: SpectralDescent,
    Muon.name: Muon,
    Adam.name: Adam,
    AdamW.name: AdamW,
}
"""Constructors by name; each takes the step size, or None for its own choice."""


def find_method(method: str | Method[Any], step_size: float | None = None) -> Method[Any]:
    """The method of a name, with this step size; a method object as it is.

    Raises
    ------
    UsageError
        If there is no such method, or a method object comes with a step size that belongs inside it.

    Examples
    --------
    >>> find_method("gd", 0.5)
    GradientDescent(step_size=0.5)
    """
    if isinstance(method, str):
        if method not in METHODS:
            raise UsageError(f"method is {method!r}; it must be one of {', '.join(map(repr, METHODS))}")
        return METHODS[method](step_size)
    if isinstance(method, type) or not all(hasattr(method, part) for part in ("name", "init", "step")):
        raise UsageError(f"method is {method!r}; it must be a name or an object with name, init and step")
    if step_size is not None:
        raise UsageError(f"step_size is {step_size!r} beside a method object; give it to {method.name} itself")
    return method
