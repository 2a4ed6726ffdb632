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
    Contradiction,
    ExtendedSupport,
    FarkasCertificate,
    Separability,
    check_compatibility,
    check_separability,
    describe_explanation,
    explain,
    extended_support,
    forest_decomposition,
    generic_rank,
    separability_probability,
    wendel_heuristic,
)
from .dataset import NTPDataset
from .descent import Trajectory, descend
from .exact import Proof
from .loss import LossParts
from .margin import SVMSolution, solve_svm, solve_svm_path, solve_svms
from .predict import Limit, predict

__all__ = [
    "Check",
    "Comparison",
    "Compatibility",
    "Contradiction",
    "ExtendedSupport",
    "FarkasCertificate",
    "Limit",
    "LossParts",
    "NTPDataset",
    "Proof",
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
    "describe_explanation",
    "errors",
    "explain",
    "extended_support",
    "forest_decomposition",
    "generic_rank",
    "loss",
    "predict",
    "separability_probability",
    "solve_svm",
    "solve_svm_path",
    "solve_svms",
    "subspace",
    "wendel_heuristic",
]
