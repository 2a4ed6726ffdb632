"""The theory of next-token prediction, to use and to verify.

Theory predicts (`predict`), optimisation measures (`descend`), the library compares (`compare`), and every answer
carries its proof.
"""

from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING

from . import (
    attention,
    bridge,
    construct,
    distributed,
    errors,
    geometry,
    loss,
    multitoken,
    planning,
    readings,
    sequence,
    subspace,
)
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
from .descent import Trajectory, descend, descend_many, flow
from .exact import Proof
from .loss import LossParts
from .margin import SVMSolution, margin_share, solve_svm, solve_svm_path, solve_svms
from .paths import Path, regularization_path
from .predict import Limit, predict
from .sweeps import sweep

if TYPE_CHECKING:
    from . import claims

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
    "Path",
    "Proof",
    "SVMSolution",
    "Separability",
    "Trajectory",
    "__version__",
    "attention",
    "bridge",
    "check_compatibility",
    "check_separability",
    "claims",
    "compare",
    "construct",
    "descend",
    "descend_many",
    "describe_explanation",
    "distributed",
    "errors",
    "explain",
    "extended_support",
    "flow",
    "forest_decomposition",
    "generic_rank",
    "geometry",
    "loss",
    "margin_share",
    "multitoken",
    "planning",
    "predict",
    "readings",
    "regularization_path",
    "separability_probability",
    "sequence",
    "solve_svm",
    "solve_svm_path",
    "solve_svms",
    "subspace",
    "sweep",
    "wendel_heuristic",
]


def __getattr__(name: str) -> ModuleType:
    """``claims`` with all that its checks use, computer algebra among it, is loaded when it is asked for."""
    if name == "claims":
        return import_module(".claims", __name__)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
