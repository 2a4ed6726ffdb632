"""Training: objectives, and the one loop."""

from ..objectives import (
    FirstTokenOnly,
    MaskedTeacherForcing,
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
    "Objective",
    "Regression",
    "Settings",
    "TeacherForcing",
    "Teacherless",
    "TrainResult",
    "WholeSequenceReversed",
    "train",
]
