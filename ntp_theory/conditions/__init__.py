"""Compatibility and separability of a dataset, each answer with the object that proves it."""

from .certificates import Contradiction, FarkasCertificate
from .compatibility import Compatibility, check_compatibility
from .extended import ExtendedSupport, extended_support
from .separability import Separability, check_separability

__all__ = [
    "Compatibility",
    "Contradiction",
    "ExtendedSupport",
    "FarkasCertificate",
    "Separability",
    "check_compatibility",
    "check_separability",
    "extended_support",
]
