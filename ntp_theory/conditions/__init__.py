"""Compatibility and separability of a dataset, each answer with the object that proves it."""

from .certificates import Contradiction, FarkasCertificate
from .compatibility import Compatibility, check_compatibility
from .explanation import describe_explanation, explain
from .extended import ExtendedSupport, extended_support
from .forests import ForestDecomposition, forest_decomposition, generic_rank
from .separability import Separability, check_separability
from .threshold import Proportion, separability_probability, wendel_heuristic, wendel_probability

__all__ = [
    "Compatibility",
    "Contradiction",
    "ExtendedSupport",
    "FarkasCertificate",
    "ForestDecomposition",
    "Proportion",
    "Separability",
    "check_compatibility",
    "check_separability",
    "describe_explanation",
    "explain",
    "extended_support",
    "forest_decomposition",
    "generic_rank",
    "separability_probability",
    "wendel_heuristic",
    "wendel_probability",
]
