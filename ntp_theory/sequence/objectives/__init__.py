"""Objectives: what of the answer a model sees, and which predictions it is judged by."""

from .exact_laws import ExactLaws
from .medusa import Medusa
from .multi_token import MultiToken
from .myopic import Myopic
from .next_token import FirstTokenOnly, MaskedTeacherForcing, TeacherForcing, Teacherless, WholeSequenceReversed
from .objective import IGNORED, Example, Objective, position_losses
from .regression import Regression
from .whole_sequence import WholeSequence

__all__ = [
    "IGNORED",
    "ExactLaws",
    "Example",
    "FirstTokenOnly",
    "MaskedTeacherForcing",
    "Medusa",
    "MultiToken",
    "Myopic",
    "Objective",
    "Regression",
    "TeacherForcing",
    "Teacherless",
    "WholeSequence",
    "WholeSequenceReversed",
    "position_losses",
]
