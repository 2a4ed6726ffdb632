"""Gradient methods on the cross-entropy, the one loop that runs them, gradient flow, and what they leave behind."""

from .ensemble import descend_many
from .log_time.flow import flow
from .methods.adam import Adam, AdamW
from .methods.dual_momentum import DualMomentum
from .methods.gd import GradientDescent
from .methods.growing import GrowingStepDescent
from .methods.line_search import LineSearch
from .methods.momentum import HeavyBall, Nesterov
from .methods.normalised import NormalisedGradientDescent
from .methods.registry import METHODS, Method, State
from .methods.sign import SignDescent, Signum
from .methods.spectral import Muon, SpectralDescent
from .methods.split import SplitNormalisedDescent
from .methods.stochastic import StochasticGradientDescent, StochasticPairDescent
from .methods.torch_optimizer import TorchOptimizer
from .record import recorded_steps
from .run import descend
from .smoothness import smoothness_bound
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
