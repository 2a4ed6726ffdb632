"""Gradient methods on the cross-entropy, the one loop that runs them, and what they leave behind."""

from .gd import GradientDescent
from .methods import METHODS, Method, State
from .record import recorded_steps
from .run import descend
from .smoothness import smoothness_bound
from .trajectory import Record, Trajectory

__all__ = [
    "METHODS",
    "GradientDescent",
    "Method",
    "Record",
    "State",
    "Trajectory",
    "descend",
    "recorded_steps",
    "smoothness_bound",
]
