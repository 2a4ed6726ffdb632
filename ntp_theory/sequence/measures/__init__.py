"""Measures: what a trained model does, each a function of a model and a task."""

from .accuracy import Evaluation, confidence_interval, evaluate
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

__all__ = [
    "Cheating",
    "Evaluation",
    "PositionLeak",
    "cheating",
    "compounded",
    "confidence_interval",
    "evaluate",
    "first_passage",
    "guessing_losses",
    "plateau",
    "position_leak",
]
