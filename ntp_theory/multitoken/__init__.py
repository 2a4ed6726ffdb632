"""The theory of predicting several tokens at once: choice points, information, floors of heads, and linear heads."""

from .choice_points import WrongPredictions, choice_terms, two_branches, wrong_predictions
from .floors import HeadFloors
from .information import (
    HeadDecomposition,
    Nats,
    cross_entropy,
    decompose,
    entropy,
    mutual_information,
    relative_information,
)
from .linear import lost_support, multi_token_datasets
from .logarithms import LogSum
from .markov import MarkovChain

__all__ = [
    "HeadDecomposition",
    "HeadFloors",
    "LogSum",
    "MarkovChain",
    "Nats",
    "WrongPredictions",
    "choice_terms",
    "cross_entropy",
    "decompose",
    "entropy",
    "lost_support",
    "multi_token_datasets",
    "mutual_information",
    "relative_information",
    "two_branches",
    "wrong_predictions",
]
