"""Measures: what a trained model does, each a function of a model and a task."""

from ..evaluation import Evaluation, confidence_interval, evaluate
from .arithmetic import by_operators
from .gradient_split import GradientSplit, gradient_split
from .interventions import CachedEffect, Intervention, cached_effect, intervene
from .memory import peak_bytes
from .myopia import LossDifference, local_bonus, myopia_gap
from .names import InductionAccuracy, induction
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
from .probes import Probes, probe
from .seeds import over_seeds
from .token_probes import TokenProbes, probe_tokens

__all__ = [
    "CachedEffect",
    "Cheating",
    "Evaluation",
    "LossDifference",
    "GradientSplit",
    "InductionAccuracy",
    "Intervention",
    "PositionLeak",
    "Probes",
    "TokenProbes",
    "by_operators",
    "cached_effect",
    "cheating",
    "compounded",
    "confidence_interval",
    "evaluate",
    "first_passage",
    "gradient_split",
    "guessing_losses",
    "induction",
    "intervene",
    "local_bonus",
    "myopia_gap",
    "over_seeds",
    "peak_bytes",
    "plateau",
    "position_leak",
    "probe",
    "probe_tokens",
]
