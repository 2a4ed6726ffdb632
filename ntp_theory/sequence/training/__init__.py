"""Training: objectives, and the one loop."""

from ..objectives import (
    FirstTokenOnly,
    MaskedTeacherForcing,
    Myopic,
    Objective,
    Regression,
    TeacherForcing,
    Teacherless,
    WholeSequenceReversed,
)
from .loop import train
from .result import TrainResult
from .settings import Settings

__all__ = [
    "FirstTokenOnly",
    "MaskedTeacherForcing",
    "Myopic",
    "Objective",
    "Regression",
    "Settings",
    "TeacherForcing",
    "Teacherless",
    "TrainResult",
    "WholeSequenceReversed",
    "train",
]
