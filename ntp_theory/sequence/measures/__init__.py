"""Measures: what a trained model does, each a function of a model and a task."""

from .accuracy import Evaluation, confidence_interval, evaluate
from .gradient_split import GradientSplit, gradient_split
from .myopia import LossDifference, local_bonus, myopia_gap
from .path_star import (
    Cheating,
    PositionLeak,
    cheating,
    compounded,
    first_passage,
    guessing_losses,
    plateau,
    position_leak,
)
from .seeds import over_seeds

__all__ = [
    "Cheating",
    "Evaluation",
    "GradientSplit",
    "LossDifference",
    "PositionLeak",
    "cheating",
    "compounded",
    "confidence_interval",
    "evaluate",
    "first_passage",
    "gradient_split",
    "guessing_losses",
    "local_bonus",
    "myopia_gap",
    "over_seeds",
    "plateau",
    "position_leak",
]
