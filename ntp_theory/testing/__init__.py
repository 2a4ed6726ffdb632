"""Hypothesis strategies for every object of the theory: for tests of this library, and of theorems of your own."""

from .cases import CASES, datasets_of_case, log_probabilities, separating_directions
from .strategies import KINDS, datasets, decoders, probability_rows

__all__ = [
    "CASES",
    "KINDS",
    "datasets",
    "datasets_of_case",
    "decoders",
    "log_probabilities",
    "probability_rows",
    "separating_directions",
]
