"""Learned features without a network: decoder and context embeddings are free, and a ridge is on both."""

from .factors import balanced_factors, collapse, equal_supports, gram_matrices
from .flow import FeatureFlow, cross_entropy_gradient, feature_flow, spectral_start, square_loss_gradient
from .limit import FreeLimit, centred_supports
from .modes import half_time, mode_strength, switch_time
from .path import LogitPath
from .problem import UnconstrainedFeatures

__all__ = [
    "FeatureFlow",
    "FreeLimit",
    "LogitPath",
    "UnconstrainedFeatures",
    "balanced_factors",
    "centred_supports",
    "collapse",
    "cross_entropy_gradient",
    "equal_supports",
    "feature_flow",
    "gram_matrices",
    "half_time",
    "mode_strength",
    "spectral_start",
    "square_loss_gradient",
    "switch_time",
]
