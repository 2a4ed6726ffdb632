"""Gradient methods on the cross-entropy, the one loop that runs them, gradient flow, and what they leave behind."""

from .adam import Adam, AdamW
from .dual_momentum import DualMomentum
from .ensemble import descend_many
from .flow import flow
from .gd import GradientDescent
from .growing import GrowingStepDescent
from .line_search import LineSearch
from .methods import METHODS, Method, State
from .momentum import HeavyBall, Nesterov
from .normalised import NormalisedGradientDescent
from .record import recorded_steps
from .run import descend
from .sign import SignDescent, Signum
from .smoothness import smoothness_bound
from .spectral import Muon, SpectralDescent
from .split import SplitNormalisedDescent
from .stochastic import StochasticGradientDescent, StochasticPairDescent
from .torch_optimizer import TorchOptimizer
from .trajectory import Record, Trajectory

__all__ = [
    "METHODS",
    "Adam",
    "AdamW",
    "DualMomentum",
    "GradientDescent",
    "GrowingStepDescent",
    "HeavyBall",
    "LineSearch",
    "Method",
    "Muon",
    "Nesterov",
    "NormalisedGradientDescent",
    "Record",
    "SignDescent",
    "Signum",
    "SpectralDescent",
    "SplitNormalisedDescent",
    "State",
    "StochasticGradientDescent",
    "StochasticPairDescent",
    "TorchOptimizer",
    "Trajectory",
    "descend",
    "descend_many",
    "flow",
    "recorded_steps",
    "smoothness_bound",
]
