"""The theory of next-token prediction, to use and to verify.

Theory predicts (`predict`), optimisation measures (`descend`), the library compares (`compare`), and every answer
carries its proof.
"""

from . import claims, construct, errors, loss, subspace
from ._version import __version__
from .checks import Check
from .compare import Comparison, compare
from .conditions import (
    Compatibility,
    ExtendedSupport,
    Separability,
    check_compatibility,
    check_separability,
    extended_support,
)
from .dataset import NTPDataset
from .descent import Trajectory, descend
from .loss import LossParts
from .margin import SVMSolution, solve_svm
from .predict import Limit, predict

__all__ = [
    "Check",
    "Comparison",
    "Compatibility",
    "ExtendedSupport",
    "Limit",
    "LossParts",
    "NTPDataset",
    "SVMSolution",
    "Separability",
    "Trajectory",
    "__version__",
    "check_compatibility",
    "check_separability",
    "claims",
    "compare",
    "construct",
    "descend",
    "errors",
    "extended_support",
    "loss",
    "predict",
    "solve_svm",
    "subspace",
]
