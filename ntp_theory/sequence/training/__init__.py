"""Training: objectives, and the one loop."""

from ..objectives import (
    ExactLaws,
    FirstTokenOnly,
    MaskedTeacherForcing,
    Medusa,
    MultiToken,
    Myopic,
    Objective,
    Regression,
    TeacherForcing,
    Teacherless,
    WholeSequence,
    WholeSequenceReversed,
)
from .loop import train
from .norm_steps import NormSteps
from .result import TrainResult
from .settings import Settings

__all__ = [
    "ExactLaws",
    "FirstTokenOnly",
    "MaskedTeacherForcing",
    "Medusa",
    "MultiToken",
    "Myopic",
    "NormSteps",
    "Objective",
    "Regression",
    "Settings",
    "TeacherForcing",
    "Teacherless",
    "TrainResult",
    "WholeSequence",
    "WholeSequenceReversed",
    "train",
]
