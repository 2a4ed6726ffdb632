"""Measures: what a trained model does, each a function of a model and a task."""

from .accuracy import Evaluation, confidence_interval, evaluate
from .path_star import Cheating, cheating, compounded, first_passage, guessing_losses, plateau

__all__ = [
    "Cheating",
    "Evaluation",
    "cheating",
    "compounded",
    "confidence_interval",
    "evaluate",
    "first_passage",
    "guessing_losses",
    "plateau",
]
