"""Objectives: what of the answer a model sees, and which predictions it is judged by."""

from .myopic import Myopic
from .next_token import FirstTokenOnly, MaskedTeacherForcing, TeacherForcing, Teacherless, WholeSequenceReversed
from .objective import IGNORED, Example, Objective, position_losses
from .regression import Regression

__all__ = [
    "IGNORED",
    "Example",
    "FirstTokenOnly",
    "MaskedTeacherForcing",
    "Myopic",
    "Objective",
    "Regression",
    "TeacherForcing",
    "Teacherless",
    "WholeSequenceReversed",
    "position_losses",
]
